"""Gives each request an id, which is in the log, in every message that the request causes, and in the answer.

A client, or a service that acts for one, may send an id of its own in X-OpenStack-Request-ID; it is kept beside ours as
the global request id.
"""

import re
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from oslo_context import context as oslo_context

from cloudplane.api.middleware import answers
from cloudplane.context import RequestContext

CONTEXT = 'cloudplane.context'
_FORM = re.compile(r'req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}', re.ASCII)


def filter_factory(_global_conf: dict[str, str], **_local_conf: str) -> type['RequestId']:
    """For PasteDeploy."""
    return RequestId


class RequestId:
    """The WSGI filter."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request_id: str = oslo_context.generate_request_id()
        environ[answers.REQUEST_ID] = request_id
        # Nobody yet; authentication puts who it is. Made here so that all log lines of this thread have the id.
        environ[CONTEXT] = RequestContext(request_id=request_id, global_request_id=_global_id(environ))
        headers = [('x-openstack-request-id', request_id), ('x-compute-request-id', request_id)]
        return self._application(environ, answers.promise(environ, start_response, headers))


def _global_id(environ: WSGIEnvironment) -> str | None:
    sent: str = environ.get('HTTP_X_OPENSTACK_REQUEST_ID', '')
    return sent if _FORM.fullmatch(sent) else None
