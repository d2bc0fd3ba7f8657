"""How many tokens each layer sees, in exact integers from the decimal retention.

The same counts as csrc/model/schedule.cpp, for where the C++ model cannot go: tracing, and other
versions of torch.
"""

from __future__ import annotations


def decimal(retention: float | str) -> tuple[int, int]:
    """The retention as numerator and denominator of the decimal that was written.

    Raises ValueError outside (0, 1].
    """
    if isinstance(retention, str):
        text = retention
    else:
        # Its digits make a float a constant to torch.compile, which else takes a second one for a
        # symbol.
        text = f"{float.fromhex(float(retention).hex()):.9f}"
    whole, _, decimals = text.partition(".")
    digits = whole + decimals
    if not (digits.isascii() and digits.isdigit()) or len(whole) > 9 or len(decimals) > 9:
        numerator, denominator = 0, 1
    else:
        numerator, denominator = int(digits), 10 ** len(decimals)
    if not 0 < numerator <= denominator:
        raise ValueError(
            "retention: expected a decimal in (0, 1] with at most 9 decimals, got "
            f"{str(retention)!r}"
        )
    return numerator, denominator


def steps_of(schedule: str) -> list[tuple[int, tuple[int, int]]]:
    """The (layer, fraction) of a "steps:" schedule; none of the others. Raises ValueError."""
    if schedule in ("linear", "constant"):
        return []
    prefix, _, items = schedule.partition(":")
    steps = []
    for item in items.split(","):
        layer, equals, fraction = item.partition("=")
        if prefix != "steps" or not (equals and layer.isascii() and layer.isdigit()):
            raise ValueError(
                "schedule: expected linear, constant or steps:LAYER=FRACTION,..., got "
                f"{schedule!r}"
            )
        steps.append((int(layer), decimal(fraction)))
    for (layer, (n, d)), (next_layer, (next_n, next_d)) in zip(steps, steps[1:], strict=False):
        if next_layer <= layer or next_n * d > n * next_d:
            raise ValueError(
                f"schedule: expected steps with rising layers and falling fractions, got {schedule!r}"
            )
    return steps


def tokens_per_layer(
    tokens: int, n_layer: int, retention: float | str, schedule: str = "linear"
) -> list[int]:
    """Tokens at the input of each layer, for a context of ``tokens``; exact in the decimal.

    linear: ceil(T (1 - (1 - r) l / (L - 1))) at layer l of L. constant: ceil(T r) from layer 1 up.
    """
    numerator, denominator = decimal(retention)
    counts = [tokens] * n_layer
    if schedule == "linear":
        whole = denominator * (n_layer - 1)
        for layer in range(1, n_layer):
            counts[layer] = -(-tokens * (whole - (denominator - numerator) * layer) // whole)
    elif schedule == "constant":
        counts[1:] = [-(-tokens * numerator // denominator)] * (n_layer - 1)
    for layer, (n, d) in steps_of(schedule):
        if not 1 <= layer < n_layer:
            raise ValueError(
                f"schedule: expected layers in [1, {n_layer}) for a model of {n_layer} layers, got "
                f"{layer} in {schedule!r}"
            )
        counts[layer:] = [-(-tokens * n // d)] * (n_layer - layer)
    return counts
