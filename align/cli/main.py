"""Entry point of the command `pointloom`."""

from __future__ import annotations

import errno
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Protocol

import cv2
import torch
import tyro

from align.cli.commands.align import Align
from align.cli.commands.demo import Demo
from align.cli.commands.evaluate import Evaluate
from align.cli.commands.export import Export
from align.cli.commands.info import Info
from align.cli.commands.localize import Localize
from align.cli.commands.masks import Masks
from align.cli.commands.match import Match
from align.cli.commands.mesh import Mesh
from align.cli.commands.reconstruct import Reconstruct
from align.cli.console import print_error
from align.cli.terminal import TerminalLog, standard_output
from masks.disk.temporary_folder import sweep_temporary_folders
from masks.errors import PointloomError, UserError
from masks.memory import is_out_of_memory, keep_freed_memory

_ABOUT = """Photos of an object and its masks go in; cameras and a dense, clean object come out.

First steps:  pointloom demo                                            a rendered turntable, start to end
              pointloom reconstruct PHOTOS --masks MASKS --out SCENE    your own photos
              pointloom localize SCENE PHOTOS --out SCENE2              more photos of the same object
              pointloom export SCENE --format glb --out object.glb      a file to look at
"""

_SHORT_OF_MEMORY = (
    "the memory does not suffice. What was finished is kept: close other programs and run the same command "
    "again, or use fewer or smaller photos and masks, `longest=384`, or a machine with more."
)
_ENDING = ("SIGTERM", "SIGHUP", "SIGQUIT", "SIGXCPU", "SIGALRM", "SIGVTALRM", "SIGPROF", "SIGUSR1", "SIGUSR2")
"""Signals that end a program that does not answer them: from a service, a closed terminal, a queue of jobs
whose time is up."""

_OF_A_PATH = (errno.ENAMETOOLONG, errno.EACCES, errno.EPERM, errno.ELOOP, errno.EIO)
_SHOWN_OF_A_PATH = 300

EXIT_OK, EXIT_FAILURE, EXIT_USER, EXIT_INTERRUPTED = 0, 1, 2, 130


class Command(Protocol):
    """What a subcommand's dataclass offers."""

    def run(self) -> None:
        """Do the work. Raises `UserError` for what the user can mend."""
        ...


_Any = (
    Annotated[Reconstruct, tyro.conf.subcommand("reconstruct")]
    | Annotated[Align, tyro.conf.subcommand("align")]
    | Annotated[Masks, tyro.conf.subcommand("masks")]
    | Annotated[Localize, tyro.conf.subcommand("localize")]
    | Annotated[Match, tyro.conf.subcommand("match")]
    | Annotated[Export, tyro.conf.subcommand("export")]
    | Annotated[Mesh, tyro.conf.subcommand("mesh")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Demo, tyro.conf.subcommand("demo")]
    | Annotated[Info, tyro.conf.subcommand("info")]
)


def parse(arguments: Sequence[str]) -> Command:
    """Return the subcommand that the arguments ask for. Exits with code 2 on a wrong usage, 0 on --help."""
    config = (
        tyro.conf.OmitSubcommandPrefixes,
        tyro.conf.OmitArgPrefixes,
        tyro.conf.FlagCreatePairsOff,
        tyro.conf.EnumChoicesFromValues,
    )
    try:
        with standard_output():
            return tyro.cli(_Any, prog="pointloom", description=_ABOUT, args=list(arguments), config=config)  # pyright: ignore[reportCallIssue,reportArgumentType]
    except SystemExit:
        for name in arguments:
            if name.startswith("-") and Path(name).exists():
                print_error(f"{name}: for a name that begins with a dash write ./{name}")
        raise
    # Whoever reads the help has seen enough.
    raise SystemExit(EXIT_OK)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0 success, 2 the user's mistake, 1 our failure, 130
    interrupted.
    """
    # One thread: sums come out alike on every machine, and the aligner's many small products gain nothing
    # from a second one.
    torch.set_num_threads(1)
    keep_freed_memory()
    logging.basicConfig(level=logging.WARNING, handlers=[TerminalLog()])
    _answer_signals()
    sweep_temporary_folders()
    try:
        parse(sys.argv[1:] if arguments is None else arguments).run()
    except UserError as error:
        print_error(str(error))
        return EXIT_USER
    except PointloomError as error:
        print_error(str(error))
        return EXIT_FAILURE
    except KeyboardInterrupt:
        print_error("interrupted. What was finished is kept: run the same command again to go on from there.")
        return EXIT_INTERRUPTED
    except (MemoryError, RuntimeError, OSError, cv2.error) as error:
        if is_out_of_memory(error):
            print_error(_SHORT_OF_MEMORY)
        elif isinstance(error, OSError) and error.errno in _OF_A_PATH and error.filename is not None:
            # Any option may name a path that cannot even be asked for.
            name = os.fsdecode(error.filename)
            print_error(f"{name[:_SHOWN_OF_A_PATH]}: {error.strerror}. Check this path and its permissions.")
        else:
            raise
        return EXIT_USER
    return EXIT_OK


def _answer_signals() -> None:
    """Leave on signals as on Ctrl-C, so that workers are stopped and no half-written file stays."""
    for name in _ENDING:
        number = getattr(signal, name, None)
        # What somebody ignores, as nohup does SIGHUP, or answers otherwise, stays so.
        if number is not None and (signal.getsignal(number) in (signal.SIG_DFL, _interrupt)):
            signal.signal(number, _interrupt)


def _interrupt(number: int, frame: object) -> None:
    # A terminal that is closed says so twice, itself and through its shell, and services send one signal
    # after the other: the second must not disturb the clearing away.
    for name in _ENDING:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
