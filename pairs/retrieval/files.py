"""Published retrieval heads and their codebooks (docs/pair_networks.md, "Retrieval files")."""

from __future__ import annotations

import re
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from masks.errors import FormatError
from masks.reading import reading, shown
from pairs.networks.weights import plain_tensors, read_pickled, require_finite
from pairs.retrieval.array_pickle import read_arrays
from pairs.retrieval.head import HeadOptions, RetrievalHead

_MULTIPLES = {"": 1, "k": 1024, "M": 1024**2}
_MOST_CHANNELS = 1 << 16
_MOST_BYTES = 1 << 32  # of a codebook; 65536 centroids of 1024 channels take a sixteenth of it


@dataclass(frozen=True, slots=True, eq=False)
class RetrievalModel:
    """A head with the codebook that was made for it; both fit the encoder that they were made with, and no
    other.
    """

    head: RetrievalHead
    centroids: Tensor  # (K, D) float32


def read_retrieval(path: Path) -> RetrievalModel:
    """Return the head of a `.pth` file with the codebook that lies beside it. Raises `FormatError` naming
    what is wrong with either.
    """
    args, state = _read_head_file(path)
    book = codebook_path(path)
    centroids = read_codebook(book, number_of_words(args.nclusters, path))
    head = _head(args, state, centroids.shape[1], path)
    if (dim := head.dim_features) != centroids.shape[1]:
        raise FormatError(
            f"{book}: centroids of {centroids.shape[1]} channels, but {path.name} gives {dim}. Put the "
            "codebook made for it there."
        )
    return RetrievalModel(head, centroids)


def codebook_path(head_path: Path) -> Path:
    """Return where the codebook of a head lies: `x_retrieval_codebook.pkl` beside
    `x_retrieval_trainingfree.pth`.
    """
    return head_path.with_name(head_path.stem.rpartition("_")[0] + "_codebook.pkl")


def read_codebook(path: Path, num_words: int) -> Tensor:
    """Return the centroids (K, C) float32 of a codebook of so many words. Nothing in the file is ever run."""
    remedy = "Get the file again from where it was published."
    with reading(path, "Put the codebook beside the retrieval head, as it was published."):
        if path.stat().st_size > _MOST_BYTES:
            raise FormatError(f"{path}: {path.stat().st_size} bytes are no codebook. {remedy}")
        data = path.read_bytes()
    content = read_arrays(data, str(path))
    with reading(path, remedy, "not a codebook"):
        kind, stated, centroids = content["type"], content["params"]["size"], content["state"]["centroids"]
    if not isinstance(kind, str) or kind != "Codebook" or getattr(centroids, "ndim", None) != 2:
        raise FormatError(f"{path}: no table of centroids in it. {remedy}")
    if number_of_words(stated, path) != num_words or len(centroids) != num_words:
        raise FormatError(
            f"{path}: {len(centroids)} words ({shown(stated)} stated), but the head was made for "
            f"{num_words}. Put the codebook made for it there."
        )
    with np.errstate(over="ignore"):
        table = torch.from_numpy(centroids.astype(np.float32))
    require_finite({"centroids": table}, path)
    return table


def number_of_words(stated: object, path: Path) -> int:
    """Return the number that an int or a text such as "64k" (65536) states."""
    if isinstance(stated, str) and (found := re.fullmatch(r"([0-9]{1,9})([kM]?)", stated)):
        return int(found[1]) * _MULTIPLES[found[2]]
    if isinstance(stated, int) and not isinstance(stated, bool):
        return stated
    raise FormatError(f"{path}: {shown(stated)} is no number of words. It is written as 65536 or 64k.")


def _read_head_file(path: Path) -> tuple[Namespace, Mapping[str, Tensor]]:
    if not path.is_file():
        raise FormatError(
            f"{path}: no such file. Name a retrieval head such as NETWORK_retrieval_trainingfree.pth, its "
            "codebook beside it."
        )
    content = read_pickled(path)
    args, state = (content.get("args"), content.get("model")) if isinstance(content, dict) else (None, None)
    needed = ("hdims", "prewhiten", "postwhiten", "nfeat", "nclusters")
    if (
        not isinstance(args, Namespace)
        or not isinstance(state, dict)
        or not all(hasattr(args, name) for name in needed)
    ):
        raise FormatError(
            f"{path}: not a retrieval head (its args lack one of {', '.join(needed)}). Get it again from "
            "where it was published."
        )
    return args, plain_tensors(state, path)


def _head(args: Namespace, state: Mapping[str, Tensor], dim_words: int, path: Path) -> RetrievalHead:
    """Return the head with its weights; the shapes are checked before memory is taken."""
    if (weights := getattr(args, "featweights", "l2norm")) != "l2norm":
        raise FormatError(
            f"{path}: features weighed by {shown(weights)}, but only l2norm is known. Use a published head."
        )
    # Files may hold whitening in float32; the products must not run in it.
    tensors = {name: value.double() if "whiten" in name else value.float() for name, value in state.items()}
    require_finite(tensors, path)
    with reading(path, "Use a published head.", "weights and args do not fit"):
        with torch.device("meta"):
            head = RetrievalHead(_options(args, tensors, dim_words))
        head.load_state_dict(tensors, assign=True)
    return head.eval().requires_grad_(False)


def _options(args: Namespace, tensors: Mapping[str, Tensor], dim_words: int) -> HeadOptions:
    hidden = tuple(int(width) for width in args.hdims.split("_")) if args.hdims else ()
    if max(hidden, default=0) > _MOST_CHANNELS or not np.isfinite(args.nfeat):
        raise ValueError("widths or a number of features that cannot be")
    # Without any weight the head hands the tokens on, and their channels are those of the words.
    first = next(
        (
            tensors[name].shape[-1]
            for name in ("prewhiten.m", "projector.0.weight", "postwhiten.m")
            if name in tensors
        ),
        dim_words,
    )
    return HeadOptions(
        dim=first,
        hidden_dims=hidden,
        residual=bool(getattr(args, "residual", False)),
        prewhiten=args.prewhiten is not None,
        postwhiten=args.postwhiten is not None,
        num_features=args.nfeat,
    )
