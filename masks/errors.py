"""The one family of errors.

PointloomError            anything this program raises on purpose (exit code 1)
├── UserError             something the user can mend (exit code 2, one message, no traceback)
│   ├── ImageError        a photo that cannot be used
│   ├── MaskError         masks that cannot be used
│   ├── GraphError        a scene graph that cannot be used
│   ├── FormatError       a file of ours or of a neighbour that cannot be read
│   │   └── StatedCamerasError  cameras that a user states contradict the predictions
│   ├── OutputError       a place that cannot be written
│   ├── MissingExtraError an optional dependency that is not installed
│   └── ReconstructionError  the photos do not say enough: nothing was reconstructed
└── SolverError           a numerical step failed although its input was sound

A message has three parts: what (with the file or view), why, and what to do.
"""

from __future__ import annotations


class PointloomError(Exception):
    """Anything that pointloom raises on purpose."""


class UserError(PointloomError):
    """Something that the user can mend: shown as one message, exit code 2."""


class ImageError(UserError):
    """A photo is missing, unreadable or unfit."""


class MaskError(UserError):
    """A mask is missing, unreadable, empty or of the wrong shape."""


class GraphError(UserError):
    """A scene graph names unknown views, has no pairs or falls apart."""


class FormatError(UserError):
    """A file does not hold what its format promises."""


class StatedCamerasError(FormatError):
    """Intrinsics or poses that a user states cannot be those of the pictures."""

    def __init__(self, message: str, read_as: str = "") -> None:
        super().__init__(message)
        self.read_as = read_as
        """The one convention in which they can, by its words; empty where there is none."""


class OutputError(UserError):
    """A result cannot be written where it was asked for."""


class MissingExtraError(UserError):
    """An optional dependency is needed and not installed."""


class ReconstructionError(UserError):
    """The photos do not say enough to place the cameras."""


class SolverError(PointloomError):
    """A numerical step failed although its input was sound."""
