"""Which files of a folder are the masks of which photos, by their names.

Conventions for a photo `a.jpg`: `a.jpg.png` (COLMAP), `a.jpg.mask.png` (RealityScan), `a.mask.png` (OpenMVS),
`a_mask.png` (openMVG, 3dgrut), and, in a folder of their own (RealityScan's is called `.mask`), the same name
or the same stem. Any other name counts where every photo has exactly one file that is called after it in the
same way: `a-mask.png`, `mask_a.png`, `a_alpha.png`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path

_WORDS = (
    "masks?|msk|alpha|mattes?|silhouettes?|sil|segmentation|segmented|seg|foreground|fg|cut-?out|nobg|no-bg"
)
_SAID = re.compile(rf"(^|[-_. ])({_WORDS})([-_. ]|$)")
"""What says of a name that it is a mask's."""


def plain_name(name: str) -> str:
    """Return a file name as names are compared: without regard to case, and to how accents are written (file
    systems differ in that: NFC, NFD).
    """
    return unicodedata.normalize("NFC", name).lower()


def stem_of(name: str) -> str:
    """Return a file name as names are compared, without its last ending."""
    return Path(plain_name(name)).stem


def mask_names(photo_name: str) -> tuple[str, ...]:
    """Return the stems (without the last ending) that a mask of this photo may have beside it, best first."""
    name, stem = plain_name(photo_name), stem_of(photo_name)
    return (name, f"{name}.mask", f"{stem}.mask", f"{stem}_mask")


def twins_of(
    photos: Sequence[str], stems: Mapping[str, Sequence[Path]], said: bool
) -> Mapping[str, Sequence[Path]] | None:
    """Return for each photo's name the files whose stem is called after it, all in one way; none where there
    is no such way, or more than one. With `said` the way itself must say that these are masks.
    """
    for cores in _cores(photos):
        # What is called after the first photo tells the ways that are possible.
        first = cores[0]
        ways = {
            (stem[:at], stem[at + len(first) :])
            for stem in stems
            for at in range(len(stem))
            if stem.startswith(first, at) and not _cuts_a_number(stem, at, at + len(first))
        }
        ways = {
            (before, after)
            for before, after in ways
            if all(before + core + after in stems for core in cores)
            and (_SAID.search(before) or _SAID.search(after) or not said)
        }
        best = {way for way in ways if any(map(_SAID.search, way))} or ways
        if len(best) == 1:
            ((before, after),) = best
            return {photo: stems[before + core + after] for photo, core in zip(photos, cores)}
    return None


def _cores(photos: Sequence[str]) -> list[list[str]]:
    """Return what of the photos' names their masks may bear: the whole name, the stem, and the stem without
    the word that all photos begin with.
    """
    names, stems = [plain_name(name) for name in photos], [stem_of(name) for name in photos]
    kinds = [names, stems]
    common = re.sub(r"\d+$", "", _common_start(stems))
    if common and len(stems) > 1 and all(len(stem) > len(common) for stem in stems):
        kinds.append([stem[len(common) :] for stem in stems])
    return kinds


def _common_start(texts: Sequence[str]) -> str:
    """Return the letters that all texts begin with."""
    first, last = min(texts), max(texts)
    length = next((k for k, (a, b) in enumerate(zip(first, last)) if a != b), min(len(first), len(last)))
    return first[:length]


def _cuts_a_number(text: str, begin: int, end: int) -> bool:
    """Tell whether a part of a text begins or ends within a number: 1 is no part of 11."""
    before = begin > 0 and text[begin - 1].isdigit() and text[begin].isdigit()
    return before or (end < len(text) and text[end - 1].isdigit() and text[end].isdigit())


def said_to_be_masks(name: str) -> bool:
    """Tell whether a file name says that it is a mask's."""
    return _SAID.search(stem_of(name)) is not None
