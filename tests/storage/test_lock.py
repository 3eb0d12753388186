"""One holder at a time; who waits is told for whom, and a holder that is killed holds no more."""

import math
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from synth_assets.errors import WarehouseLockedError
from synth_assets.storage import FileLock

HOLDER = """
import sys, time
from pathlib import Path
from synth_assets.storage import FileLock
with FileLock(Path(sys.argv[1])).hold():
    print("held", flush=True)
    time.sleep(60)
"""


def test_who_waits_is_told_and_goes_on_when_the_holder_is_killed(tmp_path: Path) -> None:
    file, told = tmp_path / "a.lock", []
    with subprocess.Popen([sys.executable, "-c", HOLDER, str(file)], stdout=subprocess.PIPE) as holder:
        assert holder.stdout and holder.stdout.readline() == b"held\n"
        with pytest.raises(WarehouseLockedError, match=str(holder.pid)), FileLock(file, 0.1).hold():
            pass
        threading.Timer(0.5, holder.kill).start()
        with FileLock(file, math.inf).hold(told.append):
            assert holder.wait(timeout=5) != 0
    assert told == [f"waiting for process {holder.pid}, which holds a.lock"]
