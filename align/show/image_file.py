"""Pictures as files."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from masks.disk.whole_file import write_whole


def write_image(path: Path, image: np.ndarray) -> None:
    """Write a picture (H, W, 3) RGB or (H, W), uint8, whole or not at all, in the format that the file's name
    asks for. Raises `OutputError` when the place cannot be written.
    """
    pixels = image[..., ::-1] if image.ndim == 3 else image  # OpenCV has blue first
    ending = path.suffix.lower()
    # OpenCV's own level is faster by a tenth of a second, and a fifth larger for sheets with flat areas.
    # Other formats complain of it.
    _, encoded = cv2.imencode(ending, pixels, [cv2.IMWRITE_PNG_COMPRESSION, 4] if ending == ".png" else [])
    write_whole(path, encoded.tobytes())
