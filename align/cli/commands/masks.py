"""pointloom masks: masks for photos that have none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from align.cli.console import StageDisplay, print_result, require_writable
from align.made_masks.make_masks import make_masks
from align.made_masks.mask_folder import require_no_masks, write_mask_folder
from align.made_masks.mask_work import MaskOptions
from align.made_masks.shown import Box, Click
from masks.errors import MaskError
from masks.files import given_photos
from masks.making.check import doubtful, too_doubtful
from masks.making.choice import Road
from masks.making.made import MakingOptions


@dataclass(frozen=True)
class Masks:
    """Make masks of photos: of an object that turned before a backdrop that stands still, a plain one, or one
    photographed empty; or of one that stood while the camera went around it.
    """

    images: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="PHOTOS"), tyro.conf.Positional]
    """Folder of photos, or photo files."""
    out: Annotated[Path, tyro.conf.arg(metavar="DIR")]
    """Folder of the masks: a.jpg.png for the photo a.jpg, 255 = object; masks.json; check/contact_sheet.png
    with their outlines, to be looked at."""
    road: Literal["auto", "still", "plain", "empty", "scene"] = "auto"
    """How object and backdrop are told apart. auto (default): the first that the photos are sure of; still:
    the camera stood still and the object turned; plain: the backdrop has one colour; empty: by --empty;
    scene: the camera went around an object that stands free on something, and a reconstruction without masks
    tells where."""
    empty: Annotated[Path | None, tyro.conf.arg(metavar="FILE")] = None
    """Photo of the backdrop without the object, by the same camera in the same place."""
    box: Annotated[tuple[str, float, float, float, float] | None, tyro.conf.arg(metavar="NAME X Y W H")] = (
        None
    )
    """A box around the object in one photo, in its pixels: the object of --road scene."""
    point: Annotated[
        tuple[tuple[str, float, float], ...], tyro.conf.UseAppendAction, tyro.conf.arg(metavar="NAME X Y")
    ] = ()
    """A pixel of the object in one photo: the object of --road scene. May be given several times."""
    not_: Annotated[
        tuple[tuple[str, float, float], ...],
        tyro.conf.UseAppendAction,
        tyro.conf.arg(name="not", metavar="NAME X Y"),
    ] = ()
    """A pixel of anything but the object in one photo: what stands there is left out by --road scene. May be
    given several times."""
    stand: Literal["cut", "keep"] = "cut"
    """What the object stands on while both turn. cut (default): a disc with marks is taken out of the masks,
    by its plane; keep: it stays, as a part of the object."""
    holes: Literal["colour", "fill"] = "colour"
    """Holes in the masks. colour: those that show the backdrop stay; fill: none stay."""
    mask_model: Annotated[Path | None, tyro.conf.arg(metavar="FILE.onnx")] = None
    """A network of salient objects (the U²-Net family), which helps where photos alone say nothing."""
    store: Annotated[Path | None, tyro.conf.arg(metavar="DIR")] = None
    """Folder of finished steps of the cameras' solve, which reconstruct can use again; default: one of the
    user's cache."""
    force: bool = False
    """Replace masks that are there already."""

    def run(self) -> None:
        """Make masks, write them, and say how they came out. Raises `MaskError` where no road is sure, and
        after writing where more than a third of the masks is doubtful.
        """
        found = given_photos(self.images, [self.out])
        photos = found.photos
        if not self.force:
            require_no_masks(self.out, photos)
        require_writable(self.out, "--out")
        road = None if self.road == "auto" else Road(self.road)
        shown = [Click(*click) for click in self.point]
        shown += [Click(*click, on_object=False) for click in self.not_]
        options = MaskOptions(
            MakingOptions(road, self.empty, self.holes, self.mask_model),
            shown=(*shown, *([] if self.box is None else [Box(*self.box)])),
            stand=self.stand,
            store=self.store,
        )
        with StageDisplay() as display:
            made = make_masks(photos, options, display).made
            display("saving", 0, 1)
            write_mask_folder(self.out, made)
        display.show((*found.notices, *made.notices))
        doubts = len(doubtful(made.figures))
        sheet = self.out / "check" / "contact_sheet.png"
        if too_doubtful(made.figures):
            raise MaskError(
                f"{self.out}: {doubts} of {len(made.masks)} masks are doubtful, so they should not be used "
                f"as they are. Look at {sheet}, and correct or give masks."
            )
        told = f", {doubts} doubtful" if doubts else ""
        print_result(f"{len(made.masks)} masks{told}. Written to {self.out}; look at {sheet}")
