"""The whole road from photos to masks: signals, evidence, outlines, cameras, and what these say of the
outlines.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import cv2
import numpy as np

from align.made_masks.contradiction import MOST_CUT, Comparison, compared, without_cuts
from align.made_masks.intruders import intruder_notices
from align.made_masks.placed_pictures import placed_by_scene, placed_by_solve, points_on_masks
from align.made_masks.pointed_at import Box, Click
from align.made_masks.scene_road import scene_road, stood_still
from align.made_masks.solving import solved, views_without_masks, with_masks
from align.made_masks.without_stand import WithoutStand, without_stand
from align.objects.hull import Floor
from masks.errors import MaskError, MissingExtraError, ReconstructionError, SolverError
from masks.given.polarity import border_share
from masks.image_file import ImageFacts, probe_image, probe_images
from masks.making.check import mask_figures, mask_notices
from masks.making.choice import Choice, Road, signals
from masks.making.evidence import Evidence
from masks.making.finish import finished_masks
from masks.making.made import MadeMasks, MakingOptions, helped, refusal
from masks.making.network import OnnxModel
from masks.making.pictures import working_pictures
from masks.making.refine import Refined, refined
from masks.making.roads import Taken, take_road
from masks.making.runs import FEWEST
from masks.notice import Notice, info, warning
from masks.progress import Progress, silent
from pairs.backends.classical.backend import Classical, make_classical
from pairs.backends.classical.masked_solve import UnmaskedSolve
from pairs.backends.classical.sfm.solve import SceneSolve
from pairs.prediction.store import PredictionStore, user_store_folder
from pairs.views.load import LoadOptions
from pairs.views.view import View

_CUT = -4.0
"""Evidence where the hull takes away: it teaches the colours."""
_PERHAPS_STILL = 0.9
"""Share of the border that stands still in small pictures, below which it does not in larger ones."""
_BELOW_TOLD = 0.01
_MOST_BORDER = 0.3
"""Share of the border that masks of something that stands free touch, in the median view."""


@dataclass(frozen=True, slots=True)
class MaskOptions:
    """How masks are made with the help of cameras."""

    making: MakingOptions = field(default_factory=MakingOptions)
    shown: tuple[Box | Click, ...] = ()
    """Where a user points at the object, and beside it: by the scene's road."""
    stand: Literal["cut", "keep"] = "cut"
    """What the object stands on while both turn: a disc with marks."""
    load: LoadOptions = field(default_factory=LoadOptions)
    """How the photos are read, and what is known of their cameras."""
    backend: Classical = field(default_factory=make_classical)
    store: Path | None = None
    """Folder of finished steps; none: one of the user's cache."""


@dataclass(frozen=True, slots=True)
class MadeWithCameras:
    """Masks, and the cameras that they were compared with."""

    made: MadeMasks
    cameras: UnmaskedSolve | None
    """To be kept; none where they are better solved from the object alone, as where it turned."""


def make_masks(
    photos: Sequence[Path], options: MaskOptions | None = None, progress: Progress = silent
) -> MadeWithCameras:
    """Return masks of photos, made by the first road that is sure, or the one that is asked for.

    Cameras are solved without masks, and the silhouettes compared with them: agreeing ones lose what no other
    view allows; contradicting ones are solved anew with the first masks. Without cameras the masks are those
    that the photos alone give, which is said. Raises `MaskError` where no road is sure, and `ImageError` for
    files that cannot be used.
    """
    options = options or MaskOptions()
    making = options.making
    if options.shown and making.road not in (None, Road.SCENE):
        raise MaskError(f"`road={making.road}`: only the scene's road can be pointed at. Omit it.")
    for each in options.shown:
        if each.photo not in {photo.name for photo in photos}:
            raise MaskError(f"{each.photo}: no photo has this name, so nothing can be shown in it.")
    work = _making(photos, options, progress)
    empty = None if making.empty is None else working_pictures([probe_image(making.empty)])[0]
    road = Road.SCENE if options.shown else making.road
    taken = take_road(work.pictures, work.names, road, empty)
    if making.model is not None and road is not Road.SCENE:
        taken = helped(taken, work.pictures, OnnxModel(making.model))
    if taken.evidence is None:
        return _by_scene(work, taken)
    return _by_photos(work, taken.evidence, taken, _solved_without_masks(work))


