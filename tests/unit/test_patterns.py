"""Regular expressions of users."""

import time

import pytest

from cloudplane import patterns
from cloudplane.exceptions import BadRequest

# Each of these keeps an engine that goes back busy for longer than anybody waits.
CATASTROPHES = ('(a+)+$', '(a|aa)+$', '(a*)*c', '(.*a){25}$', '^(([a-z])+.)+[A-Z]([a-z])+$')


@pytest.mark.parametrize('expression', CATASTROPHES)
def test_no_expression_takes_more_than_an_instant(expression: str) -> None:
    began = time.monotonic()
    assert not patterns.found_in(expression, 'a' * 250 + '!')
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ('expression', 'text', 'found'),
    [
        ('web', 'my-web-1', True),
        ('^web', 'my-web-1', False),
        (r'web-\d+$', 'web-12', True),
        ('(?i)WEB', 'web', True),
        ('ü+', 'grüü', True),
        ('web', None, False),
    ],
)
def test_an_expression_is_searched_for_anywhere(expression: str, text: str | None, found: bool) -> None:
    assert patterns.found_in(expression, text) is found


@pytest.mark.parametrize('expression', ['[', '*', '(', '(?=a)', r'(a)\1', '(?:x{1,1000}){1,1000}'])
def test_what_cannot_be_used_is_refused_with_the_name_of_the_parameter(expression: str) -> None:
    with pytest.raises(BadRequest, match='The parameter name is not a regular expression'):
        patterns.check('name', expression)
