"""What the scheduler has chosen and has not heard of yet: it counts as used until the claim ended, or too much time
went by."""

from collections import OrderedDict
from collections.abc import Callable, Iterator

import msgspec

from cloudplane.objects.flavor import Flavor
from cloudplane.objects.operation import BuildSpec


class Assumption(msgspec.Struct, frozen=True, kw_only=True):
    """A host that was chosen for one server."""

    host_id: int
    flavor: Flavor
    attempt: int
    excluded_hosts: tuple[int, ...]
    expires_at: float  # on the injected clock


class Assumptions:
    """By operation; an operation has one at most."""

    def __init__(self, assumption_s: float, clock: Callable[[], float]) -> None:
        self._assumption_s, self._clock = assumption_s, clock
        self._by_operation: OrderedDict[str, Assumption] = OrderedDict()  # the first one expires first

    def __len__(self) -> int:
        return len(self._by_operation)

    def add(self, spec: BuildSpec, host_id: int) -> Assumption:
        """Assume this host for this server. There is none for its operation."""
        assumption = Assumption(
            host_id=host_id,
            flavor=spec.flavor,
            attempt=spec.attempt,
            excluded_hosts=spec.excluded_hosts,
            expires_at=self._clock() + self._assumption_s,
        )
        self._by_operation[spec.operation_id] = assumption
        return assumption

    def pop(self, operation_id: str) -> Assumption | None:
        """End the assumption of an operation, if there is one."""
        return self._by_operation.pop(operation_id, None)

    def pop_expired(self) -> Iterator[Assumption]:
        """End those whose time is over."""
        now = self._clock()
        while self._by_operation:
            operation_id, first = next(iter(self._by_operation.items()))
            if first.expires_at > now:
                return
            del self._by_operation[operation_id]
            yield first

    def forget_host(self, host_id: int) -> None:
        """End those about a host that is gone."""
        gone = [key for key, assumption in self._by_operation.items() if assumption.host_id == host_id]
        for operation_id in gone:
            del self._by_operation[operation_id]

    def covers(self, spec: BuildSpec) -> bool:
        """Whether just this was decided. A later attempt, or one that excludes another host, is to be decided anew."""
        assumption = self._by_operation.get(spec.operation_id)
        return assumption is not None and (assumption.attempt, assumption.excluded_hosts) == (
            spec.attempt,
            spec.excluded_hosts,
        )
