"""Python imports this by itself at its start if the folder is on PYTHONPATH: as soon as a file is there, the clock is a day
slow."""

import os
import time

DAY_S = 86_400.0
_sign = os.environ.get("CLOCK_IS_SET_BACK_WHEN", "")
_time, _time_ns = time.time, time.time_ns


def _shift() -> float:
    return DAY_S if os.path.exists(_sign) else 0.0


time.time = lambda: _time() - _shift()
time.time_ns = lambda: _time_ns() - int(_shift() * 1e9)
