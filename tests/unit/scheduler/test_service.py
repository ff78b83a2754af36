"""The whole scheduler, over the in-process bus."""

import itertools
import queue
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from oslo_config import cfg

from cloudplane.context import service_context
from cloudplane.exceptions import ConfigurationError
from cloudplane.objects.host import HostChanges
from cloudplane.rpc.transport import get_transport
from cloudplane.rpcapi.scheduler import SchedulerAPI
from cloudplane.scheduler.service import SchedulerService
from cloudplane.scheduler.settings import SchedulerSettings
from tests.unit.scheduler.conductor_double import ConductorDouble
from tests.unit.scheduler.fleet import SETTINGS, SMALL, host, request, requests

WAIT_S = 20
TINY = SMALL.evolve(memory_mb=1, root_gb=0)


@pytest.fixture
def transport() -> Iterator[Any]:
    """A bus of its own."""
    cfg.CONF([], project='cloudplane', default_config_files=[], default_config_dirs=[])
    made = get_transport(cfg.CONF, f'inproc://{uuid.uuid4().hex}')
    yield made
    made.cleanup()


@pytest.fixture
def start(transport: Any) -> Iterator[Callable[[ConductorDouble], SchedulerService]]:
    """Starts schedulers, and stops them at the end."""
    started: list[SchedulerService] = []

    def start_one(conductor: ConductorDouble) -> SchedulerService:
        settings = msgspec.structs.replace(SETTINGS, host=f'scheduler-{len(started) + 1}')
        service = SchedulerService(settings, transport=transport, conductor=conductor)
        service.start()
        started.append(service)
        return service

    yield start_one
    for service in started:
        service.stop()


Start = Callable[[ConductorDouble], SchedulerService]


def test_a_wake_up_ends_as_a_claim(start: Start, transport: Any) -> None:
    conductor = ConductorDouble((host(1), host(2)))
    service = start(conductor)
    assert service.wait_ready(WAIT_S)

    SchedulerAPI(transport).build(service_context(), tuple(requests(3)))

    claim = conductor.claims.get(timeout=WAIT_S)
    assert [selection.server_id for selection in claim] == ['server-1', 'server-2', 'server-3']
    assert all(selection.hosts for selection in claim)


def test_wake_ups_wait_until_the_conductor_has_told_of_the_hosts(start: Start, transport: Any) -> None:
    conductor = ConductorDouble((host(1),), failures=3)
    service = start(conductor)

    SchedulerAPI(transport).build(service_context(), (request(1),))

    assert conductor.claims.get(timeout=WAIT_S)[0].hosts == (1,)
    assert service.wait_ready(0)


def test_changes_reach_every_scheduler(start: Start, transport: Any) -> None:
    conductors = [ConductorDouble(), ConductorDouble()]
    for conductor in conductors:
        assert start(conductor).wait_ready(WAIT_S)
    client = SchedulerAPI(transport)

    client.hosts_changed(service_context(), HostChanges(rows=(host(9, limit_vcpus=1000, limit_memory_mb=10**6),)))

    until_s, told = time.monotonic() + WAIT_S, set()
    for number in itertools.count():
        # They take turns. A wake-up may overtake the change, so each is asked until it knows the host.
        client.build(service_context(), (request(number, flavor=TINY),))
        conductor = conductors[number % 2]
        if conductor.claims.get(timeout=WAIT_S)[0].hosts == (9,):
            told.add(number % 2)
        if told == {0, 1} or time.monotonic() > until_s:
            break
    assert told == {0, 1}


def test_a_scheduler_reports_that_it_lives(start: Start) -> None:
    conductor = ConductorDouble()
    start(conductor)

    assert conductor.reports.get(timeout=WAIT_S) == ('cloudplane-scheduler', 'scheduler-1')


def test_a_stopped_scheduler_takes_no_more_wake_ups(start: Start, transport: Any) -> None:
    conductor = ConductorDouble((host(1),))
    service = start(conductor)
    assert service.wait_ready(WAIT_S)

    service.stop()
    SchedulerAPI(transport).build(service_context(), (request(1),))

    with pytest.raises(queue.Empty):
        conductor.claims.get_nowait()


def test_a_missing_plugin_stops_the_service_before_it_starts(transport: Any) -> None:
    settings = SchedulerSettings(host='s', filters=('compute', 'nosuch'), weighers={})

    with pytest.raises(ConfigurationError, match='nosuch'):
        SchedulerService(settings, transport=transport, conductor=ConductorDouble())
