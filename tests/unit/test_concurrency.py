"""The seam between cloudplane and eventlet or threads. Run under both backends."""

import importlib
import queue
import socket
import threading
import time
import urllib.request
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cloudplane import concurrency
from tests.backends import run_pytest

WAIT_S = 10.0


def native_sleep(seconds: float) -> None:
    """Block the thread of the operating system, as C code does: eventlet does not see it."""
    module = importlib.import_module('time')
    if concurrency.active_backend() == 'eventlet':
        from eventlet import patcher

        module = patcher.original('time')
    module.sleep(seconds)


def test_what_blocks_in_a_pool_does_not_stop_other_threads() -> None:
    pool = concurrency.BlockingPool('test', 1)
    seen: list[str] = []

    def block() -> None:
        pool.run(native_sleep, 0.5)
        seen.append('blocking call ended')

    blocked = threading.Thread(target=block)
    blocked.start()
    for _ in range(5):
        time.sleep(0.01)
        seen.append('other thread ran')
    blocked.join(WAIT_S)
    assert seen == ['other thread ran'] * 5 + ['blocking call ended']
    pool.close()


def test_calls_run_side_by_side_up_to_the_size_of_the_pool() -> None:
    pool = concurrency.BlockingPool('test', 3)
    running, most = [0], [0]
    lock = _native_lock()

    def call() -> None:
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        native_sleep(0.05)
        with lock:
            running[0] -= 1

    threads = [threading.Thread(target=pool.run, args=(call,)) for _ in range(9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert most[0] == 3


def _native_lock() -> Any:
    return importlib.import_module('_thread').allocate_lock() if not _patched() else _original_lock()


def _patched() -> bool:
    return concurrency.active_backend() == 'eventlet'


def _original_lock() -> Any:
    from eventlet import patcher

    return patcher.original('_thread').allocate_lock()


def test_a_pool_of_one_keeps_the_order_and_raises_what_its_calls_raise() -> None:
    pool = concurrency.BlockingPool('test', 1)
    assert [pool.run(str, number) for number in range(50)] == [str(number) for number in range(50)]
    with pytest.raises(ZeroDivisionError):
        pool.run(divmod, 1, 0)
    assert pool.run(int, '7') == 7  # the thread that raised still serves


def test_an_inbox_hands_items_of_native_threads_over_in_their_order() -> None:
    inbox: concurrency.Inbox[int] = concurrency.Inbox()

    def fill() -> None:
        for number in range(100):
            inbox.put(number)

    concurrency.start_native_thread(fill, 'filler')
    assert [inbox.get(WAIT_S) for _ in range(100)] == list(range(100))
    with pytest.raises(queue.Empty):
        inbox.get(0.01)


def test_the_wsgi_server_serves_side_by_side_and_frees_its_address_when_it_stops() -> None:
    entered, release = threading.Event(), threading.Event()

    def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ['PATH_INFO'] == '/slow':
            entered.set()
            release.wait(WAIT_S)
        start_response('200 OK', [('Content-Type', 'text/plain')])
        return [environ['PATH_INFO'].encode()]

    listener = socket.create_server(('127.0.0.1', 0))
    port = listener.getsockname()[1]
    server = concurrency.wsgi_server(listener, application, threads=4, keepalive_s=5)
    serving = threading.Thread(target=server.serve)
    serving.start()
    answers: list[bytes] = []
    slow = threading.Thread(target=lambda: answers.append(_fetch(port, '/slow')))
    slow.start()
    assert entered.wait(WAIT_S)
    assert _fetch(port, '/quick') == b'/quick'
    assert answers == []
    release.set()
    slow.join(WAIT_S)
    assert answers == [b'/slow']
    server.stop()
    serving.join(WAIT_S)
    assert not serving.is_alive()
    socket.create_server(('127.0.0.1', port)).close()


def _fetch(port: int, path: str) -> bytes:
    with urllib.request.urlopen(f'http://127.0.0.1:{port}{path}', timeout=WAIT_S) as answer:
        return bytes(answer.read())


def test_a_process_cannot_change_its_backend() -> None:
    other: concurrency.Backend = 'threading' if _patched() else 'eventlet'
    with pytest.raises(RuntimeError, match='it cannot change'):
        concurrency.activate(other)
    concurrency.activate(concurrency.active_backend())  # again: harmless
    with pytest.raises(ValueError, match="'asyncio'; it must be one of"):
        concurrency.activate('asyncio')  # type: ignore[arg-type]  # what an operator may write


def test_oslo_service_runs_with_the_same_backend() -> None:
    # It would load eventlet by itself, if it were imported before the choice is made.
    from oslo_service import backend

    assert backend.get_backend_type() == backend.BackendType(concurrency.active_backend())


def test_executors_take_work_from_many_threads_at_once() -> None:
    # A lock of the interpreter's that was made before it was patched stopped the whole process here.
    inner, outer = ThreadPoolExecutor(64), ThreadPoolExecutor(3)

    def spread(_number: int) -> int:
        return sum(future.result(WAIT_S) for future in [inner.submit(int, 1) for _ in range(10)])

    assert list(outer.map(spread, range(3), timeout=WAIT_S)) == [10, 10, 10]
    for pool in (outer, inner):
        pool.shutdown()


if not _patched():

    def test_all_of_this_under_eventlet() -> None:
        run_pytest('eventlet', 'tests/unit/test_concurrency.py')
