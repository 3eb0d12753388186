"""The prompts, as files: one folder a style, one Jinja template a prompt, rendered in a sandbox.

A style belongs to a teacher: `brief` is the one on which the embedded teacher was trained. Templates see only the
values that they are given; a value that is missing is an error, never an empty string. Styles for new items from seeds
(LAB) have a prompt `instruction`; those for prompts from topics (Nemotron-4) have `macro_topics`.
"""

from functools import cache
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, meta
from jinja2.sandbox import SandboxedEnvironment

from synth_assets.records import content_id

PROMPT_FOLDER = Path(__file__).parent
PROMPT_STYLES = tuple(sorted(file.parent.name for file in PROMPT_FOLDER.glob("*/instruction.j2")))
PROMPT_SYNTHESIS_STYLES = tuple(sorted(file.parent.name for file in PROMPT_FOLDER.glob("*/macro_topics.j2")))


@cache
def _environment(style: str) -> SandboxedEnvironment:
    loader = FileSystemLoader(PROMPT_FOLDER / style)
    return SandboxedEnvironment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def has_prompt(style: str, name: str) -> bool:
    """Whether the style has a prompt of that name."""
    return (PROMPT_FOLDER / style / f"{name}.j2").is_file()


def prompts_id(style: str, of_judges: bool = False) -> str:
    """Content hash of a style's prompts: of those for the teacher and the students, or of those for its judges."""
    files = sorted(file for file in (PROMPT_FOLDER / style).glob("*.j2") if file.name.startswith("judge_") == of_judges)
    return content_id("prompts", style, [(file.name, file.read_text(encoding="utf-8")) for file in files])


def prompt_variables(style: str, name: str) -> set[str]:
    """The names of the values that a prompt shows; none where the style has no such prompt."""
    if not has_prompt(style, name):
        return set()
    source = (PROMPT_FOLDER / style / f"{name}.j2").read_text(encoding="utf-8")
    return meta.find_undeclared_variables(_environment(style).parse(source))


def prompt_examples(style: str, judge: str) -> list[dict[str, str]]:
    """The examples that a judge's prompt shows, as its template declares them (`shown`)."""
    template = _environment(style).get_template(f"judge_{judge}.j2")
    values = dict.fromkeys(prompt_variables(style, f"judge_{judge}"), "")
    return list(getattr(template.make_module(values), "shown", []))


def render_prompt(style: str, name: str, **values: object) -> str:
    """The prompt `name` (instruction, context, question, judge_pair, ...) of a style, without white space around it."""
    return _environment(style).get_template(f"{name}.j2").render(**values).strip()
