"""What filters have in common when they answer, or add to an answer."""

import http.client
from types import TracebackType
from typing import Any
from wsgiref.types import StartResponse, WSGIEnvironment

from cloudplane.api import errors

REQUEST_ID = 'openstack.request_id'  # where keystonemiddleware and oslo.middleware look for it, too
_PROMISED = 'cloudplane.answer_headers'

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None]


def promise(environ: WSGIEnvironment, start_response: StartResponse, headers: errors.Headers) -> StartResponse:
    """A start_response that adds `headers`.

    They are also noted in the environ: when a filter further in breaks, the fault wrapper answers in its place, and
    that answer must have them too.
    """
    environ.setdefault(_PROMISED, []).extend(headers)

    def start(status: str, given: errors.Headers, exc_info: ExceptionInfo | None = None) -> Any:
        return start_response(status, [*given, *headers], exc_info)

    return start


def promised(environ: WSGIEnvironment) -> errors.Headers:
    """The headers that filters have promised so far."""
    return list(environ.get(_PROMISED, ()))


def send(environ: WSGIEnvironment, start_response: StartResponse, answer: errors.Answer) -> list[bytes]:
    """Answer with an error."""
    body = answer.body
    start_response(
        f'{answer.code} {http.client.responses.get(answer.code, "Error")}',
        [('Content-Type', 'application/json'), ('Content-Length', str(len(body))), *answer.headers],
    )
    return [] if environ.get('REQUEST_METHOD') == 'HEAD' else [body]
