"""Which microversions are served, and which one a request asks for."""

import re
from typing import Final, NamedTuple, Self

from cloudplane.api.errors import NotAcceptable
from cloudplane.exceptions import BadRequest

HEADER: Final = 'OpenStack-API-Version'
LEGACY_HEADER: Final = 'X-OpenStack-Nova-API-Version'
SERVICE: Final = 'compute'

_FORM = re.compile(r'([1-9][0-9]{0,3})\.(0|[1-9][0-9]{0,5})', re.ASCII)


class Version(NamedTuple):
    """A microversion; compares as one expects: 2.9 < 2.10."""

    major: int
    minor: int

    def __str__(self) -> str:
        return f'{self.major}.{self.minor}'

    @classmethod
    def parse(cls, text: str) -> Self:
        """The version that `text` names. BadRequest."""
        found = _FORM.fullmatch(text)
        if found is None:
            raise BadRequest(f'{text[:40]!r} is not a version: it must look like 2.1, or be latest.')
        return cls(int(found[1]), int(found[2]))


MIN: Final = Version(2, 1)
MAX: Final = Version(2, 1)


class Window(NamedTuple):
    """The versions in which something is served; `last` None: up to the newest."""

    first: Version = MIN
    last: Version | None = None

    def __contains__(self, version: object) -> bool:
        if not isinstance(version, Version):
            return False
        return self.first <= version and (self.last is None or version <= self.last)


ALWAYS: Final = Window()


def since(minor: int) -> Window:
    """From 2.`minor` on."""
    return Window(Version(2, minor))


def until(minor: int) -> Window:
    """Up to 2.`minor`."""
    return Window(MIN, Version(2, minor))


def negotiate(header: str | None, legacy_header: str | None) -> Version:
    """The version that the two headers ask for; the first one counts. BadRequest, NotAcceptable."""
    asked = _asked(header) or (legacy_header or '').strip()
    if not asked:
        return MIN
    if asked.lower() == 'latest':
        return MAX
    version = Version.parse(asked)
    if not MIN <= version <= MAX:
        raise NotAcceptable(f'Version {version} is not served here. Minimum is {MIN} and maximum is {MAX}.')
    return version


def _asked(header: str | None) -> str | None:
    """The version in a header that may name several services: `compute 2.1, identity 3.0`."""
    for part in (header or '').split(','):
        words = part.split()
        if words and words[0].lower() == SERVICE:
            if len(words) != 2:
                raise BadRequest(f'{part.strip()[:60]!r} does not name a version: send {HEADER}: {SERVICE} 2.1.')
            return words[1]
    return None


def answer_headers(version: Version) -> list[tuple[str, str]]:
    """What every answer says of its version."""
    return [
        (HEADER, f'{SERVICE} {version}'),
        (LEGACY_HEADER, str(version)),
        ('Vary', f'{HEADER}, {LEGACY_HEADER}'),
    ]
