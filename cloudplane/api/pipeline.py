"""Composes the WSGI application by PasteDeploy, from the pipeline file.

The factories named in that file need the clients and settings of this service. PasteDeploy hands them its global
configuration, which it treats as text; so what it carries is a string, with the wiring attached. The wiring thus
belongs to one ApiService, and two services in one process (tests, the all-in-one) do not meet in a module's global.
"""

import importlib.metadata
from pathlib import Path
from typing import cast
from wsgiref.types import WSGIApplication

from paste import deploy

import cloudplane
from cloudplane.api.compute.call import Services
from cloudplane.api.settings import ApiSettings
from cloudplane.exceptions import ConfigurationError

_KEY = 'cloudplane_wiring'
_FILE = 'etc/cloudplane/api-paste.ini'


class Wiring(str):
    """What the factories of filters and applications may use."""

    __slots__ = ('services', 'settings')

    services: Services
    settings: ApiSettings

    def __new__(cls, settings: ApiSettings, services: Services) -> 'Wiring':
        made = super().__new__(cls, 'cloudplane')
        made.settings, made.services = settings, services
        return made


def wiring_of(global_conf: dict[str, str]) -> Wiring:
    """The wiring in what PasteDeploy hands to a factory."""
    wiring = global_conf.get(_KEY)
    if not isinstance(wiring, Wiring):
        raise ConfigurationError('This part of the pipeline works only inside the service of cloudplane-api.')
    return wiring


def load(wiring: Wiring) -> WSGIApplication:
    """The whole application. ConfigurationError names what is wrong with the file."""
    path = Path(wiring.settings.paste_config).absolute() if wiring.settings.paste_config else shipped_file()
    try:
        return cast(WSGIApplication, deploy.loadapp(f'config:{path}', global_conf={_KEY: wiring}))
    except ConfigurationError:
        raise
    except Exception as error:  # the file is an operator's, and may name any code
        raise ConfigurationError(f'The pipeline of {path} cannot be composed: {error}') from error


def shipped_file() -> Path:
    """The pipeline file that came with cloudplane: from the checkout, the installed package, or a distribution's."""
    for path in (_in_checkout(), _installed(), Path('/') / _FILE):
        if path is not None and path.is_file():
            return path
    raise ConfigurationError(f'{_FILE} was not found; name one in [api] paste_config.')


def _in_checkout() -> Path:
    return Path(cloudplane.__file__).parents[1] / _FILE


def _installed() -> Path | None:
    """Where the installer put it: setup.cfg lists it among data_files, so it lands under the installation's prefix."""
    try:
        files = importlib.metadata.files('cloudplane') or ()
    except importlib.metadata.PackageNotFoundError:
        return None
    return next((Path(str(each.locate())) for each in files if each.as_posix().endswith(_FILE)), None)
