"""The sections of a recipe: frozen, unknown keys are errors. No stage reads YAML; each gets its section of `Recipe`."""

from __future__ import annotations

import posixpath
import typing
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from synth_assets.prompts import PROMPT_STYLES, prompt_variables
from synth_assets.recipe.agreement import check_alignment, check_preferences, check_reward
from synth_assets.recipe.alignment import AlignmentSection
from synth_assets.recipe.harness import HarnessSection
from synth_assets.recipe.models import ModelSpec
from synth_assets.recipe.preferences import PreferencesSection
from synth_assets.recipe.prompt_synthesis import PromptSynthesisSection
from synth_assets.recipe.reward import RewardSection
from synth_assets.recipe.schedule import ScheduleSection
from synth_assets.recipe.trust import TrustSection
from synth_assets.recipe.tuning import TuningSection
from synth_assets.recipe.value_types import Count, Section, Share, Temperature, Text, Threshold, is_unsaid
from synth_assets.records import GENERATED_BRANCH, content_id, is_generated

Scale = Literal["smoke", "demo", "full"]
SCALES: tuple[Scale, ...] = typing.get_args(Scale)


def _style(name: str) -> str:
    if name not in PROMPT_STYLES:
        raise ValueError("one of " + ", ".join(PROMPT_STYLES))
    return name


PromptStyle = Annotated[str, AfterValidator(_style)]


class DataSetSpec(Section):
    """A file of questions with answers that becomes a leaf node of foundational skills."""

    path: Text
    """JSON Lines or Parquet."""
    leaf_path: Annotated[str, Field(pattern=r"^foundational_skills(/[^/]+)+$")]
    question: Text
    """Name of the column; likewise the next two."""
    answer: Text
    context: Text | None = None
    generation_depth: Text | Annotated[int, Field(ge=0)] | None = None
    """A number for all rows, or a column. None: the column of this name, as exported sets have it;
    without one nobody knows who wrote the rows, and depth and share of real rows cannot be told: 0 for rows of people."""
    task_description: Text
    created_by: Text
    max_rows: Count = 1000
    train_on: bool = False
    """Whether its rows are trained on themselves, beside what is generated from them."""

    @field_validator("leaf_path")
    @classmethod
    def _is_no_topic(cls, leaf_path: str) -> str:
        if is_generated(leaf_path):
            raise ValueError(f"another path: {GENERATED_BRANCH} is kept for topics of prompt_synthesis")
        return leaf_path

    @field_validator("path")
    @classmethod
    def _is_a_known_kind(cls, path: str) -> str:
        if not path.endswith((".jsonl", ".parquet")):
            raise ValueError("a .jsonl or .parquet file")
        return path


