"""Engines give the same answer at any size, and their cache survives damage."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest

from stylecam import body, cache, engine
from stylecam.errors import EngineError, FrameError
from stylecam.style import identity

FP32_LEVELS = 1.0
FP16_LEVELS = 1.0
BF16_LEVELS = 2.0
INT8_LEVELS = 4.0
"""Greatest mean absolute difference to torch in fp32, in levels of 255."""

HUES = cv2.COLOR_HSV2RGB_FULL

STATISTICS_TOLERANCE = 1e-3

BAND_LEVELS = 2.5
"""Largest change of int8's error in a gradient, from one stripe of 8 columns to the next. It is
1.9."""

PLAIN_LEVELS = 34.0
"""Standard deviation inside a painted plain colour: strokes from the grain, no amplified noise."""


@pytest.fixture(scope="module")
def reference():
    return engine.open_engine("torch", precision="fp32")


@pytest.fixture(scope="module")
def openvino_fp32():
    return engine.open_engine("cpu", precision="fp32")


@pytest.fixture(scope="module")
def openvino_auto():
    return engine.open_engine("cpu")


@pytest.fixture(scope="module")
def openvino_int8():
    return engine.open_engine("cpu", precision="int8")


@pytest.fixture(scope="module")
def cuda():
    if engine._gpu() != "cuda":
        pytest.skip("there is no CUDA card here")
    return engine.open_engine("cuda")


def difference(a: np.ndarray, b: np.ndarray) -> float:
    assert a.shape == b.shape
    assert a.dtype == b.dtype == np.uint8
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def test_engines_agree_on_a_photo_for_every_style(
    library, photo, reference, openvino_fp32, openvino_auto
):
    for style in library.values():
        expected = reference.paint(photo, style.fine)
        assert difference(openvino_fp32.paint(photo, style.fine), expected) <= FP32_LEVELS
        assert difference(openvino_auto.paint(photo, style.fine), expected) <= BF16_LEVELS


def test_a_card_paints_as_the_processor_does(library, photo, reference, cuda):
    for style in (*library.values(), identity()):
        expected, statistics = reference.paint_measured(photo, style.fine)
        assert difference(cuda.paint(photo, style.fine), expected) <= FP16_LEVELS
        assert difference(cuda.paint_given(photo, style.fine, statistics), expected) <= FP16_LEVELS


def test_a_gpu_paints_alternating_sizes_while_others_are_prepared(library, photo, reference, cuda):
    code = library["great-wave"].fine
    sizes = [(64 + 5 * i, 80 + 3 * i) for i in range(cache.COMPILED_MODELS + 2)]
    cut = {size: np.ascontiguousarray(photo[: size[0], : size[1]]) for size in sizes}
    found = {size: reference.paint_measured(picture, code) for size, picture in cut.items()}
    with ThreadPoolExecutor() as pool:
        prepared = [pool.submit(cuda.prepare, *size) for size in sizes]
        for size in (*sizes, *sizes):
            expected, statistics = found[size]
            painted = cuda.paint_given(cut[size], code, statistics)
            assert difference(painted, expected) <= FP16_LEVELS
        for each in prepared:
            each.result()


@pytest.mark.parametrize("device", ["reference", "cuda"])
def test_what_is_done_while_torch_paints_changes_nothing(library, photo, request, device):
    painter = request.getfixturevalue(device)
    code, done = library["udnie"].fine, []
    _, statistics = painter.paint_measured(photo, code)
    expected = painter.paint_given(photo, code, statistics)
    painted = painter.paint_given(photo, code, statistics, None, lambda: done.append(1))
    assert done == [1]
    assert np.array_equal(painted, expected)


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (101, 35)])
def test_engines_agree_at_odd_sizes(library, photo, reference, openvino_fp32, size):
    picture = np.ascontiguousarray(photo[: size[0], : size[1]])
    code = library["great-wave"].fine
    painted = openvino_fp32.paint(picture, code)
    assert painted.shape == picture.shape
    assert difference(painted, reference.paint(picture, code)) <= FP32_LEVELS


def test_engines_add_the_same_grain_to_every_frame(library, photo, reference, openvino_fp32):
    picture, code = photo[:99, :130], library["great-wave"].fine.copy()
    shares = np.s_[-sum(body.Width().grained) :]
    code[shares] = 0
    plain = openvino_fp32.paint(picture, code)
    code[shares] = np.random.default_rng(0).normal(size=code[shares].shape)
    painted = openvino_fp32.paint(picture, code)
    _, statistics = openvino_fp32.paint_measured(picture, code)
    given = openvino_fp32.paint_given(picture, code, statistics)
    for again in (reference.paint(picture, code), given):
        assert difference(again, painted) <= FP32_LEVELS
    assert difference(painted, plain) > 3 * FP32_LEVELS
    assert np.array_equal(openvino_fp32.paint(picture, code), painted)


@pytest.mark.parametrize("device", ["openvino_fp32", "reference", "cuda"])
def test_a_grain_that_was_carried_is_added_in_place_of_the_one_at_rest(
    library, photo, reference, request, device
):
    chosen, code = request.getfixturevalue(device), library["roman-mosaic"].fine
    cells = body.cells(*photo.shape[:2])
    carried = np.random.default_rng(0).normal(size=cells).astype(np.float32)
    _, statistics = reference.paint_measured(photo, code)
    expected, _ = reference.paint_measured(photo, code, statistics, carried)
    at_rest = chosen.paint_given(photo, code, statistics)
    for painted in (
        chosen.paint_given(photo, code, statistics, carried),
        chosen.paint_measured(photo, code, statistics, carried)[0],
    ):
        assert difference(painted, expected) <= FP32_LEVELS
        assert difference(painted, at_rest) > 5 * FP32_LEVELS
    assert np.array_equal(chosen.paint_given(photo, code, statistics), at_rest)


@pytest.mark.parametrize("device", ["openvino_fp32", "reference", "cuda"])
def test_given_its_own_statistics_a_picture_is_painted_alike(library, photo, request, device):
    chosen, code = request.getfixturevalue(device), library["great-wave"].fine
    measured, statistics = chosen.paint_measured(photo, code)
    for painted in (measured, chosen.paint_given(photo, code, statistics)):
        assert difference(painted, chosen.paint(photo, code)) <= FP32_LEVELS


@pytest.mark.parametrize("device", ["openvino_fp32", "openvino_int8", "reference", "cuda"])
def test_given_other_statistics_they_are_used_and_the_pictures_own_are_returned(
    library, photo, request, device
):
    chosen, code = request.getfixturevalue(device), library["udnie"].fine
    other, own = (chosen.paint_measured(each, code)[1] for each in (255 - photo, photo))
    painted, told = chosen.paint_measured(photo, code, other)
    given = chosen.paint_given(photo, code, other)
    assert difference(painted, given) <= FP32_LEVELS
    assert difference(given, chosen.paint_given(photo, code, own)) > 10 * FP32_LEVELS
    first = np.s_[:, : body.Width().inner]  # later norms see what the others made of the picture
    np.testing.assert_allclose(told[first], own[first], STATISTICS_TOLERANCE, STATISTICS_TOLERANCE)


def test_engines_find_the_same_statistics(library, photo, reference, openvino_fp32):
    code = library["starry-night"].fine
    _, expected = reference.paint_measured(photo, code)
    assert expected.shape == (2, sum(body.Width().norms[:-1]))
    assert (expected[1] >= 0).all()
    _, found = openvino_fp32.paint_measured(photo, code)
    np.testing.assert_allclose(found, expected, STATISTICS_TOLERANCE, STATISTICS_TOLERANCE)


def rainbow():
    """All hues, from pale through the most vivid to dark."""
    hue, light = np.mgrid[:256:16, :256][::-1]
    pale = cv2.cvtColor(np.dstack([hue, light, 0 * hue + 255]).astype(np.uint8), HUES)
    dark = cv2.cvtColor(np.dstack([hue, 0 * hue + 255, light]).astype(np.uint8), HUES)
    return np.repeat(np.vstack([pale, dark[::-1]]), 10, 0)


@pytest.mark.parametrize("vivid", [False, True])
def test_int8_is_near_floats_for_every_style(library, photo, reference, openvino_int8, vivid):
    picture = rainbow() if vivid else photo
    for style in (*library.values(), identity()):
        expected = reference.paint(picture, style.fine)
        measured, statistics = openvino_int8.paint_measured(picture, style.fine)
        told, _ = openvino_int8.paint_measured(picture, style.fine, statistics)
        given = openvino_int8.paint_given(picture, style.fine, statistics)
        for painted in (measured, told, given):
            assert difference(painted, expected) <= INT8_LEVELS


def test_int8_leaves_no_bands_in_a_slow_gradient(reference, openvino_int8):
    slope = np.linspace(60, 180, 480)[None, :, None]
    picture = np.repeat(np.repeat(slope, 320, 0), 3, 2).round().astype(np.uint8)
    _, statistics = openvino_int8.paint_measured(picture, identity().fine)
    painted = openvino_int8.paint_given(picture, identity().fine, statistics)
    inside = np.s_[40:-40, 40:-40]
    exact = reference.paint(picture, identity().fine)[inside].mean((0, 2))
    astray = np.convolve(painted[inside].mean((0, 2)) - exact, np.full(8, 1 / 8), "valid")
    assert np.abs(astray[8:] - astray[:-8]).max() <= BAND_LEVELS


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("device", ["openvino_fp32", "openvino_int8", "reference", "cuda"])
def test_a_picture_of_one_colour_stays_plain(library, request, device, level):
    chosen = request.getfixturevalue(device)
    picture = np.full((96, 128, 3), level, np.uint8)
    code = library["great-wave"].fine
    measured, statistics = chosen.paint_measured(picture, code)
    assert np.isfinite(statistics).all()
    given = chosen.paint_given(picture, code, statistics)
    for painted in (chosen.paint(picture, code), measured, given):
        assert painted[24:-24, 24:-24].std((0, 1)).max() <= PLAIN_LEVELS


def test_a_processor_without_avx512_paints_the_same(library, photo, reference, tmp_path):
    """oneDNN is limited to AVX2. Without VNNI, int8 sums are in 16 bits, and might overflow."""
    np.save(tmp_path / "photo.npy", photo)
    script = f"""
