"""The Stylizer's contract: any size, any style, refusals in one line."""

import dataclasses

import numpy as np
import pytest

from stylecam import engine, style
from stylecam.errors import FrameError, StyleError, UnknownStyle
from stylecam.settings import Look
from stylecam.stylizer import Stylizer, with_colors_of


@pytest.fixture(scope="module")
def stylizer():
    return Stylizer("starry-night", "cpu")


@pytest.fixture(autouse=True)
def fresh(stylizer):
    stylizer.apply(Look())
    stylizer.reset()


@pytest.mark.parametrize("size", [(32, 32), (33, 61), (90, 51), (288, 352)])
def test_any_size_comes_back_as_it_went(stylizer, photo, size):
    painted = stylizer(np.ascontiguousarray(photo[: size[0], : size[1]]))
    assert painted.shape == (*size, 3)
    assert painted.dtype == np.uint8
    assert painted.flags.c_contiguous


def test_a_view_that_is_not_contiguous_is_painted_alike(stylizer, photo):
    view = photo[:, ::-1]
    assert np.array_equal(stylizer(view), stylizer(view.copy()))


def test_a_blend_at_its_ends_is_each_style(stylizer, photo):
    ends = {}
    for name in ("great-wave", "the-scream"):
        stylizer.style = name
        ends[name] = stylizer(photo)
    assert not np.array_equal(*ends.values())
    for name, other in (("great-wave", "the-scream"), ("the-scream", "great-wave")):
        stylizer.style = {name: 1.0, other: 0.0}
        assert np.array_equal(stylizer(photo), ends[name])


def test_strokes_of_a_smaller_painting_are_finer_so_that_they_are_shown_as_asked(photo):
    stylizer, finer = Stylizer("roman-mosaic"), Stylizer("roman-mosaic", stroke=0.1)
    stylizer.scale = 2**-0.4
    assert np.abs(stylizer(photo).astype(int) - finer(photo)).max() <= 2
    stylizer.scale = 0.25  # no strokes are that fine
    finer.stroke = 0.0
    assert np.abs(stylizer.still(photo).astype(int) - finer.still(photo)).max() <= 2
    assert stylizer.stroke == Look.stroke
    stylizer.scale = 1.0
    finer.stroke = Look.stroke
    assert np.array_equal(stylizer.still(photo), finer.still(photo))


def test_a_still_is_painted_by_the_network_itself_and_the_stream_goes_on(photo, library):
    stylizer, undisturbed = (Stylizer("udnie", "torch") for _ in range(2))
    frame, still = (np.ascontiguousarray(photo[:96, x : x + 128]) for x in (0, 100))
    stylizer(frame), undisturbed(frame)
    exact = engine.open_engine("torch").paint(still, library["udnie"].at(Look.stroke))
    assert np.array_equal(stylizer.still(still), exact)
    assert np.array_equal(stylizer(frame // 2), undisturbed(frame // 2))
    stylizer.preserve_color = True
    assert np.array_equal(stylizer.still(still), with_colors_of(still, exact))


def test_a_style_object_can_be_given_in_place_of_a_name(stylizer, photo, library):
    stylizer.style = "udnie"
    named = stylizer(photo)
    stylizer.style = library["udnie"]
    assert np.array_equal(stylizer(photo), named)


def test_strength_0_is_near_the_photo_and_1_far(stylizer, photo):
    distances = []
    for strength in (0.0, 0.5, 1.0):
        stylizer.strength = strength
        distances.append(np.abs(stylizer(photo).astype(int) - photo).mean())
    assert distances[0] < distances[1] < distances[2]
    assert distances[0] < 16


def test_strength_stays_when_the_style_changes(stylizer, photo):
    stylizer.strength = 0.0
    before = stylizer(photo)
    stylizer.style = "great-wave"
    stylizer.reset()
    assert np.array_equal(stylizer(photo), before)


def test_preserving_colour_keeps_hue_and_takes_brightness(stylizer, photo):
    painted = stylizer(photo)
    mixed = with_colors_of(photo, painted)
    weights = np.array([0.299, 0.587, 0.114])
    inside = (mixed > 0).all(2) & (mixed < 255).all(2)
    brightness = (mixed @ weights - painted @ weights)[inside]
    red_less_blue = (mixed.astype(int) - photo)[inside]
    assert np.abs(brightness).mean() < 1.5
    assert np.abs(red_less_blue[:, 0] - red_less_blue[:, 2]).mean() < 3
    stylizer.preserve_color = True
    stylizer.reset()
    assert np.array_equal(stylizer(photo), mixed)


def test_the_last_painting_is_carried_where_that_will_do(photo):
    stylizer = Stylizer(style="great-wave")
    assert stylizer.carry(photo) is None
    painted = stylizer(photo)
    assert np.array_equal(stylizer.carry(photo), painted)
    stylizer.preserve_color = True
    assert np.array_equal(stylizer.carry(photo), with_colors_of(photo, painted))
    stylizer.strength = 0.98  # as small a change as a moving slider makes from frame to frame
    assert stylizer.carry(photo) is not None
    stylizer.style = "the-scream"
    assert stylizer.carry(photo) is None
    stylizer(photo)
    assert stylizer.carry(photo) is not None
    stylizer.steadiness = 0.0
    assert stylizer.carry(photo) is None
    with pytest.raises(FrameError, match="expected uint8 RGB"):
        stylizer.carry(photo.astype(np.float32))


def test_apply_takes_over_a_look(stylizer, photo):
    look = Look({"great-wave": 1.0}, 0.5, 0.75, True, 0.2)
    stylizer.apply(look)
    assert stylizer.style == look.style
    assert (stylizer.strength, stylizer.stroke) == (0.5, 0.75)
    assert (stylizer.preserve_color, stylizer.steadiness) == (True, 0.2)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (np.zeros((1, 1, 3), np.uint8), r"got uint8 \(1, 1, 3\)"),
        (np.zeros((31, 31, 3), np.uint8), r"got uint8 \(31, 31, 3\)"),
        (np.zeros((64, 64, 4), np.uint8), r"got uint8 \(64, 64, 4\)"),
        (np.zeros((64, 64), np.uint8), r"got uint8 \(64, 64\)"),
        (np.zeros((480, 640, 3), np.float32), r"got float32 \(480, 640, 3\)"),
        (np.zeros((32, 9000, 3), np.uint8), r"sides of 32 to 8192, got uint8 \(32, 9000, 3\)"),
        ("a string", "got str"),
    ],
)
def test_what_is_no_frame_is_refused_quoting_both_sides(stylizer, pixels, words):
    with pytest.raises(FrameError, match=f"expected uint8 RGB .*{words}"):
        stylizer(pixels)


def test_a_wrong_style_is_refused_and_the_old_one_stays(stylizer, photo):
    before = stylizer(photo)
    with pytest.raises(UnknownStyle):
        stylizer.style = "nothing-like-it"
    with pytest.raises(StyleError, match="got int"):
        stylizer.style = 3
    with pytest.raises(StyleError):
        stylizer.strength = 2
    with pytest.raises(StyleError):
        stylizer.stroke = 2
    with pytest.raises(StyleError, match="a steadiness from 0 to 1, got -1"):
        stylizer.steadiness = -1
    stylizer.reset()
    assert np.array_equal(stylizer(photo), before)


def test_a_style_of_another_body_is_refused(stylizer):
    stranger = dataclasses.replace(style.identity(), name="stranger", body="another")
    with pytest.raises(StyleError, match="belongs to body another"):
        stylizer.style = stranger
