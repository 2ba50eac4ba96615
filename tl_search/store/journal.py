"""Append-only logs of JSON lines: a torn last line is cut, a damaged middle line is refused with its number."""

import json
import os
from pathlib import Path
from typing import Any


class Journal:
    """One log. Lines are records in order; what is on disk is what `records` gives."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def records(self) -> list[dict[str, Any]]:
        """All whole records. Raises ValueError with the line's number when one before the last is damaged."""
        if not self.path.exists():
            return []
        lines = self.path.read_bytes().split(b"\n")
        complete, torn = lines[:-1], lines[-1]
        records = []
        for number, line in enumerate(complete, 1):
            try:
                records.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"{self.path}: line {number} is damaged ({error})") from error
        if torn:  # the writer was killed in mid-line: the record was never finished, so it never happened
            with self.path.open("r+b") as file:
                file.truncate(self.path.stat().st_size - len(torn))
                os.fsync(file.fileno())
        return records

    def append(self, record: dict[str, Any]) -> None:
        """Add one record and wait until the disk has it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
        with self.path.open("ab") as file:
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
