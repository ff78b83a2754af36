"""Only hosts of the zone that was asked for."""

from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.plugins import Filter
from cloudplane.scheduler.table_view import Flags, TableView


class AvailabilityZoneFilter(Filter):
    """The host is in the request's availability zone, if it names one."""

    words = 'in another zone'
    run_filter_once_per_request = True

    def applies(self, spec: BuildSpec) -> bool:
        return spec.availability_zone is not None

    def passes(self, hosts: TableView, spec: BuildSpec) -> Flags:
        assert spec.availability_zone is not None  # applies
        passed: Flags = hosts.zone == hosts.texts.known(spec.availability_zone)
        return passed
