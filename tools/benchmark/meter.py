"""What the kernel says of a process: its processor time and its memory."""

import os
import time
from pathlib import Path

import msgspec

_TICKS = os.sysconf('SC_CLK_TCK')
_MB = 1e6


class Memory(msgspec.Struct, frozen=True, kw_only=True):
    """Megabytes (10^6 bytes). PSS divides pages that several processes share among them; RSS counts them in full."""

    pss_mb: float
    rss_mb: float


def cpu_s(pid: int) -> float:
    """Processor seconds of all threads of a process, and of its children that have ended."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / _TICKS


def memory(pid: int) -> Memory:
    """What a process has in memory now."""
    return parse_rollup(Path(f'/proc/{pid}/smaps_rollup').read_text())


def parse_rollup(text: str) -> Memory:
    """From the lines of smaps_rollup, which are in KiB."""
    kib = {line.split(':')[0]: int(line.split()[1]) for line in text.splitlines() if line.endswith(' kB')}
    return Memory(pss_mb=kib['Pss'] * 1024 / _MB, rss_mb=kib['Rss'] * 1024 / _MB)


def fsync_s(folder: Path, count: int = 100) -> list[float]:
    """How long the disk takes for 4 KiB that must not be lost: the floor under everything that is committed."""
    samples = []
    path = folder / 'fsync-probe'
    with open(path, 'wb', buffering=0) as opened:
        for _ in range(count):
            opened.write(bytes(4096))
            begin_s = time.perf_counter()
            os.fsync(opened.fileno())
            samples.append(time.perf_counter() - begin_s)
    path.unlink()
    return samples
