"""The pair network of DUSt3R and MASt3R: two images in, a pointmap for each in the camera of the first out.

In the order of the papers: patches, encoder, two decoders that read each other, two heads
(docs/pair_networks.md, "Decoder"). The two papers differ in the heads and in the weights only.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from pairs.networks.dust3r.config import NetworkConfig
from pairs.networks.dust3r.heads import HeadOutput, head_output, make_head
from pairs.networks.layers import LAYER_NORM_EPS, DecoderBlock, EncoderBlock, PatchEmbed, rotation


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the encoder says about a batch of images of one size. It depends on no other image: encode each
    image once.
    """

    tokens: Tensor  # (B, N, C) float32, after the final norm
    positions: Tensor  # (B, N, 2) int64, (row, column) of each patch
    size: tuple[int, int]
    """(height, width) of the images in pixels."""

    def __post_init__(self) -> None:
        if self.tokens.ndim != 3 or self.positions.shape != (*self.tokens.shape[:2], 2):
            raise ValueError(
                f"tokens (B, N, C) need positions (B, N, 2): got {tuple(self.tokens.shape)} and "
                f"{tuple(self.positions.shape)}"
            )


def join(encodings: Sequence[Encoded]) -> Encoded:
    """Return several encodings of images of one size as one batch."""
    sizes = {encoding.size for encoding in encodings}
    if len(sizes) != 1:
        raise ValueError(f"only images of one size make a batch: got (height, width) {sorted(sizes)}")
    return Encoded(
        torch.cat([e.tokens for e in encodings]), torch.cat([e.positions for e in encodings]), sizes.pop()
    )


def select(encoded: Encoded, index: Tensor | slice) -> Encoded:
    """Return some images of a batch, in the order of `index`."""
    return Encoded(encoded.tokens[index], encoded.positions[index], encoded.size)


