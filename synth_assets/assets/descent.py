"""Whom models descend from: what a tuned student is given to say of itself, and which teacher is refused."""

from collections.abc import Sequence

from synth_assets.assets.recipe_parts import lineage_of
from synth_assets.errors import ModelError, Where
from synth_assets.frames import to_frame
from synth_assets.inference import fingerprint_of
from synth_assets.model_folder import Lineage
from synth_assets.quality.collapse import distinct_training_rows, real_share
from synth_assets.recipe import Recipe, resolve_path
from synth_assets.records import PreferencePair, TrainingExample

#: From here on a recipe wants rows that descend from its own student's.
OPTED_IN = 2


def teacher_depth(recipe: Recipe) -> int:
    """The teacher's generation_depth. Raises ModelError for a teacher that descends from the recipe's own student.

    Such a teacher closes the circle in which models collapse: the recipe must want it (trust.gates.max_depth).
    """
    lineage = lineage_of(recipe.teacher)
    folder = resolve_path(recipe.teacher.path)
    if lineage.ancestors and recipe.trust.gate("max_depth").value < OPTED_IN:
        student = fingerprint_of(recipe.student)
        if student in lineage.ancestors:
            raise ModelError(
                "the teacher descends from the student that it is to teach, which is how models collapse",
                value=f"student {student}, teacher of depth {lineage.generation_depth}", where=Where(str(folder)),
                remedy="name another teacher, or set trust.gates.max_depth to 2 or more, and keep real rows",
            )  # fmt: skip
    return lineage.generation_depth


def lineage_of_student(recipe: Recipe, mix: Sequence[TrainingExample]) -> Lineage:
    """Of the student that is tuned on the mix. Raises ModelError for a lineage that cannot be read.

    Rows of unknown depth add none, and leave the share of real rows unknown.
    """
    models = (recipe.teacher, recipe.student)
    base, ancestors = lineage_of(recipe.student), {fingerprint_of(spec) for spec in models}
    for spec in models:
        ancestors.update(lineage_of(spec).ancestors)
    depths = [row.generation_depth or 0 for row in mix if row.split == "train"]
    share = real_share(to_frame(mix, TrainingExample))
    return Lineage(max([base.generation_depth, *depths]), tuple(sorted(ancestors)), share)


def lineage_of_aligned(recipe: Recipe, mix: Sequence[TrainingExample], pairs: Sequence[PreferencePair]) -> Lineage:
    """Of the student that is tuned on the mix and aligned on the pairs, none of which is real: models have responded."""
    tuned = lineage_of_student(recipe, mix)
    depth = max([tuned.generation_depth, *(pair.generation_depth or 0 for pair in pairs)])
    num_trained = distinct_training_rows(to_frame(mix, TrainingExample)).height
    share = tuned.real_share and tuned.real_share * num_trained / (num_trained + len(pairs))
    return Lineage(depth, tuned.ancestors, share)
