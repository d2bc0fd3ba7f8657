"""A JSON file's fields, each knowing its file and its place in it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simba_ssm.report.errors import ReportError


@dataclass(frozen=True)
class Field:
    """value at `where` ("rows[3].flops.total") of a file. Errors are ReportError and name both."""

    file: Path
    where: str
    value: Any

    @classmethod
    def of_file(cls, file: Path) -> Field:
        try:
            return cls(file, "", json.loads(file.read_text(encoding="utf-8")))
        except OSError as error:
            raise ReportError(f"{file}: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise ReportError(f"{file}: not UTF-8 at byte {error.start}") from None
        except json.JSONDecodeError as error:
            raise ReportError(f"{file}:{error.lineno}: not JSON: {error.msg}") from None
        except (ValueError, RecursionError) as error:  # of long integers and deep nesting
            raise ReportError(f"{file}: not JSON that can be read: {error}") from None

    def error(self, expected: str) -> ReportError:
        try:
            got = json.dumps(self.value, ensure_ascii=False)
        except RecursionError:  # read with a few frames less on the stack
            got = "what is nested too deeply to show"
        got = got if len(got) <= 60 else got[:57] + "..."
        where = self.where or "the whole"
        return ReportError(f"{self.file}: {where}: expected {expected}, got {got}")

    def __getitem__(self, name: str) -> Field:
        found = self.get(name)
        if found is None:
            at = f"{self.where}.{name}" if self.where else name
            raise ReportError(f"{self.file}: {at}: expected, but not there")
        return found

    def get(self, name: str) -> Field | None:
        """The field, or None where it is missing or null."""
        if not isinstance(self.value, dict):
            raise self.error("an object")
        value = self.value.get(name)
        where = f"{self.where}.{name}" if self.where else name
        return None if value is None else Field(self.file, where, value)

    def items(self) -> Iterator[tuple[str, Field]]:
        if not isinstance(self.value, dict):
            raise self.error("an object")
        for name in self.value:
            yield name, self[name]

    def elements(self) -> Iterator[Field]:
        if not isinstance(self.value, list):
            raise self.error("a list")
        for index, value in enumerate(self.value):
            yield Field(self.file, f"{self.where}[{index}]", value)

    def text(self) -> str:
        if not isinstance(self.value, str):
            raise self.error("a text")
        return self.value

    def integer(self) -> int:
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.error("an integer")
        if abs(self.value) >= 2**63:
            raise self.error("an integer of 64 bits")
        return self.value

    def number(self) -> float:
        if isinstance(self.value, bool) or not isinstance(self.value, (int, float)):
            raise self.error("a number")
        try:
            number = float(self.value)
        except OverflowError:
            number = math.inf
        if not math.isfinite(number):
            raise self.error("a finite number")
        return number
