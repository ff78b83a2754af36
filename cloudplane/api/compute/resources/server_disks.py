"""What a server boots from: `imageRef` and `block_device_mapping_v2` say it twice, and must say the same."""

from typing import Any

from cloudplane.api.compute.resources.identifiers import is_uuid, last_segment
from cloudplane.exceptions import BadRequest


def boot_image(asked: dict[str, Any]) -> str:
    """The id of the image to boot from. BadRequest in words for whatever needs volumes."""
    if asked.get('block_device_mapping'):
        raise BadRequest('Invalid input at $.server.block_device_mapping: volumes cannot be attached to servers here.')
    mapped = [_local_image(device, place) for place, device in enumerate(asked.get('block_device_mapping_v2', ()))]
    named = last_segment(asked.get('imageRef', ''))
    if len(mapped) > 1:
        raise BadRequest('Invalid input at $.server.block_device_mapping_v2: a server has one disk, made of its image.')
    if named and mapped and named != mapped[0]:
        raise BadRequest('Invalid input at $.server.block_device_mapping_v2[0].uuid: it must be the image of imageRef.')
    image_id = named or (mapped[0] if mapped else '')
    if not image_id:
        raise BadRequest('Invalid input at $.server.imageRef: a server needs an image to boot from.')
    if not is_uuid(image_id):
        raise BadRequest('Invalid input at $.server.imageRef: it must be the id of an image.')
    return image_id.lower()


def _local_image(device: dict[str, Any], place: int) -> str:
    """The image of the one kind of device that there is: the boot disk, a local copy of an image."""
    where = f'Invalid input at $.server.block_device_mapping_v2[{place}]'
    if device.get('source_type') != 'image' or device.get('destination_type', 'local') != 'local':
        raise BadRequest(f'{where}: only a local disk made of an image can be had; there are no volumes.')
    if str(device.get('boot_index', 0)) != '0':
        raise BadRequest(f'{where}.boot_index: it must be 0.')
    if not device.get('uuid'):
        raise BadRequest(f'{where}.uuid: it must be the id of an image.')
    return str(device['uuid'])
