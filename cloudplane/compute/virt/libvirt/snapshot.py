"""Copies of a root disk, whole and consistent: by a backup job of QEMU while the guest runs, by qemu-img while not.

A backup job leaves no overlay behind whatever dies, but it lives on in QEMU when the agent is killed: `end_copies`.
"""

import logging
import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, Final

import libvirt

from cloudplane.compute import overlay
from cloudplane.compute.virt.driver import Progress
from cloudplane.compute.virt.libvirt import domain_xml, events
from cloudplane.compute.virt.libvirt.events import Events, Watch
from cloudplane.compute.virt.libvirt.guest import Guest
from cloudplane.compute.virt.libvirt.storage import Storage
from cloudplane.concurrency import BlockingPool
from cloudplane.exceptions import Cancelled, GuestError, GuestNotFound

LOG = logging.getLogger(__name__)

_LOOK_S: Final = 0.2
_WITH_US: Final = ('setpriv', '--pdeathsig', 'KILL')  # of util-linux: kills what follows when our thread ends
_ABORT_S: Final = 30.0
_DYING_S: Final = 5.0
_PERCENT: Final = re.compile(rb'\((\d+\.\d+)/100%\)')
_DONE: Final = 'done'
_TURNED_OFF: Final = 'the guest was turned off'
_COMPLETED: Final = libvirt.VIR_DOMAIN_JOB_STATS_COMPLETED
_BETWEEN: Final = 'backup job data missing'  # libvirt's words while a job begins or ends
_ENDED: Final = (libvirt.VIR_DOMAIN_JOB_COMPLETED, libvirt.VIR_DOMAIN_JOB_FAILED, libvirt.VIR_DOMAIN_JOB_CANCELLED)


class _Growing:
    """Keeps a count of bytes growing when the work begins anew, because the guest was turned off meanwhile."""

    def __init__(self, advance: Callable[[int], None]) -> None:
        self._advance = advance
        self._before = self._now = 0

    def advance(self, done: int) -> None:
        """So much of the present try."""
        if done < self._now:
            self._before += self._now
        self._now = done
        self._advance(self._before + done)


class Snapshots:
    """Copies the disks of this host's guests."""

    def __init__(self, storage: Storage, all_events: Events, pool: BlockingPool) -> None:
        self._storage, self._events, self._pool = storage, all_events, pool

    def end(self, guest: Guest, server_id: str) -> None:
        """End the job that a dead agent left, and remove what it wrote."""
        try:
            _abort(guest)
        except GuestNotFound:
            LOG.debug('No guest %s, so no job of it', server_id)
        self._storage.remove_copies(server_id)

    def copy(self, guest: Guest, server_id: str, target: Path, progress: Progress) -> None:
        """Write a flat qcow2 image of the root disk to `target`."""
        # QEMU writes in the guest's own folder, the one place that it is sure to reach.
        copy = self._storage.make_copies_folder(server_id) / target.name
        copy.unlink(missing_ok=True)
        growing = Progress(_Growing(progress.advance).advance, progress.cancelled)
        if not self._copied_live(guest, server_id, copy, growing):
            copy.unlink(missing_ok=True)
            _convert(self._storage.files(server_id, config_drive=False).root_disk, copy, growing)
        self._pool.run(_hand_over, copy, target)

    def _copied_live(self, guest: Guest, server_id: str, copy: Path, progress: Progress) -> bool:
        """Let QEMU copy; False if the guest is off, or was turned off meanwhile."""
        with self._events.watch(server_id) as watch:
            if not guest.call('copy the disk of', lambda domain: _begin(domain, copy)):
                return False
            try:
                while (outcome := self._look(guest, watch, progress)) is None:
                    if progress.cancelled.is_set():
                        raise Cancelled
                    if not watch.saw(events.JOB_ENDED):
                        watch.wait(_LOOK_S)
            except BaseException:
                _abort(guest)
                raise
        if outcome not in (_DONE, _TURNED_OFF):
            raise GuestError(f'The disk of {server_id} could not be copied: {outcome}')
        return outcome == _DONE

    def _look(self, guest: Guest, watch: Watch, progress: Progress) -> str | None:
        """How the copy ended, or None; tells how far it is."""
        try:
            outcome, copied_bytes = guest.call('watch the copy of', _outcome)
        except GuestError:
            # While QEMU dies under the job, libvirt takes a moment to see that the guest is off.
            end_s = time.monotonic() + _DYING_S
            while guest.call('look at', lambda domain: bool(domain.isActive())):
                if time.monotonic() > end_s:
                    raise
                watch.wait(_LOOK_S)
            return _TURNED_OFF
        if outcome is None:
            progress.advance(copied_bytes)
        return outcome


