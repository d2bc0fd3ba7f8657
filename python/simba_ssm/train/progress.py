"""How far a run is: a bar on a terminal, else a line every now and then."""

from __future__ import annotations

import sys
from types import TracebackType

from simba_ssm.train.errors import TrainError


class Progress:
    """A context manager. every: steps between lines where stderr is no terminal."""

    def __init__(self, title: str, steps: int, done: int, every: int, shown: bool) -> None:
        try:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
            from rich.progress import TimeRemainingColumn
        except ImportError:
            raise TrainError("rich is not installed: pip install 'simba-ssm[train]'") from None
        console = Console(stderr=True)
        self._steps, self._every, self._shown = steps, every, shown
        self._on_terminal = console.is_terminal
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            console=console,
            disable=not (shown and console.is_terminal),
        )
        self._task = self._bar.add_task(title, total=steps, completed=done, figures="")

    def __enter__(self) -> Progress:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def step(self, step: int, loss: float, tokens_per_second: float) -> None:
        figures = f"loss {loss:.4f}  {tokens_per_second:,.0f} tokens/s"
        self._bar.update(self._task, completed=step, figures=figures)
        if step % self._every == 0 or step == self._steps:
            self._line(f"step {step} of {self._steps}  {figures}")

    def validation(self, step: int, values: dict[str, float]) -> None:
        figures = "  ".join(f"{name} {value:.4f}" for name, value in values.items())
        self.say(f"step {step} of {self._steps}  {figures}")

    def say(self, text: str) -> None:
        if self._on_terminal and self._shown:
            self._bar.console.print(text, highlight=False)
        else:
            self._line(text)

    def _line(self, text: str) -> None:
        if self._shown and not self._on_terminal:
            print(text, file=sys.stderr, flush=True)
