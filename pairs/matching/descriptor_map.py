"""Descriptors of one picture, and those of its pixels that take part in a search."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, slots=True)
class DescriptorMap:
    """One descriptor a pixel, as one side of a decoded pair has them."""

    desc: Tensor  # (H, W, D)
    conf: Tensor | None = None  # (H, W), > 0
    """How sure the descriptors are; none: 1 everywhere."""
    inside: Tensor | None = None  # (H, W) bool
    """The only pixels whose descriptors are looked at: the object's; none: all."""

    def __post_init__(self) -> None:
        if self.desc.ndim != 3:
            raise ValueError(f"a descriptor map is (H, W, D), not {tuple(self.desc.shape)}")
        for name, pixels in (("conf", self.conf), ("inside", self.inside)):
            if pixels is not None and pixels.shape != self.size:
                raise ValueError(
                    f"{name} {tuple(pixels.shape)} does not fit descriptors {tuple(self.desc.shape)}"
                )
        if self.inside is not None and self.inside.dtype != torch.bool:
            raise ValueError(f"inside is boolean, not {self.inside.dtype}")

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        return (self.desc.shape[0], self.desc.shape[1])


@dataclass(frozen=True, slots=True)
class Candidates:
    """The descriptors that take part, without the others: what is not here is never compared and costs no
    time.
    """

    desc: Tensor  # (N, D)
    pixel: Tensor  # (N,) int64, flat pixels x + W y, ascending
    size: tuple[int, int]
    """Height and width of the map."""


def candidates(descriptors: DescriptorMap) -> Candidates:
    """Return the finite descriptors inside the mask: a single NaN would hide its whole tile from every
    search.
    """
    flat = descriptors.desc.flatten(0, 1)
    usable = flat.isfinite().all(1)
    if descriptors.inside is not None:
        usable &= descriptors.inside.flatten().to(flat.device)
    pixel = usable.nonzero()[:, 0]
    return Candidates(flat if len(pixel) == len(flat) else flat[pixel], pixel, descriptors.size)


def positions(among: Candidates, pixels: Tensor) -> Tensor:
    """Return the positions of flat pixels among the candidates, ascending and once each; pixels that are no
    candidates are left out.
    """
    asked = torch.unique(pixels.to(among.pixel))
    if len(among.pixel) == 0:
        return asked[:0]
    place = torch.searchsorted(among.pixel, asked).clamp(max=len(among.pixel) - 1)
    return place[among.pixel[place] == asked]


def grid_pixels(size: tuple[int, int], subsample: int) -> Tensor:
    """Return the flat pixels (N,) of a grid in steps of `subsample`, from half a step on, ascending."""
    height, width = size
    rows, columns = (torch.arange(subsample // 2, side, subsample) for side in (height, width))
    return (rows[:, None] * width + columns[None]).flatten()
