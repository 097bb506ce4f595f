"""Retrieval features, their similarity by visual words, and the scene graph made of it."""

from __future__ import annotations

import numpy as np
import torch
from golden_case import Case, Comparison
from torch import Tensor

from golden_kinds import network_check
from golden_kinds.network_models import network_of
from pairs.graph.by_similarity import retrieval_pairs
from pairs.graph.farthest_points import FarthestPoints, farthest_points
from pairs.graph.reference_pairs import reference_pairs
from pairs.retrieval.asmk import image_words, nearest_words, similarity_matrix
from pairs.retrieval.files import read_retrieval
from pairs.retrieval.head import global_feature, learned_whitening, local_features

FAMILY = "network"
check = network_check.check


def retrieval(case: Case) -> dict[str, Tensor]:
    return {"asmk": _asmk, "head+asmk": _head_and_asmk, "pca_whitening_with_shrinkage": _whitening}[
        case.options["function"]
    ](case)


def _asmk(case: Case) -> dict[str, Tensor]:
    features, image = case.inputs["features"], case.inputs["image_ids"]
    return _words([features[image == number] for number in image.unique()], case.inputs["centroids"])


def _words(features: list[Tensor], centroids: Tensor) -> dict[str, Tensor]:
    together = torch.cat(features)
    words = [image_words(image, centroids, nearest_words(image, centroids, 1)) for image in features]
    return {
        "scores": similarity_matrix(features, centroids),
        "words_db": nearest_words(together, centroids, 1),
        "words_query": nearest_words(together, centroids, 5),
        "agg_bits": torch.cat([image.bits for image in words]),
        "agg_words": torch.cat([image.word for image in words]),
        "agg_images": torch.cat([torch.full_like(image.word, number) for number, image in enumerate(words)]),
    }


def _head_and_asmk(case: Case) -> dict[str, Tensor]:
    network, model = network_of(case), read_retrieval(case.folder / case.options["files"]["head"])
    found, features = {}, []
    with torch.no_grad():
        for k in range(case.options["n_images"]):
            tokens = network.encode(case.inputs[f"img{k}"]).tokens
            local = local_features(model.head, tokens)
            found |= {f"feat{k}": local.features, f"attn{k}": local.attention, f"index{k}": local.index}
            found[f"global{k}"] = global_feature(model.head, tokens)
            features.append(local.features[0])
    return found | _words(features, model.centroids)


def _whitening(case: Case) -> dict[str, Tensor]:
    mean, projection = learned_whitening(case.inputs["X"], case.options["s"])
    return {"m": mean, "PPt": projection @ projection.mT}


def fps_graph(case: Case) -> Comparison:
    """Compare the pairs and key views; where more key views than photos are wanted, the reference repeats
    photo 0, and we don't.
    """
    options, similarity = case.options, case.inputs["sim"].numpy()
    num_views, count, least = len(similarity), options["Na"], options["dist_thresh"]
    first = int(np.random.RandomState(options["numpy_global_seed"]).choice(num_views))
    least = -np.inf if least is None else least
    keys = farthest_points(1 - similarity, count, first, least) if count else FarthestPoints([], [])
    found = {
        "pairs_sorted": torch.tensor(
            sorted(retrieval_pairs(similarity, count, options["tokK"], first, least))
        ),
        "keyimgs": torch.tensor(keys.views, dtype=torch.int64),
        "fps_indices": torch.tensor(keys.views, dtype=torch.int64),
        "fps_distances": torch.tensor(keys.distances, dtype=torch.float64),
    }
    if "scene_graph" in options:
        pairs = reference_pairs(
            options["scene_graph"], num_views, symmetrize=True, similarity=similarity, first_anchor=first
        )
        found["make_pairs_symmetrized_sorted"] = torch.tensor(sorted(pairs))
    shortened = ("keyimgs", "fps_indices", "fps_distances")
    expected = {
        name: value[:num_views] if name in shortened else value for name, value in case.outputs.items()
    }
    return Comparison(found, expected)


HANDLERS = {"retrieval": retrieval, "fps_graph": fps_graph}
