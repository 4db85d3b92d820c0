"""Style files, the library and blends: exact at the ends, refused when broken."""

import dataclasses
from math import inf, nan

import numpy as np
import pytest
import safetensors.torch
import torch
from safetensors.numpy import save_file

from stylecam import body, engine, style
from stylecam.errors import StyleError, UnknownStyle
from stylecam.style import Style

LENGTH = body.Width().code_length


def test_every_bundled_style_fits_the_body_and_has_its_credits(library):
    assert len(library) >= 10
    for each in library.values():
        each.fits(engine.body_id(), LENGTH)
        assert each.title
        assert each.artist
        assert each.year
        assert style.thumbnail(each.name).exists()


def test_a_style_survives_its_file(library, tmp_path):
    first = library["starry-night"]
    first.save(tmp_path / "copy.safetensors")
    again = Style.load(tmp_path / "copy.safetensors")
    assert np.array_equal(again.fine, first.fine)
    assert np.array_equal(again.coarse, first.coarse)
    same = dataclasses.replace(again, fine=first.fine, coarse=first.coarse)
    assert same.__dict__ == first.__dict__


GOOD = np.zeros(LENGTH, np.float32)


@pytest.mark.parametrize(
    ("fine", "metadata", "words"),
    [
        (GOOD, {"format": "9"}, "expected style format 1, got 9"),
        (np.zeros((2, LENGTH // 2), np.float32), {"format": "1"}, rf"float32 \(2, {LENGTH // 2}\)"),
        (np.zeros(LENGTH), {"format": "1"}, "float64"),
        (np.full(LENGTH, np.nan, np.float32), {"format": "1"}, "not finite"),
    ],
)
def test_a_broken_style_file_is_refused_with_its_own_sentence(tmp_path, fine, metadata, words):
    for codes in ({"fine": fine, "coarse": GOOD}, {"fine": GOOD, "coarse": fine}):
        save_file(codes, tmp_path / "s.safetensors", metadata)
        with pytest.raises(StyleError, match=words):
            Style.load(tmp_path / "s.safetensors")


def test_a_style_file_of_numbers_that_numpy_lacks_is_refused(tmp_path):
    code = torch.zeros(LENGTH, dtype=torch.bfloat16)
    safetensors.torch.save_file({"fine": code, "coarse": code.clone()}, tmp_path / "s.safetensors")
    with pytest.raises(StyleError, match="damaged or not a style file"):
        Style.load(tmp_path / "s.safetensors")


def test_a_style_file_without_both_codes_is_refused(tmp_path):
    save_file({"fine": GOOD}, tmp_path / "s.safetensors", {"format": "1"})
    with pytest.raises(StyleError, match="does not hold the codes fine and coarse"):
        Style.load(tmp_path / "s.safetensors")


def test_a_style_file_cut_short_or_missing_is_refused(library, tmp_path):
    path = tmp_path / "s.safetensors"
    with pytest.raises(StyleError, match="no style file"):
        Style.load(path)
    library["starry-night"].save(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StyleError, match="damaged or not a style file"):
        Style.load(path)


def test_a_style_of_another_body_or_length_does_not_fit(library):
    first = library["starry-night"]
    with pytest.raises(StyleError, match="belongs to body"):
        dataclasses.replace(first, body="0" * 12).fits(engine.body_id(), LENGTH)
    with pytest.raises(StyleError, match=f"expected a code of {LENGTH} numbers, got {LENGTH - 1}"):
        dataclasses.replace(first, coarse=first.coarse[1:]).fits(engine.body_id(), LENGTH)


def test_an_unwritable_place_says_so(library, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in ("file", "missing"):
        with pytest.raises(StyleError, match="cannot write the style"):
            library["starry-night"].save(tmp_path / folder / "s.safetensors")


def test_unknown_names_suggest_the_nearest():
    with pytest.raises(UnknownStyle, match="did you mean .*starry-night"):
        style.find("Stary Night")
    with pytest.raises(UnknownStyle, match="styles"):
        style.find("xqzzy")


def test_blends_are_exact_at_their_ends_and_straight_between(library):
    a, b = library["starry-night"], library["great-wave"]
    assert np.array_equal(style.blend({a: 1, b: 0}, 0), a.fine)
    assert np.array_equal(style.blend({a: 0, b: 3}, 1), b.coarse)
    middle = (a.fine + a.coarse + b.fine + b.coarse) / 4
    np.testing.assert_allclose(style.blend({a: 2, b: 2}, 0.5), middle, rtol=1e-5, atol=1e-7)


def test_strokes_run_from_fine_to_coarse(library):
    known = library["starry-night"]
    first = dataclasses.replace(known, fine=known.fine, coarse=known.coarse + 1)
    assert first.sized
    assert not dataclasses.replace(first, coarse=first.fine).sized
    assert np.array_equal(first.at(0), first.fine)
    assert np.array_equal(first.at(1), first.coarse)
    with pytest.raises(StyleError, match=r"from 0 \(fine\) to 1 \(coarse\), got -0.1"):
        first.at(-0.1)


@pytest.mark.parametrize("weights", [(0, 0), (-1, 2), (nan, 1), (inf, 1), (1e308, 1e308)])
def test_blends_that_mean_nothing_are_refused(library, weights):
    a, b = library["starry-night"], library["great-wave"]
    with pytest.raises(StyleError, match="positive sum"):
        style.blend({a: weights[0], b: weights[1]}, 0.5)


@pytest.mark.parametrize("share", [1e-50, 1e39])
def test_shares_of_any_size_make_a_blend(library, share):
    a, b = library["starry-night"], library["great-wave"]
    halves = style.blend({a: share, b: share}, 0.5)
    np.testing.assert_allclose(halves, style.blend({a: 1, b: 1}, 0.5), rtol=1e-6)


def test_strength_runs_from_identity_to_style(library):
    code, identity = library["starry-night"].fine, style.identity().fine
    assert np.array_equal(style.strengthen(code, identity, 0), identity)
    assert np.array_equal(style.strengthen(code, identity, 1), code)
    with pytest.raises(StyleError, match="from 0 to 1"):
        style.strengthen(code, identity, 1.5)


def test_parse():
    assert style.parse("great-wave") == {"great-wave": 1.0}
    assert style.parse("great-wave:0.25, udnie:0.75") == {"great-wave": 0.25, "udnie": 0.75}
    with pytest.raises(StyleError, match="NAME:NUMBER"):
        style.parse("great-wave:much")
    with pytest.raises(UnknownStyle):
        style.parse("great-wave:1,none")
