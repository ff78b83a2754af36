"""[libvirt]: how guests run under libvirt, and the network that they are given."""

from oslo_config import cfg

GROUP = 'libvirt'
OPTS = [
    cfg.StrOpt(
        'uri',
        default='qemu:///system',
        help='Where libvirt listens. Change it for a libvirtd with a socket of its own '
        '(qemu+unix:///system?socket=PATH). It must be on this machine: disks are files that both sides open.',
    ),
    cfg.FloatOpt(
        'connect_timeout_s',
        default=30.0,
        min=0,
        help='How long work waits for a libvirtd that does not answer, for instance because it is being restarted, '
        'before it fails. Raise it if restarts of libvirtd take longer on this host.',
    ),
    cfg.IntOpt(
        'keepalive_interval_s',
        default=5,
        min=1,
        help='Seconds of silence after which libvirtd is asked whether it is still there.',
    ),
    cfg.IntOpt(
        'keepalive_count',
        default=5,
        min=1,
        help='How many such questions may stay without an answer before the connection is given up and made anew. '
        'Raise it if a heavily loaded host loses its connection to libvirtd.',
    ),
    cfg.StrOpt(
        'virt_type',
        default='auto',
        choices=[
            ('auto', 'kvm where libvirt offers it and, on x86, the CPU has the flag vmx or svm; else qemu'),
            ('kvm', 'kvm, whatever the CPU says; the agent does not start if libvirt does not offer it'),
            ('qemu', 'emulation: slow, and it works everywhere'),
        ],
        help='How guests execute. Set it where the choice of auto is wrong, for instance for a CPU whose flags are '
        'hidden though KVM works.',
    ),
    cfg.StrOpt(
        'machine_type',
        default='',
        help='The machine that guests see, by a name that `qemu-system-… -machine help` lists. Empty: pc on x86, virt '
        'elsewhere. Choose q35 for guests that need PCI Express. Guests take a change at their next hard reboot.',
    ),
    cfg.StrOpt(
        'cpu_mode',
        default='auto',
        choices=[
            ('auto', 'host-model with kvm; with qemu the most capable CPU that it emulates'),
            ('host-model', "the named model nearest to the host's CPU: fast, and guests can move between equal hosts"),
            ('host-passthrough', "the host's CPU itself: fastest; guests can only move between identical hosts"),
            ('maximum', 'every feature that the hypervisor offers'),
            ('custom', 'the model in cpu_model'),
            ('none', "the hypervisor's own default"),
        ],
        help='The CPU that guests see. Set custom with the oldest model of a fleet whose guests move between hosts. '
        'Guests take a change at their next hard reboot.',
    ),
    cfg.StrOpt(
        'cpu_model',
        default='',
        help='The CPU model for cpu_mode = custom, by a name that `virsh cpu-models x86_64` lists.',
    ),
    cfg.StrOpt(
        'disk_cache',
        default='writeback',
        choices=[
            ('writeback', "the host's page cache; a guest's flushes are honoured"),
            ('none', 'past the page cache; the file system of state_path must know O_DIRECT'),
            ('writethrough', 'each write is on the disk before the guest goes on: slow'),
            ('directsync', 'writethrough past the page cache: slowest'),
        ],
        help="How root disks are cached. Choose none to keep guests out of the host's memory on a busy host.",
    ),
    cfg.BoolOpt(
        'vnc_enabled',
        default=False,
        help="Give guests a screen, served by VNC on the host's loopback address without a password. Switch it on for "
        'guests that say on a screen what you need to see; every local user of the host can then look at it. Guests '
        'take a change at their next hard reboot.',
    ),
    cfg.StrOpt(
        'network_name',
        default='cloudplane',
        help='The libvirt network that guests are connected to, and the label under which clients see their '
        'addresses. It is made, with NAT to the outside, if it does not exist; one that exists is used as it is.',
    ),
    cfg.StrOpt(
        'network_bridge',
        default='cloudplane0',
        max_length=15,
        help='The bridge of that network when it is made here. Change it if an interface has this name already.',
    ),
    cfg.StrOpt(
        'network_cidr',
        default='192.168.148.0/24',
        help='The IPv4 addresses of that network when it is made here; the first one is the host. Change it if this '
        'range is in use where the host is, or to have room for more guests.',
    ),
]
