"""What filters and weighers are, in both forms, and how they are found.

A plug-in is made once, without arguments, and serves every decision: it keeps nothing between two calls. It does no
I/O. doc/contributor/filters-and-weighers.md shows one of each form.
"""

import abc
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, NamedTuple, NoReturn

import msgspec
import numpy as np
from numpy.typing import NDArray
from stevedore import named

from cloudplane.exceptions import CloudplaneException, ConfigurationError
from cloudplane.objects.operation import BuildSpec
from cloudplane.scheduler.table_view import Flags, HostState, TableView

FILTERS, WEIGHERS = 'cloudplane.scheduler.filters', 'cloudplane.scheduler.weighers'


class PluginFailed(CloudplaneException):
    """A plug-in of the scheduler failed."""

    error = 'scheduler_plugin'


class Reason(NamedTuple):
    """Why hosts were dropped: how many, in words (`without 8192 MB free`), and which came nearest (`h17, 5120`)."""

    hosts: int
    words: str
    nearest: str = ''


class _AnyFilter:
    """What both forms of filter share."""

    # The end of "7 hosts were …". Empty: the plug-in's name is used.
    words: ClassVar[str] = ''
    # True: which hosts pass does not change while servers of one request are placed, so they are asked once for all.
    run_filter_once_per_request: ClassVar[bool] = False

    def applies(self, spec: BuildSpec) -> bool:
        """Whether this request concerns the filter at all; asked once for equal servers."""
        return True

    def reasons(self, dropped: TableView, spec: BuildSpec) -> Iterable[Reason]:
        """Why the filter dropped these hosts. Called only when a server could not be placed."""
        return (Reason(len(dropped), self.words),)


class Filter(_AnyFilter, abc.ABC):
    """A filter that looks at all hosts at once."""

    @abc.abstractmethod
    def passes(self, hosts: TableView, spec: BuildSpec) -> Flags:
        """True for each host that may take the server."""


class HostFilter(_AnyFilter, abc.ABC):
    """A filter that looks at one host at a time, and only at those that all `Filter`s left."""

    @abc.abstractmethod
    def host_passes(self, host_state: HostState, spec: BuildSpec) -> bool:
        """Whether this host may take the server."""


class Weigher(abc.ABC):
    """A weigher that looks at all candidates at once. Any scale will do: weights are normalised."""

    @abc.abstractmethod
    def weights(self, hosts: TableView, spec: BuildSpec) -> NDArray[Any]:
        """A number for each host; more is better."""


class HostWeigher(abc.ABC):
    """A weigher that looks at one candidate at a time."""

    @abc.abstractmethod
    def _weigh_object(self, host_state: HostState, weight_properties: BuildSpec) -> float:
        """A number for this host; more is better."""

    def weights(self, hosts: TableView, spec: BuildSpec) -> NDArray[Any]:
        """The column that `_weigh_object` makes."""
        return np.array([self._weigh_object(hosts.state(index), spec) for index in range(len(hosts))], dtype=float)


class EnabledFilter(NamedTuple):
    """A filter under its configured name."""

    name: str
    filter: Filter | HostFilter


class EnabledWeigher(NamedTuple):
    """A weigher under its configured name. A negative multiplier turns it round: less is better."""

    name: str
    weigher: Weigher | HostWeigher
    multiplier: float


class PluginSet(msgspec.Struct, frozen=True, kw_only=True):
    """The plug-ins of one scheduler, in their configured order."""

    filters: tuple[EnabledFilter, ...]
    weighers: tuple[EnabledWeigher, ...]


def load(filter_names: Iterable[str], multipliers: Mapping[str, float]) -> PluginSet:
    """Make the configured plug-ins. One that is missing or broken raises ConfigurationError with its name."""
    filters = _load(FILTERS, tuple(filter_names), (Filter, HostFilter))
    weighers = _load(WEIGHERS, tuple(multipliers), (Weigher, HostWeigher))
    return PluginSet(
        filters=tuple(EnabledFilter(name, plugin) for name, plugin in filters.items()),
        weighers=tuple(EnabledWeigher(name, plugin, multipliers[name]) for name, plugin in weighers.items()),
    )


def _load(namespace: str, names: tuple[str, ...], kinds: tuple[type, ...]) -> dict[str, Any]:
    if len(set(names)) != len(names):
        raise ConfigurationError(f'{namespace}: a plug-in is named twice in {", ".join(names)}')
    found: Any = named.NamedExtensionManager(
        namespace,
        list(names),
        name_order=True,
        on_missing_entrypoints_callback=lambda missing: _refuse_missing(namespace, missing),
        on_load_failure_callback=_refuse_broken,
    )
    return {extension.name: _make(namespace, extension, kinds) for extension in found}


def _refuse_missing(namespace: str, names: Iterable[str]) -> NoReturn:
    raise ConfigurationError(f'no entry point of {namespace} is named {", ".join(sorted(names))}')


def _refuse_broken(_manager: object, entry_point: Any, error: BaseException) -> NoReturn:
    raise ConfigurationError(
        f'the plug-in {entry_point.name} of {entry_point.group} could not be loaded from {entry_point.value}: '
        f'{type(error).__name__}: {error}'
    ) from error


def _make(namespace: str, extension: Any, kinds: tuple[type, ...]) -> Any:
    try:
        plugin = extension.plugin()
    except Exception as error:
        raise ConfigurationError(
            f'the plug-in {extension.name} of {namespace} could not be made: {type(error).__name__}: {error}'
        ) from error
    if not isinstance(plugin, kinds):
        wanted = ' nor a '.join(kind.__name__ for kind in kinds)
        raise ConfigurationError(f'the plug-in {extension.name} of {namespace} is neither a {wanted}')
    return plugin
