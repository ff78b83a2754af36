"""The URLs in answers."""

from urllib.parse import quote, urlencode

VERSION_PREFIX = '/v2.1'


class Links:
    """Makes URLs that lead back to where the request came from (or to the public endpoint).

    As in Nova, `self` links have the API version and the project id if the request's URL had one; `bookmark` links
    have no version, so that they survive one.
    """

    __slots__ = ('_bookmark', '_self', 'base')

    def __init__(self, base: str, project_id: str | None) -> None:
        self.base = base.rstrip('/')
        project = f'/{quote(project_id)}' if project_id else ''
        self._self = f'{self.base}{VERSION_PREFIX}{project}'
        self._bookmark = f'{self.base}{project}'

    def itself(self, collection: str, identifier: str) -> str:
        """The URL of one thing."""
        return f'{self._self}/{collection}/{quote(identifier)}'

    def bookmark(self, collection: str, identifier: str) -> list[dict[str, str]]:
        """The links of something that is mentioned."""
        return [{'rel': 'bookmark', 'href': f'{self._bookmark}/{collection}/{quote(identifier)}'}]

    def both(self, collection: str, identifier: str) -> list[dict[str, str]]:
        """The links of something that is shown."""
        return [
            {'rel': 'self', 'href': self.itself(collection, identifier)},
            *self.bookmark(collection, identifier),
        ]

    def next_page(self, path: str, query: dict[str, list[str]], marker: str) -> list[dict[str, str]]:
        """The link to the page after `marker`, with everything else that was asked for."""
        pairs = [(name, value) for name, values in query.items() if name != 'marker' for value in values]
        return [{'rel': 'next', 'href': f'{self._self}/{path}?{urlencode([*pairs, ("marker", marker)])}'}]
