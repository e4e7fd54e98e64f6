# /// script
# requires-python = ">=3.11"
# dependencies = ["torch==2.13.0", "numpy==2.3.5"]
# ///
"""The networks in PyTorch, small: random weights, inputs and outputs for tests/test_reference.py.

PyTorch has no padding="same" for strides: every layer here says how many pixels it adds on each
side, and how many rows a transposed convolution adds at the end. A state_dict lists the weights
in the order in which data passes through them; the test relies on that.
"""

import numpy as np
import torch
from stored import store
from torch import nn

DOWN = {"kernel_size": 4, "stride": 2, "padding": 1}
INSTANCE = nn.InstanceNorm2d  # its defaults: no scale and shift, epsilon 1e-5


def normed(convolution, inside, outside, norm, **options):
    """A convolution and its norm. The shift of a batch norm makes a bias pointless."""
    bias = norm is INSTANCE
    return nn.Sequential(convolution(inside, outside, bias=bias, **options), norm(outside))


class UNet(nn.Module):
    def __init__(self, norm, filters=1):
        super().__init__()
        a, b, c, d = filters, 2 * filters, 4 * filters, 8 * filters
        self.encoder = nn.ModuleList([nn.Conv2d(3, a, bias=norm is INSTANCE, **DOWN)])
        for inside, outside in [(a, b), (b, c), (c, d)]:
            self.encoder.append(normed(nn.Conv2d, inside, outside, norm, **DOWN))
        self.encoder.append(nn.Conv2d(d, d, bias=norm is INSTANCE, **DOWN))  # 2x2 to 1x1
        self.decoder = nn.ModuleList()
        for inside, outside in [(d, d), (2 * d, c), (2 * c, b), (2 * b, a)]:
            self.decoder.append(normed(nn.ConvTranspose2d, inside, outside, norm, **DOWN))
        self.decoder.append(nn.ConvTranspose2d(2 * a, 3, **DOWN))

    def forward(self, x):
        maps = []
        for i, layer in enumerate(self.encoder):
            x = layer(nn.functional.leaky_relu(x, 0.2) if i else x)
            maps.append(x)
        x = maps.pop()
        for layer in self.decoder:
            x = layer(torch.relu(x))
            if maps:
                x = torch.cat([maps.pop(), x], dim=1)
        return torch.tanh(x)


class Residual(nn.Module):
    def __init__(self, width, norm):
        super().__init__()
        self.first = normed(nn.Conv2d, width, width, norm, kernel_size=3)
        self.second = normed(nn.Conv2d, width, width, norm, kernel_size=3)
        self.pad = nn.ReflectionPad2d(1)

    def forward(self, x):
        y = torch.relu(self.first(self.pad(x)))
        return x + self.second(self.pad(y))


def resnet(norm, filters=2, blocks=2):
    a, b, c = filters, 2 * filters, 4 * filters
    half = {"kernel_size": 3, "stride": 2, "padding": 1}
    relu = nn.ReLU()
    return nn.Sequential(
        nn.ReflectionPad2d(3), normed(nn.Conv2d, 3, a, norm, kernel_size=7), relu,
        normed(nn.Conv2d, a, b, norm, **half), relu,
        normed(nn.Conv2d, b, c, norm, **half), relu,
        *[Residual(c, norm) for _ in range(blocks)],
        normed(nn.ConvTranspose2d, c, b, norm, output_padding=1, **half), relu,
        normed(nn.ConvTranspose2d, b, a, norm, output_padding=1, **half), relu,
        nn.ReflectionPad2d(3), nn.Conv2d(a, 3, 7), nn.Tanh(),
    )  # fmt: skip


def patchgan(norm, channels, filters=2):
    a, b, c, d = filters, 2 * filters, 4 * filters, 8 * filters
    leaky = nn.LeakyReLU(0.2)
    return nn.Sequential(
        nn.Conv2d(channels, a, **DOWN), leaky,
        normed(nn.Conv2d, a, b, norm, **DOWN), leaky,
        normed(nn.Conv2d, b, c, norm, **DOWN), leaky,
        normed(nn.Conv2d, c, d, norm, kernel_size=4, padding=1), leaky,
        nn.Conv2d(d, 1, 4, padding=1),
    )  # fmt: skip


def pixelgan(norm, channels, filters=2):
    a, b = filters, 2 * filters
    leaky = nn.LeakyReLU(0.2)
    return nn.Sequential(
        nn.Conv2d(channels, a, 1), leaky,
        normed(nn.Conv2d, a, b, norm, kernel_size=1), leaky,
        nn.Conv2d(b, 1, 1, bias=norm is INSTANCE),
    )  # fmt: skip


def randomize(network, rng):
    """Give every weight and statistic a value that shows in the output, unlike the papers' 0.02."""
    for name, weight in network.state_dict().items():
        shape = tuple(weight.shape)
        if weight.ndim == 4:
            # Each output pixel sums over this many inputs; transposed kernels have them first.
            summed = weight.numel() / max(shape[:2])
            values = rng.normal(0, 1.5 / np.sqrt(summed), shape)
        elif name.endswith("running_var"):
            values = rng.uniform(0.5, 2, shape)
        elif name.endswith(("running_mean", "bias")):
            values = rng.normal(0, 0.3, shape)
        else:  # the scale of a batch norm
            values = rng.normal(1, 0.3, shape)
        weight.copy_(torch.from_numpy(values))


CASES = {  # name: network, channels and side of its pictures
    "unet_batch": (UNet(nn.BatchNorm2d), 3, 32),
    "unet_instance": (UNet(INSTANCE), 3, 32),
    "resnet_batch": (resnet(nn.BatchNorm2d), 3, 16),
    "resnet_instance": (resnet(INSTANCE), 3, 16),
    "patchgan": (patchgan(INSTANCE, 3), 3, 32),
    "patchgan_conditional": (patchgan(nn.BatchNorm2d, 6), 6, 32),
    "pixelgan": (pixelgan(INSTANCE, 3), 3, 16),
    "pixelgan_conditional": (pixelgan(nn.BatchNorm2d, 6), 6, 16),
}

arrays = {}
with torch.no_grad():
    for seed, (case, (network, channels, size)) in enumerate(CASES.items()):
        rng = np.random.default_rng(seed)
        randomize(network, rng)
        pictures = rng.normal(0, 0.5, (2, channels, size, size)).astype("float32")
        pictures[1] *= 0.05  # so little contrast that epsilon counts
        for name, weight in network.state_dict().items():
            if not name.endswith("num_batches_tracked"):
                arrays[f"{case}.weights.{name}"] = weight
        arrays[f"{case}.input"] = pictures
        # In float64, so that every machine gets the same answer to the last digit stored.
        arrays[f"{case}.output"] = network.double().eval()(torch.from_numpy(pictures).double())
store("pytorch", arrays)
