"""[quota]: what each project may have. -1: no limit."""

from oslo_config import cfg

GROUP = 'quota'
OPTS = [
    cfg.IntOpt('instances', default=10, min=-1, help='Servers of a project.'),
    cfg.IntOpt('cores', default=20, min=-1, help='vCPUs of all servers of a project.'),
    cfg.IntOpt('ram_mb', default=51200, min=-1, help='Memory of all servers of a project, in MiB.'),
    cfg.IntOpt('key_pairs', default=100, min=-1, help='Keypairs of a user.'),
    cfg.IntOpt('metadata_items', default=128, min=-1, help='Metadata items of a server.'),
]
