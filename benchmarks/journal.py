"""What the journal costs and saves, with the embedded teacher, all in one run:

    python benchmarks/journal.py [NUM_CALLS]

throughput with the journal / without    the same calls, alternately, on one running engine; median of the pairs
resume                                   seconds until NUM_CALLS finished calls are served again, and calls made: none
"""

import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from synth_assets.assets.currency import material_of_files
from synth_assets.assets.journaling import journaled_text_model
from synth_assets.assets.resources import Engines
from synth_assets.generation.candidates import plan_leaves
from synth_assets.inference import open_text_model
from synth_assets.recipe import Recipe, read_recipe
from synth_assets.roles import GenerationRequest, TextModel
from synth_assets.storage import Warehouse

NUM_PAIRS = 5


def requests_of(recipe: Recipe, num_calls: int) -> list[GenerationRequest]:
    """The first instruction requests of every leaf, in turn, as generation would ask them."""
    found = material_of_files(recipe)
    plans = plan_leaves(found.leaf_nodes, found.seed_examples, found.chunks, recipe.generation, recipe.seed)
    plans = [plan for plan in plans if not plan.candidate(0).writes_context]
    numbers = range(-(-num_calls // len(plans)))
    requests = [plan.request(plan.candidate(number), "instruction") for number in numbers for plan in plans]
    return requests[:num_calls]


def seconds(model: TextModel, requests: Sequence[GenerationRequest]) -> float:
    start = time.monotonic()
    model.generate(requests)
    return time.monotonic() - start


def main(num_calls: int) -> None:
    recipe = read_recipe()
    requests = requests_of(recipe, num_calls)
    ratios: list[float] = []
    with tempfile.TemporaryDirectory() as scratch, open_text_model(recipe.teacher) as engine:

        @contextmanager
        def running(*_: object):  # type: ignore[no-untyped-def]
            yield engine

        engines = Engines(open_text_model=running)
        engine.generate(requests)  # warm: the prefix cache is full for both
        for pair in range(NUM_PAIRS):
            warehouse = Warehouse(Path(scratch) / str(pair))
            plain = seconds(engine, requests)
            with journaled_text_model(engines, warehouse, recipe.teacher) as model:
                journaled = seconds(model, requests)
            ratios.append(plain / journaled)
            print(f"pair {pair}: {num_calls / plain:.0f} calls/s without, {num_calls / journaled:.0f} with the journal")
        start = time.monotonic()
        with journaled_text_model(engines, warehouse, recipe.teacher) as model:
            model.generate(requests)
        print(f"throughput with / without: {median(ratios):.3f} (from {min(ratios):.3f} to {max(ratios):.3f})")
        print(f"resume of {num_calls} finished calls: {time.monotonic() - start:.2f} s, {model.calls.num_made} calls made")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
