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
from synth_assets.records.prompts import (
    GENERATED_BRANCH,
    PromptedSample,
    SyntheticPrompt,
    Topic,
    area_path,
    is_generated,
    leaf_or_area,
)
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
    "GENERATED_BRANCH",
    "NEW_SOURCES",
    "PROMPT_KINDS",
    "REFUSAL_REASONS",
    "REWARD_ATTRIBUTES",
    "TABLES",
    "TABLE_FROM_TOPICS",
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
    "PromptedSample",
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
    "area_path",
    "content_id",
    "is_generated",
    "leaf_or_area",
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
    "prompt_topics": Topic,
    "generated_leaf_nodes": LeafNode,
    "synthetic_prompts": SyntheticPrompt,
    "prompted_samples": PromptedSample,
    "rejected_samples": RejectedSample,
    "scored_samples": ScoredSample,
    "scored_prompted_samples": ScoredSample,
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

#: Table -> that which holds the same, or more, of samples from topics.
TABLE_FROM_TOPICS: dict[str, str] = {
    "taxonomy": "generated_leaf_nodes",
    "synthetic_samples": "prompted_samples",
    "scored_samples": "scored_prompted_samples",
}
