"""Entry point of the command `pointloom`."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Protocol

import torch
import tyro

from align.cli.align import Align
from align.cli.console import print_error
from align.cli.demo import Demo
from align.cli.evaluate import Evaluate
from align.cli.export import Export
from align.cli.info import Info
from align.cli.localize import Localize
from align.cli.match import Match
from align.cli.reconstruct import Reconstruct
from masks.errors import PointloomError, UserError

_ABOUT = """Photos of an object and its masks go in; cameras and a dense, clean object come out.

First steps:  pointloom demo                                            a rendered turntable, start to end
              pointloom reconstruct PHOTOS --masks MASKS --out SCENE    your own photos
              pointloom localize SCENE PHOTOS --out SCENE2              more photos of the same object
              pointloom export SCENE --format glb --out object.glb      a file to look at
"""

EXIT_OK, EXIT_FAILURE, EXIT_USER, EXIT_INTERRUPTED = 0, 1, 2, 130


class Command(Protocol):
    """What a subcommand's dataclass offers."""

    def run(self) -> None:
        """Do the work. Raises `UserError` for what the user can mend."""
        ...


_Any = (
    Annotated[Reconstruct, tyro.conf.subcommand("reconstruct")]
    | Annotated[Align, tyro.conf.subcommand("align")]
    | Annotated[Localize, tyro.conf.subcommand("localize")]
    | Annotated[Match, tyro.conf.subcommand("match")]
    | Annotated[Export, tyro.conf.subcommand("export")]
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
    return tyro.cli(_Any, prog="pointloom", description=_ABOUT, args=list(arguments), config=config)  # pyright: ignore[reportCallIssue,reportArgumentType]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return the exit code: 0 success, 2 the user's mistake, 1 our failure, 130
    interrupted.
    """
    # One thread: sums come out alike on every machine, and the aligner's many small products gain nothing
    # from a second one.
    torch.set_num_threads(1)
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    signal.signal(signal.SIGTERM, _interrupt)
    command = parse(sys.argv[1:] if arguments is None else arguments)
    try:
        command.run()
    except UserError as error:
        print_error(str(error))
        return EXIT_USER
    except PointloomError as error:
        print_error(str(error))
        return EXIT_FAILURE
    except KeyboardInterrupt:
        print_error("interrupted. What was finished is kept: run the same command again to go on from there.")
        return EXIT_INTERRUPTED
    return EXIT_OK


def _interrupt(number: int, frame: object) -> None:
    """Leave on SIGTERM as on Ctrl-C, so that workers are stopped and no half-written file stays."""
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
