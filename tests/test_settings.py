"""Settings survive, and a broken file never stops the app."""

import json
import sys

import pytest

from stylecam import settings
from stylecam.errors import SettingsError
from stylecam.files import replacing
from stylecam.settings import Look, Settings


def test_settings_survive(tmp_path):
    path = tmp_path / "deep" / "settings.json"
    changed = Settings(
        look=Look({"great-wave": 0.3, "udnie": 0.7}, 0.4, preserve_color=True, steadiness=0.2),
        source="demo",
        mirror=False,
        width=1280,
        height=720,
        rate=60.0,
        adaptive=False,
        folder="/elsewhere",
    )
    settings.save(changed, path)
    assert settings.load(path) == changed


def test_defaults_where_nothing_was_saved(tmp_path):
    assert settings.load(tmp_path / "none.json") == Settings()
    assert settings.load() == Settings()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[1]",
        "\0",
        '{"look": 3}',
        '{"rate": 1' + 400 * "0" + "}",
        '{"width": 5' + 5000 * "0" + "}",
        20_000 * "[",
    ],
)
def test_an_unreadable_file_gives_defaults_and_says_so(tmp_path, caplog, text):
    path = tmp_path / "settings.json"
    path.write_text(text)
    assert settings.load(path) == Settings()
    assert "unreadable" in caplog.text
    assert path.with_suffix(".broken").read_text() == text
    settings.save(Settings(source="demo"), path)
    assert settings.load(path).source == "demo"


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ('"look": {"strength": 7}', "strength from 0 to 1, got 7"),
        ('"width": 5', "sides of 32 to 8192 pixels, got 5x480"),
        ('"look": {"steadiness": 7}', "steadiness from 0 to 1, got 7"),
        ('"look": {"style": {"starry-night": "1"}}', "got {'starry-night': '1'}"),
        ('"look": {"style": {"starry-night": NaN}}', "got {'starry-night': nan}"),
        ('"look": {"style": {}}', "got {}"),
        ('"width": -5', "got -5x480"),
        ('"rate": Infinity', "got inf"),
        ('"device": "tpu"', "got 'tpu'"),
    ],
)
def test_an_invalid_value_is_reported_and_the_others_are_kept(tmp_path, caplog, entry, words):
    path = tmp_path / "settings.json"
    path.write_text(f'{{"source": "demo", {entry}}}')
    assert settings.load(path) == Settings(source="demo")
    assert words in caplog.text
    assert path.exists()


def test_a_file_that_cannot_be_read_now_stays_for_another_time(tmp_path, caplog):
    path = tmp_path / "settings.json"
    path.mkdir()
    assert settings.load(path) == Settings()
    assert "unreadable" in caplog.text
    assert path.is_dir()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows lets few make links")
def test_a_file_that_cannot_be_read_is_not_replaced(tmp_path):
    path = tmp_path / "settings.json"
    path.symlink_to(path)
    assert settings.load(path) == Settings()
    with pytest.raises(SettingsError, match="cannot save settings"):
        settings.save(Settings(), path)
    assert path.is_symlink()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps no modes")
def test_settings_are_for_their_owner_alone(tmp_path):
    settings.save(Settings(source="rtsp://me:secret@camera"), tmp_path / "settings.json")
    assert (tmp_path / "settings.json").stat().st_mode & 0o777 == 0o600


def test_entries_of_other_versions_are_passed_over(tmp_path):
    path = tmp_path / "settings.json"
    entries = {"source": "demo", "width": "wide", "rate": True, "from_the_future": 1}
    path.write_text(json.dumps(entries))
    assert settings.load(path) == Settings(source="demo")


def test_an_older_file_that_says_off_means_no_steadiness(tmp_path):
    path = tmp_path / "settings.json"
    for look, steadiness in (({"stabilize": False}, 0.0), ({"stabilize": True}, Look.steadiness)):
        path.write_text(json.dumps({"look": look}))
        assert settings.load(path).look.steadiness == steadiness


def test_an_unwritable_place_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match="cannot save settings"):
        settings.save(Settings(), tmp_path / "file" / "settings.json")


def test_a_strength_outside_its_range_is_refused():
    with pytest.raises(SettingsError, match="got 1.5"):
        Look(strength=1.5)
    with pytest.raises(SettingsError, match="a steadiness from 0 to 1, got -1"):
        Look(steadiness=-1)


def test_an_unknown_device_is_refused():
    with pytest.raises(SettingsError, match="expected a device of auto, .*, got 'tpu'"):
        Settings(device="tpu")


def test_replacing_takes_names_as_long_as_they_may_be(tmp_path):
    path = tmp_path / ("n" * 250 + ".json")
    with replacing(path) as beside:
        beside.write_text("new")
    assert path.read_text() == "new"


def test_replacing_names_the_file_that_was_asked_for(tmp_path):
    (tmp_path / "file").touch()
    for path in (tmp_path / "none" / "a.mp4", tmp_path / "file" / "a.mp4"):
        with pytest.raises(OSError, match=r"'[^']*/a\.mp4'$"), replacing(path):
            pass


def test_replacing_keeps_the_old_file_when_writing_fails(tmp_path):
    path = tmp_path / "made.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), replacing(path):
        pass  # nothing was written
    assert path.read_text() == "old"
    with replacing(path) as beside:
        beside.write_text("new")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["made.txt"]
