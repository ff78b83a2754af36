"""What can go wrong, as the caller sees it.

The first line of each docstring is the default message. `code` is the HTTP status that the API answers, `error` a
stable word for programs. Each exception is made from one string, so that it survives the wire between services.
Foreign exceptions are translated where they appear: SQL in conductor/db/session.py, libvirt in virt/libvirt/.
"""

from typing import ClassVar


class CloudplaneException(Exception):
    """Something went wrong inside cloudplane."""

    code: ClassVar[int] = 500
    error: ClassVar[str] = 'internal'

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or '').splitlines()[0])

    @property
    def message(self) -> str:
        """The text for people."""
        return str(self.args[0])


class BadRequest(CloudplaneException):
    """The request is not valid."""

    code = 400
    error = 'bad_request'


class Unauthorized(CloudplaneException):
    """The request needs a valid token."""

    code = 401
    error = 'unauthorized'


class Forbidden(CloudplaneException):
    """This is not allowed for you."""

    code = 403
    error = 'forbidden'


class QuotaExceeded(Forbidden):
    """The project's quota would be exceeded."""

    error = 'quota_exceeded'


class NotFound(CloudplaneException):
    """The resource could not be found."""

    code = 404
    error = 'not_found'


class ServerNotFound(NotFound):
    """The server could not be found."""

    error = 'server_not_found'


class FlavorNotFound(NotFound):
    """The flavor could not be found."""

    error = 'flavor_not_found'


class KeypairNotFound(NotFound):
    """The keypair could not be found."""

    error = 'keypair_not_found'


class HostNotFound(NotFound):
    """The host could not be found."""

    error = 'host_not_found'


class ServiceNotFound(NotFound):
    """The service could not be found."""

    error = 'service_not_found'


class Conflict(CloudplaneException):
    """The request conflicts with the present state."""

    code = 409
    error = 'conflict'


class InvalidState(Conflict):
    """The server is not in a state that allows this."""

    error = 'invalid_state'


class ServerBusy(Conflict):
    """Another operation is running on the server."""

    error = 'server_busy'


class FlavorExists(Conflict):
    """A flavor with that name or id exists."""

    error = 'flavor_exists'


class KeypairExists(Conflict):
    """A keypair with that name exists."""

    error = 'keypair_exists'


class IdempotencyMismatch(CloudplaneException):
    """This Idempotency-Key was used for another request."""

    code = 422
    error = 'idempotency_mismatch'


class ServiceBusy(CloudplaneException):
    """The service holds as much work as it can keep; try again later."""

    code = 503
    error = 'busy'


class ServiceUnavailable(CloudplaneException):
    """A service that is needed does not answer; try again later."""

    code = 503
    error = 'unavailable'


class DatabaseUnavailable(ServiceUnavailable):
    """The database does not answer; try again later."""

    error = 'database_unavailable'


class NotImplementedHere(CloudplaneException):
    """This host cannot do that."""

    code = 501
    error = 'not_implemented'


class ConfigurationError(CloudplaneException):
    """The configuration is wrong."""

    error = 'configuration'


class StaleEpoch(Conflict):
    """The host's epoch has moved on; the agent must register again."""

    error = 'stale_epoch'


# What an agent's work may end with. `retryable` says whether another host may succeed where this one failed.


class GuestError(CloudplaneException):
    """The work on the guest failed."""

    error = 'guest'
    retryable: ClassVar[bool] = True


class GuestNotFound(GuestError):
    """The guest is not on this host."""

    error = 'guest_not_found'


class GuestInvalid(GuestError):
    """The guest cannot be made as asked, on any host."""

    error = 'guest_invalid'
    retryable = False


class HypervisorUnavailable(GuestError):
    """The hypervisor of this host does not answer."""

    error = 'hypervisor_unavailable'


class StepTimeout(GuestError):
    """A step made no progress within its time."""

    error = 'step_timeout'


class Cancelled(GuestError):
    """The work was superseded by a newer operation."""

    error = 'cancelled'
