"""The table of states in doc/reference/protocol.md is the one that the code has."""

import re
from pathlib import Path

from cloudplane import states

PAGE = Path(__file__).parents[2] / 'doc' / 'reference' / 'protocol.md'
ROW = re.compile(r'^\| (-|`\w+`) \| `(\w+)` \| `(\w+)` \| [^|]+ \|$', re.MULTILINE)


def rows() -> list[tuple[str | None, str, str]]:
    """(from, event, to) of each row, in the order of the page."""
    found = ROW.findall(PAGE.read_text())
    return [(None if before == '-' else before.strip('`'), event, after) for before, event, after in found]


def test_the_page_lists_each_move_of_an_operation_once() -> None:
    moves = [(before, event, after) for (before, event), after in states.OPERATION_MOVES.items()]
    assert sorted(rows(), key=str) == sorted(moves, key=str)


def test_the_page_says_which_states_are_active_and_which_are_final() -> None:
    active = ', '.join(f'`{state}`' for state in states.ACTIVE_OPERATION[:-1])
    final = ', '.join(f'`{state}`' for state in states.ENDED_OPERATION[:-1])
    said = ' '.join(PAGE.read_text().split())
    assert f'{active} and `{states.ACTIVE_OPERATION[-1]}` are active' in said
    assert f'{final} and `{states.ENDED_OPERATION[-1]}` are final' in said
