"""Built images, kept in a cache under the digest of their recipe, and handed out as files of their own."""

import fcntl
import filecmp
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

Build = Callable[[Path, Path], None]


def default_cache() -> Path:
    """Where packages and images are kept unless the caller says otherwise."""
    base = os.environ.get('XDG_CACHE_HOME') or str(Path.home() / '.cache')
    return Path(base) / 'cloudplane' / 'guest-image'


def recipe_digest(sources: Iterable[Path], *words: str) -> str:
    """A digest of all that decides what is built, down to the modes of the files."""
    digest = hashlib.sha256('\0'.join(words).encode())
    for source in sources:
        for path in files_of(source):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            executable = os.access(path, os.X_OK)
            digest.update(f'{path.relative_to(source.parent)}\0{executable}\0{content}\n'.encode())
    return digest.hexdigest()


def files_of(source: Path) -> list[Path]:
    """The files of a folder, or the file itself."""
    if source.is_file():
        return [source]
    return sorted(path for path in source.rglob('*') if path.is_file() and path.suffix != '.pyc')


def obtain(name: str, digest: str, cache: Path, build: Build, *, rebuild: bool) -> Path:
    """The image of a recipe: from the cache, or built into it by build(scratch folder, image file)."""
    cache.mkdir(parents=True, exist_ok=True)
    image = cache / f'{name}-{digest[:16]}.qcow2'
    with locked(cache / f'{name}.lock'):
        if rebuild or not image.exists():
            build_into(image, build)
    return image


def build_into(image: Path, build: Build) -> None:
    """Build in a scratch folder beside the image; the image appears whole or not at all."""
    with tempfile.TemporaryDirectory(prefix='build-', dir=image.parent) as scratch:
        made = Path(scratch) / image.name
        build(Path(scratch), made)
        made.replace(image)


def deliver(image: Path, output: Path) -> None:
    """Put a copy of the image at the path that was asked for; one that is there already is left alone."""
    if output.is_file() and filecmp.cmp(image, output, shallow=False):
        return
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(prefix=f'{output.name}.', suffix='.part', dir=output.parent, delete=False) as part:
        part.close()
        shutil.copyfile(image, part.name)
        # A temporary file is its owner's alone; an image is for everyone who may enter the folder.
        Path(part.name).chmod(0o644)
        Path(part.name).replace(output)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock against other builds with the same cache."""
    with file.open('w') as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        yield
