"""The query string of a request."""

from typing import Final
from urllib.parse import parse_qs

from cloudplane.api.compute import words
from cloudplane.exceptions import BadRequest

MAX_FIELDS: Final = 100


class Query:
    """Names and their values, in the order in which they were sent."""

    __slots__ = ('values',)

    def __init__(self, text: str) -> None:
        try:
            self.values = parse_qs(text, keep_blank_values=True, max_num_fields=MAX_FIELDS) if text else {}
        except ValueError as error:
            raise BadRequest(f'The query has more than {MAX_FIELDS} parameters.') from error

    def one(self, name: str) -> str | None:
        """The last value of a parameter."""
        found = self.values.get(name)
        return found[-1] if found else None

    def all(self, name: str) -> list[str]:
        """Every value of a parameter."""
        return self.values.get(name, [])

    def number(self, name: str) -> int | None:
        """A number that is not negative, and not absurd. BadRequest."""
        value = self.one(name)
        if value is None:
            return None
        if not (value.isascii() and value.isdigit() and len(value) <= 18):
            raise BadRequest(f'The parameter {name} must be a number that is not negative.')
        return int(value)

    def flag(self, name: str, *, default: bool = False, empty: bool = False) -> bool:
        """A yes or no, in any of the words that people use for it. `empty`: what `?name` alone means. BadRequest."""
        value = self.one(name)
        if value is None:
            return default
        word = value.strip().lower()
        if word in words.QUERY_TRUE:
            return True
        if word in words.QUERY_FALSE:
            return False
        if not word:
            return empty
        raise BadRequest(f'The parameter {name} must be true or false.')
