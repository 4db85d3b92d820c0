"""Finding cameras by name, in a folder that looks like Linux's sysfs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stylecam.errors import SourceMissing
from stylecam.video.devices import Camera, cameras, find_camera

linux = pytest.mark.skipif(sys.platform != "linux", reason="sysfs is Linux's")

PLUGGED = [
    Camera(0, "Integrated Camera", "/dev/video0"),
    Camera(2, "HD Pro Webcam C920", "/dev/video2"),
    Camera(10, "HD Pro Webcam C930", "/dev/video10"),
]


def node(sysfs: Path, number: int, name: str, index: int) -> None:
    folder = sysfs / f"video{number}"
    folder.mkdir(parents=True)
    (folder / "name").write_bytes(name.encode("latin-1") + b"\n")
    (folder / "index").write_text(f"{index}\n")


@linux
def test_cameras_are_the_nodes_that_capture_in_numerical_order(tmp_path: Path) -> None:
    node(tmp_path, 10, "HD Pro Webcam C930", 0)
    node(tmp_path, 0, "Integrated Camera", 0)
    node(tmp_path, 1, "Integrated Camera", 1)
    node(tmp_path, 2, "HD Pro Webcam C920", 0)
    (tmp_path / "v4l-subdev0").mkdir()
    (tmp_path / "video7").mkdir()  # as if unplugged while it was being read
    assert cameras(tmp_path) == PLUGGED


@linux
def test_a_name_that_is_empty_or_no_utf8(tmp_path: Path) -> None:
    node(tmp_path, 3, "", 0)
    node(tmp_path, 4, "Caméra", 0)
    assert [camera.name for camera in cameras(tmp_path)] == [
        "camera 3",
        "Cam\N{REPLACEMENT CHARACTER}ra",
    ]


@linux
def test_no_camera_at_all(tmp_path: Path) -> None:
    assert cameras(tmp_path / "absent") == []


@pytest.mark.parametrize(
    ("name", "index"), [("integrated camera", 0), ("c920", 2), ("HD Pro Webcam C930", 10)]
)
def test_found_by_name_or_a_part_of_it(name: str, index: int) -> None:
    assert find_camera(name, PLUGGED).index == index


def test_a_whole_name_wins_over_a_part() -> None:
    twins = [Camera(0, "Webcam", ""), Camera(1, "Webcam Pro", "")]
    assert find_camera("webcam", twins).index == 0


@pytest.mark.parametrize("name", ["webcam", "kinect"])
def test_an_ambiguous_or_unknown_name_lists_what_there_is(name: str) -> None:
    with pytest.raises(SourceMissing) as refusal:
        find_camera(name, PLUGGED)
    message = str(refusal.value)
    assert name in message
    assert "\n" not in message
    assert all(f"{camera.index} ({camera.name})" in message for camera in PLUGGED)


def test_an_unknown_name_without_cameras_says_what_to_do() -> None:
    with pytest.raises(SourceMissing, match="demo"):
        find_camera("kinect", [])
