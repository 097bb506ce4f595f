"""Golden cases on disk, and how results are compared with them.

A case is a folder with `case.json` and, where there are any, `inputs.safetensors` and `outputs.safetensors`.
Cases of several families (one a published method) have kinds of the same name, so a handler belongs to a
family and a kind.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from golden_mismatch import mismatch
from safetensors.torch import load_file
from torch import Tensor


@dataclass(frozen=True)
class Case:
    """One folder."""

    folder: Path
    description: Mapping[str, Any]

    @property
    def kind(self) -> str:
        return self.description["kind"]

    @property
    def options(self) -> Mapping[str, Any]:
        return self.description.get("options", {})

    @property
    def family(self) -> str:
        """The method that the case belongs to: said by the case, else by its folder, else by the shape of its
        description.
        """
        if "spec" in self.description:
            return self.description["spec"].partition("_spec")[0]
        if self.folder.parent.name in ("sparse", "dense", "network", "vggt"):
            return self.folder.parent.name
        if "weights" in self.description:
            return "vggt"
        return "sparse" if "uses" in self.description else "dense"

    @cached_property
    def inputs(self) -> dict[str, Tensor]:
        return self._arrays("inputs.safetensors")

    @cached_property
    def outputs(self) -> dict[str, Tensor]:
        return self._arrays("outputs.safetensors")

    def used(self, kind: str) -> Case:
        """Return the case of another kind that this one builds on."""
        names = [name for name in self.description.get("uses", ()) if name.startswith(f"{kind}__")]
        assert len(names) == 1, (
            f"{self.folder.name} uses no case of kind {kind}, or several: {self.description.get('uses')}"
        )
        return load_case(self.folder.parent / names[0])

    def _arrays(self, name: str) -> dict[str, Tensor]:
        path = self.folder / name
        return load_file(path) if path.exists() else {}


@dataclass(frozen=True)
class Comparison:
    """What a handler returns when the stored outputs cannot be compared as they stand."""

    actual: Mapping[str, Tensor]
    expected: Mapping[str, Tensor]
    """The stored outputs, brought to the same gauge."""
    free: Mapping[str, str] = field(default_factory=dict)
    """Patterns of output keys that mean nothing by themselves, and why."""
    widened: Mapping[str, float] = field(default_factory=dict)
    """Patterns of output keys whose tolerances are multiplied: of chaotic descents alone."""


Handler = Callable[[Case], "Mapping[str, Tensor] | Comparison"]


def load_case(folder: Path) -> Case:
    """Return the case in a folder."""
    return Case(folder, json.loads((folder / "case.json").read_text()))


def find_cases(root: Path) -> list[Path]:
    """Return all folders below `root` that hold a case, sorted."""
    return sorted(path.parent for path in root.rglob("case.json"))


def under(arrays: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the arrays whose name begins with `prefix`, without it."""
    return {name[len(prefix) :]: array for name, array in arrays.items() if name.startswith(prefix)}


def check_tolerances(case: Case, comparison: Comparison) -> None:
    """Compare every output with the tolerance of the last matching pattern of the case.

    An output that nobody produced fails, and so does one without a tolerance.
    """
    problems = []
    for key, expected in comparison.expected.items():
        if any(fnmatchcase(key, pattern) for pattern in comparison.free):
            continue
        rule = _tolerance(case, key)
        widening = max(
            (n for pattern, n in comparison.widened.items() if fnmatchcase(key, pattern)), default=1
        )
        rule = {**rule, "atol": rule["atol"] * widening, "rtol": rule["rtol"] * widening}
        problems += mismatch(key, comparison.actual.get(key), expected, rule)
    assert set(comparison.expected) == set(case.outputs), "a handler must not lose outputs"
    assert not problems, f"{case.folder.name}:\n" + "\n".join(problems)


def _tolerance(case: Case, key: str) -> Mapping[str, float]:
    rules = [rule for pattern, rule in case.description["tolerances"].items() if fnmatchcase(key, pattern)]
    # `*` is the default wherever it stands in the file.
    special = [
        rule
        for pattern, rule in case.description["tolerances"].items()
        if pattern != "*" and fnmatchcase(key, pattern)
    ]
    assert rules, f"{key} has no tolerance"
    return (special or rules)[-1]
