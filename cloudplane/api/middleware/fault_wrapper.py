"""Outermost: whatever happens further in, a client reads an error as JSON in Nova's form, and never a stack trace.

Two things are turned into such errors: exceptions that escape, and answers with an error code in another shape (HTML of
a third party's filter, for example).
"""

import itertools
import logging
from collections.abc import Iterable
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from cloudplane.api import errors
from cloudplane.api.middleware import answers
from cloudplane.exceptions import CloudplaneException

LOG = logging.getLogger(__name__)

_OF_THE_BODY = ('content-type', 'content-length', 'content-encoding', 'transfer-encoding')


def filter_factory(_global_conf: dict[str, str], **_local_conf: str) -> type['FaultWrapper']:
    """For PasteDeploy."""
    return FaultWrapper


class FaultWrapper:
    """The WSGI filter."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        starter = _Starter(start_response)
        try:
            body = _started(self._application(environ, starter), starter)
        except CloudplaneException as error:
            return self._answer(environ, start_response, error, errors.answer_to(error))
        except Exception as error:  # noqa: BLE001 - the border to the client: nothing may pass
            return self._answer(environ, start_response, error, None)
        if starter.replaced is None:
            return body
        _close(body)
        return answers.send(environ, start_response, starter.replaced)

    @staticmethod
    def _answer(
        environ: WSGIEnvironment, start_response: StartResponse, error: Exception, answer: errors.Answer | None
    ) -> Iterable[bytes]:
        if answer is None:
            LOG.error('%s %s failed', environ.get('REQUEST_METHOD'), environ.get(answers.REQUEST_ID), exc_info=error)
            answer = errors.unexpected(environ.get(answers.REQUEST_ID, 'that the log has'))
        headers = [*answer.headers, *answers.promised(environ)]
        return answers.send(
            environ, start_response, errors.Answer(code=answer.code, message=answer.message, headers=headers)
        )


class _Starter:
    """A start_response that passes everything on but errors in a shape that is not JSON."""

    def __init__(self, start_response: StartResponse) -> None:
        self._start_response = start_response
        self.called = False
        self.replaced: errors.Answer | None = None

    def __call__(self, status: str, headers: errors.Headers, exc_info: answers.ExceptionInfo | None = None) -> Any:
        self.called = True
        code = int(status.split(' ', 1)[0])
        if code < 400 or _is_json(headers):
            return self._start_response(status, headers, exc_info)
        kept = [(name, value) for name, value in headers if name.lower() not in _OF_THE_BODY]
        self.replaced = errors.Answer(code=code, message=errors.plain_message(code), headers=kept)
        return _discard


def _discard(_data: bytes) -> None:
    """The `write` of an answer that is replaced."""


def _is_json(headers: errors.Headers) -> bool:
    return any(name.lower() == 'content-type' and 'json' in value.lower() for name, value in headers)


def _started(body: Iterable[bytes], starter: _Starter) -> Iterable[bytes]:
    """The body, once start_response was called: a generator calls it when its first piece is asked for."""
    if starter.called:
        return body
    pieces = iter(body)
    return itertools.chain([next(pieces, b'')], pieces)


def _close(body: Iterable[bytes]) -> None:
    close = getattr(body, 'close', None)
    if close is not None:
        close()
