"""Where the command `pointloom` begins: nothing heavy is imported before an interruption can be answered."""

from __future__ import annotations

import os
import sys

from masks.errors import UserError
from masks.memory import is_out_of_memory


def run() -> int:
    """Run the command line and return its exit code, also when Ctrl-C comes while the libraries are still
    being loaded.
    """
    _open_standard_streams()
    try:
        if sys.argv[1:] == ["--version"]:
            return _print_version()
        return _run()
    except KeyboardInterrupt:
        sys.stderr.write("pointloom: interrupted.\n")
        return 130
    except UserError as error:
        sys.stderr.write(f"pointloom: {error}\n")
        return 2
    except (MemoryError, ImportError, OSError) as error:
        if not is_out_of_memory(error):
            raise
        sys.stderr.write("pointloom: the memory does not suffice to begin. Close other programs.\n")
        return 2


def _open_standard_streams() -> None:
    """Let closed standard streams lead nowhere: the next file that is opened would get the number of one, and
    what libraries print.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free: this one
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def _run() -> int:
    try:
        from align.cli.main import main
    except ImportError:
        # What another distribution has overwritten cannot be imported: its name helps more than a traceback.
        if _print_thieves():
            return 2
        raise
    return main()


def _print_version() -> int:
    from align.cli.distribution import version_line
    from align.cli.terminal import standard_output

    with standard_output() as output:
        output.write(version_line() + "\n")
    return 2 if _print_thieves() else 0


def _print_thieves() -> bool:
    from align.cli.distribution import foreign_packages

    found = list(foreign_packages())
    sys.stderr.writelines(f"pointloom: {message}\n" for message in found)
    return bool(found)
