"""Which failures are tried again, and after how long.

Full jitter: a random share of an exponentially growing delay (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
Blog 2015), so that calls that failed together do not come back together. The share is drawn from the call's own content and
the number of the try: the same run waits the same times.
"""

from __future__ import annotations

import math
import random
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

FIRST_DELAY_S = 0.25
LONGEST_DELAY_S = 30.0
TOO_MANY_REQUESTS = 429
#: Beside every 5xx; any other 4xx says that the request itself is wrong.
_RETRIED = frozenset({408, 409, TOO_MANY_REQUESTS})


def is_retried(status: int) -> bool:
    """Whether the same request may succeed later, by its HTTP status."""
    return status in _RETRIED or 500 <= status < 600


def backoff_s(body: bytes, num_tries: int) -> float:
    """Seconds before the next try, after `num_tries` of them: from 0 to min(30, 0.25 x 2^num_tries)."""
    share = random.Random(f"{zlib.crc32(body)}:{num_tries}").random()
    return share * min(LONGEST_DELAY_S, FIRST_DELAY_S * 2.0 ** min(num_tries, 20))


def retry_after_s(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait, by Retry-After: a number or an HTTP date (RFC 9110, 10.2.3); 0 without one.

    A date counts from the server's own Date, if it gives one: clocks differ.
    """
    said = headers.get("Retry-After", "").strip()
    if not said:
        return 0.0
    try:
        seconds = float(said)
    except ValueError:
        until, now = _date(said), _date(headers.get("Date", "")) or datetime.now(UTC)
        seconds = (until - now).total_seconds() if until else 0.0
    return max(0.0, seconds) if math.isfinite(seconds) else 0.0


def _date(text: str) -> datetime | None:
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None
    return date if date.tzinfo else date.replace(tzinfo=UTC)