import numpy as np
from stylecam import engine, style
photo = np.load({str(tmp_path / "photo.npy")!r})
code = style.find("great-wave").fine
chosen = engine.open_engine("cpu", precision="int8")
np.save({str(tmp_path / "exact.npy")!r}, chosen.paint(photo, code))
measured, statistics = chosen.paint_measured(photo, code)
np.save({str(tmp_path / "measured.npy")!r}, measured)
np.save({str(tmp_path / "int8.npy")!r}, chosen.paint_given(photo, code, statistics))
"""
    smaller = {**os.environ, "ONEDNN_MAX_CPU_ISA": "AVX2", "XDG_CACHE_HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", script], check=True, env=smaller)
    expected = reference.paint(photo, library["great-wave"].fine)
    assert difference(np.load(tmp_path / "exact.npy"), expected) <= BF16_LEVELS
    for name in ("measured", "int8"):
        assert difference(np.load(tmp_path / f"{name}.npy"), expected) <= INT8_LEVELS


def test_an_interrupt_after_an_engine_ended_on_another_thread_is_no_crash():
    script = """
import signal, threading
from stylecam import engine
engines = [engine.open_engine("cpu")]
ending = threading.Thread(target=engines.clear)
ending.start()
ending.join()
signal.signal(signal.SIGINT, lambda *_: print("heard"))
signal.raise_signal(signal.SIGINT)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr


