"""Unfinished images go when nobody will finish them, and never before."""

import uuid

import pytest

from cloudplane import states
from cloudplane.images.errors import ImageNotFound
from cloudplane.objects.image import Image
from tests.unit.conductor.bench import Bench
from tests.unit.conductor.rows import Host


def _image(bench: Bench, operation_id: str | None) -> str:
    return bench.images.create(Image(id=str(uuid.uuid4()), name='copy', owner='p1', operation_id=operation_id)).id


def _is_there(bench: Bench, image_id: str) -> bool:
    try:
        bench.images.get(image_id)
    except ImageNotFound:
        return False
    return True


@pytest.mark.parametrize(('ended', 'stays'), [(False, True), (True, False)])
def test_the_image_of_a_snapshot_goes_when_the_snapshot_has_failed(
    bench: Bench, host: Host, ended: bool, stays: bool
) -> None:
    server_id = bench.active(host)
    image_id = _image(bench, bench.running(states.SNAPSHOT, server_id, host))
    if ended:
        bench.finish(server_id, host, succeeded=False)

    bench.conductor.sweeper.sweep()

    assert _is_there(bench, image_id) == stays


def test_an_image_whose_operation_was_never_accepted_stays_for_a_while(bench: Bench) -> None:
    image_id = _image(bench, str(uuid.uuid4()))

    bench.conductor.sweeper.sweep()

    assert _is_there(bench, image_id)


def test_an_image_that_a_client_uploads_is_not_touched(bench: Bench) -> None:
    image_id = _image(bench, None)

    bench.conductor.sweeper.sweep()

    assert _is_there(bench, image_id)


def test_the_reconciler_sweeps(bench: Bench, host: Host) -> None:
    server_id = bench.active(host)
    image_id = _image(bench, bench.running(states.SNAPSHOT, server_id, host))
    bench.ask(states.DELETE, server_id)

    bench.look()

    assert not _is_there(bench, image_id)
    bench.finish(server_id, host)
