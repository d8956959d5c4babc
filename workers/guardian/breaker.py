"""How much denying a turn survives."""

from workers.guardian import wording

IN_A_ROW = 3  # the reference server's figures
ALTOGETHER = 10


class Breaker:
    """Counts within one turn, and says once that it is enough."""

    def __init__(self) -> None:
        self._begin("")

    def _begin(self, turn_id: str) -> None:
        self._turn_id, self._row, self._total, self._tripped = turn_id, 0, 0, False

    def allowed(self, turn_id: str) -> None:
        """Something else came of a review than a denial."""
        if turn_id == self._turn_id:
            self._row = 0

    def denied(self, turn_id: str) -> str | None:
        """Why the turn has to end, when it does."""
        if turn_id != self._turn_id:
            self._begin(turn_id)
        self._row, self._total = self._row + 1, self._total + 1
        if self._tripped or (self._row < IN_A_ROW and self._total < ALTOGETHER):
            return None
        self._tripped = True
        return wording.STOPPED.format(row=self._row, total=self._total)
