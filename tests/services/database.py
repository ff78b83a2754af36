"""What the private database servers have in common."""

from abc import abstractmethod
from collections.abc import Mapping

from tests.services.ports import free_port
from tests.services.server import Server


class DatabaseServer(Server):
    """A database server with the account cloudplane (password cloudplane), which may do everything.

    `durable=False` leaves out the flushes to disk: quicker, and still safe against the death of the server, though not
    of the machine. `settings` are further server variables.
    """

    def __init__(self, *, durable: bool = True, settings: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self.port = free_port()
        self.durable, self.settings = durable, dict(settings or {})

    @abstractmethod
    def url(self, database: str) -> str:
        """The SQLAlchemy URL of a database."""

    @abstractmethod
    def sql(self, statement: str, database: str | None = None) -> str:
        """What the server's own client prints for the statement, without headings."""

    def create_database(self, name: str) -> str:
        """Make an empty database and return its URL."""
        self.sql(f'CREATE DATABASE {name}')
        return self.url(name)

    def drop_database(self, name: str) -> None:
        """Remove a database that nobody uses."""
        self.sql(f'DROP DATABASE IF EXISTS {name}')
