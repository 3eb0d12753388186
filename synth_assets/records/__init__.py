"""What passes between the stages: one small frozen record a concept, one table a record.

A record's fields are its table's columns, in this order (`synth_assets.frames`); a table is named like the asset that
writes it (`TABLES`).

Ids are content hashes (`content_id`): the same content has the same id on every machine and in every run,
and a changed seed, prompt or model shows as a changed id downstream.
"""

from typing import Any

from synth_assets.errors import Fault
from synth_assets.records.ids import content_id
from synth_assets.records.kinds import (
    BRANCHES,
    NEW_SOURCES,
    PROMPT_KINDS,
    TRUST_REPORTS,
    Branch,
    ComparisonOutcome,
    DecidedBy,
    Direction,
    ModelArm,
    Outcome,
    PromptKind,
    RealSplit,
    Severity,
    Source,
    Split,
    Suite,
    TopicArea,
    TopicOrigin,
    TrustReport,
    Verdict,
)
from synth_assets.records.material import Attribution, DocumentChunk, LeafNode, RealExample, SeedExample
from synth_assets.records.preferences import PreferencePair
from synth_assets.records.prompts import SyntheticPrompt, Topic
from synth_assets.records.refusals import REFUSAL_REASONS, RefusalReason, Refusals, Texts
from synth_assets.records.samples import (
    REWARD_ATTRIBUTES,
    JudgedCase,
    KeptSample,
    RejectedSample,
    Reward,
    RewardAttributes,
    RewardFigure,
    ScalarReward,
    ScoredSample,
    StageCounts,
    SyntheticSample,
)
from synth_assets.records.students import (
    BenchmarkAnswer,
    BenchmarkQuestion,
    Checkpoint,
    Comparison,
    Generation,
    HarnessScore,
    OpenQuestion,
    TrainingExample,
)
from synth_assets.records.trust import Measurement

__all__ = [
    "BRANCHES",
    "NEW_SOURCES",
    "PROMPT_KINDS",
    "REFUSAL_REASONS",
    "REWARD_ATTRIBUTES",
    "TABLES",
    "TRUST_REPORTS",
    "Attribution",
    "BenchmarkAnswer",
    "BenchmarkQuestion",
    "Branch",
    "Checkpoint",
    "Comparison",
    "ComparisonOutcome",
    "DecidedBy",
    "Direction",
    "DocumentChunk",
    "Generation",
    "HarnessScore",
    "JudgedCase",
    "KeptSample",
    "LeafNode",
    "Measurement",
    "ModelArm",
    "OpenQuestion",
    "Outcome",
    "PreferencePair",
    "PromptKind",
    "RealExample",
    "RealSplit",
    "RefusalReason",
    "Refusals",
    "RejectedSample",
    "Reward",
    "RewardAttributes",
    "RewardFigure",
    "ScalarReward",
    "ScoredSample",
    "SeedExample",
    "Severity",
    "Source",
    "Split",
    "StageCounts",
    "Suite",
    "SyntheticPrompt",
    "SyntheticSample",
    "Texts",
    "Topic",
    "TopicArea",
    "TopicOrigin",
    "TrainingExample",
    "TrustReport",
    "Verdict",
    "content_id",
]

TABLES: dict[str, type[Any]] = {
    "taxonomy": LeafNode,
    "taxonomy_faults": Fault,
    "attributions": Attribution,
    "seed_examples": SeedExample,
    "document_chunks": DocumentChunk,
    "real_examples": RealExample,
    "document_faults": Fault,
    "judge_calibration": JudgedCase,
    "synthetic_samples": SyntheticSample,
    "rejected_samples": RejectedSample,
    "scored_samples": ScoredSample,
    "reward_filtered_set": KeptSample,
    "reward_report": RewardFigure,
    "training_mix": TrainingExample,
    "lora_checkpoint": Checkpoint,
    "preference_pairs": PreferencePair,
    "aligned_checkpoint": Checkpoint,
    "benchmark_questions": BenchmarkQuestion,
    "evaluation": BenchmarkAnswer,
    "comparisons": Comparison,
    "harness_scores": HarnessScore,
    "generations": Generation,
    "measures": Measurement,
    "stage_counts": StageCounts,
}
