"""What a report finds: figures, and pictures for where people would rather look than read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from synth_assets.quality.estimates import Estimate


class Findings(NamedTuple):
    """`pictures`: title -> PNG as data URI."""

    estimates: list[Estimate]
    pictures: Mapping[str, str]
