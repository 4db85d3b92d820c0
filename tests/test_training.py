"""Losses against exact answers; a tiny run that learns, resumes bit for bit, and exports."""

import dataclasses
import itertools
import json
import os
import pickle
import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d

from stylecam import assets, body
from stylecam.errors import StyleError, TrainingError
from stylecam.style import Style, identity
from stylecam.training import losses
from stylecam.training.adversary import Adversary
from stylecam.training.checkpoint import CHECKPOINT, read_checkpoint
from stylecam.training.data import REACH, Motion, Photos, to_short_side
from stylecam.training.encoder import LAYERS, load_encoder
from stylecam.training.export import export
from stylecam.training.order import PHOTO, Order
from stylecam.training.pairs import Ahead
from stylecam.training.recipe import Recipe, StyleRecipe, load_recipe
from stylecam.training.train import PREVIEW, train
from stylecam.training.trainer import Trainer
from stylecam.video.picture import read_picture, write_picture

TINY = Recipe(
    styles={
        "dots": StyleRecipe("dots.png", "Dots", "stylecam", 2026, fine=72, coarse=128),
        "bars": StyleRecipe("bars.png", "Bars", "stylecam", 2026, fine=72, coarse=128),
    },
    photos="photos/*.png",
    width=body.Width(4, 8, 1, 8),
    steps=40,
    photos_per_step=1,
    crop=64,
    border=8,
    shift=4,
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
    """Bit-for-bit equality is promised only for one thread."""
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


def test_a_gamut_is_how_far_each_colour_is_from_a_pictures_nearest():
    """The distances equal those of a search over all its colours; too rare ones do not count."""
    torch.manual_seed(3)
    flat = torch.rand(12, 3).mul(losses.SHADES - 1).round() / (losses.SHADES - 1)
    image = flat[torch.arange(400) % 12].reshape(1, 20, 20, 3).permute(0, 3, 1, 2)
    image = image.repeat_interleave(14, 2).repeat_interleave(14, 3)
    distances = losses.gamut(image)
    axis = torch.linspace(0, 1, losses.SHADES)
    colors = torch.stack(torch.meshgrid(axis, axis, axis, indexing="ij"), -1)
    expected = torch.cdist(colors.reshape(-1, 3), flat).amin(1).reshape(distances.shape)
    torch.testing.assert_close(distances, expected, rtol=0, atol=1e-3)  # cdist is not exact
    assert losses.gamut_loss(image, distances[None]).item() == pytest.approx(0, abs=1e-6)
    rare = image.clone()
    rare[:, :, :2, :2] = 1.0
    assert rare[0, 0].numel() / 4 * losses.RAREST > 1
    torch.testing.assert_close(losses.gamut(rare), distances)
    rare[:, :, :4, :4] = 1.0
    assert losses.gamut(rare)[-1, -1, -1] == 0 < distances[-1, -1, -1]
    noise = torch.rand(1, 3, 320, 320)  # no colour is as frequent as required
    assert losses.gamut(noise).isfinite().all()


def test_gamut_loss_is_the_distance_of_red_green_and_blue_to_the_nearest_colour():
    red = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None].expand(1, 3, 8, 8)
    target = losses.gamut(red)[None]
    other = torch.tensor([0.5, 0.25, 0.0])[None, :, None, None].expand(1, 3, 8, 8)
    expected = (0.5**2 + 0.25**2) ** 0.5
    step = 1 / (losses.SHADES - 1)  # distances are interpolated between shades
    assert losses.gamut_loss(other, target).item() == pytest.approx(expected, abs=step / 4)
    painted = other.clone().requires_grad_()
    losses.gamut_loss(painted, target).sum().backward()
    pull = -painted.grad.mean((0, 2, 3))
    assert pull[0] > 0 > pull[1]  # towards red, away from green


def test_tone_loss_leaves_palette_and_contrast_free_but_not_order():
    photo = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(losses.tone_loss(photo * 0.4 + 0.3, photo), torch.zeros(1))
    torch.testing.assert_close(losses.tone_loss(1 - photo, photo), torch.full((1,), 2.0))


def test_structure_loss_wants_contrast_where_the_photo_has_any_and_nothing_in_flats():
    photo = torch.rand(1, 3, 12, 12).repeat_interleave(4, 2).repeat_interleave(4, 3)
    torch.testing.assert_close(losses.structure_loss(photo + 0.3, photo), torch.zeros(1))
    paled = losses.structure_loss(photo * 0.5, photo)
    # 1 − 2ab / (a² + b²) for contrasts a and b; NOISE, added to both terms, hardly matters.
    torch.testing.assert_close(paled, torch.full((1,), 0.2), atol=0.02, rtol=0)
    assert losses.structure_loss(1 - photo, photo) > 1.9
    flat = torch.full_like(photo, 0.4)
    assert losses.structure_loss(photo, flat) < 0.05


def test_a_weave_has_rhythm_strokes_and_noise_have_little_and_flats_have_none():
    torch.manual_seed(1)
    x = torch.arange(96.0)
    wave, slanted = torch.sin(x * 2 * torch.pi / 8), x[:, None] + x / 2 - 70

    def rhythm(brightness):
        return losses.rhythm((0.5 + brightness).expand(1, 3, 96, 96)).mean().item()

    # In a Hann window, a wave that fits it lies in nine of the 529 powers: 1, four times 1/4 and
    # four times 1/16. In the gradient, each is multiplied by the square of its distance from
    # frequency 0.
    powers = [16, 9 / 4, 25 / 4, 17 / 4, 17 / 4, 10 / 16, 10 / 16, 26 / 16, 26 / 16]
    expected = 529 * sum(power**2 for power in powers) / sum(powers) ** 2
    assert rhythm(0.4 * wave) == pytest.approx(expected, rel=0.01)
    weave = rhythm(0.05 * (wave + wave[:, None]))
    assert weave > 2 * rhythm(-0.1 * torch.exp(-((slanted / 4) ** 2)))
    blotches = avg_pool2d(torch.randn(1, 102, 102), 7, 1)
    assert weave > 2 * rhythm(0.5 * blotches)
    assert 2 < rhythm(0.1 * torch.randn(96, 96)) < 4
    assert rhythm(torch.zeros(96, 96)) == 0


