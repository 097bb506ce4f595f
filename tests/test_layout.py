"""The shape of the tree: rooms are small, and one stays within a few steps of everything.

Which room may import which is the import contracts' business (pyproject.toml).
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import networkx
import pytest

ROOT = Path(__file__).parents[1]
MOST_FILES = 15
MOST_STEPS = 8


def modules(package: str) -> list[Path]:
    return sorted(path for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py")


def dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


@cache
def imports(package: str) -> Mapping[str, frozenset[str]]:
    """Return the modules of the package that each of its modules needs to be imported.

    What a function imports when it is called does not count: options hand their work to an aligner above
    them.
    """
    known = {dotted(path) for path in modules(package)}
    found = {}
    for path in modules(package):
        nodes = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ImportFrom)]
        named = {node.module for node in nodes} | {f"{n.module}.{a.name}" for n in nodes for a in n.names}
        found[dotted(path)] = frozenset(named & known)
    return found


def longest_chain(arrows: Iterable[tuple[str, str]]) -> list[str]:
    """Return the longest chain of imports; there is no circle."""
    return networkx.dag_longest_path(networkx.DiGraph(list(arrows)))


@pytest.mark.parametrize("package", ["masks", "pairs", "align"])
def test_no_folder_is_crowded(package: str) -> None:
    crowded = {}
    for folder in {path.parent for path in modules(package)}:
        count = sum(path.parent == folder for path in modules(package))
        if count > MOST_FILES:
            crowded[str(folder.relative_to(ROOT))] = count
    assert not crowded


@pytest.mark.parametrize(("package", "most"), [("masks", MOST_STEPS), ("pairs", 9), ("align", MOST_STEPS)])
def test_no_folder_hides_a_long_way_through_its_files(package: str, most: int) -> None:
    for folder in {path.parent for path in modules(package)}:
        own = {dotted(path) for path in modules(package) if path.parent == folder}
        chain = longest_chain((a, b) for a in own for b in imports(package)[a] & own)
        assert len(chain) <= most, " -> ".join(chain)


def test_the_way_through_the_rooms_of_align_is_short() -> None:
    """From the command line down to the nouns; a file at the top level is a room of its own."""

    def room(module: str) -> str:
        return ".".join(module.split(".")[:2])

    arrows = {(room(a), room(b)) for a, found in imports("align").items() for b in found}
    chain = longest_chain((a, b) for a, b in arrows if a != b)
    assert len(chain) <= MOST_STEPS, " -> ".join(chain)
