"""One measured figure, and what came of a whole run."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field

from benchmarks.compare.device import Ceilings, Machine
from benchmarks.compare.floors import Floor, Work
from benchmarks.compare.timing import Spread


@dataclass
class Row:
    """subject: operator and variant, or model. run: simba, or a peer with its version. more: columns
    that only its section has.
    """

    section: str
    subject: str
    shape: str
    run: str
    seconds: Spread | None = None
    work: Work | None = None
    floor: Floor | None = None
    more: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Case:
    """Something to measure. Smaller importance runs earlier; those of equal importance in order."""

    section: str
    name: str
    importance: float
    run: Callable[[], list[Row]]


@dataclass
class Result:
    """failures: (case, run, message). absent: why a peer is not there, by its name. left_out: cases
    that there was no time for.
    """

    machine: Machine
    command: str
    rows: list[Row] = field(default_factory=list)
    failures: list[tuple[str, str, str]] = field(default_factory=list)
    peers: dict[str, str] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def of(self, section: str) -> list[Row]:
        return [row for row in self.rows if row.section == section]

    def failed(self) -> bool:
        """Whether something of ours did: a peer that fails is reported, and no more."""
        return any(not run or run.startswith("simba") for _, run, _ in self.failures)

    def as_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict) -> Result:
        """Of what as_json gave."""
        machine = value["machine"]
        machine = Machine(**machine | {"ceilings": Ceilings(**machine["ceilings"])})
        parts = {"seconds": Spread, "work": Work, "floor": Floor}
        rows = [
            Row(**row | {name: row[name] and part(**row[name]) for name, part in parts.items()})
            for row in value["rows"]
        ]
        failures = [(case, run, message) for case, run, message in value["failures"]]
        return cls(**value | {"machine": machine, "rows": rows, "failures": failures})
