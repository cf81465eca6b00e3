"""Small networks as others write them: one for each family of architectures, by its shapes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def unit(ins: int, outs: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(ins, outs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outs),
        nn.ReLU(inplace=True),
    )


class Bottleneck(nn.Module):
    def __init__(self, ins: int, outs: int, stride: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            unit(ins, outs // 2, 1), unit(outs // 2, outs // 2, 3, stride),
            nn.Conv2d(outs // 2, outs, 1, bias=False), nn.BatchNorm2d(outs),
        )  # fmt: skip
        nn.init.zeros_(self.body[-1].weight)  # as is usual at the end of a branch
        self.downsample = nn.Conv2d(ins, outs, 1, stride, bias=False)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        out = self.body(x)
        out += self.downsample(x)
        return self.relu(out)


class Residual(nn.Module):
    """ResNet."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        self.layer1 = nn.Sequential(Bottleneck(8, 16, 1), Bottleneck(16, 16, 2))
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layer1(self.maxpool(F.relu(self.bn1(self.conv1(x)), inplace=True)))
        return self.fc(torch.flatten(self.avgpool(x), 1))


class Plain(nn.Module):
    """VGG and AlexNet: hidden layers after a flattened map."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(True), nn.MaxPool2d(2, 2),
            nn.Conv2d(8, 8, 3, padding=1), nn.PReLU(8), nn.MaxPool2d(3, 2, ceil_mode=True),
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d((3, 3))
        self.classifier = nn.Sequential(
            nn.Linear(72, 16), nn.ReLU(True), nn.Dropout(), nn.Linear(16, 8), nn.ReLU(True),
            nn.Dropout(0.2), nn.Linear(8, 5),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))
        return self.classifier(x.view(x.size(0), -1))


class Dense(nn.Module):
    """DenseNet: joins, functions instead of layers, dropout of a function."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.norms = nn.ModuleList([nn.BatchNorm2d(8 + 4 * n) for n in range(3)])
        self.convs = nn.ModuleList([nn.Conv2d(8 + 4 * n, 4, 3, padding=1) for n in range(3)])
        self.narrow = nn.Conv2d(20, 10, 1)
        self.pool = nn.AvgPool2d(2, 2)
        self.head = nn.Linear(10, 5)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.stem(x)]
        for norm, conv in zip(self.norms, self.convs, strict=True):
            new = conv(F.relu(norm(torch.cat(parts, 1))))
            parts.append(F.dropout(new, 0.1, self.training))
        x = self.pool(self.narrow(torch.cat(parts, dim=1)))
        x = F.adaptive_avg_pool2d(F.relu(x), (1, 1))
        return self.head(torch.flatten(x, 1))


