"""The transport contract under eventlet. (The package beside this module is collected, and runs with threads.)"""

import pytest

from cloudplane import concurrency
from tests.backends import run_pytest


@pytest.mark.eventlet
@pytest.mark.skipif(concurrency.active_backend() == 'eventlet', reason='runs under eventlet already')
def test_both_transports_keep_the_contract_under_eventlet() -> None:
    run_pytest('eventlet', 'tests/integration/rpc/transport_contract')
