"""The documents agree with the repository: links lead somewhere, and every module is named."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    path for path in ROOT.rglob("*.md") if not {".venv", ".pytest_cache"} & set(path.parts)
]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda p: p.name)
def test_links_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:]+)\)", path.read_text(encoding="utf-8")):
        assert (path.parent / target).exists(), target


def test_architecture_names_every_module():
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rooms = {
        f"`{path.stem}`" if path.suffix else f"`{path.name}/`"
        for path in (ROOT / "stylecam").iterdir()
        if not path.name.startswith("__")
    }
    assert {room for room in rooms if room not in text} == set()


def test_readme_names_the_two_commands_that_do_everything():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "make demo" in text
    assert "make test" in text
