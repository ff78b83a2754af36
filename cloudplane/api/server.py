"""The HTTP service: binds, serves, and stops. It does not know in which process it runs, nor what else runs there."""

import logging
import socket
import threading
from collections.abc import Iterable
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from cloudplane import concurrency
from cloudplane.api import errors, pipeline
from cloudplane.api.compute.call import Services
from cloudplane.api.compute.zones import ZoneDirectory
from cloudplane.api.middleware import answers
from cloudplane.api.settings import ApiSettings
from cloudplane.api.wakeups import WakeUps
from cloudplane.exceptions import ConfigurationError
from cloudplane.images.store import ImageStore
from cloudplane.rpcapi.compute import ComputeAPI
from cloudplane.rpcapi.conductor import ConductorAPI
from cloudplane.rpcapi.scheduler import SchedulerAPI

LOG = logging.getLogger(__name__)

BACKLOG = 1024
_GOING_AWAY = errors.Answer(
    code=503,
    message='The service is stopping; try again.',
    headers=[('Connection', 'close'), ('Retry-After', str(errors.RETRY_AFTER_S))],
)


class ApiService:
    """One listening socket, and the pipeline behind it.

    The pipeline is composed when the service is made, so that what is wrong with it is known before anything starts.
    """

    def __init__(
        self,
        settings: ApiSettings,
        conductor: ConductorAPI,
        scheduler: SchedulerAPI,
        compute: ComputeAPI,
        images: ImageStore,
    ) -> None:
        self._settings = settings
        self.wakeups = WakeUps(scheduler, compute)
        services = Services(
            conductor=conductor,
            compute=compute,
            images=images,
            wakeups=self.wakeups,
            zones=ZoneDirectory(conductor),
            max_limit=settings.max_limit,
        )
        self._in_flight = _InFlight(pipeline.load(pipeline.Wiring(settings, services)))
        self._listener: socket.socket | None = None
        self._server: concurrency.WsgiServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def application(self) -> WSGIApplication:
        """What is served: for tests that need no socket."""
        return self._in_flight

    @property
    def port(self) -> int:
        """Where it listens, once it was started."""
        assert self._listener is not None, 'the service was not started'
        port: int = self._listener.getsockname()[1]
        return port

    def start(self) -> None:
        """Bind, then serve in threads of its own. ConfigurationError: the address is taken, or is not ours."""
        self._listener = _bound(self._settings.listen, self._settings.port)
        self.wakeups.start()
        self._server = concurrency.wsgi_server(
            self._listener,
            self._in_flight,
            threads=self._settings.threads,
            keepalive_s=self._settings.keepalive_s,
        )
        self._thread = threading.Thread(target=self._server.serve, name='api-server', daemon=True)
        self._thread.start()
        LOG.info('The API listens on %s:%d', self._settings.listen, self.port)

    def stop(self, drain_s: float = 4.0) -> None:
        """Take no more requests, let those that run end within `drain_s`, and send the wake-ups that wait."""
        if self._server is None or self._thread is None:
            return
        self._in_flight.close()
        self._server.stop()
        if not self._in_flight.wait_for_none(drain_s):
            LOG.warning('Requests were still running %g s after the stop', drain_s)
        self._thread.join(drain_s)
        self.wakeups.stop(drain_s)
        self._server = self._thread = None


class _InFlight:
    """The outermost shell of the application: counts requests, so that a stop can wait for them."""

    def __init__(self, application: WSGIApplication) -> None:
        self._application = application
        self._changed = threading.Condition()
        self._count = 0
        self._closing = False

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        with self._changed:
            if self._closing:
                return answers.send(environ, start_response, _GOING_AWAY)
            self._count += 1
        try:
            # Answers are small and whole when they are returned, so they are on their way when this ends.
            return self._application(environ, start_response)
        finally:
            with self._changed:
                self._count -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Refuse what comes from now on, over connections that are still open."""
        with self._changed:
            self._closing = True

    def wait_for_none(self, timeout_s: float) -> bool:
        """Whether no request runs, or none did any more within the time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._count == 0, timeout_s)


def _bound(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ':' in address else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f'[api] listen and port: cannot listen on {address}:{port}: {error.strerror}'
        ) from error
    return listener
