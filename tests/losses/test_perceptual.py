"""The perceptual term: its backbone, its weights, its distance."""

import pytest
import safetensors.torch
import torch
import torchvision
from torch import nn

from lossdoctor.errors import CheckpointError, LossDoctorError
from lossdoctor.losses.backbone import DEFAULT_LAYERS

from .components import build, gradient, random_image, similar_pair

PREDICTION, TARGET = similar_pair(2, 3, 32, 32, dtype=torch.float32)


def perceptual(folder=None, **section):
    section = {"term": "perceptual", "pretrained": "random", **section}
    return build(folder, **section) if folder else build(**section)


@pytest.fixture(scope="module")
def squeezenet():
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return torchvision.models.squeezenet1_1(weights=None)


@pytest.fixture
def folder(tmp_path, squeezenet):
    """Weights in every form that `pretrained` takes."""
    torch.save(squeezenet.state_dict(), tmp_path / "network.pth")
    torch.save(squeezenet.features.state_dict(), tmp_path / "features.pth")
    torch.save({"epoch": 3, "model": squeezenet.state_dict()}, tmp_path / "training.pth")
    safetensors.torch.save_file(squeezenet.state_dict(), tmp_path / "network.safetensors")
    safetensors.torch.save_file(squeezenet.features.state_dict(), tmp_path / "features.safetensors")
    return tmp_path


def activations(network, image, layers):
    """The outputs of the layers, caught by hooks while the network runs as torchvision built it."""
    caught = {}

    def catch(layer, _inputs, output):
        caught[layer] = output.clone()

    hooks = [network.features[index].register_forward_hook(catch) for index in layers]
    mean = torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)
    std = torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1)
    with torch.no_grad():
        network.features((image - mean) / std)
    for hook in hooks:
        hook.remove()
    return [caught[network.features[index]] for index in layers]


@pytest.mark.parametrize("distance", ["mse", "l1"])
@pytest.mark.parametrize("layers", [None, [0], [3, 1, 12]])
def test_value(squeezenet, folder, distance, layers):
    chosen = layers or DEFAULT_LAYERS["squeezenet1_1"]
    features, expected = (activations(squeezenet.eval(), image, chosen) for image in (PREDICTION, TARGET))
    power = 2 if distance == "mse" else 1
    elements = [(a - b).abs() ** power for a, b in zip(features, expected, strict=True)]
    section = {"pretrained": "network.pth", "distance": distance, "layers": layers}
    mean, total = (perceptual(folder, **section, reduction=how)(PREDICTION, TARGET) for how in ("mean", "sum"))
    assert mean.item() == pytest.approx(sum(layer.mean().item() for layer in elements) / len(chosen), rel=1e-4)
    assert total.item() == pytest.approx(sum(layer.sum().item() for layer in elements), rel=1e-4)


@pytest.mark.parametrize("file", ["features.pth", "training.pth", "network.safetensors", "features.safetensors"])
def test_every_form_of_a_checkpoint_gives_the_same_network(folder, file):
    values = [perceptual(folder, pretrained=name)(PREDICTION, TARGET) for name in ("network.pth", file)]
    assert torch.equal(*values)


@pytest.mark.parametrize("backbone", DEFAULT_LAYERS)
def test_default_layers_are_rectified(backbone):
    """What LPIPS and Johnson et al. compare: activations after the ReLU, from every stage."""
    loss = perceptual(backbone=backbone)
    for features in loss.backbone(random_image(1, 3, 32, 32)):
        assert features.min() == 0.0
    assert len(loss.backbone.features) == max(DEFAULT_LAYERS[backbone]) + 1


def test_layers_before_an_inplace_relu_are_not_overwritten():
    (features,) = perceptual(layers=[0]).backbone(PREDICTION)
    before_relu, after_relu = perceptual(layers=[0, 1]).backbone(PREDICTION)
    assert before_relu.min() < 0
    assert torch.equal(before_relu, features)
    assert torch.equal(after_relu, before_relu.relu())


def test_random_is_the_same_every_time_and_leaves_the_global_generator_alone():
    state = torch.get_rng_state()
    first = perceptual()(PREDICTION, TARGET)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(17)
    assert torch.equal(perceptual()(PREDICTION, TARGET), first)


@pytest.mark.parametrize("backbone", DEFAULT_LAYERS)
def test_random_features_keep_their_scale(backbone):
    """He initialisation: without it, activations of a VGG shrink or grow by orders of magnitude."""
    image = random_image(1, 3, 48, 48, dtype=torch.float32)
    for features in perceptual(backbone=backbone).backbone(image):
        assert 0.1 < features.square().mean().sqrt() < 10


