"""Free ports on the loopback interface."""

import random
import socket

# Below the range from which the kernel takes the ports of outgoing connections, so that none of those takes ours
# between the choice and the bind.
LOWEST, HIGHEST = 20000, 32000

_taken: set[int] = set()


def free_port() -> int:
    """A port on 127.0.0.1 on which nobody listens, and which this process has not been given before."""
    candidates = [port for port in range(LOWEST, HIGHEST) if port not in _taken]
    random.SystemRandom().shuffle(candidates)
    for port in candidates:
        if _can_bind(port):
            _taken.add(port)
            return port
    raise RuntimeError(f'no free port between {LOWEST} and {HIGHEST}')


def _can_bind(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(('127.0.0.1', port))
        except OSError:
            return False
    return True
