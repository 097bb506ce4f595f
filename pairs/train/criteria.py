"""How well descriptors tell matches from the rest: InfoNCE and average precision
(docs/training.md, "Matching").

A criterion looks at similarities (B, N, M) of N descriptors of a with M >= N of b, of which the first N are
their matches in this order.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import torch
from torch import Tensor

from masks.errors import UserError


class Criterion(Protocol):
    """One number for each match, from the similarities of both sides."""

    @property
    def dtype(self) -> torch.dtype:
        """The type that descriptors are cast to."""
        ...

    def per_match(self, similarity: Tensor) -> Tensor:
        """Return the numbers (B, N) of similarities (B, N, M)."""
        ...


@dataclass(frozen=True, slots=True)
class InfoNCE:
    """Cross entropy of finding the match among all candidates."""

    mode: Literal["all", "proper", "dual"] = "all"
    """Candidates: all pairs of both sides; each side by itself, added; the same, multiplied."""
    temperature: float = 0.07
    eps: float = 1e-8
    """Least probability: bounds the loss of a match that is lost among the others, and ends its gradient."""
    dtype: torch.dtype = torch.float32

    def __post_init__(self) -> None:
        if self.temperature <= 0 or self.eps <= 0:
            raise UserError(f"InfoNCE: temperature={self.temperature} and eps={self.eps} must be positive.")

    def per_match(self, similarity: Tensor) -> Tensor:
        """Return the losses (B, N). Raises `UserError` for `proper` and `dual` with unequal sides."""
        if self.mode != "all" and similarity.shape[1] != similarity.shape[2]:
            raise UserError(
                f"InfoNCE(mode={self.mode!r}) looks from both sides and does not know padding. Set "
                "negatives_padding=0, or mode='all'."
            )
        # Descriptors of zero length have no direction: they are like nothing, instead of making the whole
        # batch no number.
        similarity = torch.where(similarity.isnan(), 0, similarity)
        sharpened = (similarity / self.temperature).exp()
        positive = sharpened.diagonal(dim1=1, dim2=2)
        if self.mode == "all":
            return -(positive / sharpened.sum((1, 2))[:, None]).clamp(min=self.eps).log()
        columns, rows = sharpened.sum(1), sharpened.sum(2)
        if self.mode == "proper":
            return -(
                (positive / columns).clamp(min=self.eps).log() + (positive / rows).clamp(min=self.eps).log()
            )
        return -(positive**2 / (rows * columns)).clamp(min=self.eps).log()


@dataclass(frozen=True, slots=True)
class APLoss:
    """Average precision of finding the match of each pixel of a: 1 when it is the likest, 1/2 when one
    candidate is liker.

    Without gradient, and larger is better: a weight of -1 makes it a loss.
    """

    dtype: torch.dtype = torch.float32

    def per_match(self, similarity: Tensor) -> Tensor:
        """Return the precisions (B, N); candidates exactly as like as the match do not count against it."""
        with torch.no_grad():
            positive = similarity.diagonal(dim1=1, dim2=2)
            liker = (similarity > positive[..., None]).sum(-1)
            return 1 / (1 + liker)
