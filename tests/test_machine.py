"""What the machine has, and what a run takes of it."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from synth_assets.machine import PeakMemory, end_group, family, free_disk_mib, memory_mib
from tests.processes import is_alive

HOLD_200_MIB = """
import time
held = b"x" * (200 * 1024 * 1024)
print(flush=True)
time.sleep(30)
"""


def test_sizes_are_plausible(tmp_path: Path) -> None:
    assert free_disk_mib(tmp_path / "not/there/yet") > 0
    sizes = memory_mib()
    if sizes is not None:
        assert 0 < sizes[1] <= sizes[0]


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="no /proc here")
def test_peak_memory_counts_the_processes_that_were_started() -> None:
    with PeakMemory(interval_s=0.05).watching() as alone:
        time.sleep(0.3)
    with PeakMemory(interval_s=0.05).watching() as memory:
        command = [sys.executable, "-c", HOLD_200_MIB]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.5)
            child.kill()
    assert 190 < memory.peak_mib - alone.peak_mib < 300


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="no /proc here")
def test_a_group_is_gone_when_its_end_returns() -> None:
    """Its processes that are not our children as well: nobody tells us of their end."""
    for _ in range(5):
        leader = subprocess.Popen(["bash", "-c", "sleep 300 & sleep 300 & wait"], start_new_session=True)
        end = time.monotonic() + 10
        while len(started := family(leader.pid)) < 3 and time.monotonic() < end:
            time.sleep(0.01)
        assert len(started) == 3
        end_group(leader)
        assert not any(is_alive(process) for process in started)
        end_group(leader)
