"""Where the command `pointloom` begins: nothing heavy is imported before an interruption can be answered."""

from __future__ import annotations

import sys


def run() -> int:
    """Run the command line and return its exit code, also when Ctrl-C comes while the libraries are still
    being loaded.
    """
    try:
        from align.cli.main import main

        return main()
    except KeyboardInterrupt:
        sys.stderr.write("pointloom: interrupted.\n")
        return 130
