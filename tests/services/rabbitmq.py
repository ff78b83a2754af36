"""A private RabbitMQ broker with its own Erlang cookie, node name and port mapper."""

import contextlib
import secrets
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from tests.services.ports import free_port
from tests.services.process import OwnedProcess
from tests.services.server import Server, ServerFailed

# Not /usr/sbin/rabbitmq-server: that is Debian's wrapper, which insists on the system's account and paths.
_PROGRAMS = Path('/usr/lib/rabbitmq/bin')


class RabbitMQ(Server):
    """A broker for `rabbit://guest:guest@127.0.0.1:PORT/`.

    `settings` are lines of rabbitmq.conf; `plugins` are enabled from the start.
    """

    name = 'rabbitmq'

    def __init__(self, settings: Mapping[str, str] | None = None, plugins: Sequence[str] = ()) -> None:
        super().__init__()
        self.port = free_port()
        self.node = f'cloudplane-{self.port}@localhost'
        self._distribution_port, self._epmd_port = free_port(), free_port()
        self._settings, self._plugins = dict(settings or {}), tuple(plugins)
        self._epmd: OwnedProcess | None = None

    def url(self, virtual_host: str = '/') -> str:
        """The transport URL."""
        return f'rabbit://guest:guest@127.0.0.1:{self.port}/{quote(virtual_host.lstrip("/"), safe="")}'

    def ctl(self, *arguments: str) -> str:
        """What rabbitmqctl prints for these arguments."""
        done = subprocess.run(
            [str(_PROGRAMS / 'rabbitmqctl'), '--quiet', '--node', self.node, *arguments],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
        )
        if done.returncode:
            raise ServerFailed(f'rabbitmqctl {" ".join(arguments)}: {done.stdout}{done.stderr}')
        return done.stdout

    def prepare(self) -> None:
        cookie = self.folder / '.erlang.cookie'
        cookie.touch(0o400)
        cookie.chmod(0o600)
        cookie.write_text(secrets.token_hex(20))
        cookie.chmod(0o400)
        settings = {
            'listeners.tcp.local': f'127.0.0.1:{self.port}',
            'log.console': 'true',
            'log.console.level': 'info',
            'log.file': 'false',
        } | self._settings
        lines = [f'{key} = {value}' for key, value in settings.items()]
        (self.folder / 'rabbitmq.conf').write_text('\n'.join([*lines, '']))
        (self.folder / 'enabled_plugins').write_text(f'[{",".join(self._plugins)}].\n')
        (self.folder / 'rabbitmq-env.conf').touch()

    def environment(self) -> dict[str, str]:
        folder = self.folder
        return super().environment() | {
            'HOME': str(folder),
            'ERL_EPMD_PORT': str(self._epmd_port),
            'ERL_EPMD_ADDRESS': '127.0.0.1',
            'RABBITMQ_NODENAME': self.node,
            'RABBITMQ_DIST_PORT': str(self._distribution_port),
            'RABBITMQ_CONFIG_FILE': str(folder / 'rabbitmq'),
            'RABBITMQ_CONF_ENV_FILE': str(folder / 'rabbitmq-env.conf'),
            'RABBITMQ_ENABLED_PLUGINS_FILE': str(folder / 'enabled_plugins'),
            'RABBITMQ_MNESIA_BASE': str(folder / 'mnesia'),
            'RABBITMQ_LOG_BASE': str(folder / 'logs'),
            'RABBITMQ_PID_FILE': str(folder / 'pid'),
            'RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS': '-kernel inet_dist_use_interface {127,0,0,1}',
            'RUNNING_UNDER_SYSTEMD': '1',  # no shell between us and the Erlang machine: its process is our child
        }

    def command(self) -> list[str]:
        return [str(_PROGRAMS / 'rabbitmq-server')]

    def start(self) -> None:
        """Start the port mapper, then the broker."""
        if self._epmd is None or not self._epmd.is_running():
            self._epmd = self.launch(['epmd'])
        super().start()

    def is_ready(self) -> bool:
        """Whether it answers the first bytes of AMQP with its own."""
        with contextlib.suppress(OSError), socket.create_connection(('127.0.0.1', self.port), timeout=5) as client:
            client.sendall(b'AMQP\x00\x00\x09\x01')
            return client.recv(1) == b'\x01'
        return False

    def close(self) -> None:
        self.kill()
        if self._epmd is not None:
            self._epmd.kill()
        super().close()
