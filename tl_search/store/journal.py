"""Append-only logs of JSON lines. An incomplete last line is removed; any other damaged line is an error."""

import json
import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from tl_search.store.atomic import naming
from tl_search.store.fence import may_publish
from tl_search.store.outside import LARGE, parse_json, read_bytes
from tl_search.store.typed_json import fitting, from_plain

_LINES = 500_000  # a search makes one per decision, a training one per revision


class Journal:
    """One log file with one record per line.

    Args:
        path: Of the file.
        healed_by: What heals a damaged one, as the end of a message.
    """

    def __init__(self, path: Path, healed_by: str = "") -> None:
        self.path, self.healed_by = path, healed_by

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
        complete, torn = self.lines()
        records = []
        for number, line in enumerate(complete, 1):
            with self.fitting(number):
                records.append(from_plain(dict[str, Any], parse_json(line)))
        return records, len(torn)

    def lines(self) -> tuple[list[bytes], bytes]:
        """(The complete lines, an incomplete last one); whether they are records is not looked at.

        Raises:
            ValueError: the file is too large, or no file.
        """
        if not self.path.exists():
            return [], b""
        with fitting(self.path, self.healed_by):
            data = read_bytes(self.path, LARGE)
            if data.count(b"\n") > _LINES:
                raise ValueError(f"it has more than {_LINES:,} lines")
        *complete, torn = data.split(b"\n")
        return complete, torn

    def fitting(self, number: int) -> AbstractContextManager[None]:
        """What does not fit in a line, counted from 1, becomes a ValueError that names it."""
        return fitting(f"{self.path}: line {number}", self.healed_by)

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
