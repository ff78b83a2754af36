"""Regular expressions that users send: whatever they say, a search takes time in proportion to the text.

Python's own engine goes back and tries again: `(a+)+$` over a name of forty letters keeps it busy for hours, and as it
does not let go of the interpreter, nothing else in the process runs. RE2 never goes back; in exchange it knows neither
look-around nor back-references.
"""

import functools
from typing import Protocol, cast

import re2

from cloudplane.exceptions import BadRequest


class Pattern(Protocol):
    """A compiled expression."""

    def search(self, text: str) -> object | None:
        """Something if it matches anywhere."""

    def match(self, text: str) -> object | None:
        """Something if it matches at the beginning."""


@functools.lru_cache(maxsize=64)
def compiled(expression: str) -> Pattern:
    """The expression, ready for use. ValueError says what is wrong with it."""
    options = re2.Options()
    options.log_errors = False  # they go to whoever asked, not to stderr
    try:
        return cast(Pattern, re2.compile(expression, options))
    except re2.error as error:
        reason = error.args[0]
        raise ValueError(reason.decode('utf-8', 'replace') if isinstance(reason, bytes) else str(reason)) from error


def check(what: str, expression: str) -> None:
    """BadRequest if `expression`, sent as `what`, cannot be used."""
    try:
        compiled(expression)
    except ValueError as error:
        raise BadRequest(f'The parameter {what} is not a regular expression (RE2): {error}') from error


def found_in(expression: str, text: str | None) -> bool:
    """Whether a part of the text matches: what SQLite calls for `text REGEXP expression`."""
    return text is not None and compiled(expression).search(text) is not None
