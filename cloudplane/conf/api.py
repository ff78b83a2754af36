"""[api]: the HTTP edge."""

from oslo_config import cfg

GROUP = 'api'
OPTS = [
    cfg.HostAddressOpt(
        'listen',
        default='127.0.0.1',
        help='Address to listen on. Before you open it to a network, set auth_strategy to something other than noauth.',
    ),
    cfg.PortOpt('port', default=8774, help='Port to listen on; 0 takes a free one (for tests).'),
    cfg.StrOpt(
        'public_endpoint',
        default='',
        help='URL under which clients reach this service, for the links in answers. Empty: taken from each request. '
        'Set it behind a proxy that changes host, port or path.',
    ),
    cfg.StrOpt(
        'paste_config',
        default='',
        help='The PasteDeploy file that composes the pipeline. Empty: the api-paste.ini that came with cloudplane.',
    ),
    cfg.StrOpt(
        'auth_strategy',
        default='noauth',
        choices=['noauth', 'static'],
        help='Who is believed. noauth believes everybody (development only); static takes tokens from token_file.',
    ),
    cfg.StrOpt(
        'token_file',
        default='',
        help='For auth_strategy = static: a JSON file, {"TOKEN": {"user_id", "project_id", "roles"}}, mode 0600.',
    ),
    cfg.IntOpt(
        'max_request_body_size',
        default=114688,
        min=1024,
        help='Largest request body in bytes; more is answered with 413. User data is 64 KiB of base64 at most.',
    ),
    cfg.IntOpt(
        'max_limit',
        default=1000,
        min=1,
        help='Most items in one page of a list, and the size of a page when the client does not say.',
    ),
    cfg.IntOpt('threads', default=64, min=1, help='Requests that one process serves side by side.'),
    cfg.FloatOpt('keepalive_s', default=60, min=1, help='Seconds after which an idle connection is closed.'),
]
