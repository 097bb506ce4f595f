"""Place the queries of a localisation data set and print which percentages lie within the published errors.

    python benchmarks/localise.py MODEL PHOTOS --queries LIST [LIST ...] --pairs FILE --truth POSES \\
        --backend mast3r --weights mast3r --coarse-to-fine --out results

MODEL is the folder of the map's COLMAP model; POSES is a model that holds the queries too, or a file of lines
`name qw qx qy qz tx ty tz`, cam_from_world. Without it nothing is judged, and the result files go to --out
alone. Options have their published names (docs/localisation.md). A backend other than dust3r and mast3r needs
known points beside its matches: maps with dense points.
"""

from __future__ import annotations

import argparse
import functools
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from align.evaluation.localisation import THRESHOLDS, localisation_errors, summary_line, write_poses
from align.localise.absolute_pose import PoseOptions
from align.localise.by_backend import match_by_backend
from align.localise.by_descriptors import DescriptorOptions, match_by_descriptors
from align.localise.by_pointmaps import LEAST_CONF, match_by_pointmaps
from align.localise.data_set import (
    LocalisationSet,
    read_candidates,
    read_map,
    read_queries,
    read_true_poses,
)
from align.localise.localisation import LocalisationOptions, Localised, localise
from align.localise.scene_points import MatchMaps
from pairs.backends.dust3r.pair_entry import usual_batch
from pairs.backends.registry import backend_names, make_backend
from pairs.matching.coarse_to_fine import FineOptions
from pairs.matching.crops import facing_crop, plain_crop
from pairs.networks.dust3r.load import load_network

_PRINTED = THRESHOLDS[1:]
"""What the papers' tables have; the finest one is in the line of all figures."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line a query, then the percentages."""
    args = _parser().parse_args(arguments)
    queries, candidates = read_queries(*args.queries), read_candidates(args.pairs, args.topk)
    data = LocalisationSet(args.photos, read_map(args.model), queries, candidates, args.masks)
    pose = (
        PoseOptions(error_px=args.reprojection_error)
        if args.reprojection_error_diag_ratio is None
        else PoseOptions(error_share=args.reprojection_error_diag_ratio)
    )
    found, began = [], time.process_time()
    for each in localise(data, _matcher(args), LocalisationOptions(pose, args.pnp_max_points)):
        found.append(each)
        inliers = "not placed" if each.pose is None else f"{each.pose.num_inliers} inliers"
        print(f"{each.name}: {each.num_correspondences} correspondences, {inliers}", flush=True)
    print(f"{(time.process_time() - began) / max(len(found), 1):.2f} CPU s a query")
    poses = {each.name: None if each.pose is None else each.pose.cam_from_world for each in found}
    if args.out is not None:
        write_poses(args.out / f"{label(args)}_results.txt", poses)
        write_poses(args.out / f"{label(args)}_ltvl.txt", poses, base_names=True)
    if args.truth is not None:
        judge(found, read_true_poses(args.truth), label(args))


def judge(found: Sequence[Localised], truth: dict[str, np.ndarray], title: str) -> None:
    """Print the figures of the queries whose true pose is known."""
    known = [each for each in found if each.name in truth]
    if not known:
        raise SystemExit("the true poses name no query: check --truth")
    poses = [None if each.pose is None else each.pose.cam_from_world for each in known]
    errors = localisation_errors(poses, np.stack([truth[each.name] for each in known]))
    print(summary_line(title, errors))
    print(
        "\n| queries | "
        + " | ".join(f"{c:g} m {d:g} deg" for c, d in _PRINTED)
        + " | median m | median deg |"
    )
    print("|" + " --- |" * (len(_PRINTED) + 3))
    shares = [f"{errors.share_within(*threshold):.1f}" for threshold in _PRINTED]
    print(f"| {len(known)} | {' | '.join(shares)} | {errors.medians[0]:.3f} | {errors.medians[1]:.3f} |")


def label(args: argparse.Namespace) -> str:
    """Return what the published programs call the result files of these options."""
    name = "tol" if args.backend == "dust3r" else f"tol_{args.pixel_tol}"
    if args.backend not in ("dust3r", "mast3r"):
        name = args.backend
    elif args.backend == "mast3r" and args.coarse_to_fine:
        name += "_c2f"
        name += f"_{args.max_image_size}" if args.max_image_size else ""
        name += "_with_homography" if args.c2f_crop_with_homography else ""
    if args.backend in ("dust3r", "mast3r"):
        name += f"_conf_{_least_conf(args)}"
    ratio = args.reprojection_error_diag_ratio
    return name + (f"_reproj_err_{args.reprojection_error}" if ratio is None else f"_reproj_diag_{ratio}")


def _matcher(args: argparse.Namespace) -> MatchMaps:
    if args.backend not in ("dust3r", "mast3r"):
        options = {} if args.weights is None else {"weights": args.weights}
        return functools.partial(match_by_backend, make_backend(args.backend, **options))
    network = load_network(args.weights or args.backend, args.device)
    if args.backend == "dust3r":
        return functools.partial(match_by_pointmaps, network, least_conf=_least_conf(args))
    cut = facing_crop if args.c2f_crop_with_homography else plain_crop
    batch = args.max_batch_size or usual_batch(network.device)
    fine = FineOptions(cut=cut, batch=batch) if args.coarse_to_fine else None
    options = DescriptorOptions(_least_conf(args), args.pixel_tol, args.max_image_size, fine)
    return functools.partial(match_by_descriptors, network, options=options)


def _least_conf(args: argparse.Namespace) -> float:
    if args.confidence_threshold is not None:
        return args.confidence_threshold
    return LEAST_CONF if args.backend == "dust3r" else DescriptorOptions().least_conf


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("model", type=Path, help="folder of the map's COLMAP model")
    add("photos", type=Path, help="folder that the names of photos start from")
    add("--queries", type=Path, nargs="+", required=True, help="lists of `name MODEL w h parameters...`")
    add("--pairs", type=Path, required=True, help="lines `query map [score]`")
    add("--topk", type=int, help="map photos a query, the best ones of the file")
    add("--masks", type=Path, help="folder of masks, NAME.png for every photo, white where it counts")
    add("--truth", type=Path, help="true poses: a COLMAP model or a file")
    add("--out", type=Path, help="folder for the result files")
    add("--backend", choices=backend_names(), default="mast3r")
    add("--weights", help="of the network: a file, a folder, or a published name")
    add("--device", default="cpu")
    add("--confidence-threshold", type=float, help="3 with dust3r, 1.001 with mast3r")
    add("--pixel-tol", type=int, default=5)
    add("--coarse-to-fine", action="store_true")
    add("--max-image-size", type=int)
    add("--c2f-crop-with-homography", action="store_true")
    add("--max-batch-size", type=int, help="pairs of crops at once: changes the memory only")
    add("--pnp-max-points", type=int, default=100_000)
    add("--reprojection-error", type=float, default=5.0, help="pixels")
    add("--reprojection-error-diag-ratio", type=float, help="share of the image's diagonal, instead")
    return parser


if __name__ == "__main__":
    main()
