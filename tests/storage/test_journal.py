"""The journal: what is committed is there, what is torn is repaired, writers do not meet, and it costs little."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synth_assets.errors import WarehouseSpaceError
from synth_assets.storage import journal as module
from synth_assets.storage import open_journal

WRITER = """
import sys
from pathlib import Path
from synth_assets.storage import open_journal
with open_journal(Path(sys.argv[1])) as journal:
    for number in range(10**9):
        journal.append(f"{number:08}", {"text": "x" * 200, "number": number})
        print(number, flush=True)
"""


def test_what_was_appended_is_found_also_by_another_process(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.append("a", {"text": "first\nline ü\u2028", "n": 1.5})
        assert journal.find(["a", "b"]) == {"a": {"text": "first\nline ü\u2028", "n": 1.5}}
    with open_journal(tmp_path) as journal:
        journal.append("a", {"text": "again"})
        assert journal.find(["a"]) == {"a": {"text": "again"}} and journal.repairs == []
    with open_journal(tmp_path) as journal:
        assert journal.find(["a"]) == {"a": {"text": "again"}} and len(journal) == 1


def test_two_writers_have_a_file_each_and_see_what_the_other_has_committed(tmp_path: Path) -> None:
    with open_journal(tmp_path) as one, open_journal(tmp_path) as two:
        one.append("a", {"n": 1})
        two.refresh()
        assert two.find(["a"]) == {}
        one.commit()
        two.refresh()
        assert two.find(["a"]) == {"a": {"n": 1}}
    assert len(list(tmp_path.glob("calls-*.log"))) == 2


@settings(max_examples=40, deadline=None)
@given(cut=st.integers(1, 200), records=st.integers(1, 5))
def test_a_torn_tail_is_cut_back_to_the_last_whole_record(
    cut: int, records: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    with open_journal(folder) as journal:
        for number in range(records):
            journal.append(f"k{number}", {"n": number})
    (file,) = folder.glob("calls-*.log")
    content = file.read_bytes()
    torn = content[: max(1, len(content) - cut)]
    file.write_bytes(torn)
    with open_journal(folder) as journal:
        whole = torn.count(b"\n")
        assert set(journal.find(f"k{n}" for n in range(records))) == {f"k{n}" for n in range(whole)}
        assert bool(journal.repairs) == (not torn.endswith(b"\n"))
        journal.append("new", {"n": 9})
    with open_journal(folder) as journal:
        assert journal.repairs == [] and journal.find(["new"]) == {"new": {"n": 9}}


def test_a_damaged_record_is_left_aside_and_told(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        for key in "abc":
            journal.append(key, {"text": key * 20})
    (file,) = tmp_path.glob("calls-*.log")
    file.write_bytes(file.read_bytes().replace(b"bbbb", b"bXbb", 1))
    with open_journal(tmp_path) as journal:
        assert set(journal.find("abc")) == {"a", "c"}
        assert "1 damaged record" in journal.repairs[0]


def test_what_counts_as_committed_outlives_a_kill(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert writer.stdout
    said = [int(writer.stdout.readline()) for _ in range(3000)]
    os.kill(writer.pid, signal.SIGKILL)
    said += [int(line) for line in writer.stdout.read().splitlines() if line]
    writer.wait()
    with open_journal(tmp_path) as journal:
        found = journal.find(f"{number:08}" for number in range(len(said) + 1))
    assert len(found) >= len(said) - module.COMMIT_EVERY_ROWS
    assert set(found) == {f"{number:08}" for number in range(len(found))}
    assert all(value["number"] == int(key) for key, value in found.items())


def test_records_are_written_in_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs = []
    monkeypatch.setattr(module.os, "fsync", lambda descriptor: syncs.append(descriptor))
    monkeypatch.setattr(module, "COMMIT_EVERY_S", 3600)
    with open_journal(tmp_path) as journal:
        for number in range(1000):
            journal.append(str(number), {"n": number})
    assert len(syncs) == 1 + 1000 // module.COMMIT_EVERY_ROWS


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_journal(tmp_path) as journal:
        journal.append("a", {"n": 1})
    (file,) = tmp_path.glob("calls-*.log")
    before = file.read_bytes()

    def no_room(descriptor: int, content: bytes) -> None:
        os.write(descriptor, bytes(content)[:7])
        raise OSError(28, "No space left on device")

    full = pytest.raises(WarehouseSpaceError, match="No space left")
    with monkeypatch.context() as patch, full, open_journal(tmp_path) as journal:
        journal.append("b", {"n": 2})
        patch.setattr(module, "_write_whole", no_room)
        journal.commit()
    assert file.read_bytes() == before
    assert json.loads(before.split(b" ", 2)[2]) == {"n": 1}
