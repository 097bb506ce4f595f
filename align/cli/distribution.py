"""Whether the three packages that run are those of this distribution.

Other distributions install packages named `align` and `masks`, too; pip overwrites the files of one by those
of the other without a word, and a file or folder of that name in the current directory goes first as well.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.machinery import PathFinder
from importlib.metadata import packages_distributions, version
from pathlib import Path

NAME = "pointloom"
PACKAGES = ("masks", "pairs", "align")


def version_line() -> str:
    """Return name and version, as `--version` prints them."""
    return f"{NAME} {version(NAME)}"


def foreign_packages() -> Iterator[str]:
    """Yield a message for every package that another distribution, or another place, has put in the way."""
    home = Path(__file__).parents[2]
    owners = packages_distributions()
    for package in PACKAGES:
        others = sorted(set(owners.get(package, [])) - {NAME})
        if others:
            yield (
                f"the package `{package}` is also installed by {' and '.join(others)}, which overwrites "
                "files of "
                f"{NAME}. Uninstall it, then install {NAME} again, or keep the two in environments of "
                "their own."
            )
            continue
        found = PathFinder.find_spec(package)
        place = Path(found.origin).parent if found is not None and found.origin is not None else None
        # An editable install is found by a finder of its own, not on the path.
        if place is not None and place.resolve() != (home / package).resolve():
            yield (
                f"the package `{package}` is taken from {place}, not from {home / package}. Rename that "
                "file or "
                "folder, or run the command elsewhere."
            )
