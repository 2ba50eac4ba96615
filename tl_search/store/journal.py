"""Append-only logs of JSON lines: a torn last line is cut, a damaged middle line is refused with its number."""

import json
import os
from pathlib import Path
from typing import Any

from tl_search.store.atomic import naming


class Journal:
    """One log. Lines are records in order; what is on disk is what `records` gives."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def records(self) -> list[dict[str, Any]]:
        """All whole records, once a torn last line is cut off; for the log's one writer.

        Raises:
            ValueError: a line before the last is damaged; the message has its number.
        """
        records, torn = self._read()
        if torn:  # the writer was killed in mid-line: the record was never finished, so it never happened
            with self.path.open("r+b") as file:
                file.truncate(self.path.stat().st_size - torn)
                os.fsync(file.fileno())
        return records

    def peek(self) -> list[dict[str, Any]]:
        """The same for everybody else, who changes nothing: the writer may be about to finish the last line."""
        return self._read()[0]

    def _read(self) -> tuple[list[dict[str, Any]], int]:
        """Whole records, and the bytes of a torn last line."""
        if not self.path.exists():
            return [], 0
        *complete, torn = self.path.read_bytes().split(b"\n")
        records = []
        for number, line in enumerate(complete, 1):
            try:
                records.append(json.loads(line))
            except ValueError as error:
                raise ValueError(f"{self.path}: line {number} is damaged ({error})") from error
        return records, len(torn)

    def append(self, record: dict[str, Any]) -> None:
        """Add one record and wait until the disk has it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
        with self.path.open("ab") as file, naming(self.path):
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())
