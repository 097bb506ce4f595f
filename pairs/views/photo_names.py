"""Which entries of a file belong to which photos, by their names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath

from masks.errors import FormatError


def _stem(name: str) -> str:
    return PurePosixPath(name).stem.lower()


_LIKENESSES: tuple[Callable[[str], str], ...] = (str, str.lower, _stem)
"""What of two file names must be equal, the strictest first: programs change the case of names, and write
them without endings or with those of copies."""


def entries_of_photos(photos: Sequence[Path], names: Sequence[str], place: str) -> tuple[int | None, ...]:
    """Return for every photo the index of the name that is its own, with whatever folders; none where no
    name is, or several are alike but for their endings.

    Of equal names in several folders the one counts whose folders agree with the photo's furthest. Raises
    `FormatError` at `place` where this does not decide.
    """
    entries = [PurePosixPath(name.replace("\\", "/")) for name in names]
    found: list[int | None] = [None] * len(photos)
    for likeness in _LIKENESSES:
        left = sorted(set(range(len(entries))) - set(found))
        by_key: dict[str, list[int]] = {}
        for entry in left:
            by_key.setdefault(likeness(entries[entry].name), []).append(entry)
        open_photos = [k for k, entry in enumerate(found) if entry is None]
        keys = [likeness(photos[k].name) for k in open_photos]
        for photo, key in zip(open_photos, keys):
            candidates = by_key.get(key, [])
            if likeness is _stem and (len(candidates) > 1 or keys.count(key) > 1):
                continue
            if candidates:
                found[photo] = _nearest(photos[photo], entries, candidates, place)
    return tuple(found)


def _nearest(photo: Path, entries: Sequence[PurePosixPath], candidates: Sequence[int], place: str) -> int:
    """Return the candidate with the most folders in common with the photo, counted from the file."""
    folders = photo.absolute().parent.parts[::-1]

    def shared(entry: int) -> int:
        pairs = zip(entries[entry].parent.parts[::-1], folders)
        return next((k for k, (a, b) in enumerate(pairs) if a != b), len(entries[entry].parent.parts))

    ranked = sorted(candidates, key=shared, reverse=True)
    if len(ranked) > 1 and shared(ranked[0]) == shared(ranked[1]):
        first, second = (str(entries[entry]) for entry in ranked[:2])
        also = "again" if first == second else f"as {second}"
        raise FormatError(f"{place}: two cameras for {photo.name}: {first}, and {also}. Keep one a photo.")
    return ranked[0]
