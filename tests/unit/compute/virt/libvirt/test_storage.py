"""The folders of guests."""

import os
import stat
from pathlib import Path

import pytest

from cloudplane.compute.virt.libvirt.storage import GuestRecord, Storage
from cloudplane.concurrency import BlockingPool
from cloudplane.exceptions import ConfigurationError, GuestError, GuestInvalid
from cloudplane.objects.server import Address
from tests.unit.compute.virt.libvirt.specs import SERVER_ID, guest_spec, token


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A host's storage, prepared."""
    made = Storage(tmp_path / 'state', BlockingPool('test', 2))
    made.prepare(None)
    return made


def record() -> GuestRecord:
    """What a guest should be, secrets included."""
    return GuestRecord(
        spec=guest_spec(admin_pass='s3cret', user_data='c2VjcmV0'),
        addresses=(Address(network='net', address='192.168.148.2', mac='fa:16:3e:a8:94:02'),),
        sequence=1,
        operation_id='op',
        attempt=1,
    )


def test_folders_can_be_passed_through_and_not_listed(storage: Storage) -> None:
    folder = storage.make_folder(SERVER_ID)
    for each in (folder, folder.parent, folder.parent.parent):
        assert stat.S_IMODE(each.stat().st_mode) == 0o711


def test_a_folder_that_qemus_user_cannot_reach_is_refused_by_name(tmp_path: Path) -> None:
    closed = tmp_path / 'home'
    closed.mkdir(mode=0o700)
    stranger = (os.geteuid() + 12345, os.getegid() + 12345)
    with pytest.raises(ConfigurationError, match=r'cannot pass through /.*state_path.*chmod o\+x'):
        Storage(closed / 'state', BlockingPool('test', 1)).prepare(stranger)


def test_our_own_user_reaches_its_folders(tmp_path: Path) -> None:
    Storage(tmp_path / 'state', BlockingPool('test', 1)).prepare((os.geteuid(), os.getegid()))


def test_what_is_not_an_id_never_becomes_a_path(storage: Storage) -> None:
    for text in ('', '..', '/etc', f'{SERVER_ID}/..'):
        with pytest.raises(GuestInvalid):
            storage.remove(text)


def test_servers_are_listed_while_their_folder_exists(storage: Storage) -> None:
    assert storage.server_ids() == set()
    storage.make_root_disk(guest_spec(), token(), None)
    assert storage.server_ids() == {SERVER_ID}
    assert storage.exists(SERVER_ID)
    storage.remove(SERVER_ID)
    storage.remove(SERVER_ID)
    assert storage.server_ids() == set()


def test_the_record_is_kept_without_secrets(storage: Storage) -> None:
    assert storage.read_record(SERVER_ID) is None
    storage.write_record(record())

    kept = storage.read_record(SERVER_ID)

    assert kept is not None
    assert kept.addresses == record().addresses
    assert kept.spec == record().spec.evolve(admin_pass=None, user_data=None)
    assert b's3cret' not in (storage.folder(SERVER_ID) / 'guest.json').read_bytes()


def test_a_damaged_record_is_an_error_of_this_guest(storage: Storage) -> None:
    (storage.make_folder(SERVER_ID) / 'guest.json').write_text('{')
    with pytest.raises(GuestError, match=r'guest\.json is damaged'):
        storage.read_record(SERVER_ID)


def test_the_config_drive_is_private_and_is_not_made_twice(storage: Storage) -> None:
    storage.write_config_drive(SERVER_ID, token(), b'first')
    storage.write_config_drive(SERVER_ID, token(attempt=2), b'second')

    path = storage.files(SERVER_ID, config_drive=True).config_drive
    assert path is not None
    assert path.read_bytes() == b'first'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [entry.name for entry in path.parent.iterdir()] == ['config.iso']


def test_copies_are_thrown_away_alone(storage: Storage) -> None:
    copies = storage.make_copies_folder(SERVER_ID)
    (copies / 'x.part').write_text('half')
    storage.remove_copies(SERVER_ID)
    storage.remove_copies(SERVER_ID)
    assert not copies.exists()
    assert storage.exists(SERVER_ID)


def test_the_disk_of_the_host_is_measured(storage: Storage) -> None:
    space = os.statvfs(storage.folder(SERVER_ID).parent)
    assert storage.disk_gb() == space.f_blocks * space.f_frsize // 2**30
