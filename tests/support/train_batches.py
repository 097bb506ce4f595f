"""Batches for the tests beside this file."""

from __future__ import annotations

import torch

from pairs.networks.dust3r.heads import HeadOutput
from pairs.train.batch import Correspondences, PairBatch, PairTruth, ViewTruth


def rigid(generator: torch.Generator, batch_size: int) -> torch.Tensor:
    """Return random rigid motions (B, 4, 4)."""
    motion = torch.eye(4).repeat(batch_size, 1, 1)
    turn = torch.linalg.qr(torch.randn(batch_size, 3, 3, generator=generator)).Q
    motion[:, :3, :3] = turn * torch.linalg.det(turn)[:, None, None]
    motion[:, :3, 3] = torch.randn(batch_size, 3, generator=generator)
    return motion


def batch_of(seed: int, batch_size: int = 2, num_corr: int = 12) -> PairBatch:
    """Return a batch of pairs of 6 x 7 pixels with everything in it; half of the samples are metric."""
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(batch_size, *shape, generator=generator)

    outputs, truths, xy = [], [], []
    for _ in range(2):
        desc = torch.nn.functional.normalize(draw(6, 7, 4), dim=-1)
        outputs.append(HeadOutput(draw(6, 7, 3) + 2, 1 + draw(6, 7).exp(), desc, draw(6, 7).exp()))
        valid = torch.rand(batch_size, 6, 7, generator=generator) < 0.7
        truths.append(ViewTruth(rigid(generator, batch_size), 3 * draw(6, 7, 3), valid, draw(6, 7) > 0.7))
        pixel = torch.stack([torch.randperm(42, generator=generator)[:num_corr] for _ in range(batch_size)])
        xy.append(torch.stack([pixel % 7, pixel // 7], -1))
    matched = torch.rand(batch_size, num_corr, generator=generator) < 0.7
    metric = torch.arange(batch_size) % 2 == 0
    return PairBatch(
        outputs[0],
        outputs[1],
        PairTruth(truths[0], truths[1], metric),
        Correspondences(xy[0], xy[1], matched),
    )
