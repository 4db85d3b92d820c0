"""Losses against exact answers; a tiny run that learns, resumes to the bit and exports."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
import torch

from stylecam import assets, body
from stylecam.errors import TrainingError
from stylecam.style import Style
from stylecam.training import losses
from stylecam.training.data import Photos, to_short_side
from stylecam.training.encoder import LAYERS, load_encoder
from stylecam.training.export import export
from stylecam.training.recipe import Recipe, StyleRecipe, load_recipe
from stylecam.training.train import CHECKPOINT, Trainer, overlap, read_checkpoint, train
from stylecam.video.picture import write_picture

TINY = Recipe(
    styles={
        "dots": StyleRecipe("dots.png", "Dots", "stylecam", 2026, short_side=96),
        "bars": StyleRecipe("bars.png", "Bars", "stylecam", 2026, short_side=96),
    },
    photos="photos/*.png",
    width=body.Width(4, 8, 1),
    steps=40,
    photos_per_step=1,
    crop=64,
    border=8,
    shift=8,
    photo_short_side=(76, 96),
    holdout_every=4,
    warm_up=0,
    learning_rate=1e-2,
    code_rate=1.0,
    checkpoint_every=20,
    preview_every=40,
)


@pytest.fixture(autouse=True)
def one_thread():
    """Bit for bit is promised for one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def data(tmp_path, photo):
    folder = tmp_path / "data"
    (folder / "photos").mkdir(parents=True)
    for i in range(5):
        write_picture(folder / "photos" / f"{i}.png", photo[10 * i : 10 * i + 120, :140])
    y, x = np.mgrid[:96, :128]
    dots = np.where(((x % 16 - 8) ** 2 + (y % 16 - 8) ** 2 < 20)[..., None], [250, 210, 40], 30)
    bars = np.where((x % 12 < 5)[..., None], [200, 40, 40], [240, 240, 230])
    write_picture(folder / "dots.png", dots.astype(np.uint8))
    write_picture(folder / "bars.png", bars.astype(np.uint8))
    return folder


def test_gram_of_known_features():
    features = torch.tensor([[[[1.0, 2.0]], [[0.0, 4.0]]]])
    assert losses.gram(features).tolist() == [[[2.5, 4.0], [4.0, 8.0]]]


def test_style_loss_is_0_for_the_style_and_1_for_nothing():
    features = [torch.rand(2, 5, 6, 7), torch.rand(2, 9, 3, 3)]
    targets = [losses.gram(layer) for layer in features]
    torch.testing.assert_close(losses.style_loss(features, targets), torch.zeros(2))
    nothing = [torch.zeros_like(layer) for layer in features]
    torch.testing.assert_close(losses.style_loss(nothing, targets), torch.ones(2))


def test_content_loss_is_relative():
    photo = [torch.rand(1, 4, 8, 8) for _ in LAYERS]
    torch.testing.assert_close(losses.content_loss(photo, photo), torch.zeros(1))
    halved = [layer / 2 for layer in photo]
    expected = torch.full((1,), 0.25 * len(losses.CONTENT_LAYERS))
    torch.testing.assert_close(losses.content_loss(halved, photo), expected)


def test_a_checkerboard_has_total_variation_2():
    board = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).repeat(4, 4).expand(1, 3, 8, 8)
    assert losses.total_variation(board).tolist() == [2.0]


def test_palettes_are_compared_by_their_colours_alone():
    red, blue = torch.zeros(1, 3, 64, 64), torch.zeros(1, 3, 64, 64)
    red[:, 0], blue[:, 2] = 1, 1
    half = torch.cat([red[..., :32], blue[..., 32:]], 3)
    turned = half.flip(3)
    torch.testing.assert_close(losses.palette_loss(turned, losses.palette(half)), torch.zeros(1))
    expected = torch.tensor(losses.DIRECTIONS)[:, [0, 2]].diff(dim=1).abs().mean()
    torch.testing.assert_close(losses.palette_loss(red, losses.palette(blue)), expected[None])


def test_tone_loss_leaves_palette_and_contrast_free_but_not_order():
    photo = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(losses.tone_loss(photo * 0.4 + 0.3, photo), torch.zeros(1))
    torch.testing.assert_close(losses.tone_loss(1 - photo, photo), torch.full((1,), 2.0))


