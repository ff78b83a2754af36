"""cloudplane-all-in-one: API, conductor, scheduler and compute agent in one process, over SQLite and `inproc://`."""

import sys
from typing import Any

from cloudplane.cmd import start

NAME = 'cloudplane-all-in-one'


def main() -> None:
    """Run until SIGTERM; exit code 1, with one line, if it cannot start."""
    arguments = sys.argv[1:]
    start.choose_backend(arguments)
    conf = start.configure(arguments, NAME)
    from cloudplane import exceptions

    try:
        run(conf)
    except (exceptions.CloudplaneException, OSError) as error:  # a state_path that is read-only, for example
        sys.exit(f'{NAME}: {error}')


def run(conf: Any) -> None:
    """Make the services, and run them."""
    from cloudplane.cmd import wiring
    from cloudplane.cmd.launcher import Launcher, Runnable

    bus = wiring.clients(conf, 'inproc://')
    images = wiring.image_store(conf)
    api = wiring.api(conf, bus, images)
    # The agent registers before the scheduler fetches its hosts: who asks for a server at once finds a host.
    services: list[Runnable] = [
        wiring.conductor(conf, bus, images),
        wiring.compute(conf, bus, images),
        wiring.scheduler(conf, bus),
        api,
    ]
    Launcher().run(services, lambda: _ready(conf, api.port))


def _ready(conf: Any, port: int) -> None:
    from oslo_service import systemd

    systemd.notify_once()
    print(f'{NAME} is ready: http://{conf.api.listen}:{port}/v2.1', flush=True)


if __name__ == '__main__':
    main()
