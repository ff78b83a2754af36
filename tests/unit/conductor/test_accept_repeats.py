"""A call that is repeated gets the first answer, and a race has one winner."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudplane import exceptions, states
from cloudplane.conductor.db import models
from cloudplane.conductor.db.clock import utc_now
from cloudplane.objects.operation import Accepted, CreateRequest, Idempotency
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host


def test_a_repeated_create_gets_the_first_answer_and_is_charged_once(bench: Bench) -> None:
    request = bench.create_request(2, admin_pass='secret', reservation_id='r-1')
    first = bench.accept(request)

    again = bench.accept(request)

    assert again.replayed
    assert not first.replayed
    for name in ('operation_ids', 'server_ids', 'admin_pass', 'reservation_id'):
        assert getattr(again, name) == getattr(first, name)
    assert bench.usage() == (2, 2, 1024)


def test_a_repeated_operation_gets_the_first_answer(bench: Bench, host: Host) -> None:
    request = bench.request(states.STOP, bench.active(host))
    first = bench.send(request)

    again = bench.send(request)

    assert again.replayed
    assert again.operation_ids == first.operation_ids
    assert len(bench.rows(models.Operation)) == 2


def test_a_repeated_delete_that_ended_at_once_gets_the_first_answer(bench: Bench) -> None:
    request = bench.request(states.DELETE, bench.create())
    assert bench.send(request).done

    again = bench.send(request)

    assert again.done
    assert again.replayed
    assert bench.usage() == (0, 0, 0)


def test_the_same_create_sent_by_many_at_once_is_one_create(bench: Bench) -> None:
    request = bench.create_request(2)

    answers = _at_once(bench, [request] * 16)

    assert sum(not answer.replayed for answer in answers) == 1
    assert bench.usage() == (2, 2, 1024)


def test_the_quota_is_exact_under_many_accepts_at_once(bench: Bench) -> None:
    requests = [bench.create_request() for _ in range(40)]

    answers = _at_once(bench, requests)

    assert len(answers) == 10
    assert bench.usage() == (10, 10, 5120)
    assert len(bench.rows(models.Server)) == 10


def test_one_of_many_operations_at_once_is_accepted(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    requests = [bench.request(states.STOP, server_id) for _ in range(16)]

    def stop(number: int) -> bool:
        try:
            return not bench.send(requests[number]).replayed
        except exceptions.ServerBusy:
            return False

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(stop, range(16))) == 1
    assert bench.operation(server_id).sequence == 2


def test_the_same_key_gets_the_same_answer_and_no_second_effect(bench: Bench) -> None:
    first = bench.accept(bench.create_request(key='k', admin_pass='secret'))

    again = bench.accept(bench.create_request(key='k', admin_pass='other'))

    assert again.replayed
    assert (again.server_ids, again.admin_pass) == (first.server_ids, 'secret')
    assert again.builds == ()
    assert bench.usage() == (1, 1, 512)


def test_the_same_key_for_another_request_is_refused(bench: Bench) -> None:
    bench.accept(bench.create_request(key='k'))
    other = bench.create_request().evolve(idempotency=Idempotency(key='k', request_hash='another'))

    with pytest.raises(exceptions.IdempotencyMismatch) as refused:
        bench.accept(other)

    assert refused.value.code == 422
    assert bench.usage() == (1, 1, 512)


def test_the_same_key_of_another_project_is_another_key(bench: Bench) -> None:
    bench.accept(bench.create_request(key='k'))

    assert not bench.accept(bench.create_request(key='k', project_id='p2')).replayed


def test_many_at_once_with_one_key_have_one_effect(bench: Bench) -> None:
    requests = [bench.create_request(key='k') for _ in range(16)]

    answers = _at_once(bench, requests)

    assert len(answers) == 16
    assert len({answer.server_ids for answer in answers}) == 1
    assert bench.usage() == (1, 1, 512)


def test_a_refusal_is_not_kept(bench: Bench) -> None:
    with pytest.raises(exceptions.FlavorNotFound):
        bench.accept(bench.create_request(key='k', flavor_id='huge'))

    assert not bench.accept(bench.create_request(key='k')).replayed


def test_an_answer_is_unreadable_in_the_database(bench: Bench) -> None:
    bench.accept(bench.create_request(key='k', admin_pass='secret'))

    assert 'secret' not in bench.rows(models.IdempotencyKey)[0].answer


def test_a_key_is_forgotten_after_its_time(bench: Bench) -> None:
    bench.accept(bench.create_request(key='k'))
    bench.change(models.IdempotencyKey, {}, {'expires_at': utc_now(-1)})

    assert not bench.accept(bench.create_request(key='k')).replayed
    assert bench.usage() == (2, 2, 1024)


def test_old_keys_are_removed_by_the_reconciler(bench: Bench) -> None:
    bench.accept(bench.create_request(key='k'))
    bench.change(models.IdempotencyKey, {}, {'expires_at': utc_now(-1)})

    bench.look()

    assert bench.rows(models.IdempotencyKey) == []


def test_a_key_works_for_operations_too(bench: Bench, host: Host) -> None:
    server_id, key = bench.active(host), Idempotency(key='k', request_hash='stop')
    first = bench.ask(states.STOP, server_id, idempotency=key)

    again = bench.ask(states.STOP, server_id, idempotency=key)

    assert again.replayed
    assert again.operation_ids == first.operation_ids
    assert again.work is None


def _at_once(bench: Bench, requests: list[CreateRequest]) -> list[Accepted]:
    """The answers to requests that are sent side by side; those over the quota have none."""

    def accept(request: CreateRequest) -> Accepted | None:
        try:
            return bench.accept(request)
        except exceptions.QuotaExceeded:
            return None

    with ThreadPoolExecutor(len(requests)) as pool:
        return [answer for answer in pool.map(accept, requests) if answer is not None]
