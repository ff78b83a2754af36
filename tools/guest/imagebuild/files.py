"""Copying files into the tree that becomes a file system."""

import shutil
from pathlib import Path


def copy_tree(source: Path, target: Path) -> None:
    """Copy the files of a folder over another one."""
    for path in sorted(path for path in source.rglob('*') if path.is_file()):
        copy_file(path, target / path.relative_to(source))


def copy_file(source: Path, target: Path) -> None:
    """Copy a file with one of two modes, whatever the umask of the checkout or of the caller was."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755 if source.stat().st_mode & 0o100 else 0o644)
