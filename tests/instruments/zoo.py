"""Small models of every kind whose gradients take a path of their own, each with two batches and a composite loss."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses, as_objectives


@dataclass(frozen=True)
class Case:
    """`step(model, batch)` returns the unweighted components and the output; `owned` says which parameters the
    objectives of a nested mapping are measured on, as prefixes."""

    model: Callable[[], nn.Module]
    step: Callable[[nn.Module, Any], tuple[Mapping[str, Any], Any]]
    batches: list[Any]
    weights: Mapping[str, float] = field(default_factory=dict)
    precision: str = "fp32"
    owned: Mapping[str, str] = field(default_factory=dict)

    def build(self):
        torch.manual_seed(7)
        return self.model()

    def setup(self, model=None, **options):
        def loss(model, batch):
            components, output = self.step(model, batch)
            return Losses(as_objectives(components, "step"), output)

        options = {"weights": self.weights, "precision": self.precision} | options
        return Setup(model if model is not None else self.build(), self.batches, loss, **options)


def vectors(count=2, size=(6, 5), dtype=torch.float32):
    generator = torch.Generator().manual_seed(3)
    return [
        (torch.randn(*size, generator=generator, dtype=dtype), torch.randn(*size, generator=generator, dtype=dtype))
        for _ in range(count)
    ]


def tokens(count=2):
    generator = torch.Generator().manual_seed(4)
    return [torch.randint(0, 11, (4, 7), generator=generator) for _ in range(count)]


def photos(count=2, channels=3):
    generator = torch.Generator().manual_seed(5)
    return [torch.rand(2, channels, 12, 12, generator=generator) for _ in range(count)]


class Heads(nn.Module):
    """A trunk with two heads, and a parameter of its own."""

    def __init__(self, trunk=None):
        super().__init__()
        self.trunk = trunk or nn.Sequential(nn.Linear(5, 8), nn.Tanh())
        self.left = nn.Linear(8, 5)
        self.right = nn.Linear(8, 5)
        self.scale = nn.Parameter(torch.tensor(1.3))

    def forward(self, x):
        features = self.trunk(x)
        return {"left": self.left(features), "right": self.scale * self.right(features)}


def both_heads(model, batch):
    x, target = batch
    output = model(x)
    return {
        "left": F.mse_loss(output["left"], target),
        "right": (output["right"] - target).abs().mean(),
        "apart": F.cosine_similarity(output["left"], output["right"]).mean(),
    }, output


def plain(model, batch):
    """Two components that share the whole model."""
    output = model(batch[0])
    return {"mse": F.mse_loss(output, batch[1]), "size": output.exp().mean(), "l1": F.l1_loss(output, batch[1])}, output


class Disjoint(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(5, 5), nn.Linear(5, 5)

    def forward(self, x):
        return self.first(x), self.second(x)


def disjoint(model, batch):
    first, second = output = model(batch[0])
    return {"first": F.mse_loss(first, batch[1]), "second": F.mse_loss(second, batch[1])}, output


class Tied(nn.Module):
    """A language model whose output layer is its embedding."""

    def __init__(self, sparse=False, tied=True):
        super().__init__()
        self.embedding = nn.Embedding(11, 6, sparse=sparse)
        self.mixing = nn.Linear(6, 6)
        self.head = nn.Linear(6, 11, bias=False)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, tokens):
        return self.head(torch.tanh(self.mixing(self.embedding(tokens))))


def language(model, tokens):
    logits = model(tokens)
    entropy = -(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1).mean()
    return {
        "next": F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten()),
        "entropy": entropy,
        "norm": model.embedding(tokens).square().mean(),
    }, logits


def frozen_heads():
    model = Heads()
    model.trunk[0].weight.requires_grad_(False)
    model.right.requires_grad_(False)
    return model


def image_network(*layers):
    return nn.Sequential(nn.Conv2d(3, 6, 3, padding=1), *layers, nn.Conv2d(6, 3, 3, padding=1))


def restoration(model, photo):
    output = model(photo)
    return {
        "mse": F.mse_loss(output, photo),
        "tv": output.diff(dim=-1).abs().mean() + output.diff(dim=-2).abs().mean(),
    }, output


class SkippedTrunk(nn.Module):
    """One head reads the trunk, the other the raw input."""

    def __init__(self):
        super().__init__()
        self.trunk, self.head, self.direct = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 5)

    def forward(self, x):
        return self.head(torch.relu(self.trunk(x))), self.direct(x)


def skipping(model, batch):
    x, target = batch
    through, around = output = model(x)
    return {
        "through": F.mse_loss(through, target),
        "through_l1": F.l1_loss(through, target),
        "around": F.mse_loss(around, target),
        "constant": target.square().mean(),
        "decay": sum(p.square().sum() for p in model.direct.parameters()),
    }, output


class Gan(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 5))
        self.discriminator = nn.Sequential(nn.Linear(5, 8), nn.LeakyReLU(), nn.Linear(8, 1))


def gan(model, batch):
    noise, real = batch
    fake = model.generator(noise)
    score = model.discriminator(fake)
    on_real, on_fake = model.discriminator(real), model.discriminator(fake.detach())
    return {
        "generator": {"adversarial": F.softplus(-score).mean(), "reconstruction": F.l1_loss(fake, real)},
        "discriminator": {"real": F.softplus(-on_real).mean(), "fake": F.softplus(on_fake).mean()},
    }, None


def gan_that_freezes(model, batch):
    """As people write it: the discriminator takes its turn, then it is frozen for the generator's, and stays so."""
    noise, real = batch
    fake = model.generator(noise)
    model.discriminator.requires_grad_(True)
    on_real, on_fake = model.discriminator(real), model.discriminator(fake.detach())
    model.discriminator.requires_grad_(False)
    return {
        "discriminator": {"real": F.softplus(-on_real).mean(), "fake": F.softplus(on_fake).mean()},
        "generator": {
            "adversarial": F.softplus(-model.discriminator(fake)).mean(),
            "reconstruction": F.l1_loss(fake, real),
        },
    }, None


