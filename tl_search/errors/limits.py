"""Checks of numbers in a config. A message begins with the setting's name; None, where a setting allows it, passes."""

import math


def at_least(least: float, **settings: float | None) -> None:
    """Raises ValueError for the first setting that is below `least`."""
    for name, value in settings.items():
        if value is not None and value < least:
            raise ValueError(f"{name}: must be >= {least}, got {value}")


def not_negative(**settings: float) -> None:
    """Raises ValueError for the first setting that is negative, infinite or NaN."""
    for name, value in settings.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name}: must be a finite number >= 0, got {value}")
