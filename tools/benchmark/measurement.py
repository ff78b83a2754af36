"""The parts of a measurement in order; each adds its figures."""

import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from tools.benchmark import meter
from tools.benchmark.deployment import Deployment
from tools.benchmark.figures import Figure, Figures, less, median
from tools.benchmark.load import Boot, Cost, Load, cost_of

STARTS: Final = 3
WARM_UP: Final = 5
WIDTHS: Final = (10, 50)
ONE_POST: Final = 50
DELETE_WIDTH: Final = 10
_MS: Final = 1000

# Starts the guest of a server once more without cloudplane, when the server is gone: seconds.
BareStart = Callable[[], float]


class Measurement:
    """One deployment, measured with `count` servers in each part."""

    def __init__(
        self, deployment: Deployment, image_id: str, folder: Path, count: int, bare: Callable[[str], BareStart] | None
    ) -> None:
        self._deployment, self._image_id, self._folder = deployment, image_id, folder
        self._count, self._bare = count, bare
        self._figures = Figures({})
        self._deletes_measured = False

    def run(self) -> list[Figure]:
        """Start it, load it, stop it."""
        self._starts()
        load = Load(self._deployment.port, self._image_id)
        load.prepare()
        self._memory('idle')
        for _ in range(WARM_UP):
            load.boot()
        load.delete_all(1)
        fsync_s = meter.fsync_s(self._folder)
        if self._bare is None:
            self._alone(load)
        else:
            self._beside_bare(load, self._bare)
        fsync_s += meter.fsync_s(self._folder)
        self._figures.add('disk.fsync.p50', median(fsync_s) * _MS, 'ms', samples=len(fsync_s))
        for width in WIDTHS:
            if width <= self._count:
                self._many(load, f'wide_{width}', self._count, partial(load.burst, self._count, width))
        if self._count >= ONE_POST:
            self._many(load, f'one_post_{ONE_POST}', ONE_POST, partial(load.one_post, ONE_POST))
        self._memory('loaded')
        load.close()
        self._deployment.stop()
        return self._figures.all

    def _starts(self) -> None:
        """The first start is not counted: it compiles byte code, which an installed package has."""
        _say('the first start')
        self._deployment.start()
        self._figures = Figures(self._deployment.settings)
        print('\n'.join(f'{name:>12}: {value}' for name, value in self._figures.settings.items()), flush=True)
        _say(f'{STARTS} starts')
        starts = []
        for _ in range(STARTS):
            self._deployment.stop()
            starts.append(self._deployment.start())
        self._figures.add('start.ready', median([start.ready_s for start in starts]), 's', samples=STARTS)
        self._figures.add('start.host_up', median([start.host_up_s for start in starts]), 's', samples=STARTS)

    def _memory(self, when: str) -> None:
        for name, pid in self._deployment.pids.items():
            found = meter.memory(pid)
            self._figures.add(f'memory.{when}.pss.{name}', found.pss_mb, 'MB')
            self._figures.add(f'memory.{when}.rss.{name}', found.rss_mb, 'MB')

    def _alone(self, load: Load) -> None:
        _say(f'{self._count} boots, one at a time')
        with cost_of(self._deployment.pids) as cost:
            boots = [load.boot() for _ in range(self._count)]
        self._add_boots(boots)
        self._add_cost('boot.alone', cost, self._count)
        self._delete(load, self._count)

    def _beside_bare(self, load: Load, bare: Callable[[str], BareStart]) -> None:
        """Real guests: each is started beside a bare one, and there is never more than one of them."""
        _say(f'{self._count} boots, one at a time, each beside a bare start of the same domain')
        boots, bare_s = [], []
        for _ in range(self._count):
            boots.append(load.boot())
            start = bare(boots[-1].server_id)
            load.delete_all(1)
            bare_s.append(start())
        self._add_boots(boots)
        self._figures.add_percentiles('bare', [each_s * _MS for each_s in bare_s], (50, 95), 'ms')
        more_s = less([boot.active_s for boot in boots], bare_s)
        self._figures.add_percentiles('active_less_bare', [each_s * _MS for each_s in more_s], (50, 95), 'ms')

    def _many(self, load: Load, name: str, count: int, boot: Callable[[], float]) -> None:
        _say(f'{count} boots, {name}')
        with cost_of(self._deployment.pids) as cost:
            taken_s = boot()
        self._figures.add(f'boots.{name}', count / taken_s, '1/s', count=count)
        self._add_cost(f'boot.{name}', cost, count)
        self._delete(load, count)

    def _delete(self, load: Load, count: int) -> None:
        """Remove what a part has left; measured the first time."""
        load.check_active(count)
        with cost_of(self._deployment.pids) as cost:
            taken_s = load.delete_all(DELETE_WIDTH)
        if not self._deletes_measured:
            self._figures.add(f'deletes.wide_{DELETE_WIDTH}', count / taken_s, '1/s', count=count)
            self._add_cost(f'delete.wide_{DELETE_WIDTH}', cost, count)
            self._deletes_measured = True

    def _add_boots(self, boots: list[Boot]) -> None:
        self._figures.add_percentiles('post', [boot.answered_s * _MS for boot in boots], (50, 95, 99), 'ms')
        self._figures.add_percentiles('active', [boot.active_s * _MS for boot in boots], (50, 95), 'ms')
        self._figures.add('looks.alone', sum(boot.looks for boot in boots) / len(boots), 'requests/boot')

    def _add_cost(self, name: str, cost: Cost, count: int) -> None:
        spent: Mapping[str, float] = cost.cpu_s | {'client': cost.client_cpu_s}
        for process, seconds in spent.items():
            self._figures.add(f'cpu.{name}.{process}', seconds * _MS / count, 'ms', count=count)


def _say(what: str) -> None:
    print(f'… {what}', file=sys.stderr, flush=True)
