"""Python imports this by itself at its start if the folder is on PYTHONPATH: at a given moment the clock goes back a day."""

import os
import time

DAY_S = 86_400.0
_set_back_at = float(os.environ.get("CLOCK_IS_SET_BACK_AT", "inf"))
_time, _time_ns = time.time, time.time_ns


def _shift() -> float:
    return DAY_S if _time() >= _set_back_at else 0.0


time.time = lambda: _time() - _shift()
time.time_ns = lambda: _time_ns() - int(_shift() * 1e9)
