"""The reports on trust: each takes tables and, where it must, a model, and gives figures with pictures."""

from synth_assets.quality.reports.collapse import measure_collapse
from synth_assets.quality.reports.diversity import Made, measure_diversity, swapped_rows
from synth_assets.quality.reports.fidelity import Sets, measure_fidelity
from synth_assets.quality.reports.findings import Findings
from synth_assets.quality.reports.likelihoods import response_losses
from synth_assets.quality.reports.privacy import measure_mix, measure_privacy, shown_chunks
from synth_assets.quality.reports.reward import Sampling, measure_rewards
from synth_assets.quality.reports.rows import rows_of_real, rows_of_samples, rows_of_seeds
from synth_assets.quality.reports.student import Pair, Passes, measure_canaries, measure_membership, measure_perplexities

__all__ = [
    "Findings",
    "Made",
    "Pair",
    "Passes",
    "Sampling",
    "Sets",
    "measure_canaries",
    "measure_collapse",
    "measure_diversity",
    "measure_fidelity",
    "measure_membership",
    "measure_mix",
    "measure_perplexities",
    "measure_privacy",
    "measure_rewards",
    "response_losses",
    "rows_of_real",
    "rows_of_samples",
    "rows_of_seeds",
    "shown_chunks",
    "swapped_rows",
]
