"""Everybody around a conductor who may die at any moment: a client, a scheduler and agents that keep the protocol.

Whoever *calls* repeats the call until it is answered; what is *cast* and not taken is lost. After each death there is a
new conductor on the same database. Clocks are shifted, never waited for.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from cloudplane import exceptions, faultpoints, states
from cloudplane.conductor.db import models, operations
from cloudplane.objects.operation import Accepted, BuildSpec, Heartbeat, WorkOrder
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host
from tests.unit.conductor.samples import inventory

T = TypeVar('T')


class SimulatedKill(BaseException):
    """The conductor dies here."""


class Strikes:
    """A hook that kills at one point: at its first passing, or at every second one from the first on."""

    def __init__(self, point: str, *, again: bool) -> None:
        self._point, self._again, self._passed = point, again, 0
        self.struck = 0

    def __call__(self, point: str) -> None:
        """A point is passed."""
        if point != self._point:
            return
        self._passed += 1
        if self._passed == 1 or (self._again and self._passed % 2):
            self.struck += 1
            raise SimulatedKill(point)


class World:
    """Plays all the others."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        self.epochs: dict[str, int] = {}
        self.silent: set[str] = set()
        self.slow: set[str] = set()  # hosts that begin and do not finish

    # Who calls, and who casts

    def call(self, ask: Callable[[], T]) -> T:
        """Ask until there is an answer."""
        while True:
            try:
                return ask()
            except SimulatedKill:
                self.bench.restart()

    def cast(self, tell: Callable[[], object]) -> None:
        """Tell once."""
        try:
            tell()
        except SimulatedKill:
            self.bench.restart()

    # The client and the operator

    def create(self) -> str:
        """A client has a server built; its wake-up to the scheduler is lost."""
        request = self.bench.create_request()
        return self.call(lambda: self.bench.accept(request)).server_ids[0]

    def ask(self, kind: str, server_id: str) -> Accepted:
        """A client asks for something."""
        request = self.bench.request(kind, server_id)
        accepted = self.call(lambda: self.bench.send(request))
        if accepted.work is not None:
            self.bench.compute.orders.append(accepted.work)
        return accepted

    def force_down(self, name: str, forced_down: bool) -> None:
        """The operator gives his word."""
        self.call(lambda: self.bench.call('host_force_down', host=name, forced_down=forced_down))

    # The agents

    def register(self, name: str) -> None:
        """An agent starts, and destroys what it is told to."""
        answer = self.call(lambda: self.bench.conductor.agents.register(inventory(name)))
        self.epochs[name] = answer.epoch
        self.silent.discard(name)
        for order in answer.work:
            self._work(order)
        self._clean(name, tuple(residue.server_id for residue in answer.residues))

    def beat(self, name: str) -> None:
        """An agent is alive; it holds nothing that it has not finished."""
        beat = Heartbeat(host=name, epoch=self.epochs[name])
        answer = self.call(lambda: self.bench.conductor.agents.heartbeat(beat))
        if answer.registered:
            self._clean(name, tuple(residue.server_id for residue in answer.residues))
        else:
            self.register(name)

    def _clean(self, name: str, server_ids: tuple[str, ...]) -> None:
        if server_ids:
            self.call(lambda: self.bench.conductor.agents.cleaned(name, self.epochs[name], server_ids))

    def _work(self, order: WorkOrder) -> None:
        if order.host in self.silent:
            return
        host = Host(0, order.host, self.epochs[order.host])
        named: dict[str, Any] = {'operation_id': order.operation_id, 'attempt': order.attempt}
        try:
            begins = order.kind != states.DELETE
            if begins and not self.call(lambda: self.bench.begin(order.server_id, host, **named)).accepted:
                return
            if order.host in self.slow:
                return
            power = states.SHUTDOWN if order.kind == states.STOP else states.RUNNING
            self.call(lambda: self.bench.finish(order.server_id, host, power_state=power, **named))
        except exceptions.StaleEpoch:
            self.register(order.host)

    # The scheduler

    def _place(self, spec: BuildSpec) -> None:
        hosts = [
            Host(row.id, row.name, row.epoch)
            for row in self.bench.rows(models.Host)
            if row.up and row.id not in spec.excluded_hosts
        ]
        if self.bench.operation(spec.server_id).id != spec.operation_id:
            return
        selection = self.bench.selection(spec.server_id, *hosts, attempt=spec.attempt, transient=not hosts)
        self.cast(lambda: self.bench.conductor.claimer.claim([selection]))

    # Time

    def pump(self) -> None:
        """Deliver what has been sent, and what follows from it."""
        while self.bench.scheduler.builds or self.bench.compute.orders:
            while self.bench.scheduler.builds:
                self._place(self.bench.scheduler.builds.pop(0))
            while self.bench.compute.orders:
                self._work(self.bench.compute.orders.pop(0))

    def settle(self, rounds: int = 12) -> None:
        """Let time pass, in which everybody does what is theirs, until nothing is active any more."""
        for _ in range(rounds):
            self.pump()
            if not self.bench.database.read(operations.count_active):
                return
            self.look()

    def look(self) -> None:
        """Some seconds pass: living agents beat, and the reconciler looks at all that is active."""
        for name in sorted(self.epochs.keys() - self.silent):
            self.beat(name)
        for row in self.bench.rows(models.Operation):
            if row.state in states.ACTIVE_OPERATION:
                self.bench.due(row.server_id)
        self.bench.grace_over()
        self.cast(self.bench.conductor.reconciler.look)

    def until(self, holds: Callable[[], bool], rounds: int = 12) -> None:
        """Let time pass until something holds."""
        for _ in range(rounds):
            if holds():
                return
            self.look()
            self.pump()
        raise AssertionError('it never came to that')

    def settle_hosts(self) -> None:
        """Let time pass until every host is up."""
        self.until(lambda: all(row.up for row in self.bench.rows(models.Host)))


def conductor_points() -> tuple[str, ...]:
    """All fault points of the conductor."""
    return tuple(point for point in faultpoints.all_points() if point.startswith('conductor.'))
