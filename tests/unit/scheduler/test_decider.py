"""From wake-ups to claims."""

from collections.abc import Iterator

import pytest

from cloudplane import faultpoints
from cloudplane.context import service_context
from cloudplane.objects.host import HostChanges
from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler import decider
from cloudplane.scheduler.decider import Decider
from cloudplane.scheduler.host_table import HostTable
from cloudplane.scheduler.intake import Intake, WakeUp
from cloudplane.scheduler.plugins import EnabledFilter, PluginSet
from cloudplane.scheduler.select import select
from tests.unit.scheduler.conductor_double import ConductorDouble
from tests.unit.scheduler.fleet import FILTERS, SETTINGS, WEIGHERS, Clock, host, request, requests, table
from tests.unit.scheduler.plugin_examples import PoisonedBy


class Scene:
    """A decider with two hosts, and what is around it."""

    def __init__(self, *extra_filters: EnabledFilter) -> None:
        self.clock = Clock()
        self.table: HostTable = table([host(1), host(2)], self.clock)
        self.conductor = ConductorDouble()
        self.intake = Intake(1000)
        self.intake.open()
        self.decider = Decider(
            SETTINGS,
            table=self.table,
            plugins=PluginSet(filters=(*FILTERS, *extra_filters), weighers=WEIGHERS),
            intake=self.intake,
            conductor=self.conductor,
        )

    def decide(self, *specs: BuildSpec) -> None:
        self.decider.decide([WakeUp(service_context(), specs)])

    def free_vcpus(self) -> int:
        return int(self.table.view().free_vcpus.sum())


@pytest.fixture
def points() -> Iterator[list[str]]:
    """The fault points that were passed."""
    passed: list[str] = []
    faultpoints.set_hook(passed.append)
    yield passed
    faultpoints.set_hook(None)


def test_a_batch_is_one_claim_message_and_what_it_chose_is_assumed() -> None:
    scene = Scene()

    scene.decide(*requests(4))

    (claim,) = [scene.conductor.claims.get_nowait()]
    assert [selection.operation_id for selection in claim] == [spec.operation_id for spec in requests(4)]
    assert scene.conductor.claims.empty()
    assert scene.free_vcpus() == 12


def test_a_claim_carries_the_request_id_of_the_only_request_in_it() -> None:
    scene = Scene()
    ctxt = service_context()

    scene.decider.decide([WakeUp(ctxt, (request(1),))])
    scene.decider.decide([WakeUp(ctxt, (request(2),)), WakeUp(service_context(), (request(3),))])

    assert scene.conductor.request_ids[0] == ctxt.request_id
    assert scene.conductor.request_ids[1] != ctxt.request_id


def test_a_spec_that_is_assumed_is_not_decided_again_until_its_claim_ended() -> None:
    scene = Scene()
    scene.decide(request(1))
    scene.decide(request(1))
    assert scene.conductor.claims.qsize() == 1

    scene.table.apply(HostChanges(claims_ended=('operation-1',)))
    scene.decide(request(1))
    assert scene.conductor.claims.qsize() == 2


def test_a_spec_whose_claim_was_lost_is_decided_again_when_its_assumption_is_over() -> None:
    scene = Scene()
    scene.decide(request(1))

    scene.clock.pass_s(10)
    scene.decide(request(1))

    assert scene.conductor.claims.qsize() == 2


def test_a_spec_that_came_back_from_a_refused_claim_is_decided_at_once() -> None:
    scene = Scene()
    scene.decide(request(1))
    refused = scene.conductor.claims.get_nowait()[0].hosts[0]

    scene.decide(request(1, excluded_hosts=(refused,)))

    assert scene.conductor.claims.get_nowait()[0].hosts == (3 - refused,)
    assert scene.free_vcpus() == 15


def test_a_server_for_which_there_is_no_host_is_sent_with_the_others() -> None:
    scene = Scene()

    scene.decide(request(1), request(2, availability_zone='moon'))

    placed, refused = scene.conductor.claims.get_nowait()
    assert placed.hosts
    assert refused.hosts == ()
    assert refused.decision.summary == 'No valid host: 2 hosts: 2 in another zone'
    assert scene.free_vcpus() == 15


def test_claims_that_could_not_be_sent_leave_no_assumption_behind() -> None:
    scene = Scene()
    scene.conductor.failures = 1

    scene.decide(request(1))
    assert scene.free_vcpus() == 16
    scene.decide(request(1))
    assert scene.conductor.claims.qsize() == 1


def test_a_plugin_that_fails_for_one_server_spoils_only_that_one() -> None:
    scene = Scene(EnabledFilter('poisoned', PoisonedBy('server-2')))

    scene.decide(request(1), request(2, availability_zone='nova'), request(3))

    first, second, third = scene.conductor.claims.get_nowait()
    assert first.hosts
    assert third.hosts
    assert second.hosts == ()
    assert second.decision.summary == (
        'The scheduler could not decide: the filter poisoned failed: RuntimeError: poison'
    )
    assert not second.transient


def test_servers_that_are_decided_one_by_one_know_of_each_other() -> None:
    scene = Scene(EnabledFilter('poisoned', PoisonedBy('server-99')))

    scene.decide(*requests(16), request(99, availability_zone='nova'))

    claim = scene.conductor.claims.get_nowait()
    chosen = [selection.hosts[0] for selection in claim if selection.hosts]
    assert sorted(chosen) == [1] * 8 + [2] * 8


def test_the_points_at_which_a_scheduler_may_die_are_passed_in_order(points: list[str]) -> None:
    Scene().decide(request(1))

    assert points == [
        'scheduler.decide:before',
        'scheduler.decide:after',
        'scheduler.claim:before',
        'scheduler.claim:after',
    ]
    assert set(points) <= set(faultpoints.all_points())


def test_a_batch_that_cannot_be_decided_does_not_end_the_loop(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    scene = Scene()
    calls: list[int] = []

    def fails_once(*arguments: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError('unforeseen')
        scene.intake.close()  # the loop ends after this batch
        return select(*arguments)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(decider, 'select', fails_once)
    scene.intake.offer(service_context(), requests(100))
    scene.intake.offer(service_context(), [request(200)])
    scene.decider.run()

    assert scene.conductor.claims.get_nowait()[0].server_id == 'server-200'
    assert 'A batch of 1 wake-ups was not decided' in caplog.text
