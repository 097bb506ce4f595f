"""From stored scenes and stored condensed data to our problem, and back to the stored names."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from golden_case import Case, under
from torch import Tensor

from align.measurements.canonical import CanonicalView, average_points, canonical_view, relative_depth
from align.measurements.gather import sample_cross_pointmap
from align.measurements.gathered import PairRecord
from align.sparse.condense import condense
from align.sparse.problem import Problem, bounds


def directed_edges(scene: Case) -> list[tuple[int, int]]:
    """Return the list of pairs that the reference was given: the inferred pairs, then all of them
    reversed.
    """
    edges = [tuple(edge) for edge in scene.inputs["edges"].tolist()]
    return edges + [(b, a) for a, b in edges]


def fold_pairs(edges: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    """Return (a, b, count) for a directed list of pairs: one entry an unordered pair, in the order and
    direction of its first appearance.

    The losses are means, and a copy of a pair, reversed or not, says the same again: it becomes a weight.
    """
    counts: dict[tuple[int, int], int] = {}
    for a, b in edges:
        key = (b, a) if (b, a) in counts else (a, b)
        counts[key] = counts.get(key, 0) + 1
    return [(a, b, count) for (a, b), count in counts.items()]


def own_maps(scene: Case, dtype: torch.dtype) -> list[tuple[Tensor, Tensor]]:
    """Return the own-frame pointmaps (B, H, W, 3) and confidences (B, H, W) of every view."""
    edges = scene.inputs["edges"].tolist()
    maps = []
    for view in range(scene.options["n"]):
        names = [(k, "11" if a == view else "22") for k, (a, b) in enumerate(edges) if view in (a, b)]
        maps.append(
            tuple(
                torch.stack([scene.inputs[f"pair/{k}/{letter}{digits}"].to(dtype) for k, digits in names])
                for letter in "XC"
            )
        )
    return maps


def views_and_problem(
    scene: Case, subsample: int, mode: str, dtype: torch.dtype
) -> tuple[list[CanonicalView], Problem]:
    """Return canonical views and the problem of a stored scene."""
    sizes = scene.inputs["sizes"].to(dtype)
    views = [
        canonical_view(points, confs, sizes[v] / 2, subsample, mode)
        for v, (points, confs) in enumerate(own_maps(scene, dtype))
    ]
    records = []
    inferred = [tuple(edge) for edge in scene.inputs["edges"].tolist()]
    for a, b, count in fold_pairs(directed_edges(scene)):
        pair = under(scene.inputs, f"pair/{inferred.index((a, b))}/")
        off_frame = [
            sample_cross_pointmap(pair[f"X{name}"].to(dtype), pair[f"C{name}"].to(dtype), subsample)
            for name in ("21", "12")
        ]
        records.append(PairRecord(a, b, pair["xy1"], pair["xy2"], pair["conf"].to(dtype), *off_frame, count))
    return views, condense(views, records)


def canonical_maps(scene: Case, subsample: int, mode: str, dtype: torch.dtype) -> list[dict[str, Tensor]]:
    """Return the maps of every view under their stored names."""
    result = []
    for points, confs in own_maps(scene, dtype):
        canon, conf = average_points(points, confs)
        result.append(
            {"canon": canon, "canon2": relative_depth(points, confs, subsample, mode), "conf": conf}
        )
    return result


def stored_problem(condensed: Case) -> Problem:
    """Return the problem that stored condensed data describe."""
    data = condensed.outputs
    num_views = len(data["imsizes"])
    anchor_start = bounds([data[f"core_depth/{v}"].numel() for v in range(num_views)])
    point_start = bounds([len(data[f"anchors/{v}/idx"]) for v in range(num_views)])
    slices = data["corres/slices"].tolist()
    confs = data["corres/confs"].split([stop - start for _, start, stop, *_ in slices])
    directed = {
        (a, b): (range(sa, ea), range(sb, eb), conf) for (a, sa, ea, b, sb, eb), conf in zip(slices, confs)
    }
    folded = fold_pairs([(a, b) for a, _, _, b, _, _ in slices])
    ends = [directed[a, b] for a, b, _ in folded]
    match_points = [
        torch.tensor([list(ra), list(rb)]).T.reshape(-1, 2) + torch.stack([point_start[a], point_start[b]])
        for (a, b, _), (ra, rb, _) in zip(folded, ends)
    ]
    runs = [(frame, of, k) for k, (a, b, _) in enumerate(folded) for frame, of in ((a, b), (b, a))]
    samples = [_samples(condensed, frame, of) for frame, of, _ in runs]
    return Problem(
        size=data["imsizes"],
        principal_point=data["pps"],
        base_focal=data["base_focals"],
        mean_conf=torch.stack([data[f"canon/{v}/conf"].double().mean() for v in range(num_views)]),
        anchor_start=anchor_start,
        anchor_depth=torch.cat([data[f"core_depth/{v}"].flatten() for v in range(num_views)]),
        anchor_valid=torch.ones(int(anchor_start[-1]), dtype=torch.bool),
        point_start=point_start,
        point_xy=torch.cat([data[f"anchors/{v}/uv"][:, :2] for v in range(num_views)]).double(),
        point_anchor=torch.cat([data[f"anchors/{v}/idx"].long() + anchor_start[v] for v in range(num_views)]),
        point_ratio=torch.cat([data[f"anchors/{v}/off"] for v in range(num_views)]),
        pair=torch.tensor([(a, b) for a, b, _ in folded]),
        pair_count=torch.tensor([count for *_, count in folded]).double(),
        pair_best_conf=torch.stack([conf.max() for *_, conf in ends]),
        match_start=bounds([len(conf) for *_, conf in ends]),
        match_points=torch.cat(match_points),
        match_conf=torch.cat([conf for *_, conf in ends]),
        cross=torch.tensor([(frame, of) for frame, of, _ in runs]),
        cross_pair=torch.tensor([k for *_, k in runs]),
        cross_start=bounds([len(conf) for _, conf in samples]),
        cross_points=torch.cat([points for points, _ in samples]),
        cross_conf=torch.cat([conf for _, conf in samples]),
    )


def _samples(condensed: Case, frame: int, of: int) -> tuple[Tensor, Tensor]:
    """Return the samples a block of one run; stored are only those at the anchored points."""
    data = condensed.outputs
    index = data[f"anchors/{of}/idx"].long()
    size = data[f"core_depth/{of}"].numel()
    points, conf = torch.full((size, 3), torch.nan).double(), torch.full((size,), torch.nan).double()
    points[index] = data[f"preds_21/{frame}/{of}/pts"].double()
    conf[index] = data[f"preds_21/{frame}/{of}/conf"].double()
    return points, conf


def by_view(values: Tensor, start: Tensor, name: str) -> dict[str, Tensor]:
    """Return `name/<view>` for consecutive ranges."""
    return {f"{name}/{view}": part for view, part in enumerate(values.split(start.diff().tolist()))}
