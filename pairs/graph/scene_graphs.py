"""Which pairs of views to look at.

A scene graph is data with one method; nodes are positions in the list of views, whose order is the natural
order of the file names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import networkx

from masks.errors import GraphError
from masks.reading import reading, shown
from pairs.graph.by_similarity import MOST_DIGITS, parse_retrieval

Edges = tuple[tuple[int, int], ...]
"""Pairs of positions (a, b), a < b, ascending."""


class SceneGraph(Protocol):
    """Says which pairs of views are looked at."""

    def edges(self, names: Sequence[str]) -> networkx.Graph:
        """Return a graph, without loops, whose nodes are positions in the list of the views' names."""
        ...


@dataclass(frozen=True, slots=True)
class Complete:
    """Every view with every other: n (n - 1) / 2 pairs."""

    def edges(self, names: Sequence[str]) -> networkx.Graph:
        """Return all pairs."""
        return _graph(len(names), ((a, b) for b in range(len(names)) for a in range(b)))


@dataclass(frozen=True, slots=True)
class Window:
    """Every view with the next few ones: for videos and turntables."""

    size: int = 3
    """How many following views."""
    cyclic: bool = True
    """Whether the first view follows the last one."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise GraphError(f"a window of {self.size} views holds no pair. Give 1 or more, as in window:3.")

    def edges(self, names: Sequence[str]) -> networkx.Graph:
        """Return the pairs of views at most `size` apart."""
        # Offsets that reach around bring nothing new.
        offsets = range(1, min(self.size, len(names)) + 1)
        return _graph(len(names), _offsets(len(names), offsets, self.cyclic))


@dataclass(frozen=True, slots=True)
class LogWindow:
    """Every view with those 1, 2, 4, 8, ... later: long loops with few pairs."""

    size: int = 4
    """How many such distances: the farthest is 2^(size - 1)."""
    cyclic: bool = True
    """Whether the first view follows the last one."""

    def __post_init__(self) -> None:
        if self.size < 1:
            raise GraphError(
                f"a logarithmic window of {self.size} distances holds no pair. Give 1 or more, as in "
                "logwindow:4."
            )

    def edges(self, names: Sequence[str]) -> networkx.Graph:
        """Return the pairs of views a power of two apart."""
        num_views = len(names)
        # Around the end, powers of two repeat after as many steps as there are views at most, and a few that
        # lead into the cycle; without it, they are beyond the last view sooner.
        steps = min(self.size, num_views + num_views.bit_length())
        offsets = (pow(2, k, num_views) if self.cyclic else 2**k for k in range(steps))
        return _graph(num_views, _offsets(num_views, offsets, self.cyclic))


@dataclass(frozen=True, slots=True)
class Star:
    """One view with every other; the others are never compared, so nothing checks what the centre says."""

    centre: int = 0
    """Position of the view in the middle, from 0."""

    def edges(self, names: Sequence[str]) -> networkx.Graph:
        """Return the pairs with the centre. Raises `GraphError` when there is no such view."""
        num_views = len(names)
        if not 0 <= self.centre < num_views:
            raise GraphError(
                f"star:{self.centre}: there are {num_views} views, numbered 0 to {num_views - 1}. Choose "
                "one of these."
            )
        return _graph(num_views, ((self.centre, view) for view in range(num_views)))


@dataclass(frozen=True, slots=True)
class Ring:
    """Views around an object in the order of their files, closed: every view with its three next neighbours
    on either side.

    Neighbours at distance one alone would do for a perfect sequence. But then a single bad pair opens the
    ring, no triangle shows which pair is bad, and errors add up around the loop; at distance three every view
    is in nine triangles.
    """

    reach: int = 3
    """How many neighbours on either side."""

    def edges(self, names: Sequence[str]) -> networkx.Graph:
        """Return the cyclic window of that reach."""
        return Window(self.reach, cyclic=True).edges(names)


@dataclass(frozen=True, slots=True)
class FromFile:
    """The pairs listed in a text file, two view names a line; empty lines and lines beginning with # are
    skipped.

    Names with spaces are separated by a tab.
    """

    path: Path

    def edges(self, names: Sequence[str]) -> networkx.Graph:
        """Return the listed pairs. Raises `GraphError`, naming file and line, for a line that isn't two
        known, different names.
        """
        remedy = "Give a text file with two view names a line."
        with reading(self.path, remedy, "cannot read the list of pairs", GraphError):
            lines = self.path.read_text(encoding="utf-8").splitlines()
        number = {name: k for k, name in enumerate(names)}
        pairs = [
            self._pair(line, k + 1, number)
            for k, line in enumerate(lines)
            if line.strip() and not line.lstrip().startswith("#")
        ]
        if not pairs:
            raise GraphError(f"{self.path}: no pairs. Write two view names a line, or choose another graph.")
        return _graph(len(names), pairs)

    def _pair(self, line: str, line_number: int, number: dict[str, int]) -> tuple[int, int]:
        fields = [part.strip() for part in (line.split("\t") if "\t" in line else line.split())]
        where = f"{self.path}, line {line_number}"
        if len(fields) != 2:
            raise GraphError(
                f"{where}: {len(fields)} names, but a pair has two. Separate names that contain spaces by "
                "a tab."
            )
        for name in fields:
            if name not in number:
                known = ", ".join(list(number)[:5]) + (", ..." if len(number) > 5 else "")
                raise GraphError(
                    f"{where}: there is no view {shown(name)}. The views are {known}; correct the line or "
                    "delete it."
                )
        if fields[0] == fields[1]:
            raise GraphError(
                f"{where}: view {shown(fields[0])} is paired with itself. Correct the line or delete it."
            )
        return number[fields[0]], number[fields[1]]


GRAPH_CHOICES = (
    "complete, ring, window:3, window:3:open, logwindow:4, logwindow:4:open, star:0, retrieval:20,10, "
    "file:PAIRS.txt"
)
"""What `parse_graph` understands, by example."""


def parse_graph(text: str) -> SceneGraph:
    """Return the graph that a command line asks for.

    Raises `GraphError`, listing the choices, for anything else.
    """
    kind, _, rest = text.partition(":")
    if kind == "file" and rest:
        return FromFile(Path(rest))
    readers: dict[str, Callable[[list[str]], SceneGraph | None]] = {
        "complete": lambda fields: Complete() if not fields else None,
        "ring": lambda fields: Ring() if not fields else None,
        "window": lambda fields: _window(Window, fields),
        "logwindow": lambda fields: _window(LogWindow, fields),
        "retrieval": lambda fields: parse_retrieval(rest),
        "star": lambda fields: (
            Star(int(fields[0]) if fields else 0) if len(fields) < 2 and _numeric(fields[:1]) else None
        ),
    }
    graph = readers.get(kind, lambda fields: None)(rest.split(":") if rest else [])
    if graph is None:
        raise GraphError(f"{shown(text)} is not a scene graph. Choose one of: {GRAPH_CHOICES}.")
    return graph


def tied_views(edges: Edges) -> tuple[tuple[int, ...], Edges]:
    """Return the positions that occur in any edge, ascending, and the edges between places in that list."""
    tied = tuple(sorted({position for edge in edges for position in edge}))
    place = {position: k for k, position in enumerate(tied)}
    return tied, tuple((place[a], place[b]) for a, b in edges)


def _window(make: type[Window] | type[LogWindow], fields: list[str]) -> SceneGraph | None:
    """Return the window of `[size][, "open"]`; none when it is written otherwise."""
    cyclic = not (fields and fields[-1] == "open")
    sizes = fields if cyclic else fields[:-1]
    if len(sizes) > 1 or not _numeric(sizes):
        return None
    return make(int(sizes[0]), cyclic) if sizes else make(cyclic=cyclic)


def _numeric(fields: list[str]) -> bool:
    # isdigit alone lets superscripts and other scripts pass, which int() refuses with an error of its own, as
    # it does thousands of digits.
    return all(field.isascii() and field.isdigit() and len(field) <= MOST_DIGITS for field in fields)


def _offsets(num_views: int, offsets: Iterable[int], cyclic: bool) -> Iterable[tuple[int, int]]:
    """Yield every view with the one each offset later, around the end when cyclic."""
    for offset in offsets:
        # An offset longer than an open sequence gives a negative range, which is empty.
        for view in range(num_views if cyclic else num_views - offset):
            yield view, (view + offset) % num_views


def _graph(num_views: int, pairs: Iterable[tuple[int, int]]) -> networkx.Graph:
    """Return the graph of the pairs without loops and copies, edges (a, b) with a < b in ascending order."""
    graph = networkx.Graph()
    graph.add_nodes_from(range(num_views))
    graph.add_edges_from(sorted({(min(pair), max(pair)) for pair in pairs if pair[0] != pair[1]}))
    return graph
