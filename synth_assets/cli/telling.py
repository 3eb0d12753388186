"""How a command ends: our own errors are printed as they are, without a traceback, and end with exit code 1."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from synth_assets.errors import SynthAssetsError


def telling(command: Callable[..., int | None]) -> Callable[..., None]:
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
