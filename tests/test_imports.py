"""Imports point one way, and heavy libraries are not loaded until they are needed."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import stylecam

PACKAGE = Path(stylecam.__file__).parent

ROOMS = [
    {"errors", "assets"},
    {"frame", "files", "body", "display"},
    {"settings", "slot", "resolution"},
    {"style", "video", "network", "motion"},
    {"cache", "graph"},
    {"torch_engine"},
    {"engine"},
    {"stabilizer", "stream"},
    {"grain"},
    {"stylizer"},
    {"render", "live", "training", "doctor"},
    {"evaluation", "gui", "headless"},
    {"lab", "watch"},
    {"cli"},
    {"__main__"},
]
"""A room imports only from the sets above its own, and from itself."""


def room(module: str) -> str:
    return module.split(".")[1]


def imported(path: Path) -> set[str]:
    """The stylecam modules that a file imports anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: a relative import"
        bare = isinstance(node, ast.Import) and any(n.name == "stylecam" for n in node.names)
        assert not bare, f"{path}: name the module"
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "stylecam":
            if node.module == "stylecam":
                found |= {f"stylecam.{name.name}" for name in node.names}
            else:
                found.add(node.module)
        elif isinstance(node, ast.Import):
            found |= {n.name for n in node.names if n.name.startswith("stylecam.")}
    return {name for name in found if name != "stylecam.__version__"}


MODULES = sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_point_one_way(path):
    level = {name: i for i, names in enumerate(ROOMS) for name in names}
    own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    for module in imported(path):
        theirs = room(module)
        assert theirs == own or level[theirs] < level[own], f"{own} must not import {module}"


def test_only_who_measures_and_the_commands_know_training():
    for path in MODULES:
        own = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
        if own not in ("training", "evaluation", "lab"):
            assert "training" not in {room(module) for module in imported(path)}, path


def test_only_gui_knows_qt_and_only_video_knows_codecs():
    for path in MODULES:
        own = path.relative_to(PACKAGE).parts[0]
        names = {
            name.split(".")[0]
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            for name in (
                [n.name for n in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom)
                else []
            )
        }
        if own not in ("gui", "doctor.py"):
            assert "PyQt6" not in names, path
        if own not in ("video", "doctor.py"):
            assert "av" not in names, path


def loaded_after(code: str) -> set[str]:
    """The modules that a fresh interpreter holds after running `code`."""
    script = f"{code}\nimport sys; print('|'.join(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split("|"))


HEAVY = {"torch", "openvino", "cv2", "av", "PyQt6"}


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("import stylecam", HEAVY | {"numpy"}),
        ("import stylecam.cli", HEAVY | {"numpy"}),
        ("import stylecam; stylecam.styles()", HEAVY),
        ("import stylecam.gui.window", HEAVY - {"PyQt6"}),
        ("import stylecam.live", {"torch", "PyQt6", "av", "stylecam.training"}),
        (
            "import numpy, stylecam; stylecam.Stylizer('udnie', 'cpu')"
            "(numpy.zeros((32, 32, 3), numpy.uint8))",
            {"torch", "PyQt6", "av"},
        ),
        ("import stylecam.gui.app, stylecam.gui.window", {"stylecam.training", "torch"}),
    ],
)
def test_what_is_not_loaded(code, unwanted):
    loaded = loaded_after(code)
    assert "stylecam" in loaded
    assert not unwanted & loaded


def test_the_public_names_are_there():
    for name in stylecam.__all__:
        assert getattr(stylecam, name).__module__.startswith("stylecam.")
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = stylecam.nothing