class CycleGan(nn.Module):
    def __init__(self):
        super().__init__()
        self.to_b, self.to_a = nn.Linear(5, 5), nn.Linear(5, 5)
        self.judge_a, self.judge_b = nn.Linear(5, 1), nn.Linear(5, 1)


def cycle_gan(model, batch):
    a, b = batch
    fake_b, fake_a = model.to_b(a), model.to_a(b)
    return {
        "generators": {
            "adversarial_a": (model.judge_a(fake_a) - 1).square().mean(),
            "adversarial_b": (model.judge_b(fake_b) - 1).square().mean(),
            "cycle": F.l1_loss(model.to_a(fake_b), a) + F.l1_loss(model.to_b(fake_a), b),
        },
        "judge_a": {
            "real": (model.judge_a(a) - 1).square().mean(),
            "fake": model.judge_a(fake_a.detach()).square().mean(),
        },
        "judge_b": {
            "real": (model.judge_b(b) - 1).square().mean(),
            "fake": model.judge_b(fake_b.detach()).square().mean(),
        },
    }, None


class Wrapper(nn.Module):
    """What DataParallel does to the names of the parameters."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        return self.module(x)


class ComplexLayer(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(5, 5, dtype=torch.complex64))
        self.real = nn.Linear(5, 5)

    def forward(self, x):
        return self.real(x) + (x.to(torch.complex64) @ self.weight.conj()).abs()


def sometimes(model, batch):
    components, output = plain(model, batch)
    if batch[0].shape[0] == 3:
        components["penalty"] = output.pow(4).mean()
        del components["l1"]
    return components, output


class Doubled(torch.autograd.Function):
    """Multiplies the gradient by two on its way back, which nothing but a backward can know."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return 2 * gradient


