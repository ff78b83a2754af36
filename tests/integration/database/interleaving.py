"""Two things at once, in every order: one transaction is interrupted before each of its statements in turn.

Before the n-th statement of the first, the second is started on another connection. It may end there, or wait for a
lock that the first holds; then the first goes on, and both end. What must hold is checked after each round.
"""

import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import event

from cloudplane.conductor.db.session import Database

BLOCKED_S = 0.15  # who has not ended by then waits for a lock


class Interruption:
    """Starts the second before the n-th statement of the first."""

    def __init__(self, database: Database, number: int, second: Callable[[], object]) -> None:
        self._database, self._number, self._second = database, number, second
        self._seen = 0
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def happened(self) -> bool:
        """Whether the first had so many statements."""
        return self._thread is not None

    def run(self, first: Callable[[], object]) -> None:
        """Run the first, interrupted; returns when both have ended."""
        event.listen(self._database.engine, 'before_cursor_execute', self._before)
        try:
            first()
        finally:
            event.remove(self._database.engine, 'before_cursor_execute', self._before)
            if self._thread is not None:
                self._thread.join(30)
                assert not self._thread.is_alive()
        if self._failure is not None:
            raise self._failure

    def _before(self, *_arguments: Any) -> None:
        self._seen += 1
        if self._seen == self._number and self._thread is None:
            self._thread = threading.Thread(target=self._run_second, daemon=True)
            self._thread.start()
            self._thread.join(BLOCKED_S)

    def _run_second(self) -> None:
        try:
            self._second()
        except BaseException as error:  # noqa: BLE001 - it is raised again where the test waits
            self._failure = error


def in_every_order(database: Database, round_: Callable[[Callable[..., None]], None]) -> int:
    """Run rounds until the first has no further statement to be interrupted at; how many there were.

    A round is given `both(first, second)`, and checks what must hold after it.
    """
    number = 0
    while True:
        number += 1
        interruption: list[Interruption] = []

        def both(
            first: Callable[[], object],
            second: Callable[[], object],
            number: int = number,
            made: list[Interruption] = interruption,
        ) -> None:
            made.append(Interruption(database, number, second))
            made[0].run(first)
            if not made[0].happened:
                second()

        round_(both)
        if not interruption[0].happened:
            return number - 1
