"""What every image store promises of its records."""

from collections.abc import Callable

import msgspec
import pytest

from cloudplane.images.errors import ImageExists, ImageInvalid, ImageNotFound
from cloudplane.images.store import ImageQuery, ImageStore, ImageUpdate
from cloudplane.objects.image import ACTIVE, PRIVATE, PUBLIC, QUEUED, Image
from tests.unit.images.doubles import PROJECT

NewImage = Callable[..., Image]


def test_a_new_image_is_queued_and_has_its_times(store: ImageStore, new_image: NewImage) -> None:
    image = store.create(new_image(properties={'os_distro': 'debian'}, min_disk_gb=2))
    assert (image.status, image.size_bytes, image.checksum_sha512) == (QUEUED, None, None)
    assert image.created_at == image.updated_at
    assert image.created_at.endswith('Z')
    assert image.properties == {'os_distro': 'debian'}
    assert store.get(image.id) == image


def test_what_a_store_finds_out_cannot_be_claimed(store: ImageStore, new_image: NewImage) -> None:
    image = store.create(new_image(status=ACTIVE, size_bytes=1, checksum_sha512='00'))
    assert (image.status, image.size_bytes, image.checksum_sha512) == (QUEUED, None, None)


def test_creating_again_changes_nothing(store: ImageStore, new_image: NewImage) -> None:
    first = store.create(new_image())
    again = store.create(first.evolve(name='other'))
    assert again == first
    assert store.find(ImageQuery()) == [first]


def test_an_id_of_another_owner_is_refused(store: ImageStore, new_image: NewImage) -> None:
    image = store.create(new_image())
    with pytest.raises(ImageExists):
        store.create(image.evolve(owner='somebody else'))


@pytest.mark.parametrize(
    ('field', 'value', 'word'),
    [
        ('disk_format', 'vmdk', 'vmdk'),
        ('container_format', 'docker', 'docker'),
        ('visibility', 'secret', 'secret'),
        ('min_disk_gb', -1, 'min_disk'),
        ('min_memory_mb', -1, 'min_ram'),
        ('name', 'n' * 256, '255'),
        ('id', '../../etc/passwd', 'id'),
        ('id', '', 'id'),
    ],
)
def test_a_record_that_cannot_be_is_refused_by_name(
    store: ImageStore, new_image: NewImage, field: str, value: object, word: str
) -> None:
    with pytest.raises(ImageInvalid, match=word):
        store.create(new_image(**{field: value}))
    assert store.find(ImageQuery()) == []


@pytest.mark.parametrize('image_id', ['4c3b6f1e-0000-4000-8000-000000000000', '../store', '', 'x' * 300, 'a.json'])
def test_a_missing_image_is_not_found_whatever_is_asked(store: ImageStore, image_id: str) -> None:
    for ask in (
        lambda: store.get(image_id),
        lambda: store.open(image_id),
        lambda: store.local_path(image_id),
        lambda: store.update(image_id, ImageUpdate(name='x')),
        lambda: store.delete(image_id),
        lambda: store.part_path(image_id, 'operation', 1),
        lambda: store.commit_part(image_id, 'operation', 1),
    ):
        with pytest.raises(ImageNotFound):
            ask()
    store.delete(image_id, missing_ok=True)
    assert store.discard(image_id, 'operation') is False


def test_a_list_shows_what_matches_newest_first(store: ImageStore, new_image: NewImage) -> None:
    mine = store.create(new_image(name='a'))
    public = store.create(new_image(name='b', owner=None, visibility=PUBLIC))
    other = store.create(new_image(name='a', owner='other'))
    assert store.find(ImageQuery()) == [other, public, mine]
    assert store.find(ImageQuery(visible_to=PROJECT)) == [public, mine]
    assert store.find(ImageQuery(name='a')) == [other, mine]
    assert store.find(ImageQuery(owner='other')) == [other]
    assert store.find(ImageQuery(visibility=PUBLIC)) == [public]
    assert store.find(ImageQuery(status=ACTIVE)) == []


def test_an_update_changes_what_it_names_and_nothing_else(store: ImageStore, new_image: NewImage) -> None:
    image = store.create(new_image(properties={'a': '1'}))
    changed = store.update(image.id, ImageUpdate(name='new', properties={'b': '2'}, min_memory_mb=64))
    assert changed == image.evolve(name='new', properties={'b': '2'}, min_memory_mb=64, updated_at=changed.updated_at)
    assert changed.updated_at > image.updated_at
    assert store.get(image.id) == changed


def test_an_update_that_cannot_be_changes_nothing(store: ImageStore, new_image: NewImage) -> None:
    image = store.create(new_image())
    with pytest.raises(ImageInvalid):
        store.update(image.id, ImageUpdate(visibility='shared'))
    assert store.get(image.id).visibility == PRIVATE


def test_every_field_of_an_update_is_a_field_of_an_image() -> None:
    assert set(msgspec.structs.asdict(ImageUpdate())) <= set(Image.__struct_fields__)
