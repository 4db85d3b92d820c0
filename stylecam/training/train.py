"""Trains a body and its codes: `train(recipe, data, folder)` is a generator of steps.

Knows no window and no command line. A run is a folder: run.json (what was asked), log.jsonl (a
line a report), latest.safetensors (all that resuming needs, in one atomic rename), preview_*.jpg.
Stopping means ceasing to iterate; a resumed run equals an uninterrupted one.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch._functorch.config
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from stylecam import assets
from stylecam.body import TRAINED_MARGIN
from stylecam.errors import SourceError, TrainingError
from stylecam.files import replacing
from stylecam.network import StyleNet
from stylecam.training import losses
from stylecam.training.data import REACH, Motion, Photos, to_short_side, to_tensor
from stylecam.training.encoder import Encoder, load_encoder
from stylecam.training.recipe import IDENTITY, Recipe
from stylecam.video.picture import read_picture, write_picture

CHECKPOINT = "latest.safetensors"
REPORT_EVERY = 20
CALIBRATION_RATE = 0.1
PREVIEW = 192
"""Pixels of a side of the previews."""
STROKES = (0.0, 0.5, 1.0)
"""Ways from the fine to the coarse code that are trained, each with the style picture at its size,
so that all that lies between paints well."""
STYLE_WEIGHTS = (2.0, 400.0)
"""Limits of the per-style weights."""


@dataclass(frozen=True)
class StepReport:
    """Where a run stands; losses are means since the last report."""

    step: int
    steps: int
    seconds: float
    losses: dict[str, float]
    style_weights: dict[str, float]


class Trainer:
    """The state of a run: network, codes, their running average, optimizer, style weights."""

    def __init__(self, recipe: Recipe, data: Path, *, compiled: bool = False):
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.names = [*recipe.styles, IDENTITY]
        self.photos = Photos(data, recipe.photos, recipe.favour, recipe.holdout_every)
        encoder_path = data / recipe.encoder if recipe.encoder else assets.ENCODER
        self.encoder: Encoder = load_encoder(encoder_path, torch.bfloat16)
        self.grams, self.palettes = self._style_targets(data)
        self.net = StyleNet(recipe.width)
        length = recipe.width.code_length
        codes = torch.zeros(2 * len(recipe.styles) + 1, length)
        codes[:, : length // 2] = 1
        self.codes = nn.Parameter(codes)
        self.style_weights = torch.full((len(recipe.styles),), recipe.first_weight)
        self.step = 0
        if recipe.warm_start:
            self._warm_start(data / recipe.warm_start)
        self.average = {name: value.clone() for name, value in self._learnt().items()}
        self.optimizer = torch.optim.Adam(
            [
                {"params": list(self.net.parameters()), "rate": 1.0},
                {"params": [self.codes], "rate": recipe.code_rate},
            ]
        )
        # Calibration runs backward through the graph before the step does: keep its buffers.
        torch._functorch.config.donated_buffer = False
        self._encode = torch.compile(self.encoder) if compiled else self.encoder
        net = torch.compile(self.net) if compiled else self.net
        self._paint = partial(net, margin=TRAINED_MARGIN)

    def _style_targets(self, data: Path) -> tuple[tuple[Tensor, ...], Tensor]:
        """Of each style at each of STROKES: Gram matrices, (S, K, C, C) for each layer, and
        palettes, (S, K, D, Q)."""
        grams, palettes = [], []
        for name, style in self.recipe.styles.items():
            try:
                picture = read_picture(data / style.picture)
            except SourceError as error:
                raise TrainingError(f"style {name}: {error}") from None
            sides = [round(style.fine * (style.coarse / style.fine) ** k) for k in STROKES]
            images = [to_tensor(to_short_side(picture, side)) for side in sides]
            with torch.no_grad():
                layers = zip(*(self.encoder(image) for image in images), strict=True)
                grams.append([torch.cat([losses.gram(one) for one in layer]) for layer in layers])
            palettes.append(torch.cat([losses.palette(image) for image in images]))
        return tuple(torch.stack(g) for g in zip(*grams, strict=True)), torch.stack(palettes)

    def _warm_start(self, path: Path) -> None:
        """What an earlier run learnt; a style that it did not have begins at its mean code."""
        tensors, metadata = read_checkpoint(path)
        known = metadata.get("styles", "").split()
        theirs = tensors.get("codes")
        length = self.codes.shape[1]
        if theirs is None or theirs.shape != (2 * len(known) - 1, length):
            got = None if theirs is None else tuple(theirs.shape)
            raise TrainingError(f"{path}: expected codes {(2 * len(known) - 1, length)}, got {got}")
        state = self.net.state_dict()
        for name in state:
            if name in tensors and tensors[name].shape == state[name].shape:
                state[name].copy_(tensors[name])
            elif not name.endswith("num_batches_tracked"):
                raise TrainingError(
                    f"{path}: no weights {name} of shape {tuple(state[name].shape)}"
                )
        weights = tensors.get("style_weights")
        fine, coarse = theirs[:-1].chunk(2)
        ours_fine, ours_coarse = self.codes.data[:-1].chunk(2)
        self.codes.data[-1] = theirs[-1]
        for i, name in enumerate(self.recipe.styles):
            row = known.index(name) if name in known else None
            ours_fine[i] = fine.mean(0) if row is None else fine[row]
            ours_coarse[i] = coarse.mean(0) if row is None else coarse[row]
            if weights is not None and row is not None:
                self.style_weights[i] = weights[row]

    def _learnt(self) -> dict[str, Tensor]:
        return {**self.net.state_dict(), "codes": self.codes.detach()}

    def rate(self) -> float:
        """The body's learning rate at this step: a short rise, then cosine decay to nothing."""
        done = self.step / self.recipe.steps
        rise = min(1.0, (self.step + 1) / max(1, self.recipe.warm_up))
        return self.recipe.learning_rate * rise * 0.5 * (1 + float(np.cos(np.pi * done)))

    def advance(self) -> dict[str, float]:
        """One step of learning; the mean of each loss before it."""
        recipe = self.recipe
        rng = np.random.default_rng((recipe.seed, self.step))
        photo, moved, motion = self._pictures(rng)
        rows, strokes = self._styles(rng)
        codes = self._codes(rows, strokes)
        self.net.train(not recipe.freeze_batch_norm)
        repeated, again = (p.repeat_interleave(recipe.styles_per_photo, 0) for p in (photo, moved))
        one = self.step % len(photo)
        plain = photo[one : one + 1]
        outputs = self._paint(
            torch.cat([repeated, again, plain]), torch.cat([codes, codes, self.codes[-1:]])
        )
        painted, painted_again, identity = outputs.split([len(rows), len(rows), 1])

        with torch.no_grad():
            of_photo = tuple(
                layer.repeat_interleave(recipe.styles_per_photo, 0)
                for layer in self._encode(self._inside(photo))
            )
        features = self._encode(self._inside(painted))
        style = losses.style_loss(features, [layer[rows, strokes] for layer in self.grams])
        content = losses.content_loss(features, of_photo)
        if self.step % recipe.calibrate_every == 0:
            self._calibrate(rows, style, content, painted)
        terms = {
            "style": style * self.style_weights[rows],
            "content": content,
            "total_variation": recipe.total_variation * losses.total_variation(painted),
            "palette": recipe.palette * losses.palette_loss(painted, self.palettes[rows, strokes]),
            "tone": recipe.tone * losses.tone_loss(painted, repeated),
            "identity": recipe.identity * (identity - plain).abs().mean((1, 2, 3)),
            "temporal": recipe.temporal
            * losses.temporal_loss(painted_again, motion(painted), motion.seen()),
        }
        total = torch.stack([term.mean() for term in terms.values()]).sum()

        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_([*self.net.parameters(), self.codes], recipe.gradient_clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate() * group["rate"]
        self.optimizer.step()
        self.step += 1
        decay = min(recipe.average, self.step / (self.step + 9))
        for name, value in self._learnt().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
        report = {name: term.mean().item() for name, term in terms.items()}
        report["style"] = style.mean().item()
        return report

    def _inside(self, pictures: Tensor) -> Tensor:
        """What the encoder sees of them."""
        border = self.recipe.border
        height, width = pictures.shape[-2:]
        return pictures[..., border : height - border, border : width - border]

    def _styles(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Styles, different ones if there are enough, and which of STROKES each is painted with."""
        recipe = self.recipe
        wanted = recipe.photos_per_step * recipe.styles_per_photo
        rows = rng.choice(len(recipe.styles), wanted, replace=len(recipe.styles) < wanted)
        return rows, rng.integers(0, len(STROKES), wanted)

    def _codes(self, rows: np.ndarray, strokes: np.ndarray) -> Tensor:
        """The codes (N, code_length) of styles, at each one's stroke."""
        fine, coarse = self.codes[:-1].chunk(2)
        return torch.lerp(fine[rows], coarse[rows], torch.tensor(STROKES)[strokes, None])

    def _pictures(self, rng: np.random.Generator) -> tuple[Tensor, Tensor, Motion]:
        """Photos, the same moved, with noise and another gain, and the motion."""
        recipe = self.recipe
        border = recipe.shift + REACH
        large = torch.cat(
            [
                self.photos.crop(rng, recipe.crop + 2 * border, recipe.photo_short_side)
                for _ in range(recipe.photos_per_step)
            ]
        )
        photo = large[..., border:-border, border:-border].contiguous()
        motion = Motion.random(rng, recipe.crop, recipe.shift, recipe.zoom, recipe.flow)
        moved = motion(large, border)
        gain = torch.from_numpy(1 + rng.uniform(-recipe.gain, recipe.gain, (len(large), 1, 1, 1)))
        noise = torch.from_numpy(rng.normal(0, rng.uniform(0, recipe.noise), moved.shape))
        return photo, (moved * gain + noise).clamp(0, 1).float(), motion

    def _calibrate(self, rows: np.ndarray, style: Tensor, content: Tensor, painted: Tensor) -> None:
        """Moves each style's weight towards its wanted share of the gradient at the picture."""
        pulls = [
            torch.autograd.grad(loss.sum(), painted, retain_graph=True)[0].flatten(1).norm(dim=1)
            for loss in (style, content)
        ]
        paint = torch.tensor([style.paint for style in self.recipe.styles.values()])
        for row, of_style, of_content in zip(rows, *pulls, strict=True):
            wanted = paint[row] * of_content / of_style.clamp(min=1e-12)
            ratio = (wanted / self.style_weights[row]) ** CALIBRATION_RATE
            self.style_weights[row] = (self.style_weights[row] * ratio).clamp(*STYLE_WEIGHTS)

    def save(self, path: Path) -> None:
        """Everything that `load` needs, in one file that replaces the old one at once."""
        tensors = {**self._learnt(), "style_weights": self.style_weights}
        tensors |= {f"average.{name}": value for name, value in self.average.items()}
        for i, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"adam.{i}.{name}": torch.as_tensor(value) for name, value in state.items()}
        metadata = {"format": "1", "styles": " ".join(self.names), "step": str(self.step)}
        try:
            with replacing(path) as beside:
                save_file({k: v.contiguous().clone() for k, v in tensors.items()}, beside, metadata)
        except (OSError, SafetensorError) as error:
            raise TrainingError(f"cannot write {path}, the last one stays: {error}") from None

    def load(self, path: Path) -> None:
        """Goes on from a checkpoint of the same recipe."""
        tensors, metadata = read_checkpoint(path)
        if metadata.get("styles", "").split() != self.names:
            raise TrainingError(
                f"{path}: expected styles {self.names}, got {metadata.get('styles')}"
            )
        self.net.load_state_dict({name: tensors[name] for name in self.net.state_dict()})
        self.codes.data.copy_(tensors["codes"])
        self.style_weights.copy_(tensors["style_weights"])
        self.average = {name: tensors[f"average.{name}"] for name in self.average}
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in tensors.items():
            if name.startswith("adam."):
                _, i, entry = name.split(".")
                state.setdefault(int(i), {})[entry] = value
        groups = self.optimizer.state_dict()["param_groups"]
        self.optimizer.load_state_dict({"state": state, "param_groups": groups})
        self.step = int(metadata["step"])

    @torch.no_grad()
    def preview(self, photos: Tensor) -> np.ndarray:
        """A sheet of the averaged network: photos (N, 3, H, W) down, styles across, the fine
        strokes above the coarse; uint8 RGB."""
        net = StyleNet(self.recipe.width).eval()
        net.load_state_dict({name: self.average[name] for name in net.state_dict()})
        rows = []
        codes = self.average["codes"]
        for photo in photos.split(1):
            for strokes in codes[:-1].chunk(2):
                painted = [net(photo, code[None]) for code in (*strokes, codes[-1])]
                rows.append(torch.cat([photo, *painted], 3))
        return (torch.cat(rows, 2)[0].permute(1, 2, 0) * 255).round().byte().numpy()


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors and the metadata of a checkpoint."""
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}, file.metadata() or {}
    except FileNotFoundError:
        raise TrainingError(f"no checkpoint at {path}") from None
    except (OSError, SafetensorError) as error:
        raise TrainingError(f"{path} is not a whole checkpoint ({error})") from None


def train(
    recipe: Recipe, data: Path, folder: Path, *, resume: bool = False, compiled: bool = False
) -> Iterator[StepReport]:
    """Trains into `folder`, yielding a report every few steps, until the recipe's last step."""
    run, checkpoint = folder / "run.json", folder / CHECKPOINT
    asked = json.loads(json.dumps(dataclasses.asdict(recipe)))
    if checkpoint.exists() and not resume:
        raise TrainingError(f"{folder} already holds a run; resume it or name another folder")
    if run.exists() and resume and json.loads(run.read_text())["recipe"] != asked:
        raise TrainingError(f"{folder} holds a run of another recipe; name another folder")
    trainer = Trainer(recipe, data, compiled=compiled)
    if resume and checkpoint.exists():
        trainer.load(checkpoint)
    folder.mkdir(parents=True, exist_ok=True)
    run.write_text(json.dumps({"recipe": asked, "torch": torch.__version__}, indent=1) + "\n")
    began, sums = time.monotonic(), dict[str, float]()
    previewed = [
        to_tensor(to_short_side(read_picture(path), PREVIEW)[:PREVIEW, :PREVIEW])
        for path in trainer.photos.holdout[:4]
    ]
    with open(folder / "log.jsonl", "a", encoding="utf-8") as log:
        while trainer.step < recipe.steps:
            for name, value in trainer.advance().items():
                sums[name] = sums.get(name, 0.0) + value / REPORT_EVERY
            last = trainer.step == recipe.steps
            if trainer.step % REPORT_EVERY == 0:
                weights = dict(zip(recipe.styles, trainer.style_weights.tolist(), strict=True))
                seconds = time.monotonic() - began
                report = StepReport(trainer.step, recipe.steps, seconds, sums, weights)
                log.write(json.dumps(dataclasses.asdict(report)) + "\n")
                log.flush()
                sums = {}
                yield report
            if last or trainer.step % recipe.checkpoint_every == 0:
                trainer.save(checkpoint)
            if previewed and (last or trainer.step % recipe.preview_every == 0):
                sheet = trainer.preview(torch.cat(previewed))
                write_picture(folder / f"preview_{trainer.step:06d}.jpg", sheet)
