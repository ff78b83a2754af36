"""An RPC server with a bounded intake.

oslo.messaging acknowledges a message when it reads it, before a pool whose queue has no end: prefetch bounds nothing.
So the server counts what it holds. Beyond the bound a caller hears *busy* at once, and a cast is dropped: it was a
hint, and the reconciler gives it again.
"""

import logging
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from oslo_messaging.rpc.server import RPCServer

from cloudplane import concurrency, exceptions

LOG = logging.getLogger(__name__)
MAX_HELD = 2000


class BoundedServer(RPCServer):  # type: ignore[misc]  # oslo.messaging has no types
    """oslo.messaging's server, with a bound, and with the standard library's pool under threads.

    oslo.messaging's own pool there keeps idle threads that wake once a second, and takes up to a second to stop.
    """

    def __init__(self, transport: Any, target: Any, dispatcher: Any, max_held: int) -> None:
        super().__init__(transport, target, dispatcher)
        self._max_held = max_held
        self._held, self._lock = 0, threading.Lock()
        if concurrency.active_backend() == 'threading':
            self._executor_cls = ThreadPoolExecutor

    @property
    def held(self) -> int:
        """Messages that wait or are being worked on."""
        return self._held

    def _on_incoming(self, incoming: Any) -> None:
        with self._lock:
            taken = self._held < self._max_held
            self._held += taken
        if taken:
            super()._on_incoming(incoming)
        else:
            self._refuse(incoming[0])

    def _process_incoming(self, incoming: Any) -> None:
        try:
            super()._process_incoming(incoming)
        finally:
            with self._lock:
                self._held -= 1

    def _refuse(self, message: Any) -> None:
        method = message.message.get('method')
        LOG.warning('Refused %s: %d messages are held already', method, self._max_held)
        message.acknowledge()
        try:
            raise exceptions.ServiceBusy(f'{self._max_held} messages are held already; try again later')
        except exceptions.ServiceBusy:
            message.reply(failure=sys.exc_info())  # goes nowhere for a cast
