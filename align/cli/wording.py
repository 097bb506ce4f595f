"""The library's messages in the words of the command line.

The library speaks Python: what a caller chose stands in backquotes, as an argument (`polarity=black`). Here
it becomes the option of that name.
"""

from __future__ import annotations

import re

_OTHERWISE = {
    "polarity": "--mask-polarity",
    "camera_height": "--camera-height",
    "depth_file": "--depth-file",
    "flat_base": "--flat-base",
    "erode_px": "--mask-erode",
    "known_poses": "--known-poses",
    "longest_photo": "--longest-photo",
    "max_frames": "--max-frames",
    "min_conf": "--min-conf",
    "photo_distance": "--photo-distance",
    "scene_photos": "--scene-photos",
}
"""Options that are not called as their argument."""
_ALIKE = {
    "backend",
    "batch",
    "box",
    "calibration",
    "cameras",
    "crop",
    "depth",
    "device",
    "empty",
    "engine",
    "faces",
    "fill",
    "force",
    "format",
    "frame",
    "graph",
    "grid",
    "length",
    "longest",
    "marker",
    "masks",
    "overwrite",
    "parts",
    "photos",
    "poses",
    "precision",
    "preset",
    "resolution",
    "retrieval",
    "road",
    "solver",
    "stand",
    "text",
    "texture",
    "turntable",
    "undistorted",
    "up",
    "weights",
}
"""Those that are."""
_ARGUMENT = re.compile(r"`(\w+)(?:=([^`]*))?`")


def in_options(text: str) -> str:
    """Return the text with arguments in backquotes as options; other words in backquotes stay as they are."""
    return _ARGUMENT.sub(_option, text)


def _option(found: re.Match[str]) -> str:
    name, value = found.groups()
    option = f"--{name}" if name in _ALIKE else _OTHERWISE.get(name)
    if option is None:
        return found[0]
    return option if value is None else f"{option} {value}"
