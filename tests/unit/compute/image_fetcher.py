"""A process that fetches an image into a cache and stops half way: `python -m … STORE CACHE IMAGE_ID`.

It says `half` when some of the data is there, waits for a line on its standard input, and then goes on.
"""

import sys
from pathlib import Path

from cloudplane.compute.image_cache import ImageCache
from cloudplane.concurrency import BlockingPool
from cloudplane.images.folder import FolderStore
from tests.unit.images.doubles import TrustingInspector


def _stop(_done: int, _total: int | None) -> None:
    print('half', flush=True)
    sys.stdin.readline()


if __name__ == '__main__':
    threads = BlockingPool('images', 1)
    store = FolderStore(Path(sys.argv[1]), pool=threads, inspector=TrustingInspector())
    print(ImageCache(store, Path(sys.argv[2]), pool=threads).base(sys.argv[3], _stop), flush=True)
