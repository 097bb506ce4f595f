"""Batches as published training and inference form them: stored in landscape, or with every pair in both
orders.

A network that only answers for pairs of images as they lie needs none of this
(docs/training.md, "Mixed orientation").
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from pairs.networks.dust3r.heads import HeadOutput
from pairs.networks.dust3r.network import Encoded, PairNetwork, select


@dataclass(frozen=True, slots=True)
class ImageBatch:
    """One side of a batch of pairs."""

    images: Tensor  # (B, 3, H, W), portrait ones transposed where the network mixes orientations
    true_size: Tensor  # (B, 2) int, (height, width) of each upright image
    names: tuple[str, ...]
    """Of the images; equal names are equal images."""

    def __post_init__(self) -> None:
        count = len(self.images)
        if self.true_size.shape != (count, 2) or len(self.names) != count:
            raise ValueError(
                f"{count} images need sizes (B, 2) and as many names: got {tuple(self.true_size.shape)} "
                f"and {len(self.names)}"
            )


def is_symmetrised(first: Sequence[str], second: Sequence[str]) -> bool:
    """Tell whether every even pair (a, b) of a batch is followed by (b, a). A single pair never is."""
    # Names alone are compared, as published: equal names must be equal images.
    even, odd = slice(0, None, 2), slice(1, None, 2)
    return (
        len(first) > 1 and len(first) % 2 == 0 and first[even] == second[odd] and first[odd] == second[even]
    )


def interleave(first: Tensor, second: Tensor) -> Tensor:
    """Return (first[0], second[0], first[1], ...): one side of a symmetrised batch; the other has the
    arguments swapped.
    """
    return torch.stack([first, second], dim=1).flatten(0, 1)


def encode_sides(network: PairNetwork, first: ImageBatch, second: ImageBatch) -> tuple[Encoded, Encoded]:
    """Encode both sides of a batch, each image of a symmetrised one once."""
    if is_symmetrised(first.names, second.names):
        a, b = (
            encode_batch(network, ImageBatch(s.images[::2], s.true_size[::2], s.names[::2]))
            for s in (first, second)
        )
        return _interleaved(a, b), _interleaved(b, a)
    if first.images.shape != second.images.shape:
        return encode_batch(network, first), encode_batch(network, second)
    both = ImageBatch(
        torch.cat([first.images, second.images]),
        torch.cat([first.true_size, second.true_size]),
        first.names + second.names,
    )
    encoded = encode_batch(network, both)
    return select(encoded, slice(None, len(first.names))), select(encoded, slice(len(first.names), None))


def encode_batch(network: PairNetwork, batch: ImageBatch) -> Encoded:
    """Encode one side: as it lies, or upright where the network mixes orientations."""
    if not network.config.mixed_orientation:
        return network.encode(batch.images)
    h, w = batch.images.shape[-2:]
    with network.reduced():
        tokens, positions = network.patch_embed.forward_mixed(batch.images, _is_portrait(batch.true_size))
    return network.encode_tokens(tokens, positions, (h, w))


def predict_batch(
    network: PairNetwork, first: ImageBatch, second: ImageBatch
) -> tuple[HeadOutput, HeadOutput]:
    """Predict a batch of pairs; maps of portrait images are stored transposed where the network's outputs are
    landscape.
    """
    layers = network.decode_tokens(*encode_sides(network, first, second))
    sides = ((1, layers[0], first), (2, layers[1], second))
    read = _read_landscape if network.config.landscape_outputs else _read_upright
    one, two = (read(network, side, side_layers, batch.true_size) for side, side_layers, batch in sides)
    return one, two


def _read_upright(network: PairNetwork, side: int, layers: Sequence[Tensor], true_size: Tensor) -> HeadOutput:
    if bool((true_size != true_size[0]).any()):
        raise ValueError(
            "images of one side of a batch have one size, unless the network's outputs are landscape"
        )
    h, w = true_size[0].tolist()
    return network.read(side, layers, (h, w))


def _read_landscape(
    network: PairNetwork, side: int, layers: Sequence[Tensor], true_size: Tensor
) -> HeadOutput:
    h, w = int(true_size.min()), int(true_size.max())
    portrait = _is_portrait(true_size)
    if not bool(portrait.any()):
        return network.read(side, layers, (h, w))
    upright = _transposed(network.read(side, [layer[portrait] for layer in layers], (w, h)))
    if bool(portrait.all()):
        return upright
    lying = network.read(side, [layer[~portrait] for layer in layers], (h, w))
    return HeadOutput(*(_merged(a, b, portrait) for a, b in zip(_maps(lying), _maps(upright))))


def _is_portrait(true_size: Tensor) -> Tensor:
    """Return which images are higher than wide; squares are not."""
    return true_size[:, 0] > true_size[:, 1]


def _interleaved(a: Encoded, b: Encoded) -> Encoded:
    return Encoded(interleave(a.tokens, b.tokens), interleave(a.positions, b.positions), a.size)


def _maps(output: HeadOutput) -> list[Tensor | None]:
    return [getattr(output, field.name) for field in fields(output)]


def _transposed(output: HeadOutput) -> HeadOutput:
    """Swap rows and columns of every map; what the maps hold stays as it is."""
    return HeadOutput(*(None if one is None else one.transpose(1, 2) for one in _maps(output)))  # pyright: ignore[reportArgumentType]


def _merged(lying: Tensor | None, upright: Tensor | None, portrait: Tensor) -> Tensor | None:
    if lying is None or upright is None:
        return None
    whole = torch.empty((len(portrait), *lying.shape[1:]), dtype=lying.dtype, device=lying.device)
    whole[~portrait], whole[portrait] = lying, upright
    return whole
