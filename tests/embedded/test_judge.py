"""The embedded judge on seed examples, and the judgements that it was taught."""

from itertools import islice
from random import Random

import pytest

from synth_assets.embedded.judge_world import SHARES, as_far_as_right, judge_episodes, spoil_instruction, supporting_sentence
from synth_assets.embedded.leaves import BY_PATH, TAUGHT
from synth_assets.embedded.reward_world import GradedAnswer
from synth_assets.embedded.tokenizer import build_tokenizer, world_words
from synth_assets.generation import calibrate_judges
from synth_assets.inference import open_text_model
from synth_assets.judging import JUDGES, Panel, read_judgement
from synth_assets.recipe import read_recipe
from synth_assets.roles import GenerationResult
from synth_assets.studies.world import bundled_material

RECIPE = read_recipe("data/recipes/embedded_lab.yaml", "smoke")


def _sampled() -> list[GradedAnswer]:
    rng = Random(3)
    drawn = [(kind, kind.draw_where(rng, held_out=False)) for kind in TAUGHT for _ in range(3)]
    return [GradedAnswer(kind.leaf_path, instance, instance.answer) for kind, instance in drawn]


@pytest.mark.parametrize("run", SHARES)
def test_every_judgement_that_is_taught_can_be_read_and_fits(run: str) -> None:
    tokenizer, seen = build_tokenizer(), set()
    for asked, said in islice(judge_episodes(1, _sampled(), world_words(), SHARES[run]), 400):
        quoting = [name for name, judge in JUDGES.items() if judge.quotes_span == ('"span"' in said.text)]
        verdicts = {name: read_judgement(name, GenerationResult(said.text, "stop"), asked.text) for name in quoting}
        fitting = [name for name, judgement in verdicts.items() if judgement.verdict]
        assert fitting and not asked.bears_loss and said.bears_loss
        assert all(verdicts[name].reason != "span_not_in_text" for name in fitting)
        assert len(tokenizer.tokenize(asked.text + said.text)) < 256
        seen |= set(fitting)
    assert seen == set(JUDGES)


def test_a_spoiled_instruction_is_none_of_its_leaf() -> None:
    rng, words = Random(5), world_words()
    for kind in TAUGHT:
        for _ in range(20):
            instance = kind.draw_where(rng, held_out=False)
            assert kind.read(spoil_instruction(rng, kind, instance, words), instance.context) is None


def test_a_response_is_told_as_far_as_it_is_right() -> None:
    assert as_far_as_right("3 + 4 = 7", "3 + 4 = 7") == "3 + 4 = 7 , just so"
    assert as_far_as_right("3 + 4 = 8", "3 + 4 = 7") == "3 + 4 = 8 , not so"
    assert as_far_as_right("3 + 5 = 8", "3 + 4 = 7") == "3 + 5 , not so"
    assert as_far_as_right("3 + 4", "3 + 4 = 7") == "3 + 4 , not so"
    assert as_far_as_right("3 + 4 = 7 dollars", "3 + 4 = 7") == "3 + 4 = 7 dollars , not so"
    kind = BY_PATH["knowledge/products/home_goods"]
    for _ in range(50):
        instance = kind.draw(Random(_))
        assert supporting_sentence(instance) in instance.context


def test_the_judge_accepts_seeds_and_refuses_spoiled_ones() -> None:
    material, judge = bundled_material(RECIPE), RECIPE.judge_model.model_copy(update={"engine": "transformers"})
    leaves = [leaf for leaf in material.leaf_nodes if leaf.leaf_path.split("/")[1] in ("arithmetic", "writing", "places")]
    paths = {leaf.leaf_path for leaf in leaves}
    seeds = [seed for seed in material.seed_examples if seed.leaf_path in paths]
    assert RECIPE.judges is not None
    with open_text_model(judge) as model:
        cases = calibrate_judges(leaves, seeds, Panel(model, RECIPE.judges), 3, 7)
    good = [case.is_accepted for case in cases if case.must_accept]
    bad = [case.is_accepted for case in cases if not case.must_accept]
    assert len(good) >= 60 and sum(good) / len(good) >= 0.9
    assert len(bad) >= 60 and sum(bad) / len(bad) <= 0.15
    assert {case.judge for case in cases} == {"instruction", "pair", "question", "faithfulness", "relevance"}
