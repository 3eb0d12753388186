"""The commands that make something: runs, exports, models, studies, and the Dagster UI, which makes what it is told."""

import os
import sys
from pathlib import Path

import click

from synth_assets.assets.resources import RETRIES, declare, declared_engines, declared_recipe, open_warehouse
from synth_assets.cli.telling import telling
from synth_assets.recipe import project_root, resolve_path


@click.command()
@click.option(
    "--retry", type=click.Choice(RETRIES), multiple=True,
    help="Make the leaf nodes with such calls again, and ask just those calls anew; may be given twice.",
)  # fmt: skip
@telling
def demo(retry: tuple[str, ...]) -> int:
    """Make what is not made yet, through Dagster, and sum up."""
    declare(None, None, retry)
    declared_recipe()
    from synth_assets.demo import run_demo

    return run_demo(lambda line: click.echo(line))


@click.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--despite-failed-checks", is_flag=True, help="Export all the same; the cards name what failed.")
@telling
def export(folder: Path, despite_failed_checks: bool) -> None:
    """Write data set and adapter into FOLDER, with their cards.

    The data set is Parquet and JSON lines in the `messages` form, split into train, validation and test. A check that blocks
    and has failed, or was not run on what is there now, stops the export.
    """
    from synth_assets.assets.running import open_instance
    from synth_assets.assets.verdicts import open_gates_of_data, open_gates_of_pairs, open_gates_of_student
    from synth_assets.export import OpenGates
    from synth_assets.export import export as export_to

    recipe, warehouse = declared_recipe(), open_warehouse()
    with open_instance() as instance:
        gates = OpenGates(
            open_gates_of_data(recipe, warehouse, instance), open_gates_of_student(recipe, warehouse, instance),
            open_gates_of_pairs(recipe, warehouse, instance),
        )  # fmt: skip
    for part in export_to(recipe, warehouse, folder, gates, despite_failed_checks=despite_failed_checks):
        click.echo(f"written: {part}")


@click.command()
@telling
def promote() -> int:
    """The tuned student becomes the next teacher, if it beats the present one.

    Both answer the same questions; the whole interval of the difference must lie above zero. Prints the figures and what to
    write into the next recipe, and ends with exit code 1 where the student is refused.
    """
    from synth_assets.assets.running import open_instance
    from synth_assets.assets.verdicts import require_held_student
    from synth_assets.promotion import promote_student, promotion_text

    recipe, warehouse = declared_recipe(), open_warehouse()
    with open_instance() as instance:
        require_held_student(recipe, warehouse, instance)
    generation = promote_student(recipe, warehouse, declared_engines())
    click.echo(promotion_text(recipe, warehouse, generation))
    return 0 if generation.is_promoted else 1


@click.command()
@click.option("--port", type=int, default=3000, show_default=True)
@telling
def dev(port: int) -> None:
    """The Dagster UI on this machine, with schedule and daemons."""
    declared_recipe()
    from synth_assets.assets.currency import material_of_files
    from synth_assets.assets.leaf_partitions import bring_up_to_date
    from synth_assets.assets.running import open_instance

    with open_instance() as instance:  # the leaves can be chosen as soon as the page is there
        bring_up_to_date(instance, [leaf.leaf_path for leaf in material_of_files(declared_recipe()).leaf_nodes])
    program = Path(sys.executable).with_name("dagster")
    workspace = project_root() / "workspace.yaml"
    loaded = ["-w", str(workspace)] if workspace.is_file() else ["-m", "synth_assets.definitions"]
    os.execv(program, [str(program), "dev", "-h", "127.0.0.1", "-p", str(port), *loaded])


@click.command()
@click.argument("role", type=click.Choice(["teacher", "judge", "student", "reward_model"]), default="teacher")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@telling
def serve(role: str, port: int) -> int:
    """A model of the recipe behind vLLM's own OpenAI-compatible server, on this machine, until Ctrl-C."""
    from synth_assets.inference.serving import recipe_lines, serving

    recipe = declared_recipe()
    spec = recipe.judge_model if role == "judge" else recipe.models.get(role)
    if spec is None:
        raise click.BadParameter(f"the recipe has no {role}", param_hint="ROLE")
    click.echo(f"starting {spec.name}: this takes a minute")
    with serving(spec, "reward" if role == "reward_model" else "text", port) as server:
        click.echo(f"serving {server.name} at {server.base_url} until Ctrl-C; in a recipe:\n")
        click.echo(recipe_lines(server, spec, role))
        try:
            return server.wait()
        except KeyboardInterrupt:
            return 0


@click.command("train-embedded")
@click.argument("stage", required=False)
@click.option("--folder", type=click.Path(path_type=Path), help="States, logs and models of the training.")
@click.option("--steps", type=click.IntRange(min=1), help="Optimizer steps, instead of the stage's own number.")
@click.option("--processes", type=click.IntRange(min=1), default=2, show_default=True)
@telling
def train_embedded(stage: str | None, folder: Path | None, steps: int | None, processes: int) -> None:
    """Make the embedded models anew, stage by stage.

    STAGE is one of bundle, base, teacher, ...; without it all of them.
    """
    from synth_assets.embedded.commands import STAGES, run_stage
    from synth_assets.inference import open_text_model

    if stage is not None and stage not in STAGES:
        raise click.BadParameter(f"one of {', '.join(STAGES)}", param_hint="STAGE")
    spec = declared_recipe().teacher
    target = folder or resolve_path("data/warehouse/embedded")
    target.mkdir(parents=True, exist_ok=True)
    for each in (stage,) if stage else STAGES:
        run_stage(each, target, resolve_path("data"), lambda model: open_text_model(spec, model), steps, processes)


@click.command()
@click.argument("name")
@telling
def study(name: str) -> None:
    """Run a study and write data/studies/NAME.json.

    NAME `documents` runs none, but renders the tables of the documents, and plots, from what is written there.
    """
    from synth_assets.studies.documents import DOCUMENTS, render_document
    from synth_assets.studies.plots import draw_plots
    from synth_assets.studies.running import STUDIES, run_study

    if name == "documents":
        for document in (project_root() / each for each in DOCUMENTS):
            document.write_text(render_document(document.read_text(), resolve_path("data/studies")))
        draw_plots(resolve_path("data/studies"))
    elif name in STUDIES:
        click.echo(f"written: {run_study(name, declared_recipe(), click.echo)}")
    else:
        raise click.BadParameter(f"one of {', '.join(STUDIES)}, or documents", param_hint="NAME")


MAKING = (demo, export, promote, dev, serve, train_embedded, study)