@pytest.mark.parametrize("motion", [(0, 0), (3, -2), (-1, 5), (-4, -4)])
def test_the_overlap_of_two_views_shows_the_same(motion):
    dy, dx = motion
    world = torch.rand(1, 1, 40, 40)
    here, there = world[..., 8:32, 8:32], world[..., 8 + dy : 32 + dy, 8 + dx : 32 + dx]
    assert torch.equal(overlap(here, dy, dx), overlap(there, -dy, -dx))


def test_the_encoder_sees_four_sizes():
    features = load_encoder(assets.ENCODER)(torch.rand(2, 3, 64, 48))
    assert [layer.shape[-2:] for layer in features] == [(64, 48), (32, 24), (16, 12), (8, 6)]
    assert all((layer >= 0).all() and layer.any() for layer in features)


def test_a_run_learns_and_leaves_a_whole_folder(data, tmp_path):
    folder = tmp_path / "run"
    reports = list(train(TINY, data, folder))
    assert [report.step for report in reports] == [20, 40]
    assert reports[1].losses["style"] < reports[0].losses["style"]
    lines = (folder / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [20, 40]
    recipe = json.loads((folder / "run.json").read_text())["recipe"]
    assert recipe["styles"]["dots"]["title"] == "Dots"
    names = {path.name for path in folder.iterdir()}
    assert names == {"run.json", "log.jsonl", CHECKPOINT, "preview_000040.jpg"}
    with pytest.raises(TrainingError, match="already holds a run"):
        next(train(TINY, data, folder))
    other = dataclasses.replace(TINY, tone=3.0)
    with pytest.raises(TrainingError, match="another recipe"):
        next(train(other, data, folder, resume=True))
    assert list(train(TINY, data, folder, resume=True)) == []


def test_a_resumed_run_equals_an_uninterrupted_one(data, tmp_path):
    straight = Trainer(TINY, data)
    for _ in range(10):
        straight.advance()
    first = Trainer(TINY, data)
    for _ in range(5):
        first.advance()
    first.save(tmp_path / "half.safetensors")
    second = Trainer(TINY, data)
    second.load(tmp_path / "half.safetensors")
    for _ in range(5):
        second.advance()
    straight.save(tmp_path / "straight.safetensors")
    second.save(tmp_path / "second.safetensors")
    (ours, our_facts), (theirs, their_facts) = (
        read_checkpoint(tmp_path / f"{name}.safetensors") for name in ("second", "straight")
    )
    assert our_facts == their_facts
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_stopping_means_ceasing_to_iterate(data, tmp_path):
    folder = tmp_path / "run"
    for report in itertools.islice(train(TINY, data, folder), 1):
        assert report.step == 20
    resumed = [report.step for report in train(TINY, data, folder, resume=True)]
    assert resumed[-1] == 40


def test_a_warm_start_takes_over_weights_and_codes(data, tmp_path):
    first = Trainer(TINY, data)
    first.advance()
    first.style_weights[1] = 33
    first.save(data / "warm.safetensors")
    styles = {"bars": TINY.styles["bars"], "new": TINY.styles["dots"]}
    again = Trainer(dataclasses.replace(TINY, styles=styles, warm_start="warm.safetensors"), data)
    assert torch.equal(again.net.up.conv.weight, first.net.up.conv.weight)
    assert torch.equal(again.codes[0], first.codes[1])
    assert torch.equal(again.codes[1], first.codes.mean(0))
    assert torch.equal(again.codes[2], first.codes[2])
    assert again.style_weights.tolist() == [33, TINY.first_weight]
    wider = dataclasses.replace(TINY, width=body.Width(8, 8, 1), warm_start="warm.safetensors")
    with pytest.raises(TrainingError, match="expected codes"):
        Trainer(wider, data)


def test_a_run_becomes_assets(data, tmp_path):
    trainer = Trainer(TINY, data)
    trainer.advance()
    trainer.save(tmp_path / CHECKPOINT)
    out = tmp_path / "assets"
    written = export(TINY, tmp_path / CHECKPOINT, out, held_back={"bars"})
    assert [style.name for style in written] == ["dots"]
    weights = body.load(out / "body.safetensors")
    assert body.width_of(weights) == TINY.width
    for path in (out / "styles" / "dots.safetensors", out / "identity.safetensors"):
        Style.load(path).fits(body.body_id(weights), TINY.width.code_length)
    ranges = body.load_ranges(out / "ranges.safetensors", body.body_id(weights))
    assert {"encoder1.conv", "residual0.conv2", "out.conv"} < ranges.keys()
    assert all((low <= high).all() and (low < high).any() for low, high in ranges.values())
    names = {path.name for path in (out / "styles").iterdir()}
    assert names == {"dots.safetensors", "dots.jpg"}


def test_a_corrupt_photo_among_good_ones_is_named_once(data, caplog):
    (data / "photos" / "1.png").write_bytes(b"no picture")
    photos = Photos(data, "photos/*.png", {}, 0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert photos.crop(rng, 48, (60, 80)).shape == (1, 3, 48, 48)
    assert caplog.text.count("1.png") == 1


def test_photos_held_out_are_never_drawn_and_favoured_ones_more_often(data):
    photos = Photos(data, "photos/*.png", {"2.*": 9.0}, 4)
    assert [path.name for path in photos.holdout] == ["0.png", "4.png"]
    assert [path.name for path in photos.paths] == ["1.png", "2.png", "3.png"]
    assert photos.odds.tolist() == pytest.approx([1 / 11, 9 / 11, 1 / 11])


def test_pictures_that_are_not_there_are_refused(data):
    with pytest.raises(TrainingError, match="no photos match"):
        Photos(data, "none/*.png", {}, 4)
    for path in (data / "photos").iterdir():
        path.write_bytes(b"")
    with pytest.raises(TrainingError, match="none of the 5 photos"):
        Photos(data, "photos/*.png", {}, 0).crop(np.random.default_rng(0), 48, (60, 80))
    missing = dataclasses.replace(TINY.styles["dots"], picture="none.png")
    with pytest.raises(TrainingError, match="style dots: there is no file"):
        Trainer(dataclasses.replace(TINY, styles={"dots": missing}), data)
    with pytest.raises(TrainingError, match="no encoder"):
        Trainer(dataclasses.replace(TINY, encoder="none.safetensors"), data)
    with pytest.raises(TrainingError, match="no checkpoint"):
        Trainer(dataclasses.replace(TINY, warm_start="none.safetensors"), data)
    (data / "half.safetensors").write_bytes(b"123")
    with pytest.raises(TrainingError, match="not a whole checkpoint"):
        Trainer(dataclasses.replace(TINY, warm_start="half.safetensors"), data)


def test_short_side_is_the_shorter(photo):
    assert to_short_side(photo, 96).shape[:2] == (96, 117)
    assert to_short_side(photo.transpose(1, 0, 2), 96).shape[:2] == (117, 96)


STYLE = '[styles.dots]\npicture="d.png"\ntitle="D"\nartist="A"\nyear=1900\n'


def test_a_recipe_file(tmp_path):
    path = tmp_path / "recipe.toml"
    path.write_text(f"width = [8, 16, 2]\nphoto_short_side = [100, 120]\nsteps = 7\n{STYLE}")
    recipe = load_recipe(path)
    assert recipe.width == body.Width(8, 16, 2)
    assert (recipe.steps, recipe.photo_short_side) == (7, (100, 120))
    assert recipe.styles["dots"] == StyleRecipe("d.png", "D", "A", 1900)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("steps = ", "is not a recipe"),
        ("steps = 3", "at least one"),
        (f"stepps = 3\n{STYLE}", "unknown key 'stepps'; known are styles, photos"),
        ('[styles.dots]\npicture="d.png"', "missing 3 required"),
        (f"width = 5\n{STYLE}", "expected a table for Width, got 5"),
        (f"photo_short_side = 5\n{STYLE}", "expected photo_short_side of type tuple, got 5"),
        (f'steps = "many"\n{STYLE}', "expected steps of type int, got 'many'"),
        ("[styles]\na = 5", "expected a table for StyleRecipe, got 5"),
    ],
)
def test_a_broken_recipe_is_refused(tmp_path, text, words):
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    with pytest.raises(TrainingError, match=words):
        load_recipe(path)
    with pytest.raises(TrainingError, match="no recipe at"):
        load_recipe(tmp_path / "none.toml")


def test_the_shipped_recipe_names_every_shipped_style(library):
    recipe = load_recipe(assets.FOLDER / "training" / "recipe.toml")
    assert set(library) <= set(recipe.styles)
