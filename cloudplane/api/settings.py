"""What the HTTP service is told at its start. `settings_from` is the only place that reads the [api] options."""

from dataclasses import dataclass, field
from typing import Any, Literal

from oslo_config import cfg

from cloudplane.conf import api as api_options


@dataclass(frozen=True, kw_only=True)
class ApiSettings:
    """The values of the options in conf/api.py, which explains them."""

    listen: str = '127.0.0.1'
    port: int = 8774
    public_endpoint: str = ''
    paste_config: str = ''
    auth_strategy: Literal['noauth', 'static'] = 'noauth'
    token_file: str = ''
    max_request_body_size: int = 114688
    max_limit: int = 1000
    threads: int = 64
    keepalive_s: float = 60
    # Where filters of oslo.middleware find options of their own: [cors], [oslo_middleware].
    oslo_conf: cfg.ConfigOpts = field(default_factory=cfg.ConfigOpts)


def settings_from(conf: cfg.ConfigOpts) -> ApiSettings:
    """The settings of a configuration on which the [api] options are registered."""
    group = conf[api_options.GROUP]
    values: dict[str, Any] = {option.dest: group[option.dest] for option in api_options.OPTS}
    return ApiSettings(**values, oslo_conf=conf)
