"""Generators as people write them: names, order of definition, what stands between the layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from dcgan_edge.export.foreign.readings import Activation, Given

LEAKY = Activation("leaky_relu", 0.2)


class Net(nn.Module):
    """Named parts, defined in the order given, and what is done with them."""

    def __init__(self, run: Callable[[Any, Tensor], Tensor], parts: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.run = run
        for name, part in parts.items():
            self.add_module(name, part)

    def forward(self, z: Tensor) -> Tensor:
        """Return images of latents (n, d, 1, 1)."""
        return self.run(self, z)


@dataclass(frozen=True)
class Case:
    """A network and what has to be said of it, since nobody could know."""

    make: Callable[[], nn.Module]
    latent: int = 100
    classes: int = 0
    given: Given = field(default_factory=Given)
    said_classes: int = 0


def up(a: int, b: int, kernel: int = 4, stride: int = 2, padding: int = 1, **more: Any) -> nn.Module:
    return nn.ConvTranspose2d(a, b, kernel, stride, padding, **more)


def first(a: int, b: int, kernel: int = 4, **more: Any) -> nn.Module:
    return nn.ConvTranspose2d(a, b, kernel, 1, 0, **more)


def conv(a: int, b: int, kernel: int = 3, **more: Any) -> nn.Module:
    return nn.Conv2d(a, b, kernel, 1, kernel // 2, **more)


def settled(*modules: nn.Module, act: nn.Module | None = None) -> list[nn.Module]:
    """Each convolution with its BatchNorm and its activation, but for the last, which ends in tanh."""
    found: list[nn.Module] = []
    for module in modules[:-1]:
        assert isinstance(module, nn.Conv2d | nn.ConvTranspose2d)
        found += [module, nn.BatchNorm2d(module.out_channels), act or nn.ReLU(True)]
    return [*found, modules[-1], nn.Tanh()]


def official(nz: int = 100, ngf: int = 4, nc: int = 3) -> nn.Module:
    """The networks of the official PyTorch example and tutorial."""
    widths = [nz, ngf * 8, ngf * 4, ngf * 2, ngf, nc]
    layers = [(first if i == 0 else up)(widths[i], widths[i + 1], bias=False) for i in range(5)]
    return Net(lambda net, z: net.main(z), {"main": nn.Sequential(*settled(*layers))})


def to_28_by_the_last() -> nn.Module:
    """A last transposed convolution of one pixel that cuts off a frame, as in many MNIST copies."""
    layers = [first(100, 32, bias=False), up(32, 16, bias=False), up(16, 8, bias=False), up(8, 4, bias=False)]
    return Net(
        lambda net, z: net.main(z),
        {"main": nn.Sequential(*settled(*layers, up(4, 1, 1, 1, 2, bias=False)))},
    )


def to_28_by_a_3() -> nn.Module:
    layers = [first(100, 32, bias=False), up(32, 16, 3, 2, 1, bias=False), up(16, 8, bias=False)]
    return Net(lambda net, z: net.network(z), {"network": nn.Sequential(*settled(*layers, up(8, 1)))})


def numbered(order: tuple[int, ...] = (1, 2, 3, 4, 5)) -> nn.Module:
    """`convTr1` and `bn1`, all BatchNorms defined before, neither in the order of use."""
    widths = [100, 32, 16, 8, 4, 3]
    norms: dict[str, nn.Module] = {f"bn{i}": nn.BatchNorm2d(widths[i]) for i in order if i < 5}
    convs = {f"convTr{i}": (first if i == 1 else up)(widths[i - 1], widths[i], bias=False) for i in order}

    def run(net: Any, z: Tensor) -> Tensor:
        for i in range(1, 5):
            z = torch.relu(getattr(net, f"bn{i}")(getattr(net, f"convTr{i}")(z)))
        return torch.tanh(net.convTr5(z))

    return Net(run, norms | convs)


def suffixed() -> nn.Module:
    """`deconv1`, `deconv1_bn`, with biases."""
    widths = [100, 32, 16, 8, 4, 1]
    parts: dict[str, nn.Module] = {}
    for i in range(1, 6):
        parts[f"deconv{i}"] = (first if i == 1 else up)(widths[i - 1], widths[i])
        if i < 5:
            parts[f"deconv{i}_bn"] = nn.BatchNorm2d(widths[i])

    def run(net: Any, z: Tensor) -> Tensor:
        for i in range(1, 5):
            z = torch.relu(getattr(net, f"deconv{i}_bn")(getattr(net, f"deconv{i}")(z)))
        return torch.tanh(net.deconv5(z))

    return Net(run, parts)


def two_branches() -> nn.Module:
    """Latent and label each through a transposed convolution and a BatchNorm of its own."""
    parts = {
        "deconv1_1": first(100, 8), "deconv1_1_bn": nn.BatchNorm2d(8),
        "deconv1_2": first(10, 8), "deconv1_2_bn": nn.BatchNorm2d(8),
        "deconv2": up(16, 8), "deconv2_bn": nn.BatchNorm2d(8),
        "deconv3": up(8, 4), "deconv3_bn": nn.BatchNorm2d(4), "deconv4": up(4, 1),
    }  # fmt: skip

    def run(net: Any, z: Tensor) -> Tensor:
        x = torch.relu(net.deconv1_1_bn(net.deconv1_1(z[:, :100])))
        y = torch.relu(net.deconv1_2_bn(net.deconv1_2(z[:, 100:])))
        x = torch.relu(net.deconv2_bn(net.deconv2(torch.cat([x, y], 1))))
        return torch.tanh(net.deconv4(torch.relu(net.deconv3_bn(net.deconv3(x)))))

    return Net(run, parts)


def two_dense_branches() -> nn.Module:
    parts = {
        "fc_z": nn.Linear(64, 16 * 16), "fc_label": nn.Linear(6, 8 * 16),
        "up1": up(24, 8), "norm1": nn.BatchNorm2d(8), "up2": up(8, 3),
    }  # fmt: skip

    def run(net: Any, z: Tensor) -> Tensor:
        z = z.flatten(1)
        maps = [net.fc_z(z[:, :64]).view(-1, 16, 4, 4), net.fc_label(z[:, 64:]).view(-1, 8, 4, 4)]
        return torch.tanh(net.up2(torch.relu(net.norm1(net.up1(torch.cat(maps, 1))))))

    return Net(run, parts)


def embedded(class_first: bool = False, width: int = 12) -> nn.Module:
    """An embedding of the class beside the latent."""
    inner = official(100 + width)

    def run(net: Any, z: Tensor) -> Tensor:
        label = net.label_emb(z[:, 100:, 0, 0].argmax(1))[:, :, None, None]
        both = [label, z[:, :100]] if class_first else [z[:, :100], label]
        return torch.tanh(net.main[:-1](torch.cat(both, 1)))

    return Net(run, {"label_emb": nn.Embedding(10, width), **dict(inner.named_children())})


def conditional_with_dropout() -> nn.Module:
    """Eight classes, 128 pixels, dropout behind every block."""
    widths = [108, 32, 16, 8, 4, 2]
    layers: list[nn.Module] = []
    for i in range(5):
        conv = (first if i == 0 else up)(widths[i], widths[i + 1], bias=False)
        layers += [conv, nn.BatchNorm2d(widths[i + 1]), nn.ReLU(True), nn.Dropout(0.3)]
    return Net(lambda net, z: net.net(z), {"net": nn.Sequential(*layers, up(2, 3), nn.Tanh())})


def class_before_latent() -> nn.Module:
    inner = official(108)
    return Net(lambda net, z: net.main(torch.cat([z[:, 100:], z[:, :100]], 1)), dict(inner.named_children()))


def projected() -> nn.Module:
    """A dense layer without an activation, then blocks `t_conv1.0` and `t_conv1.1`."""
    parts = {
        "fc": nn.Linear(100, 512),
        "t_conv1": nn.Sequential(up(32, 16, bias=False), nn.BatchNorm2d(16)),
        "t_conv2": nn.Sequential(up(16, 8, bias=False), nn.BatchNorm2d(8)),
        "t_conv3": nn.Sequential(up(8, 3, bias=False)),
    }

    def run(net: Any, z: Tensor) -> Tensor:
        x = net.fc(z.flatten(1)).view(-1, 32, 4, 4)
        return torch.tanh(net.t_conv3(torch.relu(net.t_conv2(torch.relu(net.t_conv1(x))))))

    return Net(run, parts)


def unpadded() -> nn.Module:
    """3x3 and 4x4 kernels without padding: 3, 6, 13, 28 pixels."""

    def block(a: int, b: int, kernel: int = 3, stride: int = 2) -> nn.Module:
        return nn.Sequential(nn.ConvTranspose2d(a, b, kernel, stride), nn.BatchNorm2d(b), nn.ReLU())

    last = nn.Sequential(nn.ConvTranspose2d(8, 1, 4, 2), nn.Tanh())
    blocks = nn.Sequential(block(64, 32), block(32, 16, 4, 1), block(16, 8), last)
    return Net(lambda net, z: net.gen(z), {"gen": blocks})


def norm_begins_the_row() -> nn.Module:
    """A dense layer, then a row that begins with BatchNorm and ends with a convolution."""
    row = [nn.BatchNorm2d(32), nn.ReLU(True), *settled(up(32, 16), up(16, 8), up(8, 4), conv(4, 3))]
    return Net(
        lambda net, z: net.main(net.linear(z.flatten(1)).view(-1, 32, 4, 4)),
        {"linear": nn.Linear(128, 512), "main": nn.Sequential(*row)},
    )


def five_by_five() -> nn.Module:
    def block(a: int, b: int) -> nn.Module:
        return nn.Sequential(up(a, b, 5, 2, 2, output_padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU())

    last = up(4, 3, 5, 2, 2, output_padding=1)
    project = nn.Sequential(nn.Linear(100, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU())
    return Net(
        lambda net, z: torch.tanh(net.layers(net.project(z.flatten(1)).view(-1, 32, 4, 4))),
        {"project": project, "layers": nn.Sequential(block(32, 16), block(16, 8), block(8, 4), last)},
    )


def upsampled_with_eps(side: int = 8, nc: int = 3) -> nn.Module:
    """As in PyTorch-GAN: `l1.0`, `conv_blocks.*`, and 0.8 where BatchNorm has its eps."""
    row = [
        nn.BatchNorm2d(16),
        nn.Upsample(scale_factor=2), conv(16, 16), nn.BatchNorm2d(16, 0.8), nn.LeakyReLU(0.2),
        nn.Upsample(scale_factor=2), conv(16, 8), nn.BatchNorm2d(8, 0.8), nn.LeakyReLU(0.2),
        conv(8, nc), nn.Tanh(),
    ]  # fmt: skip
    return Net(
        lambda net, z: net.conv_blocks(net.l1(z.flatten(1)).view(-1, 16, side, side)),
        {"l1": nn.Sequential(nn.Linear(100, 16 * side**2)), "conv_blocks": nn.Sequential(*row)},
    )


def dense_with_eps() -> nn.Module:
    layers: list[nn.Module] = [nn.Linear(100, 32), nn.LeakyReLU(0.2)]
    for a, b in ((32, 64), (64, 128)):
        layers += [nn.Linear(a, b), nn.BatchNorm1d(b, 0.8), nn.LeakyReLU(0.2)]
    row = nn.Sequential(*layers, nn.Linear(128, 784), nn.Tanh())
    return Net(lambda net, z: net.model(z.flatten(1)).view(-1, 1, 28, 28), {"model": row})


def upsampled_everywhere() -> nn.Module:
    """Upsampling before each convolution, the last one too; bilinear."""
    row: list[nn.Module] = []
    for a, b in ((32, 16), (16, 8)):
        row += [
            nn.Upsample(scale_factor=2, mode="bilinear"),
            conv(a, b, bias=False),
            nn.BatchNorm2d(b),
            nn.ReLU(),
        ]
    row += [nn.Upsample(scale_factor=2, mode="bilinear"), conv(8, 3, bias=False), nn.Tanh()]
    fc = nn.Sequential(nn.Linear(64, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU())
    return Net(
        lambda net, z: net.conv_layer(net.fc_layer(z.flatten(1)).reshape(-1, 32, 4, 4)),
        {"fc_layer": fc, "conv_layer": nn.Sequential(*row)},
    )


def interpolated_in_forward() -> nn.Module:
    """Names say nothing of the upsampling: `conv1`, `bn1`, all convolutions 3x3, two of one shape."""
    parts = {
        "fc": nn.Linear(100, 512),
        "bn0": nn.BatchNorm1d(512),
        "conv1": conv(32, 16),
        "bn1": nn.BatchNorm2d(16),
    }
    parts |= {
        "conv2": conv(16, 16),
        "bn2": nn.BatchNorm2d(16),
        "conv3": conv(16, 8),
        "bn3": nn.BatchNorm2d(8),
    }

    def run(net: Any, z: Tensor) -> Tensor:
        x = torch.relu(net.bn0(net.fc(z.flatten(1)))).view(-1, 32, 4, 4)
        for i in (1, 2, 3):
            x = functional.interpolate(x, scale_factor=2.0)
            x = torch.relu(getattr(net, f"bn{i}")(getattr(net, f"conv{i}")(x)))
        return torch.tanh(net.conv4(x))

    return Net(run, {**parts, "conv4": conv(8, 3)})


def shuffled() -> nn.Module:
    row = [nn.Linear(64, 512), nn.Unflatten(1, (32, 4, 4))]
    row += [conv(32, 64), nn.PixelShuffle(2), nn.BatchNorm2d(16), nn.ReLU()]
    row += [conv(16, 32), nn.PixelShuffle(2), nn.BatchNorm2d(8), nn.ReLU(), conv(8, 12), nn.PixelShuffle(2)]
    return Net(lambda net, z: net.main(z.flatten(1)), {"main": nn.Sequential(*row, nn.Tanh())})


def named_rows() -> nn.Module:
    """An OrderedDict in Sequential, and the first layer defined last."""
    row: dict[str, nn.Module] = {"batchNorm0": nn.BatchNorm2d(32), "relu0": nn.ReLU()}
    for i, (a, b) in enumerate(((32, 16), (16, 8), (8, 4)), 1):
        row |= {
            f"convTranspose{i}": up(a, b, bias=False),
            f"batchNorm{i}": nn.BatchNorm2d(b),
            f"relu{i}": nn.ReLU(),
        }
    main = nn.Sequential()
    for name, module in {**row, "outlayer": up(4, 3, bias=False)}.items():
        main.add_module(name, module)
    return Net(
        lambda net, z: torch.tanh(net.main(net.formatLayer(z))),
        {"main": main, "formatLayer": first(100, 32, bias=False)},
    )


def blocks() -> nn.Module:
    """`layers.0.conv.weight`, as modules in a list."""
    widths = [100, 16, 8, 4]
    inner = [
        Net(
            lambda net, z: torch.relu(net.norm(net.conv(z))),
            {
                "conv": (first if i == 0 else up)(widths[i], widths[i + 1]),
                "norm": nn.BatchNorm2d(widths[i + 1]),
            },
        )
        for i in range(3)
    ]
    last = Net(lambda net, z: torch.tanh(net.conv(z)), {"conv": up(4, 3)})
    return Net(lambda net, z: nn.Sequential(*net.layers)(z), {"layers": nn.ModuleList([*inner, last])})


def alike() -> nn.Module:
    """Layers that only their numbers tell apart."""
    convs = nn.ModuleList([(first if i == 0 else up)(100 if i == 0 else 8, 8) for i in range(4)])
    norms = nn.ModuleList([nn.BatchNorm2d(8) for _ in range(4)])

    def run(net: Any, z: Tensor) -> Tensor:
        for one, norm in zip(net.convs, net.bns, strict=True):
            z = torch.relu(norm(one(z)))
        return torch.tanh(net.out(z))

    return Net(run, {"convs": convs, "bns": norms, "out": conv(8, 3, 5)})


def twos_and_seven() -> nn.Module:
    parts = {
        "head": nn.Linear(50, 392),
        "up1": up(8, 8, 2, 2, 0),
        "up2": up(8, 4, 2, 2, 0),
        "final": conv(4, 1, 7),
    }

    def run(net: Any, z: Tensor) -> Tensor:
        x = net.head(z.flatten(1)).view(-1, 8, 7, 7)
        return torch.tanh(net.final(torch.relu(net.up2(torch.relu(net.up1(x))))))

    return Net(run, parts)


def norm_behind_activation() -> nn.Module:
    """Conv, LeakyReLU, BatchNorm; a sigmoid at the end, whose images lie in [0, 1]."""
    row = [
        first(100, 16, 7),
        nn.LeakyReLU(0.2),
        nn.BatchNorm2d(16),
        up(16, 8),
        nn.LeakyReLU(0.2),
        nn.BatchNorm2d(8),
    ]
    model = nn.Sequential(*row, up(8, 1), nn.Sigmoid())
    return Net(lambda net, z: net.model(z) * 2 - 1, {"model": model})


def dense(act: nn.Module | None = None) -> nn.Module:
    row = [
        nn.Linear(64, 32),
        act or nn.ReLU(),
        nn.Linear(32, 32),
        act or nn.ReLU(),
        nn.Linear(32, 3 * 64 * 64),
    ]
    return Net(
        lambda net, z: net.net(z.flatten(1)).view(-1, 3, 64, 64), {"net": nn.Sequential(*row, nn.Tanh())}
    )


def padded_convolutions() -> nn.Module:
    """A convolution that makes 4x4 of 1x1 by its zeros, then upsampling; no BatchNorm at all."""
    row = [nn.Conv2d(100, 16, 4, 1, 3), nn.LeakyReLU(0.2)]
    for a, b in ((16, 8), (8, 4)):
        row += [nn.Upsample(scale_factor=2), conv(a, b), nn.LeakyReLU(0.2)]
    return Net(lambda net, z: torch.tanh(net.body(z)), {"body": nn.Sequential(*row, conv(4, 3, 1))})


def large() -> nn.Module:
    """512 pixels in eight layers."""
    widths = [32, 16, 8, 8, 4, 4, 2, 2, 1]
    layers = [(first if i == 0 else up)(widths[i], widths[i + 1]) for i in range(8)]
    return Net(lambda net, z: net.main(z), {"main": nn.Sequential(*settled(*layers))})


def tripled() -> nn.Module:
    """4x4 kernels to 32 pixels, then 5x5 with stride 3 to 96."""
    layers = [first(100, 32, bias=False), up(32, 16, bias=False), up(16, 8, bias=False), up(8, 4, bias=False)]
    row = settled(*layers, up(4, 3, 5, 3, 1, bias=False))
    return Net(lambda net, z: net.main(z), {"main": nn.Sequential(*row)})


def ones_and_sevens() -> nn.Module:
    """1x1, 7x7, 4x4, 4x4 to 28 pixels, of latents that hold more than noise."""
    widths, kernels = [74, 16, 8, 4, 1], [1, 7, 4, 4]
    parts: dict[str, nn.Module] = {}
    for i, kernel in enumerate(kernels):
        make = first if kernel != 4 else up
        parts[f"tconv{i + 1}"] = make(widths[i], widths[i + 1], kernel, bias=False)
        parts |= {f"bn{i + 1}": nn.BatchNorm2d(widths[i + 1])} if i < 3 else {}

    def run(net: Any, z: Tensor) -> Tensor:
        for i in (1, 2, 3):
            z = torch.relu(getattr(net, f"bn{i}")(getattr(net, f"tconv{i}")(z)))
        return torch.tanh(net.tconv4(z))

    return Net(run, parts)


def seven_by_dense() -> nn.Module:
    """A dense layer to 7x7 with BatchNorm on its vector, then 5x5 kernels of stride 1, 2 and 2."""
    row = [nn.Linear(100, 784, bias=False), nn.BatchNorm1d(784), nn.ReLU(), nn.Unflatten(1, (16, 7, 7))]
    row += settled(
        up(16, 8, 5, 1, 2, bias=False),
        up(8, 4, 5, 2, 2, output_padding=1, bias=False),
        up(4, 1, 5, 2, 2, output_padding=1, bias=False),
    )
    return Net(lambda net, z: net.model(z.flatten(1)), {"model": nn.Sequential(*row)})


CASES = {
    "official": Case(official),
    "official, small": Case(lambda: official(64, 4, 1), latent=64),
    "four channels": Case(lambda: official(nc=4)),
    "two channels": Case(lambda: official(nc=2)),
    "28 by the last kernel": Case(to_28_by_the_last),
    "28 by a 3x3 kernel": Case(to_28_by_a_3),
    "convTr1 and bn1": Case(numbered),
    "defined in another order": Case(lambda: numbered((4, 2, 5, 1, 3))),
    "deconv1_bn": Case(suffixed),
    "two branches": Case(two_branches, classes=10),
    "two dense branches": Case(two_dense_branches, latent=64, classes=6),
    "embedding": Case(embedded, classes=10),
    "classes and dropout": Case(conditional_with_dropout, classes=8, said_classes=8),
    "fc and t_conv1.0": Case(projected),
    "no padding": Case(unpadded, latent=64),
    "norm begins the row": Case(norm_begins_the_row, latent=128),
    "5x5": Case(five_by_five),
    "PyTorch-GAN": Case(upsampled_with_eps),
    "PyTorch-GAN, dense": Case(dense_with_eps),
    "bilinear": Case(upsampled_everywhere, latent=64, given=Given(mode="bilinear")),
    "interpolate in forward": Case(interpolated_in_forward),
    "pixel shuffle": Case(shuffled, latent=64),
    "named rows": Case(named_rows),
    "layers.0.conv": Case(blocks),
    "alike": Case(alike),
    "2x2 and 7x7": Case(twos_and_seven, latent=50),
    "norm behind activation": Case(norm_behind_activation, given=Given(activation=LEAKY, output="sigmoid")),
    "dense, 64 pixels": Case(dense, latent=64),
    "padded convolutions": Case(padded_convolutions, given=Given(activation=LEAKY)),
    "512 pixels": Case(large, latent=32),
    "96 by the last kernel": Case(tripled),
    "1x1 and 7x7": Case(ones_and_sevens, latent=74),
    "dense to 7x7": Case(seven_by_dense),
}  # fmt: skip


def trained(case: Case) -> tuple[nn.Module, Tensor, Tensor]:
    """(network, its inputs, its images), with weights and statistics as if it had been trained."""
    torch.manual_seed(0)
    network = case.make()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.2)
            nn.init.normal_(module.bias, 0.0, 0.2)
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0.0, 0.3)
            module.running_var.uniform_(0.5, 1.5)
    z = torch.randn(3, case.latent, 1, 1)
    if case.classes:
        weights = torch.eye(case.classes)[[0, 1, case.classes - 1]]
        z = torch.cat([z, weights[:, :, None, None]], 1)
    with torch.inference_mode():
        return network, z, network.eval()(z)


def weights(network: nn.Module) -> dict[str, Tensor]:
    """The tensors of a network as a file has them, without counters."""
    return {k: v for k, v in network.state_dict().items() if not k.endswith("num_batches_tracked")}
