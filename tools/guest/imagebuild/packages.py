"""Debian packages: those that the build needs on this machine, and those that are unpacked into a guest."""

import os
import re
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from imagebuild.commands import BuildError, run, say

APT_GET = ('apt-get', '--quiet', '--yes', '-o', 'DPkg::Lock::Timeout=300', '-o', 'APT::Sandbox::User=root')
KERNEL_METAPACKAGE = 'linux-image-cloud-amd64'
KERNEL_DEPENDENCY = re.compile(r'Depends: (linux-image-\S+-cloud-amd64)$', re.MULTILINE)
Result = TypeVar('Result')


def require_packages(packages: Sequence[str], *, install: bool) -> None:
    """See that packages are installed on this machine: install what is missing, or name it."""
    missing = [package for package in packages if not is_installed(package)]
    if not missing:
        return
    if not install:
        raise BuildError(
            f'these Debian packages are missing: {" ".join(missing)}\n'
            f'Run `apt-get install {" ".join(missing)}`, or this command as root with --install-packages.'
        )
    if os.geteuid() != 0:
        raise BuildError('--install-packages needs root')
    say(f'Installing {" ".join(missing)}')
    with_fresh_lists(lambda: run([*APT_GET, 'install', '--no-install-recommends', *missing]), may_update=True)


def is_installed(package: str) -> bool:
    """Whether dpkg has the package, unpacked and configured."""
    try:
        return run(['dpkg-query', '--show', '--showformat=${db:Status-Status}', package]) == 'installed'
    except BuildError:
        return False


def with_fresh_lists(action: Callable[[], Result], *, may_update: bool) -> Result:
    """Do what depends on apt's package lists; if they are absent or too old for it, update them and do it again."""
    try:
        return action()
    except BuildError as error:
        if not may_update or os.geteuid() != 0:
            raise BuildError(f'{error}\nThe package lists may be old: run `apt-get update` and try again.') from error
    say('Updating the package lists')
    update_lists()
    return action()


def update_lists() -> None:
    """Update apt's lists. A repository that fails need not be one that is used, so it only gets a line."""
    try:
        run([*APT_GET, 'update'])
    except BuildError as error:
        say(f'Warning: {error}')


def cloud_kernel() -> str:
    """The package of the current cloud kernel, which the metapackage only points at."""
    found = KERNEL_DEPENDENCY.search(run(['apt-cache', 'depends', KERNEL_METAPACKAGE]))
    if found is None:
        raise BuildError(f'apt knows no package that {KERNEL_METAPACKAGE} depends on')
    return found.group(1)


def download(packages: Sequence[str], folder: Path) -> list[Path]:
    """Fetch packages, without installing them, into a folder that then holds these and no others.

    apt fetches only what the folder does not hold yet, and checks the hash of each file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = file_names(packages)
    run([*APT_GET, 'download', *packages], cwd=folder)
    for deb in folder.glob('*.deb'):
        if deb.name not in names:
            deb.unlink()
    return [folder / name for name in names]


def file_names(packages: Sequence[str]) -> list[str]:
    """The files that apt makes of packages when it downloads them, in the same order."""
    # From an empty folder: of a file that it finds, apt prints nothing.
    with tempfile.TemporaryDirectory() as empty:
        printed = run([*APT_GET, 'download', '--print-uris', *packages], cwd=Path(empty))
    by_package = {name.split('_', 1)[0]: name for name in re.findall(r"^'[^']+' (\S+\.deb) ", printed, re.MULTILINE)}
    unknown = [package for package in packages if package not in by_package]
    if unknown:
        raise BuildError(f'apt does not know where to find {" ".join(unknown)}')
    return [by_package[package] for package in packages]


def unpack(debs: Sequence[Path], folder: Path) -> Path:
    """Unpack package files over one another into a folder, without running their scripts."""
    folder.mkdir(parents=True, exist_ok=True)
    for deb in debs:
        run(['dpkg', '-x', deb, folder])
    return folder
