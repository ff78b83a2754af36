"""The compute agent with its RPC server: it must listen before its registration is answered with work."""

import logging
from typing import Any

from cloudplane.compute.service import ComputeService
from cloudplane.compute.virt.driver import Driver
from cloudplane.rpc.transport import COMPUTE_TOPIC, get_server

LOG = logging.getLogger(__name__)
REGISTER_S = 30.0


class Agent:
    """The agent of one host, as the launcher starts and stops it."""

    def __init__(self, service: ComputeService, transport: Any, host: str) -> None:
        self._service = service
        self._server = get_server(transport, COMPUTE_TOPIC, host, [service.manager])

    @property
    def driver(self) -> Driver:
        """The hypervisor, for tests."""
        return self._service.driver

    def start(self) -> None:
        """Take the host, listen, register; the conductor may take a while to answer."""
        self._service.prepare()
        self._server.start()
        self._service.start()
        if not self._service.ready.wait(REGISTER_S):
            LOG.warning('The conductor has not answered the registration for %g s; it is asked again', REGISTER_S)

    def stop(self) -> None:
        """Take no more work; what runs is resumed at the next start."""
        self._server.stop()
        self._server.wait()
        self._service.stop()
