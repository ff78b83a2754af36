"""[database]: read by the conductor, and by cloudplane-manage."""

from oslo_config import cfg

GROUP = 'database'
OPTS = [
    cfg.StrOpt(
        'connection',
        default='',
        secret=True,
        help='SQLAlchemy URL of the database. Empty: a SQLite file in state_path.',
    ),
    cfg.IntOpt(
        'batch_size',
        default=64,
        min=1,
        help='Most write transactions that are committed together when many come at once. 1 turns this off.',
    ),
    cfg.IntOpt(
        'retries',
        default=10,
        min=0,
        help='How often a whole transaction is tried again after a deadlock, a lost connection or a locked database.',
    ),
    cfg.IntOpt('pool_size', default=10, min=1, help='Connections kept open (not with SQLite).'),
    cfg.FloatOpt(
        'lock_timeout_s',
        default=30,
        min=1,
        help='Seconds to wait for the lock of another process (SQLite). A database server is told to end statements '
        'that wait for a third of it, and transactions that are silent for a sixth of it.',
    ),
]
