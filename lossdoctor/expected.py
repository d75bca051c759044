r"""What a config lets expect of its built-in components before anything is measured: values and gradients.

Prediction and target are RGB in [0, 1]. Let a prediction be off by δ = 0.1 in every channel of RGB: between a fresh
model (about 0.3) and a trained one (about 0.03). A channel that spans r over the whole RGB cube is then off by about
d = r·δ, and moves by about r where the colour moves by 1. With C channels, P pixels and the slope ∂ℓ/∂d of a term, the
gradients of the elements, which point anywhere, add up in quadrature:

    ‖∂L/∂image‖ ≈ √P · √(Σ_c (∂ℓ/∂d_c · r_c)²) / elements      elements = P·C for a mean, 1 for a sum

so the gradient of an MSE, whose slope is 2d, grows with the square of the range, and that of an L1 with the range.
√P is common to all components and left out. The slopes:

    mse 2d    l1 1    smooth_l1 min(d/β, 1)    charbonnier d/√(d²+ε²)
    gradient  1, of Sobel derivatives, whose kernels have the L1 norm 1
    tv        2: a pixel has four neighbours, in random directions
    ssim      ∂(2cov/(var+var'+C₂)) ≈ σ/(σ²+C₂), C₂ = (0.03·range)², for texture of σ = r·δ
    perceptual  that of its distance on RGB/0.225 (ImageNet's deviation): layers that keep the scale of their input
                (He et al. 2015) give features that differ as much as the input does; of a sum, ten times that of
                the pixels, because the layers together have about ten times the elements of the image

Hue moves by r where the colour moves by its chroma, about 0.1 in photographs; near grey it moves without bound.

These are orders of magnitude: what is judged by them leaves a factor of ten (`rules.base.EXPECTED`). Losses in the
user's own code let nothing be expected.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from .facts.gradients import Block, ObjectiveGradients
from .losses.spaces import selected_channels

# As in the rules: the schema costs more to load than all of them together.
if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from .config.schema import BuiltInComponent, Config, SsimComponent

#: How far a prediction is off, in units of RGB.
ERROR = 0.1

#: Standard deviation of ImageNet's RGB, by which a loss network divides.
IMAGENET_STD = 0.225

#: Chroma of what photographs show: hue moves by its whole range where the colour moves by that.
CHROMA = 0.1

#: Batch and side where the data are the user's own: no smaller images are usual in the restoration of pictures.
LEAST_BATCH, LEAST_SIDE = 1, 32


def expected_gradients(config: Config) -> ObjectiveGradients | None:
    """Return what the gradient instrument could show of a config's components; None where they are the user's code.

    One batch, one block that all components reach, gradients that are orthogonal to each other.
    """
    from .config.schema import weight_at

    components = config.loss.components
    if components is None:
        return None
    pixels, images = _size(config)
    norms = [_norm(component, pixels, images) for component in components.values()]
    size = len(components)
    weights = [1.0 if c.weight is None else weight_at(c.weight) for c in components.values()]
    gramian = tuple(tuple(norms[i] ** 2 if i == j else 0.0 for j in range(size)) for i in range(size))
    return ObjectiveGradients(
        name="total",
        components=tuple(components),
        weights=tuple(weights),
        declared=tuple(component.weight is not None for component in components.values()),
        roles=tuple(_roles(config, [abs(w) * norm for w, norm in zip(weights, norms, strict=True)])),
        attached=(True,) * size,
        values=((math.nan,) * size,),  # none is expected
        output_grad_norms=((None,) * size,),
        blocks=(Block("", (True,) * size, 1, (gramian,)),),
    )


def expected_size(settings: Mapping[str, Any], config: Config) -> float | None:
    """Return |w|·‖∇L‖ that can be expected of a component with these settings, whatever else the mapping holds.

    It is |w| where the loss is the user's code, and None where the settings are not those of a component.
    """
    from pydantic import ValidationError

    from .config.schema import weight_at

    known = {key: value for key, value in settings.items() if key not in ("role", "share")}
    try:
        component = _components().validate_python(known if "term" in known else {"term": "l1", **known})
    except ValidationError:
        return None
    size = 1.0 if component.weight is None else abs(weight_at(component.weight))
    return size * _norm(component, *_size(config)) if "term" in known else size


@cache
def _components() -> TypeAdapter[BuiltInComponent]:
    from pydantic import TypeAdapter

    from .config.schema import BuiltInComponent

    return TypeAdapter(BuiltInComponent)


def _size(config: Config) -> tuple[int, int]:
    """Return the pixels of a batch and its images."""
    from .config.schema import ImageData

    data = config.data
    images, side = (data.batch_size, data.size) if isinstance(data, ImageData) else (LEAST_BATCH, LEAST_SIDE)
    return images * side**2, images


def _norm(component: BuiltInComponent, pixels: int, images: int) -> float:
    """Return the expected norm of a component's gradient, unweighted and over √P."""
    channels = _channels(component)
    slope = _slope(component)
    norm = math.sqrt(sum((slope(spread * ERROR) * move) ** 2 for spread, move in channels)) / (pixels * len(channels))
    return norm if component.reduction == "mean" else norm * _summed(component, pixels, images, len(channels))


def _summed(component: BuiltInComponent, pixels: int, images: int, channels: int) -> int:
    """Return how many numbers a sum adds up: one for each element, of MS-SSIM one for each channel of an image."""
    if component.term == "perceptual":
        return 10 * channels * pixels
    return channels * (images if component.term == "ms_ssim" else pixels)


def _channels(component: BuiltInComponent) -> Sequence[tuple[float, float]]:
    """Return the span of every channel over the RGB cube, and how far it moves by a unit of RGB, as it is compared."""
    if component.term == "perceptual":
        return ((1 / IMAGENET_STD, 1 / IMAGENET_STD),) * 3
    channels = selected_channels(component.space, component.channels)
    spans = [(c.maximum - c.minimum) / (c.span if component.normalize else 1.0) for c in channels]
    return [(span, span / CHROMA if c.letter == "H" else span) for c, span in zip(channels, spans, strict=True)]


def _slope(component: BuiltInComponent) -> Callable[[float], float]:
    """Return ∂ℓ/∂d of a component's term as a function of the difference d."""
    match component.term:
        case "smooth_l1":
            beta = component.beta
            return lambda d: min(d / beta, 1.0)
        case "charbonnier":
            epsilon = component.epsilon
            return lambda d: d / math.hypot(d, epsilon)
        case "ssim" | "ms_ssim":
            steady = (0.03 * _data_range(component)) ** 2
            return lambda d: d / (d**2 + steady)
        case "perceptual":
            return _SLOPES[component.distance]
        case term:
            return _SLOPES[term]


_SLOPES: Mapping[str, Callable[[float], float]] = {
    "mse": lambda d: 2 * d,
    "l1": lambda _: 1.0,
    "gradient": lambda _: 1.0,
    "tv": lambda _: 2.0,
}


def _data_range(component: SsimComponent) -> float:
    """Return the span of values that an SSIM assumes, as `losses.build` does."""
    span = max(channel.span for channel in selected_channels(component.space, component.channels))
    return component.data_range or (1.0 if component.normalize else span)


def _roles(config: Config, norms: Sequence[float]) -> list[str | None]:
    """Return the declared roles; a total variation, which looks at no target, may be small without one."""
    components = config.loss.components or {}
    return [
        config.loss.roles.get(name, config.loss.roles.get(f"total.{name}"))
        or ("regularizer" if component.term == "tv" and norm < max(norms) else None)
        for (name, component), norm in zip(components.items(), norms, strict=True)
    ]
