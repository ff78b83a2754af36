"""Reads the body of a request: bytes, then JSON, with every way in which it can be wrong answered in words."""

from typing import Any, Final
from wsgiref.types import WSGIEnvironment

import msgspec

from cloudplane.api.errors import UnsupportedMediaType
from cloudplane.api.middleware.body_limit import content_length, is_chunked
from cloudplane.exceptions import BadRequest

MEDIA_TYPES: Final = ('application/json', 'application/vnd.openstack.compute+json')
MAX_DEPTH: Final = 32
_PIECE_BYTES: Final = 65536


def read_bytes(environ: WSGIEnvironment) -> bytes:
    """The whole body. The body limit of the pipeline bounds what is read here. BadRequest, RequestTooLarge."""
    stream = environ['wsgi.input']
    if not is_chunked(environ):
        length = content_length(environ)
        body: bytes = stream.read(length) if length else b''
        if len(body) < length:
            raise BadRequest('The body ended before Content-Length.')
        return body
    pieces = []
    try:
        while piece := stream.read(_PIECE_BYTES):
            pieces.append(piece)
    except (ValueError, OSError) as error:  # what the two WSGI servers raise for bad chunks
        raise BadRequest('The chunked body is malformed.') from error
    return b''.join(pieces)


def check_media_type(environ: WSGIEnvironment) -> None:
    """UnsupportedMediaType, unless the body is said to be JSON, or nothing is said."""
    media_type = environ.get('CONTENT_TYPE', '').split(';')[0].strip().lower()
    if media_type and media_type not in MEDIA_TYPES:
        raise UnsupportedMediaType(f'The content type {media_type[:100]} is not supported: send application/json.')


def decode(body: bytes) -> dict[str, Any]:
    """The JSON object of a body. BadRequest."""
    if not body:
        raise BadRequest('The request needs a body of JSON.')
    try:
        decoded = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(f'The body is not valid JSON: {error}') from error
    except RecursionError as error:
        raise _too_deep() from error
    if not isinstance(decoded, dict):
        raise BadRequest('The body must be a JSON object.')
    _check_depth(decoded)
    return decoded


def _check_depth(decoded: dict[str, Any]) -> None:
    level: list[Any] = [decoded]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _children(outer)]
        if not level:
            return
    raise _too_deep()


def _children(value: Any) -> list[Any]:
    """The objects and arrays directly inside of one."""
    inside = value.values() if isinstance(value, dict) else value
    return [inner for inner in inside if isinstance(inner, (dict, list))]


def _too_deep() -> BadRequest:
    return BadRequest(f'The body is nested more than {MAX_DEPTH} deep.')