def made_by_itself(
    photos: Sequence[Path], options: MaskOptions, progress: Progress = silent
) -> MadeWithCameras | None:
    """Return masks where nobody asked for any and the photos leave no doubt: the backdrop stands still, and
    the cameras' solve was disturbed by it. None elsewhere.
    """
    if len(photos) < FEWEST or len({probe_image(photo).upright_size for photo in photos}) > 1:
        return None
    work = _making(photos, options, progress)
    # A plate of small pictures tells in a tenth of the time that nothing stands still.
    small = [cv2.resize(p, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA) for p in work.pictures]
    if signals(small).border_still < _PERHAPS_STILL:
        return None
    taken = take_road(work.pictures, work.names)
    if taken.choice.road is not Road.STILL or taken.evidence is None:
        return None
    solved_without = _solved_without_masks(work)
    if isinstance(solved_without, _Solved) and not stood_still(solved_without.solve.notices):
        return None
    return _by_photos(work, taken.evidence, taken, solved_without)


def _making(photos: Sequence[Path], options: MaskOptions, progress: Progress) -> _Making:
    facts = probe_images(photos)
    pictures = working_pictures(facts, progress=progress)
    progress("looking at the backdrop", 0, 1)
    return _Making(facts, pictures, options, progress)


@dataclass(frozen=True, slots=True)
class _Making:
    """What all steps need."""

    facts: Sequence[ImageFacts]
    pictures: Sequence[np.ndarray]
    options: MaskOptions
    progress: Progress

    @property
    def names(self) -> list[str]:
        return [fact.path.name for fact in self.facts]

    @property
    def store(self) -> PredictionStore:
        return PredictionStore(self.options.store or user_store_folder())

    def refined(self, evidence: Evidence, seeds: Sequence[np.ndarray] | None = None) -> Refined:
        return refined(evidence, self.pictures, seeds, self.options.making.holes, self.progress)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What cameras say of outlines."""

    comparison: Comparison | None = None
    """None where nothing could be compared, or what was compared contradicts itself."""
    cameras: UnmaskedSolve | None = None
    notices: tuple[Notice, ...] = ()


@dataclass(frozen=True, slots=True)
class _Solved:
    """Cameras of views without masks."""

    views: tuple[View, ...]
    solve: SceneSolve


def _by_photos(
    work: _Making, evidence: Evidence, taken: Taken, without_masks: _Solved | Notice
) -> MadeWithCameras:
    outlines, notices = work.refined(evidence), taken.notices
    if isinstance(without_masks, Notice):
        judged = _Judged(notices=(without_masks,))
    else:
        standing = _without_stand(work, evidence, outlines, without_masks)
        if standing.evidence is not None:
            evidence, outlines = standing.evidence, work.refined(standing.evidence)
        judged = _judged_by_cameras(work, outlines, without_masks, standing.floor)
        notices = (*notices, *standing.notices)
    return _finished(work, taken.choice, evidence, outlines, judged, notices)


def _without_stand(work: _Making, evidence: Evidence, outlines: Refined, cameras: _Solved) -> WithoutStand:
    if work.options.stand == "keep":
        return WithoutStand(None)
    work.progress("looking for a stand", 0, 1)
    points = points_on_masks(cameras.views, cameras.solve, outlines.masks, work.facts)
    placed = placed_by_solve(cameras.views, cameras.solve, work.facts)
    return without_stand(evidence, outlines.masks, work.pictures, work.names, placed, points)


def _solved_without_masks(work: _Making) -> _Solved | Notice:
    """Return the cameras of the photos as they are, or why there are none."""
    try:
        views = views_without_masks([fact.path for fact in work.facts], work.options.load)
        return _Solved(views, solved(views, work.options.backend, work.store, work.progress))
    except (ReconstructionError, MissingExtraError, SolverError) as error:
        return _without_cameras(str(error))


def _judged_by_cameras(
    work: _Making, outlines: Refined, without_masks: _Solved, floor: Floor | None
) -> _Judged:
    """Compare outlines with cameras, above the floor if there is one; where these contradict them, solve with
    the outlines as masks and compare once more.
    """
    views = without_masks.views
    first = _compared(work, outlines, views, without_masks.solve, floor)
    if first is None:
        text = "too few photos or points with known cameras lie on the masks"
        return _Judged(notices=(_without_cameras(text),))
    if not first.contradicts:
        return _Judged(first, None, (_agreeing(first),))
    try:
        masked = with_masks(views, finished_masks(outlines, work.facts))
        solve = solved(masked, work.options.backend, work.store, work.progress)
    except (ReconstructionError, MaskError, SolverError) as error:
        return _Judged(notices=(_contradicting(first, f"With the masks no scene came out: {error}"),))
    second = _compared(work, outlines, masked, solve)
    if second is None or second.contradicts:
        share = "few photos were placed" if second is None else f"{100 * second.share:.0f} % then"
        return _Judged(notices=(_contradicting(first, f"Cameras solved with them do not agree: {share}."),))
    text = (
        f"cameras solved without masks had folded (the silhouettes contradict {100 * first.share:.0f} % of "
        f"the median mask): solved again with the made masks, which then agree "
        f"({100 * second.share:.1f} %)."
    )
    return _Judged(second, None, (warning("masks", text),))


def _compared(
    work: _Making,
    outlines: Refined,
    views: Sequence[View],
    solve: SceneSolve,
    floor: Floor | None = None,
) -> Comparison | None:
    work.progress("comparing silhouettes", 0, 1)
    points = points_on_masks(views, solve, outlines.masks, work.facts)
    return compared(outlines.masks, placed_by_solve(views, solve, work.facts), points, floor)


def _by_scene(work: _Making, taken: Taken) -> MadeWithCameras:
    """Make masks by the depth of the scene without masks. Raises `MaskError` where it is of no help."""
    # Only this road needs a whole reconstruction, with all the rooms behind it.
    from align.pipeline import reconstruct

    options, facts = work.options, work.facts
    photos = [fact.path for fact in facts]
    why_not = "" if taken.choice.road is Road.SCENE else f"{taken.choice.reason}; and "
    try:
        scene = reconstruct(
            photos,
            "none",
            backend=options.backend,
            load=options.load,
            store=work.store.folder,
            progress=work.progress,
        )
    except (ReconstructionError, MissingExtraError, SolverError) as error:
        raise MaskError(refusal(f"{why_not}without masks no scene came out ({error})")) from error
    road = scene_road(scene, facts, options.shown)
    if road.evidence is None:
        raise MaskError(refusal(f"{why_not}in the scene without masks {road.reason}"))
    outlines = work.refined(road.evidence)
    border = float(np.median([border_share(mask) for mask in outlines.masks]))
    if not options.shown and border >= _MOST_BORDER:
        reason = f"what stands out touches {100 * border:.0f} % of the photos' border: a room, or a wall"
        raise MaskError(refusal(f"{why_not}in the scene without masks {reason}"))
    work.progress("comparing silhouettes", 0, 1)
    comparison = compared(outlines.masks, placed_by_scene(scene, facts), road.points)
    judged = _Judged(notices=(_without_cameras("too few points are the object"),))
    if comparison is not None and comparison.contradicts:
        judged = _Judged(notices=(_contradicting(comparison, "They were made by the same cameras."),))
    elif comparison is not None:
        views = views_without_masks(photos, options.load)
        # In the store since the scene was made.
        solve = solved(views, options.backend, work.store, work.progress)
        kept = UnmaskedSolve(tuple(view.name for view in views), solve)
        judged = _Judged(comparison, kept, (_agreeing(comparison),))
    return _finished(work, Choice(Road.SCENE, road.reason), road.evidence, outlines, judged, road.notices)


def _finished(
    work: _Making,
    choice: Choice,
    evidence: Evidence,
    first: Refined,
    judged: _Judged,
    notices: Sequence[Notice],
) -> MadeWithCameras:
    """Take away what the comparison says, and refine once more with the colours of the first outlines, which
    reach where the evidence did not.
    """
    cuts = {} if judged.comparison is None else judged.comparison.cut
    less = Evidence(
        tuple(
            np.where(cuts[k], np.float32(_CUT), logits) if k in cuts else logits
            for k, logits in enumerate(evidence.logits)
        ),
        evidence.road,
    )
    seeds = [mask & ~cuts[k] if k in cuts else mask for k, mask in enumerate(first.masks)]
    outlines = without_cuts(work.refined(less, seeds), cuts)
    shares = {} if judged.comparison is None else judged.comparison.shares
    figures = mask_figures(work.names, outlines, evidence, [shares.get(k) for k in range(len(work.facts))])
    told = info("masks", f"made by {evidence.road}: {choice.reason}.")
    made = MadeMasks(
        finished_masks(outlines, work.facts),
        tuple(work.pictures),
        figures,
        choice,
        (told, *notices, *judged.notices, *mask_notices(figures), *intruder_notices(figures)),
    )
    return MadeWithCameras(made, judged.cameras)


def _agreeing(comparison: Comparison) -> Notice:
    worst = max(comparison.shares.values())
    text = (
        f"the made masks and the cameras agree: other views contradict {100 * comparison.share:.1f} % of the "
        f"median mask and {100 * worst:.1f} % of the worst, which was taken away."
    )
    if comparison.below > _BELOW_TOLD:
        text = f"{text} {100 * comparison.below:.0f} % of it reached below the stand, as a mirror shows it."
    return info("masks", text)


def _contradicting(comparison: Comparison, then: str) -> Notice:
    text = (
        f"the made masks and the cameras contradict each other ({100 * comparison.share:.0f} % of the median "
        f"mask, {100 * MOST_CUT:.0f} % are usual at most). {then} Nothing was taken away. Look at both."
    )
    return warning("masks", text)


def _without_cameras(why: str) -> Notice:
    return warning("masks", f"the made masks were not compared with cameras: {why}")
