"""How alike photos are to a pair network's encoder: its retrieval head as a part of the backend
(docs/pair_networks.md, "Retrieval head").
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from masks.errors import UserError
from pairs.backends.jobs import Encoding
from pairs.backends.pairwise import SimilarityModel
from pairs.networks.dust3r.config import NetworkConfig
from pairs.networks.dust3r.network import Encoded
from pairs.retrieval.asmk import similarity_matrix
from pairs.retrieval.files import RetrievalModel, codebook_path, read_retrieval
from pairs.retrieval.head import local_features
from pairs.views.digest import files_digest


def similarity_model_of(path: Path, config: NetworkConfig, device: torch.device) -> SimilarityModel:
    """Return what tells how alike photos are. Raises `FormatError` for a damaged file, `UserError` for one
    that was made for another network.
    """
    model = read_retrieval(path)
    if (made_for := model.head.options.dim) != config.encoder.dim:
        raise UserError(
            f"`retrieval={path}`: made for {made_for} channels, but this network's encoder has "
            f"{config.encoder.dim}. Use the head that was published "
            "with the weights."
        )
    return SimilarityModel(
        files_digest(path, codebook_path(path)),
        functools.partial(similarity, on_device(model, device), config.patch_size),
    )


def similarity(model: RetrievalModel, patch: int, encodings: Iterable[Encoding]) -> np.ndarray:
    """Return the similarity (V, V) of V photos by what the network remembers of them, in patches of so many
    pixels a side.
    """
    return photo_similarity(model, (object_tokens(encoding, patch) for encoding in encodings))


def object_tokens(encoding: Encoding, patch: int) -> Encoded:
    """Return the tokens of the patches that hold a pixel of the object: what was filled in looks like that of
    every other photo.
    """
    h, w = encoding["inside"].shape
    row, column = encoding["positions"].T
    of_object = np.any(
        encoding["inside"].reshape(h // patch, patch, w // patch, patch), axis=(1, 3)
    )  # (h / patch, w / patch)
    kept = of_object[row, column]
    tokens, positions = (torch.from_numpy(encoding[name][kept][None]) for name in ("tokens", "positions"))
    return Encoded(tokens, positions, (h, w))


def photo_similarity(model: RetrievalModel, encoded: Iterable[Encoded]) -> np.ndarray:
    """Return the similarity (V, V) float64 of V photos, in the order of their encodings; row: asked for,
    column: found.

    The encoder must be the one that the model was made with. Encodings are used one after the other and not
    kept: 300 features a photo are.
    """
    features = []
    with torch.inference_mode():
        for batch in encoded:
            features += local_features(model.head, batch.tokens.to(model.centroids.device)).features.unbind()
        return similarity_matrix(features, model.centroids).cpu().numpy()


def on_device(model: RetrievalModel, device: torch.device) -> RetrievalModel:
    """Return the model where the work is to be done. The head itself is moved."""
    return RetrievalModel(model.head.to(device), model.centroids.to(device))