class PairNetwork(nn.Module):
    """DUSt3R or MASt3R. Module names are those of the published state dicts.

    Encoder and decoders run in `precision` (torch.float32, or autocast to torch.bfloat16 or torch.float16);
    heads and outputs are always float32 (docs/pair_networks.md, "Precision"). Memory grows with the batch:
    about 0.3 GB a pair of 512x384 images in the heads.
    """

    def __init__(self, config: NetworkConfig, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config, self.precision = config, precision
        enc, dec = config.encoder, config.decoder
        self.patch_embed = PatchEmbed(config.patch_size, enc.dim)
        self.enc_blocks = nn.ModuleList(
            EncoderBlock(enc.dim, enc.heads, config.mlp_ratio) for _ in range(enc.depth)
        )
        self.enc_norm = nn.LayerNorm(enc.dim, eps=LAYER_NORM_EPS)
        # Stands in every published state dict and serves pretraining only.
        self.mask_token = nn.Parameter(torch.zeros(1, 1, dec.dim), requires_grad=False)
        self.decoder_embed = nn.Linear(enc.dim, dec.dim)
        self.dec_blocks = self._decoder()
        self.dec_blocks2 = self._decoder()
        self.dec_norm = nn.LayerNorm(dec.dim, eps=LAYER_NORM_EPS)
        self.downstream_head1 = make_head(config)
        self.downstream_head2 = make_head(config)

    def _decoder(self) -> nn.ModuleList:
        dec, config = self.config.decoder, self.config
        return nn.ModuleList(
            DecoderBlock(dec.dim, dec.heads, config.mlp_ratio, norm_memory=config.norm_memory)
            for _ in range(dec.depth)
        )

    @property
    def patch_size(self) -> int:
        """Side of a patch in pixels."""
        return self.config.patch_size

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.decoder_embed.weight.device

    def forward(self, first: Tensor, second: Tensor) -> tuple[HeadOutput, HeadOutput]:
        """Predict a batch of pairs from their images (B, 3, H, W), float32 in [-1, 1]; the two sides may
        differ in size.
        """
        if first.shape != second.shape:
            return self.decode(self.encode(first), self.encode(second))
        both = self.encode(torch.cat([first, second]))
        return self.decode(select(both, slice(None, len(first))), select(both, slice(len(first), None)))

    def encode(self, images: Tensor) -> Encoded:
        """Encode images (B, 3, H, W), float32 in [-1, 1], both sides multiples of the patch
        (docs/pair_networks.md, "Encoder").

        Raises `ImageError` for other sizes.
        """
        h, w = images.shape[-2:]
        with self.reduced():
            tokens, positions = self.patch_embed(images)
        return self.encode_tokens(tokens, positions, (h, w))

    def encode_tokens(self, tokens: Tensor, positions: Tensor, size: tuple[int, int]) -> Encoded:
        """Run the encoder on embedded patches (B, N, C) at (row, column) positions (B, N, 2)."""
        turn = rotation(positions, self.config.encoder.head_dim, self.config.rope_base)
        with self.reduced():
            for block in self.enc_blocks:
                tokens = block(tokens, turn)
            tokens = self.enc_norm(tokens)
        return Encoded(tokens.float(), positions, size)

    def decode(self, first: Encoded, second: Encoded) -> tuple[HeadOutput, HeadOutput]:
        """Predict a batch of pairs: pair k is image k of each side. The points of both outputs are in the
        camera of the first image.

        A symmetric prediction of pairs of one size is one call with both sides joined: decode(join([a, b]),
        join([b, a])).
        """
        layers_1, layers_2 = self.decode_tokens(first, second)
        return self.read(1, layers_1, first.size), self.read(2, layers_2, second.size)

    def decode_tokens(self, first: Encoded, second: Encoded) -> tuple[list[Tensor], list[Tensor]]:
        """Run both decoders (docs/pair_networks.md, "Decoder"); return for each view what its head reads.

        Entry 0 is the encoder's output, entry i what block i says, and the last entry is normalised.
        """
        if len(first.tokens) != len(second.tokens):
            raise ValueError(
                f"a batch of pairs has as many first as second images: got {len(first.tokens)} and "
                f"{len(second.tokens)}"
            )
        turn_1, turn_2 = (
            rotation(e.positions, self.config.decoder.head_dim, self.config.rope_base)
            for e in (first, second)
        )
        with self.reduced():
            # The residual stream is float32, whatever the blocks compute in.
            x_1, x_2 = self.decoder_embed(first.tokens).float(), self.decoder_embed(second.tokens).float()
            layers_1, layers_2 = [first.tokens], [second.tokens]
            for block_1, block_2 in zip(self.dec_blocks, self.dec_blocks2):
                # Both sides read what the other said one step ago, not what it has just said.
                x_1, x_2 = block_1(x_1, x_2, turn_1, turn_2), block_2(x_2, x_1, turn_2, turn_1)
                layers_1.append(x_1)
                layers_2.append(x_2)
            layers_1[-1], layers_2[-1] = self.dec_norm(x_1), self.dec_norm(x_2)
        return layers_1, layers_2

    def read(self, side: int, layers: Sequence[Tensor], size: tuple[int, int]) -> HeadOutput:
        """Turn the decoder's layers of view `side` (1 or 2) into maps of `size` (height, width); in float32
        whatever the precision.
        """
        head = self.downstream_head1 if side == 1 else self.downstream_head2
        with _autocast(self.device, torch.float32):
            geometry, local = head([layer.float() for layer in layers], size)
            return head_output(geometry, local, self.config.outputs)

    def reduced(self) -> AbstractContextManager[object]:
        """Return the context in which encoder and decoders run."""
        return _autocast(self.device, self.precision)


def _autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Return the context that computes in `dtype`; for float32 it also ends any that surrounds it, where the
    device knows such contexts.
    """
    if dtype != torch.float32:
        return torch.autocast(device.type, dtype=dtype)
    return (
        torch.autocast(device.type, enabled=False)
        if torch.amp.is_autocast_available(device.type)
        else nullcontext()
    )
