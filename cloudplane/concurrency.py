"""The one seam between cloudplane and the way it runs side by side: eventlet's green threads or plain threads.

Everything else uses the standard library's `threading`, `queue` and `concurrent.futures`; `activate('eventlet')` makes
those cooperative, and must come before they are used. What must not run in a green thread (C code that blocks: libvirt,
SQLite, hashing of gigabytes) goes through a `BlockingPool`, which always uses native threads.

Rules for a function that runs in a native thread of a BlockingPool: it takes no lock that green threads take and
starts no subprocess. (A subprocess is started from ordinary code: the patched module waits cooperatively.)
"""

import collections
import concurrent.futures.thread
import contextlib
import functools
import importlib
import os
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, Literal, ParamSpec, Protocol, TypeVar, cast

Backend = Literal['eventlet', 'threading']
BACKENDS: tuple[Backend, ...] = ('eventlet', 'threading')

P = ParamSpec('P')
T = TypeVar('T')


class _State:
    """What `activate` chose: one per process, because patching the interpreter is."""

    backend: Backend = 'threading'
    activated = False
    waker: '_Waker | None' = None


def activate(backend: Backend) -> None:
    """Choose the backend of this process. Called by cmd/ before anything that uses threads is imported."""
    if backend not in BACKENDS:
        raise ValueError(f'concurrency_backend is {backend!r}; it must be one of {", ".join(BACKENDS)}')
    if _State.activated:
        if backend != _State.backend:
            raise RuntimeError(f'this process runs with {_State.backend}; it cannot change to {backend}')
        return
    # The operator has chosen it, and reads in our documentation what that means; futurist imports it in any case. It
    # has a category of its own, which is none of Python's deprecations.
    warnings.filterwarnings('ignore', message=r'\s*Eventlet is deprecated')
    if backend == 'eventlet':
        # psycopg's C implementation would stop every green thread for the length of a query.
        os.environ.setdefault('PSYCOPG_WAIT_FUNC', 'wait_selector')
        import eventlet

        eventlet.monkey_patch()
        # Popen.communicate comes from eventlet's own copy of the module, which must raise the class that people catch.
        eventlet.patcher.original('subprocess').TimeoutExpired = importlib.import_module('subprocess').TimeoutExpired
        # The one lock of the standard library that was made at its import and is held while threads switch.
        concurrent.futures.thread._global_shutdown_lock = threading.Lock()
    # oslo.messaging imports oslo.service, which loads eventlet unless it is told otherwise before.
    from oslo_service import backend as oslo_backend

    oslo_backend.init_backend(oslo_backend.BackendType(backend))
    _State.backend, _State.activated = backend, True


def active_backend() -> Backend:
    """The backend in use: 'threading' until `activate` was called."""
    return _State.backend


def _original(module: str) -> Any:
    """The module as it was before patching (the same one under threading)."""
    if _State.backend == 'eventlet':
        from eventlet import patcher

        return patcher.original(module)
    return importlib.import_module(module)


def start_native_thread(target: Callable[[], None], name: str) -> None:
    """Run `target` in a daemon thread of the operating system, also under eventlet.

    For event loops inside C libraries. It hands results to the rest of the process through an `Inbox` alone.
    """
    _original('threading').Thread(target=target, name=name, daemon=True).start()


class _Waker:
    """Runs callables in the hub's thread on behalf of native threads (eventlet only).

    A native thread cannot wake the hub through a patched queue; it can through a pipe.
    """

    def __init__(self) -> None:
        import eventlet

        self._read_fd, self._write_fd = os.pipe()
        os.set_blocking(self._read_fd, False)
        os.set_blocking(self._write_fd, False)
        self._due: collections.deque[Callable[[], None]] = collections.deque()
        eventlet.spawn(self._loop)

    def call(self, action: Callable[[], None]) -> None:
        self._due.append(action)
        with contextlib.suppress(BlockingIOError):  # a full pipe wakes the hub just as well
            _original('os').write(self._write_fd, b'!')

    def _loop(self) -> None:
        from eventlet.hubs import trampoline

        read = _original('os').read
        while True:
            trampoline(self._read_fd, read=True)
            with contextlib.suppress(BlockingIOError):
                read(self._read_fd, 65536)
            while self._due:
                self._due.popleft()()


def _waker() -> _Waker:
    if _State.waker is None:
        _State.waker = _Waker()
    return _State.waker


class Inbox(Generic[T]):
    """An unbounded queue that native threads may fill and ordinary (green) threads may wait on."""

    def __init__(self) -> None:
        import queue

        self._green = _State.backend == 'eventlet'
        if self._green:
            self._wake = _waker()  # made in the hub's thread, before a native one needs it
        self._queue: queue.Queue[T] = queue.Queue()

    def put(self, item: T) -> None:
        """Add an item; safe from every kind of thread; never blocks."""
        if self._green:
            self._wake.call(lambda: self._queue.put_nowait(item))
        else:
            self._queue.put_nowait(item)

    def get(self, timeout_s: float | None = None) -> T:
        """The next item; raises queue.Empty after `timeout_s`."""
        return self._queue.get(timeout=timeout_s)