# In a native thread.


def _begin(domain: Any, copy: Path) -> bool:
    """Begin to copy; False if the guest is off. A copy that runs already is ours: libvirtd went away meanwhile."""
    if not domain.isActive():
        return False
    if not copy.exists():
        if _job(domain):
            raise GuestError(f'Another job works on {domain.name()}')
        domain.jobStats(_COMPLETED)  # forgets how the one before ended
        try:
            domain.backupBegin(domain_xml.backup(copy), None, 0)
        except libvirt.libvirtError:
            if domain.isActive():
                raise
            return False
    return True


def _job(domain: Any) -> dict[str, Any]:
    """What libvirt says of the job that works on the domain now; empty if there is none."""
    try:
        found: dict[str, Any] = domain.jobStats()
    except libvirt.libvirtError as error:
        if not domain.isActive():
            return {}
        if _BETWEEN in (error.get_error_message() or ''):
            return {'type': libvirt.VIR_DOMAIN_JOB_UNBOUNDED, 'operation': libvirt.VIR_DOMAIN_JOB_OPERATION_UNKNOWN}
        raise
    return found if found['type'] != libvirt.VIR_DOMAIN_JOB_NONE else {}


def _outcome(domain: Any) -> tuple[str | None, int]:
    """None while the job runs; then how it ended: _DONE, or why not. And the bytes that it has copied."""
    found = _job(domain)
    return (None, int(found.get('disk_processed', 0))) if found else (_end(domain), 0)


def _end(domain: Any) -> str:
    try:
        done = domain.jobStats(_COMPLETED | libvirt.VIR_DOMAIN_JOB_STATS_KEEP_COMPLETED)
    except libvirt.libvirtError:
        if domain.isActive():
            raise
        return _TURNED_OFF
    if not domain.isActive():
        return _TURNED_OFF
    if done.get('operation') != libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP or done['type'] not in _ENDED:
        return 'libvirt does not know how the job ended'
    if done.get('success') or (done['type'] == libvirt.VIR_DOMAIN_JOB_COMPLETED and 'success' not in done):
        return _DONE
    return str(done.get('errmsg') or 'the job was cancelled')


def _abort_job(domain: Any) -> bool:
    """Ask for the end of a backup job; True when none is left."""
    found = _job(domain)
    if found.get('operation') == libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP:
        domain.abortJob()
    return not found


# In an ordinary thread.


def _abort(guest: Guest) -> None:
    end_s = time.monotonic() + _ABORT_S
    while not guest.call('end the copying of', _abort_job):
        if time.monotonic() > end_s:
            raise GuestError(f'A job on the disk of the guest did not end within {_ABORT_S:g} s')
        time.sleep(0.05)


def _convert(source: Path, target: Path, progress: Progress) -> None:
    """qemu-img, which dies with us: a reader that lives on would keep the guest from being started."""
    size_bytes = overlay.virtual_size_bytes(source)
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [*_WITH_US, 'qemu-img', 'convert', '-p', '-f', 'qcow2', '-O', 'qcow2', str(source), str(target)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            while not _has_ended(process):
                if progress.cancelled.is_set():
                    raise Cancelled
                progress.advance(int(_fraction(output) * size_bytes))
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode != 0:
            output.seek(0)
            last = output.read().decode(errors='replace').replace('\r', '\n').strip().splitlines()[-1:]
            raise GuestError(f'qemu-img could not copy {source}: {last[0] if last else process.returncode}')


def _has_ended(process: 'subprocess.Popen[bytes]') -> bool:
    try:
        process.wait(_LOOK_S)
    except subprocess.TimeoutExpired:
        return False
    return True


def _fraction(output: IO[bytes]) -> float:
    output.seek(0)
    found = _PERCENT.findall(output.read())
    return float(found[-1]) / 100 if found else 0.0


def _hand_over(copy: Path, target: Path) -> None:
    """In a native thread: move the copy to where it was asked for, as a file of ours."""
    os.chown(copy, os.geteuid(), os.getegid())
    copy.chmod(0o600)
    shutil.move(copy, target)