def test_int8_and_floats_are_timed_only_once(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    chosen = engine.open_engine("cpu").description
    known = cache.recall("fastest")
    assert [f"OpenVINO CPU, {precision}" for precision in known.values()] == [chosen]
    for precision in ("int8", "fp32"):  # if timed again, one of the two would not be chosen
        cache.remember("fastest", dict.fromkeys(known, precision))
        assert ("int8" in engine.open_engine("cpu").description) == (precision == "int8")


def test_a_damaged_cache_is_built_anew_and_said_once(library, photo, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code = library["great-wave"].fine
    expected = engine.open_engine("cpu", precision="fp32").paint(photo, code)
    (blob,) = cache.folder().glob("*.blob")
    whole = blob.read_bytes()
    middle = 3 * len(whole) // 4  # among the weights, where OpenVINO would not notice it
    for damage in (
        whole[: len(whole) // 2],
        b"",
        whole[:middle] + bytes(2000) + whole[middle + 2000 :],
    ):
        blob.write_bytes(damage)
        caplog.clear()
        mended = engine.open_engine("cpu", precision="fp32")
        assert np.array_equal(mended.paint(photo, code), expected)
        assert caplog.text.count("will be compiled again") == 1
        caplog.clear()
        engine.open_engine("cpu", precision="fp32")
        assert "will be compiled again" not in caplog.text


def test_a_damaged_file_of_remembered_facts_is_reported_once(tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for text in ("{", "[]"):
        cache.remember("sums", {})
        (cache.folder() / "sums.json").write_text(text)
        caplog.clear()
        assert cache.recall("sums") == {}
        assert "sums.json was damaged" in caplog.text
        caplog.clear()
        assert cache.recall("sums") == {}
        assert not caplog.text


def test_a_cache_that_cannot_be_made_is_done_without(library, photo, tmp_path, monkeypatch):
    code = library["great-wave"].fine
    expected = engine.open_engine("cpu", precision="fp32").paint(photo, code)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert np.array_equal(engine.open_engine("cpu", precision="fp32").paint(photo, code), expected)
    assert engine.open_engine("cpu").paint(photo, code).shape == photo.shape


def test_a_cache_that_cannot_be_entered_is_done_without(library, photo, tmp_path, monkeypatch):
    """Given such a folder, OpenVINO would end the process. Here, a folder in place of the lock file
    keeps stylecam from entering."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (cache.folder() / "lock").mkdir(parents=True)
    code = library["great-wave"].fine
    assert engine.open_engine("cpu").paint(photo, code).shape == photo.shape
    assert not list(cache.folder().glob("*.blob"))


def test_simultaneous_first_starts_damage_nothing(tmp_path):
    script = """
import numpy as np
from stylecam import engine, style
chosen = engine.open_engine("cpu")
for side in (64, 128, 240, 320):
    chosen.paint_measured(np.zeros((side, side, 3), np.uint8), style.find("udnie").fine)
"""
    kept = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", script]
    told = {"stderr": subprocess.PIPE, "text": True, "env": kept}
    starts = [subprocess.Popen(command, **told) for _ in range(3)]
    assert [start.communicate()[1] for start in starts] == [""] * 3
    assert subprocess.run(command, check=True, **told).stderr == ""


def test_compiled_networks_are_found_again_in_any_order(photo, library, tmp_path, monkeypatch):
    """OpenVINO's cache identifies a model by the names in it, some of which hold a number that goes
    up throughout the process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code = library["great-wave"].fine
    for _ in range(2):
        for side in (64, 48):
            chosen = engine.open_engine("cpu", precision="fp32")
            chosen.paint(np.ascontiguousarray(photo[:side, :side]), code)
    assert len(list(cache.folder().glob("*.blob"))) == 2


def test_a_painted_frame_is_not_overwritten_by_the_next(library, photo, openvino_fp32):
    code = library["great-wave"].fine
    first = openvino_fp32.paint(photo, code)
    kept = first.copy()
    openvino_fp32.paint(255 - photo, code)
    assert np.array_equal(first, kept)


def test_many_sizes_keep_few_compiled_networks(library, photo, openvino_fp32):
    code = library["great-wave"].fine
    for side in range(32, 32 + 4 * (cache.COMPILED_MODELS + 2), 4):
        openvino_fp32.paint(np.ascontiguousarray(photo[:side, :side]), code)
    assert len(openvino_fp32._requests) == cache.COMPILED_MODELS


def test_another_size_is_prepared_beside_painting(library, photo, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    code, chosen = library["great-wave"].fine, engine.open_engine("cpu", precision="fp32")
    small, large = (np.ascontiguousarray(photo[:side, :side]) for side in (64, 96))
    expected = chosen.paint(small, code)
    with ThreadPoolExecutor(1) as pool:
        prepared = pool.submit(chosen.prepare, 96, 96)
        painted = 0
        while not prepared.done():
            assert np.array_equal(chosen.paint(small, code), expected)
            painted += 1
        prepared.result()
    assert painted > 3  # it did not wait for the other size
    compiled = set(cache.folder().glob("*.blob"))
    _, statistics = chosen.paint_measured(large, code)
    chosen.paint_given(large, code, statistics)
    assert set(cache.folder().glob("*.blob")) == compiled


def test_devices_that_are_not_there_are_refused():
    with pytest.raises(EngineError, match="expected a device of auto"):
        engine.open_engine("tpu")
    with pytest.raises(EngineError, match="expected a precision of auto"):
        engine.open_engine("cpu", precision="fp8")
    if engine._gpu() != "mps":
        with pytest.raises(EngineError, match="no mps device"):
            engine.open_engine("mps")


def test_the_engine_refuses_what_is_no_frame(library, openvino_fp32):
    with pytest.raises(FrameError, match=r"got float32 \(64, 64, 3\)"):
        openvino_fp32.paint(np.zeros((64, 64, 3), np.float32), library["udnie"].fine)


def test_descriptions_say_what_was_chosen(reference, openvino_fp32, openvino_int8):
    assert reference.description == "torch CPU, fp32"
    assert openvino_fp32.description == "OpenVINO CPU, fp32"
    assert openvino_int8.description == "OpenVINO CPU, int8"
