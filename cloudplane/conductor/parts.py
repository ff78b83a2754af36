"""The parts of a conductor, put together, without the bus and without threads that run: the service adds those."""

from pathlib import Path

from cloudplane.conductor.accept import Acceptor
from cloudplane.conductor.agents import Agents
from cloudplane.conductor.claims import Claimer
from cloudplane.conductor.db.session import Database
from cloudplane.conductor.effects import Announcer
from cloudplane.conductor.execution import Executor
from cloudplane.conductor.feed import HostFeed
from cloudplane.conductor.host_admin import HostAdmin
from cloudplane.conductor.image_sweeper import ImageSweeper
from cloudplane.conductor.manager import ConductorManager
from cloudplane.conductor.operations import Handlers
from cloudplane.conductor.orders import Orders
from cloudplane.conductor.reconciler import Reconciler
from cloudplane.conductor.settings import ConductorSettings
from cloudplane.conductor.vault import Vault
from cloudplane.images.store import ImageStore
from cloudplane.rpcapi.compute import ComputeAPI
from cloudplane.rpcapi.scheduler import SchedulerAPI


class ConductorParts:
    """Everything that works on one database on behalf of one process."""

    def __init__(
        self,
        *,
        database: Database,
        settings: ConductorSettings,
        key_file: Path,
        scheduler: SchedulerAPI,
        compute: ComputeAPI,
        images: ImageStore,
    ) -> None:
        vault = Vault(key_file)
        orders = Orders(vault)
        handlers = Handlers(settings, orders)
        self.feed = HostFeed(database, scheduler)
        announcer = Announcer(self.feed, scheduler, compute)
        self.acceptor = Acceptor(database, settings, handlers, orders, vault)
        self.sweeper = ImageSweeper(database, images)
        self.reconciler = Reconciler(database, settings, handlers, orders, announcer, self.acceptor, self.sweeper)
        self.claimer = Claimer(database, settings, handlers, orders, announcer)
        self.executor = Executor(database, settings, handlers, announcer)
        self.agents = Agents(database, settings, orders, announcer)
        self.host_admin = HostAdmin(database, announcer, self.reconciler)
        self.manager = ConductorManager(
            database,
            settings,
            acceptor=self.acceptor,
            claimer=self.claimer,
            executor=self.executor,
            agents=self.agents,
            host_admin=self.host_admin,
            announcer=announcer,
        )
