"""The prompts, as files: one folder a style, one Jinja template a prompt, rendered in a sandbox.

A style belongs to a teacher: `brief` is the one on which the embedded teacher was trained. Templates see only the
values that they are given; a value that is missing is an error, never an empty string.
"""

from functools import cache
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

PROMPT_FOLDER = Path(__file__).parent
PROMPT_STYLES = tuple(sorted(p.name for p in PROMPT_FOLDER.iterdir() if p.is_dir() and any(p.glob("*.j2"))))


@cache
def _environment(style: str) -> SandboxedEnvironment:
    loader = FileSystemLoader(PROMPT_FOLDER / style)
    return SandboxedEnvironment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def render_prompt(style: str, name: str, **values: object) -> str:
    """The prompt `name` (instruction, context, question) of a style, without surrounding white space."""
    return _environment(style).get_template(f"{name}.j2").render(**values).strip()
