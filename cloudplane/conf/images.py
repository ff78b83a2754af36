"""[images]: the image store, and the cache of base images on each host."""

from oslo_config import cfg

GROUP = 'images'
OPTS = [
    cfg.StrOpt(
        'store', default='folder', help='Where images are, by the name of its entry point in cloudplane.image.stores.'
    ),
    cfg.StrOpt('path', default='', help='Folder of the folder store. Empty: images in state_path.'),
    cfg.StrOpt('cache_path', default='', help='Folder of base images on this host. Empty: base in state_path.'),
    cfg.IntOpt(
        'max_virtual_size_gb',
        default=1024,
        min=1,
        help='Largest virtual size of an image, in GiB. A small file may claim any size: this is what stops it.',
    ),
]
