"""Who looks at which picture, so that no two people get the same one."""

import time
from collections.abc import Callable

LEASE_S = 600.0  # seconds without a word, after which somebody else gets what a person was shown


class Leases:
    """Pictures that are shown to somebody, by their numbers; it is not for several threads."""

    def __init__(
        self, seconds: float = LEASE_S, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin without any."""
        self._seconds, self._clock = seconds, clock
        self._held: dict[int, str] = {}
        self._until: dict[str, float] = {}

    def renew(self, reviewer: str) -> None:
        """Take a word of a reviewer, who holds for as long again what they hold."""
        self._until[reviewer] = self._clock() + self._seconds

    def is_free_for(self, reviewer: str, picture: int) -> bool:
        """Tell whether nobody else is shown a picture."""
        holder = self._held.get(picture)
        return holder in (None, reviewer) or self._until.get(holder, 0.0) < self._clock()

    def hold(self, reviewer: str, pictures: list[int]) -> None:
        """Let a reviewer hold these pictures and no others."""
        self.release(reviewer)
        self._held |= dict.fromkeys(pictures, reviewer)

    def release(self, reviewer: str) -> None:
        """Let others have what a reviewer was shown."""
        self._held = {at: holder for at, holder in self._held.items() if holder != reviewer}
