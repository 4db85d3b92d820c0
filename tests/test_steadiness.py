"""The peer's smoothing, the still scene and the comparison of painters do what they say."""

import dataclasses

import numpy as np
import pytest

from stylecam.evaluation.peer import smoothed
from stylecam.evaluation.steadiness import FRAMES, StillSource, compare


def test_smoothing_keeps_a_share_of_what_it_kept_before():
    levels = (100, 200, 50)
    frames = [np.full((4, 4, 3), level, np.uint8) for level in levels]
    mixed = smoothed(frames, 0.3)
    # 0.3 · 100 + 0.7 · 200 = 170; 0.3 · 170 + 0.7 · 50 = 86
    assert [int(frame[0, 0, 0]) for frame in mixed] == pytest.approx([100, 170, 86], abs=1)
    assert np.array_equal(smoothed(frames, 0.0), frames)


def test_the_still_scene_goes_round():
    source = StillSource((64, 48), 240.0)
    frames = source.frames()
    seen = [next(frames) for _ in range(FRAMES + 1)]
    frames.close()
    assert np.array_equal(seen[0].pixels, seen[FRAMES].pixels)
    assert not np.array_equal(seen[0].pixels, seen[1].pixels)
    assert np.all(np.diff([frame.time_s for frame in seen]) > 0)


def test_painters_are_compared_on_the_same_frames():
    seen = {"a": [], "b": []}

    def painter(name, paint):
        def work(frame):
            seen[name].append(frame)
            return paint(frame)

        return work

    class Halving:
        """Halves frames, whether it paints or carries."""

        def __init__(self):
            self.carried, self.filmed, self.begun = [], [], 0

        def reset(self):
            self.begun += 1

        def __call__(self, frame):
            return painter("b", lambda f: f // 2)(frame)

        def carry(self, frame):
            self.carried.append(frame)
            return frame // 2

        def film(self, frames):
            for frame in frames:
                self.filmed.append(frame.pixels)
                yield dataclasses.replace(frame, pixels=frame.pixels // 2)

    steady = Halving()
    rows = compare((160, 120), painter("a", lambda f: f), steady, lambda f: f)
    names = ["bare", "steady", "every 2nd", "as a film", "peer", "peer, smooth 0.3"]
    assert [row.name for row in rows] == names
    bare, halved, sparing, film, peer, smooth = rows
    assert np.array_equal(seen["a"], seen["b"][: len(seen["a"])])
    again = [
        frame
        for pair in zip(seen["b"][len(seen["a"]) :], steady.carried, strict=True)
        for frame in pair
    ]
    assert np.array_equal(seen["a"], again)
    assert np.array_equal(seen["a"], steady.filmed)
    assert steady.begun == 4
    for each in (sparing, film):
        assert dataclasses.replace(each, name="steady") == halved
    assert (peer.flicker, peer.warp, peer.sharpness) == (bare.flicker, bare.warp, bare.sharpness)
    assert halved.flicker == pytest.approx(bare.flicker / 2, rel=0.1)
    assert halved.sharpness == pytest.approx(bare.sharpness / 2, rel=0.1)
    assert smooth.flicker < peer.flicker
