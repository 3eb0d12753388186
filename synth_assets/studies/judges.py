"""`make study-judges`: what judges let through and what they stop, and what each generator reaches without and with them.

true_positive_rate     share of good cases that a judge accepts, by judge and branch
false_positive_rate    share of bad cases that it accepts
generator_kept_share   share of a generator's candidates that are accepted, by arm: rules (of form alone) | judged
generator_right        share of the accepted samples whose instruction and response are right by the exact verifiers

Cases come in two arms. `seeds`: the seed examples of the taxonomy, whole and spoiled by rule, as the asset
judge_calibration has them. `teacher`: what the embedded teacher wrote at the recipe's temperature, good or bad by the
verifiers; a rate needs at least MIN_CASES cases. The judge is the recipe's; the arm `seeds, teacher as judge` shows what the
generator itself makes of the same cases: it was never taught to judge.

Intervals are Wilson's, over cases; seeds are pooled.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from synth_assets.embedded.leaves import BY_PATH
from synth_assets.generation import calibrate_judges, generate_samples, plan_leaves
from synth_assets.generation.candidates import STEPS, Candidate
from synth_assets.inference import open_text_model
from synth_assets.judging import Case, Judgement, Panel
from synth_assets.recipe import Recipe
from synth_assets.records import JudgedCase, SyntheticSample
from synth_assets.roles import GenerationResult, TextModel
from synth_assets.studies.results import StudyRow, share
from synth_assets.studies.world import bundled_material, instance_of, is_right
from synth_assets.taxonomy import Material

MIN_CASES = 10
Verdicts = dict[str, list[Judgement]]  # by sample id


def run_judges_study(recipe: Recipe, seeds: Sequence[int]) -> Iterator[StudyRow]:
    """`recipe` is one with judges."""
    assert recipe.judges is not None
    material = bundled_material(recipe)
    with ExitStack() as stack:
        teacher = stack.enter_context(open_text_model(recipe.teacher))
        judge = stack.enter_context(open_text_model(recipe.judge_model))
        panel = Panel(judge, recipe.judges)
        for arm, model in (("seeds", judge), ("seeds, teacher as judge", teacher)):
            yield from _calibration_rows(arm, recipe, material, model, seeds)
        samples: list[SyntheticSample] = []
        judgements: Verdicts = {}
        num_candidates: Counter[str] = Counter()
        for seed in seeds:
            made = generate_samples(
                material.leaf_nodes, material.seed_examples, material.chunks, teacher, recipe.generation, seed
            )
            judgements |= _judged(recipe, material, panel, made.samples, seed)
            samples += made.samples
            for counts in made.leaf_counts:
                num_candidates[generator_of(counts.leaf_path)] += counts.num_in
    yield from _rows_of_cases("teacher", _own_cases(samples, judgements))
    yield from _generator_rows(samples, judgements, num_candidates)


def generator_of(leaf_path: str) -> str:
    """knowledge, or the kind of skill: freeform or grounded."""
    kind = BY_PATH[leaf_path]
    return "knowledge" if kind.branch == "knowledge" else "grounded skills" if kind.is_grounded else "freeform skills"


def _calibration_rows(
    arm: str, recipe: Recipe, material: Material, model: TextModel, seeds: Sequence[int]
) -> Iterator[StudyRow]:
    assert recipe.judges is not None
    cases: list[JudgedCase] = []
    for seed in seeds:
        num_examples = recipe.generation.num_seeds_in_prompt
        cases += calibrate_judges(
            material.leaf_nodes, material.seed_examples, Panel(model, recipe.judges), num_examples, seed
        )
    yield from _rows_of_cases(arm, [(case.judge, case.branch, case.must_accept, case.is_accepted) for case in cases])


def _judged(recipe: Recipe, material: Material, panel: Panel, samples: Sequence[SyntheticSample], seed: int) -> Verdicts:
    """Every judge on every sample, whatever the others say of it."""
    plans = plan_leaves(material.leaf_nodes, material.seed_examples, material.chunks, recipe.generation, seed)
    plan_of = {plan.leaf_node.leaf_path: plan for plan in plans}
    cases: list[tuple[str, Case]] = []
    for sample in samples:
        candidate: Candidate = plan_of[sample.leaf_path].candidate(sample.candidate_index)
        candidate.context, candidate.instruction = sample.context, sample.instruction
        candidate.response = GenerationResult(sample.response, "stop")
        for step in STEPS:
            cases += [(sample.synthetic_sample_id, case) for case in plan_of[sample.leaf_path].cases(candidate, step)]
    said: Verdicts = {}
    for (sample_id, _), judgement in zip(cases, panel.judge([case for _, case in cases]), strict=True):
        said.setdefault(sample_id, []).append(judgement)
    return said


def _own_cases(samples: Sequence[SyntheticSample], judgements: Verdicts) -> list[tuple[str, str, bool, bool]]:
    """Judge, branch, is good, was accepted. Responses count where the instruction is good; relevance has no verifier."""
    cases: list[tuple[str, str, bool, bool]] = []
    for sample in samples:
        is_valid = instance_of(sample) is not None
        for judgement in judgements[sample.synthetic_sample_id]:
            if judgement.judge in ("instruction", "question"):
                cases.append((judgement.judge, sample.branch, is_valid, judgement.is_accepted))
            elif judgement.judge != "relevance" and is_valid:
                cases.append((judgement.judge, sample.branch, is_right(sample), judgement.is_accepted))
    return cases


def _rows_of_cases(arm: str, cases: Sequence[tuple[str, str, bool, bool]]) -> Iterator[StudyRow]:
    for is_good, metric in ((True, "true_positive_rate"), (False, "false_positive_rate")):
        of_kind = [(judge, branch, accepted) for judge, branch, good, accepted in cases if good == is_good]
        for judge, branch in sorted({(judge, branch) for judge, branch, _ in of_kind}):
            said = [accepted for *where, accepted in of_kind if where == [judge, branch]]
            if len(said) >= MIN_CASES:
                yield share(metric, arm, f"{judge}, {branch}", sum(said), len(said))
        if of_kind:
            yield share(metric, arm, "all", sum(accepted for *_, accepted in of_kind), len(of_kind))


def _generator_rows(
    samples: Sequence[SyntheticSample], judgements: Verdicts, num_candidates: Counter[str]
) -> Iterator[StudyRow]:
    for arm in ("rules", "judged"):
        passed = [s for s in samples if arm == "rules" or all(j.is_accepted for j in judgements[s.synthetic_sample_id])]
        for subject in ("all", *sorted(num_candidates)):
            kept = [sample for sample in passed if subject in ("all", generator_of(sample.leaf_path))]
            num_in = sum(count for name, count in num_candidates.items() if subject in ("all", name))
            yield share("generator_kept_share", arm, subject, len(kept), num_in)
            if kept:
                yield share("generator_right", arm, subject, sum(map(is_right, kept)), len(kept))
