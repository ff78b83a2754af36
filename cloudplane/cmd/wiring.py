"""Makes the services from the configuration. Everything gets what it needs through its constructor."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from stevedore import driver as stevedore_driver
from stevedore import exception as stevedore_exception

from cloudplane import concurrency, exceptions
from cloudplane.rpc.transport import get_transport
from cloudplane.rpcapi.compute import ComputeAPI
from cloudplane.rpcapi.conductor import ConductorAPI
from cloudplane.rpcapi.scheduler import SchedulerAPI

if TYPE_CHECKING:  # each is imported when it is needed: a process pays for its own services alone
    from cloudplane.api.server import ApiService
    from cloudplane.cmd.agent import Agent
    from cloudplane.compute.virt.driver import Driver
    from cloudplane.conductor.db.session import Database
    from cloudplane.conductor.service import ConductorService
    from cloudplane.images.store import ImageStore
    from cloudplane.scheduler.service import SchedulerService


class Clients:
    """The client of each service, on one transport."""

    def __init__(self, transport: Any, timeout_s: float, heartbeat_s: float) -> None:
        self.transport = transport
        self.conductor = ConductorAPI(transport, timeout_s=timeout_s)
        self.scheduler = SchedulerAPI(transport, timeout_s=timeout_s)
        self.compute = ComputeAPI(transport, timeout_s=timeout_s)
        # A heartbeat that is late is worth less than the next one.
        self.heartbeats = ConductorAPI(transport, timeout_s=min(timeout_s, heartbeat_s))


def clients(conf: Any, url: str | None = None) -> Clients:
    """Clients on `[DEFAULT] transport_url`, or on `url`. `call_timeout_s` bounds each call."""
    transport = get_transport(conf, url)
    return Clients(transport, conf.call_timeout_s, conf.operations.heartbeat_s)


def state_path(conf: Any) -> Path:
    """Where this host keeps its state. Raises ConfigurationError if it cannot be made."""
    path = Path(conf.state_path).absolute()
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise exceptions.ConfigurationError(f'[DEFAULT] state_path: cannot make {path}: {error.strerror}') from error
    return path


def database(conf: Any) -> 'Database':
    """The database of [database] connection."""
    from cloudplane.conductor.db.session import Database, DatabaseSettings

    options = conf.database
    connection = options.connection or f'sqlite:///{state_path(conf) / "cloudplane.sqlite"}'
    return Database(
        DatabaseSettings(
            connection=connection,
            batch_size=options.batch_size,
            retries=options.retries,
            pool_size=options.pool_size,
            lock_timeout_s=options.lock_timeout_s,
        )
    )


def image_store(conf: Any) -> 'ImageStore':
    """The image store of [images] store."""
    if conf.images.store != 'folder':
        raise exceptions.ConfigurationError(f'[images] store: {conf.images.store!r} is not known; use folder')
    from cloudplane.images.folder import FolderStore
    from cloudplane.images.inspector import ImageInspector

    path = Path(conf.images.path) if conf.images.path else state_path(conf) / 'images'
    inspector = ImageInspector(max_virtual_size_gb=conf.images.max_virtual_size_gb)
    return FolderStore(path, pool=concurrency.BlockingPool('images', 4), inspector=inspector)


def conductor(conf: Any, bus: Clients, images: 'ImageStore') -> 'ConductorService':
    """The conductor."""
    from cloudplane.conductor.service import ConductorService
    from cloudplane.conductor.settings import settings_from

    return ConductorService(
        settings=settings_from(conf),
        database=database(conf),
        key_file=state_path(conf) / 'conductor.key',
        transport=bus.transport,
        host=conf.host,
        scheduler=bus.scheduler,
        compute=bus.compute,
        images=images,
        heartbeat_s=conf.operations.heartbeat_s,
    )


def scheduler(conf: Any, bus: Clients) -> 'SchedulerService':
    """A scheduler."""
    from cloudplane.scheduler.service import SchedulerService
    from cloudplane.scheduler.settings import settings_from

    return SchedulerService(settings_from(conf), transport=bus.transport, conductor=bus.conductor)


def hypervisor(conf: Any) -> 'Driver':
    """The driver of [compute] driver."""
    from cloudplane.compute.settings import host_settings_from

    name = conf.compute.driver
    try:
        kind: Any = stevedore_driver.DriverManager('cloudplane.compute.drivers', name, warn_on_missing_entrypoint=False)
    except stevedore_exception.NoMatches as error:
        raise exceptions.ConfigurationError(f'[compute] driver: there is no driver {name!r}') from error
    except Exception as error:
        raise exceptions.ConfigurationError(f'[compute] driver: {name!r} cannot be loaded: {error}') from error
    driver: type[Driver] = kind.driver
    return driver.from_conf(conf, host_settings_from(conf), state_path(conf))


def compute(conf: Any, bus: Clients, images: 'ImageStore') -> 'Agent':
    """The agent of this host."""
    from cloudplane.cmd.agent import Agent
    from cloudplane.compute.image_cache import ImageCache
    from cloudplane.compute.service import ComputeService
    from cloudplane.compute.settings import settings_from

    cache_path = Path(conf.images.cache_path) if conf.images.cache_path else state_path(conf) / 'base'
    service = ComputeService(
        settings_from(conf),
        conf.host,
        hypervisor(conf),
        conductor=bus.conductor,
        heartbeats=bus.heartbeats,
        images=images,
        base_images=ImageCache(images, cache_path, pool=concurrency.BlockingPool('image-cache', 4)),
        state_path=state_path(conf),
    )
    return Agent(service, bus.transport, conf.host)


def api(conf: Any, bus: Clients, images: 'ImageStore') -> 'ApiService':
    """The HTTP edge."""
    from cloudplane.api.server import ApiService
    from cloudplane.api.settings import settings_from

    return ApiService(
        settings_from(conf), conductor=bus.conductor, scheduler=bus.scheduler, compute=bus.compute, images=images
    )
