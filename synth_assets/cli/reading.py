"""The commands that look at what is there, or would be, and change nothing."""

import json
from pathlib import Path

import click

from synth_assets.assets.resources import declare, declared_engines, declared_recipe, open_warehouse
from synth_assets.cli.taxonomy import taxonomy
from synth_assets.cli.telling import telling


@click.command()
@telling
def summary() -> None:
    """Print the closing summary of the last run again."""
    from synth_assets.summary import closing_summary, read_last_run

    warehouse = open_warehouse()
    click.echo(closing_summary(declared_recipe(), warehouse, read_last_run(warehouse)))


@click.command()
@click.option("--json", "as_json", is_flag=True, help="As JSON instead of text.")
@telling
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


@click.command()
@click.argument("sample_id")
@click.option("--json", "as_json", is_flag=True, help="As JSON instead of text.")
@click.option("--ask/--no-ask", default=True, help="Ask the tuned student as well (starts its engine).", show_default=True)
@telling
def trace(sample_id: str, as_json: bool, ask: bool) -> None:
    """All that made one sample, and all that was made of it.

    The beginning of its id will do, as long as no other id begins so.
    """
    from synth_assets.trace import find_sample, trace_sample, trace_text

    recipe, warehouse = declared_recipe(), open_warehouse()
    traced = trace_sample(recipe, warehouse, find_sample(warehouse, sample_id), declared_engines() if ask else None)
    click.echo(json.dumps(traced, indent=2, ensure_ascii=False) if as_json else trace_text(traced))


@click.command()
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@telling
def plan(recipe: Path | None, as_json: bool) -> None:
    """What a recipe would take: leaf nodes, calls, tokens, phases and GPU-hours, with what that assumes.

    RECIPE is a file; without it the declared one.
    """
    from synth_assets.plan_text import plan_json, plan_text
    from synth_assets.planning import plan_recipe

    declare(recipe, None)
    planned = plan_recipe(declared_recipe())
    click.echo(json.dumps(plan_json(planned), indent=2) if as_json else plan_text(planned))


def _names(_context: click.Context, _parameter: click.Parameter, value: str | None) -> tuple[str, ...]:
    return tuple(name.strip() for name in (value or "").split(",") if name.strip())


@click.command()
@click.argument("real")
@click.argument("synthetic")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write a page of HTML with plots as well.")
@click.option("--json", "as_json", is_flag=True, help="As JSON instead of text.")
@click.option("--columns", callback=_names, help="Compare only these, with commas between them.")
@click.option("--categorical", callback=_names, help="Columns whose numbers or texts are categories.")
@click.option("--text", callback=_names, help="Columns of texts, compared by their features.")
@click.option("--fail", is_flag=True, help="Exit code 1 where a blocking tolerance is broken.")
@telling
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


@click.command()
@telling
def doctor() -> int:
    """What is ready, and what to do about what is not."""
    from synth_assets.doctor import examine

    findings = examine(open_warehouse())
    for finding in findings:
        click.echo(str(finding))
    num_problems = sum(not finding.is_ok for finding in findings)
    click.echo(f"\n{num_problems} problem{'s' if num_problems != 1 else ''}" if num_problems else "\nall is well")
    return 1 if num_problems else 0


READING = (summary, status, trace, taxonomy, plan, fidelity, doctor)
