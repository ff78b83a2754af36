"""The plain values that the agent works with; `settings_from` is the only place that reads the configuration."""

import msgspec
from oslo_config import cfg

from cloudplane.compute.virt.host_settings import HostSettings


class AgentSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The clocks and limits of one agent. Those without an option are here so that tests can shorten them."""

    heartbeat_s: float = 10
    power_sync_s: float = 600
    # Longest time of one step.
    start_step_s: float = 60
    power_off_step_s: float = 70
    transfer_stall_s: float = 60  # without progress
    # What a guest is given to obey.
    graceful_stop_s: float = 60
    soft_reboot_s: float = 60
    max_concurrent_builds: int = 10
    max_concurrent_snapshots: int = 5
    max_held: int = 1000
    resume_guests_at_start: bool = False

    step_grace_s: float = 5  # what a step that is over its time gets to end by itself
    hypervisor_patience_s: float = 30  # how long an operation waits for a hypervisor that is away (a restart)
    retry_first_s: float = 0.2  # back-off of calls that are repeated until they are answered: first wait …
    retry_most_s: float = 10  # … and longest
    heartbeats_lost: int = 3  # in a row, before the transport is built anew
    power_settle_s: float = 0.05  # power changes that come within this time make one report
    power_retry_s: float = 1  # power changes that could not be reported, or came during an operation, are tried again
    max_console_reads: int = 20  # side by side; more are answered with "busy"
    tombstone_days: float = 7


def settings_from(conf: cfg.ConfigOpts) -> AgentSettings:
    """The agent's settings from the configuration."""
    clocks, host = conf.operations, conf.compute
    return AgentSettings(
        heartbeat_s=clocks.heartbeat_s,
        power_sync_s=host.power_sync_s,
        start_step_s=clocks.start_step_s,
        power_off_step_s=clocks.power_off_step_s,
        transfer_stall_s=clocks.transfer_stall_s,
        graceful_stop_s=clocks.graceful_stop_s,
        soft_reboot_s=clocks.soft_reboot_s,
        max_concurrent_builds=host.max_concurrent_builds,
        max_concurrent_snapshots=host.max_concurrent_snapshots,
        max_held=host.max_held,
        resume_guests_at_start=host.resume_guests_at_start,
    )


def host_settings_from(conf: cfg.ConfigOpts) -> HostSettings:
    """What the operator says of this host."""
    host = conf.compute
    return HostSettings(
        host=conf.host,
        zone=host.zone,
        host_ip=host.host_ip,
        reserved_vcpus=host.reserved_vcpus,
        reserved_memory_mb=host.reserved_memory_mb,
        reserved_disk_gb=host.reserved_disk_gb,
        vcpu_ratio=host.vcpu_ratio,
        memory_ratio=host.memory_ratio,
        disk_ratio=host.disk_ratio,
    )
