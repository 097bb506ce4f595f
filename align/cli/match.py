"""pointloom match: two photos in, a picture of what matches out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import networkx
import tyro

from align.cli.console import StageDisplay, print_result, require_writable
from align.show.matches import MatchSide, match_picture, require_image_name, write_match_picture
from masks.errors import ImageError, ReconstructionError, UserError
from masks.load import Polarity
from masks.notice import Notice, info
from masks.pixelmap import to_target
from masks.progress import Progress
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.pair_features import feature_matches
from pairs.backends.dust3r.fine_matches import fine_matches
from pairs.backends.dust3r.images import on_network_grid
from pairs.backends.dust3r.pair_entry import grid_of, predict_entry
from pairs.backends.network_options import chosen_device
from pairs.backends.protocol import BackendOptions, refuse_network_options
from pairs.backends.registry import make_backend
from pairs.networks.dust3r.load import load_network
from pairs.networks.dust3r.network import PairNetwork
from pairs.prediction.predictions import Matches, join_matches
from pairs.prediction.store import PredictionStore
from pairs.views.load import LoadOptions, load_views
from pairs.views.photos import load_photo
from pairs.views.view import View

_NETWORKS = ("mast3r", "dust3r")


@dataclass(frozen=True)
class _Found:
    """Two views on the grid that their matches are on."""

    views: tuple[View, View]
    matches: Matches
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Match:
    """Show which points of two photos a backend takes for the same: what an alignment of them would
    build on.
    """

    images: Annotated[tuple[Path, Path], tyro.conf.arg(metavar="A B"), tyro.conf.Positional]
    """The two photos."""
    save: Annotated[Path, tyro.conf.arg(metavar="FILE")] = Path("matches.png")
    """The picture to write: PNG, JPEG or WebP."""
    masks: Annotated[str, tyro.conf.arg(metavar="DIR|auto|none")] = "auto"
    """Folder of masks (PNG or JPEG, named as the photos). auto: masks beside the photos or in their alpha
    channels. none: ignore all masks."""
    mask_polarity: Polarity = Polarity.AUTO
    """Which side of a mask is the object; auto: the side that touches the border less."""
    backend: str = "classical"
    """What looks at the photos: classical needs no weights; mast3r and dust3r are networks."""
    fine: bool = False
    """Match crops at the photos' full resolution where the whole photos match; for mast3r."""
    weights: Annotated[str | None, tyro.conf.arg(metavar="FILE|NAME")] = None
    """Checkpoint of a network: a .pth file, a Hugging Face folder, or a published name; default: the
    published one of the backend."""
    device: str | None = None
    """Where a network runs: cpu, cuda; default: cuda where there is one."""
    lines: int = 60
    """At most so many matches are joined by lines; all are shown as dots."""

    def run(self) -> None:
        """Match, draw, and print how many matches there are."""
        require_image_name(self.save)
        require_writable(self.save.parent, "--save")
        for path in self.images:
            if path.is_dir():
                raise ImageError(f"{path}: a folder. Name two photos, as in: pointloom match A.jpg B.jpg")
        options = LoadOptions(polarity=self.mask_polarity)
        with StageDisplay() as display:
            display("reading photos and masks", 0, 1)
            views, notices = load_views(self.images, self.masks, options)
            found = self._matcher()((views[0], views[1]), display)
            if len(found.matches.conf) == 0:
                names = " and ".join(view.name for view in views)
                said = "".join(f" {notice.text}" for notice in found.notices)
                raise ReconstructionError(
                    f"{names}: no matches.{said} Use photos that show the same side of the object, and "
                    "check their masks."
                )
            display("drawing", 0, 1)
            a, b = (MatchSide(view, load_photo(view)) for view in found.views)
            write_match_picture(match_picture(a, b, found.matches, self.lines), self.save)
        display.show((*notices, *found.notices))
        print_result(f"{len(found.matches.conf)} matches. Picture written to {self.save}")

    def _matcher(self) -> Callable[[tuple[View, View], Progress], _Found]:
        if self.fine and self.backend != "mast3r":
            raise UserError(
                f"--fine: the backend {self.backend} has no descriptors of crops. Choose --backend mast3r, "
                "or omit it."
            )
        if self.backend in _NETWORKS:
            return self._by_network
        return self._by_features if self.backend == "classical" else self._by_backend

    def _options(self) -> BackendOptions:
        return BackendOptions(weights=self.weights, device=self.device)

    def _by_features(self, views: tuple[View, View], progress: Progress) -> _Found:
        """Return what the classical backend starts from: the matches of a pair that makes no scene are worth
        seeing, too.
        """
        refuse_network_options(self.backend, self._options())
        progress("matching", 0, 1)
        return _Found(views, *feature_matches(*views, SolveOptions()))

    def _by_backend(self, views: tuple[View, View], progress: Progress) -> _Found:
        with TemporaryDirectory(prefix="pointloom-") as folder:
            backend = make_backend(self.backend, seed=0, options=self._options())
            predictions = backend.predict(
                views, networkx.Graph([(0, 1)]), PredictionStore(Path(folder)), progress
            )
            a, b = predictions.edges[0]
            entry = predictions.load(0)
        return _Found(
            (predictions.views[a], predictions.views[b]),
            entry.matches or join_matches([]),
            predictions.notices,
        )

    def _by_network(self, views: tuple[View, View], progress: Progress) -> _Found:
        progress("loading the network", 0, 1)
        network = load_network(self.weights or self.backend, chosen_device(self._options()))
        if network.config.kind != self.backend:
            raise UserError(
                f"--weights {self.weights}: a checkpoint of {network.config.kind}. Pass --backend "
                f"{network.config.kind}."
            )
        grid = grid_of(network.config)
        a, b = (on_network_grid(view, grid) for view in views)
        progress("matching", 0, 1)
        found = _Found((a, b), predict_entry(network, a, b).matches or join_matches([]))
        return _finer(network, found, progress) if self.fine else found


def _finer(network: PairNetwork, coarse: _Found, progress: Progress) -> _Found:
    """Return the matches at full resolution, as positions between the pixels of the grids."""
    progress("matching crops", 0, 1)
    a, b = coarse.views
    fine = fine_matches(network, a, b, coarse.matches)
    on_grids = replace(
        fine, xy_a=to_target(a.grid_from_photo, fine.xy_a), xy_b=to_target(b.grid_from_photo, fine.xy_b)
    )
    return _Found(
        coarse.views,
        on_grids,
        (
            info(
                "fine matches",
                f"{len(coarse.matches.conf)} matches of the whole photos led to {len(fine.conf)}.",
            ),
        ),
    )
