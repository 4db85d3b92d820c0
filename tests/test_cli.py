"""The real command in a process of its own: what it prints, what it writes, how it ends."""

import importlib.metadata
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import av
import pytest
import typer
from media import EVEN, write_video
from safetensors import safe_open

import stylecam
from stylecam import assets, doctor
from stylecam.cli import app
from stylecam.video.demo import DemoSource
from stylecam.video.devices import cameras
from stylecam.video.media import FileSource
from stylecam.video.picture import read_picture
from stylecam.video.recorder import Recorder

SHORT = "320x240"

COMMAND = "from stylecam.cli import main; main()"

STOPPED = """
import os, signal
from stylecam.training import run
from stylecam.cli import main
slow = run.paint
def stopped(*words, **options):
    for progress in slow(*words, **options):
        yield progress
        if progress.step == 2:
            interrupt()
run.paint = stopped
main()
"""
"""The command, interrupted as if by Ctrl-C once it has painted a little."""

INTERRUPTS = {
    "while it paints": "def interrupt():\n    os.kill(os.getpid(), signal.SIGINT)\n",
    "in a finalizer, where Python drops exceptions": """
class interrupt:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        sum(range(9))
""",
}

BROKEN_OFF = """
from stylecam.cli import main
from stylecam.errors import SourceError
from stylecam.evaluation import evaluate
def broken(*words, **options):
    yield evaluate.Row("udnie", style=0.25)
    raise SourceError("the disk went away")
evaluate.evaluate = broken
main()
"""
"""The command, with a measurement that breaks off after one style."""

WITH_A_CAMERA = """
import json
from stylecam import live
from stylecam.cli import main
from stylecam.video import sources
from stylecam.video.demo import DemoSource
asked = {}
class Camera(DemoSource):
    mirrored = True
    def __init__(self, number, size, rate):
        asked.update(size=size, rate=rate, mirror=False)
        super().__init__(size, rate, frames=2)
def flip(pixels, axis, flip=live.cv2.flip):
    asked["mirror"] = True
    return flip(pixels, axis)
sources.CameraSource, live.cv2.flip = Camera, flip
try:
    main()
finally:
    print(json.dumps(asked))
"""
"""The command, with a demo in place of camera 0; prints what the camera is asked for."""

WINDOW = """
import sys
from stylecam import display
from stylecam.cli import main
from stylecam.gui import app
display.missing = lambda: ""
app.run = lambda settings, source, *_: print(source, "cv2" in sys.modules) or 0
main()
"""
"""The command, with a window that prints its source and whether OpenCV is loaded, and ends."""

STOPPED_AT_ONCE = """
from stylecam import headless
from stylecam.cli import main
from stylecam.video.demo import DemoSource
def stopped(*words):
    raise KeyboardInterrupt
headless._watch = stopped
headless.open_source = lambda *words, **options: DemoSource(frames=0)
main()
"""
"""The command, interrupted before its source has sent anything."""


def test_the_package_is_the_command_too():
    words = [sys.executable, "-m", "stylecam", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == f"stylecam {stylecam.__version__}\n"


def stylecam_command(
    *words, cwd, code=COMMAND, stderr=subprocess.PIPE, **environment
) -> subprocess.CompletedProcess:
    hidden = ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM")
    kept = {name: value for name, value in os.environ.items() if name not in hidden}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, words)],
        cwd=cwd,
        env=kept | environment,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        timeout=110,
    )


def test_help_names_every_command(tmp_path):
    done = stylecam_command("--help", cwd=tmp_path)
    assert done.returncode == 0
    commands = typer.main.get_command(app).commands
    assert {"demo", "run", "styles", "train"} <= set(commands)
    for name in commands:
        assert re.search(rf"\b{name}\b", done.stdout)


