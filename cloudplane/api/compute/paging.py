"""Pages of lists that are whole in memory, and the size of a page."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from cloudplane.api.compute.call import Call
from cloudplane.exceptions import BadRequest

T = TypeVar('T')


def page_size(call: Call) -> int:
    """How many items the client wants, within what one answer may hold."""
    asked = call.query.number('limit')
    return call.services.max_limit if asked is None else min(asked, call.services.max_limit)


def page(call: Call, items: Sequence[T], identifier: Callable[[T], str], size: int) -> list[T]:
    """The items after the client's marker. BadRequest: the marker is not among them."""
    marker = call.query.one('marker')
    start = 0
    if marker is not None:
        places = (place for place, item in enumerate(items) if identifier(item) == marker)
        start = next(places, -1) + 1
        if start == 0:
            raise BadRequest(f'The marker {marker!r} could not be found.')
    return list(items[start : start + size])


def next_links(call: Call, collection: str, path: str, shown: Sequence[str], size: int) -> dict[str, object]:
    """`<collection>_links`, if the page is full: there may be more."""
    if not shown or len(shown) < size:
        return {}
    return {f'{collection}_links': call.links.next_page(path, call.query.values, shown[-1])}
