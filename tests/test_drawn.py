"""The drawn style pictures: the same bytes each time, and each shows what its name says."""

import subprocess
import sys

import cv2
import numpy as np
import pytest

from stylecam.training import drawn
from stylecam.video.picture import read_picture


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "new"
    command = [sys.executable, "-c", "from stylecam.cli import main; main()", "draw", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(folder / f"{name}.png") for name in drawn.PICTURES]
    return folder


@pytest.fixture(scope="module")
def pictures(folder):
    return {name: read_picture(folder / f"{name}.png") for name in drawn.PICTURES}


def spectrum(channel):
    """For each bin, its power (without the mean), cycles per pixel and direction, 0 to 180°."""
    window = np.hanning(drawn.SIDE)
    power = np.abs(np.fft.fft2((channel - channel.mean()) * np.outer(window, window))) ** 2
    y, x = np.meshgrid(*2 * [np.fft.fftfreq(drawn.SIDE)], indexing="ij")
    return power, np.hypot(x, y), np.degrees(np.arctan2(y, x)) % 180


def test_drawn_again_is_the_same_to_the_byte(folder, tmp_path):
    for file in drawn.draw(tmp_path):
        assert file.read_bytes() == (folder / file.name).read_bytes(), file.name


@pytest.mark.parametrize(
    ("name", "white", "apart"),
    [("ink-hatching", 215, 13), ("halftone", 215, 13), ("stained-glass", 170, 45)],
)
def test_every_quarter_has_all_tones_and_the_same_colours(pictures, name, white, apart):
    """The panes of stained glass may differ more, since light ones stand together, by the dozen."""
    picture = pictures[name]
    assert picture.shape == (drawn.SIDE, drawn.SIDE, 3)
    assert picture.dtype == np.uint8
    half = drawn.SIDE // 2
    for y in (0, half):
        for x in (0, half):
            quarter = picture[y : y + half, x : x + half].astype(float)
            dark, light = np.percentile(quarter.mean(2), [2, 98])
            assert dark < 30
            assert light > white
            # In levels of 255. If each quarter had its own colours, they would differ by a hundred.
            assert np.abs(quarter.mean((0, 1)) - picture.mean((0, 1))).max() < apart


@pytest.mark.parametrize(("channel", "degrees"), [(0, 45.0), (2, 75.0)])
def test_halftone_repeats_at_the_pitch_and_angle_of_its_ink(pictures, channel, degrees):
    """The red channel shows the grid of the blue ink, the blue one mostly that of the red ink."""
    power, frequency, direction = spectrum(pictures["halftone"][..., channel])
    # Periods longer than two pitches belong to the shaded forms.
    power[frequency < 0.5 / drawn.DOT_PITCH] = 0
    peak = np.unravel_index(power.argmax(), power.shape)
    assert frequency[peak] == pytest.approx(1 / drawn.DOT_PITCH, abs=1.5 / drawn.SIDE)
    # A square grid also repeats at right angles; a bin of the spectrum spans 0.75 degrees.
    assert (direction[peak] - degrees + 45) % 90 - 45 == pytest.approx(0, abs=1.0)


def test_hatching_has_lines_at_its_pitch_that_run_its_way(pictures):
    power, frequency, direction = spectrum(pictures["ink-hatching"].mean(2))
    at_pitch = np.abs(frequency * drawn.HATCH_PITCH - 1) < 0.15

    def across(degrees):
        """Mean power at the pitch of lines in this direction, give or take the 15° they bend."""
        return power[at_pitch & (np.abs((direction - degrees) % 180 - 90) < 15)].mean()

    first, second = (degrees for degrees, _ in drawn.HATCH_LAYERS[:2])
    # There is less power at twice and at half the pitch, and where no layer runs.
    for other in (0.5, 2.0):
        ring = np.abs(frequency * drawn.HATCH_PITCH - other) < 0.15
        assert power[at_pitch].mean() > 1.5 * power[ring].mean()
    assert across(first) > 2 * across(second)
    assert across(second) > 2 * across(first + 70)


def test_hatching_is_dark_ink_on_warm_paper(pictures):
    tones = pictures["ink-hatching"].reshape(-1, 3).astype(float)
    light = tones[tones.mean(1) > 215].mean(0)
    assert light[0] > light[1] + 5 > light[2] + 15
    dark = tones.mean(1) < 60
    assert 0.2 < dark.mean() < 0.5


def test_glass_is_hundreds_of_coloured_panes_parted_by_lead(pictures):
    brightest = pictures["stained-glass"].max(2)
    glass = (brightest > 45).astype(np.uint8)
    assert 0.2 < 1 - glass.mean() < 0.35
    _, _, stats, _ = cv2.connectedComponentsWithStats(glass, connectivity=4)
    # Without the background. Areas of up to 50 pixels are light on the leads, or slivers of panes
    # too thin to see.
    panes = stats[1:, cv2.CC_STAT_AREA]
    assert (panes > 50).sum() == pytest.approx((drawn.SIDE / drawn.PANE) ** 2, rel=0.1)
    assert panes.max() < 3 * drawn.PANE**2


def test_glass_has_every_jewel(pictures):
    pixels = pictures["stained-glass"].reshape(-1, 3).astype(float)
    pixels = pixels[pixels.max(1) > 80]
    jewels = drawn.JEWELS / np.linalg.norm(drawn.JEWELS, axis=1, keepdims=True)
    nearest = (pixels / np.linalg.norm(pixels, axis=1, keepdims=True) @ jewels.T).argmax(1)
    shares = np.bincount(nearest, minlength=len(jewels)) / len(pixels)
    assert shares.min() > 0.04