def test_rhythm_loss_minds_a_weave_in_flats_unless_the_style_has_one():
    torch.manual_seed(1)
    busy, flat = torch.rand(1, 3, 96, 96), torch.full((1, 3, 96, 96), 0.5)
    wave = 0.5 + 0.1 * torch.sin(torch.arange(96) * 2 * torch.pi / 8).expand(1, 3, 96, 96)
    of_noise = torch.tensor([2.0])
    assert losses.rhythm_loss(wave, flat, of_noise).item() > 3
    assert losses.rhythm_loss(wave, busy, of_noise).item() < 0.3
    assert losses.rhythm_loss(wave, flat, losses.rhythm(wave).max()[None]).item() < 1e-3
    assert losses.rhythm_loss(flat, flat, of_noise).item() == 0


def test_identity_loss_is_what_psnr_is_made_of():
    photo = torch.full((2, 3, 8, 8), 0.5)
    half_astray = photo.clone()
    half_astray[1, :, :4] += 0.2
    loss = losses.identity_loss(half_astray, photo)
    torch.testing.assert_close(loss, torch.tensor([0.0, 0.02**0.5]), atol=2e-4, rtol=0)
    half_astray.requires_grad_()
    losses.identity_loss(half_astray, photo).sum().backward()
    assert torch.isfinite(half_astray.grad).all()


def moved_by(x, y, size=24):
    across, down = torch.meshgrid(*2 * [torch.arange(size) * 1.0], indexing="xy")
    return Motion(torch.stack([across + x, down + y], -1))


@pytest.mark.parametrize(("x", "y"), [(0, 0), (3, -2), (-1, 5), (-4, -4)])
def test_a_known_shift_moves_by_just_that(x, y):
    border = 8
    world = torch.rand(2, 3, 24 + 2 * border, 24 + 2 * border)
    there = world[..., border + y : border + y + 24, border + x : border + x + 24]
    motion = moved_by(x, y)
    torch.testing.assert_close(motion(world, border), there, atol=1e-4, rtol=0)
    here = world[..., border:-border, border:-border]
    torch.testing.assert_close(
        losses.temporal_loss(there, motion(here), motion.seen()), torch.zeros(2), atol=1e-4, rtol=0
    )
    assert motion.seen().sum() == (24 - abs(x)) * (24 - abs(y))


def test_a_temporal_loss_counts_what_is_seen_alone():
    seen = torch.zeros(4, 4)
    seen[:2] = 1
    wrong = torch.zeros(1, 3, 4, 4)
    wrong[..., 2:, :] = 1
    assert losses.temporal_loss(wrong, torch.zeros(1, 3, 4, 4), seen).item() == 0
    assert losses.temporal_loss(1 - wrong, torch.zeros(1, 3, 4, 4), seen).item() == 1


def test_random_motion_stands_shifts_and_bends_within_its_reach():
    rng = np.random.default_rng(0)
    away = [
        Motion.random(rng, 64, 8, 0.04, 1.0).places - moved_by(0, 0, 64).places for _ in range(60)
    ]
    still = sum(not shift.any() for shift in away)
    whole = sum(bool(torch.equal(shift, shift.round())) for shift in away) - still
    assert 10 <= still <= 30
    assert 10 <= whole <= 30
    assert max(shift.abs().max() for shift in away) <= 8 + REACH


def test_the_encoder_sees_four_sizes():
    features = load_encoder(assets.ENCODER)(torch.rand(2, 3, 64, 48))
    assert [layer.shape[-2:] for layer in features] == [(64, 48), (32, 24), (16, 12), (8, 6)]
    assert all((layer >= 0).all() and layer.any() for layer in features)


def test_an_encoder_in_half_precision_sees_the_same_picture():
    half, floats = (load_encoder(assets.ENCODER, kind) for kind in (torch.bfloat16, torch.float32))
    assert torch.equal(half.mean, floats.mean)


def test_further_octaves_are_what_is_seen_of_a_smaller_picture():
    picture = torch.rand(2, 3, 64, 48)
    both = load_encoder(assets.ENCODER, octaves=2)(picture)
    one = load_encoder(assets.ENCODER)
    half = torch.nn.functional.avg_pool2d(picture, 2)
    for ours, theirs in zip(both, (*one(picture), *one(half)), strict=True):
        assert torch.equal(ours, theirs)


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


def test_a_report_is_the_mean_of_the_steps_since_the_last(data, tmp_path):
    recipe, folder = dataclasses.replace(TINY, steps=25), tmp_path / "run"
    folder.mkdir()
    trainer = Trainer(recipe, data)
    for _ in range(10):
        trainer.advance()
    trainer.save(folder / CHECKPOINT)
    after = [trainer.advance()["content"].item() for _ in range(15)]
    reports = {report.step: report for report in train(recipe, data, folder, resume=True)}
    assert reports.keys() == {20, 25}
    for step, values in ((20, after[:10]), (25, after[10:])):
        assert reports[step].losses["content"] == pytest.approx(np.mean(values), rel=1e-5)


@pytest.mark.parametrize(
    "recipe",
    [
        TINY,
        dataclasses.replace(TINY, adversarial=1.0, rounding=2.0, octaves=2),
        dataclasses.replace(TINY, only=["bars"]),
    ],
)
def test_a_resumed_run_equals_an_uninterrupted_one(recipe, data, tmp_path):
    straight = Trainer(recipe, data)
    for _ in range(10):
        straight.advance()
    first = Trainer(recipe, data)
    for _ in range(5):
        first.advance()
    first.save(tmp_path / "half.safetensors")
    second = Trainer(recipe, data)
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


