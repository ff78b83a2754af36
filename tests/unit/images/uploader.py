"""A process that uploads an image and stops half way, for tests that kill it: `python -m … FOLDER IMAGE_ID`.

It says `half` when some of the data is written, and then waits until its standard input ends.
"""

import io
import sys
from pathlib import Path

from cloudplane.concurrency import BlockingPool
from cloudplane.images.folder import FolderStore
from tests.unit.images.doubles import TrustingInspector


def _stop(_done: int, _total: int | None) -> None:
    print('half', flush=True)
    sys.stdin.read()


if __name__ == '__main__':
    opened = FolderStore(Path(sys.argv[1]), pool=BlockingPool('images', 1), inspector=TrustingInspector())
    opened.upload(sys.argv[2], io.BytesIO(b'data' * 1000), _stop)
