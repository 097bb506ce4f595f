"""From pixels to tokens (the pair network's specification, chapter 3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from masks.errors import ImageError


class PatchEmbed(nn.Module):
    """A linear map of each patch; no norm, no class token, no added position."""

    def __init__(self, patch_size: int, dim: int) -> None:
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Conv2d(3, dim, patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Return tokens (B, N, C), float32, and their (row, column) positions (B, N, 2) of images (B, 3, H, W) as they lie.

        Raises `ImageError` when a side is not a multiple of the patch.
        """
        check_images(images, self.patch_size)
        maps = self.proj(images)
        return maps.flatten(2).transpose(1, 2).float(), grid_positions(maps.shape[-2:], images.device).expand(len(images), -1, -1)

    def forward_mixed(self, images: Tensor, portrait: Tensor) -> tuple[Tensor, Tensor]:
        """Return the same of a batch in which the images that are `portrait` (B,) bool lie transposed; W >= H.

        Those are embedded upright: their tokens and positions follow the upright grid.
        """
        check_images(images, self.patch_size)
        if images.shape[-1] < images.shape[-2]:
            raise ValueError(f"a batch of mixed orientation is stored in landscape: got (B, 3, H, W) {tuple(images.shape)}")
        lying, turned = self.forward(images[~portrait]), self.forward(images[portrait].transpose(-1, -2))
        result = []
        for ours, theirs in zip(lying, turned):
            whole = torch.empty((len(images), *ours.shape[1:]), dtype=ours.dtype, device=ours.device)
            whole[~portrait], whole[portrait] = ours, theirs
            result.append(whole)
        return result[0], result[1]


def grid_positions(grid: tuple[int, int], device: torch.device) -> Tensor:
    """Return the (row, column) of every token of an (h, w) grid, row by row: (1, h * w, 2) int64."""
    rows, columns = (torch.arange(count, device=device) for count in grid)
    return torch.cartesian_prod(rows, columns)[None]


def check_images(images: Tensor, patch_size: int) -> None:
    """Raise `ImageError` unless images (B, 3, H, W) can be cut into whole patches."""
    if images.ndim != 4 or images.shape[1] != 3:
        raise ValueError(f"images are (B, 3, H, W): got {tuple(images.shape)}")
    h, w = images.shape[-2:]
    if h == 0 or w == 0 or h % patch_size or w % patch_size:
        raise ImageError(
            f"image of {w}x{h} pixels (width x height): the network reads patches of {patch_size}x{patch_size}, so both sides must be multiples of "
            f"{patch_size}. Crop it to {w // patch_size * patch_size}x{h // patch_size * patch_size}, or load it on a grid with that multiple."
        )
