"""A broker of its own for each test."""

import uuid
from collections.abc import Iterator

import pytest
from oslo_config import cfg

from tests.integration.rpc.transport_contract.bus import Bus


@pytest.fixture(scope='session', autouse=True)
def _configuration() -> None:
    """oslo.messaging keeps some of its options on the global configuration only."""
    cfg.CONF([], project='cloudplane', default_config_files=[], default_config_dirs=[])


@pytest.fixture
def name() -> str:
    """The NAME of inproc://NAME."""
    return uuid.uuid4().hex


@pytest.fixture
def bus(name: str) -> Iterator[Bus]:
    """Servers and clients on that broker."""
    bus = Bus(f'inproc://{name}')
    yield bus
    bus.close()
