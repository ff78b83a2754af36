"""[DEFAULT]: what every process needs."""

import socket

from oslo_config import cfg

GROUP = 'DEFAULT'
OPTS = [
    cfg.StrOpt(
        'concurrency_backend',
        default='eventlet',
        choices=['eventlet', 'threading'],
        help='How a process does many things at once. Read before anything else is loaded, so it takes effect at the '
        'start only. Choose threading where eventlet does not work with a library of yours.',
    ),
    cfg.HostnameOpt(
        'host',
        default=socket.gethostname(),
        sample_default="the machine's host name",
        help='The name of this host in messages and in the database. Change it only while no server lives here: '
        'to the rest of the system another name is another host.',
    ),
    cfg.StrOpt(
        'state_path',
        default='/var/lib/cloudplane',
        help="Where this host keeps what must survive a restart: guests, images, the agent's fencing marks, and the "
        "SQLite database of the all-in-one. QEMU's user must be able to enter it, so not under a folder of mode 0700.",
    ),
    cfg.FloatOpt(
        'call_timeout_s',
        default=30,
        min=0.1,
        help='Seconds that one service waits for the answer of another. Less makes failures visible sooner; an answer '
        'that comes later is lost, and the question is asked again.',
    ),
]
