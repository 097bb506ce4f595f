"""Print the oldest release lines of dependencies that the package's metadata allow, as pip's constraints.

torch is the exception: its old releases come as accelerator builds of several gigabytes, so the tested one is
taken.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]


def lower_bounds() -> Iterator[str]:
    """Yield one constraint for every core dependency."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for dependency in project["dependencies"]:
        found = re.match(r"([\w-]+)>=([\d.]+)", dependency)
        if found is None:
            raise ValueError(f"{dependency}: a dependency needs a lower bound")
        if found[1] != "torch":
            yield f"{found[1]}=={found[2]}.*"
    yield next(
        line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("torch==")
    )


if __name__ == "__main__":
    print("\n".join(lower_bounds()))
