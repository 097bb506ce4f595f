"""Losses written as the papers' configurations write them: `a*L1(...) + b*L2(...)`
(docs/training.md, "Composition").

The text is parsed, never evaluated: only sums, numbers, the names below and literal keyword arguments mean
anything.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch

from masks.errors import UserError
from pairs.networks.constructor_call import (
    UnfitError,
    choice,
    constructor_call,
    flag,
    literal,
    number,
    parse_expression,
    whole_number,
)
from pairs.train.criteria import APLoss, InfoNCE
from pairs.train.loss import Loss, WeightedSum
from pairs.train.matching import ConfMatchingLoss, MatchingLoss
from pairs.train.normalisation import NORM_MODES
from pairs.train.regression import CLASS_NAMES, ConfLoss, Free, Regr3D

Paper = Literal["dust3r", "mast3r"]
"""Whose losses the names mean: those of MASt3R know metric samples and, unless told otherwise, give sky
pixels a loss of 2."""

_LONGEST = 2000  # characters: a longer text is no loss, and deep nesting would exhaust the parser
_NAMES = {
    "torch.float16": torch.float16,
    "torch.bfloat16": torch.bfloat16,
    "torch.float32": torch.float32,
    "torch.float64": torch.float64,
}
_MAST3R_SKY = 2.0


def parse_loss(text: str, paper: Paper = "mast3r") -> Loss:
    """Return the loss that a text describes, such as `ConfLoss(Regr3D(L21, norm_mode='avg_dis'), alpha=0.2)`.

    Raises `UserError`, naming what was not understood and what would be, for anything else.
    """
    try:
        terms = _Reader(text, paper).terms(parse_expression(text, _LONGEST), 1.0)
    except (ValueError, RecursionError, OverflowError) as error:
        remedy = "Write a sum such as ConfLoss(Regr3D(L21), alpha=0.2) + 0.1*MatchingLoss(InfoNCE())."
        raise UserError(f"{text[:80]!r} is not a loss ({error}). {remedy}") from None
    return terms[0][1] if len(terms) == 1 and terms[0][0] == 1 else WeightedSum(tuple(terms))


@dataclass(frozen=True, slots=True)
class _Form:
    """How a class is written."""

    make: Callable[..., Any]
    keywords: Mapping[str, Callable[[Any], Any]]
    inner: tuple[str, ...] = ()
    """What may stand as its first argument; nothing does when empty."""
    ignored: frozenset[str] = frozenset()
    """Keywords that published texts have and that mean nothing."""


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads the parts of one text."""

    text: str
    paper: Paper

    def terms(self, node: ast.expr, weight: float) -> list[tuple[float, Loss]]:
        """Return the weighted losses of a sum."""
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
            return self.terms(node.left, weight) + self.terms(
                node.right, -weight if isinstance(node.op, ast.Sub) else weight
            )
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            return self.terms(node.operand, -weight)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            try:
                factor = number(literal(node.left, _NAMES))
            except UnfitError:
                raise self._refusal(
                    node, "A weight is a number before its loss, as in 0.075*MatchingLoss(...)."
                ) from None
            return self.terms(node.right, weight * factor)
        names = (*CLASS_NAMES.values(), "ConfLoss", "MatchingLoss", "ConfMatchingLoss")
        return [(weight, self._made(node, names))]

    def _made(self, node: ast.expr, among: tuple[str, ...]) -> Any:
        """Return what a call of one of some names describes."""
        call = constructor_call(node)
        if call is None or call.name not in among:
            raise self._refusal(
                node,
                f"Known here: {', '.join(among)}, each with its arguments, all but the first name=value.",
            )
        form = _form(call.name, self.paper)
        if len(call.positional) != min(len(form.inner), 1):
            first = (
                f"one of {', '.join(form.inner)} comes first"
                if form.inner
                else "nothing stands without a keyword"
            )
            raise self._refusal(node, f"In {call.name}, {first}; all else is written name=value.")
        inner = [self._inner(argument, form.inner) for argument in call.positional]
        arguments = {
            word: self._value(call.name, word, value, form)
            for word, value in call.keywords.items()
            if word not in form.ignored
        }
        return form.make(*inner, **arguments)

    def _inner(self, node: ast.expr, among: tuple[str, ...]) -> Any:
        if isinstance(node, ast.Name) and node.id == "L21" and "L21" in among:
            return "L21"
        return self._made(node, among)

    def _value(self, name: str, word: str, node: ast.expr, form: _Form) -> Any:
        reader = form.keywords.get(word)
        if reader is None:
            raise self._refusal(node, f"{name} takes no {word}; it takes {', '.join(form.keywords)}.")
        try:
            value = literal(node, _NAMES)
        except UnfitError:
            value = node  # fits no reader, so the message says what would
        try:
            return reader(value)
        except UnfitError as error:
            raise self._refusal(node, f"{name}: {word} is {error}.") from None

    def _refusal(self, node: ast.AST, remedy: str) -> UserError:
        return UserError(f"{self.text!r}: {ast.unparse(node)!r} is not understood. {remedy}")


