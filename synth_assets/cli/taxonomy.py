"""The commands on a taxonomy's files, without a run."""

import json
from pathlib import Path

import click

from synth_assets.assets.resources import declared_recipe
from synth_assets.cli.telling import telling


@click.group()
def taxonomy() -> None:
    """Look at a taxonomy's files: check, tree, diff."""


@taxonomy.command()
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="A list with one object for each qna.yaml.")
@telling
def check(paths: tuple[Path, ...], as_json: bool) -> int:
    """Every fault in these taxonomies, folders or files, a line each; exit code 1 if there is one."""
    from synth_assets.taxonomy import check_json, check_taxonomy, check_text

    judged = check_taxonomy(paths)
    click.echo(json.dumps(check_json(judged), indent=2, ensure_ascii=False) if as_json else check_text(judged))
    return 1 if any(leaf.faults for leaf in judged) else 0


@taxonomy.command()
@click.argument("path", type=click.Path(path_type=Path))
@telling
def tree(path: Path) -> None:
    """The leaf nodes as a tree, each with its kind and its seed examples."""
    from synth_assets.taxonomy import check_taxonomy, tree_text

    click.echo(tree_text(check_taxonomy([path])))


@taxonomy.command()
@click.argument("old", type=click.Path(path_type=Path))
@click.argument("new", type=click.Path(path_type=Path))
@telling
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
