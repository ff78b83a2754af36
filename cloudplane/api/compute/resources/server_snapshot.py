"""createImage: the image is there, queued, before the client has its answer."""

import logging
import uuid

from cloudplane import states
from cloudplane.api.compute.call import Answer, Call
from cloudplane.api.compute.resources import server
from cloudplane.exceptions import CloudplaneException
from cloudplane.images.errors import ImageNotFound
from cloudplane.objects.image import Image
from cloudplane.objects.operation import Accepted
from cloudplane.objects.server import Server

LOG = logging.getLogger(__name__)


def create_image(call: Call, server_id: str) -> Answer:
    """Make an image of the server's disk."""
    asked = call.body['createImage']
    of_server = server.find(call, server_id)
    operation_id = str(uuid.uuid4())
    image = call.services.images.create(_image(call, of_server, operation_id, asked['name'], asked.get('metadata', {})))
    accepted = _accept(call, server_id, image, operation_id)
    image_id = accepted.image_id or image.id
    return Answer(headers=(('Location', f'{call.links.base}/images/{image_id}'),))


def _accept(call: Call, server_id: str, image: Image, operation_id: str) -> Accepted:
    images = call.services.images
    try:
        accepted = server.accept(
            call,
            server_id,
            states.SNAPSHOT,
            operation_id=operation_id,
            image_id=image.id,
            image_name=image.name,
        )
    except CloudplaneException as error:
        if error.code < 500:  # refused; after anything else it may have been accepted, and then needs its image
            images.discard(image.id, operation_id)
        else:
            LOG.warning('Image %s stays queued: it is not known if the snapshot was accepted', image.id)
        raise
    if accepted.replayed and accepted.image_id != image.id:
        images.discard(image.id, operation_id)  # the first request's image is the one
    return accepted


def _image(call: Call, of_server: Server, operation_id: str, name: str, metadata: dict[str, str]) -> Image:
    base = _base_image(call, of_server)
    return Image(
        id=str(uuid.uuid4()),
        name=name,
        owner=of_server.project_id,
        min_disk_gb=of_server.flavor.root_gb or (base.min_disk_gb if base else 0),
        min_memory_mb=base.min_memory_mb if base else 0,
        operation_id=operation_id,
        properties={
            **(base.properties if base else {}),
            'image_type': 'snapshot',
            'instance_uuid': of_server.id,
            'user_id': call.user_id,
            'base_image_ref': of_server.image_id or '',
            **metadata,
        },
    )


def _base_image(call: Call, of_server: Server) -> Image | None:
    """The image that the server was made from, whose properties (its system, its devices) hold for the new one."""
    if of_server.image_id is None:
        return None
    try:
        return call.services.images.get(of_server.image_id)
    except ImageNotFound:
        return None
