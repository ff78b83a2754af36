"""[fake]: the fake hypervisor, for tests and for trying out the control plane."""

from oslo_config import cfg

GROUP = 'fake'
OPTS = [
    cfg.IntOpt('vcpus', default=64, min=1, help='vCPUs of the host.'),
    cfg.IntOpt('memory_mb', default=262144, min=1, help='Memory of the host in MiB.'),
    cfg.IntOpt('disk_gb', default=10000, min=1, help='Disk of the host in GiB.'),
    cfg.StrOpt('path', default='', help="Folder of the guests' files. Empty: fake-guests in state_path."),
    cfg.StrOpt(
        'log',
        default='',
        help='File to which each start and stop of a guest is appended; several hosts may share one. Empty: '
        'fake-guests.log in state_path.',
    ),
    cfg.DictOpt(
        'delays', default={}, help='Seconds that a driver method takes: `start_paused:0.5,copy_disk:2`. For tests.'
    ),
    cfg.DictOpt(
        'failures',
        default={},
        help='Driver methods that fail, with how often: `make_disk:1` fails once, `-1` always. For tests.',
    ),
]
