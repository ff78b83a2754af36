"""Not the hosts that refused this server before: they were full when it came to the claim, or its build failed."""

import numpy as np

from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.plugins import Filter
from cloudplane.scheduler.table_view import Flags, TableView


class RetryFilter(Filter):
    """The host is not excluded by the request."""

    words = 'tried before'
    run_filter_once_per_request = True

    def applies(self, spec: BuildSpec) -> bool:
        return bool(spec.excluded_hosts)

    def passes(self, hosts: TableView, spec: BuildSpec) -> Flags:
        return ~np.isin(hosts.ids, spec.excluded_hosts)
