"""The recipe: what a run shall do, declared as data. One dial first (`scale`), knobs second.

Relative paths count from the project's root (`resolve_path`), and stay relative in the record: the fingerprint of a
recipe is the same on every machine. Whether a path *exists* is judged where it is used.
"""

from synth_assets.recipe.alignment import AlignmentSection, AlignmentStage
from synth_assets.recipe.gates import GATES, DeclaredGate, Gate
from synth_assets.recipe.harness import LOCAL_TASKS, HarnessSection, HarnessTask
from synth_assets.recipe.models import SERVER_LIMITS, ModelSpec, ServerSection
from synth_assets.recipe.paths import (
    DEFAULT_RECIPE,
    project_root,
    read_secret,
    recipe_path,
    resolve_path,
    warehouse_path,
)
from synth_assets.recipe.preferences import PreferencesSection
from synth_assets.recipe.prompt_synthesis import PromptCounts, PromptSynthesisSection, PromptTokens
from synth_assets.recipe.reading import read_recipe
from synth_assets.recipe.reward import RewardCut, RewardReportSection, RewardSection
from synth_assets.recipe.schedule import ScheduleSection
from synth_assets.recipe.sections import (
    SCALES,
    DataSetSpec,
    EvaluationSection,
    FilterSection,
    GenerationSection,
    JudgeName,
    JudgesSection,
    MaxNewTokens,
    QualitySection,
    Recipe,
    Scale,
    TaxonomySection,
)
from synth_assets.recipe.trust import GroupAttribute, PrivacySection, RealData, TrustSection
from synth_assets.recipe.tuning import (
    CheckpointChoice,
    PhaseSpec,
    PhaseTake,
    PrivacyBudget,
    TuningSection,
    length_of,
    phase_taking,
)
from synth_assets.recipe.value_types import Section, Threshold

__all__ = [
    "DEFAULT_RECIPE",
    "GATES",
    "LOCAL_TASKS",
    "SCALES",
    "SERVER_LIMITS",
    "AlignmentSection",
    "AlignmentStage",
    "CheckpointChoice",
    "DataSetSpec",
    "DeclaredGate",
    "EvaluationSection",
    "FilterSection",
    "Gate",
    "GenerationSection",
    "GroupAttribute",
    "HarnessSection",
    "HarnessTask",
    "JudgeName",
    "JudgesSection",
    "MaxNewTokens",
    "ModelSpec",
    "PhaseSpec",
    "PhaseTake",
    "PreferencesSection",
    "PrivacyBudget",
    "PrivacySection",
    "PromptCounts",
    "PromptSynthesisSection",
    "PromptTokens",
    "QualitySection",
    "RealData",
    "Recipe",
    "RewardCut",
    "RewardReportSection",
    "RewardSection",
    "Scale",
    "ScheduleSection",
    "Section",
    "ServerSection",
    "TaxonomySection",
    "Threshold",
    "TrustSection",
    "TuningSection",
    "length_of",
    "phase_taking",
    "project_root",
    "read_recipe",
    "read_secret",
    "recipe_path",
    "resolve_path",
    "warehouse_path",
]  # fmt: skip
