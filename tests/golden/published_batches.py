"""The published loop over a list of pairs, in batches; the program's own one is `pairs.backends.jobs`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields

import torch
from torch import Tensor

from pairs.backends.jobs import Pair, pair_batches
from pairs.networks.dust3r.heads import HeadOutput

PredictPairs = Callable[[Tensor, Tensor], tuple[HeadOutput, HeadOutput]]
"""Predicts a batch of pairs from their images (B, 3, H, W) twice, the two sides maybe of different sizes."""


def run_pairs(
    predict: PredictPairs, images: Sequence[Tensor], pairs: Sequence[Pair], batch_size: int
) -> Iterator[tuple[int, HeadOutput, HeadOutput]]:
    """Yield the number of every pair and its two outputs, batches of one pair on the CPU, for images (1, 3,
    H, W).

    Pairs of equal sizes run together, at most `batch_size` at a time; the published loop falls back to single
    pairs where sizes differ, which gives the same numbers. Only one batch is in memory.
    """
    for numbers in pair_batches([tuple(image.shape[-2:]) for image in images], pairs, batch_size):
        sides = (torch.cat([images[pairs[k][side]] for k in numbers]) for side in range(2))
        with torch.no_grad():
            first, second = predict(*sides)
        for row, number in enumerate(numbers):
            yield number, _on_cpu(first, row), _on_cpu(second, row)


def collated(maps: Sequence[Tensor]) -> Tensor | list[Tensor]:
    """Return maps (1, ...) of several pairs as one tensor (P, ...) where all have one shape, else as a list
    without the first axis.
    """
    if len({each.shape for each in maps}) == 1:
        return torch.cat(list(maps))
    return [each[0] for each in maps]


def _on_cpu(output: HeadOutput, row: int) -> HeadOutput:
    maps = (getattr(output, field.name) for field in fields(output))
    return HeadOutput(*(None if each is None else each[row : row + 1].cpu() for each in maps))  # pyright: ignore[reportArgumentType]
