"""The servers of a double of the conductor: finding, filtering, sorting and paging them as the database would."""

from cloudplane import patterns, states
from cloudplane.exceptions import BadRequest, ServerNotFound
from cloudplane.objects.server import Server, ServerQuery


class ServerTable:
    """All servers, deleted ones too."""

    def __init__(self) -> None:
        self.rows: dict[str, Server] = {}

    def get(self, server_id: str, project_id: str | None) -> Server:
        """A server that is not deleted. ServerNotFound."""
        server = self.rows.get(server_id)
        if server is None or server.vm_state == states.DELETED or project_id not in (None, server.project_id):
            raise ServerNotFound(f'Instance {server_id} could not be found.')
        return server

    def put(self, server: Server) -> Server:
        """Add or replace a server."""
        self.rows[server.id] = server
        return server

    def page(self, query: ServerQuery) -> tuple[Server, ...]:
        """What a list shows. BadRequest."""
        found = [server for server in self.rows.values() if _matches(server, query)]
        for key, direction in reversed(list(zip(query.sort_keys, query.sort_dirs, strict=True))):
            found.sort(key=lambda server: str(getattr(server, key) or ''), reverse=direction == 'desc')
        if query.marker is not None:
            places = [place for place, server in enumerate(found) if server.id == query.marker]
            if not places:
                raise BadRequest(f'marker [{query.marker}] not found')
            found = found[places[0] + 1 :]
        return tuple(found[: query.limit])


def _matches(server: Server, query: ServerQuery) -> bool:
    is_deleted = server.vm_state == states.DELETED
    changed_at = server.updated_at or server.created_at
    exact = {
        'project_id': query.project_id,
        'image_id': query.image_id,
        'host': query.host,
        'id': query.uuid,
        'reservation_id': query.reservation_id,
    }
    return (
        all(value is None or getattr(server, name) == value for name, value in exact.items())
        and (is_deleted == query.deleted if query.changes_since is None else changed_at >= query.changes_since)
        and query.flavor_id in (None, server.flavor.id)
        and query.status in (None, states.status(server.vm_state, server.task_state))
        and (query.name_regex is None or patterns.found_in(query.name_regex, server.name))
    )
