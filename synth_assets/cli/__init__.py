"""`synth-assets`: the pipeline from the command line.

    synth-assets demo             make what is not made yet, through Dagster, and print a summary
    synth-assets summary          print that summary again
    synth-assets status           what is made, stale, failing, running; what the next night would do
    synth-assets trace ID         all that made one sample, and all that was made of it
    synth-assets export FOLDER    the data set and the adapter, as Hugging Face's libraries load them, with their cards
    synth-assets promote          the tuned student becomes the next teacher, if it beats the present one
    synth-assets dev              the Dagster UI on this machine, with schedule and daemons
    synth-assets taxonomy         check, tree, diff: the files of a taxonomy, without a run
    synth-assets plan RECIPE      what a recipe would take: calls, tokens, phases, GPU-hours
    synth-assets fidelity         how near a synthetic table comes to a real one
    synth-assets serve ROLE       a model of the recipe behind vLLM's own OpenAI-compatible server, until Ctrl-C
    synth-assets doctor           what is installed and ready, and what to do about what is not
    synth-assets train-embedded   make the embedded models anew
    synth-assets study            run a study and write data/studies/NAME.json

`--recipe` and `--scale` stand before the command. What they say reaches all processes through the environment.
Errors of this project are printed as they are, without a traceback, and end with exit code 1.
"""

from pathlib import Path

import click

from synth_assets import __version__
from synth_assets.assets.resources import be_quiet_and_offline, declare
from synth_assets.cli.making import MAKING
from synth_assets.cli.reading import READING
from synth_assets.recipe import SCALES


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="synth-assets")
@click.option("--recipe", type=click.Path(path_type=Path), help="The recipe; else $SYNTH_ASSETS_RECIPE.")
@click.option("--scale", type=click.Choice(SCALES), help="How much to make, instead of what the recipe says.")
def cli(recipe: Path | None, scale: str | None) -> None:
    """From a taxonomy to a filtered data set and a tuned student, as Dagster assets."""
    declare(recipe, scale)
    be_quiet_and_offline()


for command in (*MAKING, *READING):
    cli.add_command(command)


def main() -> None:
    """The console script."""
    cli()
