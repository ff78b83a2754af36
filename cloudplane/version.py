"""The release that is installed."""

from importlib import metadata


def version() -> str:
    """As the package's metadata has it."""
    return metadata.version('cloudplane')
