"""The command line that the image builders share."""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from imagebuild import store
from imagebuild.commands import BuildError, run, say

TOOLS = Path(__file__).resolve().parent.parent.parent


@dataclass(frozen=True)
class Settings:
    """What the person at the command line decides."""

    package_cache: Path
    install_packages: bool


@dataclass(frozen=True)
class Recipe:
    """An image that can be built, and the parts of tools/guest that it is made of.

    build(settings, scratch folder, image file) makes it.
    """

    name: str
    description: str
    sources: Sequence[str]
    build: Callable[[Settings, Path, Path], None]


def main(recipe: Recipe) -> int:
    """Build the image, or find it built, and put it where it is wanted. Returns the exit status."""
    arguments = parse(recipe)
    # What goes into an image must not depend on the caller's habits.
    os.umask(0o022)
    try:
        make(recipe, arguments)
    except (BuildError, OSError) as error:
        print(f'{Path(sys.argv[0]).name}: {error}', file=sys.stderr)
        return 1
    return 0


def parse(recipe: Recipe) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=recipe.description)
    add = parser.add_argument
    output_help = 'the image to write (default: %(default)s); it is replaced only by a whole one'
    cache_help = 'where packages and built images are kept (default: %(default)s); may be removed'
    install_help = 'install the Debian packages that the build needs (as root)'
    rebuild_help = 'build again even if the recipe has not changed, to get newer packages'
    add('--output', type=Path, default=Path(f'{recipe.name}.qcow2'), metavar='FILE', help=output_help)
    add('--cache', type=Path, default=store.default_cache(), metavar='FOLDER', help=cache_help)
    add('--install-packages', action='store_true', help=install_help)
    add('--rebuild', action='store_true', help=rebuild_help)
    return parser.parse_args()


def make(recipe: Recipe, arguments: argparse.Namespace) -> None:
    """Do what the arguments say."""
    require_debian_amd64()
    cache = arguments.cache.absolute()
    settings = Settings(package_cache=cache / f'{recipe.name}-packages', install_packages=arguments.install_packages)

    def build(scratch: Path, image: Path) -> None:
        recipe.build(settings, scratch, image)

    sources = [TOOLS / 'guest' / source for source in ('imagebuild', *recipe.sources)]
    digest = store.recipe_digest(sources)
    image = store.obtain(recipe.name, digest, cache, build, rebuild=arguments.rebuild)
    store.deliver(image, arguments.output.absolute())
    say(f'{arguments.output}: {arguments.output.stat().st_size / 1e6:.1f} MB')


def require_debian_amd64() -> None:
    """The packages of this machine's own distribution become the guest."""
    try:
        architecture = run(['dpkg', '--print-architecture']).strip()
    except BuildError as error:
        raise BuildError('guest images are built on Debian: dpkg is not here') from error
    if architecture != 'amd64':
        raise BuildError(f'guest images are built on amd64 only; this machine is {architecture}')
