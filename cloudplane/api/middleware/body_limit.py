"""Refuses bodies that are too large: at once by their Content-Length, or as soon as a chunked one has grown too long.

oslo.middleware has such a filter; this one takes its limit from [api] and does not turn every request into a WebOb one.
"""

from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from cloudplane.api import errors
from cloudplane.api.middleware import answers
from cloudplane.api.pipeline import wiring_of
from cloudplane.exceptions import BadRequest, CloudplaneException


def filter_factory(global_conf: dict[str, str], **_local_conf: str) -> Callable[[WSGIApplication], 'BodyLimit']:
    """For PasteDeploy."""
    limit_bytes = wiring_of(global_conf).settings.max_request_body_size
    return lambda application: BodyLimit(application, limit_bytes)


class BodyLimit:
    """The WSGI filter."""

    def __init__(self, application: WSGIApplication, limit_bytes: int) -> None:
        self._application, self._limit_bytes = application, limit_bytes

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if is_chunked(environ):
            environ['wsgi.input'] = _Limited(environ['wsgi.input'], self._limit_bytes)
            return self._application(environ, start_response)
        try:
            if content_length(environ) > self._limit_bytes:
                raise _too_large(self._limit_bytes)
        except CloudplaneException as error:
            answer = errors.answer_to(error)
            assert answer is not None
            return answers.send(environ, start_response, answer)
        return self._application(environ, start_response)


class _Limited:
    """The body of a chunked request, up to its limit."""

    def __init__(self, body: Any, limit_bytes: int) -> None:
        self._body, self._limit_bytes, self._read_bytes = body, limit_bytes, 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes. RequestTooLarge."""
        piece: bytes = self._body.read(size)
        self._read_bytes += len(piece)
        if self._read_bytes > self._limit_bytes:
            raise _too_large(self._limit_bytes)
        return piece


def is_chunked(environ: WSGIEnvironment) -> bool:
    """Whether the body comes in chunks, without a length."""
    return 'chunked' in environ.get('HTTP_TRANSFER_ENCODING', '').lower()


def content_length(environ: WSGIEnvironment) -> int:
    """The length that the client announces; 0 if it says nothing. BadRequest."""
    said: str = environ.get('CONTENT_LENGTH') or '0'
    if not (said.isascii() and said.isdigit()):
        raise BadRequest('Content-Length is not a number.')
    return int(said)


def _too_large(limit_bytes: int) -> errors.RequestTooLarge:
    return errors.RequestTooLarge(f'The request body may have {limit_bytes} bytes at most.')