def _dtype(value: Any) -> torch.dtype:
    if not isinstance(value, torch.dtype):
        raise UnfitError(f"one of {', '.join(_NAMES)}")
    return value


def _or_none(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda value: None if value is None else read(value)


def _or_false(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return a reader that takes False for none: published texts use both."""
    return lambda value: None if value is False or value is None else read(value)


def _log(value: Any) -> str:
    if isinstance(value, bool):
        return "after" if value else "never"
    if value != "before":
        raise UnfitError("True, False or 'before'")
    return value


def _regr3d(free: Free, paper: Paper) -> Callable[..., Regr3D]:
    """Return what makes a regression with the defaults of a paper; a mode beginning with `?` spares metric
    samples.
    """
    sky = 0.0 if paper == "dust3r" else _MAST3R_SKY

    def make(
        _distance: str,
        norm_mode: str | None = "avg_dis",
        sky_loss_value: float = sky,
        loss_in_log: str = "never",
        **others: Any,
    ) -> Regr3D:
        mode: Any = norm_mode.removeprefix("?") if norm_mode else None
        spared = norm_mode is not None and norm_mode.startswith("?")
        log: Any = loss_in_log
        return Regr3D(
            norm_mode=mode, keep_metric=spared, sky_loss_value=sky_loss_value, log=log, free=free, **others
        )

    return make


_REGR3D = {"norm_mode": _or_none(choice(*NORM_MODES)), "gt_scale": flag}
_REGR3D_MAST3R = {
    "norm_mode": _or_none(choice(*NORM_MODES, *(f"?{mode}" for mode in NORM_MODES))),
    "gt_scale": flag,
    "max_metric_scale": _or_false(number),
    "sky_loss_value": number,
    "loss_in_log": _log,
}
_LOSSES: dict[str, _Form] = {
    "ConfLoss": _Form(ConfLoss, {"alpha": number}, tuple(CLASS_NAMES.values()), frozenset({"loss_in_log"})),
    "MatchingLoss": _Form(
        MatchingLoss,
        {"negatives_padding": whole_number, "use_pts3d": flag, "blocksize": _or_none(whole_number)},
        ("InfoNCE", "APLoss"),
    ),
    "ConfMatchingLoss": _Form(
        ConfMatchingLoss,
        {
            "alpha": number,
            "confmode": choice("prod", "mean"),
            "neg_conf_loss_quantile": _or_false(number),
        },
        ("MatchingLoss",),
    ),
    "InfoNCE": _Form(
        lambda fp=torch.float32, **others: InfoNCE(dtype=fp, **others),
        {"mode": choice("all", "proper", "dual"), "temperature": number, "eps": number, "fp": _dtype},
    ),
    # Sorting and the machine-learning library that `nq` names give the same precisions, up to ties.
    "APLoss": _Form(
        lambda fp=torch.float32, nq="torch": APLoss(dtype=fp),
        {"nq": choice("torch", "sklearn"), "fp": _dtype},
    ),
}


def _form(name: str, paper: Paper) -> _Form:
    """Return how a class is written in a paper's configurations."""
    for free, class_name in CLASS_NAMES.items():
        if name == class_name:
            keywords, ignored = (
                (_REGR3D, frozenset()) if paper == "dust3r" else (_REGR3D_MAST3R, frozenset({"opt_fit_gt"}))
            )
            return _Form(_regr3d(free, paper), keywords, ("L21",), frozenset(ignored))
    return _LOSSES[name]
