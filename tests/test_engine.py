"""Engines give the same answer, at any size."""

import numpy as np
import pytest

from stylecam import body, engine
from stylecam.errors import EngineError, FrameError

FP32_LEVELS = 1.0
BF16_LEVELS = 2.0
"""Mean absolute difference to torch in fp32, in levels of 255."""


@pytest.fixture(scope="module")
def reference():
    return engine.open_engine("torch", precision="fp32")


@pytest.fixture(scope="module")
def openvino_fp32():
    return engine.open_engine("cpu", precision="fp32")


@pytest.fixture(scope="module")
def openvino_auto():
    return engine.open_engine("cpu")


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


@pytest.mark.parametrize("size", [(32, 32), (33, 47), (101, 35)])
def test_engines_agree_at_odd_sizes(library, photo, reference, openvino_fp32, size):
    picture = np.ascontiguousarray(photo[: size[0], : size[1]])
    code = library["great-wave"].fine
    painted = openvino_fp32.paint(picture, code)
    assert painted.shape == picture.shape
    assert difference(painted, reference.paint(picture, code)) <= FP32_LEVELS


def test_a_painted_frame_is_not_overwritten_by_the_next(library, photo, openvino_fp32):
    code = library["great-wave"].fine
    first = openvino_fp32.paint(photo, code)
    kept = first.copy()
    openvino_fp32.paint(255 - photo, code)
    assert np.array_equal(first, kept)


def test_many_sizes_keep_few_compiled_networks(library, photo, openvino_fp32):
    code = library["great-wave"].fine
    for side in range(32, 32 + 4 * (engine.COMPILED_SIZES + 2), 4):
        openvino_fp32.paint(np.ascontiguousarray(photo[:side, :side]), code)
    assert len(openvino_fp32._requests) == engine.COMPILED_SIZES


def test_devices_that_are_not_there_are_refused():
    with pytest.raises(EngineError, match="expected a device of auto"):
        engine.open_engine("tpu")
    if engine._gpu() != "mps":
        with pytest.raises(EngineError, match="no mps device"):
            engine.open_engine("mps")


def test_the_engine_refuses_what_is_no_frame(library, openvino_fp32):
    with pytest.raises(FrameError, match=r"got float32 \(64, 64, 3\)"):
        openvino_fp32.paint(np.zeros((64, 64, 3), np.float32), library["udnie"].fine)


def test_descriptions_say_what_was_chosen(reference, openvino_fp32):
    assert reference.description == "torch CPU, fp32"
    assert openvino_fp32.description == "OpenVINO CPU, fp32"


def test_weights_are_those_of_the_standard_body():
    assert body.width_of(engine.weights()) == body.Width()
