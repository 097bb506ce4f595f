"""Where the command `pointloom` begins: nothing heavy is imported before an interruption can be answered."""

from __future__ import annotations

import os
import sys

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def run() -> int:
    """Run the command line and return its exit code, also when Ctrl-C comes while the libraries are still
    being loaded.
    """
    _open_standard_streams()
    # Before NumPy is loaded, which reads them then: sums over two threads end in other digits than over one.
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        if sys.argv[1:] == ["--version"]:
            return _print_version()
        return _run()
    except KeyboardInterrupt:
        sys.stderr.write("pointloom: interrupted.\n")
        return 130
    except Exception as error:
        message = _told(error)
        if message is None:
            raise
        sys.stderr.write(f"pointloom: {message}\n")
        return 2


def _told(error: Exception) -> str | None:
    """Return what to tell of an error from before the command line could tell it, none if it is our fault."""
    # Here: another distribution may have overwritten these, which is told without them.
    from masks.errors import UserError
    from masks.memory import is_out_of_memory

    if isinstance(error, UserError):
        return str(error)
    if is_out_of_memory(error):
        return "the memory does not suffice to begin. Close other programs."
    return None


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
