"""Times that rise by a second with each look, so that no two things happen at once."""

import datetime
import itertools


class Clock:
    """Gives out times as records have them."""

    def __init__(self) -> None:
        self._seconds = itertools.count()
        self._start = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)

    def now(self) -> str:
        """The next second, in UTC."""
        time = self._start + datetime.timedelta(seconds=next(self._seconds), microseconds=250)
        return time.strftime('%Y-%m-%dT%H:%M:%S.%f')
