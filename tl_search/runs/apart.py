"""A revision of a search whose scores look like those of another model, as `result.json` lists it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Apart:
    """A revision whose scores stand apart from those before and after it (`search/apart.py` says by which rule).

    Args:
        revision: Its name.
        neighbours: The scored revisions before and after it.
        points: By how much its scores are above both (negative: below both), in the median.
        limit: What the rule allows, in points, by the noise and the usual change of the other revisions.
        scores: How many of its scores could be compared.
    """

    revision: str
    neighbours: tuple[str, ...]
    points: float
    limit: float
    scores: int

    @property
    def sentence(self) -> str:
        """What a person should know, in one line without a full stop."""
        side, between = "above" if self.points > 0 else "below", " and ".join(self.neighbours)
        return (
            f"{self.revision} looks like another model: its scores are {abs(self.points):.1f} points {side} those of "
            f"both {between} (median of {self.scores}), and by the rest of the plane {self.limit:.1f} would be the most"
        )
