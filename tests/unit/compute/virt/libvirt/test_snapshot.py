"""How the end of a copy is understood, and copies of disks that nobody uses."""

import subprocess
import threading
from pathlib import Path
from typing import Any

import libvirt
import pytest

from cloudplane.compute.virt.driver import Progress
from cloudplane.compute.virt.libvirt import snapshot
from cloudplane.exceptions import Cancelled, GuestError
from tests.unit.compute.virt.libvirt.specs import libvirt_error


class FakeDomain:
    """A domain with or without a job."""

    def __init__(self, *, active: bool = True, job: dict[str, Any] | None = None, **done: Any) -> None:
        self._active = active
        self.job = job or {'type': libvirt.VIR_DOMAIN_JOB_NONE}
        self._done = {'type': libvirt.VIR_DOMAIN_JOB_NONE} | done
        self.aborted = False

    def isActive(self) -> int:  # noqa: N802 - libvirt's name
        return int(self._active)

    def jobStats(self, flags: int = 0) -> dict[str, Any]:  # noqa: N802
        if not self._active and not flags:
            raise libvirt_error(libvirt.VIR_ERR_OPERATION_INVALID, 'domain is not running')
        if flags:
            return self._done
        if 'error' in self.job:
            raise libvirt_error(libvirt.VIR_ERR_INTERNAL_ERROR, self.job['error'])
        return self.job

    def abortJob(self) -> None:  # noqa: N802
        self.aborted = True
        self.job = {'type': libvirt.VIR_DOMAIN_JOB_NONE}


BACKUP = {'operation': libvirt.VIR_DOMAIN_JOB_OPERATION_BACKUP}


def outcome(**about: Any) -> str | None:
    """What is made of it."""
    return snapshot._outcome(FakeDomain(**about))[0]


RUNNING = {'type': libvirt.VIR_DOMAIN_JOB_UNBOUNDED, 'disk_processed': 7}


def test_a_job_that_runs_has_no_outcome() -> None:
    assert outcome(job=RUNNING | BACKUP) is None
    assert snapshot._outcome(FakeDomain(job=RUNNING | BACKUP)) == (None, 7)


def test_a_job_of_which_libvirt_cannot_speak_yet_or_any_more_still_runs() -> None:
    between = {'error': 'internal error: backup job data missing'}
    assert outcome(job=between) is None
    assert snapshot._outcome(FakeDomain(job=between)) == (None, 0)
    with pytest.raises(libvirt.libvirtError):
        outcome(job={'error': 'internal error: something else'})


def test_only_backups_are_ended() -> None:
    backup, other = FakeDomain(job=RUNNING | BACKUP), FakeDomain(job=RUNNING | {'operation': 0})
    assert not snapshot._abort_job(backup)
    assert snapshot._abort_job(backup)
    assert backup.aborted
    assert not snapshot._abort_job(other)
    assert not other.aborted
    assert snapshot._abort_job(FakeDomain(active=False))


def test_success_is_what_libvirt_calls_so() -> None:
    assert outcome(type=libvirt.VIR_DOMAIN_JOB_COMPLETED, success=True, **BACKUP) == snapshot._DONE


def test_a_failure_is_told_in_qemus_words() -> None:
    failed = outcome(type=libvirt.VIR_DOMAIN_JOB_FAILED, success=False, errmsg='No space left on device', **BACKUP)
    assert failed == 'No space left on device'


def test_a_job_that_was_cancelled_made_no_copy() -> None:
    assert outcome(type=libvirt.VIR_DOMAIN_JOB_CANCELLED, **BACKUP) == 'the job was cancelled'


def test_silence_is_not_taken_for_success() -> None:
    assert outcome() == 'libvirt does not know how the job ended'
    other = {'operation': libvirt.VIR_DOMAIN_JOB_OPERATION_SNAPSHOT}
    assert outcome(type=libvirt.VIR_DOMAIN_JOB_COMPLETED, success=True, **other) == outcome()


def test_a_guest_that_is_off_has_not_finished_the_job() -> None:
    assert outcome(active=False, type=libvirt.VIR_DOMAIN_JOB_COMPLETED, **BACKUP) == snapshot._TURNED_OFF


def test_progress_grows_when_the_work_begins_anew() -> None:
    seen: list[int] = []
    growing = snapshot._Growing(seen.append)
    for done in (0, 10, 40, 0, 10, 50):
        growing.advance(done)
    assert seen == [0, 10, 40, 40, 50, 90]


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """A disk on a base, with data in both."""
    base, path = tmp_path / 'base.raw', tmp_path / 'disk.qcow2'
    base.write_bytes(b'base' * 50000)
    subprocess.run(
        ['qemu-img', 'create', '-q', '-f', 'qcow2', '-b', str(base), '-F', 'raw', str(path), '1M'], check=True
    )
    return path


def test_a_copy_stands_on_nothing(disk: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    snapshot._convert(disk, tmp_path / 'copy', Progress(seen.append))

    compared = subprocess.run(['qemu-img', 'compare', str(disk), str(tmp_path / 'copy')], capture_output=True)
    assert compared.returncode == 0
    information = subprocess.run(['qemu-img', 'info', str(tmp_path / 'copy')], capture_output=True, text=True).stdout
    assert 'backing file' not in information
    assert 'file format: qcow2' in information


def test_a_copy_that_fails_says_why(disk: Path, tmp_path: Path) -> None:
    with pytest.raises(GuestError, match=r'could not copy .*disk.qcow2: .*absent'):
        snapshot._convert(disk, tmp_path / 'absent' / 'copy', Progress())


def test_a_copy_can_be_cancelled(disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The copy is a command that would go on for ever."""
    monkeypatch.setattr(snapshot, '_WITH_US', ('sh', '-c', 'exec sleep 600'))
    monkeypatch.setattr(snapshot, '_LOOK_S', 0.01)
    cancelled = threading.Event()
    cancelled.set()
    with pytest.raises(Cancelled):
        snapshot._convert(disk, tmp_path / 'copy', Progress(cancelled=cancelled))
