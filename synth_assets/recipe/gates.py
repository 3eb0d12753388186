"""The gates on trust: for every measure what it asks, its threshold, severity and reason, unless the recipe says otherwise.

`block` stops what comes after, `warn` is shown and goes on, `info` is a figure without a verdict. A gate is named like the
measure that it holds, and a recipe changes it under `trust.gates`. How often each of them misses a defect or cries wolf
is measured by `make study-gates`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, NamedTuple

from pydantic import Field

from synth_assets.recipe.value_types import Section
from synth_assets.records import Direction, Severity, TrustReport


class Gate(Section):
    value: Annotated[float, Field(allow_inf_nan=False)]
    severity: Severity
    reason: Annotated[str, Field(min_length=10)]
    """Why this value, in one line; shown beside the check."""
    warn: Annotated[float | None, Field(allow_inf_nan=False)] = None
    """A nearer threshold, for a check of its own that only warns."""


class DeclaredGate(NamedTuple):
    """`direction`: on which side of the threshold the measure's bound must stay; `asks`: the question in plain words."""

    report: TrustReport
    direction: Direction
    asks: str
    gate: Gate


def _at_most(
    report: TrustReport, value: float, severity: Severity, asks: str, reason: str, warn: float | None = None
) -> DeclaredGate:
    return DeclaredGate(report, "at_most", asks, Gate(value=value, severity=severity, reason=reason, warn=warn))


def _at_least(
    report: TrustReport, value: float, severity: Severity, asks: str, reason: str, warn: float | None = None
) -> DeclaredGate:
    return DeclaredGate(report, "at_least", asks, Gate(value=value, severity=severity, reason=reason, warn=warn))


