"""pointloom match: two photos in, a picture of what matches out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from align.cli.console import StageDisplay, print_result, require_writable
from align.show.matches import MatchSide, match_picture, require_image_name, write_match_picture
from masks.errors import ImageError, ReconstructionError, UserError
from masks.load import Polarity
from masks.progress import Progress
from pairs.backends.registry import make_backend
from pairs.two_views import TwoViews, match_two, match_two_finely
from pairs.views.grid import Cropping, GridOptions
from pairs.views.load import LoadOptions, load_views
from pairs.views.photos import load_photo
from pairs.views.view import View


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
        options = LoadOptions(polarity=self.mask_polarity, grid=GridOptions(crop=Cropping.OFF))
        with StageDisplay() as display:
            display("reading photos and masks", 0, 1)
            views, notices = load_views(self.images, self.masks, options)
            found = self._matched(views[0], views[1], display)
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

    def _matched(self, a: View, b: View, progress: Progress) -> TwoViews:
        if self.fine and self.backend != "mast3r":
            raise UserError(
                f"--fine: the backend {self.backend} has no descriptors of crops. Choose --backend mast3r, "
                "or omit it."
            )
        progress("opening the backend", 0, 1)
        given: dict[str, Any] = {"weights": self.weights, "device": self.device}
        chosen = {name: value for name, value in given.items() if value is not None}
        backend = make_backend(self.backend, **chosen)
        return (match_two_finely if self.fine else match_two)(a, b, backend, progress)
