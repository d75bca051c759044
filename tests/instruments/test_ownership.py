"""Which parameters an objective is measured on."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossdoctor import balance
from lossdoctor.errors import LossDoctorError
from lossdoctor.instruments.gradients import measure_gradients
from lossdoctor.instruments.ownership import parameters_of_objectives, top_level_modules, trainable

from .zoo import CASES, Case, CycleGan, Gan, Heads, Tied, Wrapper, both_heads, cycle_gan, gan, vectors


def owned(case, **options):
    setup = case.setup(**options)
    return {
        name: list(parameters.measured)
        for name, parameters in parameters_of_objectives(setup, setup.evaluate(0)).items()
    }


def names_of(model, *prefixes):
    return [name for name, _ in model.named_parameters() if name.startswith(prefixes)]


class TestWithoutPatterns:
    def test_a_single_objective_is_measured_on_everything_trainable(self):
        model = CASES["frozen layers"].build()
        assert owned(CASES["frozen layers"]) == {"total": list(trainable(model))}
        assert "right.weight" not in trainable(model)

    def test_generator_terms_are_measured_on_the_generator(self):
        assert owned(CASES["gan"]) == {
            "generator": names_of(Gan(), "generator."),
            "discriminator": names_of(Gan(), "discriminator."),
        }

    def test_two_generators_and_two_discriminators(self):
        model = CycleGan()
        assert owned(CASES["cycle gan"]) == {
            "generators": names_of(model, "to_"),
            "judge_a": names_of(model, "judge_a"),
            "judge_b": names_of(model, "judge_b"),
        }

    def test_discriminators_in_one_objective(self):
        def step(model, batch):
            objectives, _ = cycle_gan(model, batch)
            judges = {f"{judge}_{k}": v for judge in ("judge_a", "judge_b") for k, v in objectives[judge].items()}
            return {"judges": judges, "generators": objectives["generators"]}, None

        assert owned(Case(CycleGan, step, vectors()))["judges"] == names_of(CycleGan(), "judge_")

    def test_a_gan_inside_a_wrapper(self):
        def step(model, batch):
            return gan(model.module, batch)

        model = Wrapper(Gan())
        assert owned(Case(lambda: model, step, vectors()))["generator"] == names_of(model, "module.generator.")

    def test_objectives_that_share_nothing(self):
        def step(model, batch):
            out = model(batch[0])
            return {
                "a": {"x": model.left.weight.sum()},
                "b": {"y": model.right(out["left"].detach().new_ones(8)).sum()},
            }, None

        found = owned(Case(Heads, step, vectors()))
        assert found == {"a": ["left.weight", "left.bias"], "b": ["right.weight", "right.bias"]}

    def test_missing_detach_asks_for_patterns(self):
        def step(model, batch):
            noise, real = batch
            fake = model.generator(noise)
            return {
                "generator": {"adversarial": F.softplus(-model.discriminator(fake)).mean()},
                "discriminator": {"fake": F.softplus(model.discriminator(fake)).mean()},
            }, None

        with pytest.raises(LossDoctorError, match="whose parameters are they") as raised:
            owned(Case(Gan, step, vectors()))
        assert "'generator'" in raised.value.message
        assert "'discriminator'" in raised.value.message
        assert "measure.parameters: {" in raised.value.advice
        assert "detach" in raised.value.advice

    def test_objectives_that_overlap_ask_for_patterns(self):
        def step(model, batch):
            out = model(batch[0])
            return {"one": {"left": out["left"].sum()}, "two": {"right": out["right"].sum()}}, None

        with pytest.raises(LossDoctorError, match="both reach trunk"):
            owned(Case(Heads, step, vectors()))

    def test_an_objective_that_reaches_nothing_owns_nothing(self):
        """That is a fault of the loss, LD501, not a question about parameters."""

        def step(model, batch):
            noise, real = batch
            objectives, _ = gan(model, batch)
            return objectives | {"generator": {"adversarial": real.sum()}}, None

        case = Case(Gan, step, vectors())
        assert owned(case)["generator"] == []
        report = {facts.name: balance.summarize(facts) for facts in measure_gradients(case.setup())}
        assert not report["generator"].components[0].attached
        assert report["discriminator"].grad_norm > 0


class TestPatterns:
    def test_one_pattern_for_everything(self):
        case = Case(Heads, both_heads, vectors())
        assert owned(case, parameters="trunk.*") == {"total": names_of(Heads(), "trunk.")}
        assert owned(case, parameters="*.bias") == {"total": ["trunk.0.bias", "left.bias", "right.bias"]}

    def test_one_pattern_for_each_objective(self):
        patterns = {"generator": "generator.0.*", "discriminator": "*"}
        assert owned(CASES["gan"], parameters=patterns) == {
            "generator": names_of(Gan(), "generator.0."),
            "discriminator": names_of(Gan(), ""),
        }

    def test_objectives_without_a_pattern_of_their_own_are_measured_on_what_they_own(self):
        found = owned(CASES["gan"], parameters={"generator": "generator.*"})
        assert found["discriminator"] == names_of(Gan(), "discriminator.")

    def test_patterns_settle_what_is_ambiguous(self):
        def step(model, batch):
            out = model(batch[0])
            return {"one": {"left": out["left"].sum()}, "two": {"right": out["right"].sum()}}, None

        found = owned(Case(Heads, step, vectors()), parameters={"one": "trunk.*", "two": "right.*"})
        assert found == {"one": names_of(Heads(), "trunk."), "two": names_of(Heads(), "right.")}

    def test_a_pattern_that_matches_nothing(self):
        with pytest.raises(LossDoctorError, match=r"'encoder\.\*' matches no trainable parameter") as raised:
            owned(Case(Heads, both_heads, vectors()), parameters="encoder.*")
        assert "trunk.0.weight" in raised.value.advice

    def test_a_pattern_for_an_objective_that_there_is_not(self):
        with pytest.raises(LossDoctorError, match="no objective 'gen'") as raised:
            owned(CASES["gan"], parameters={"gen": "*"})
        assert "generator, discriminator" in raised.value.advice

    def test_frozen_parameters_are_not_measured(self):
        assert owned(CASES["frozen layers"], parameters="trunk.*") == {"total": ["trunk.0.bias"]}


class TestBlocks:
    def test_top_level_modules(self):
        assert set(top_level_modules(Heads()).values()) == {"trunk", "left", "right", ""}
        assert top_level_modules(Heads())["scale"] == ""

    def test_wrappers_are_looked_through(self):
        assert set(top_level_modules(Wrapper(Wrapper(Gan()))).values()) == {
            "module.module.generator",
            "module.module.discriminator",
        }

    def test_a_model_that_is_one_layer(self):
        assert set(top_level_modules(nn.Linear(2, 2)).values()) == {""}
        assert set(top_level_modules(nn.Sequential(nn.Linear(2, 2))).values()) == {"0"}

    def test_tied_parameters_are_counted_once(self):
        model = Tied()
        assert list(trainable(model)) == ["embedding.weight", "mixing.weight", "mixing.bias"]
        (facts,) = measure_gradients(CASES["tied weights"].setup())
        assert sum(block.parameters for block in facts.blocks) == 11 * 6 + 6 * 6 + 6


def test_what_a_step_freezes_for_a_turn_is_trained_all_the_same():
    case = CASES["gan that freezes"]
    setup = case.setup()
    setup.evaluate(0)
    assert all(parameter.requires_grad for parameter in setup.model.parameters())
    assert owned(case)["discriminator"] == names_of(Gan(), "discriminator.")


def test_the_discriminator_terms_of_the_generator_do_not_count_as_its_gradient():
    """What the generator's adversarial term does to the discriminator is not measured."""
    (generator,) = (facts for facts in measure_gradients(CASES["gan"].setup()) if facts.name == "generator")
    assert {block.name for block in generator.blocks} == {"generator"}
    assert torch.tensor([block.gramians[0][0][0] for block in generator.blocks]).sum() > 0
