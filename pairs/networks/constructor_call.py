"""Calls such as `Class(other, name=literal)` in texts of others: a checkpoint's model string, a paper's loss.

Python's own parser makes the tree, and nothing of it is ever evaluated: a call is a name with arguments, and
only plain values mean anything.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


class UnfitError(ValueError):
    """A text or value that is not what is wanted; the message says what is, or why not."""


@dataclass(frozen=True, slots=True)
class Call:
    """One constructor as it is written; its arguments are not read yet."""

    name: str
    positional: tuple[ast.expr, ...]
    keywords: Mapping[str, ast.expr]


def parse_expression(text: str, most_characters: int) -> ast.expr:
    """Return the tree of a text. Raises `UnfitError` for one that is too long or no expression."""
    # The length is asked first: a long text of brackets exhausts the parser itself.
    if len(text) > most_characters:
        raise UnfitError(f"{len(text)} characters long, longer than {most_characters}")
    try:
        return ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise UnfitError(f"no expression: {error}") from None


def constructor_call(node: ast.expr) -> Call | None:
    """Return the call that a tree stands for; none for no call of a plain name, or one that unpacks some."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
        return None
    keywords = {word.arg: word.value for word in node.keywords if word.arg is not None}
    if len(keywords) < len(node.keywords):
        return None
    return Call(node.func.id, tuple(node.args), keywords)


def literal(node: ast.expr, names: Mapping[str, Any]) -> Any:
    """Return the value of a literal: none, a flag, a number, a text, tuples of these (lists become tuples),
    or what one of `names` (`inf`, `torch.float16`) stands for. Raises `UnfitError` for anything else.
    """
    match node:
        case ast.Constant(value=None | bool() | int() | float() | str()):
            return node.value
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = literal(operand, names)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return -value
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            return tuple(literal(element, names) for element in elements)
        case ast.Name() | ast.Attribute() if (name := ast.unparse(node)) in names:
            return names[name]
    raise UnfitError(f"{ast.unparse(node)[:80]!r}, which is no plain value")


def number(value: Any) -> float:
    """Return a finite number, raise `UnfitError` for anything else, as do all readers below."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UnfitError("a number")
    if not math.isfinite(value):
        raise UnfitError("a finite number")
    return float(value)


def whole_number(value: Any) -> int:
    """Return an integer; True and False, which Python counts among them, are refused."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise UnfitError("a whole number")
    return value


def flag(value: Any) -> bool:
    """Return True or False; 0 and 1 are refused."""
    if not isinstance(value, bool):
        raise UnfitError("True or False")
    return value


def choice(*choices: str) -> Callable[[Any], str]:
    """Return the reader of one of several words."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or value not in choices:
            raise UnfitError(f"one of {', '.join(choices)}")
        return value

    return read
