"""Serves the API over doubles on a real port, for test_sockets.py.

`python -m … BACKEND` prints the port, and stops when its input ends. A process of its own, because patching the
interpreter cannot be undone.
"""

import select
import sys
from typing import cast

from cloudplane import concurrency

if __name__ == '__main__':
    concurrency.activate(cast(concurrency.Backend, sys.argv[1]))

    from cloudplane.api.settings import ApiSettings
    from tests.functional.api.client import World

    world = World(ApiSettings(port=0, threads=4))
    world.service.start()
    print(world.service.port, flush=True)
    select.select([sys.stdin], [], [])  # waits cooperatively, as reading would not
    world.service.stop(5)
    print('stopped', flush=True)
