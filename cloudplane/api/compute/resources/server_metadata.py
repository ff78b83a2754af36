"""The metadata of one server."""

from cloudplane.api.compute.call import Answer, Call
from cloudplane.api.compute.resources import server
from cloudplane.exceptions import NotFound


def index(call: Call, server_id: str) -> Answer:
    """All of it."""
    return Answer({'metadata': server.find(call, server_id).metadata})


def show(call: Call, server_id: str, key: str) -> Answer:
    """One item."""
    metadata = server.find(call, server_id).metadata
    if key not in metadata:
        raise NotFound('Metadata item was not found.')
    return Answer({'meta': {key: metadata[key]}})
