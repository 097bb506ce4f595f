"""OpenEXR files of one channel, by the optional package OpenEXR: OpenCV's wheels are built without it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from masks.errors import MissingExtraError


def require_exr() -> None:
    """Raise `MissingExtraError` where the package is not installed."""
    try:
        import OpenEXR  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "`depth_file=exr`: needs the extra 'exr'. Run: pip install 'pointloom[exr]', or write npy, which "
            "holds the same numbers."
        ) from error


def exr_bytes(depth: np.ndarray) -> bytes:
    """Return a file with a depth map (H, W) float32 in channel Z, the name that OpenEXR gives to depth."""
    import OpenEXR

    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    # The package writes to named files only.
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "depth.exr"
        OpenEXR.File(header, {"Z": np.ascontiguousarray(depth, np.float32)}).write(str(path))
        return path.read_bytes()
