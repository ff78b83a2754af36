"""What every main does first: choose how the process runs side by side, read the configuration, set up the logs.

`choose_backend` must run before anything that uses threads is imported, so this module imports nothing of that kind at
its top.
"""

import configparser
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from cloudplane import concurrency

if TYPE_CHECKING:
    from oslo_config import cfg

DEFAULT_CONFIG = Path('/etc/cloudplane/cloudplane.conf')
# oslo.config's name for the option in the environment.
BACKEND_VARIABLE = 'OS_DEFAULT__CONCURRENCY_BACKEND'


def choose_backend(arguments: Sequence[str]) -> None:
    """Activate `[DEFAULT] concurrency_backend`, as the environment or the configuration files say."""
    backend = os.environ.get(BACKEND_VARIABLE, '')
    if not backend:
        for file in config_files(arguments):
            backend = _read(file) or backend
    try:
        concurrency.activate(cast(concurrency.Backend, backend or 'eventlet'))
    except ValueError as error:
        sys.exit(f'{Path(sys.argv[0]).name}: {error}')


def config_files(arguments: Sequence[str]) -> list[Path]:
    """The files of `--config-file` (any number), or the default one if it exists."""
    named = []
    for at, argument in enumerate(arguments):
        if argument == '--config-file' and at + 1 < len(arguments):
            named.append(Path(arguments[at + 1]))
        elif argument.startswith('--config-file='):
            named.append(Path(argument.removeprefix('--config-file=')))
    return named or ([DEFAULT_CONFIG] if DEFAULT_CONFIG.exists() else [])


def _read(file: Path) -> str:
    parser = configparser.ConfigParser(strict=False, allow_no_value=True, interpolation=None)
    try:
        parser.read(file)
    except configparser.Error:
        return ''  # oslo.config will say what is wrong with the file, and where
    return (parser.defaults().get('concurrency_backend') or '').strip()


def configure(arguments: Sequence[str], name: str) -> 'cfg.ConfigOpts':
    """Read the configuration, or end the process with one line that says what is wrong with it."""

    conf = read_configuration(arguments, name)
    _set_up_logs(conf, name)
    return cast('cfg.ConfigOpts', conf)


def read_configuration(arguments: Sequence[str], name: str) -> Any:
    """The global configuration (oslo.messaging knows no other), without any logging."""
    from oslo_config import cfg
    from oslo_log import log

    from cloudplane.conf import opts
    from cloudplane.version import version

    conf = cfg.CONF
    opts.register(conf)
    log.register_options(conf)
    files = config_files(arguments)
    try:
        conf(
            list(arguments),
            project='cloudplane',
            prog=name,
            version=version(),
            default_config_files=[str(file) for file in files],
            default_config_dirs=[],
        )
        _read_all(conf)
    except cfg.Error as error:
        sys.exit(f'{name}: the configuration is wrong: {error}')
    return conf


def _read_all(conf: Any) -> None:
    """Values are checked when they are read: read all of them now, not in the middle of something."""
    from cloudplane.conf import opts

    for group, options in opts.list_opts():
        section = conf if group == 'DEFAULT' else conf[group]
        for option in options:
            getattr(section, option.dest)


def _set_up_logs(conf: Any, name: str) -> None:
    from oslo_log import log
    from oslo_reports import guru_meditation_report

    from cloudplane.version import version

    quiet = [f'{name}=WARNING' for name in ('oslo.messaging', 'oslo_messaging', 'sqlalchemy', 'alembic', 'stevedore')]
    # A daemon's messages go to stderr unless a file or the journal was asked for; stdout says when it is ready.
    conf.set_default('use_stderr', not (conf.log_file or conf.use_journal or conf.use_syslog))
    log.set_defaults(default_log_levels=[*log.get_default_log_levels(), *quiet])
    log.setup(conf, name, version())
    guru_meditation_report.TextGuruMeditation.setup_autorun(_Version(name))


class _Version:
    """What a Guru Meditation report (SIGUSR2) says of the process."""

    def __init__(self, product: str) -> None:
        self._product = product

    def vendor_string(self) -> str:
        return 'cloudplane'

    def product_string(self) -> str:
        return self._product

    def version_string_with_package(self) -> str:
        from cloudplane.version import version

        return version()
