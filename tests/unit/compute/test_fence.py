"""The fence on the agent's disk."""

import logging
from pathlib import Path

import pytest

from cloudplane import states
from cloudplane.compute import fence as fence_module
from cloudplane.compute.fence import Fence, is_safe_id
from cloudplane.concurrency import BlockingPool
from cloudplane.objects.operation import WorkOrder

DAY_S = 86400


class Clock:
    """A clock that tests set."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(path: Path, clock: Clock) -> Fence:
    fence = Fence(path / 'fence', pool=BlockingPool('test', 1), tombstone_days=7, clock=clock)
    fence.load()
    return fence


def order(sequence: int, attempt: int = 1, *, server_id: str = 'server', kind: str = states.START) -> WorkOrder:
    return WorkOrder(
        operation_id=f'operation-{sequence}',
        request_id='req',
        server_id=server_id,
        kind=kind,
        sequence=sequence,
        attempt=attempt,
        host='host',
        remaining_s=60,
    )


@pytest.mark.parametrize(
    ('seen', 'late'), [((2, 1), (1, 9)), ((2, 2), (2, 1)), ((3, 1), (2, 7))], ids=['sequence', 'attempt', 'both']
)
def test_what_is_lower_is_refused_also_after_a_restart(
    seen: tuple[int, int], late: tuple[int, int], tmp_path: Path, clock: Clock
) -> None:
    fence = opened(tmp_path, clock)
    fence.admit(order(*seen))

    for each in (fence, opened(tmp_path, clock)):
        assert each.refuses(order(*late))
        assert not each.refuses(order(*seen))
        assert not each.refuses(order(seen[0], seen[1] + 1))


def test_a_lower_order_that_is_admitted_after_all_does_not_lower_the_fence(tmp_path: Path, clock: Clock) -> None:
    fence = opened(tmp_path, clock)
    fence.admit(order(3))
    assert fence.admit(order(2, 9)).key == (3, 1)
    assert opened(tmp_path, clock).refuses(order(2, 9))


def test_notes_stay_with_their_operation_and_go_with_the_next(tmp_path: Path, clock: Clock) -> None:
    fence = opened(tmp_path, clock)
    fence.admit(order(1), {'image': 'i'})
    fence.note('server', run_id='7')
    assert fence.admit(order(1, 2)).notes == {'image': 'i', 'run_id': '7'}
    assert opened(tmp_path, clock).admit(order(1, 3)).notes == {'image': 'i', 'run_id': '7'}
    assert fence.admit(order(2), {'left': 'x'}).notes == {'left': 'x'}
    fence.settle('server', 'left')
    assert fence.mark('server').notes == {}  # type: ignore[union-attr]


def test_an_attempt_is_raised_only_for_the_operation_that_was_admitted(tmp_path: Path, clock: Clock) -> None:
    fence = opened(tmp_path, clock)
    fence.raise_attempt(order(1, 2))
    assert fence.mark('server') is None
    fence.admit(order(1), {'image': 'i'})
    fence.raise_attempt(order(1, 2))
    fence.raise_attempt(order(2))
    mark = fence.mark('server')
    assert mark is not None
    assert (mark.key, mark.notes) == ((1, 2), {'image': 'i'})


def test_the_same_order_again_is_not_written_again(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fence = opened(tmp_path, clock)
    fence.admit(order(1))
    monkeypatch.setattr(fence_module, '_replace', None)
    fence.admit(order(1))


@pytest.mark.parametrize('content', [b'', b'{"server_id": "ser', b'\0' * 200, b'[]', b'{"server_id": "other"}'])
def test_a_damaged_mark_is_logged_and_counts_as_none(
    content: bytes, tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    opened(tmp_path, clock).admit(order(5))
    (tmp_path / 'fence' / 'server.json').write_bytes(content)
    with caplog.at_level(logging.ERROR):
        fence = opened(tmp_path, clock)
    assert fence.mark('server') is None
    assert 'server.json' in caplog.text
    fence.admit(order(6))
    assert opened(tmp_path, clock).refuses(order(5))


def test_a_mark_of_another_server_is_ignored(tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    opened(tmp_path, clock).admit(order(5))
    (tmp_path / 'fence' / 'server.json').rename(tmp_path / 'fence' / 'other.json')
    assert opened(tmp_path, clock).marks() == []
    assert 'of another server' in caplog.text


def test_a_write_that_was_cut_short_leaves_the_mark_before_it(tmp_path: Path, clock: Clock) -> None:
    opened(tmp_path, clock).admit(order(5))
    (tmp_path / 'fence' / 'server.part').write_bytes(b'{"serv')
    assert opened(tmp_path, clock).refuses(order(4))
    assert not (tmp_path / 'fence' / 'server.part').exists()


def test_a_server_that_has_gone_keeps_a_tombstone_that_refuses_older_orders(tmp_path: Path, clock: Clock) -> None:
    fence = opened(tmp_path, clock)
    fence.admit(order(2, kind=states.DELETE))
    fence.forget('server', 2)
    for each in (fence, opened(tmp_path, clock)):
        assert each.mark('server').gone  # type: ignore[union-attr]
        assert each.refuses(order(1, 5))
        assert not each.is_newer_than(1, 'server')


def test_a_server_with_newer_work_is_not_forgotten(tmp_path: Path, clock: Clock) -> None:
    fence = opened(tmp_path, clock)
    fence.admit(order(3))
    fence.forget('server', 2)
    assert not fence.mark('server').gone  # type: ignore[union-attr]
    assert fence.is_newer_than(2, 'server')


def test_tombstones_go_after_some_days_and_other_marks_never(tmp_path: Path, clock: Clock) -> None:
    fence = opened(tmp_path, clock)
    fence.admit(order(1, server_id='stays'))
    fence.admit(order(1, server_id='gone'))
    fence.forget('gone', 1)
    clock.now_s += 6 * DAY_S
    fence.prune()
    assert fence.mark('gone') is not None
    clock.now_s += 2 * DAY_S
    fence.prune()
    assert [mark.server_id for mark in fence.marks()] == ['stays']
    assert [mark.server_id for mark in opened(tmp_path, clock).marks()] == ['stays']


def test_tombstones_are_bounded_and_the_oldest_go_first(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence_module, 'MAX_TOMBSTONES', 2)
    fence = opened(tmp_path, clock)
    for number in range(4):
        clock.now_s += 1
        fence.admit(order(1, server_id=f's{number}'))
        fence.forget(f's{number}', 1)
    fence.prune()
    assert {mark.server_id for mark in fence.marks()} == {'s2', 's3'}


@pytest.mark.parametrize('server_id', ['', '../x', 'a/b', '.hidden', 'x' * 200, 'a\n'])
def test_an_id_that_is_no_file_name_is_not_safe(server_id: str) -> None:
    assert not is_safe_id(server_id)
