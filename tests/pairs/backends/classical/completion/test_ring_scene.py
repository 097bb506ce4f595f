"""Scene points at the poses of a ring."""

from __future__ import annotations

import pytest
from look_alike_ring import BLOCK, CAMERAS, look_alike_ring

from pairs.backends.classical.completion.grown_ring import GrownRing
from pairs.backends.classical.completion.ring_scene import ring_scene
from pairs.backends.classical.options import SolveOptions
from pairs.backends.classical.sfm.attempts import Evidence
from pairs.backends.classical.sfm.verification import verify_pairs
from pairs.engines.processes import Processes
from pairs.rings.ring import fit_circular_motion

pytest.importorskip("pycolmap", reason="the scene solve needs pycolmap")


def test_a_view_without_any_match_stands_where_the_ring_puts_it() -> None:
    seen = look_alike_ring()
    apart = {p: m for p, m in seen.matches.items() if (p[0] in BLOCK) == (p[1] in BLOCK) and 3 not in p}
    evidence = Evidence(seen.views, seen.xy, seen.masks, verify_pairs(seen.xy, apart, 1.0, 15))
    (ring,) = fit_circular_motion(CAMERAS.cam_from_world).rings
    with Processes(1).start() as workers:
        found = ring_scene(evidence, GrownRing(ring, CAMERAS.K, {}), "", "", workers, SolveOptions())
    assert found.accepted
    assert found.model is not None
    assert found.model.placed == tuple(range(16))
    assert set(found.model.observed_by) == set(range(16)) - {3}
