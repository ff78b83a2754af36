"""What has been done to a server."""

from typing import Any

from cloudplane.api.compute.views import times
from cloudplane.objects.operation import EventRecord, OperationRecord


def summary(operation: OperationRecord) -> dict[str, Any]:
    """As in a list."""
    return {
        'action': operation.action,
        'instance_uuid': operation.server_id,
        'request_id': operation.request_id,
        'user_id': operation.user_id,
        'project_id': operation.project_id,
        'start_time': times.with_microseconds(operation.started_at),
        'message': operation.message,
    }


def show(operation: OperationRecord, *, with_traceback: bool) -> dict[str, Any]:
    """With its steps."""
    return {
        **summary(operation),
        'events': [_event(event, with_traceback=with_traceback) for event in operation.steps],
    }


def _event(event: EventRecord, *, with_traceback: bool) -> dict[str, Any]:
    return {
        'event': event.name,
        'start_time': times.with_microseconds(event.started_at),
        'finish_time': times.with_microseconds(event.finished_at),
        'result': event.result,
        'traceback': event.details if with_traceback else None,
    }
