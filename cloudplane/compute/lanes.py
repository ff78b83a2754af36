"""How many operations of a kind run side by side, and who waits for a place, in the order in which they came."""

import collections


class Lanes:
    """Places by kind of operation; a kind without a limit always has one. The caller's lock protects it."""

    def __init__(self, limits: dict[str, int]) -> None:
        self._free = dict(limits)
        self._waiting: dict[str, collections.deque[str]] = {kind: collections.deque() for kind in limits}

    def enter(self, kind: str, server_id: str) -> bool:
        """Take a place; False: there is none, and the server waits for one."""
        if kind not in self._free:
            return True
        if self._free[kind] > 0:
            self._free[kind] -= 1
            return True
        if server_id not in self._waiting[kind]:
            self._waiting[kind].append(server_id)
        return False

    def leave(self, kind: str) -> None:
        """Give a place back."""
        if kind in self._free:
            self._free[kind] += 1

    def next_waiting(self, kind: str) -> str | None:
        """Who may try now: the first that waits, if there is a place. It waits no longer."""
        if self._free.get(kind, 0) > 0 and self._waiting[kind]:
            return self._waiting[kind].popleft()
        return None