class Gate(nn.Module):
    """Squeeze and excite, as it stands in most repositories: pooled, flat, and unflattened."""

    def __init__(self, width: int, flat: bool) -> None:
        super().__init__()
        self.flat = flat
        self.pool = nn.AdaptiveAvgPool2d(1)
        narrow = max(1, width // 4)
        kind = nn.Linear if flat else (lambda i, o: nn.Conv2d(i, o, 1))
        self.fc = nn.Sequential(kind(width, narrow), nn.ReLU(), kind(narrow, width), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        if not self.flat:
            return x * self.fc(x.mean((2, 3), keepdim=True))
        b, c, _, _ = x.size()
        y = self.fc(self.pool(x).view(b, c)).view(b, c, 1, 1)
        return x * y.expand_as(x)


class StochasticDepth(nn.Module):
    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        coins = torch.rand([len(x)] + [1] * (x.dim() - 1)) > self.p
        return x * coins / (1 - self.p)


class Inverted(nn.Module):
    def __init__(self, width: int, flat: bool) -> None:
        super().__init__()
        self.wide = unit(width, 2 * width, 1)
        self.depthwise = unit(2 * width, 2 * width, 5, groups=2 * width)
        self.gate = Gate(2 * width, flat)
        self.act = nn.Hardswish()
        self.narrow = nn.Sequential(nn.Conv2d(2 * width, width, 1), nn.BatchNorm2d(width))
        self.drop = StochasticDepth(0.2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.gate(self.depthwise(self.wide(x))))
        return x + self.drop(self.narrow(y))


class Mobile(nn.Module):
    """MobileNetV3 and EfficientNet: depthwise, gates, branches dropped, a hidden layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.SiLU())
        self.blocks = nn.Sequential(Inverted(8, flat=False), Inverted(8, flat=True))
        self.last = nn.Conv2d(8, 12, 1)
        self.head = nn.Sequential(
            nn.Linear(12, 10), nn.Hardswish(), nn.Dropout(0.2), nn.Linear(10, 5)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.last(self.blocks(self.stem(x)))
        return self.head(F.avg_pool2d(x, x.shape[2:]).flatten(1))


class Response(nn.Module):
    """The global response norm of ConvNeXt V2."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((width,), 0.3))
        self.bias = nn.Parameter(torch.full((width,), 0.1))

    def forward(self, x: Tensor) -> Tensor:
        size = x.norm(p=2, dim=(1, 2), keepdim=True)
        size = size / (size.mean(dim=-1, keepdim=True) + 1e-6)
        weight = self.weight.view(1, 1, 1, -1)
        return x + torch.addcmul(self.bias.view(1, 1, 1, -1), weight, x * size)


class NextBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 7, padding=3, groups=width)
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.wide, self.narrow = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.response = Response(4 * width)
        self.scale = nn.Parameter(1e-6 * torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        y = self.narrow(self.response(F.gelu(self.wide(y)))).permute(0, 3, 1, 2)
        return x + y.mul(self.scale.reshape(1, -1, 1, 1))


class Next(nn.Module):
    """ConvNeXt: patches, layer norms, channels last, layer scale."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 4, 4), nn.GroupNorm(1, 8))
        self.blocks = nn.Sequential(NextBlock(8), NextBlock(8))
        self.norm = nn.LayerNorm(8)
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(self.stem(x)).mean([-2, -1])
        return self.head(self.norm(x))


class Grouped(nn.Module):
    """RegNet and ResNeXt: groups, group norms, instance norms, chunks."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = unit(3, 16, 3, 2)
        self.conv = nn.Conv2d(16, 16, 3, padding=1, groups=4)
        self.norm = nn.GroupNorm(4, 16)
        self.single = nn.InstanceNorm2d(16, affine=True)
        self.left, self.right = nn.Conv2d(8, 8, 1), nn.Conv2d(8, 8, 3, padding=1)
        self.pool = nn.AdaptiveMaxPool2d(1)
        self.fc = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        x = F.leaky_relu(self.norm(self.conv(x)), 0.1) + x
        a, b = x.chunk(2, dim=1)
        x = self.single(torch.cat([self.left(a) - b, self.right(b)], 1))
        return self.fc(self.pool(x[:, :, 1:-1, 1:-1]).flatten(1))


class Branches(nn.Module):
    """Inception: rows and columns, branches, an input that is rescaled, a head for training."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1))
        self.stem = unit(3, 8, 3, 2)
        self.one = unit(8, 4, 1)
        self.seven = nn.Sequential(
            nn.Conv2d(8, 4, (1, 7), padding=(0, 3)), nn.ReLU(),
            nn.Conv2d(4, 6, (7, 1), padding=(3, 0)), nn.ReLU(),
        )  # fmt: skip
        self.pooled = unit(8, 4, 1)
        self.aux = nn.Linear(8, 5)
        self.fc = nn.Linear(14, 5)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        first = torch.unsqueeze(x[:, 0], 1) * (0.229 / 0.5) + 0.1
        x = torch.cat([first, x[:, 1:]], 1) - self.mean
        x = self.stem(x)
        aux = self.aux(x.mean((2, 3))) if self.training else None
        pooled = self.pooled(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))
        x = torch.cat([self.one(x), self.seven(x), pooled], 1)
        x = F.max_pool2d(x, kernel_size=3, stride=2)
        out = self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))
        return out if aux is None else (out, aux)


class Scales(nn.Module):
    """U-Net: strided down, up by interpolation and by transposed convolution, skips, logits."""

    def __init__(self) -> None:
        super().__init__()
        self.one, self.two = unit(3, 6, 3), unit(6, 8, 3, 2)
        self.three = unit(8, 12, 3, 2)
        self.up = nn.ConvTranspose2d(12, 8, 2, 2)
        self.merge = unit(16, 8)
        self.odd = nn.ConvTranspose2d(8, 6, 3, 2, 1, output_padding=1)
        self.context = nn.Conv2d(12, 6, 1)
        self.last = nn.Conv2d(12, 2, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        a = self.one(x)
        b = self.two(F.pad(a, (0, 1, 0, 1))[:, :, :-1, :-1])
        c = self.three(b)
        y = self.merge(torch.cat([F.interpolate(self.up(c), size=b.shape[2:]), b], 1))
        y = self.odd(y)
        whole = self.context(F.adaptive_avg_pool2d(c, 1)).expand(-1, -1, *y.shape[2:])
        whole = F.interpolate(whole, scale_factor=1.0, mode="bilinear", align_corners=False)
        return self.last(torch.cat([y + whole, a], 1)) + x.mean(1, keepdim=True)


@dataclass(frozen=True)
class Row:
    """A network, and a size on which its strides are exact, if there is one."""

    make: Callable[[], nn.Module]
    exact: int | None = 33
    size: int = 32


ARCHITECTURES: dict[str, Row] = {
    "Residual": Row(Residual),
    "Plain": Row(Plain, 30),
    "Dense": Row(Dense, 32, 31),
    "Mobile": Row(Mobile, 33),
    "Next": Row(Next, 32, 34),
    "Grouped": Row(Grouped, 33),
    "Branches": Row(Branches, 33),
    "Scales": Row(Scales, None),
}


def build(name: str) -> nn.Module:
    """The network with statistics that are not 0 and 1, in `eval()`."""
    torch.manual_seed(0)
    model = ARCHITECTURES[name].make()
    with torch.no_grad():
        for value in model.parameters():
            if value.dim() < 2:
                value.add_(0.3 * torch.rand(value.shape))
        model.train()(images(name, 4))
    return model.eval()


def images(name: str, batch: int = 2, exact: bool = False) -> Tensor:
    """Random images for it."""
    row = ARCHITECTURES[name]
    size = row.exact if exact and row.exact else row.size
    return torch.randn(batch, 3, size, size, generator=torch.Generator().manual_seed(batch))
