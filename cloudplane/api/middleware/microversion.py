"""Reads which microversion a request asks for, and says on every answer which one it is.

It refuses nothing: authentication comes first, and version documents must be served whatever is asked for. The
application raises what is found in the environ.
"""

from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from cloudplane.api.compute import microversions
from cloudplane.api.middleware import answers
from cloudplane.exceptions import CloudplaneException

VERSION = 'cloudplane.microversion'
REFUSAL = 'cloudplane.microversion_refusal'


def filter_factory(_global_conf: dict[str, str], **_local_conf: str) -> type['Microversion']:
    """For PasteDeploy."""
    return Microversion


class Microversion:
    """The WSGI filter."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        version = microversions.MIN
        try:
            version = microversions.negotiate(
                environ.get('HTTP_OPENSTACK_API_VERSION'), environ.get('HTTP_X_OPENSTACK_NOVA_API_VERSION')
            )
        except CloudplaneException as refusal:
            environ[REFUSAL] = refusal
        environ[VERSION] = version
        headers = microversions.answer_headers(version)
        return self._application(environ, answers.promise(environ, start_response, headers))
