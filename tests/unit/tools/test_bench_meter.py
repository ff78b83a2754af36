"""What tools/bench reads from the kernel."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tools.benchmark import meter

ROLLUP = """\
55d0c8a00000-7ffd4b5f2000 ---p 00000000 00:00 0                          [rollup]
Rss:              131072 kB
Pss:              102400 kB
Pss_Anon:          90000 kB
Shared_Clean:      30000 kB
Locked:                0 kB
"""


def test_memory_is_told_in_megabytes_of_a_million_bytes() -> None:
    assert meter.parse_rollup(ROLLUP) == meter.Memory(pss_mb=104.8576, rss_mb=134.217728)


def test_the_memory_of_a_process_is_there_to_be_read() -> None:
    found = meter.memory(os.getpid())
    assert 0 < found.pss_mb <= found.rss_mb


def test_the_time_of_children_that_ended_is_counted() -> None:
    before_s = meter.cpu_s(os.getpid())
    subprocess.run([sys.executable, '-S', '-c', 'import time\nwhile time.process_time() < 0.2: pass'], check=True)
    assert meter.cpu_s(os.getpid()) - before_s >= 0.15


def test_own_time_is_counted() -> None:
    before_s, began_s = meter.cpu_s(os.getpid()), time.process_time()
    while time.process_time() - began_s < 0.1:
        sum(range(1000))
    assert meter.cpu_s(os.getpid()) - before_s >= 0.07


def test_the_disk_is_asked_as_often_as_wanted(tmp_path: Path) -> None:
    assert len(meter.fsync_s(tmp_path, 3)) == 3
    assert list(tmp_path.iterdir()) == []
