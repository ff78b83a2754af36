"""What has been done to a server: its operations, under the ids of the requests that caused them."""

from cloudplane.api.compute import policies
from cloudplane.api.compute.call import Answer, Call
from cloudplane.api.compute.resources.server import check_id
from cloudplane.api.compute.views import instance_action as views


def index(call: Call, server_id: str) -> Answer:
    """All operations of a server, newest first."""
    check_id(server_id)
    operations = call.services.conductor.operation_list(call.context, server_id, call.scope)
    return Answer({'instanceActions': [views.summary(operation) for operation in operations]})


def show(call: Call, server_id: str, request_id: str) -> Answer:
    """One operation, with its steps."""
    check_id(server_id)
    operation = call.services.conductor.operation_get(call.context, server_id, call.scope, request_id)
    with_traceback = policies.allows(policies.ACTION_TRACEBACK, call.context)
    return Answer({'instanceAction': views.show(operation, with_traceback=with_traceback)})
