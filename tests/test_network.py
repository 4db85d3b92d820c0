"""StyleNet against exact answers, and against the pictures that came with the warm start."""

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

from stylecam.body import EPSILON, Width, padding
from stylecam.network import StyleNet, conditional_instance_norm
from stylecam.training.data import to_tensor
from stylecam.video.picture import read_picture

BOOTSTRAP = Path(__file__).parents[2] / "shared" / "data" / "bootstrap"
LEVELS = 0.5
"""Mean absolute difference to the sample pictures, in levels of 255, due to their rounding."""


@pytest.mark.skipif(not BOOTSTRAP.exists(), reason="needs ../shared/data/bootstrap")
@pytest.mark.parametrize("name", ["starry-night", "great-wave", "udnie", "roman-mosaic"])
@torch.no_grad()
def test_stylenet_reproduces_the_sample_pictures_of_the_warm_start(name):
    """In the decoder, that body has an instance norm where ours has a plain scale and shift. What
    the norm does to this one picture is put into the code; after that, the two must be the same
    function up to the end, where that body has a sigmoid."""
    path = BOOTSTRAP / "body-and-codes.safetensors"
    tensors = load_file(path)
    with safe_open(path, framework="pt") as file:
        row = file.metadata()["styles"].split().index(name)
    net = StyleNet(Width(16, 32, 5, 32)).eval()
    affines = tensors.pop("codes")[row : row + 1]
    code = torch.cat([affines, torch.zeros(1, sum(net.width.grained))], 1)  # it knew no grain
    net.load_state_dict(tensors, strict=False)
    photo = to_tensor(read_picture(BOOTSTRAP / "sample-in.png"))
    seen, ends = [], []
    net.up.register_forward_hook(lambda module, inputs, output: seen.append(output))
    net.out.register_forward_hook(lambda module, inputs, output: ends.append(output))
    net.paint(photo, code)
    scales, shifts = code[:, :336], code[:, 336:672]
    scales[:, -16:] /= (seen[0].var((2, 3), unbiased=False) + EPSILON).sqrt()
    shifts[:, -16:] -= seen[0].mean((2, 3)) * scales[:, -16:]
    expected = to_tensor(read_picture(BOOTSTRAP / f"sample-{name}.png"))
    net.paint(photo, code)
    assert 255 * (ends[-1].sigmoid() - expected).abs().mean() <= LEVELS


@pytest.mark.parametrize(("end", "brighter"), [(10.0, 1), (-10.0, -1)])
def test_clipped_values_are_pulled_back_but_never_pushed_further_out(end, brighter):
    net = StyleNet(Width(8, 8, 1)).eval()
    image, code = torch.rand(1, 3, 40, 40), torch.ones(1, net.width.code_length)
    nn.init.constant_(net.out.conv.bias, end)
    for asked in (brighter, -brighter):
        net.zero_grad()
        painted = net(image, code)
        assert painted.unique().tolist() == [float(end > 0)]
        (-asked * painted.sum()).backward()
        assert bool(net.out.conv.bias.grad.any()) == (asked != brighter)


def test_conditional_instance_norm_gives_the_style_its_mean_and_deviation():
    x = torch.randn(2, 3, 20, 30, generator=torch.Generator().manual_seed(0)) * 7 + 3
    scale, shift = torch.tensor([[1.0, 2, 3], [4, 5, 6]]), torch.tensor([[0.0, 1, 2], [3, 4, 5]])
    y = conditional_instance_norm(x, scale, shift)
    torch.testing.assert_close(y.mean((2, 3)), shift, atol=1e-4, rtol=0)
    torch.testing.assert_close(y.std((2, 3), unbiased=False), scale, atol=1e-3, rtol=0)


def test_each_picture_of_a_batch_has_its_own_style():
    torch.manual_seed(0)
    net = StyleNet(Width(8, 8, 1)).eval()
    image = torch.rand(1, 3, 40, 40)
    codes = torch.randn(2, net.width.code_length)
    with torch.no_grad():
        both = net(image.repeat(2, 1, 1, 1), codes)
        for i in range(2):
            torch.testing.assert_close(both[i : i + 1], net(image, codes[i : i + 1]))


@pytest.mark.parametrize("margin", [4, 8, 24])
@torch.no_grad()
def test_the_decoder_paints_the_same_without_the_margin(margin):
    torch.manual_seed(0)
    net = StyleNet(Width(8, 8, 1)).eval()
    image, code = torch.rand(1, 3, 42, 55), torch.randn(1, net.width.code_length)
    top, bottom, left, right = padding(42, 55, margin)
    padded = F.pad(image, (left, right, top, bottom), mode="reflect")
    whole = net.paint(padded, code)[..., margin : margin + 42, margin : margin + 55]
    sizes = []
    net.up.register_forward_pre_hook(lambda _, inputs: sizes.append(inputs[0].shape[-2:]))
    torch.testing.assert_close(net(image, code, margin), whole)
    assert sizes == [(11 + 2, 14 + 2)]  # the frame's own cells, and one around them


@torch.no_grad()
def test_the_imitated_rounding_error_is_as_large_as_that_of_8_bits():
    torch.manual_seed(0)
    net = StyleNet(Width(8, 8, 1, 8)).eval()
    image, code = torch.rand(2, 3, 40, 40), torch.randn(2, net.width.code_length)
    code[:, : sum(net.width.norms)] *= torch.tensor([[1.0], [9.0]])
    seen = {}
    for name in ("encoder2.conv", "residual0.conv1", "residual0.conv2", "up", "out"):
        net.get_submodule(name).register_forward_pre_hook(
            lambda _, inputs, name=name: seen.setdefault(name, []).append(inputs[0])
        )
    net.paint(image, code)
    net.rounding = 1.0
    net.paint(image, code)
    exact, off = seen["encoder2.conv"]
    step = exact.amax((0, 2, 3), keepdim=True) / 255
    assert (off - exact).abs().div(step).where(step > 0, 0).max() == pytest.approx(0.5, abs=0.01)
    # All pictures have the same steps, however strongly their codes scale what the decoder makes.
    net.residual0.register_forward_hook(lambda *_: torch.ones(2, 8, 10, 10))
    net.paint(image, code)
    furthest = (seen["up"][-1] - 1).abs().amax((1, 2, 3))
    assert furthest * 255 == pytest.approx([0.5, 0.5], abs=0.01)
    assert all(not torch.equal(*pair[:2]) for pair in seen.values())


def test_a_grain_cached_while_streaming_can_be_used_in_training():
    net = StyleNet(Width(8, 8, 1)).eval()
    image, code = torch.rand(1, 3, 40, 40), torch.ones(1, net.width.code_length)
    with torch.inference_mode():
        painted = net(image, code)
    code.requires_grad_()
    again = net(image, code)
    again.sum().backward()
    assert torch.equal(again, painted)
    assert code.grad[0, -sum(net.width.grained) :].abs().sum() > 0