class TaxonomySection(Section):
    paths: Annotated[tuple[Text, ...], Field(min_length=1)]
    """Taxonomy roots: folders that hold knowledge/, foundational_skills/ or compositional_skills/."""
    documents: Text
    """Folder of the documents of knowledge leaves with `repo: local`."""
    max_chunk_tokens: Count = 120
    """Budget of one document chunk, in words and punctuation marks."""
    chunk_overlap_tokens: Annotated[int, Field(ge=0)] = 0
    """Of them, how many a chunk repeats of the one before it."""
    repositories: tuple[Text, ...] = ()
    """Beginnings of document.repo that may be read, such as https://github.com/me/ or file:/data/manuals."""
    data_sets: tuple[DataSetSpec, ...] = ()
    """Further leaf nodes, of foundational skills, from data sets that exist already."""
    strict: bool = False
    """Whether one faulty leaf node stops everything, instead of being left out and reported."""

    @field_validator("repositories")
    @classmethod
    def _have_a_protocol(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for name in value:
            if not name.startswith(("https://", "ssh://", "file:/")):
                raise ValueError(f"{name!r} must begin with https://, ssh:// or file:/ (an absolute path)")
        return value

    @model_validator(mode="after")
    def _overlap_leaves_room(self) -> TaxonomySection:
        if 2 * self.chunk_overlap_tokens > self.max_chunk_tokens:
            raise ValueError("chunk_overlap_tokens must be at most half of max_chunk_tokens")
        return self


class MaxNewTokens(Section):
    context: Count
    instruction: Count
    response: Count


class GenerationSection(Section):
    num_samples_per_leaf: Count
    """Accept until a leaf has so many."""
    budget_factor: Annotated[float, Field(ge=1, le=100)]
    """At most so many candidates for each sample asked for."""
    num_seeds_in_prompt: Count = 3
    num_seeds_in_response_prompt: Count = 2
    instruction_temperature: Temperature
    response_temperature: Temperature
    context_temperature: Temperature
    max_new_tokens: MaxNewTokens
    personas: tuple[Text, ...] = ()
    """Who is to ask: one is drawn for each new instruction. For styles whose prompts have a place for it."""
    creative_leaves: tuple[Text, ...] = ()
    """Patterns of leaf paths, such as compositional_skills/writing/*, whose tasks have many good answers."""
    creative_temperature: Temperature | None = None
    """Instead of response_temperature, for these leaves."""
    max_rouge_l: Share | None = None
    """An instruction that is closer than this to a seed or an accepted one of its leaf is not new. None: not asked."""
    prompts: PromptStyle = "brief"
    """Style of the prompts: a folder of synth_assets/prompts."""

    @model_validator(mode="after")
    def _prompts_know_personas(self) -> GenerationSection:
        if self.personas and "persona" not in prompt_variables(self.prompts, "instruction"):
            raise ValueError(f"the style {self.prompts} has no place for personas: leave them out, or take another style")
        return self


#: Those that decide over a sample: of skills the first two, of knowledge the others.
DecidingJudge = Literal["instruction", "pair", "question", "faithfulness", "relevance"]
#: `comparison` sets two answers beside each other.
JudgeName = DecidingJudge | Literal["comparison"]


class JudgesSection(Section):
    """Who judges what the teacher writes. Without this section only rules of form turn candidates away."""

    model: ModelSpec | None = None
    """None: the teacher, judging its own work."""
    asked: Annotated[tuple[DecidingJudge, ...], Field(min_length=1)] = typing.get_args(DecidingJudge)
    """Which of them are asked."""
    prompts: PromptStyle = "brief"
    temperature: Temperature = 0.0
    max_new_tokens: Count = 256
    max_reason_characters: Count = 600
    """Of a judge's reasons, and of its quotation, where the engine can hold it to a schema."""
    min_true_positive_rate: Threshold
    """Of good cases, those made of seed examples, at least this share must be accepted."""
    max_false_positive_rate: Threshold
    """Of bad cases, seed examples spoiled on purpose, at most this share may be accepted."""


class FilterSection(Section):
    near_duplicate_threshold: Share
    """Jaccard similarity from which the later of two samples is a duplicate."""
    overlap_ngram: Count = 13
    """A sample that shares so many words in a row with the benchmark is rejected."""


class EvaluationSection(Section):
    benchmark: Text
    """Folder of held-out questions."""
    max_new_tokens: Count
    confidence: Annotated[float, Field(gt=0, lt=1)] = 0.95
    open_questions: Text | None = None
    """Folder of questions without one right answer, on which the judges compare base and tuned student."""
    harness: HarnessSection | None = None
    """Public tasks beside the benchmark; needs the extra `harness`."""


class QualitySection(Section):
    """Each names the check that reads it."""

    min_seed_examples_per_leaf: Threshold
    min_quota_share: Threshold
    max_failed_share: Threshold
    min_kept_share: Threshold
    max_leaf_share: Threshold
    min_branch_share: Threshold
    min_accuracy_gain: Threshold
    min_retained_share: Threshold


class Recipe(Section):
    """The declared pipeline, at one scale."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    description: Text
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    scale: Scale
    taxonomy: TaxonomySection
    teacher: ModelSpec
    reward_model: ModelSpec | None = None
    """None: the judges' verdicts are the reward."""
    student: ModelSpec
    generation: GenerationSection
    prompt_synthesis: Annotated[PromptSynthesisSection | None, Field(exclude_if=is_unsaid)] = None
    """Prompts from topics beside those from seeds. None: there are no such assets."""
    judges: JudgesSection | None = None
    reward: RewardSection
    filter: FilterSection
    tuning: TuningSection
    preferences: Annotated[PreferencesSection | None, Field(exclude_if=is_unsaid, validate_default=True)] = None
    """None: no pairs are made."""
    alignment: Annotated[AlignmentSection | None, Field(exclude_if=is_unsaid)] = None
    """None: the tuned student is the last word."""
    evaluation: EvaluationSection
    schedule: ScheduleSection
    quality: QualitySection
    trust: TrustSection = TrustSection()

    @field_validator("reward")
    @classmethod
    def _holds_what_can_be_compared(cls, section: RewardSection, info: ValidationInfo) -> RewardSection:
        return check_reward(section, info.data)

    @field_validator("preferences")
    @classmethod
    def _can_be_decided(cls, section: PreferencesSection | None, info: ValidationInfo) -> PreferencesSection | None:
        return check_preferences(section, info.data)

    @field_validator("alignment")
    @classmethod
    def _has_pairs(cls, section: AlignmentSection | None, info: ValidationInfo) -> AlignmentSection | None:
        return check_alignment(section, info.data)

    @field_validator("evaluation")
    @classmethod
    def _asks_other_questions_than_the_choice(cls, section: EvaluationSection, info: ValidationInfo) -> EvaluationSection:
        choice = info.data["tuning"].checkpoint_choice if "tuning" in info.data else None
        reported = [posixpath.normpath(path) for path in (section.benchmark, section.open_questions) if path]
        if choice and choice.benchmark and posixpath.normpath(choice.benchmark) in reported:
            raise ValueError("other questions than those of tuning.checkpoint_choice: what chose a student flatters it")
        return section

    @model_validator(mode="after")
    def _something_gives_rewards(self) -> Recipe:
        if self.reward_model is None and self.judges is None:
            raise ValueError("a reward_model, or judges whose verdicts are the reward")
        asked = set(self.judges.asked) if self.judges else set()
        if self.reward_model is None and not (asked & {"instruction", "pair"} and asked - {"instruction", "pair"}):
            raise ValueError("without a reward_model at least one judge of skills and one of knowledge in judges.asked")
        has_attributes = self.reward_model is not None and self.reward_model.num_rewards > 1
        if has_attributes != bool(self.reward.weights):
            said = "needs reward.weights" if has_attributes else "is needed for reward.weights"
            raise ValueError(f"a reward_model {said}")
        return self

    @field_validator("teacher")
    @classmethod
    def _has_a_known_depth(cls, teacher: ModelSpec) -> ModelSpec:
        if teacher.server and not teacher.path and teacher.server.generation_depth is None:
            raise ValueError(
                "server.generation_depth, since no folder tells it: 0 for a model that others published, "
                "n for one that was tuned on rows of depth n"
            )
        return teacher

    @field_validator("student")
    @classmethod
    def _can_be_tuned(cls, student: ModelSpec) -> ModelSpec:
        if student.engine == "server":
            raise ValueError("a student with engine vllm or transformers: it is tuned here, so its folder must be here")
        return student

    @model_validator(mode="after")
    def _somebody_compares(self) -> Recipe:
        if self.evaluation.open_questions and self.judges is None:
            raise ValueError("judges, since evaluation.open_questions are to be judged")
        return self

    @property
    def models(self) -> dict[str, ModelSpec]:
        """By role, all that the recipe names."""
        named = {
            "teacher": self.teacher, "judge": self.judges and self.judges.model, "reward_model": self.reward_model,
            "student": self.student,
        }  # fmt: skip
        return {role: spec for role, spec in named.items() if spec}

    @property
    def judge_model(self) -> ModelSpec:
        """The model in the role of the judges."""
        return (self.judges and self.judges.model) or self.teacher

    @property
    def label(self) -> str:
        """What people are told that something was made by."""
        return f"{self.name} at scale {self.scale}, seed {self.seed}"

    def fingerprint(self) -> str:
        """Content hash over everything that the recipe says; of a section that came later, only where there is one."""
        return content_id("recipe", self.model_dump(mode="json"))
