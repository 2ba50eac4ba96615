"""Append-only logs of JSON lines. An incomplete last line is removed; any other damaged line is an error."""

import json
import os
from pathlib import Path
from typing import Any

from tl_search.store.atomic import naming
from tl_search.store.fence import may_publish


class Journal:
    """One log file with one record per line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def records(self) -> list[dict[str, Any]]:
        """All complete records. Removes an incomplete last line from the file, so only the log's writer may call this.

        Raises:
            ValueError: another line is damaged; the message gives its number.
        """
        records, torn = self._read()
        if torn:  # the writer was killed while it wrote the line, so the record does not count
            with self.path.open("r+b") as file:
                file.truncate(self.path.stat().st_size - torn)
                os.fsync(file.fileno())
        return records

    def peek(self) -> list[dict[str, Any]]:
        """Like `records`, without changing the file: its writer may just be writing the last line."""
        return self._read()[0]

    def _read(self) -> tuple[list[dict[str, Any]], int]:
        """(The complete records, the number of bytes in an incomplete last line)."""
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
        """Add one record and wait until it is on the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = as_line(record)
        may_publish(self.path)
        with self.path.open("ab") as file, naming(self.path):
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())


def as_line(record: dict[str, Any]) -> str:
    """A record as a line of the log, with its end."""
    return json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n"
