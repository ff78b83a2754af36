"""Secrets are unreadable without the key file, which is made once and whole."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cloudplane import exceptions
from cloudplane.conductor.vault import Vault


def test_what_was_sealed_is_opened(tmp_path: Path) -> None:
    vault = Vault(tmp_path / 'key')

    sealed = vault.seal('pä$$')

    assert 'pä$$' not in sealed
    assert vault.open(sealed) == 'pä$$'


def test_the_key_outlives_the_process(tmp_path: Path) -> None:
    sealed = Vault(tmp_path / 'deep' / 'key').seal('secret')

    assert Vault(tmp_path / 'deep' / 'key').open(sealed) == 'secret'


def test_the_key_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    Vault(tmp_path / 'key')

    assert stat.S_IMODE((tmp_path / 'key').stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ['key']


def test_many_that_start_at_once_have_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        vaults = list(pool.map(lambda _: Vault(tmp_path / 'key'), range(16)))

    sealed = vaults[0].seal('secret')
    assert {vault.open(sealed) for vault in vaults} == {'secret'}
    assert [path.name for path in tmp_path.iterdir()] == ['key']


def test_another_key_is_named_as_the_cause(tmp_path: Path) -> None:
    sealed = Vault(tmp_path / 'one').seal('secret')

    with pytest.raises(exceptions.ConfigurationError, match='same key file'):
        Vault(tmp_path / 'other').open(sealed)


@pytest.mark.parametrize('content', ['', 'not a key'])
def test_a_file_that_holds_no_key_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / 'key').write_text(content)

    with pytest.raises(exceptions.ConfigurationError, match='does not hold a key'):
        Vault(tmp_path / 'key')


def test_a_key_written_by_hand_may_end_in_a_newline(tmp_path: Path) -> None:
    sealed = Vault(tmp_path / 'key').seal('secret')
    (tmp_path / 'key').write_bytes((tmp_path / 'key').read_bytes() + b'\n')

    assert Vault(tmp_path / 'key').open(sealed) == 'secret'
