"""What samples give away, as one record between who finds it (`quality.privacy`) and who decides over it (`reward`)."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

RefusalReason = Literal["personal_data", "secret", "copies_source"]
#: In the order in which the filter gives them.
REFUSAL_REASONS: tuple[RefusalReason, ...] = typing.get_args(RefusalReason)


@dataclass(frozen=True)
class Texts:
    """What a sample says in place of what the teacher wrote."""

    context: str | None
    instruction: str
    response: str


@dataclass(frozen=True)
class Refusals:
    """By sample id. `refused`: the reason with its detail; `rewritten`: the texts without what may not be published or
    shown, also of refused samples."""

    refused: Mapping[str, tuple[RefusalReason, str]] = field(default_factory=dict)
    rewritten: Mapping[str, Texts] = field(default_factory=dict)
