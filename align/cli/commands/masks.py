"""pointloom masks: masks for photos that have none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from align.cli.console import StageDisplay, print_result, require_writable
from align.made_masks.mask_folder import require_no_masks, write_mask_folder
from masks.errors import MaskError
from masks.files import list_photos
from masks.image_file import probe_image
from masks.making.check import doubtful, too_doubtful
from masks.making.choice import Road
from masks.making.made import MakingOptions, made_by_photos


@dataclass(frozen=True)
class Masks:
    """Make masks of photos: before a backdrop that stands still, a plain one, or one photographed empty."""

    images: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PHOTOS"), tyro.conf.Positional]
    """Folder of photos, or photo files."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the masks: a.jpg.png for the photo a.jpg, 255 = object; masks.json; check/contact_sheet.png
    with their outlines, to be looked at."""
    road: Literal["auto", "still", "plain", "empty"] = "auto"
    """How object and backdrop are told apart. auto (default): the first that the photos are sure of; still:
    the camera stood still and the object turned; plain: the backdrop has one colour; empty: by --empty."""
    empty: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Photo of the backdrop without the object, by the same camera in the same place."""
    holes: Literal["colour", "fill"] = "colour"
    """Holes in the masks. colour: those that show the backdrop stay; fill: none stay."""
    mask_model: Annotated[Path | None, tyro.conf.arg(metavar="FILE.onnx")] = None
    """A network of salient objects (the U²-Net family), which helps where photos alone say nothing."""
    force: bool = False
    """Replace masks that are there already."""

    def run(self) -> None:
        """Make masks, write them, and say how they came out. Raises `MaskError` where no road is sure, and
        after writing where more than a third of the masks is doubtful.
        """
        photos = list_photos(self.images)
        if not self.force:
            require_no_masks(self.out, [photo.name for photo in photos])
        require_writable(self.out, "--out")
        road = None if self.road == "auto" else Road(self.road)
        options = MakingOptions(road, self.empty, self.holes, self.mask_model)
        with StageDisplay() as display:
            facts = [probe_image(photo) for photo in photos]
            made = made_by_photos(facts, options, display)
            display("saving", 0, 1)
            write_mask_folder(self.out, made)
        display.show(made.notices)
        doubts = len(doubtful(made.figures))
        sheet = self.out / "check" / "contact_sheet.png"
        if too_doubtful(made.figures):
            raise MaskError(
                f"{self.out}: {doubts} of {len(made.masks)} masks are doubtful, so they should not be used "
                f"as they are. Look at {sheet}, and correct or give masks."
            )
        told = f", {doubts} doubtful" if doubts else ""
        print_result(f"{len(made.masks)} masks{told}. Written to {self.out}; look at {sheet}")
