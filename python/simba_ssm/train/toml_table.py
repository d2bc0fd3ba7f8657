"""A TOML file's keys, each knowing its file and its place in it.

Every reader takes a key, checks it and marks it as known; `refuse_unknown` then names a key that
nobody asked for. Errors are TrainError with file, key, what was expected and what came.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from simba_ssm.train.errors import TrainError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

REQUIRED: Any = object()


def read_toml(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainError(f"{file}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise TrainError(f"{file}: not UTF-8 at byte {error.start}") from None
    except tomllib.TOMLDecodeError as error:
        raise TrainError(f"{file}: not TOML: {error}") from None


class Table:
    """values: one table of `file`; where: its dotted name, empty for the whole file."""

    def __init__(self, file: Path, where: str, values: dict[str, Any]) -> None:
        self.file = file
        self._where = where
        self._values = values
        self._known: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def error(self, key: str, expected: str) -> TrainError:
        got = f"got {_shown(self._values[key])}" if key in self._values else "found no such key"
        return TrainError(f"{self.file}: {self._name(key)}: expected {expected}, {got}")

    def table(self, key: str) -> Table:
        """The table `key`, empty where the file has none."""
        values = self._take(key, {})
        if not isinstance(values, dict):
            raise self.error(key, "a table")
        return Table(self.file, self._name(key), values)

    def text(self, key: str, default: str | None = REQUIRED) -> str:
        value = self._take(key, default, "a text")
        if value is not default and (not isinstance(value, str) or not value):
            raise self.error(key, "a text")
        return value

    def choice(self, key: str, choices: Sequence[str], default: str = REQUIRED) -> str:
        expected = "one of " + ", ".join(choices)
        value = self._take(key, default, expected)
        if value not in choices:
            raise self.error(key, expected)
        return value

    def boolean(self, key: str, default: bool) -> bool:
        value = self._take(key, default)
        if not isinstance(value, bool):
            raise self.error(key, "true or false")
        return value

    def integer(
        self, key: str, default: int | None = REQUIRED, least: int = 0, most: int | None = None
    ) -> int:
        expected = f"an integer of at least {least}"
        expected += "" if most is None else f" and at most {most}"
        value = self._take(key, default, expected)
        right = _is_integer(value, least) and (most is None or value <= most)
        if value is not default and not right:
            raise self.error(key, expected)
        return value

    def integers(self, key: str, default: Sequence[int], least: int = 1) -> tuple[int, ...]:
        expected = f"a list of integers of at least {least}"
        value = self._take(key, default)
        if not _is_list(value) or not value or not all(_is_integer(each, least) for each in value):
            raise self.error(key, expected)
        return tuple(value)

    def number(
        self,
        key: str,
        default: float = REQUIRED,
        least: float = -math.inf,
        most: float = math.inf,
        above: float = -math.inf,
    ) -> float:
        expected = f"a number{_range(least, most, above)}"
        value = self._take(key, default, expected)
        if not _is_number(value, least, most, above):
            raise self.error(key, expected)
        return float(value)

    def numbers(
        self,
        key: str,
        default: Sequence[float],
        count: int | None = None,
        least: float = -math.inf,
        most: float = math.inf,
        above: float = -math.inf,
    ) -> tuple[float, ...]:
        many = "a list of numbers" if count is None else f"{count} numbers"
        value = self._take(key, default)
        right = _is_list(value) and (count is None or len(value) == count)
        if not right or not all(_is_number(each, least, most, above) for each in value):
            raise self.error(key, many + _range(least, most, above))
        return tuple(float(each) for each in value)

    def path(self, key: str, default: Path | None = REQUIRED) -> Path | None:
        """A path; a relative one starts at the file's own folder."""
        value = self._take(key, default, "a path")
        if value is default:
            return default
        if not isinstance(value, str) or not value:
            raise self.error(key, "a path")
        return self.file.parent / value

    def refuse_unknown(self) -> None:
        for key in self._values:
            if key not in self._known:
                known = ", ".join(sorted(self._known))
                raise TrainError(f"{self.file}: {self._name(key)}: expected one of {known}")

    def _take(self, key: str, default: Any, expected: str = "a value") -> Any:
        self._known.add(key)
        if key not in self._values and default is REQUIRED:
            raise self.error(key, expected)
        return self._values.get(key, default)

    def _name(self, key: str) -> str:
        return f"{self._where}.{key}" if self._where else key


def _is_list(value: Any) -> bool:
    return isinstance(value, (list, tuple))


def _is_integer(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: Any, least: float, most: float, above: float) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and math.isfinite(value) and least <= value <= most and value > above


def _range(least: float, most: float, above: float) -> str:
    lower = f" above {above:g}" if above > -math.inf else ""
    lower = f" of at least {least:g}" if least > -math.inf else lower
    return lower + (f" and at most {most:g}" if most < math.inf else "")


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
