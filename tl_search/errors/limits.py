"""Checks of numbers in a config. A message begins with the setting's name; None, where a setting allows it, passes."""

import math

MOST_STEPS = 10**12  # of a run, and between two of its steps: a run of so many takes centuries
MOST_SECONDS = 10**9  # 30 years
LARGEST_RATE = 1e30


def at_least(least: float, **settings: float | None) -> None:
    """Raises ValueError for the first setting that is below `least`."""
    for name, value in settings.items():
        if value is not None and value < least:
            raise ValueError(f"{name}: must be >= {least}, got {value}")


def between(least: float, most: float, **settings: float | None) -> None:
    """Raises ValueError for the first setting that is below `least`, above `most` or NaN.

    The ceilings are far above what anybody needs. They refuse what would end later, after hours or in a way that nobody
    understands: with no memory left, or with a number that a tensor or a file cannot hold.
    """
    for name, value in settings.items():
        if value is not None and not least <= value <= most:
            rule = f"<= {most:{',' if most < 1e15 else 'g'}}" if value > most else f">= {least}"
            raise ValueError(f"{name}: must be {rule}, got {value}")


def not_negative(most: float, **settings: float) -> None:
    """Raises ValueError for the first setting that is negative, infinite, NaN or above `most`."""
    for name, value in settings.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name}: must be a finite number >= 0, got {value}")
    between(0, most, **settings)
