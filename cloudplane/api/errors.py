"""Exceptions become HTTP answers here, and nowhere else.

An error looks as Nova's: `{"itemNotFound": {"code": 404, "message": "…"}}`. What is not meant for clients (tracebacks,
the messages of faults inside) stays in the log, under the request id that the client is given.
"""

from typing import Final

import msgspec

from cloudplane import exceptions
from cloudplane.exceptions import CloudplaneException

Headers = list[tuple[str, str]]

FAULT_NAMES: Final[dict[int, str]] = {
    400: 'badRequest',
    401: 'unauthorized',
    403: 'forbidden',
    404: 'itemNotFound',
    405: 'badMethod',
    409: 'conflictingRequest',
    413: 'overLimit',
    415: 'badMediaType',
    429: 'overLimit',
    501: 'notImplemented',
    503: 'serviceUnavailable',
}
OTHER_FAULT: Final = 'computeFault'

# What a client reads when a filter or a server has answered in a shape of its own.
PLAIN_MESSAGES: Final[dict[int, str]] = {
    400: 'The request is not valid.',
    401: 'The request needs a valid token.',
    403: 'This is not allowed for you.',
    404: 'The resource could not be found.',
    405: 'The method is not allowed for this resource.',
    406: 'The requested form or version cannot be served.',
    409: 'The request conflicts with the present state.',
    413: 'The request is too large.',
    414: 'The URL is too long.',
    415: 'The content type is not supported.',
    429: 'Too many requests; try again later.',
    501: 'This is not implemented.',
    503: 'A service that is needed does not answer; try again later.',
}

# Codes of exceptions that are made for agents, where a client's request meets them.
_CODES: Final[dict[type[CloudplaneException], int]] = {
    exceptions.GuestNotFound: 404,
    exceptions.HypervisorUnavailable: 503,
    exceptions.StepTimeout: 503,
}
RETRY_AFTER_S: Final = 5


class NotAcceptable(CloudplaneException):
    """The requested version cannot be served."""

    code = 406
    error = 'not_acceptable'


class RequestTooLarge(CloudplaneException):
    """The request is too large."""

    code = 413
    error = 'request_too_large'


class UnsupportedMediaType(CloudplaneException):
    """The content type is not supported: send application/json."""

    code = 415
    error = 'unsupported_media_type'


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """An error as it goes to the client."""

    code: int
    message: str
    headers: Headers = []

    @property
    def body(self) -> bytes:
        """The JSON of the fault."""
        return fault_body(self.code, self.message)


def fault_body(code: int, message: str) -> bytes:
    """The JSON of an error in Nova's form."""
    return msgspec.json.encode({FAULT_NAMES.get(code, OTHER_FAULT): {'code': code, 'message': message}})


def plain_message(code: int) -> str:
    """A text for an error of which only the code is known."""
    return PLAIN_MESSAGES.get(code, 'The request could not be served.')


def answer_to(error: CloudplaneException) -> Answer | None:
    """What a client is told of an exception; None: nothing but `unexpected`, for it is a fault of ours."""
    code = next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), error.code)
    if code == 500:
        return None
    return Answer(code=code, message=error.message, headers=_headers(code))


def unexpected(request_id: str) -> Answer:
    """The answer to a fault of ours; the log has the rest."""
    return Answer(
        code=500,
        message=f'Unexpected error. Report it to the operator of this cloud with the request id {request_id}.',
    )


def _headers(code: int) -> Headers:
    if code == 503:
        return [('Retry-After', str(RETRY_AFTER_S))]
    if code == 401:
        return [('WWW-Authenticate', 'X-Auth-Token realm="cloudplane"')]
    if code == 413:
        # The rest of the body is not read, so the connection cannot be used for another request.
        return [('Connection', 'close')]
    return []
