"""pointloom localize: new photos placed in a finished scene."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from align.cli.console import StageDisplay, print_result, require_writable, summary
from align.export.originals import PhotoSource
from align.export.photo_sources import read_sources, write_sources
from align.localise.by_features.photos import CANDIDATES, localize
from align.scene_folder import load_scene, remove_parts, save_scene
from masks.errors import UserError
from masks.load import Polarity
from pairs.views.load import LoadOptions


@dataclass(frozen=True)
class Localize:
    """Place new photos in a finished scene, whose own views stay as they are, to the bit.

    Photos are recognised by their features: no weights are needed. What published localisation calls top-k is
    --candidates here; reprojection_error_diag_ratio is fixed at 1/250, and pixel_tol, for pointmaps of
    networks, has no counterpart (docs/localisation.md).
    """

    scene: Annotated[Path, tyro.conf.arg(metavar="SCENE"), tyro.conf.Positional]
    """Folder of the finished scene."""
    images: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PHOTOS..."), tyro.conf.Positional]
    """A folder of new photos, or the photos themselves; one is enough."""
    out: Annotated[Path, tyro.conf.arg(metavar="SCENE2")]
    """Folder of the scene to write: the old one with the new views, each with its camera."""
    masks: Annotated[str, tyro.conf.arg(metavar="DIR|auto|none")] = "auto"
    """Folder of the new photos' masks (PNG or JPEG, named as the photos). auto: masks beside the photos or in
    their alpha channels. none: ignore all masks."""
    mask_polarity: Polarity = Polarity.AUTO
    """Which side of a mask is the object; auto: the side that touches the border less."""
    mask_erode: Annotated[int, tyro.conf.arg(metavar="PX")] = 0
    """Shrink every mask by so many photo pixels, for masks that bleed into the background."""
    scene_photos: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of the photos that the scene was made of: their features are finer than those of the small
    images in the scene, so that photos from farther aside are recognised."""
    candidates: Annotated[int, tyro.conf.arg(metavar="VIEWS")] = CANDIDATES
    """Views of the scene that each photo is compared with: those that look most alike."""

    def run(self) -> None:
        """Place the photos, save, and print what came out."""
        if self.candidates < 1:
            raise UserError(f"--candidates {self.candidates}: a photo is compared with 1 view at least.")
        if self.out.resolve() == self.scene.resolve():
            raise UserError(
                f"{self.out}: is the scene itself, which stays as it is. Choose another folder with --out."
            )
        scene = load_scene(self.scene)
        require_writable(self.out, "--out")
        with StageDisplay() as display:
            grown = localize(
                scene,
                self.images,
                self.masks,
                scene_photos=() if self.scene_photos is None else self.scene_photos,
                candidates=self.candidates,
                load=LoadOptions(polarity=self.mask_polarity, erode_px=self.mask_erode),
                progress=display,
            )
            display("saving", 0, 1)
            remove_parts(self.out)
            save_scene(grown, self.out)
            load = LoadOptions(polarity=self.mask_polarity, erode_px=self.mask_erode)
            masks = self.masks if self.masks in ("auto", "none") else Path(self.masks)
            write_sources(self.out, [*read_sources(self.scene), PhotoSource(self.images, masks, load)])
        told = set(scene.report.notices)
        display.show([notice for notice in grown.report.notices if notice not in told])
        print_result(summary(grown, self.out))
