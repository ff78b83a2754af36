"""Times in answers. Records have `YYYY-MM-DDTHH:MM:SS.ffffff` in UTC; Nova has two forms, clients insist on each."""


def with_z(time: str) -> str:
    """Whole seconds, and a Z: created, updated."""
    return f'{time[:19]}Z'


def with_microseconds(time: str | None) -> str | None:
    """Microseconds, and no Z: launched_at, and whatever operators see."""
    if time is None:
        return None
    return f'{time[:19]}.{time[20:].rstrip("Z").ljust(6, "0")[:6]}'
