"""The compute agent with its RPC server: it must listen before its registration is answered with work."""

from typing import Any

from cloudplane.compute.service import ComputeService
from cloudplane.compute.virt.driver import Driver
from cloudplane.rpc.transport import COMPUTE_TOPIC, get_server


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
        """Take the host, listen, register."""
        self._service.prepare()
        self._server.start()
        self._service.start()

    def stop(self) -> None:
        """Take no more work; what runs is resumed at the next start."""
        self._server.stop()
        self._server.wait()
        self._service.stop()
