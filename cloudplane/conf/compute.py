"""[compute]: the agent of one host, and what the host gives to servers."""

from oslo_config import cfg

GROUP = 'compute'
OPTS = [
    cfg.StrOpt(
        'driver',
        default='libvirt',
        help='The hypervisor, by the name of its entry point in cloudplane.compute.drivers. fake runs no guests.',
    ),
    cfg.StrOpt('zone', default='nova', help='The availability zone of this host.'),
    cfg.HostAddressOpt('host_ip', default='127.0.0.1', help='Address of this host, as operators should see it.'),
    cfg.IntOpt('reserved_vcpus', default=0, min=0, help='vCPUs that are kept for the host itself.'),
    cfg.IntOpt('reserved_memory_mb', default=512, min=0, help='Memory that is kept for the host itself, in MiB.'),
    cfg.IntOpt('reserved_disk_gb', default=0, min=0, help='Disk that is kept for the host itself, in GiB.'),
    cfg.FloatOpt('vcpu_ratio', default=4.0, min=0.01, help='How many vCPUs of servers share one of the host.'),
    cfg.FloatOpt(
        'memory_ratio',
        default=1.0,
        min=0.01,
        help='How often memory may be promised. Above 1.0 the host needs swap, or guests may be killed.',
    ),
    cfg.FloatOpt('disk_ratio', default=1.0, min=0.01, help='How often disk space may be promised.'),
    cfg.IntOpt('max_concurrent_builds', default=10, min=1, help='Builds that run side by side on this host.'),
    cfg.IntOpt('max_concurrent_snapshots', default=5, min=1, help='Snapshots that run side by side on this host.'),
    cfg.IntOpt(
        'max_held',
        default=1000,
        min=1,
        help='Work orders that this host keeps waiting; more are dropped, and come again by the reconciler.',
    ),
    cfg.BoolOpt(
        'resume_guests_at_start',
        default=False,
        help='Power on the guests that should run and do not when the agent starts, after a reboot of the host for '
        'example. Otherwise they are shown as stopped. A guest that was built and has never run is always let run.',
    ),
    cfg.FloatOpt('power_sync_s', default=600, min=0.1, help='Seconds between two comparisons of all power states.'),
    cfg.IntOpt('native_threads', default=20, min=1, help="Threads for calls that block, libvirt's for example."),
]