def test_version(tmp_path):
    assert (
        stylecam_command("--version", cwd=tmp_path).stdout == f"stylecam {stylecam.__version__}\n"
    )


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["demo", "--seconds", "-1"], 2),
        (["nonsense"], 2),
        (["stylize", "only-one"], 2),
        (["run", "--steadiness", "2"], 2),
    ],
)
def test_wrong_usage_ends_with_2(tmp_path, words, code):
    assert stylecam_command(*words, cwd=tmp_path).returncode == code


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["styles", "show", "stary-night"], "did you mean starry-night"),
        (["stylize", "none.png", "out.png"], "there is no file none.png"),
        (["run", "--source", "97", "--headless"], "97"),
        (["run", "--source", "no such camera", "--headless"], "no such camera"),
        (["demo", "--headless", "--record", "none/x/out.mp4"], "out.mp4"),
        # These are refused whatever the source is, since it is not opened.
        (["run", "--source", "97", "--record", "out.avi"], "write out.mp4, not out.avi"),
        (["run", "--source", "97", "--record", "none/out.mp4"], "choose another folder"),
        (["run", "--source", "97", "--record", "old.mp4"], "old.mp4 exists already"),
        (["stylize", "portrait.jpg", "o.png", "--style", "udnie:x"], "NAME:NUMBER"),
        (["bench", "--size", "big"], "expected a size like 640x480, got 'big'"),
        (["run", "--size", "big", "--headless"], "expected a size like 640x480, got 'big'"),
        (["train", "none.toml", "--out", "run"], "no recipe at none.toml"),
        (["demo", "--headless", "--device", "tpu"], "expected a device of auto"),
        (["run", "--source", "~nouser/x", "--headless"], "there is no file"),
        (["run", "--source", "x" * 300, "--headless"], "there is no file"),
        (["run", "--source", "http://me:pw@[bad", "--headless"], "stylecam: [bad is no address"),
        (["bench", "--json", "--seconds", "9999", "--device", "tpu"], "expected a device of auto"),
        (["bench", "--size", "0x0"], "expected sides of 32 to 8192 pixels, got 0x0"),
        (["train", "portrait.jpg", "--out", "run"], "is not a recipe"),
    ],
)
def test_an_error_to_act_on_is_one_line_and_ends_with_1(tmp_path, words, message):
    (tmp_path / "portrait.jpg").write_bytes(assets.PORTRAIT.read_bytes())
    (tmp_path / "old.mp4").touch()
    done = stylecam_command(*words, cwd=tmp_path)
    assert done.returncode == 1
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    assert lines[0].startswith("stylecam: ")
    assert message in lines[0]


def test_an_unknown_device_is_refused_before_the_window_opens(tmp_path):
    words = ("run", "--source", "demo", "--device", "tpu")
    done = stylecam_command(*words, cwd=tmp_path, QT_QPA_PLATFORM="offscreen")
    assert done.returncode == 1
    assert re.fullmatch("stylecam: expected a device of auto.*, got 'tpu'", done.stderr.strip())


