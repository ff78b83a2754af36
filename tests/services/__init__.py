"""Private RabbitMQ, MariaDB and PostgreSQL servers for tests, the chaos suite and the bench.

Each runs on free loopback ports with its own data folder, as a process that we own; nothing of the machine's own
services is touched, and it dies with us even if we are killed. packages.txt names the Debian packages.

    with RabbitMQ() as broker:      # started here, killed and removed at the end
        broker.url()
        broker.kill()               # SIGKILL
        broker.start()              # again, on the same port with the same data

The pytest fixtures `rabbitmq`, `mariadb` and `postgresql` (fixtures.py) give one of each per session.
"""

from tests.services.mariadb import MariaDB
from tests.services.postgresql import PostgreSQL
from tests.services.rabbitmq import RabbitMQ
from tests.services.server import Server, ServerFailed

__all__ = ['MariaDB', 'PostgreSQL', 'RabbitMQ', 'Server', 'ServerFailed']