class CustomBackward(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(5, 5), nn.Linear(5, 5)

    def forward(self, x):
        return self.second(Doubled.apply(self.first(x)))


class Checkpointed(nn.Module):
    """Computes its trunk again in every backward, dropout and batch norm included."""

    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(5, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.Tanh())
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        return self.head(checkpoint(self.trunk, x, use_reentrant=False))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm, self.head = nn.Embedding(11, 6), nn.LSTM(6, 8, batch_first=True), nn.Linear(8, 11)

    def forward(self, tokens):
        return self.head(self.lstm(self.embedding(tokens))[0])


def normalized():
    return nn.Sequential(
        parametrizations.weight_norm(nn.Linear(5, 8)),
        nn.Tanh(),
        parametrizations.spectral_norm(nn.Linear(8, 8)),
        nn.utils.spectral_norm(nn.Linear(8, 5)),
    )


class WideLayers(nn.Module):
    """A table of 64 words of which few occur, and layers with more channels than places to look at."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(64, 5, padding_idx=3)
        self.convolution = nn.Conv2d(5, 48, 3, stride=(2, 1), padding=(1, 0), dilation=2)
        self.linear = nn.Linear(48, 40)
        self.last = nn.Linear(40, 32, bias=False)

    def forward(self, words):
        seen = self.convolution(self.table(words).permute(2, 0, 1)[None]).tanh()
        hidden = self.linear(seen.flatten(2).transpose(1, 2)).relu()
        return self.last(hidden), seen


def wide(model, words):
    output, seen = model(words)
    components = {"square": output.square().mean(), "absolute": output.abs().sum(), "early": seen.pow(4).mean()}
    return components, output


def hooked():
    """A hook on a parameter changes the gradient that the optimizer will see."""
    model = nn.Linear(5, 5)
    model.weight.register_hook(lambda gradient: 3 * gradient)
    return model


CASES = {
    "shared trunk with heads": Case(Heads, both_heads, vectors(), {"left": 1.0, "right": -0.5, "apart": 20.0}),
    "disjoint parameters": Case(Disjoint, disjoint, vectors(), {"second": 3.0}),
    "tied weights": Case(Tied, language, tokens(), {"entropy": 0.1, "norm": 0.0}),
    "frozen layers": Case(frozen_heads, both_heads, vectors(), {"right": 2.0}),
    "batch norm": Case(lambda: image_network(nn.BatchNorm2d(6), nn.ReLU()), restoration, photos(), {"tv": 0.3}),
    "dropout": Case(lambda: image_network(nn.Dropout(0.4), nn.ReLU()), restoration, photos(), {"tv": 0.3}),
    "channels last": Case(
        lambda: image_network(nn.ReLU()).to(memory_format=torch.channels_last), restoration, photos()
    ),
    "component that skips the trunk": Case(SkippedTrunk, skipping, vectors(), {"around": 7.0, "decay": 1e-3}),
    "gan": Case(
        Gan,
        gan,
        vectors(),
        {"reconstruction": 10.0, "discriminator.fake": 0.5},
        owned={"generator": "generator.", "discriminator": "discriminator."},
    ),
    "gan that freezes": Case(
        Gan, gan_that_freezes, vectors(), owned={"generator": "generator.", "discriminator": "discriminator."}
    ),
    "cycle gan": Case(
        CycleGan,
        cycle_gan,
        vectors(),
        {"cycle": 10.0},
        owned={"generators": "to_", "judge_a": "judge_a.", "judge_b": "judge_b."},
    ),
    "sparse embedding": Case(lambda: Tied(sparse=True, tied=False), language, tokens(), {"entropy": 0.1}),
    "wrapped": Case(lambda: Wrapper(Heads()), both_heads, vectors(), {"apart": 20.0}),
    "complex parameters": Case(ComplexLayer, plain, vectors(), {"size": 0.2}),
    "bf16 autocast": Case(Heads, both_heads, vectors(), {"apart": 20.0}, precision="bf16"),
    "double precision": Case(lambda: Heads().double(), both_heads, vectors(dtype=torch.float64), {"apart": 20.0}),
    "bf16 parameters": Case(lambda: Heads().bfloat16(), both_heads, vectors(dtype=torch.bfloat16)),
    "components in some batches": Case(
        lambda: nn.Linear(5, 5), sometimes, vectors() + vectors(1, (3, 5)), {"penalty": 0.5, "l1": 2.0}
    ),
    "custom autograd function": Case(CustomBackward, plain, vectors()),
    "activation checkpointing": Case(Checkpointed, plain, vectors(), {"size": 0.2}),
    "weight and spectral norm": Case(normalized, plain, vectors(), {"size": 0.2}),
    "recurrent": Case(Recurrent, language, tokens(), {"entropy": 0.1}),
    "hook on a parameter": Case(hooked, plain, vectors()),
    "layers wider than the batch": Case(WideLayers, wide, tokens(), {"square": 3.0}),
    "parameters of many blocks": Case(
        lambda: Heads(nn.Sequential(nn.Linear(5, 700), nn.ReLU(), nn.Linear(700, 301), nn.Linear(301, 8))),
        both_heads,
        vectors(),
        {"apart": 20.0},
    ),
}
