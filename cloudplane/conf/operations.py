"""[operations]: the clocks of the operation protocol. The defaults fit together: read the help first."""

from oslo_config import cfg, types

GROUP = 'operations'
OPTS = [
    cfg.FloatOpt(
        'heartbeat_s',
        default=10,
        min=0.05,
        help='Seconds between the heartbeats of an agent, give or take 10 %. lease_s and host_down_s are multiples of '
        'it: change all three together.',
    ),
    cfg.FloatOpt(
        'lease_s',
        default=30,
        min=0.1,
        help='Seconds for which a running operation is left alone after the last heartbeat that named it: three '
        'heartbeats.',
    ),
    cfg.FloatOpt(
        'host_down_s',
        default=35,
        min=0.1,
        help='Seconds without a heartbeat after which a host counts as down. More than a lease, and than an outage of '
        'the broker that should not matter.',
    ),
    cfg.ListOpt(
        'wake_up_s',
        default=['5', '10', '20', '30'],
        item_type=types.Float(),
        help='Seconds after which an operation that has not begun is sent again; the last one repeats.',
    ),
    cfg.FloatOpt('reconcile_s', default=2, min=0.02, help='Seconds between two looks at what stands still.'),
    cfg.IntOpt('reconcile_rows', default=100, min=1, help='Most operations that one look takes up.'),
    cfg.FloatOpt(
        'grace_s',
        default=20,
        min=0,
        help='Seconds without any expiry after the conductors themselves were away, a clock went back, or half of the '
        'hosts fell silent at once: then it was us. Two heartbeats.',
    ),
    cfg.IntOpt('tries', default=5, min=1, help='Re-drives without progress after which an operation fails.'),
    cfg.IntOpt('build_hosts', default=3, min=1, help='Hosts on which a build is tried before it fails.'),
    cfg.FloatOpt('power_deadline_s', default=180, min=0.1, help='Deadline of start, stop and reboot.'),
    cfg.FloatOpt('delete_deadline_s', default=600, min=0.1, help='Deadline of a delete.'),
    cfg.FloatOpt('build_deadline_s', default=900, min=0.1, help='Deadline of a build.'),
    cfg.FloatOpt('snapshot_deadline_s', default=3600, min=0.1, help='Deadline of a snapshot.'),
    cfg.FloatOpt('start_step_s', default=60, min=0.1, help='Seconds for one start of a guest, enforced by the agent.'),
    cfg.FloatOpt(
        'graceful_stop_s',
        default=60,
        min=0,
        help='Seconds that a guest gets between its power button and the loss of power. power_off_step_s is longer.',
    ),
    cfg.FloatOpt('power_off_step_s', default=70, min=0.1, help='Seconds for one power-off, enforced by the agent.'),
    cfg.FloatOpt('soft_reboot_s', default=60, min=0.1, help='Seconds after which a soft reboot becomes a hard one.'),
    cfg.FloatOpt(
        'transfer_stall_s',
        default=60,
        min=0.1,
        help='Seconds without progress after which a transfer fails. One that advances may take as long as it likes.',
    ),
    cfg.FloatOpt(
        'idempotency_hours', default=24, min=0.01, help='Hours for which the answer to an Idempotency-Key is kept.'
    ),
    cfg.IntOpt(
        'max_queued_operations',
        default=10000,
        min=1,
        help='Operations that may be active at once; more are answered with 503 and Retry-After.',
    ),
]
