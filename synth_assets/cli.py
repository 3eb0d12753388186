"""`synth-assets`: the pipeline from the command line.

    synth-assets demo             make what is not made yet, through Dagster, and print a summary
    synth-assets summary          print that summary again
    synth-assets status           what is made, stale, failing, running; what the next night would do
    synth-assets trace ID         all that made one sample, and all that was made of it
    synth-assets export FOLDER    the data set and the adapter, as Hugging Face's libraries load them, with their cards
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

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from synth_assets import __version__
from synth_assets.assets.resources import (
    RETRIES,
    be_quiet_and_offline,
    declare,
    declared_engines,
    declared_recipe,
    open_warehouse,
)
from synth_assets.errors import SynthAssetsError
from synth_assets.recipe import SCALES, project_root, resolve_path


def _telling(command: Callable[..., int | None]) -> Callable[..., None]:
    """Our own errors are messages, not tracebacks."""

    @wraps(command)
    def told(*arguments: Any, **options: Any) -> None:
        try:
            code = command(*arguments, **options) or 0
        except SynthAssetsError as error:
            click.echo(f"{type(error).__name__}: {error}", err=True)
            code = 1
        except KeyboardInterrupt:
            click.echo("interrupted; what was finished is kept, run the same command to go on", err=True)
            code = 130
        sys.exit(code)

    return told


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(__version__, prog_name="synth-assets")
@click.option("--recipe", type=click.Path(path_type=Path), help="The recipe; else $SYNTH_ASSETS_RECIPE.")
@click.option("--scale", type=click.Choice(SCALES), help="How much to make, instead of what the recipe says.")
def cli(recipe: Path | None, scale: str | None) -> None:
    """From a taxonomy to a filtered data set and a tuned student, as Dagster assets."""
    declare(recipe, scale)
    be_quiet_and_offline()


@cli.command()
@click.option(
    "--retry", type=click.Choice(RETRIES), multiple=True,
    help="Make the leaf nodes with such calls again, and ask just those calls anew; may be given twice.",
)  # fmt: skip
@_telling
def demo(retry: tuple[str, ...]) -> int:
    """Make what is not made yet, through Dagster, and sum up."""
    declare(None, None, retry)
    declared_recipe()
    from synth_assets.demo import run_demo

    return run_demo(lambda line: click.echo(line))


@cli.command()
@_telling
def summary() -> None:
    """Print the closing summary of the last run again."""
    from synth_assets.summary import closing_summary, read_last_run

    warehouse = open_warehouse()
    click.echo(closing_summary(declared_recipe(), warehouse, read_last_run(warehouse)))


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON instead of text.")
@_telling
def status(as_json: bool) -> None:
    """What is made, stale, failing or running, and comes next.

    The last lines say what the next nightly run would make, and the model calls that it would take.
    """
    declared_recipe()
    from synth_assets.assets.running import open_instance
    from synth_assets.assets.status import read_status, status_json, status_text
    from synth_assets.definitions import assets_of

    with open_instance() as instance:
        recipe = declared_recipe()
        found = read_status(assets_of(recipe), recipe, open_warehouse(), instance, declared_engines().retry)
    click.echo(json.dumps(status_json(found), indent=2, ensure_ascii=False) if as_json else status_text(found))


@cli.command()
@click.argument("sample_id")
@click.option("--json", "as_json", is_flag=True, help="As JSON instead of text.")
@click.option("--ask/--no-ask", default=True, help="Ask the tuned student as well (starts its engine).", show_default=True)
@_telling
def trace(sample_id: str, as_json: bool, ask: bool) -> None:
    """All that made one sample, and all that was made of it.

    The beginning of its id will do, as long as no other id begins so.
    """
    from synth_assets.trace import find_sample, trace_sample, trace_text

    recipe, warehouse = declared_recipe(), open_warehouse()
    traced = trace_sample(recipe, warehouse, find_sample(warehouse, sample_id), declared_engines() if ask else None)
    click.echo(json.dumps(traced, indent=2, ensure_ascii=False) if as_json else trace_text(traced))


@cli.command()
@click.argument("folder", type=click.Path(path_type=Path))
@_telling
def export(folder: Path) -> None:
    """Write data set and adapter into FOLDER, with their cards.

    The data set is Parquet and JSON lines in the `messages` form, split into train, validation and test.
    """
    from synth_assets.export import export as export_to

    for part in export_to(declared_recipe(), open_warehouse(), folder):
        click.echo(f"written: {part}")


@cli.command()
@click.option("--port", type=int, default=3000, show_default=True)
@_telling
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


@cli.command()
@click.argument("role", type=click.Choice(["teacher", "judge", "student", "reward_model"]), default="teacher")
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@_telling
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


@cli.command()
@_telling
def doctor() -> int:
    """What is ready, and what to do about what is not."""
    from synth_assets.doctor import examine

    findings = examine(open_warehouse())
    for finding in findings:
        click.echo(str(finding))
    num_problems = sum(not finding.is_ok for finding in findings)
    click.echo(f"\n{num_problems} problem{'s' if num_problems != 1 else ''}" if num_problems else "\nall is well")
    return 1 if num_problems else 0


@cli.group()
def taxonomy() -> None:
    """Look at a taxonomy's files: check, tree, diff."""


