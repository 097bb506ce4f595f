"""Random unit descriptors and masks."""

from __future__ import annotations

import torch
from torch import Tensor

from pairs.matching.descriptor_map import DescriptorMap


def unit_desc(seed: int, size: tuple[int, int] = (16, 24), dim: int = 6) -> Tensor:
    """Return unit descriptors (H, W, D)."""
    values = torch.randn(*size, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(values, dim=-1)


def unit_map(seed: int, size: tuple[int, int] = (16, 24), coverage: float | None = None) -> DescriptorMap:
    """Return a map with random confidences and, with a coverage, a random mask of about that share."""
    generator = torch.Generator().manual_seed(1000 + seed)
    conf = 1 + torch.rand(size, generator=generator, dtype=torch.float64)
    inside = None if coverage is None else torch.rand(size, generator=generator) < coverage
    return DescriptorMap(unit_desc(seed, size), conf, inside)


def related_maps(
    seed: int, size: tuple[int, int] = (16, 24), coverage: float | None = None
) -> tuple[DescriptorMap, DescriptorMap]:
    """Return two maps that show nearly the same, so that walks settle soon and run into each other."""
    a, b = unit_map(seed, size, coverage), unit_map(seed + 1, size, coverage)
    smooth = torch.nn.functional.interpolate(
        unit_desc(seed, (4, 6)).permute(2, 0, 1)[None], size, mode="bilinear"
    )[0].permute(1, 2, 0)
    return tuple(
        DescriptorMap(torch.nn.functional.normalize(smooth + 0.1 * m.desc, dim=-1), m.conf, m.inside)
        for m in (a, b)
    )
