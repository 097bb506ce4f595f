"""What is said of made masks."""

from __future__ import annotations

import numpy as np
from still_backdrops import SIZE, disc_before, plain_backdrop

from masks.making.check import MaskFigures, doubtful, mask_figures, mask_notices, too_doubtful
from masks.making.evidence import Evidence
from masks.making.refine import Refined, refined


def figures_of(masks: tuple[np.ndarray, ...], strength: float = 3.0, **more) -> tuple[MaskFigures, ...]:
    still = disc_before(plain_backdrop(), num_views=len(masks))
    evidence = Evidence(tuple(np.where(m, strength, -strength).astype(np.float32) for m in masks), "test")
    found = refined(evidence, still.photos)
    soft = tuple(m.astype(np.float32) for m in masks)
    outlines = Refined(soft, evidence, found.colours, found.pieces, found.filled)
    return mask_figures([f"{k}.jpg" for k in range(len(masks))], outlines, evidence, **more)


def test_good_masks_raise_no_doubts() -> None:
    figures = figures_of(disc_before(plain_backdrop(), num_views=6).masks)
    assert doubtful(figures) == ()
    assert mask_notices(figures) == ()


def test_an_empty_mask_and_one_of_twice_the_area_are_doubtful() -> None:
    masks = list(disc_before(plain_backdrop(), num_views=8).masks)
    masks[2] = np.zeros(SIZE, bool)
    masks[6] = disc_before(plain_backdrop(), num_views=8, radius=46).masks[6]
    assert [own.name for own in doubtful(figures_of(tuple(masks)))] == ["2.jpg", "6.jpg"]


def test_areas_that_alternate_between_views_far_apart_raise_no_doubts() -> None:
    """A flat thing from its side and from its face, in turns."""
    radii = (24, 34) * 4
    masks = [disc_before(plain_backdrop(), num_views=8, radius=r).masks[k] for k, r in enumerate(radii)]
    assert doubtful(figures_of(tuple(masks))) == ()
    masks[3] = np.zeros(SIZE, bool)
    masks[3][50:55, 70:75] = True
    assert [own.name for own in doubtful(figures_of(tuple(masks)))] == ["3.jpg"]


def test_what_other_views_contradict_and_what_nobody_knows_is_doubtful() -> None:
    masks = disc_before(plain_backdrop(), num_views=3).masks
    (cut,) = doubtful(figures_of(masks, cut=[0.0, 0.2, 0.04]))
    assert "contradict 20 %" in cut.doubts[0]
    assert len(doubtful(figures_of(masks, strength=0.2))) == 3


def test_masks_that_may_be_shadows_are_told() -> None:
    masks = disc_before(plain_backdrop(), num_views=3).masks
    evidence = Evidence(tuple(np.where(m, 3, -3).astype(np.float32) for m in masks), "test", masks)
    found = refined(evidence, disc_before(plain_backdrop(), num_views=3).photos)
    (notice,) = mask_notices(mask_figures(["a", "b", "c"], found, evidence))
    assert "in light alone" in notice.text


def test_masks_are_given_up_beyond_a_third() -> None:
    masks = disc_before(plain_backdrop(), num_views=3).masks
    assert not too_doubtful(figures_of(masks, cut=[0.0, 0.2, 0.0]))
    assert too_doubtful(figures_of(masks, cut=[0.0, 0.2, 0.2]))


def test_doubts_and_cut_objects_are_told_by_name() -> None:
    mask = np.zeros(SIZE, bool)
    mask[40:, 60:90] = True
    notices = mask_notices(figures_of((mask, mask), cut=[0.5, 0.0]))
    assert [notice.subject for notice in notices] == ["0.jpg", "masks"]
    assert "touches the photo's border in 0.jpg, 1.jpg" in notices[1].text
