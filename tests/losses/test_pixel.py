"""Terms on pixels and their neighbours, against closed forms."""

import numpy as np
import pytest
import torch

from .components import build, gradient, random_image, similar_pair

PREDICTION, TARGET = similar_pair(2, 3, 5, 6)
DIFFERENCE = (PREDICTION - TARGET).numpy()


def sobel(image):
    """Derivatives along x and y of N×C×H×W by the definition: slope 1 gives 1, the border is repeated."""
    padded = np.pad(image, [(0, 0), (0, 0), (1, 1), (1, 1)], mode="edge")
    wide, high = padded[..., 2:] - padded[..., :-2], padded[..., 2:, :] - padded[..., :-2, :]
    along_x = (wide[..., :-2, :] + 2 * wide[..., 1:-1, :] + wide[..., 2:, :]) / 8
    along_y = (high[..., :-2] + 2 * high[..., 1:-1] + high[..., 2:]) / 8
    return np.stack([along_x, along_y])


def huber(difference, beta):
    small = np.abs(difference) < beta
    return np.where(small, difference**2 / (2 * beta), np.abs(difference) - beta / 2)


CLOSED_FORMS = [
    ({"term": "mse"}, DIFFERENCE**2),
    ({"term": "l1"}, np.abs(DIFFERENCE)),
    ({"term": "smooth_l1"}, DIFFERENCE**2 / 2),
    ({"term": "smooth_l1", "beta": 0.1}, huber(DIFFERENCE, 0.1)),
    ({"term": "charbonnier"}, np.sqrt(DIFFERENCE**2 + 1e-6)),
    ({"term": "charbonnier", "epsilon": 0.2}, np.sqrt(DIFFERENCE**2 + 0.04)),
    ({"term": "gradient"}, np.abs(sobel(PREDICTION.numpy()) - sobel(TARGET.numpy()))),
]


@pytest.mark.parametrize(("section", "elements"), CLOSED_FORMS)
def test_closed_form(section, elements):
    assert build(**section)(PREDICTION, TARGET).item() == pytest.approx(elements.mean())
    assert build(**section, reduction="sum")(PREDICTION, TARGET).item() == pytest.approx(elements.sum())


def test_total_variation():
    image = PREDICTION.numpy()
    vertical, horizontal = np.abs(np.diff(image, axis=-2)), np.abs(np.diff(image, axis=-1))
    mean, total = build(term="tv"), build(term="tv", reduction="sum")
    assert mean(PREDICTION, TARGET).item() == pytest.approx(vertical.mean() + horizontal.mean())
    assert total(PREDICTION, TARGET).item() == pytest.approx(vertical.sum() + horizontal.sum())


def test_mean_total_variation_does_not_depend_on_the_resolution():
    checkers = (torch.arange(8)[:, None] + torch.arange(8)) % 2
    loss = build(term="tv")
    small, large = (checkers.double().tile(n, n).view(1, 1, 8 * n, 8 * n) for n in (1, 3))
    assert loss(small, small).item() == loss(large, large).item() == 2.0


def test_total_variation_looks_at_the_prediction_alone():
    loss = build(term="tv", space="lab")
    assert torch.equal(loss(PREDICTION, TARGET), loss(PREDICTION, random_image(1, 1, 2, 2)))


def test_raw_lab_gradient_is_larger_by_the_span():
    raw, scaled = (build(term="mse", space="lab", channels=["a", "b"], normalize=flag) for flag in (False, True))
    expected = 256**2 * gradient(scaled, PREDICTION, TARGET)
    torch.testing.assert_close(gradient(raw, PREDICTION, TARGET), expected, rtol=1e-10, atol=1e-10)
