"""Published weights from the Hugging Face hub, by its own client (extra networks)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from masks.errors import MissingExtraError, UserError


def from_hub(name: str, ask: Callable[[Any], str], remedy: str) -> Path:
    """Return where the weights of that name lie in the hub's cache, downloaded when they are not there.

    `ask` is given the client and calls its download; `remedy` says how to do without. Raises `MissingExtraError` without the client, `UserError`
    when the download fails.
    """
    try:
        import huggingface_hub as client
    except ImportError as error:
        absent = "the package huggingface-hub, which downloads them, is not installed. Run 'pip install pointloom[networks]'. Or:"
        raise MissingExtraError(f"{name}: its weights are not on this machine, and {absent} {remedy}.") from error
    try:
        return Path(ask(client))
    except _failures(client) as error:
        reason = str(error).strip().partition("\n")[0].removesuffix(".")
        raise UserError(f"{name}: its weights are not on this machine and could not be downloaded ({reason}). {remedy}.") from error


def _failures(client: ModuleType) -> tuple[type[Exception], ...]:
    """Return what a download raises: answers of the hub are OSErrors, but a connection that breaks under way has errors of its own."""
    named = (getattr(getattr(client, "errors", None), name, None) for name in ("HTTPError", "XetDownloadError"))
    return (OSError, RuntimeError, *(error for error in named if error is not None))
