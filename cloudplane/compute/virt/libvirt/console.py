"""What a guest has said on its serial console: virtlogd writes it to a file, and keeps a few older ones beside it."""

from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 1 << 20  # an answer to one request, not a download


def tail(log: Path, lines: int | None) -> str:
    """The last lines of a console, or all that is kept (but never more than 1 MiB). Blocks."""
    text = b''
    for path in (log, *(log.with_name(f'{log.name}.{number}') for number in range(10))):
        if len(text) >= _MOST_BYTES or (lines is not None and text.count(b'\n') > lines):
            break
        older = _end_of(path, _MOST_BYTES - len(text))
        if older is None:
            break
        text = older + text
    decoded = text.decode(errors='replace')
    return decoded if lines is None else ''.join(decoded.splitlines(keepends=True)[-lines:] if lines else [])


def _end_of(path: Path, most_bytes: int) -> bytes | None:
    try:
        with open(path, 'rb') as opened:
            size_bytes = opened.seek(0, 2)
            opened.seek(max(0, size_bytes - most_bytes))
            return opened.read(most_bytes)
    except FileNotFoundError:
        return None