@taxonomy.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="A list with one object for each qna.yaml.")
@_telling
def check(paths: tuple[Path, ...], as_json: bool) -> int:
    """Every fault in these taxonomies, folders or files, a line each; exit code 1 if there is one."""
    from synth_assets.taxonomy import check_json, check_taxonomy, check_text

    judged = check_taxonomy(paths)
    click.echo(json.dumps(check_json(judged), indent=2, ensure_ascii=False) if as_json else check_text(judged))
    return 1 if any(leaf.faults for leaf in judged) else 0


@taxonomy.command()
@click.argument("path", type=click.Path(path_type=Path))
@_telling
def tree(path: Path) -> None:
    """The leaf nodes as a tree, each with its kind and its seed examples."""
    from synth_assets.taxonomy import check_taxonomy, tree_text

    click.echo(tree_text(check_taxonomy([path])))


@taxonomy.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@_telling
def diff(old: Path, new: Path) -> None:
    """Leaf nodes that were added, changed or removed, and the model calls that making them anew would take."""
    from synth_assets.assets.status import calls_line, num_judges
    from synth_assets.generation import least_calls
    from synth_assets.taxonomy import diff_taxonomies, read_taxonomy

    made = read_taxonomy([new])
    found = diff_taxonomies(read_taxonomy([old]), made)
    for sign, leaf_paths in (("+", found.added), ("~", found.changed), ("-", found.removed)):
        for leaf_path in leaf_paths:
            click.echo(f"{sign} {leaf_path}")
    recipe = declared_recipe()
    calls_of = least_calls(made.leaf_nodes, made.seed_examples, recipe.generation)
    calls = sum(calls_of[leaf_path] for leaf_path in (*found.added, *found.changed))
    counts = f"{len(found.added)} added, {len(found.changed)} changed, {len(found.removed)} removed"
    anew = [*found.added, *found.changed]
    num_samples = recipe.generation.num_samples_per_leaf
    judged = num_samples * sum(num_judges(recipe, leaf_path) for leaf_path in anew)
    rewarded = num_samples * len(anew) if recipe.reward_model else 0
    click.echo(f"{counts}: at least {calls_line(calls, judged, rewarded)}")


@cli.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@_telling
def plan(recipe: Path | None, as_json: bool) -> None:
    """What a recipe would take: leaf nodes, calls, tokens, phases and GPU-hours, with what that assumes.

    RECIPE is a file; without it the declared one.
    """
    from synth_assets.planning import plan_json, plan_recipe, plan_text

    declare(recipe, None)
    planned = plan_recipe(declared_recipe())
    click.echo(json.dumps(plan_json(planned), indent=2) if as_json else plan_text(planned))


def _names(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (value or "").split(",") if name.strip())


@cli.command()
@click.argument("real")
@click.argument("synthetic")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write a page of HTML with plots as well.")
@click.option("--json", "as_json", is_flag=True, help="As JSON instead of text.")
@click.option("--columns", callback=_names, help="Compare only these, with commas between them.")
@click.option("--categorical", callback=_names, help="Columns whose numbers or texts are categories.")
@click.option("--text", callback=_names, help="Columns of texts, compared by their features.")
@click.option("--fail", is_flag=True, help="Exit code 1 where a blocking tolerance is broken.")
@_telling
def fidelity(
    real: str, synthetic: str, report: Path | None, as_json: bool, columns: tuple[str, ...], categorical: tuple[str, ...],
    text: tuple[str, ...], fail: bool,
) -> int:  # fmt: skip
    """How near a SYNTHETIC table comes to a REAL one.

    Each is a .csv or .parquet file, or FILE.duckdb:TABLE, which is only read.
    """
    from synth_assets.quality import fidelity as measured

    tables = measured.make_comparable(
        measured.read_table(real), measured.read_table(synthetic), (real, synthetic),
        categorical=categorical, text=text, columns=columns or None,
    )  # fmt: skip
    found = measured.compare_tables(tables, (real, synthetic))
    if report:
        measured.write_report(found, report)
    as_data = as_json and json.dumps(measured.comparison_json(found), indent=2, ensure_ascii=False)
    click.echo(as_data or measured.comparison_text(found))
    return 1 if fail and found.is_broken else 0


@cli.command("train-embedded")
@click.argument("stage", required=False)
@click.option("--folder", type=click.Path(path_type=Path), help="States, logs and models of the training.")
@click.option("--steps", type=click.IntRange(min=1), help="Optimizer steps, instead of the stage's own number.")
@click.option("--processes", type=click.IntRange(min=1), default=2, show_default=True)
@_telling
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


@cli.command()
@click.argument("name")
@_telling
def study(name: str) -> None:
    """Run a study and write data/studies/NAME.json.

    NAME `documents` runs none, but renders the tables of the README, and plots, from what is written there.
    """
    from synth_assets.studies.documents import render_document
    from synth_assets.studies.plots import draw_plots
    from synth_assets.studies.running import STUDIES, run_study

    if name == "documents":
        readme = project_root() / "README.md"
        readme.write_text(render_document(readme.read_text(), resolve_path("data/studies")))
        draw_plots(resolve_path("data/studies"))
    elif name in STUDIES:
        click.echo(f"written: {run_study(name, declared_recipe(), click.echo)}")
    else:
        raise click.BadParameter(f"one of {', '.join(STUDIES)}, or documents", param_hint="NAME")


def main() -> None:
    """The console script."""
    cli()


if __name__ == "__main__":
    main()