def test_debug_shows_where_it_came_from(tmp_path):
    done = stylecam_command("--debug", "styles", "show", "stary-night", cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_styles_are_listed_and_shown(tmp_path, library):
    listed = stylecam_command("styles", cwd=tmp_path).stdout.splitlines()
    assert [line.split()[0] for line in listed] == list(library)
    told = json.loads(stylecam_command("styles", "list", "--json", cwd=tmp_path).stdout)
    assert [each["name"] for each in told] == list(library)
    shown = stylecam_command("styles", "show", "great-wave", cwd=tmp_path).stdout
    assert "Katsushika Hokusai" in shown


def test_the_demo_without_a_display_writes_a_video_and_says_so(tmp_path):
    done = stylecam_command("demo", "--seconds", "2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("s into stylecam-demo.mp4.")
    assert "fps" in done.stdout
    with av.open(str(tmp_path / "stylecam-demo.mp4")) as file:
        frames = [frame.time for frame in file.decode(video=0)]
        assert (file.streams.video[0].width, file.streams.video[0].height) == (640, 480)
    assert frames[-1] > 1.5


def test_a_demo_that_fails_keeps_the_last_one(tmp_path):
    (tmp_path / "stylecam-demo.mp4").write_text("the last one")
    done = stylecam_command("demo", "--style", "nosuch", cwd=tmp_path)
    assert done.returncode == 1
    assert (tmp_path / "stylecam-demo.mp4").read_text() == "the last one"


def test_a_demo_stopped_before_its_first_frame_says_that_nothing_was_recorded(tmp_path):
    done = stylecam_command("demo", cwd=tmp_path, code=STOPPED_AT_ONCE)
    assert done.returncode == 1
    assert "before its first frame, so nothing was recorded" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_display_that_does_not_answer_is_no_display(tmp_path):
    done = stylecam_command("demo", "--seconds", "1", cwd=tmp_path, DISPLAY=":77")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The display :77 does not answer: painting 1 s of the demo")


def test_a_compositor_that_is_gone_is_no_display(tmp_path):
    gone = {"WAYLAND_DISPLAY": "wayland-99", "XDG_RUNTIME_DIR": str(tmp_path)}
    done = stylecam_command("demo", "--seconds", "1", cwd=tmp_path, **gone)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("There is no display here: painting 1 s of the demo")


@pytest.mark.parametrize(
    ("words", "shown"), [([], "None"), (["--source", "auto"], "auto"), (["--source", "0"], "0")]
)
def test_a_window_is_told_of_a_source_only_where_one_was_named(tmp_path, words, shown):
    done = stylecam_command("run", *words, cwd=tmp_path, code=WINDOW)
    assert done.stdout.split() == [shown, "False"], done.stderr


def test_a_clip_is_recorded_from_its_first_frame_to_its_last(tmp_path):
    with Recorder(tmp_path / "clip.mp4", 10.0) as recorder:
        for frame in DemoSource((160, 120), 10.0, frames=10, paced=False).frames():
            recorder.put(frame)
    words = ("run", "--source", "clip.mp4", "--record", "out.mp4", "--device", "cpu")
    done = stylecam_command(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "0 of 10 frames dropped" in done.stdout
    assert "Recorded 1." in done.stdout
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert sum(1 for _ in file.decode(video=0)) == 10


@pytest.mark.skipif(bool(cameras()), reason="there is a camera")
def test_without_a_camera_and_a_window_the_demo_is_named(tmp_path):
    words = ("run", "--headless", "--seconds", "0.5", "--size", "160x120", "--device", "cpu")
    done = stylecam_command(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stderr.splitlines() == ["No camera found; showing the demo."]


def test_a_camera_is_asked_for_what_the_options_say(tmp_path):
    words = ("run", "--source", "0", "--record", "out.mp4", "--device", "cpu")
    asked = ("--size", "64x48", "--rate", "10", "--no-mirror")
    pictures = []
    for more in ((), asked):
        done = stylecam_command(*words, *more, cwd=tmp_path, code=WITH_A_CAMERA)
        assert done.returncode == 0, done.stderr
        pictures.append(json.loads(done.stdout.splitlines()[-1]))
        (tmp_path / "out.mp4").unlink()
    assert pictures == [
        {"size": [640, 480], "rate": 30.0, "mirror": True},
        {"size": [64, 48], "rate": 10.0, "mirror": False},
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudoterminals")
def test_the_status_has_a_line_of_its_own(tmp_path):
    ours, theirs = os.openpty()
    words = ("demo", "--headless", "--seconds", "1.5", "--device", "cpu")
    done = stylecam_command(*words, cwd=tmp_path, stderr=theirs)
    os.close(theirs)
    told = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert done.returncode == 0, told
    assert "Ctrl-C stops" in told
    assert told.endswith("\n")


def test_a_video_is_painted_as_steadily_as_asked(tmp_path):
    with Recorder(tmp_path / "clip.mp4", 10.0) as recorder:
        for frame in DemoSource((160, 120), 10.0, frames=5, paced=False).frames():
            recorder.put(frame)
    last = []
    for words in (("--no-stabilize",), ("--steadiness", "0"), ()):
        done = stylecam_command("stylize", "clip.mp4", "out.mp4", *words, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        with av.open(str(tmp_path / "out.mp4")) as file:
            last.append([frame.to_ndarray() for frame in file.decode(video=0)][-1])
    assert (last[0] == last[1]).all()
    assert (last[0] != last[2]).any()


def test_a_picture_and_a_folder_are_painted(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.jpg").write_bytes(assets.PORTRAIT.read_bytes())
    (tmp_path / "in" / "b.jpg").write_bytes(b"broken")
    done = stylecam_command(
        "stylize", "in/a.jpg", "a.png", "--style", "great-wave:0.5,udnie:0.5", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 1 painted into a.png on" in done.stdout
    assert read_picture(tmp_path / "a.png").shape == (512, 512, 3)
    done = stylecam_command("stylize", "in", "out", cwd=tmp_path)
    assert done.returncode == 1
    assert "b.jpg" in done.stderr
    assert "1 of 2 painted" in done.stdout
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.jpg"]


def test_devices_and_doctor(tmp_path):
    told = json.loads(stylecam_command("devices", "--json", cwd=tmp_path).stdout)
    assert told["engines"]["torch"] == "torch CPU, fp32"
    assert isinstance(told["cameras"], list)
    done = stylecam_command("doctor", cwd=tmp_path)
    assert done.returncode == 0, done.stdout
    assert "BAD" not in done.stdout
    assert "OpenVINO" in done.stdout


@pytest.mark.parametrize(
    ("there", "words"),
    [
        ({"opencv-python-headless"}, "opencv-python-headless 5"),
        ({"opencv-python-headless", "opencv-contrib-python-headless"}, "overwrite each other"),
        (set(), "pip install opencv-python-headless"),
    ],
)
def test_doctor_knows_each_package_that_opencv_comes_in(monkeypatch, there, words):
    def version(name):
        if name not in there:
            raise importlib.metadata.PackageNotFoundError(name)
        return "5"

    monkeypatch.setattr(importlib.metadata, "version", version)
    (item,) = (item for item in doctor.checkup() if item.name == "opencv")
    assert words in item.finding
    assert item.sound == ("overwrite" not in words and "pip" not in words)


def test_a_broken_style_of_the_users_is_passed_over_and_doctor_finds_it(tmp_path, library):
    own = tmp_path / "data" / "stylecam" / "styles"
    own.mkdir(parents=True)
    (own / "broken.safetensors").write_bytes(b"no style")
    home = {"XDG_DATA_HOME": str(tmp_path / "data")}
    done = stylecam_command("styles", cwd=tmp_path, **home)
    assert len(done.stdout.splitlines()) == len(library)
    assert "broken.safetensors" in done.stderr
    done = stylecam_command("doctor", cwd=tmp_path, **home)
    assert done.returncode == 1
    assert "BAD styles" in done.stdout


def test_letters_that_the_terminal_cannot_show_are_replaced(tmp_path):
    done = stylecam_command(
        "styles", "show", "gold-screen", cwd=tmp_path, PYTHONIOENCODING="latin-1"
    )
    assert done.returncode == 0, done.stderr
    assert "Sakai H?itsu" in done.stdout


@pytest.mark.parametrize(
    ("words", "missing"),
    [
        (("train", "r.toml", "--out", "run", "--hold", "dots"), "--export"),
        (("train", "r.toml", "--out", "run", "--export", "out", "--resume"), "--resume"),
        (("train", "r.toml", "--out", "run", "--export", "out", "--data", "."), "--data"),
        (("bench", "--minutes", "1", "--peer"), "--peer"),
        (("bench", "--minutes", "1", "--size", SHORT, "--size", SHORT), "--size"),
    ],
)
def test_options_that_would_do_nothing_are_refused(tmp_path, words, missing):
    done = stylecam_command(*words, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert missing in done.stderr
    assert not any(tmp_path.iterdir())


def test_bench_measures(tmp_path):
    words = ("bench", "--size", SHORT, "--seconds", "1", "--json")
    (row,) = json.loads(stylecam_command(*words, cwd=tmp_path).stdout)
    assert (row["width"], row["height"]) == (320, 240)
    assert row["delivered"] > 0
    # Warping and blending is the rest of the step, or 0 if the two that were timed apart took
    # longer than the whole.
    apart = row["network_ms"] + row["flow_ms"]
    assert apart + row["blend_ms"] == pytest.approx(max(apart, row["step_ms"]))
    stages = ("step_ms", "network_ms", "flow_ms", "carried_ms", "decode_ms", "encode_ms")
    assert min(row[stage] for stage in stages) > 0
    assert 0 < row["live_scale"] <= 1
    assert row["live_spares"] in (False, True)
    bare, *steadied = row["steadiness"]
    assert [each["name"] for each in steadied] == ["steady", "every 2nd", "as a film"]
    assert max(each["flicker"] for each in steadied) < bare["flicker"]
    assert max(each["warp"] for each in steadied) < bare["warp"]
    assert row["peer_ms"] is None


def test_bench_says_what_it_is_measuring(tmp_path):
    done = stylecam_command("bench", "--size", SHORT, "--seconds", "0.5", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert [line.split(" ", 1) for line in done.stderr.splitlines()] == [
        ["320x240:", "the live picture, 4 s …"],
        ["320x240:", "each stage …"],
        ["320x240:", "how steady it is …"],
    ]
    assert "…" not in done.stdout


def test_bench_without_the_stabiliser_is_the_bare_network(tmp_path):
    words = ("bench", "--size", SHORT, "--seconds", "1", "--steadiness", "0", "--json")
    done = stylecam_command(*words, cwd=tmp_path)
    (row,) = json.loads(done.stdout)
    assert done.stderr == ""  # with --json, only a terminal is told of progress
    bare, steady, *_ = row["steadiness"]
    assert {**steady, "name": "bare"} == bare
    assert row["flow_ms"] is None


def test_bench_watches_a_long_run(tmp_path):
    words = ("bench", "--size", SHORT, "--minutes", "0.1", "--json")
    moments = json.loads(stylecam_command(*words, cwd=tmp_path).stdout)
    _, *others, stopped = moments  # the first is what drift is measured from
    assert len(others) == 10
    assert max(moment["drift"] for moment in others) < 2  # levels
    assert others[-1]["minutes"] >= 0.1
    assert stopped["drift"] is None
    # The threads that captured and stylized are gone.
    assert stopped["threads"] == others[-1]["threads"] - 2


def small_training(folder: Path, steps: int) -> None:
    """Writes a recipe and its photos."""
    (folder / "photos").mkdir()
    for i in range(2):
        (folder / "photos" / f"{i}.jpg").write_bytes(assets.PORTRAIT.read_bytes())
    (folder / "recipe.toml").write_text(
        f"steps = {steps}\n"
        "width = [4, 8, 1]\ncrop = 64\nborder = 8\nshift = 4\n"
        "photo_short_side = [76, 96]\n"
        "photos_per_step = 1\nstyles_per_photo = 1\nholdout_every = 2\n"
        '[styles.face]\npicture = "photos/0.jpg"\ntitle = "F"\nartist = "N"\nyear = 1999\n'
        "fine = 80\ncoarse = 96\n"
    )


def test_a_recipe_trains_from_the_command_line(tmp_path):
    small_training(tmp_path, 20)
    # Without a compiler on the path the run is eager: compiling would take a minute.
    done = stylecam_command(
        "train", "recipe.toml", "--out", "run", cwd=tmp_path, PATH="", OMP_NUM_THREADS="1"
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "latest.safetensors").exists()
    words = ("train", "recipe.toml", "--out", "run", "--export", "made")
    assert stylecam_command(*words, cwd=tmp_path).stdout == "face\n"
    assert (tmp_path / "made" / "styles" / "face.jpg").exists()


def test_a_photo_is_painted_like_any_picture(tmp_path):
    (tmp_path / "in.jpg").write_bytes(assets.PORTRAIT.read_bytes())
    picture = assets.STYLES / "udnie.jpg"
    words = ("paint", "in.jpg", picture, "out.png", "--size", "64", "--steps", "2")
    done = stylecam_command(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read_picture(tmp_path / "out.png").shape == (64, 64, 3)
    for wrong, message in (
        (("out.txt",), "name it .avif, .bmp"),
        (("none/b.png",), "cannot write none/b.png; choose a file in an existing folder"),
        (("in.jpg",), "in.jpg would be overwritten; choose another file"),
        (("b.png", "--size", "9"), "of 32 to 8192 pixels, got 9"),
    ):
        done = stylecam_command("paint", "in.jpg", picture, *wrong, cwd=tmp_path)
        assert done.returncode == 1
        assert message in done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGINT to send")
@pytest.mark.parametrize("interrupt", INTERRUPTS.values(), ids=INTERRUPTS)
def test_stopping_a_painting_keeps_what_is_there(tmp_path, interrupt):
    (tmp_path / "in.jpg").write_bytes(assets.PORTRAIT.read_bytes())
    words = ("in.jpg", assets.STYLES / "udnie.jpg", "out.png", "--size", "64", "--steps", "99999")
    command = [sys.executable, "-c", interrupt + STOPPED, "paint", *map(str, words)]
    assert subprocess.run(command, cwd=tmp_path, timeout=100).returncode == 0
    assert read_picture(tmp_path / "out.png").shape == (64, 64, 3)


@pytest.mark.timeout(240)
@pytest.mark.skipif(sys.platform == "win32", reason="there is no signal to send")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_stopping_a_training_keeps_its_last_step(tmp_path, sent):
    small_training(tmp_path, 99_999)
    command = [sys.executable, "-c", COMMAND, "train", "recipe.toml", "--out", "run"]
    surroundings = {**os.environ, "PATH": ""}  # no compiler: compiling takes a minute
    with subprocess.Popen(
        command, cwd=tmp_path, env=surroundings, stdout=subprocess.PIPE, text=True
    ) as running:
        deadline = time.monotonic() + 100
        log = tmp_path / "run/log.jsonl"
        while not (log.exists() and log.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.1)
        running.send_signal(sent)
        told, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "stopping after this step" in told
    assert "use --resume to go on" in told
    with safe_open(tmp_path / "run/latest.safetensors", "np") as file:
        assert int(file.metadata()["step"]) >= 20


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to handle")
@pytest.mark.parametrize("sent", ["SIGTERM", "SIGHUP"])
def test_being_asked_to_end_leaves_no_half_a_file(tmp_path, sent):
    with Recorder(tmp_path / "in.mp4") as recorder:
        for frame in DemoSource((320, 240), frames=2000, paced=False, noise=0).frames():
            recorder.put(frame)
    # The default action is set here, since under nohup SIGHUP is ignored.
    usual = f"import signal; signal.signal(signal.{sent}, signal.SIG_DFL)"
    command = [sys.executable, "-c", f"{usual}\n{COMMAND}", "stylize", "in.mp4", "out.mp4"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.DEVNULL) as running:
        deadline = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (tmp_path / f".out.{running.pid}.mp4").exists()
        running.send_signal(getattr(signal, sent))
    assert running.returncode > 0
    assert [path.name for path in tmp_path.iterdir()] == ["in.mp4"]


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGTERM to handle")
def test_being_asked_to_end_finishes_the_recording(tmp_path):
    path = tmp_path / "out.mp4"
    words = ("run", "--source", "demo", "--size", "160x120", "--headless", "--record", str(path))
    command = [sys.executable, "-c", COMMAND, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 60
        while not (path.exists() and path.stat().st_size) and time.monotonic() < deadline:
            time.sleep(0.1)
        running.terminate()
        told, _ = running.communicate(timeout=60)
    assert running.returncode == 0
    assert "Recorded" in told
    assert len(list(FileSource(path).frames())) > 0


def test_evaluate_measures_and_reports(tmp_path):
    (tmp_path / "paintings").mkdir()
    for name in ("photo.jpg", "paintings/udnie.jpg", "paintings/the-kiss.jpg"):
        (tmp_path / name).write_bytes(assets.PORTRAIT.read_bytes())
    write_video(tmp_path / "clip.mp4", EVEN)
    words = ("--photos", "photo.jpg", "--paintings", "paintings")
    words += ("--style", "udnie", "--style", "the-kiss")
    extra = ("--optimum", "1", "--steps", "1", "--clip", "clip.mp4", "--report", "r.html", "--json")
    done = stylecam_command("evaluate", *words, *extra, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    measured, other, means, worst, identity, photos = json.loads(done.stdout)
    assert [measured["name"], other["name"]] == ["udnie", "the-kiss"]
    assert 0.5 < measured["steady_style"] < 2
    assert 0.9 < measured["still_style"] < 1.1
    assert measured["steady_sharpness"] < measured["still_sharpness"] < 1.02
    for name in ("style", "still_sharpness", "still_style", "steady_sharpness", "steady_style"):
        least, most = sorted((measured[name], other[name]))
        assert means[name] == pytest.approx((least + most) / 2)
        assert worst[name] == (least if "sharpness" in name else most)
    assert means["at_most_half"] is worst["at_most_half"] is None  # there was no peer
    assert 0 < measured["optimum_style"] < measured["style"] < 1
    assert measured["optimum_ratio"] == pytest.approx(measured["style"] / measured["optimum_style"])
    assert measured["steady_flicker"] < measured["flicker"]
    assert identity["name"] == "identity"
    assert identity["psnr"] > 30
    assert measured["steady_flicker"] < photos["flicker"] < 2
    assert 0 < measured["steady_clip_warp"] <= measured["clip_warp"]
    page = (tmp_path / "r.html").read_text()
    headings = re.findall(r"<h3>(.*?)</h3>((?:<img[^>]*>)*)", page)
    shown = {words: pictures.count("<img") for words, pictures in headings}
    # The style's own picture is shown beside the painting.
    assert shown["optimised"] == 2
    assert shown["clip.mp4, bare"] == shown["clip.mp4, steadied"] == 5
    assert page.count("<img") == 1 + 2 * (2 + 2 + 5 + 5) + 1 + 5


def test_what_was_measured_before_evaluate_broke_off_is_kept(tmp_path):
    (tmp_path / "photo.jpg").write_bytes(assets.PORTRAIT.read_bytes())
    words = ("evaluate", "--photos", "photo.jpg", "--json", "--report", "r.html")
    done = stylecam_command(*words, cwd=tmp_path, code=BROKEN_OFF)
    assert done.returncode == 1
    assert "the disk went away" in done.stderr
    assert [row["style"] for row in json.loads(done.stdout)] == [0.25]
    assert "udnie" in (tmp_path / "r.html").read_text()


def test_evaluate_refuses_at_once_what_it_could_not_finish(tmp_path):
    (tmp_path / "paintings").mkdir()
    for name in ("photo.jpg", "paintings/udnie.jpg"):
        (tmp_path / name).write_bytes(assets.PORTRAIT.read_bytes())
    write_video(tmp_path / "short.mp4", EVEN[:9])
    (tmp_path / "paintings/the-scream.jpg").write_bytes(assets.PORTRAIT.read_bytes()[:2000])
    styles = ("--paintings", "paintings", "--style", "udnie", "--style")
    for words, code, message in (
        ((*styles, "the-kiss"), 1, "there is no the-kiss.jpg"),
        ((*styles, "the-scream"), 1, "the-scream.jpg is not a picture that can be read"),
        (("--report", "none/r.html"), 1, "cannot write none/r.html"),
        (("--clip", "short.mp4"), 1, "short.mp4 has 9 frames; to be measured it needs 10"),
        (("--optimum", "1"), 2, "--paintings"),
        (("--steps", "5"), 2, "--optimum"),
    ):
        done = stylecam_command("evaluate", "--photos", "photo.jpg", *words, cwd=tmp_path)
        assert done.returncode == code, done.stderr
        assert message in done.stderr
        assert len(done.stdout.splitlines()) <= 1  # no style was measured
