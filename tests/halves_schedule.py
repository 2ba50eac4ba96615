"""A schedule such as a user would write outside the package; tests copy this file into a plug-in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Halves:
    """Half of the run, half of that, and so on."""

    least: int = 1

    def steps(self, horizon):
        found = [horizon.total]
        while found[-1] // 2 >= self.least:
            found.append(found[-1] // 2)
        return tuple(reversed(found))

    def kept(self, horizon):
        return {horizon.total}