def test_a_run_that_is_stopped_keeps_its_last_step_and_goes_on_from_there(data, tmp_path):
    straight, folder = tmp_path / "straight", tmp_path / "run"
    recipe = dataclasses.replace(TINY, steps=10)
    for _ in train(recipe, data, straight):
        pass
    asked = iter([False, False, True])
    assert list(train(recipe, data, folder, stopped=lambda: next(asked))) == []
    assert read_checkpoint(folder / CHECKPOINT)[1]["step"] == "3"
    for _ in train(recipe, data, folder, resume=True):
        pass
    ours, theirs = (read_checkpoint(each / CHECKPOINT)[0] for each in (folder, straight))
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


def test_ceasing_to_iterate_leaves_what_there_is(data, tmp_path):
    folder = tmp_path / "run"
    for report in itertools.islice(train(TINY, data, folder), 1):
        assert report.step == 20
    with open(folder / "log.jsonl", "a") as log:  # stopped 20 steps after the last checkpoint
        log.write('{"step": 40}\n3\n{"ste')
    with open(folder / "log.jsonl", "ab") as log:
        log.write(b"\xff")
    resumed = [report.step for report in train(TINY, data, folder, resume=True)]
    assert resumed[-1] == 40
    lines = (folder / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [20, *resumed]


def test_a_folder_of_another_recipe_or_damaged_is_refused(data, tmp_path):
    folder = tmp_path / "run"
    for _ in itertools.islice(train(TINY, data, folder), 1):
        pass
    (folder / CHECKPOINT).unlink()
    with pytest.raises(TrainingError, match="holds a run of another recipe"):
        next(train(dataclasses.replace(TINY, seed=9), data, folder))
    trainer = Trainer(TINY, data)
    trainer.save(folder / CHECKPOINT)
    alike = dataclasses.replace(TINY.styles["dots"], year=1999, title="Big dots")
    styles = {**TINY.styles, "dots": alike}
    learns_alike = dataclasses.replace(TINY, styles=styles, checkpoint_every=30)
    next(train(learns_alike, data, folder, resume=True))
    trainer.save(folder / CHECKPOINT)
    for other in ({"adversarial": 1.0}, {"width": body.Width(4, 8, 2, 8)}):
        with pytest.raises(TrainingError, match="not a checkpoint of this recipe"):
            Trainer(dataclasses.replace(TINY, **other), data).load(folder / CHECKPOINT)
    (folder / "run.json").write_text("")
    with pytest.raises(TrainingError, match=r"run\.json is damaged"):
        next(train(TINY, data, folder, resume=True))


SAVE = """
import pickle, resource, sys
from pathlib import Path
from stylecam.errors import StyleError, TrainingError
from stylecam.training.trainer import Trainer

recipe, data, path = pickle.loads(Path(sys.argv[1]).read_bytes())
trainer = Trainer(recipe, data)
trainer.save(path)
print("saved", flush=True)
if sys.argv[2] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
while True:
    trainer.step += 1
    try:
        trainer.save(path)
    except TrainingError as error:
        sys.exit(str(error))
"""


def saving(asked, data, path, how):
    """Starts a process that saves checkpoints without end; returns it after the first one."""
    asked.write_bytes(pickle.dumps((TINY, data, path)))
    process = subprocess.Popen(
        [sys.executable, "-c", SAVE, asked, how],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "saved\n"
    return process


@pytest.mark.skipif(sys.platform == "win32", reason="there is no RLIMIT_FSIZE")
def test_a_full_disk_leaves_the_last_checkpoint_whole(data, tmp_path):
    path = tmp_path / CHECKPOINT
    with saving(tmp_path / "asked", data, path, "full") as process:
        said = process.communicate()[1]
    assert "cannot write" in said
    assert "the previous checkpoint is kept" in said
    assert read_checkpoint(path)[1]["step"] == "0"
    assert [each.name for each in tmp_path.glob("*.safetensors")] == [CHECKPOINT]


def test_a_run_that_runs_away_leaves_the_last_checkpoint_whole(data, tmp_path):
    trainer = Trainer(dataclasses.replace(TINY, learning_rate=1e30), data)
    path = tmp_path / CHECKPOINT
    trainer.save(path)
    before = path.read_bytes()
    trainer.advance()
    trainer.advance()
    with pytest.raises(TrainingError, match="training diverged by step 2 .* below 1e"):
        trainer.save(path)
    assert path.read_bytes() == before


def test_being_killed_while_saving_leaves_a_whole_checkpoint(data, tmp_path):
    path = tmp_path / CHECKPOINT
    with saving(tmp_path / "asked", data, path, "") as process:
        while not list(tmp_path.glob(f".{path.stem}.*")):  # until one is being written
            pass
        process.kill()
    Trainer(TINY, data).load(path)


def test_two_processes_learn_the_same_from_different_pictures(data, tmp_path):
    """Under torchrun, both hold the same weights after some steps, and not those of one alone."""
    script = tmp_path / "two.py"
    script.write_text(
        "import pickle, sys, torch, torch.distributed as dist\n"
        "from pathlib import Path\n"
        "from stylecam.training.trainer import Trainer\n"
        "torch.set_num_threads(1)\n"
        "dist.init_process_group('gloo')\n"
        "recipe, data, out = pickle.loads(Path(sys.argv[1]).read_bytes())\n"
        "trainer = Trainer(recipe, data)\n"
        "[trainer.advance() for _ in range(3)]\n"
        "trainer.save(out / f'{dist.get_rank()}.safetensors')\n"
        "dist.destroy_process_group()\n"
    )
    recipe = dataclasses.replace(TINY, adversarial=1.0, calibrate_every=1)
    (tmp_path / "asked").write_bytes(pickle.dumps((recipe, data, tmp_path)))
    torchrun(script, tmp_path / "asked")
    alone = Trainer(recipe, data)
    for _ in range(3):
        alone.advance()
    alone.save(tmp_path / "alone.safetensors")
    first, second, single = (
        read_checkpoint(tmp_path / f"{name}.safetensors")[0] for name in ("0", "1", "alone")
    )
    assert [name for name in first if not torch.equal(first[name], second[name])] == []
    assert not torch.equal(first["codes"], single["codes"])
    assert not torch.equal(first["style_weights"], single["style_weights"])


def test_a_run_of_two_processes_is_written_once_and_goes_on_in_one(data, tmp_path):
    script = tmp_path / "two.py"
    script.write_text(
        "import pickle, sys, torch\n"
        "from pathlib import Path\n"
        "from stylecam.training.train import train\n"
        "torch.set_num_threads(1)\n"
        "recipe, data, folder = pickle.loads(Path(sys.argv[1]).read_bytes())\n"
        "list(train(recipe, data, folder))\n"
    )
    (tmp_path / "asked").write_bytes(pickle.dumps((TINY, data, tmp_path / "run")))
    torchrun(script, tmp_path / "asked")
    lines = (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [20, 40]
    alone = Trainer(TINY, data)
    alone.load(tmp_path / "run" / CHECKPOINT)
    assert alone.step == 40
    alone.advance()


def torchrun(*args):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2"]
    here = {**os.environ, "GLOO_SOCKET_IFNAME": "lo"}
    subprocess.run([*command, *map(str, args)], check=True, env=here)


def test_an_adversary_learns_to_tell_and_a_painter_to_fool_it():
    torch.manual_seed(0)
    judge = Adversary(8, 2)
    optimizer = torch.optim.Adam(judge.parameters(), 1e-2)
    rows = torch.tensor([0, 1])
    real = torch.rand(2, 8, 12, 12)
    painted = torch.rand(2, 8, 12, 12)
    real[:, :4] *= 3
    first = judge.hinge(real, painted, rows).item()
    for _ in range(60):
        optimizer.zero_grad()
        judge.hinge(real, painted, rows).backward()
        optimizer.step()
    assert judge.hinge(real, painted, rows).item() < 0.1 < first
    assert (judge.fooled(real, rows) < judge.fooled(painted, rows) - 1).all()
    painted.requires_grad_()
    judge.fooled(painted, rows).sum().backward()
    assert painted.grad.any()


def test_a_step_orders_pure_styles_and_blends():
    orders = [Order.random(np.random.default_rng(i), range(5), 4, blends=1) for i in range(40)]
    assert all(len(set(order.rows)) == 4 and (order.shares[:3] == 1).all() for order in orders)
    assert all(0.25 <= order.shares[3] <= 0.75 for order in orders)
    assert 10 < sum(order.others[3] == PHOTO for order in orders) < 30
    assert Order.random(np.random.default_rng(0), range(5), 1, blends=1).shares == [1]


def test_codes_are_mixed_as_ordered():
    half = Order(np.array([1, 0]), np.array([1, 2]), np.array([PHOTO, 1]), np.float32([0.75, 0.5]))
    # Columns: the fine codes of styles 0 and 1, their coarse codes, identity.
    assert half.mix(2).tolist() == [[0, 0.375, 0, 0.375, 0.25], [0, 0, 0.5, 0.5, 0]]


def test_both_frames_of_a_pair_have_noise_of_their_own(data):
    clean = {"noise": 0.0, "gain": 0.0, "zoom": 0.0, "flow": 0.0, "shift": 0}
    photo, before, after, motion = frames(clean, data)
    assert torch.equal(before, photo)
    torch.testing.assert_close(motion(photo), after, atol=1e-4, rtol=0)
    photo, before, after, motion = frames(clean | {"noise": 0.02}, data)
    # Only where nothing is clipped, which would shift the noise to one side.
    inner = (photo > 0.1) & (photo < 0.9)
    first, second = (before - photo)[inner], (after - photo)[inner]
    assert 0 < first.std().item() == pytest.approx(second.std().item(), rel=0.1)
    assert abs(torch.corrcoef(torch.stack([first, second]))[0, 1].item()) < 0.1


def frames(changed, data):
    trainer = Trainer(dataclasses.replace(TINY, **changed), data)
    return trainer.pairs.frames(*trainer.pairs.cut(3))


def test_a_grain_is_carried_as_the_picture_is():
    grain = torch.randn(24, 24, generator=torch.Generator().manual_seed(0))  # 80 pixels, 2 margins
    torch.testing.assert_close(moved_by(0, 0, 80).carry(grain, 8), grain, atol=1e-4, rtol=0)
    carried = moved_by(4, -8, 80).carry(grain, 8)
    torch.testing.assert_close(carried[3:, :-2], grain[1:-2, 1:-1], atol=1e-4, rtol=0)
    odd = grain[:-1, :-1]
    torch.testing.assert_close(moved_by(0, 0, 76).carry(odd, 8), odd, atol=1e-4, rtol=0)
    between = moved_by(2, 1, 80).carry(grain, 8)
    assert between.std().item() == pytest.approx(grain.std().item(), rel=0.1)


def test_photos_are_read_ahead_in_the_order_of_steps_and_what_fails_fails_at_its_step():
    def make(step):
        if step == 3:
            raise TrainingError("no photo")
        return step * step

    before, ahead = set(threading.enumerate()), Ahead(make)
    assert [ahead.take(step) for step in (0, 1, 2)] == [0, 1, 4]
    with pytest.raises(TrainingError, match="no photo"):
        ahead.take(3)
    assert ahead.take(40) == 1600  # as after a checkpoint was loaded
    ahead.close()
    assert set(threading.enumerate()) <= before


def test_a_pair_has_one_grain_of_which_the_photo_gets_none(data):
    still = {"noise": 0.0, "gain": 0.0, "zoom": 0.0, "flow": 0.0, "shift": 0, "temporal": 1.0}
    trainer = Trainer(dataclasses.replace(TINY, **still), data)
    *styles, plain = trainer.codes.detach()[:, -sum(TINY.width.grained) :]
    assert all(shares.abs().sum() > 0 for shares in styles)
    assert trainer.advance()["temporal"].item() == pytest.approx(0, abs=1e-5)
    for _ in range(4):  # among them blends with the photo
        trainer.advance()
    assert plain.abs().sum() == 0


class Recorded:
    """A painter that records the grains that it is given at each step."""

    def __init__(self, paint):
        self.paint, self.grains = paint, []

    def __call__(self, pictures, mix, grains):
        self.grains.append(grains)
        return self.paint(pictures, mix, grains)


def test_the_grain_moves_along_with_what_a_pair_shows(data):
    trainer = Trainer(TINY, data)
    trainer._paint = recorded = Recorded(trainer._paint)
    moved = 0
    for step in range(6):
        motion = trainer.pairs.frames(*trainer.pairs.cut(step))[-1]
        trainer.advance()
        first, *_, identity = grains = recorded.grains[-1]
        half = (len(grains) - 1) // 2
        assert all(torch.equal(each, first) for each in (*grains[:half], identity))
        carried = motion.carry(first[0], body.TRAINED_MARGIN)[None]
        assert all(torch.equal(each, carried) for each in grains[half:-1])
        moved += bool((carried - first).abs().max() > 0.1)
    assert 0 < moved < 6


def test_the_learning_rate_rises_and_then_falls_to_nothing(data):
    high = {"steps": 400, "warm_up": 10, "learning_rate": 0.5, "code_rate": 6.0}
    trainer = Trainer(dataclasses.replace(TINY, **high), data)
    for step, rate in ((0, 0.05), (9, 0.5), (200, 0.25), (300, 0.0732), (400, 0.0)):
        trainer.step = step
        assert trainer.rate() == pytest.approx(rate, abs=1e-3)
    trainer.step = 200
    trainer.advance()
    of_body, of_codes = (group["lr"] for group in trainer.optimizer.param_groups)
    assert (of_body, of_codes) == pytest.approx((0.25, 1.5))


def test_a_style_may_learn_while_the_body_and_all_others_stay_as_they_are(data):
    trainer = Trainer(dataclasses.replace(TINY, only=["bars"], blends=1, average=0.5), data)
    before = {name: value.clone() for name, value in trainer._learnt().items()}
    weights = trainer.style_weights.clone()
    for _ in range(3):
        trainer.advance()
    for now in (trainer._learnt(), trainer.average):
        assert {name for name in now if not torch.equal(now[name], before[name])} == {"codes"}
        changed = (now["codes"] != before["codes"]).any(1).tolist()
        assert changed == [False, True, False, True, False]
    assert (trainer.style_weights != weights).tolist() == [False, True]


def test_what_is_kept_is_a_running_average(data):
    trainer = Trainer(dataclasses.replace(TINY, average=0.15), data)
    expected = trainer.codes.detach().clone()
    for decay in (0.1, 0.15):  # the first steps count for more
        trainer.advance()
        expected = decay * expected + (1 - decay) * trainer.codes.detach()
        torch.testing.assert_close(trainer.average["codes"], expected)


def test_a_style_that_pulls_too_little_gains_weight_and_one_that_pulls_too_much_loses_it(data):
    trainer = Trainer(TINY, data)
    painted = torch.zeros(2, 3, 8, 8, requires_grad=True)
    order = Order(np.array([0, 1]), np.zeros(2, int), np.full(2, PHOTO), np.ones(2, np.float32))
    asked = torch.tensor([style.paint for style in TINY.styles.values()])
    pulls = torch.tensor([0.5, 2.0]) * asked / TINY.first_weight
    before = trainer.style_weights.clone()
    sums = painted.sum((1, 2, 3))
    trainer._calibrate(order, pulls * sums, sums, painted)
    torch.testing.assert_close(trainer.style_weights / before, torch.tensor([2.0, 0.5]) ** 0.1)
    blends = dataclasses.replace(order, shares=np.float32([0.5, 0.5]))
    before = trainer.style_weights.clone()
    trainer._calibrate(blends, pulls * sums, sums, painted)
    assert torch.equal(trainer.style_weights, before)


def test_the_adversary_sees_no_blends(data):
    trainer = Trainer(dataclasses.replace(TINY, adversarial=1.0), data)
    features = trainer.encoder(torch.rand(3, 3, 48, 48))
    order = Order(np.array([0, 1, 0]), np.zeros(3, int), np.full(3, PHOTO), np.float32([1, 0.5, 1]))
    judged = trainer._judge(trainer.adversary, features, order, np.random.default_rng(0))
    assert judged.shape == (2,)


def test_the_temporal_term_counts_more_for_styles_that_flicker(data):
    def temporal(steady):
        styles = {n: dataclasses.replace(s, steady=steady) for n, s in TINY.styles.items()}
        return Trainer(dataclasses.replace(TINY, styles=styles), data).advance()["temporal"].item()

    assert temporal(3.0) == pytest.approx(3 * temporal(1.0), rel=1e-5)


def test_blends_aim_between_what_is_mixed(data):
    targets = Trainer(TINY, data).targets
    photo, encoder = torch.rand(1, 3, 64, 64).repeat(3, 1, 1, 1), load_encoder(assets.ENCODER)
    strokes = np.zeros(3, int)
    order = Order(
        np.array([0, 0, 0]), strokes, np.array([PHOTO, PHOTO, 1]), np.float32([1, 0.25, 0.5])
    )
    with torch.no_grad():
        features = encoder(photo)
        grams, palettes, rhythm = targets.between(order, photo, features)
    first, second = (targets.grams(np.full(3, row), strokes)[2][0] for row in (0, 1))
    of_photo = losses.gram(features[2])[0]
    wanted = torch.stack([first, 0.25 * first + 0.75 * of_photo, 0.5 * (first + second)])
    torch.testing.assert_close(grams[2], wanted)
    own, other = (targets.palettes(np.full(3, row), strokes)[0] for row in (0, 1))
    torch.testing.assert_close(palettes[2], 0.5 * (own + other))
    torch.testing.assert_close(palettes[1], 0.25 * own + 0.75 * losses.palette(photo)[0])
    torch.testing.assert_close(
        rhythm[2], 0.5 * (rhythm[0] + targets.rhythms(np.array([1]), strokes[:1])[0])
    )
    assert rhythm[1] < rhythm[0]  # the photo is noise, which has little


def test_colours_that_a_paintings_style_lacks_are_strange(data):
    trainer = Trainer(TINY, data)
    rows, strokes = np.array([0, 1, 1, 1]), np.array([0, 0, 0, 2])
    pieces = trainer.targets.pieces(np.random.default_rng(0), rows, strokes, 48)
    order = Order(rows, strokes, np.array([PHOTO, PHOTO, PHOTO, 0]), np.float32([1, 1, 1, 0.5]))
    own = trainer.targets.strangeness(pieces, order)
    assert own.max() < 0.05  # due to the rarest, which are left out
    turned = trainer.targets.strangeness(pieces[[1, 0, 0, 0]], order)
    assert turned[:3].min() > 3 * own.max()
    assert turned[3] == own[3] == 0  # a blend may have any colours


def test_the_gamut_term_is_of_paintings_by_the_recipes_weight(data):
    def gamut(weight):
        recipe = dataclasses.replace(TINY, gamut=weight)
        return Trainer(recipe, data).advance()["gamut"].item()

    assert gamut(2.0) > 0
    assert gamut(6.0) == pytest.approx(3 * gamut(2.0), rel=1e-4)


def test_pieces_are_cut_from_the_pictures_of_their_styles(data):
    trainer = Trainer(dataclasses.replace(TINY, adversarial=1.0), data)
    pieces = trainer.targets.pieces(
        np.random.default_rng(0), np.array([0, 1]), np.array([0, 2]), 48
    )
    assert pieces.shape == (2, 3, 48, 48)
    assert pieces[0, 2].max() < 0.5 < pieces[1, 2].max()  # dots hold no blue, the bars' ground does


def test_crops_may_be_of_any_size(data):
    losses_of = Trainer(dataclasses.replace(TINY, crop=67), data).advance()
    assert all(loss.isfinite() for loss in losses_of.values())


def test_pictures_that_losses_cannot_look_at_are_refused(data):
    with pytest.raises(TrainingError, match=r"crop.*at least 64.*got 48"):
        Trainer(dataclasses.replace(TINY, crop=48, border=16), data)
    small = {"dots": dataclasses.replace(TINY.styles["dots"], fine=20)}
    with pytest.raises(TrainingError, match=r"dots.*at least 32.*got 20"):
        Trainer(dataclasses.replace(TINY, styles=small), data)


def test_a_style_picture_smaller_than_an_adversary_sees_is_refused():
    small = {"dots": dataclasses.replace(TINY.styles["dots"], fine=40)}
    with pytest.raises(TrainingError, match="dots.*at least 48"):
        dataclasses.replace(TINY, styles=small, adversarial=1.0)


def test_a_warm_start_takes_over_weights_and_codes(data, tmp_path):
    first = Trainer(TINY, data)
    first.advance()
    first.style_weights[1] = 33
    first.save(data / "warm.safetensors")
    styles = {"bars": TINY.styles["bars"], "new": TINY.styles["dots"]}
    again = Trainer(dataclasses.replace(TINY, styles=styles, warm_start="warm.safetensors"), data)
    assert torch.equal(again.net.up.conv.weight, first.net.up.conv.weight)
    fine, coarse = first.codes[:-1].chunk(2)
    for ours, theirs in zip(again.codes[:-1].chunk(2), (fine, coarse), strict=True):
        assert torch.equal(ours, torch.stack([theirs[1], theirs.mean(0)]))
    assert torch.equal(again.codes[-1], first.codes[-1])
    assert again.style_weights.tolist() == [33, TINY.first_weight]
    wider = dataclasses.replace(TINY, width=body.Width(8, 8, 1, 8), warm_start="warm.safetensors")
    with pytest.raises(TrainingError, match="expected codes"):
        Trainer(wider, data)


def test_a_run_goes_on_where_its_warm_start_is_gone(data, tmp_path):
    Trainer(TINY, data).save(data / "warm.safetensors")
    recipe = dataclasses.replace(TINY, warm_start="warm.safetensors")
    next(train(recipe, data, tmp_path / "run"))
    (data / "warm.safetensors").unlink()
    assert [report.step for report in train(recipe, data, tmp_path / "run", resume=True)] == [40]


def test_a_warm_start_takes_over_an_adversary_of_the_same_styles(data):
    recipe = dataclasses.replace(TINY, adversarial=1.0)
    first = Trainer(recipe, data)
    first.advance()
    first.save(data / "warm.safetensors")
    same = dataclasses.replace(recipe, warm_start="warm.safetensors", seed=2)
    turned = dict(reversed(TINY.styles.items()))
    for warm, known in ((same, True), (dataclasses.replace(same, styles=turned), False)):
        pairs = zip(
            Trainer(warm, data).adversary.parameters(), first.adversary.parameters(), strict=True
        )
        assert all(torch.equal(a, b) for a, b in pairs) is known


def test_a_run_becomes_assets(data, tmp_path):
    trainer = Trainer(TINY, data)
    trainer.advance()
    trainer.save(tmp_path / CHECKPOINT)
    out = tmp_path / "assets"
    fewer = dataclasses.replace(TINY, styles={"dots": TINY.styles["dots"]})
    for recipe, held, words in ((TINY, {"bras"}, "learn bras"), (fewer, (), "name bars")):
        with pytest.raises(TrainingError, match=words):
            export(recipe, tmp_path / CHECKPOINT, out, held_back=held)
    assert not out.exists()
    written = export(TINY, tmp_path / CHECKPOINT, out, held_back={"bars"})
    assert [style.name for style in written] == ["dots"]
    dots = Style.load(out / "styles" / "dots.safetensors")
    assert dots.side == 96  # √(72 · 128)
    assert np.array_equal(dots.fine, trainer.average["codes"][0].numpy())
    weights = body.load(out / "body.safetensors")
    assert body.width_of(weights) == TINY.width
    averaged = trainer.average["out.conv.weight"].half().float()
    assert np.array_equal(weights["out.conv.weight"], averaged)
    assert not torch.equal(averaged, trainer.net.out.conv.weight.half().float())
    for path in (out / "styles" / "dots.safetensors", out / "identity.safetensors"):
        Style.load(path).fits(body.body_id(weights), TINY.width.code_length)
    ranges = body.load_ranges(out / "ranges.safetensors", body.body_id(weights))
    assert {"encoder1.conv", "residual0.conv2", "out.conv"} < ranges.keys()
    assert all((low <= high).all() and (low < high).any() for low, high in ranges.values())
    names = {path.name for path in (out / "styles").iterdir()}
    assert names == {"dots.safetensors", "dots.jpg"}
    export(TINY, tmp_path / CHECKPOINT, out, held_back={"dots"})  # from the same checkpoint
    names = {path.name for path in (out / "styles").iterdir()}
    assert names == {"bars.safetensors", "bars.jpg"}
    trainer.advance()
    trainer.save(tmp_path / "later.safetensors")
    export(TINY, tmp_path / "later.safetensors", out, held_back={"bars"})
    names = {path.name for path in (out / "styles").iterdir()}  # bars belonged to the body before
    assert names == {"dots.safetensors", "dots.jpg"}
    with pytest.raises(TrainingError, match="is not a training checkpoint"):
        export(TINY, out / "body.safetensors", out)


def test_an_export_replaces_only_earlier_exports(data, tmp_path):
    Trainer(TINY, data).save(tmp_path / CHECKPOINT)
    out = tmp_path / "assets"
    (out / "styles").mkdir(parents=True)

    def strange(name, write, words):
        path = out / "styles" / name
        write(path)
        before = path.read_bytes()
        with pytest.raises(TrainingError, match=words):
            export(TINY, tmp_path / CHECKPOINT, out)
        assert [each.name for each in out.rglob("*.*")] == [name]
        assert path.read_bytes() == before
        path.unlink()

    strange("dots.jpg", lambda path: path.write_bytes(b"a painting"), r"dots\.jpg is not a style")
    strange("mine.safetensors", identity().save, r"mine\.safetensors belongs to a body that")
    strange("half.safetensors", lambda path: path.write_bytes(b"12"), "remove it or name another")


def test_an_export_that_breaks_off_leaves_what_was_there(data, tmp_path):
    trainer = Trainer(TINY, data)
    trainer.save(tmp_path / CHECKPOINT)
    out = tmp_path / "assets"
    export(TINY, tmp_path / CHECKPOINT, out)
    before = {path: path.stat().st_ino for path in out.rglob("*.*")}
    in_the_way = out / "styles" / f".dots.{os.getpid()}.safetensors"
    in_the_way.mkdir()
    with pytest.raises((StyleError, OSError)):
        export(TINY, tmp_path / CHECKPOINT, out)
    in_the_way.rmdir()
    assert {path: path.stat().st_ino for path in out.rglob("*.*")} == before


def test_a_diverged_run_is_not_exported(data, tmp_path):
    trainer = Trainer(TINY, data)
    trainer.average["codes"][0, 0] = torch.inf
    trainer.save(tmp_path / CHECKPOINT)
    with pytest.raises(TrainingError, match="codes holds a number that is not finite"):
        export(TINY, tmp_path / CHECKPOINT, tmp_path / "made")
    assert not (tmp_path / "made").exists()


def test_detail_that_lies_on_the_grid_is_told_from_detail_that_does_not():
    anywhere = torch.rand(1, 3, 202, 203)
    assert losses.grid_loss(anywhere).item() < 0.02
    assert losses.grid_loss(torch.full((1, 3, 64, 64), 0.4)).item() < 1e-6
    dots = torch.full((1, 3, 64, 64), 0.4)
    dots[..., 1::4, 2::4] += 0.1
    assert losses.grid_loss(dots).item() > 0.5
    stripes = torch.full((1, 3, 60, 60), 0.4)
    stripes[..., ::3, :] += 0.1  # as fine, but equally often at each place
    assert losses.grid_loss(stripes).item() < 0.02


def test_a_corrupt_photo_among_good_ones_is_named_once(data, caplog):
    (data / "photos" / "1.png").write_bytes(b"no picture")
    photos = Photos(data, "photos/*.png", {}, 0)
    rng = np.random.default_rng(0)
    for _ in range(20):
        assert photos.crop(rng, 48, (60, 80)).shape == (48, 48, 3)
    assert caplog.text.count("1.png") == 1


def test_a_corrupt_photo_among_those_held_out_is_named_once_and_the_run_goes_on(
    data, tmp_path, caplog
):
    (data / "photos" / "0.png").write_bytes(b"no picture")
    recipe = dataclasses.replace(TINY, holdout_every=2, steps=2)
    assert [report.step for report in train(recipe, data, tmp_path / "run")] == [2]
    assert caplog.text.count("0.png") == 1
    sheet = read_picture(tmp_path / "run" / "preview_000002.jpg")
    assert sheet.shape[0] == 2 * 2 * PREVIEW  # two photos that can be read, in two strokes


def test_photos_held_out_are_never_drawn_and_favoured_ones_more_often(data):
    photos = Photos(data, "photos/*.png", {"2.*": 9.0}, 4)
    assert [path.name for path in photos.holdout] == ["0.png", "4.png"]
    assert [path.name for path in photos.paths] == ["1.png", "2.png", "3.png"]
    assert photos.odds.tolist() == pytest.approx([1 / 11, 9 / 11, 1 / 11])


def test_pictures_that_are_not_there_are_refused(data):
    for pattern in ("", "/photos/*.png"):
        with pytest.raises(TrainingError, match="expected a pattern of photos"):
            Photos(data, pattern, {}, 4)
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
    path.write_text(f"width = [8, 16, 2, 12]\nphoto_short_side = [100, 120]\nsteps = 7\n{STYLE}")
    recipe = load_recipe(path)
    assert recipe.width == body.Width(8, 16, 2, 12)
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
        (f"width = [8, 16, 2, 12, 3]\n{STYLE}", "expected a table for Width"),
        (f"preview_every = 0\n{STYLE}", "expected preview_every of at least 1, got 0"),
        (f"steps = true\n{STYLE}", "expected steps of type int, got True"),
        (f"width = [16, 0, 3, 16]\n{STYLE}", "expected widths of at least 1"),
        (f"crop = 100\nshift = 51\n{STYLE}", "shift of at most half the crop .* got 51 of 100"),
        (f"zoom = 1.0\n{STYLE}", "zoom below 1, got 8 of 208 and 1.0"),
        (f"octaves = 0\n{STYLE}", "expected octaves of at least 1, got 0"),
        (f"octaves = 4\n{STYLE}", "expected at most 3 octaves, got 4"),
        (f"seed = -1\n{STYLE}", "expected seed of at least 0, got -1"),
        (f"learning_rate = 0.0\n{STYLE}", "expected a learning_rate above 0, got 0"),
        (f"learning_rate = nan\n{STYLE}", "expected learning_rate of at least 0, got nan"),
        (f"temporal = nan\n{STYLE}", "expected temporal of at least 0, got nan"),
        (f"flow = inf\n{STYLE}", "expected flow of at least 0, got inf"),
        (f"holdout_every = -2\n{STYLE}", "expected holdout_every of at least 0, got -2"),
        (f"seed = 9223372036854775808\n{STYLE}", r"expected a seed below 2\*\*63"),
        (f"{STYLE}paint = -1", "style dots: expected paint of at least 0, got -1"),
        (f"{STYLE}fine = 0", "style dots: expected fine and coarse of at least 1, got 0"),
        (f"noise = -0.01\n{STYLE}", "expected noise of at least 0, got -0.01"),
        (f"rounding = -1\n{STYLE}", "expected rounding of at least 0, got -1"),
        (f"only = ['dost']\n{STYLE}", r"only names styles that the recipe has not: \['dost'\]"),
        (f"[favour]\n'*' = 0\n{STYLE}", r"favour \*: expected a number above 0, got 0"),
        (f"[favour]\n'*' = 'often'\n{STYLE}", "expected a number above 0, got 'often'"),
        (f"photo_short_side = [212]\n{STYLE}", r"from low to high, got \(212,\)"),
        (f"photo_short_side = [352, 212]\n{STYLE}", "from low to high"),
        (STYLE.replace("dots", '"night sky"'), "a-z, 0-9, - and _, other than identity, got 'nig"),
        (STYLE.replace("dots", "identity"), "got 'identity'"),
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


def test_the_assets_are_what_the_shipped_checkpoint_becomes(library, tmp_path):
    training = assets.FOLDER / "training"
    export(load_recipe(training / "recipe.toml"), training / "checkpoint.safetensors", tmp_path)
    kept, made = (body.load(each / assets.BODY.name) for each in (assets.FOLDER, tmp_path))
    assert kept.keys() == made.keys()
    assert all(np.array_equal(kept[name], made[name]) for name in kept)
    kept, made = (
        body.load_ranges(each / assets.RANGES.name, body.body_id(made))
        for each in (assets.FOLDER, tmp_path)
    )
    assert kept.keys() == made.keys()
    for name in kept:  # which torch computes a little differently on other processors
        np.testing.assert_allclose(made[name], kept[name], rtol=0.02, atol=1e-3)
    for name in library:
        theirs, ours = (
            Style.load(each / "styles" / f"{name}.safetensors")
            for each in (assets.FOLDER, tmp_path)
        )
        assert np.array_equal(ours.fine, theirs.fine)
        assert np.array_equal(ours.coarse, theirs.coarse)
        assert (ours.title, ours.artist, ours.side) == (theirs.title, theirs.artist, theirs.side)


def test_the_shipped_checkpoint_fits_the_shipped_recipe():
    recipe = load_recipe(assets.FOLDER / "training" / "recipe.toml")
    tensors, metadata = read_checkpoint(assets.FOLDER / "training" / recipe.warm_start)
    styles = metadata["styles"].split()
    assert set(styles) == {*recipe.styles, "identity"}
    assert tensors["codes"].shape == (2 * len(styles) - 1, recipe.width.code_length)
    learnt = {k: v.numpy() for k, v in tensors.items() if not k.startswith("average.")}
    assert body.width_of(learnt) == recipe.width == body.Width()
