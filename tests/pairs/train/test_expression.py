from __future__ import annotations

import pytest

from masks.errors import UserError
from pairs.train.criteria import InfoNCE
from pairs.train.expression import parse_loss
from pairs.train.loss import WeightedSum
from pairs.train.matching import MatchingLoss
from pairs.train.objectives import PUBLISHED
from pairs.train.regression import ConfLoss, Regr3D

MAST3R_TRAIN = (
    "ConfLoss(Regr3D(L21, norm_mode='?avg_dis'), alpha=0.2, loss_in_log=False) + "
    "0.075*ConfMatchingLoss(MatchingLoss(InfoNCE(mode='proper', temperature=0.05), negatives_padding=0, "
    "blocksize=8192), alpha=10.0, confmode='mean')"
)
MAST3R_TEST = (
    "Regr3D(L21, norm_mode='?avg_dis', gt_scale=True, sky_loss_value=0) "
    "+ -1.*MatchingLoss(APLoss(nq='torch', fp=torch.float16), negatives_padding=12288)"
)


def test_the_published_texts_mean_the_published_objectives():
    assert (
        parse_loss("ConfLoss(Regr3D(L21, norm_mode='avg_dis'), alpha=0.2)", "dust3r")
        == PUBLISHED["dust3r-512-dpt"].train_loss
    )
    assert (
        parse_loss("Regr3D_ScaleShiftInv(L21, gt_scale=True)", "dust3r")
        == PUBLISHED["dust3r-512-dpt"].test_loss
    )
    assert parse_loss(MAST3R_TRAIN) == PUBLISHED["mast3r"].train_loss
    assert parse_loss(MAST3R_TEST) == PUBLISHED["mast3r"].test_loss
    assert parse_loss(MAST3R_TEST.replace("+ -1.*", "- ")) == PUBLISHED["mast3r"].test_loss


def test_a_paper_decides_about_sky():
    text = "ConfLoss(Regr3D(L21, norm_mode='avg_dis'), alpha=0.2)"
    assert parse_loss(text, "dust3r") == ConfLoss(Regr3D(), 0.2)
    assert parse_loss(text) == ConfLoss(Regr3D(sky_loss_value=2.0), 0.2)


def test_weights_and_signs_of_sums():
    found = parse_loss(
        "-2*MatchingLoss(InfoNCE()) - Regr3D(L21, norm_mode=None) + 0.5*MatchingLoss(InfoNCE(mode='dual'))",
        "dust3r",
    )
    matching, regression, dual = MatchingLoss(InfoNCE()), Regr3D(None), MatchingLoss(InfoNCE("dual"))
    assert found == WeightedSum(((-2, matching), (-1, regression), (0.5, dual)))


@pytest.mark.parametrize(
    "text",
    [
        "Regr3D(L21, loss_in_log='before', opt_fit_gt=True, max_metric_scale=False)",
        "Regr3D_ShiftInv(L21, loss_in_log=True)",
    ],
)
def test_accepted_arguments_without_meaning(text):
    assert isinstance(parse_loss(text), Regr3D)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a loss"),
        ("Regr3D(L21", "is not a loss"),
        ("(" * 500, "is not a loss"),
        ("-" * 1999 + "1", "is not"),
        ("1" * 3000, "longer than"),
        ("Regr4D(L21)", "Known here: Regr3D"),
        ("Regr3D(L1)", "Known here: L21"),
        ("Regr3D()", "one of L21 comes first"),
        ("Regr3D(L21, 'avg_dis')", "name=value"),
        ("Regr3D(L21, **{})", "name=value"),
        ("Regr3D(L21, norm='avg_dis')", "takes no norm; it takes norm_mode"),
        ("Regr3D(L21, norm_mode='best')", "norm_mode is one of avg_dis"),
        ("Regr3D(L21, gt_scale=1)", "gt_scale is True or False"),
        ("ConfLoss(Regr3D(L21))*0.5", "before its loss"),
        ("True*Regr3D(L21)", "before its loss"),
        ("1e999*Regr3D(L21)", "before its loss"),
        ("1" + "0" * 999 + "*Regr3D(L21)", "is not a loss"),
        ("ConfLoss(Regr3D(L21), alpha='much')", "alpha is a number"),
        ("ConfLoss(Regr3D(L21), alpha=-1)", "alpha"),
        ("ConfLoss(MatchingLoss(InfoNCE()))", "Known here: Regr3D"),
        ("MatchingLoss(InfoNCE(mode='best'))", "one of all, proper, dual"),
        ("MatchingLoss(APLoss(fp=torch.load))", "torch.float16"),
        ("MatchingLoss(InfoNCE(), blocksize=2.5)", "whole number"),
        ("__import__('os').system('true')", "Known here"),
        ("ConfLoss(Regr3D(L21), alpha=__import__('os').getpid())", "alpha is a number"),
        ("[Regr3D(L21) for _ in range(9)]", "Known here"),
        ("InfoNCE()", "Known here"),
    ],
)
def test_anything_else_is_refused_with_what_would_be_understood(text, message):
    with pytest.raises(UserError, match=message):
        parse_loss(text)


def test_dust3r_knows_no_metric_samples():
    with pytest.raises(UserError, match="norm_mode is one of"):
        parse_loss("Regr3D(L21, norm_mode='?avg_dis')", "dust3r")
