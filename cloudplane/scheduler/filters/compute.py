"""Only hosts whose agent is heard of, and from which no operator keeps servers away."""

from collections.abc import Iterator

import numpy as np

from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.plugins import Filter, Reason
from cloudplane.scheduler.table_view import Flags, TableView


class ComputeFilter(Filter):
    """Up, enabled, and not forced down."""

    run_filter_once_per_request = True

    def passes(self, hosts: TableView, spec: BuildSpec) -> Flags:
        return hosts.available

    def reasons(self, dropped: TableView, spec: BuildSpec) -> Iterator[Reason]:
        """Each host under the strongest reason: an operator's word comes before silence."""
        forced_down = dropped.forced_down
        disabled = dropped.disabled & ~forced_down
        down = ~(forced_down | disabled)
        for words, hosts in (('disabled', disabled), ('forced down', forced_down), ('down', down)):
            if count := int(np.count_nonzero(hosts)):
                yield Reason(count, words)
