"""The result as Markdown: one table a section, floors and ratios beside every figure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from benchmarks.compare.rows import Result, Row
from benchmarks.compare.timing import Spread


def markdown(result: Result) -> str:
    parts = ["# Simba and its peers", "", *_head(result)]
    for section, (title, text, table) in _SECTIONS.items():
        rows = result.of(section)
        if section == "timing_table":
            rows = result.of("models") + rows
        if rows:
            parts += ["", f"## {title}", "", text, "", *table(rows)]
    if result.failures:
        parts += ["", "## What failed", ""]
        parts += [f"- {case}{f' [{run}]' if run else ''}: {text}" for case, run, text in result.failures]
    if result.left_out:
        parts += ["", "## Left out for lack of time", "", *[f"- {name}" for name in result.left_out]]
    return "\n".join(parts) + "\n"


def by_group(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows that measure the same thing, in order of first appearance."""
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.subject, row.shape), []).append(row)
    return list(groups.values())


def ours(group: Sequence[Row]) -> Row | None:
    return next((row for row in group if row.run in ("simba", "simba dense")), None)


def ratio(row: Row, base: Row | None) -> str:
    """How many times as long as `base` the row took."""
    if base is None or row is base or not (row.seconds and base.seconds):
        return ""
    return f"{row.seconds.median / base.seconds.median:.2f}"


def times_floor(row: Row) -> str:
    if not (row.floor and row.seconds and row.floor.seconds > 0):
        return ""
    return f"{row.seconds.median / row.floor.seconds:.2f}"


def spread(seconds: Spread | None, unit: float = 1e-6) -> str:
    if seconds is None:
        return ""
    median, low, high = (digits(x / unit) for x in (seconds.median, seconds.low, seconds.high))
    return f"{median} ({low} to {high})" if seconds.count > 1 else f"{median} (once)"


def digits(value: float) -> str:
    """Three digits and no exponent."""
    if value == 0 or value >= 100:
        return f"{value:.0f}"
    return f"{value:.2f}" if value < 10 else f"{value:.1f}"


