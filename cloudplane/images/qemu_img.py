"""qemu-img, run on files that nobody vouches for: with limits of memory and processor time, and a time to end.

It is given only files whose header has been read before (inspector.py): it never follows a backing file from here.
"""

import subprocess
from pathlib import Path
from typing import Any

import msgspec

from cloudplane.exceptions import ConfigurationError
from cloudplane.images.errors import ImageInvalid

_ENVIRONMENT = {
    'PATH': '/usr/sbin:/usr/bin:/sbin:/bin',
    'LC_ALL': 'C.UTF-8',
    # Each thread would reserve an arena of 64 MB: with some of them, a sound image is over the limit of memory.
    'MALLOC_ARENA_MAX': '1',
}
_CHECK_SOUND = 0
_CHECK_LEAKS = 3  # clusters that nothing uses: harmless


class QemuImgLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of qemu-img may take."""

    memory_mb: int = 1024  # of address space
    cpu_s: int = 30
    timeout_s: float = 120.0


class QemuImg:
    """The commands of qemu-img that inspect."""

    def __init__(self, limits: QemuImgLimits | None = None, command: str = 'qemu-img') -> None:
        self._limits, self._command = limits or QemuImgLimits(), command

    def info(self, path: Path, disk_format: str) -> dict[str, Any]:
        """What QEMU sees in a file of this format. Raises ImageInvalid.

        The format is never left to QEMU: while it probes, it opens the files that a vmdk descriptor names.
        """
        done = self._run('info', '--output=json', '-f', disk_format, str(path.absolute()))
        if done.returncode != 0:
            raise ImageInvalid(f'qemu-img cannot read it: {_reason(done, path)}')
        return _decoded(done)

    def check(self, path: Path, disk_format: str) -> dict[str, Any]:
        """The result of a consistency check that found nothing harmful. Raises ImageInvalid."""
        done = self._run('check', '--output=json', '-f', disk_format, str(path.absolute()))
        if done.returncode not in (_CHECK_SOUND, _CHECK_LEAKS):
            raise ImageInvalid(f'its structure is damaged: {_reason(done, path)}')
        return _decoded(done)

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        limits = self._limits
        command = ['prlimit', f'--as={limits.memory_mb << 20}', f'--cpu={limits.cpu_s}', '--core=0', self._command]
        try:
            done = subprocess.run(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors='replace',
                timeout=limits.timeout_s,
                env=_ENVIRONMENT,
            )
        except FileNotFoundError as error:
            raise ConfigurationError('prlimit is not installed; it is part of util-linux.') from error
        except subprocess.TimeoutExpired as error:
            raise ImageInvalid(f'inspecting it took more than {limits.timeout_s:g} s') from error
        if 'failed to execute' in done.stderr:
            raise ConfigurationError(f'{self._command} cannot be run; it is part of qemu-utils.')
        if done.returncode < 0:  # killed by the kernel, or ended itself for want of memory
            raise ImageInvalid(
                f'inspecting it takes more than {limits.cpu_s} s of processor time or {limits.memory_mb} MB of memory'
            )
        return done


def _decoded(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(done.stdout, type=dict[str, Any])
    return decoded


def _reason(done: subprocess.CompletedProcess[str], path: Path) -> str:
    """The first line that it said, without the server's paths and program names."""
    lines = (done.stderr.strip() or f'exit status {done.returncode}').splitlines()
    return lines[0].removeprefix('qemu-img: ').replace(str(path.absolute()), 'the file').rstrip('.')
