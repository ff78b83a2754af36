"""The stages: what each one runs, and which Debian packages it needs."""

from dataclasses import dataclass, field
from pathlib import Path

from checkout import CHECKOUT, debian

_SERVICES = CHECKOUT / 'tests' / 'services' / 'packages.txt'
# Disks are made and looked at with qemu-img, in unit tests as well.
_IMAGES = ('qemu-utils',)
# The guest image installs what its build needs; here is what the tests themselves use.
_GUESTS = (*debian.HYPERVISOR, 'genisoimage', 'procps', 'util-linux')


@dataclass(frozen=True)
class Check:
    """A program that finds faults without running anything."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)


CHECKS = (
    Check('ruff', ('ruff', 'check', '.')),
    Check('mypy', ('mypy',)),
    Check(
        'mypy of tools',
        ('mypy', '--strict', '--explicit-package-bases', 'tools/lib', 'tools/guest/imagebuild', 'tools/benchmark'),
        {'MYPYPATH': 'tools/lib:tools/guest'},
    ),
    Check('import-linter', ('lint-imports',)),
)


@dataclass(frozen=True)
class Tests:
    """A folder of tests. `again_under`: another concurrency backend in which all of it runs as well."""

    name: str
    folder: str
    packages: tuple[str, ...] = ()
    again_under: str = ''


TESTS = (
    Tests('unit', 'tests/unit', _IMAGES),
    Tests('functional', 'tests/functional', _IMAGES, again_under='eventlet'),
    Tests('integration', 'tests/integration', (*_IMAGES, *_GUESTS)),
    Tests('real', 'tests/real', (*_IMAGES, *_GUESTS)),
)
OTHER_TESTS = ('tests/services',)  # the servers for tests have tests of their own; they run with the integration tests
CHECKS_STAGE = 'checks'
NAMES = (CHECKS_STAGE, *(tests.name for tests in TESTS))


def folders(chosen: list[Tests]) -> list[str]:
    """What the last pytest run collects."""
    with_servers = any(tests.name == 'integration' for tests in chosen)
    return [*(tests.folder for tests in chosen), *(OTHER_TESTS if with_servers else ())]


def packages(chosen: list[Tests]) -> list[str]:
    """The Debian packages that these tests need."""
    wanted = {*debian.BUILD, *(package for tests in chosen for package in tests.packages)}
    if any(tests.name == 'integration' for tests in chosen):
        wanted |= set(_read(_SERVICES))
    return sorted(wanted)


def _read(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line and not line.startswith('#')]
