"""Painting by optimisation: it begins at the photo, gets better, and is the same each time."""

import numpy as np
import pytest

from stylecam import assets
from stylecam.evaluation import metrics
from stylecam.training.encoder import load_encoder
from stylecam.training.paint import paint
from stylecam.video.picture import read_picture


@pytest.fixture(scope="module")
def encoder():
    return load_encoder(assets.ENCODER)


@pytest.fixture(scope="module")
def painting(library):
    return read_picture(assets.STYLES / "great-wave.jpg")


def test_it_begins_at_the_photo_and_falls(photo, painting, encoder):
    small = np.ascontiguousarray(photo[64:160, 96:192])
    begin, *_, last = paint(small, painting, encoder, steps=12)
    assert (begin.step, last.step) == (0, 12)
    assert np.array_equal(begin.pixels(), small)
    assert begin.content == pytest.approx(0, abs=1e-6)
    assert last.style < 0.7 * begin.style
    assert last.content > 0
    # The measure agrees with the loss, except for the rounding of the picture to bytes.
    measure = metrics.StyleMeasure(encoder)
    style, _ = measure.style_and_content(last.pixels(), small, measure.grams(painting))
    assert style == pytest.approx(last.style, rel=0.02)


def test_it_is_the_same_each_time(photo, painting, encoder):
    small = np.ascontiguousarray(photo[64:128, 96:160])
    a, b = ([p.pixels() for p in paint(small, painting, encoder, steps=3)] for _ in range(2))
    assert np.abs(np.array(a, int) - np.array(b, int)).max() <= 1  # level: threads add in any order
