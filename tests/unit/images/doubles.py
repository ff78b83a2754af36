"""Stand-ins for what an image store works with."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cloudplane.images.errors import ImageInvalid
from cloudplane.images.inspector import Inspection

PROJECT = 'f7ac731cc11f40efbc03a9f9e1d1d21f'


class TrustingInspector:
    """Takes every file for a sound one, unless it was told a reason to refuse."""

    def __init__(self) -> None:
        self.refuse_because: str | None = None
        self.seen: list[tuple[Path, str]] = []

    def inspect(self, path: Path, disk_format: str) -> Inspection:
        """See Inspector."""
        self.seen.append((path, disk_format))
        if self.refuse_because is not None:
            raise ImageInvalid(f'The image is refused: {self.refuse_because}.')
        return Inspection(virtual_size_bytes=path.stat().st_size)


class TickingClock:
    """A clock that moves by one second each time that it is read."""

    def __init__(self) -> None:
        self._now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The next second."""
        self._now += timedelta(seconds=1)
        return self._now


class BrokenSource(io.BytesIO):
    """A body whose client goes away after the first piece."""

    def read(self, size: int | None = -1, /) -> bytes:
        """One piece, then a broken connection."""
        piece = super().read(size)
        if not piece:
            raise ConnectionResetError('the client has gone')
        return piece
