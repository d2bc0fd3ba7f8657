"""A progress bar per file on a terminal's stderr; nothing where stderr is a file."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from simba_ssm.download import transfer


@contextmanager
def bars() -> Iterator[Callable[[str], transfer.Progress]]:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(binary_units=True),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns,
        console=console,
        transient=True,
        disable=not console.is_terminal,
        redirect_stdout=sys.stdout.isatty(),  # lines above the bars, but never out of a file
    ) as progress:

        def watch(path: str) -> transfer.Progress:
            task = progress.add_task(path, total=None)

            def update(there: int, total: int | None) -> None:
                progress.update(task, completed=there, total=total, visible=there != total)

            return update

        yield watch
