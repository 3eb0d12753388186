"""The section `schedule`: when the night begins."""

from __future__ import annotations

import re
import zoneinfo

from pydantic import field_validator

from synth_assets.recipe.value_types import Section, Text

_CRON_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))
_CRON_PART = re.compile(r"(?:\*|(\d+)(?:-(\d+))?)(?:/(\d+))?")


def _is_cron_field(field: str, limits: tuple[int, int]) -> bool:
    """Numbers, ranges, lists and steps: what every cron understands; names of months and days are not taken."""
    low, high = limits
    for part in field.split(","):
        match = _CRON_PART.fullmatch(part)
        if match is None:
            return False
        first, last, step = (int(number) if number else None for number in match.groups())
        ends = [end for end in (first, last) if end is not None]
        if not all(low <= end <= high for end in ends) or ends != sorted(ends) or step == 0:
            return False
    return True


class ScheduleSection(Section):
    cron: Text
    """Minute, hour, day of the month, month, day of the week."""
    timezone: Text

    @field_validator("cron")
    @classmethod
    def _is_a_schedule(cls, cron: str) -> str:
        fields = cron.split()
        if len(fields) != len(_CRON_LIMITS) or not all(map(_is_cron_field, fields, _CRON_LIMITS)):
            raise ValueError("five fields such as 0 2 * * *: minute 0-59, hour 0-23, day 1-31, month 1-12, weekday 0-6")
        return cron

    @field_validator("timezone")
    @classmethod
    def _exists(cls, name: str) -> str:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError("a time zone of the IANA database, such as UTC or Europe/Berlin") from error
        return name
