"""The two transports that must keep the contract."""

import uuid
from collections.abc import Iterator

import pytest
from oslo_config import cfg

from tests.integration.rpc.transport_contract.bus import Bus
from tests.services import RabbitMQ


@pytest.fixture(scope='session', autouse=True)
def _configuration() -> None:
    """oslo.messaging keeps some of its options on the global configuration only."""
    cfg.CONF([], project='cloudplane', default_config_files=[], default_config_dirs=[])


@pytest.fixture(params=['inproc', 'rabbit'])
def bus(request: pytest.FixtureRequest) -> Iterator[Bus]:
    """A bus of each kind. RabbitMQ's queues are auto-deleted, so that none outlives its server."""
    if request.param == 'inproc':
        url = f'inproc://{uuid.uuid4().hex}'
    else:
        broker: RabbitMQ = request.getfixturevalue('rabbitmq')
        url = f'{broker.url()}?amqp_auto_delete=true'
    bus = Bus(url)
    try:
        yield bus
    finally:
        bus.close()
