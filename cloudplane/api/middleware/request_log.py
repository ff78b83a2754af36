"""One line for each request: method, path, status, bytes and time."""

import logging
import time
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from cloudplane.api import errors
from cloudplane.api.middleware import answers

LOG = logging.getLogger(__name__)


def filter_factory(_global_conf: dict[str, str], **_local_conf: str) -> type['RequestLog']:
    """For PasteDeploy."""
    return RequestLog


class RequestLog:
    """The WSGI filter."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if not LOG.isEnabledFor(logging.INFO):
            return self._application(environ, start_response)
        where = _where(environ)  # now: further in, the path may be split
        noted = ['no answer', '-']

        def start(status: str, headers: errors.Headers, exc_info: answers.ExceptionInfo | None = None) -> Any:
            noted[:] = status[:3], _length(headers)
            return start_response(status, headers, exc_info)

        began = time.monotonic()
        try:
            return self._application(environ, start)
        finally:
            LOG.info('%s %s %s bytes %.1f ms', where, *noted, (time.monotonic() - began) * 1000)


def _where(environ: WSGIEnvironment) -> str:
    # Quoted again: a decoded path may hold line ends, which would forge lines of the log.
    path = quote(environ.get('SCRIPT_NAME', '') + environ.get('PATH_INFO', ''), encoding='latin-1')
    query = environ.get('QUERY_STRING')
    return f'{environ["REQUEST_METHOD"]} {path}?{query}' if query else f'{environ["REQUEST_METHOD"]} {path}'


def _length(headers: errors.Headers) -> str:
    return next((value for name, value in headers if name.lower() == 'content-length'), '-')
