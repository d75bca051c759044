"""The loop against training loops written by hand: the same weights, bit by bit."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossdoctor.config.schema import Schedule, TrialConfig
from lossdoctor.errors import LossDoctorError
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses
from lossdoctor.trials import loop
from lossdoctor.trials.loop import Event, run
from lossdoctor.trials.training import start_training
from lossdoctor.trials.trajectory import measure_point

STEPS = 12


def model():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 2))


def batches(count=STEPS):
    generator = torch.Generator().manual_seed(2)
    return [(torch.randn(16, 4, generator=generator), torch.randn(16, 2, generator=generator)) for _ in range(count)]


def components(model, batch):
    output = model(batch[0])
    return {"square": F.mse_loss(output, batch[1]), "absolute": F.l1_loss(output, batch[1])}, output


def loss(model, batch):
    terms, output = components(model, batch)
    return Losses({"total": terms}, output)


def setup(**options):
    return Setup(model(), batches(1), loss, weights={"square": 1.0, "absolute": 0.5}, **options)


def trained(trial, setup, supply, **options):
    training = start_training(setup, trial, setup.batches[0])
    torch.manual_seed(3)
    return training, run(training, iter(supply), **options)


def by_hand(optimizer, *, weight=lambda step: 0.5, lr=lambda step: None, clip=None, accumulate=1):
    """What a practitioner would write."""
    net = model()
    optimizer, supply = optimizer(net.parameters()), iter(batches(STEPS * accumulate))
    torch.manual_seed(3)
    for step in range(STEPS):
        for _ in range(accumulate):
            terms, _ = components(net, next(supply))
            ((terms["square"] + weight(step) * terms["absolute"]) / accumulate).backward()
        if clip:
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        if lr(step) is not None:
            optimizer.param_groups[0]["lr"] = lr(step)
        optimizer.step()
        optimizer.zero_grad()
    return net


def assert_same(ours, theirs):
    pairs = zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True)
    for (name, mine), (_, wanted) in pairs:
        assert torch.equal(mine, wanted), name


CASES = {
    "adam": ({}, {"optimizer": lambda p: torch.optim.Adam(p, lr=1e-3)}),
    "sgd with momentum, a name in any case": (
        {"optimizer": "SGD", "lr": 0.1, "options": {"momentum": 0.9, "nesterov": True}},
        {"optimizer": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True)},
    ),
    "options that are lists in YAML": (
        {"optimizer": "adamw", "options": {"betas": [0.5, 0.9]}},
        {"optimizer": lambda p: torch.optim.AdamW(p, lr=1e-3, betas=(0.5, 0.9))},
    ),
    "clipping": ({"clip": 0.1}, {"optimizer": lambda p: torch.optim.Adam(p, lr=1e-3), "clip": 0.1}),
    "accumulation": ({"accumulate": 2}, {"optimizer": lambda p: torch.optim.Adam(p, lr=1e-3), "accumulate": 2}),
    "warm-up, then linear decay": (
        {"schedule": "linear", "warmup": 4, "lr": 0.01},
        {
            "optimizer": lambda p: torch.optim.Adam(p, lr=0.01),
            "lr": lambda step: 0.01 * ((step + 1) / 4 if step < 4 else 1 - (step - 4) / (STEPS - 4)),
        },
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_weights_are_those_of_a_loop_by_hand(case):
    trial, hand = CASES[case]
    trial = TrialConfig(steps=STEPS, **trial)
    training, outcome = trained(trial, setup(), batches(STEPS * trial.accumulate))
    assert_same(training.setup.model, by_hand(**hand))
    assert (outcome.steps, outcome.stopped) == (STEPS, None)


def test_a_weight_may_follow_a_schedule():
    schedule = Schedule(**{"from": 0.0, "to": 2.0, "start": 2, "over": 6})
    training, outcome = trained(TrialConfig(steps=STEPS), setup(schedules={"absolute": schedule}), batches())
    assert_same(
        training.setup.model,
        by_hand(lambda p: torch.optim.Adam(p, lr=1e-3), weight=lambda step: min(max((step - 2) / 6, 0), 1) * 2),
    )
    (curve,) = outcome.curves
    assert curve.total[5] == pytest.approx(curve.components["square"][5] + 1.0 * curve.components["absolute"][5])
    assert curve.weights == {"square": 1.0, "absolute": 2.0}


def test_what_happens_beside_the_training_does_not_change_it():
    quiet, _ = trained(TrialConfig(steps=STEPS), setup(), batches())
    measured = setup()
    points = []
    measure = Event(frozenset({0, 3, 5, STEPS}), lambda step: points.append(measure_point(measured, step)))
    watched, _ = trained(TrialConfig(steps=STEPS), measured, batches(), events=[measure])
    assert_same(watched.setup.model, quiet.setup.model)
    assert [point.step for point in points] == [0, 3, 5, STEPS]


def test_the_curve_has_the_values_before_each_step():
    training, outcome = trained(TrialConfig(steps=3, optimizer="sgd", lr=0.0), setup(), batches())
    torch.manual_seed(3)
    net = model()
    torch.manual_seed(3)
    wanted = [{name: term.item() for name, term in components(net, batch)[0].items()} for batch in batches()[:3]]
    (curve,) = outcome.curves
    assert curve.steps == (0, 1, 2)
    assert curve.components["square"] == pytest.approx([row["square"] for row in wanted])
    assert curve.total == pytest.approx([row["square"] + 0.5 * row["absolute"] for row in wanted])


def two_players():
    torch.manual_seed(1)
    return nn.ModuleDict({"generator": nn.Linear(4, 2), "critic": nn.Linear(2, 1)})


def game(model, batch):
    fake = model["generator"](batch[0])
    return Losses(
        {
            "critic": {
                "real": F.softplus(-model["critic"](batch[1])).mean(),
                "fake": F.softplus(model["critic"](fake.detach())).mean(),
            },
            "generator": {"adversarial": F.softplus(-model["critic"](fake)).mean()},
        }
    )


def test_every_objective_trains_its_own_parameters_with_its_own_optimizer():
    setup = Setup(two_players(), batches(1), game)
    trial = TrialConfig(steps=STEPS, lr=0.01, objectives={"critic": {"optimizer": "sgd", "lr": 0.1}})
    training, outcome = trained(trial, setup, batches())

    net = two_players()
    critic = torch.optim.SGD(net["critic"].parameters(), lr=0.1)
    generator = torch.optim.Adam(net["generator"].parameters(), lr=0.01)
    for batch in batches():
        losses = game(net, batch).objectives
        of_critic = torch.autograd.grad(sum(losses["critic"].values()), list(net["critic"].parameters()))
        of_generator = torch.autograd.grad(losses["generator"]["adversarial"], list(net["generator"].parameters()))
        for player, gradients in ((net["critic"], of_critic), (net["generator"], of_generator)):
            for parameter, gradient in zip(player.parameters(), gradients, strict=True):
                parameter.grad = gradient
        critic.step()
        generator.step()
    for mine, wanted in zip(training.setup.model.parameters(), net.parameters(), strict=True):
        torch.testing.assert_close(mine, wanted, rtol=1e-6, atol=1e-7)
    assert [curve.adversarial for curve in outcome.curves] == [True, True]


def test_patterns_say_what_is_trained():
    setup = Setup(two_players(), batches(1), game)
    trial = TrialConfig(steps=1, parameters={"generator": "generator.weight", "critic": "critic.*"})
    before = {name: tensor.clone() for name, tensor in setup.model.state_dict().items()}
    training, _ = trained(trial, setup, batches())
    changed = {
        name for name, tensor in training.setup.model.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert changed == {"generator.weight", "critic.weight", "critic.bias"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"optimizer": "adm"}, ["torch.optim", "adm", "adam"]),
        ({"optimizer": "lbfgs"}, ["LBFGS"]),
        ({"options": {"momentun": 0.9}}, ["trial.options", "momentun"]),
        ({"parameters": {"generater": "*"}}, ["trial.parameters", "generater"]),
        ({"parameters": {"total": "nothing.*"}}, ["trial.parameters", "nothing.*"]),
        ({"objectives": {"critc": {}}}, ["trial.objectives", "critc"]),
    ],
)
def test_what_cannot_be_trained_is_refused_with_its_key(options, words):
    with pytest.raises(LossDoctorError) as caught:
        start_training(setup(), TrialConfig(**options), batches(1)[0])
    assert all(word in str(caught.value) for word in words)


def test_starting_leaves_no_trace():
    prepared = setup()
    before = {name: tensor.clone() for name, tensor in prepared.model.state_dict().items()}
    state = torch.get_rng_state()
    start_training(prepared, TrialConfig(), batches(1)[0])
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], tensor) for name, tensor in prepared.model.state_dict().items())
    assert all(parameter.grad is None for parameter in prepared.model.parameters())


def test_a_run_that_is_lost_ends_early(monkeypatch):
    monkeypatch.setattr(loop, "LOOK_EVERY", 0.0)
    monkeypatch.setattr(loop, "LOOK_PAUSE", 0)
    trial = TrialConfig(steps=500, optimizer="sgd", lr=1e30)
    _, outcome = trained(trial, setup(), batches(500))
    assert loop.NON_FINITE_STEPS <= outcome.steps < loop.NON_FINITE_STEPS + 5
    assert "not finite" in outcome.stopped
    assert outcome.curves[0].total[0] is not None
    assert outcome.curves[0].total[-1] is None


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_trains(precision):
    training, outcome = trained(
        TrialConfig(steps=60, lr=0.01, clip=1.0), setup(precision=precision), [batches(1)[0]] * 60
    )
    (curve,) = outcome.curves
    assert training.scaler.is_enabled() == (precision == "fp16")
    assert curve.total[-1] < 0.9 * curve.total[0]
    assert all(parameter.dtype == torch.float32 for parameter in training.setup.model.parameters())


def test_stops_when_told_after_a_whole_step():
    asked = []

    def stop():
        asked.append(True)
        return "enough" if len(asked) > 4 else None

    done = []
    _, outcome = trained(
        TrialConfig(steps=STEPS), setup(), batches(), stop=stop, events=[Event(frozenset({0, STEPS}), done.append)]
    )
    assert (outcome.steps, outcome.stopped, done) == (4, "enough", [0, 4])
