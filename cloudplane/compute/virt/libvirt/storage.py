"""A guest's folder on the host: its root disk, its config drive, its console log, and the record of what it should be.

    STATE/instances/SERVER/root.qcow2      what the guest wrote, on the base image that guests share
    STATE/instances/SERVER/config.iso      the config drive
    STATE/instances/SERVER/guest.json      what a hard reboot makes the guest from anew
    STATE/instances/SERVER/console.log     written by virtlogd, which also keeps console.log.0 and so on
    STATE/instances/SERVER/copies/         disks that are being copied; whatever lies here may be thrown away

QEMU runs as a user of its own: it must be able to pass through the folders, and libvirt gives it the files.
"""

import os
import shutil
import stat
import uuid
from pathlib import Path
from typing import Final

import msgspec

from cloudplane.compute import overlay
from cloudplane.compute.virt.driver import Token
from cloudplane.compute.virt.libvirt.domain_xml import Files
from cloudplane.concurrency import BlockingPool
from cloudplane.exceptions import ConfigurationError, GuestError, GuestInvalid
from cloudplane.objects.operation import GuestSpec
from cloudplane.objects.server import Address

_FOLDER_MODE: Final = 0o711  # to be passed through, not to be listed
_FILE_MODE: Final = 0o600
_GIB: Final = 1 << 30


class GuestRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a guest should be, without the secrets that only its config drive holds."""

    spec: GuestSpec
    addresses: tuple[Address, ...]
    sequence: int
    operation_id: str
    attempt: int


class Storage:
    """The folders of all guests of this host."""

    def __init__(self, state_path: Path, pool: BlockingPool) -> None:
        self._root, self._pool = state_path.absolute() / 'instances', pool

    def prepare(self, qemu_user: tuple[int, int] | None) -> None:
        """Make the folder of the guests' folders; ConfigurationError if QEMU could not open files in there."""
        try:
            _make_folder(self._root.parent)
            _make_folder(self._root)
        except OSError as error:
            raise ConfigurationError(f'Cannot make {self._root}: {error.strerror}') from error
        barrier = _barrier(self._root, qemu_user) if qemu_user is not None else None
        if barrier is not None:
            raise ConfigurationError(
                f"QEMU's user (uid {qemu_user and qemu_user[0]}) cannot pass through {barrier}, so guests could not "
                f'open their disks. Set state_path to a folder under /var/lib, or: chmod o+x {barrier}'
            )

    def files(self, server_id: str, *, config_drive: bool) -> Files:
        """Where the parts of a guest lie."""
        folder = self.folder(server_id)
        return Files(
            root_disk=folder / 'root.qcow2',
            console_log=folder / 'console.log',
            config_drive=folder / 'config.iso' if config_drive else None,
        )

    def folder(self, server_id: str) -> Path:
        """The folder of a guest, which need not exist."""
        try:
            return self._root / str(uuid.UUID(server_id))
        except ValueError as error:
            raise GuestInvalid(f'{server_id!r} is not the id of a server') from error

    def exists(self, server_id: str) -> bool:
        """Whether a guest has a folder."""
        return self.folder(server_id).exists()

    def server_ids(self) -> set[str]:
        """The servers that have a folder."""
        return {entry.name for entry in self._root.iterdir() if entry.is_dir()}

    def make_folder(self, server_id: str) -> Path:
        """Make the folder of a guest."""
        folder = self.folder(server_id)
        try:
            _make_folder(folder)
        except OSError as error:
            raise GuestError(f'Cannot make {folder}: {error.strerror}') from error
        return folder

    def make_copies_folder(self, server_id: str) -> Path:
        """Make the folder for disks that are being copied."""
        self.make_folder(server_id)
        copies = self.folder(server_id) / 'copies'
        _make_folder(copies)
        return copies

    def remove_copies(self, server_id: str) -> None:
        """Throw away the disks that were being copied."""
        self._remove(self.folder(server_id) / 'copies')

    def make_root_disk(self, spec: GuestSpec, token: Token, base: Path | None) -> None:
        """The root disk as an overlay of `base`; one that exists is complete."""
        overlay.make_overlay(
            base,
            self.make_folder(spec.server_id) / 'root.qcow2',
            size_gb=spec.flavor.root_gb,
            operation_id=token.operation_id,
            attempt=token.attempt,
            pool=self._pool,
        )

    def write_config_drive(self, server_id: str, token: Token, content: bytes) -> None:
        """The config drive; one that exists is complete."""
        path = self.make_folder(server_id) / 'config.iso'
        if not path.exists():
            self._pool.run(_write, path, token, content)

    def write_record(self, record: GuestRecord) -> None:
        """Note what the guest should be."""
        spec = record.spec.evolve(admin_pass=None, user_data=None)
        content = msgspec.json.encode(msgspec.structs.replace(record, spec=spec))
        token = Token(operation_id=record.operation_id, sequence=record.sequence, attempt=record.attempt)
        path = self.make_folder(record.spec.server_id) / 'guest.json'
        self._pool.run(_write, path, token, content)

    def read_record(self, server_id: str) -> GuestRecord | None:
        """What the guest should be; None if that was never noted."""
        path = self.folder(server_id) / 'guest.json'
        try:
            return msgspec.json.decode(path.read_bytes(), type=GuestRecord)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise GuestError(f'{path} is damaged: {error}') from error

    def remove(self, server_id: str) -> None:
        """Remove a guest's folder with all that is in it."""
        self._remove(self.folder(server_id))

    def disk_gb(self) -> int:
        """The size of the file system that the guests' disks lie on."""
        space = os.statvfs(self._root)
        return space.f_frsize * space.f_blocks // _GIB

    def _remove(self, folder: Path) -> None:
        try:
            self._pool.run(shutil.rmtree, folder)
        except FileNotFoundError:
            return
        except OSError as error:
            raise GuestError(f'Cannot remove {folder}: {error}') from error


def _make_folder(path: Path) -> None:
    if not path.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(_FOLDER_MODE)  # whatever the umask


def _write(path: Path, token: Token, content: bytes) -> None:
    """Make a file as a whole. In a native thread."""
    part = path.with_name(f'{path.name}.{token.operation_id}.{token.attempt}.part')
    part_fd = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _FILE_MODE)
    with open(part_fd, 'wb') as opened:
        opened.write(content)
        opened.flush()
        os.fsync(part_fd)
    os.rename(part, path)


def _barrier(path: Path, user: tuple[int, int]) -> Path | None:
    """The first folder on the way to `path` that the user cannot pass through."""
    uid, gid = user
    for folder in [*reversed(path.parents), path]:
        about = folder.stat()
        if about.st_uid == uid:
            may_pass = about.st_mode & stat.S_IXUSR
        elif about.st_gid == gid:
            may_pass = about.st_mode & stat.S_IXGRP
        else:
            may_pass = about.st_mode & stat.S_IXOTH
        if not may_pass:
            return folder
    return None
