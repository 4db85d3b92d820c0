"""The state of a training and one step of it: network, codes, losses, optimizer, checkpoint.

Knows no run folder and no command line. What a step sees depends only on the seed and the step's
number, so that a resumed training equals an uninterrupted one. In a group of processes each sees
its own pictures, and all make the same updates.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
import torch._functorch.config
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from stylecam import assets
from stylecam.body import STRIDE, TRAINED_MARGIN, padding
from stylecam.errors import TrainingError
from stylecam.network import StyleNet
from stylecam.training import adversary, losses, parallel
from stylecam.training.adversary import Adversary
from stylecam.training.checkpoint import flat, read_checkpoint, unflatten, write_checkpoint
from stylecam.training.data import Photos
from stylecam.training.encoder import Encoder, load_encoder
from stylecam.training.order import Order
from stylecam.training.pairs import Pairs
from stylecam.training.recipe import IDENTITY, Recipe
from stylecam.training.targets import Targets

CALIBRATION_RATE = 0.1
STYLE_WEIGHTS = (2.0, 400.0)
"""Least and greatest style weight."""

FIRST_GRAIN = 0.2
"""Standard deviation of the grain shares that a style starts with. Starting from 0, no gradient
would show that more is better."""


class _Painter(nn.Module):
    """Network and codes in one module, so that one wrapper distributes both over processes."""

    def __init__(self, net: StyleNet, codes: nn.Parameter):
        super().__init__()
        self.net = net
        self.codes = codes

    def forward(self, pictures: Tensor, mix: Tensor, grain: Tensor) -> Tensor:
        """Paints pictures (N, 3, H, W) with the mixes (N, codes) of the codes and the grains
        (N, 1, H', W')."""
        return self.net(pictures, mix @ self.codes, margin=TRAINED_MARGIN, grain=grain)


class Trainer:
    """The state of a run: network, codes, their running average, optimizer, style weights."""

    def __init__(self, recipe: Recipe, data: Path, *, compiled: bool = False):
        if recipe.crop < (least := losses.WINDOW + 2 * recipe.border):
            raise TrainingError(f"expected a crop of at least {least} pixels, got {recipe.crop}")
        torch.manual_seed(recipe.seed)
        self.recipe = recipe
        self.device = _device()
        self.names = [*recipe.styles, IDENTITY]
        self.photos = Photos(data, recipe.photos, recipe.favour, recipe.holdout_every)
        encoder_path = data / recipe.encoder if recipe.encoder else assets.ENCODER
        self.encoder: Encoder = load_encoder(encoder_path, _precision(self.device), recipe.octaves)
        self.encoder.to(self.device)
        self.targets = Targets(recipe.styles, data, self.encoder)
        self.net = StyleNet(recipe.width).to(self.device)
        self.net.rounding = recipe.rounding
        length = recipe.width.code_length
        codes = torch.zeros(2 * len(recipe.styles) + 1, length)
        affines, grained = sum(recipe.width.norms), sum(recipe.width.grained)
        self._shares = np.s_[2 * affines :]
        codes[:, :affines] = 1
        codes[:-1, self._shares] = FIRST_GRAIN * torch.randn(grained)
        self.codes = nn.Parameter(codes.to(self.device))
        learning = recipe.only or recipe.styles
        self._learning = [i for i, name in enumerate(recipe.styles) if name in learning]
        if recipe.only:
            self.net.requires_grad_(False)
            free = torch.zeros(len(codes), 1, device=self.device)
            free[self._learning] = free[[len(recipe.styles) + i for i in self._learning]] = 1
            self.codes.register_hook(lambda gradient: gradient * free)  # blends reach identity, too
        self.style_weights = torch.full((len(recipe.styles),), recipe.first_weight)
        self._steady = torch.tensor([style.steady for style in recipe.styles.values()])
        self._ratios = torch.tensor([style.paint for style in recipe.styles.values()])
        self.step = 0
        self.adversary: Adversary | None = None
        if recipe.adversarial:
            channels = self.encoder.channels[adversary.LAYER]
            self.adversary = Adversary(channels, len(recipe.styles)).to(self.device)
        if recipe.warm_start:
            self._warm_start(data / recipe.warm_start)
        self.average = {name: value.clone() for name, value in self._learnt().items()}
        self.optimizer = torch.optim.Adam(
            [
                {"params": list(self.net.parameters()), "rate": 1.0},
                {"params": [self.codes], "rate": recipe.code_rate},
            ]
        )
        if self.adversary:
            self.judge_optimizer = torch.optim.Adam(
                self.adversary.parameters(), adversary.LEARNING_RATE, betas=(0.5, 0.99)
            )
        # Calibration runs backward through the graph before the step does: keep its buffers.
        torch._functorch.config.donated_buffer = False
        self._encode = torch.compile(self.encoder) if compiled else self.encoder
        painter: nn.Module = _Painter(self.net, self.codes)
        if dist.is_initialized():
            painter = DistributedDataParallel(painter)
        self._paint = torch.compile(painter) if compiled else painter
        self.pairs = Pairs(self.photos, recipe, self.device)

    def close(self) -> None:
        """Ends the threads that read photos."""
        self.pairs.close()

    def _warm_start(self, path: Path) -> None:
        """Takes over what an earlier run learnt; a style that it did not have starts from the mean
        of its codes. Its adversary is only taken over if it judged the same styles."""
        tensors, metadata = read_checkpoint(path)
        known = metadata.get("styles", "").split()
        codes = tensors.get("codes")
        length = self.codes.shape[1]
        if codes is None or codes.shape != (2 * len(known) - 1, length):
            got = None if codes is None else tuple(codes.shape)
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
        fine, coarse = codes[:-1].chunk(2)
        ours_fine, ours_coarse = self.codes.data[:-1].chunk(2)
        self.codes.data[-1] = codes[-1]
        for i, name in enumerate(self.recipe.styles):
            row = known.index(name) if name in known else None
            ours_fine[i] = fine.mean(0) if row is None else fine[row]
            ours_coarse[i] = coarse.mean(0) if row is None else coarse[row]
            if weights is not None and row is not None:
                self.style_weights[i] = weights[row]
        if self.adversary and known == self.names:
            own = self.adversary.state_dict()
            theirs = {name: tensors.get(f"adversary.{name}") for name in own}
            if all(t is not None and t.shape == own[name].shape for name, t in theirs.items()):
                self.adversary.load_state_dict(theirs)

    def _learnt(self) -> dict[str, Tensor]:
        return {**self.net.state_dict(), "codes": self.codes.detach()}

    def rate(self) -> float:
        """Returns the body's learning rate at this step: a short rise, then cosine decay to 0."""
        done = self.step / self.recipe.steps
        rise = min(1.0, (self.step + 1) / max(1, self.recipe.warm_up))
        return self.recipe.learning_rate * rise * 0.5 * (1 + float(np.cos(np.pi * done)))

    def advance(self) -> dict[str, Tensor]:
        """Runs one training step. Returns the mean of each loss before it, as tensors on the
        device: only reading their values waits for the device."""
        recipe, device = self.recipe, self.device
        rng, photo, before, after, motion = self.pairs.take(self.step)
        styles, wanted = len(recipe.styles), recipe.photos_per_step * recipe.styles_per_photo
        order = Order.random(rng, self._learning, wanted, recipe.blends)
        rows, mix = order.rows, order.mix(styles).to(device)
        self.net.train(not recipe.freeze_batch_norm)
        repeated, first, second = (
            pictures.repeat_interleave(recipe.styles_per_photo, 0)
            for pictures in (photo, before, after)
        )
        one = self.step % len(photo)
        plain = photo[one : one + 1]
        unstyled = torch.eye(len(self.codes), device=device)[-1:]
        pictures, mixes = (first, second, plain), (mix, mix, unstyled)
        top, bottom, _, _ = padding(recipe.crop, recipe.crop, TRAINED_MARGIN)
        side = (top + recipe.crop + bottom) // STRIDE
        grain = torch.from_numpy(rng.standard_normal((side, side), np.float32)).to(device)
        torch.manual_seed(int(rng.integers(2**62)))  # for `rounding`
        again = motion.carry(grain, TRAINED_MARGIN)  # strokes may grow from it if they move along
        grains = torch.stack([*[grain] * len(rows), *[again] * len(rows), grain])[:, None]
        outputs = self._paint(torch.cat(pictures), torch.cat(mixes), grains)
        painted, painted_again, identity = outputs.split([len(rows), len(rows), 1])

        with torch.no_grad():
            of_photo = tuple(
                layer.repeat_interleave(recipe.styles_per_photo, 0)
                for layer in self._encode(self._inside(photo))
            )
        features = self._encode(self._inside(painted))
        grams, palettes, rhythm = self.targets.between(order, repeated, of_photo)
        style = losses.style_loss(features, grams)
        content = losses.content_loss(features, of_photo)
        if self.step % recipe.calibrate_every == 0:
            self._calibrate(order, style, content, painted)
        terms = {
            "style": style * self.style_weights[rows].to(device),
            "content": content,
            "total_variation": recipe.total_variation * losses.total_variation(painted),
            "palette": recipe.palette * losses.palette_loss(painted, palettes),
            "gamut": recipe.gamut * self.targets.strangeness(painted, order),
            "tone": recipe.tone * losses.tone_loss(painted, repeated),
            "structure": recipe.structure * losses.structure_loss(painted, repeated),
            "rhythm": recipe.rhythm * losses.rhythm_loss(painted, repeated, rhythm),
            "grid": recipe.grid * losses.grid_loss(painted),
            "identity": recipe.identity * losses.identity_loss(identity, plain),
            "temporal": recipe.temporal
            * self._steady[rows].to(device)
            * losses.temporal_loss(painted_again, motion(painted), motion.seen()),
        }
        if self.adversary:
            terms["adversarial"] = self._judge(self.adversary, features, order, rng)
        total = torch.stack([term.mean() for term in terms.values()]).sum()

        self.optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_([*self.net.parameters(), self.codes], recipe.gradient_clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.rate() * group["rate"]
        self.optimizer.step()
        self.codes.data[-1, self._shares] = 0  # blends with the photo changed it
        self.step += 1
        decay = min(recipe.average, self.step / (self.step + 9))
        for name, value in self._learnt().items():
            if value.is_floating_point():
                self.average[name].lerp_(value, 1 - decay)
        report = {name: term.detach().mean() for name, term in terms.items()}
        report["style"] = style.detach().mean()
        return report

    def _judge(
        self, judge: Adversary, features: losses.Features, order: Order, rng: np.random.Generator
    ) -> Tensor:
        """Runs one training step of the adversary; returns the adversarial loss of the paintings,
        (M,). Mixed paintings are left out, since no picture shows what they should look like."""
        pure = np.flatnonzero(order.shares == 1)
        rows, side = order.rows[pure], self.recipe.crop - 2 * self.recipe.border
        pieces = self.targets.pieces(rng, rows, order.strokes[pure], side)
        painted = features[adversary.LAYER][torch.from_numpy(pure).to(self.device)]
        which = torch.from_numpy(rows).to(self.device)
        with torch.no_grad():
            real = self._encode(pieces)[adversary.LAYER]
        self.judge_optimizer.zero_grad(set_to_none=True)
        judge.hinge(real, painted, which).backward()
        parallel.average(parameter.grad for parameter in judge.parameters())
        self.judge_optimizer.step()
        return self.recipe.adversarial * judge.fooled(painted, which)

    def _inside(self, pictures: Tensor) -> Tensor:
        """Returns the part of the pictures that the encoder sees."""
        border = self.recipe.border
        height, width = pictures.shape[-2:]
        return pictures[..., border : height - border, border : width - border]

    def _calibrate(self, order: Order, style: Tensor, content: Tensor, painted: Tensor) -> None:
        """Moves each style's weight towards its target ratio of style gradient to content gradient
        at the painting."""
        pulls = [
            torch.autograd.grad(loss.sum(), painted, retain_graph=True)[0]
            .flatten(1)
            .norm(dim=1)
            .cpu()
            for loss in (style, content)
        ]
        for row, share, of_style, of_content in zip(order.rows, order.shares, *pulls, strict=True):
            if share < 1:
                continue
            wanted = self._ratios[row] * of_content / of_style.clamp(min=1e-12)
            ratio = (wanted / self.style_weights[row]) ** CALIBRATION_RATE
            self.style_weights[row] = (self.style_weights[row] * ratio).clamp(*STYLE_WEIGHTS)
        parallel.average([self.style_weights])

    def save(self, path: Path) -> None:
        """Writes everything that `load` needs into one file that replaces the old one atomically.
        Raises TrainingError if the numbers are not finite, since nothing could resume from them."""
        tensors = {**self._learnt(), "style_weights": self.style_weights}
        if not all(value.isfinite().all() for value in tensors.values()):
            raise TrainingError(
                f"training diverged by step {self.step} (numbers that are not finite); go on from "
                f"an earlier checkpoint with a learning_rate below {self.recipe.learning_rate}"
            )
        tensors |= {f"average.{name}": value for name, value in self.average.items()}
        tensors |= flat("adam", self.optimizer)
        if self.adversary:
            judge = self.adversary.state_dict()
            tensors |= {f"adversary.{name}": value for name, value in judge.items()}
            tensors |= flat("adversary_adam", self.judge_optimizer)
        metadata = {"styles": " ".join(self.names), "step": str(self.step)}
        write_checkpoint(path, tensors, metadata)

    def load(self, path: Path) -> None:
        """Resumes from a checkpoint of the same recipe. Raises TrainingError."""
        tensors, metadata = read_checkpoint(path)
        if metadata.get("styles", "").split() != self.names:
            raise TrainingError(
                f"{path}: expected styles {self.names}, got {metadata.get('styles')}"
            )
        try:
            self._take(tensors)
            self.step = int(metadata["step"])
        except (KeyError, ValueError, RuntimeError) as error:
            raise TrainingError(f"{path} is not a checkpoint of this recipe: {error}") from None

    def _take(self, tensors: dict[str, Tensor]) -> None:
        self.net.load_state_dict({name: tensors[name] for name in self.net.state_dict()})
        self.codes.data.copy_(tensors["codes"])
        self.style_weights.copy_(tensors["style_weights"])
        for name, value in self.average.items():
            value.copy_(tensors[f"average.{name}"])
        unflatten("adam", self.optimizer, tensors)
        if self.adversary:
            judge = {name: tensors[f"adversary.{name}"] for name in self.adversary.state_dict()}
            self.adversary.load_state_dict(judge)
            unflatten("adversary_adam", self.judge_optimizer, tensors)

    @torch.no_grad()
    def preview(self, photos: Tensor) -> np.ndarray:
        """Returns a sheet painted by the averaged network: photos (N, 3, H, W) down, styles across,
        the fine strokes above the coarse; uint8 RGB."""
        net = StyleNet(self.recipe.width).eval().to(self.device)
        net.load_state_dict({name: self.average[name] for name in net.state_dict()})
        rows = []
        codes = self.average["codes"]
        for photo in photos.to(self.device).split(1):
            for strokes in codes[:-1].chunk(2):
                painted = [net(photo, code[None]) for code in (*strokes, codes[-1])]
                rows.append(torch.cat([photo, *painted], 3))
        return (torch.cat(rows, 2)[0].permute(1, 2, 0) * 255).round().byte().cpu().numpy()


def _device() -> torch.device:
    """Returns a CUDA device if there is one, else the CPU; a group of processes trains on CPUs."""
    if not torch.cuda.is_available() or parallel.processes()[0] > 1:
        return torch.device("cpu")
    torch.backends.cuda.matmul.allow_tf32 = True  # enough for the Gram matrices of bf16 features
    return torch.device("cuda")


def _precision(device: torch.device) -> torch.dtype:
    """Returns bf16 where the hardware is fast at it; elsewhere it is many times slower than
    float32."""
    fast = device.type == "cuda" or torch.backends.cpu.get_cpu_capability() == "AVX512"
    return torch.bfloat16 if fast else torch.float32