class BlockingPool:
    """At most `size` native threads for calls that block in C. `run` waits cooperatively for the result.

    A pool of size 1 runs its calls one after the other, in the order in which they came.
    """

    def __init__(self, name: str, size: int) -> None:
        self._threads = _NativeThreads(name, size) if _State.backend == 'eventlet' else None
        self._executor = None if self._threads else ThreadPoolExecutor(size, thread_name_prefix=name)

    def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` in a native thread and return what it returns, or raise what it raises."""
        if self._threads is not None:
            return self._threads.run(lambda: function(*args, **kwargs))
        assert self._executor is not None
        return self._executor.submit(function, *args, **kwargs).result()

    def close(self) -> None:
        """Let the threads end when the calls they hold are done."""
        if self._threads is not None:
            self._threads.close()
        if self._executor is not None:
            self._executor.shutdown(wait=False)


class _NativeThreads:
    """Native threads that serve green ones."""

    def __init__(self, name: str, size: int) -> None:
        self._name, self._size = name, size
        self._jobs: Any = importlib.import_module('_queue').SimpleQueue()  # C: not patched
        self._started = 0
        self._in_flight = 0  # touched in the hub's thread alone
        self._wake = _waker()

    def run(self, call: Callable[[], T]) -> T:
        from eventlet.event import Event

        done = Event()
        self._in_flight += 1
        if self._started < min(self._in_flight, self._size):
            self._started += 1
            start_native_thread(self._work, f'{self._name}-{self._started}')
        self._jobs.put((call, done))
        outcome, value = done.wait()
        if outcome == 'raised':
            raise cast(BaseException, value)
        return cast(T, value)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            call, done = job
            try:
                result: tuple[str, object] = ('returned', call())
            except BaseException as error:  # noqa: BLE001 - it is raised again where the caller waits
                result = ('raised', error)
            self._wake.call(functools.partial(self._deliver, done, result))
            del job, call, done, result

    def _deliver(self, done: Any, result: tuple[str, object]) -> None:
        self._in_flight -= 1
        done.send(result)

    def close(self) -> None:
        for _ in range(self._started):
            self._jobs.put(None)


class WsgiServer(Protocol):
    """What serves HTTP: `serve` blocks until `stop` was called from another thread."""

    def serve(self) -> None: ...

    def stop(self) -> None: ...


_BACKLOG = 1024  # connections that wait to be taken; a server that listens again would make it shorter
_MAX_HEAD = 65536  # as in eventlet


def wsgi_server(listener: socket.socket, application: Any, *, threads: int, keepalive_s: float) -> WsgiServer:
    """A WSGI server for the active backend on a bound, listening socket; `threads` requests at a time."""
    # Headers and body are two writes: without this the second waits for the client's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if _State.backend == 'eventlet':
        return _EventletWsgi(listener, application, threads, keepalive_s)
    return _CherootWsgi(listener, application, threads, keepalive_s)


class _EventletWsgi:
    def __init__(self, listener: socket.socket, application: Any, threads: int, keepalive_s: float) -> None:
        import eventlet

        self._listener, self._application, self._keepalive_s = listener, _honest(application), keepalive_s
        self._pool = eventlet.GreenPool(threads)
        self._thread: Any = None
        self._stopped = False

    def serve(self) -> None:
        if self._stopped:
            return
        import logging

        import eventlet
        import greenlet
        from eventlet import wsgi

        self._thread = eventlet.spawn(
            wsgi.server,
            self._listener,
            self._application,
            custom_pool=self._pool,
            debug=False,
            log_output=False,
            log=logging.getLogger('cloudplane.api.wsgi'),
            socket_timeout=self._keepalive_s,
            keepalive=True,
        )
        with contextlib.suppress(greenlet.GreenletExit):
            self._thread.wait()

    def stop(self) -> None:
        self._stopped = True
        if self._thread is not None:
            self._thread.kill()
        self._pool.resize(0)
        self._listener.close()


def _honest(application: Any) -> Any:
    """The application without the `text/plain` that eventlet invents where a request names no type."""

    def wrapped(environ: dict[str, Any], start_response: Any) -> Any:
        if not any(name.lower() == 'content-type' for name, _value in environ.get('headers_raw', ())):
            environ.pop('CONTENT_TYPE', None)
        return application(environ, start_response)

    return wrapped


class _CherootWsgi:
    def __init__(self, listener: socket.socket, application: Any, threads: int, keepalive_s: float) -> None:
        from cheroot import wsgi

        class Server(wsgi.Server):
            def bind(self, *_family_type_proto_address: object) -> None:
                self.socket = listener  # bound by the caller, who so learns the port before anything is served

        self._server = Server(
            listener.getsockname()[:2],
            application,
            numthreads=threads,
            timeout=int(keepalive_s),
            request_queue_size=_BACKLOG,
            server_name=listener.getsockname()[0],  # else cheroot's version is the host of a request that names none
        )
        self._server.max_request_header_size = _MAX_HEAD  # else a client may send headers for ever
        self._server.prepare()  # here, because cheroot forgets a stop that comes before it

    def serve(self) -> None:
        self._server.serve()

    def stop(self) -> None:
        self._server.stop()


@contextlib.contextmanager
def held(lock: threading.Lock, timeout_s: float, what: str) -> Iterator[None]:
    """Hold `lock`, or raise TimeoutError that names `what` after `timeout_s`."""
    if not lock.acquire(timeout=timeout_s):
        raise TimeoutError(f'{what} was still busy after {timeout_s:g} s')
    try:
        yield
    finally:
        lock.release()
