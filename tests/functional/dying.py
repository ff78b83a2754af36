"""cloudplane-all-in-one that kills itself with SIGKILL when it first reaches the fault point CLOUDPLANE_TEST_DIE_AT."""

import os
import signal

from cloudplane import faultpoints
from cloudplane.cmd import all_in_one


def die_at(point: str) -> None:
    """Die at `point`, as if the power had failed: nothing is flushed, nobody is told."""

    def hook(reached: str) -> None:
        if reached == point:
            os.kill(os.getpid(), signal.SIGKILL)

    faultpoints.set_hook(hook)


if __name__ == '__main__':
    if os.environ.get('CLOUDPLANE_TEST_DIE_AT'):
        die_at(os.environ['CLOUDPLANE_TEST_DIE_AT'])
    all_in_one.main()
