"""[scheduler]: how hosts are chosen."""

from oslo_config import cfg

GROUP = 'scheduler'
OPTS = [
    cfg.ListOpt(
        'enabled_filters',
        default=['compute', 'availability_zone', 'retry', 'vcpu', 'memory', 'disk'],
        help='Filters by the name of their entry point in cloudplane.scheduler.filters, in the order in which they are '
        'asked. Leaving compute or a capacity filter out wastes claims; it cannot overcommit a host.',
    ),
    cfg.DictOpt(
        'weighers',
        default={'memory': '1.0', 'cpu': '1.0'},
        help='Weighers by the name of their entry point in cloudplane.scheduler.weighers, with their multipliers. '
        'Positive ones spread servers over hosts, negative ones pack them.',
    ),
    cfg.IntOpt('alternates', default=3, min=0, help='Further hosts that a claim may try when the first one is full.'),
    cfg.FloatOpt(
        'assumption_s',
        default=10,
        min=0.1,
        help='Seconds for which a selection counts as used before its claim was heard of.',
    ),
    cfg.FloatOpt(
        'resync_s', default=30, min=0.1, help='Seconds between two comparisons of the host table with the conductor.'
    ),
    cfg.IntOpt(
        'max_held', default=2000, min=1, help='Builds that may wait in one scheduler; more are left to the reconciler.'
    ),
]