GATES: Mapping[str, DeclaredGate] = {
    "mean_shift": _at_most(
        "fidelity_report",
        0.25,
        "block",
        "Are averages those of real rows?",
        "a quarter of a standard deviation is what a reader would begin to notice",
    ),
    "variance_ratio": _at_most(
        "fidelity_report",
        math.log(1.5),
        "block",
        "Do rows vary as much as real ones?",
        "half as much spread again is another population",
    ),
    "category": _at_least(
        "fidelity_report",
        0.90,
        "block",
        "Are categories as frequent as in real rows?",
        "one row in ten in another category is a shifted mixture",
    ),
    "correlation": _at_most(
        "fidelity_report",
        0.20,
        "block",
        "Do features go together as in real rows?",
        "what goes together in real rows must go together in synthetic ones",
    ),
    "shape": _at_least(
        "fidelity_report",
        0.85,
        "warn",
        "Are distributions shaped as in real rows?",
        "means and variances can agree where shapes do not; a real holdout is the yardstick",
    ),
    "pair_association": _at_most(
        "fidelity_report",
        0.05,
        "warn",
        "Do pairs of categories stand together as in real rows?",
        "so far below what a real holdout reaches may pairs of categories lie",
    ),
    "mmd_excess": _at_most(
        "fidelity_report",
        0.005,
        "warn",
        "Are the texts as a whole those of the real population?",
        "beyond chance: the clouds of embeddings differ in some way",
    ),
    "recall": _at_least(
        "fidelity_report",
        0.80,
        "block",
        "Is every kind of real text there?",
        "of what a real holdout reaches, four fifths at least",
    ),
    "coverage": _at_least(
        "fidelity_report",
        0.80,
        "block",
        "Is every kind of real text there, outliers aside?",
        "of what a real holdout reaches, four fifths at least; a collapsed set covers little",
    ),
    "leaked_values": _at_most(
        "privacy_report",
        0,
        "block",
        "Does a person's e-mail, number or account from the sources come out again?",
        "what a source says of a person must not come out again",
    ),
    "personal_data_left": _at_most(
        "privacy_report",
        0,
        "block",
        "Is there personal data in the kept rows?",
        "kept rows are trained on and handed on: none may hold personal data",
    ),
    "secrets_left": _at_most(
        "privacy_report",
        0,
        "block",
        "Are there keys or passwords in the kept rows?",
        "a key that is trained on is published",
    ),
    "copied_share": _at_most(
        "privacy_report",
        0.01,
        "block",
        "Did the teacher copy its sources word for word?",
        "a teacher that copies its sources adds nothing and gives them away",
    ),
    "leak_test": _at_least(
        "privacy_report",
        0.01,
        "block",
        "Are rows closer to what the teacher saw than to what it did not see?",
        "rows like what the teacher saw, and not like what it did not, are memories",
    ),
    "dcr_share": _at_most(
        "privacy_report",
        0.60,
        "warn",
        "Do rows lie closer to what the teacher saw than chance would have it?",
        "half of the rows should lie closer to either side; a good figure proves no privacy",
    ),
    "leaf_coverage": _at_least(
        "diversity_report",
        1.0,
        "block",
        "Does every leaf node have rows?",
        "a leaf without rows is a task that the student will not learn",
    ),
    "leaf_entropy": _at_least(
        "diversity_report",
        0.80,
        "warn",
        "Are rows spread over the leaf nodes?",
        "a few leaves that hold most rows crowd out the others",
    ),
    "vendi_ratio": _at_least(
        "diversity_report",
        0.85,
        "warn",
        "Are there as many different texts as among real rows?",
        "an effective number of different rows well below the real one",
    ),
    "self_bleu_excess": _at_most(
        "diversity_report",
        0.10,
        "warn",
        "Do rows repeat one another's wording?",
        "so much more alike than real rows are among themselves",
    ),
    "representation_log_ratio": _at_most(
        "diversity_report",
        math.log(1.25),
        "block",
        "Does every declared group have its share of the rows?",
        "a group below four fifths, or above five quarters, of its share",
    ),
    "acceptance_ratio": _at_least(
        "diversity_report",
        0.80,
        "block",
        "Do judges and reward keep as much of every group?",
        "the four-fifths rule: what keeps less of one group is biased",
    ),
    "swap_reward_difference": _at_most(
        "diversity_report",
        0.10,
        "warn",
        "Does the reward change when one group's words stand for another's?",
        "exchanging the words of groups must not move the reward",
    ),
    "max_depth": _at_most(
        "collapse_report",
        1,
        "block",
        "How many models away from people is the data?",
        "models that feed on their own output decay; a depth of 2 needs a decision",
    ),
    "real_share_below_depth_2": _at_least(
        "collapse_report",
        0.10,
        "block",
        "Is there enough real data in what is trained on?",
        "with a tenth of real rows decay was minor, without any it was not",
        warn=0.25,
    ),
    "real_share_from_depth_2": _at_least(
        "collapse_report",
        0.50,
        "block",
        "Is half of it real, once a model has fed on a model?",
        "from the second generation on only half real rows held the level",
    ),
    "dropped_real_rows": _at_most(
        "collapse_report",
        0,
        "block",
        "Are all real rows of the generation before still there?",
        "what is replaced is forgotten: real rows accumulate, they are never dropped",
    ),
    "holdout_changed": _at_most(
        "collapse_report",
        0,
        "block",
        "Is the real holdout the one of earlier runs?",
        "figures on another holdout say nothing of a change",
    ),
    "distinct_3_ratio": _at_least(
        "collapse_report",
        0.80,
        "block",
        "Are there as many different phrases as in the generation before?",
        "phrases die out first when a model feeds on itself",
        warn=0.90,
    ),
    "vocabulary_ratio": _at_least(
        "collapse_report",
        0.80,
        "block",
        "Are there as many different words as in the generation before?",
        "rare words die out when a model feeds on itself",
        warn=0.90,
    ),
    "leaves_kept": _at_least(
        "collapse_report",
        1.0,
        "warn",
        "Does every leaf node of the generation before still have rows?",
        "a leaf of which no row is left has collapsed wholly, or was taken out",
    ),
    "perplexity_ratio": _at_most(
        "student_report",
        1.15,
        "block",
        "Does the student still expect real texts?",
        "a student that knows real rows 15 % worse than its base, or the student before it, has begun to forget them",
        warn=1.05,
    ),
    "rare_perplexity_ratio": _at_most(
        "student_report",
        1.25,
        "block",
        "Does the student still expect rare words?",
        "the rarest tenth of tokens is where collapse begins; they scatter more, so they have more room",
    ),
    "membership_auc": _at_most(
        "student_report",
        0.60,
        "warn",
        "Can an attacker tell what the student was trained on?",
        "0.5 is a coin; above, training rows can be told from others",
    ),
    "canary_exposure": _at_most(
        "student_report",
        6.0,
        "warn",
        "Can a number that stood in one row be read out of a student?",
        "13.3 bits are a full disclosure of a four-digit number; what stood in one row should stay below half",
    ),
    "student_accuracy_gap": _at_most(
        "student_report",
        0.10,
        "warn",
        "Does the student serve every declared group as well?",
        "a student that serves one group worse than another",
    ),
}