def test_gradient_reaches_the_prediction_and_nothing_else():
    loss = perceptual()
    prediction, target = PREDICTION.clone().requires_grad_(), TARGET.clone().requires_grad_()
    loss(prediction, target).backward()
    assert prediction.grad.isfinite().all()
    assert prediction.grad.abs().sum() > 0
    assert target.grad is None
    assert all(not weight.requires_grad and weight.grad is None for weight in loss.parameters())
    assert not any(module.training for module in loss.backbone.modules())


@pytest.mark.parametrize("distance", ["mse", "l1"])
def test_zero_where_prediction_and_target_agree(distance):
    loss = perceptual(distance=distance)
    assert loss(TARGET, TARGET) == 0
    assert not gradient(loss, TARGET, TARGET).any()


def test_symmetric():
    loss = perceptual()
    torch.testing.assert_close(loss(PREDICTION, TARGET), loss(TARGET, PREDICTION))


def test_black_images_have_a_finite_gradient():
    found = gradient(perceptual(), torch.zeros_like(TARGET), TARGET)
    assert found.isfinite().all()
    assert found.any()


def test_grey_is_rgb_with_equal_channels():
    grey, other = PREDICTION[:, :1], TARGET[:, :1]
    loss = perceptual()
    assert torch.equal(loss(grey, other), loss(grey.expand(-1, 3, -1, -1), other.expand(-1, 3, -1, -1)))


def test_float64_images_are_welcome():
    value = perceptual()(PREDICTION.double(), TARGET.double())
    assert value.item() == pytest.approx(perceptual()(PREDICTION, TARGET).item())


@pytest.mark.parametrize(
    ("section", "smallest"),
    [
        ({}, 17),
        ({"layers": [1]}, 3),
        ({"backbone": "vgg16"}, 16),
        ({"backbone": "vgg19", "layers": [36]}, 32),
    ],
)
def test_smallest_image(section, smallest):
    """Every pooling halves the image: 16 pixels for four of them."""
    loss = perceptual(**section)
    enough, too_small = (random_image(1, 3, side, 32, dtype=torch.float32) for side in (smallest, smallest - 1))
    assert loss(enough, enough) == 0
    with pytest.raises(
        LossDoctorError, match=rf"at least {smallest}×{smallest} pixels, found {smallest - 1}×32\n.*layers"
    ):
        loss(too_small, too_small)


@pytest.mark.parametrize("layers", [[13], [0, 99]])
def test_layers_that_do_not_exist(layers):
    with pytest.raises(LossDoctorError, match=r"loss.components.tested.layers: expected layers .* 0 to 12, found"):
        perceptual(layers=layers)


def test_a_failed_download_names_the_way_out(monkeypatch):
    def offline(*_args, **_kwargs):
        msg = "Name or service not known"
        raise OSError(msg)

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", offline)
    with pytest.raises(LossDoctorError, match=r"(?s)could not be downloaded: Name or service.*pretrained: random"):
        perceptual(pretrained="imagenet")


def test_imagenet_weights_are_asked_for_safely(monkeypatch, squeezenet):
    asked = {}

    def download(url, **options):
        asked.update(options, url=url)
        return squeezenet.state_dict()

    monkeypatch.setattr(torchvision.models._api, "load_state_dict_from_url", download)
    loss = perceptual(pretrained="imagenet")
    assert asked["weights_only"] is True
    assert asked["check_hash"] is True
    assert "squeezenet1_1" in asked["url"]
    assert torch.equal(loss.backbone.features[0].weight, squeezenet.features[0].weight)


def test_a_missing_file(tmp_path):
    with pytest.raises(LossDoctorError, match=r"expected imagenet, random or the path .* no file .*imagnet"):
        perceptual(tmp_path, pretrained="imagnet")


@pytest.mark.parametrize("name", ["weights.pth", "weights.safetensors"])
def test_a_damaged_file(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x00damaged")
    with pytest.raises(CheckpointError, match=name):
        perceptual(tmp_path, pretrained=name)


def test_pickled_objects_are_refused(tmp_path):
    torch.save(nn.Linear(1, 1), tmp_path / "module.pth")
    with pytest.raises(CheckpointError, match=r"module\.pth"):
        perceptual(tmp_path, pretrained="module.pth")


def test_weights_of_another_network(folder):
    with pytest.raises(CheckpointError, match=r"does not fit vgg16: 24 of 26 tensors .*: features.2.weight"):
        perceptual(folder, backbone="vgg16", pretrained="network.pth")


def test_weights_of_another_shape(tmp_path, squeezenet):
    state = squeezenet.state_dict()
    state["features.0.weight"] = state["features.0.weight"][:, :1]
    torch.save(state, tmp_path / "grey.pth")
    with pytest.raises(CheckpointError, match=r"does not fit squeezenet1_1: 1 of \d+ tensors .*: features.0.weight"):
        perceptual(tmp_path, pretrained="grey.pth")
