"""The agent of one host, put together. It does not know in which process it runs."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path

from cloudplane.compute.converge import Converger
from cloudplane.compute.fence import Fence
from cloudplane.compute.job import Job
from cloudplane.compute.lock import AgentLock
from cloudplane.compute.manager import ComputeManager
from cloudplane.compute.operations import operation_of
from cloudplane.compute.power import PowerReporter
from cloudplane.compute.reporter import Reporter
from cloudplane.compute.runner import Runners
from cloudplane.compute.session import Session
from cloudplane.compute.settings import AgentSettings
from cloudplane.compute.virt.driver import Driver
from cloudplane.compute.workplace import BaseImages, Workplace
from cloudplane.concurrency import BlockingPool
from cloudplane.images.store import ImageStore
from cloudplane.objects.operation import FinishReport
from cloudplane.rpcapi.conductor import ConductorAPI

LOG = logging.getLogger(__name__)

_FENCE_THREADS = 4


def _keep_transport() -> None:
    """For a bus that cannot lose its way back: the one inside a process."""


class ComputeService:
    """`prepare`, serve `manager` over RPC, then `start`: nothing that is cast after the registration may be missed."""

    def __init__(
        self,
        settings: AgentSettings,
        host: str,
        driver: Driver,
        *,
        conductor: ConductorAPI,
        images: ImageStore,
        base_images: BaseImages,
        state_path: Path,
        heartbeats: ConductorAPI | None = None,
        rebuild_transport: Callable[[], None] = _keep_transport,
    ) -> None:
        """`heartbeats`: a client that waits for a shorter time; None: the same one."""
        self.driver = driver
        self._lock = AgentLock(state_path / 'agent.lock')
        self._pool = BlockingPool('fence', _FENCE_THREADS)
        fence = Fence(state_path / 'fence', pool=self._pool, tombstone_days=settings.tombstone_days)
        session = Session(conductor, host, settings, heartbeats=heartbeats)
        self._at = Workplace(
            host=host,
            settings=settings,
            driver=driver,
            fence=fence,
            session=session,
            images=images,
            base_images=base_images,
            converger=Converger(driver, fence, session, settings),
        )
        self._runners = Runners(fence, self._execute, self._at.converger.fulfil, settings)
        self._power = PowerReporter(self._at, self._runners)
        self._reporter = Reporter(
            self._at, self._runners, rebuild_transport=rebuild_transport, on_registered=self._power.sync
        )
        self.manager = ComputeManager(host, self._runners, driver, max_console_reads=settings.max_console_reads)

    @property
    def ready(self) -> threading.Event:
        """Set once the agent has registered."""
        return self._reporter.ready

    def holds(self, server_id: str) -> bool:
        """Whether anything is done, or waits to be done, for a server."""
        return self._runners.holds(server_id)

    def prepare(self) -> None:
        """Take the host. ConfigurationError if another agent has it, or if it cannot run guests."""
        self._lock.acquire()
        try:
            self._at.fence.load()
            self.driver.listen(self._power.changed)
            self.driver.start()
        except BaseException:
            self._lock.release()
            raise

    def start(self) -> None:
        """Register, as soon as the conductor answers, and work. Returns at once: see `ready`."""
        self._reporter.start()
        self._power.start()

    def stop(self, drain_s: float = 5.0) -> None:
        """Take in nothing more, let present steps end; what is not done goes on at the next start."""
        if not self._runners.stop(drain_s):
            LOG.warning('Some work has not ended within %s s; it goes on at the next start', drain_s)
        self._reporter.stop()
        self._power.stop()
        self.driver.stop()
        self._pool.close()
        self._lock.release()

    def _execute(self, job: Job) -> FinishReport | None:
        report = operation_of(job.order.kind)(self._at, job).run()
        if report is not None and report.power_state:
            self._power.told(report.server_id, report.power_state)
        return report
