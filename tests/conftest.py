"""Options of the whole suite."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import hypothesis
import pytest

from masks.memory import keep_freed_memory

# Two threads that wait for each other's small products are ten times slower than one on a busy machine, and
# sums depend on their number.
for _library in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_library, "1")
# As the command line and the workers do.
keep_freed_memory()
# The first call of a kind is slow, and any call on a busy machine.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

NOT_YET = "not yet: "
"""Begins the reason of a skipped golden case whose kind nobody has written yet."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the folder of golden cases, and how many damaged files each reader gets."""
    parser.addoption(
        "--fuzz-count", type=int, default=200, help="damaged files for each reader (default: 200)"
    )
    parser.addoption(
        "--fuzz-seed", type=int, default=0, help="another number gives other damage (default: 0)"
    )
    parser.addoption(
        "--golden",
        type=Path,
        help=(
            "folder of golden cases, or folder of such folders (default: ../shared/golden beside the "
            "repository)"
        ),
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that share what their module makes in one process, and begin with what takes minutes."""
    for item in items:
        if item.path.suffix == ".ipynb":
            # A notebook has no place for a mark, and would be left out wherever marks are asked for.
            item.add_marker(pytest.mark.slow)
        if item.get_closest_marker("xdist_group") is None and _shares_with_its_module(item):
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))
    # The last minutes are short tests then, and no process waits for another.
    items.sort(key=lambda item: item.get_closest_marker("photos") is None and item.path.suffix != ".ipynb")


def _shares_with_its_module(item: pytest.Item) -> bool:
    fixtures = getattr(item, "_fixtureinfo", None)
    made = fixtures.name2fixturedefs.items() if fixtures is not None else ()
    # What only sets something up, and hands nothing on, is named with an underscore.
    return any(each[-1].scope == "module" for name, each in made if not name.startswith("_"))


def pytest_terminal_summary(terminalreporter) -> None:
    """Count the golden cases that nothing was compared with, and tell what came of damaged files."""
    tallies = [
        tally
        for outcome in ("passed", "failed")
        for report in terminalreporter.stats.get(outcome, [])
        for name, tally in report.user_properties
        if name == "fuzz"
    ]
    if tallies:
        terminalreporter.write_line(f"{'damaged files':<26}{'tried':>8}{'clean':>8}{'accepted':>10}")
    for reader, tried, clean, accepted in tallies:
        terminalreporter.write_line(f"{reader:<26}{tried:>8}{clean:>8}{accepted:>10}")
    reasons = [
        report.longrepr[2]
        for report in terminalreporter.stats.get("skipped", [])
        if isinstance(report.longrepr, tuple)
    ]
    kinds = Counter(reason.partition(NOT_YET)[2] for reason in reasons if NOT_YET in reason)
    if kinds:
        listed = ", ".join(f"{kind} ({count})" for kind, count in sorted(kinds.items()))
        terminalreporter.write_line(f"golden cases NOT YET compared: {sum(kinds.values())}: {listed}")
