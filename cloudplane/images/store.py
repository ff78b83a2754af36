"""The contract of an image store: the one thing that the services know of images.

The API creates, uploads, shows and deletes; an agent fetches what it boots, through its cache, and writes snapshots.
A store may be a folder (folder.py), and later Image v2 over HTTP or Glance. Who may see or change an image is decided
by the caller, from `owner` and `visibility`: a store does what it is told.

All methods may be called from any ordinary thread, of several processes at once, and wait cooperatively. Every one of
them may be called again with the same arguments after a crash at any point.
"""

import abc
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

import msgspec

from cloudplane.objects.image import Image

# Called in the caller's thread after each piece of a transfer with the bytes that are done, and all of them if known.
# What it raises ends the transfer, which removes what it has written and passes the exception on: so one cancels.
Progress = Callable[[int, int | None], None]


def no_progress(_done_bytes: int, _total_bytes: int | None) -> None:
    """The Progress of a caller that does not want to know."""


class ByteSource(Protocol):
    """What data is read from: a request body, an open file. `read` waits cooperatively; b'' is the end."""

    def read(self, size: int, /) -> bytes: ...


class ImageReader(ByteSource, Protocol):
    """The data of an image while it is read; also a context manager that closes it."""

    def close(self) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> None: ...


class ImageQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What a list asks for. None: do not filter."""

    status: str | None = None
    name: str | None = None
    visibility: str | None = None
    owner: str | None = None
    visible_to: str | None = None  # project id: its own images and the public ones


class ImageUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """What to change of an image; UNSET: leave it. `properties` replaces all of them."""

    name: str | msgspec.UnsetType = msgspec.UNSET
    visibility: str | msgspec.UnsetType = msgspec.UNSET
    protected: bool | msgspec.UnsetType = msgspec.UNSET
    min_disk_gb: int | msgspec.UnsetType = msgspec.UNSET
    min_memory_mb: int | msgspec.UnsetType = msgspec.UNSET
    properties: dict[str, str] | msgspec.UnsetType = msgspec.UNSET


class ImageStore(abc.ABC):
    """Where images are kept.

    Any method may raise ServiceUnavailable when the store cannot be reached, and ImageSpaceExhausted if it writes.
    """

    @abc.abstractmethod
    def create(self, image: Image) -> Image:
        """Make the record of an image without data: its status becomes `queued` and it is given its times.

        Asked again with the same id and owner, it returns the record that exists and changes nothing, whatever its
        status. Raises ImageExists if the id belongs to another owner, ImageInvalid for a bad id, format or visibility.
        """

    @abc.abstractmethod
    def get(self, image_id: str) -> Image:
        """The record. Raises ImageNotFound."""

    @abc.abstractmethod
    def find(self, query: ImageQuery) -> list[Image]:
        """The records that match, newest first."""

    @abc.abstractmethod
    def update(self, image_id: str, changes: ImageUpdate) -> Image:
        """Change what an owner may change; returns the new record. Raises ImageNotFound, ImageInvalid."""

    @abc.abstractmethod
    def upload(self, image_id: str, source: ByteSource | Path, progress: Progress = no_progress) -> Image:
        """Give a queued image its data, from a stream or a local file, and make it active.

        The data is inspected before anybody can see it. Whatever fails, nothing of it is left and the image is `queued`
        again. Raises ImageNotFound, ImageInvalid with the reason, ImageBusy (another upload
        runs, or the image has its data, or it belongs to a snapshot); and what reading the source raises.
        """

    @abc.abstractmethod
    def open(self, image_id: str) -> ImageReader:
        """The data of an active image, from its start. A delete meanwhile does not disturb the reader.

        Raises ImageNotFound, ImageNotActive.
        """

    @abc.abstractmethod
    def local_path(self, image_id: str) -> Path | None:
        """The file with the data of an active image if it can be read on this machine, else None.

        It may be copied or read, never written, nor kept: a delete removes it. Raises ImageNotFound, ImageNotActive.
        """

    @abc.abstractmethod
    def delete(self, image_id: str, *, missing_ok: bool = False) -> None:
        """Remove the record and the data. Raises ImageProtected; ImageNotFound unless `missing_ok`."""

    # Snapshots: the data is written by QEMU itself, to a file on this machine.

    @abc.abstractmethod
    def part_path(self, image_id: str, operation_id: str, attempt: int, *, fresh: bool = True) -> Path:
        """Begin, for one attempt of the operation that made the record, and say where to write the data.

        From now on lower attempts are refused, and their files are gone. With `fresh` there is nothing at that path;
        without, a file that the same attempt wrote is kept (an agent that adopts a running job). The image is `saving`.
        Raises ImageNotFound, ImageAttemptStale, ImageBusy (another operation's image, or it is active).
        """

    @abc.abstractmethod
    def commit_part(self, image_id: str, operation_id: str, attempt: int, progress: Progress = no_progress) -> Image:
        """Inspect what was written at `part_path`, hash it, and make the image active.

        The writer must have ended. If this operation has made the image active already, that record is returned.
        If it fails, the file is gone and the image is still `saving`: the caller writes it again, or discards it.
        Raises ImageNotFound, ImageAttemptStale, ImageBusy, ImageInvalid.
        """

    @abc.abstractmethod
    def discard(self, image_id: str, operation_id: str) -> bool:
        """Remove the unfinished image of an operation, record and files, and say whether there was one.

        An image that is active, or missing, or another operation's, is left as it is: False.
        """
