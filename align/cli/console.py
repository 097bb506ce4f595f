"""What a person sees while a command works: stages with their progress, notices, and tables."""

from __future__ import annotations

import shlex
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from align.cli.terminal import StandardError, printable, standard_output
from align.cli.wording import in_options
from align.scene import Scene
from masks.errors import OutputError
from masks.notice import Level, Notice

_STYLES = {Level.INFO: "dim", Level.WARNING: "yellow", Level.LEFT_OUT: "red"}


class StageDisplay:
    """A live display of stages on a terminal, plain lines elsewhere. Use as a context manager; call it as a
    `Progress`.

    Results go to standard output; this goes to standard error, so that pipes stay clean.
    """

    def __init__(self) -> None:
        self.console = Console(file=StandardError(), highlight=False)
        self.seconds: dict[str, float] = {}
        self._stage = ""
        self._started = time.perf_counter()
        self._task: TaskID | None = None
        self._progress = Progress(
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> StageDisplay:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close_stage()
        self._progress.stop()

    def __call__(self, stage: str, done: int, total: int) -> None:
        """Show that `done` of `total` steps of a stage are finished."""
        if stage != self._stage:
            self._close_stage()
            self._stage, self._started = stage, time.perf_counter()
            self._task = self._progress.add_task(stage, total=total or None)
            if not self.console.is_terminal:
                self.console.print(f"{stage:<34}", end="")
        if self._task is not None:
            self._progress.update(self._task, completed=done, total=total or None)

    def _close_stage(self) -> None:
        if not self._stage:
            return
        spent = time.perf_counter() - self._started
        self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + spent
        if (
            self._task is not None
        ):  # also a stage that never said how far it was is done when the next one begins
            steps = max(1, int(self._progress.tasks[self._task].completed))
            self._progress.update(self._task, total=steps, completed=steps)
        if not self.console.is_terminal:
            self.console.print(f"{spent:7.1f} s")
        self._stage = ""

    def show(self, notices: Sequence[Notice]) -> None:
        """Print the notices, those that matter last, where they are read."""
        for notice in sorted(notices, key=lambda n: list(_STYLES).index(n.level)):
            text = printable(in_options(f"{notice.subject}: {notice.text}"))
            prefix = "" if notice.level is Level.INFO else f"{notice.level.value}: "
            self.console.print(prefix + text, style=_STYLES[notice.level], markup=False, soft_wrap=True)


def print_error(message: str) -> None:
    """Print an error to standard error, unwrapped so that paths can be copied."""
    Console(file=StandardError(), highlight=False, soft_wrap=True).print(
        f"pointloom: {printable(in_options(message))}", style="bold red", markup=False
    )


def print_result(text: str) -> None:
    """Print a result to standard output. Raises `OutputError` when that is full."""
    with standard_output() as output:
        known = output.encoding or "utf-8"
        output.write(printable(text).encode(known, "backslashreplace").decode(known) + "\n")


def require_writable(folder: Path, option: str) -> None:
    """Find out before an hour of work whether its result can be written; `option` is where the folder was
    named.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # A file without a name, or with one that nobody else has.
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be written ({error.strerror}). Choose another folder with {option}."
        ) from error


def summary(scene: Scene, folder: Path) -> str:
    """Return the closing lines: how many views were placed, and what to do next."""
    placed, given = len(scene.views), len(scene.inputs)
    doubts = [notice for notice in scene.report.notices if notice.level is Level.WARNING]
    told = (
        f", {len(doubts)} warning{'s' if len(doubts) > 1 else ''} (see above, or: pointloom info)"
        if doubts
        else ""
    )
    lines = [f"{placed} of {given} views placed{told}. Scene written to {folder}"]
    missing = sorted(set(scene.inputs) - {view.name for view in scene.views})
    if missing:
        lines.append(f"not placed: {', '.join(missing)}")
    lines.append(
        f"next: pointloom export {_as_argument(folder)} --format glb --out "
        f"{_as_argument(folder / 'object.glb')}"
    )
    return "\n".join(lines)


def _as_argument(path: Path) -> str:
    """Return a path as a shell and the command line take it."""
    text = str(path)
    return shlex.quote(f"./{text}" if text.startswith("-") else text)