def lines(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    rule = "|" + "|".join("---" if title in _TEXT else "---:" for title in titles) + "|"
    body = ["| " + " | ".join(row) + " |" for row in rows]
    return ["| " + " | ".join(titles) + " |", rule, *body]


_TEXT = {"operator", "shape", "run", "bound", "model", "data", "", "simba is", "scan"}


def _head(result: Result) -> list[str]:
    machine, ceilings = result.machine, result.machine.ceilings
    products = ", ".join(f"{k} {v / 1e12:.4g}" for k, v in ceilings.products.items())
    unit = "multiprocessors" if machine.is_gpu else "threads"
    clock = f" at {machine.clock / 1e9:.2f} GHz at most" if machine.clock else ""
    cuda = f", CUDA {machine.cuda}" if machine.cuda else ""
    exponentials = (
        f"; exponential unit {ceilings.exponentials / 1e12:.3g} T/s; "
        f"float32 {ceilings.float32 / 1e12:.3g} TFLOP/s"
        if ceilings.exponentials
        else ""
    )
    peers = ", ".join(f"{name} {version}" for name, version in result.peers.items()) or "none"
    head = [
        f"{machine.name}, {machine.multiprocessors} {unit}{clock}, torch {machine.torch}{cuda}.",
        f"Measured ceilings: copy {ceilings.copy / 1e12:.3g} TB/s, products (TFLOP/s) {products}"
        f"{exponentials}.",
        f"Peers: {peers}. Times are medians (smallest to largest) of runs that took turns.",
        f"`{result.command}`, {result.seconds:.0f} s.",
    ]
    return head + [f"Absent: {name} ({why})." for name, why in result.absent.items()]


def _operators(rows: list[Row]) -> list[str]:
    titles = ["operator", "shape", "run", "floor µs", "bound", "µs (spread)", "x floor", "warm µs",
              "/ simba", "of our scan"]  # fmt: skip
    scans = {(row.subject, row.shape): row for row in rows if row.run == "simba"}
    out = []
    for group in by_group(rows):
        for row in group:
            warm = row.more.get("warm")
            of_scan = ""
            if row.subject.startswith("influence_scores "):
                dtype = row.subject.split()[1]
                scan = scans.get((f"selective_scan {dtype}", row.shape))
                of_scan = f"{row.seconds.median / scan.seconds.median:.0%}" if scan else ""
            out.append([row.subject, row.shape, row.run, digits(row.floor.seconds * 1e6),
                        row.floor.bound, spread(row.seconds), times_floor(row),
                        digits(warm.median * 1e6) if warm else "", ratio(row, ours(group)),
                        of_scan])  # fmt: skip
    return lines(titles, out)


def _scan_grid(rows: list[Row]) -> list[str]:
    titles = ["scan", "shape", "floor µs", "bound", "simba µs", "x floor", "run", "peer µs",
              "peer / simba", "simba is"]  # fmt: skip
    out = []
    for group in by_group(rows):
        base = ours(group)
        if base is None:
            continue
        head = [base.subject, base.shape, digits(base.floor.seconds * 1e6), base.floor.bound,
                spread(base.seconds), times_floor(base)]  # fmt: skip
        peers = [row for row in group if row is not base]
        for row in peers:
            verdict = "faster" if row.seconds.median > base.seconds.median else "SLOWER"
            out.append([*head, row.run, spread(row.seconds), ratio(row, base), verdict])
        if not peers:
            out.append([*head, "", "", "", ""])
    return lines(titles, out)


def _prefill(rows: list[Row]) -> list[str]:
    titles = ["model", "shape", "run", "wall ms (spread)", "/ dense", "/ pruned", "busy ms",
              "busy / dense", "busy / pruned", "x floor", "FLOPs share", "launches", "tokens/s"]  # fmt: skip
    out = []
    for group in by_group(rows):
        dense = ours(group)
        pruned = next((row for row in group if row.run.startswith("simba r=")), None)
        for row in group:
            busy, share = row.more.get("busy"), row.more.get("flops_share")
            out.append([row.subject, row.shape, row.run, spread(row.seconds, 1e-3),
                        ratio(row, dense), ratio(row, pruned), digits(busy * 1e3) if busy else "",
                        _busy_ratio(row, dense), _busy_ratio(row, pruned), times_floor(row),
                        f"{share:.3f}" if share else "", str(row.more.get("launches", "")),
                        f"{row.more['tokens_per_second']:.0f}"])  # fmt: skip
    return lines(titles, out)


def _busy_ratio(row: Row, base: Row | None) -> str:
    if base is None or row is base or not (row.more.get("busy") and base.more.get("busy")):
        return ""
    return f"{row.more['busy'] / base.more['busy']:.2f}"


def _decode(rows: list[Row]) -> list[str]:
    titles = ["model", "shape", "run", "ms a step (spread)", "/ simba", "floor ms", "bound", "x floor",
              "tokens/s", "weights TB/s"]  # fmt: skip
    out = []
    for group in by_group(rows):
        for row in group:
            out.append([row.subject, row.shape, row.run, spread(row.seconds, 1e-3),
                        ratio(row, ours(group)), digits(row.floor.seconds * 1e3), row.floor.bound,
                        times_floor(row), f"{row.more['tokens_per_second']:.0f}",
                        f"{row.more['weight_bytes_per_second'] / 1e12:.3g}"])  # fmt: skip
    return lines(titles, out)


def _timing_table(rows: list[Row]) -> list[str]:
    """Models down, lengths across: dense / Simba in ms, and how much faster."""
    lengths = sorted({row.more["tokens"] for row in rows if row.shape.startswith("(1, ")})
    titles = ["model", "run", *[f"L = {length}" for length in lengths]]
    cells: dict[tuple[str, str], dict[int, Row]] = {}
    for row in rows:
        if row.shape.startswith("(1, ") and not row.run.startswith("floor"):
            cells.setdefault((row.subject, row.run), {})[row.more["tokens"]] = row
    out = []
    for (model, run), at in cells.items():
        dense = cells.get((model, "simba dense"), {})
        texts = []
        for length in lengths:
            row, base = at.get(length), dense.get(length)
            faster = f" ({base.seconds.median / row.seconds.median:.2f}x)" if row and base else ""
            texts.append(digits(row.seconds.median * 1e3) + faster if row else "")
        out.append([model, run, *texts])
    return lines(titles, out)


def _accuracy(rows: list[Row]) -> list[str]:
    titles = ["operator", "data", "run", "norm error", "of rounding", "ratio", "max error",
              "max of rounding", "kept as exact"]  # fmt: skip
    out = []
    for row in rows:
        more = row.more
        rounding = more["rounding_norm_error"]
        kept = more.get("kept_as_exact")
        out.append([row.subject, row.shape, row.run, f"{more['norm_error']:.3g}", f"{rounding:.3g}",
                    f"{more['norm_error'] / rounding:.3f}" if rounding else "",
                    f"{more['max_error']:.3g}", f"{more['rounding_max_error']:.3g}",
                    f"{kept:.2%}" if kept is not None else ""])  # fmt: skip
    return lines(titles, out)


_SECTIONS: dict[str, tuple[str, str, Callable[[list[Row]], list[str]]]] = {
    "operators": (
        "Operators",
        "Inputs rotate so that they come from memory; warm: one set of inputs again and again, in "
        "the last-level cache where it fits, as after the kernel that wrote it.",
        _operators,
    ),
    "scan_grid": ("The selective scan on a grid of shapes", "z, D, bias and softplus.", _scan_grid),
    "accuracy": (
        "Accuracy",
        "Against the float64 definition on the same stored inputs. Norm error: ‖error‖ / ‖exact‖; max "
        "error: largest |error| / (|exact| + rms / 100); of rounding: those of the exact result in the "
        "output's type (float32 for states and scores, which are log2). Kept as exact: positions of a "
        "tenth of the tokens that are those of the exact scores.",
        _accuracy,
    ),
    "models": (
        "Prefill of whole models",
        "Random weights, logits of the last token. Wall: from the call to the end of the device's "
        "work. Busy: the sum of a run's kernels. Ratios are to our dense and our pruned run. Floor: the "
        "same matrix products alone, through torch. FLOPs share: counted, scores included, of dense.",
        _prefill,
    ),
    "timing_table": (
        "Prefill latency against length",
        "Median wall time in ms, and how many times faster than our dense model.",
        _timing_table,
    ),
    "decode": (
        "Decoding",
        "Greedy; a step is the difference of two lengths. Floor: weights and states moved once.",
        _decode,
    ),
}
