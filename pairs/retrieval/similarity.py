"""From encoded photos to the likeness of all pairs (the pair network's specification, chapter 12)."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch

from pairs.networks.dust3r.network import Encoded
from pairs.retrieval.asmk import similarity_matrix
from pairs.retrieval.files import RetrievalModel
from pairs.retrieval.head import local_features


def photo_similarity(model: RetrievalModel, encoded: Iterable[Encoded]) -> np.ndarray:
    """Return the likeness (V, V) float64 of V photos, in the order of their encodings; row: asked for, column: found.

    The encoder must be the one that the model was made with. Encodings are used one after the other and not kept: 300 features a photo are.
    """
    features = []
    with torch.inference_mode():
        for batch in encoded:
            features += local_features(model.head, batch.tokens.to(model.centroids.device)).features.unbind()
        return similarity_matrix(features, model.centroids).cpu().numpy()


def on_device(model: RetrievalModel, device: torch.device) -> RetrievalModel:
    """Return the model where the work is to be done. The head itself is moved."""
    return RetrievalModel(model.head.to(device), model.centroids.to(device))
