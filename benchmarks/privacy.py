"""What the row-level gates on privacy cost, on made rows of some 260 characters, one in 33 of which holds personal data:

    python benchmarks/privacy.py [--rows N] [--near N]

personal data     rows/s with the choice of texts, and the ratio to presidio on every text, in the same run
near-duplicates   seconds for N texts of which a tenth are planted, recall, and the ratio to datasketch at 10,000 rows
all gates         minutes and peak MiB for N rows through personal data, secrets, leaks, copies, exact and near-duplicates

Seconds are of the processor, so that a busy machine does not count; minutes are of the wall as well.
"""

import argparse
import hashlib
import importlib.util
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random

from synth_assets.quality.privacy import (
    CopyIndex,
    LeakIndex,
    Source,
    find_copies,
    find_personal_data,
    find_secrets,
    whole_text,
)
from synth_assets.quality.privacy.personal_data import find_without_choice
from synth_assets.records import SyntheticSample
from synth_assets.reward.duplicates import NearDuplicateIndex, jaccard, shingles_of, text_key
from synth_assets.studies.made_rows import VOCABULARY, make_sample, make_text

CHUNK = 20_000
NEAR = 0.7
NUM_SCANNED, NUM_BY_ALL_RECOGNISERS, NUM_BY_DATASKETCH = 20_000, 1_000, 10_000
NUM_SOURCES = 2_000


@dataclass
class Stopwatch:
    """Seconds of the processor since it was made."""

    start: float = 0.0

    def __post_init__(self) -> None:
        self.start = time.process_time()

    def seconds(self) -> float:
        return time.process_time() - self.start


def personal(rng: Random) -> str:
    name, number = rng.choice(VOCABULARY), rng.randrange(10**7)
    return rng.choice((f"{name}@{rng.choice(VOCABULARY)}.org", f"+49 30 {number:07d}", f"212-555-{number % 10_000:04d}"))


def made_sources() -> list[Source]:
    rng = Random(9)
    return [Source(f"s{n}", f"{make_text(rng, 45)} {personal(rng) if n % 10 == 0 else ''}") for n in range(NUM_SOURCES)]


def made_rows(num_rows: int, sources: list[Source], seed: int = 1) -> Iterator[SyntheticSample]:
    """One in 10 near an earlier row, one in 33 with a value of its own, 1 in 100 a copy, 1 in 500 a leak or a duplicate."""
    rng, earlier = Random(seed), make_sample("", "", make_text(Random(seed), 30))
    for number in range(num_rows):
        instruction, response = make_text(rng, 11), f"{make_text(rng, 13)} {rng.randrange(10_000)}, {make_text(rng, 14)}."
        if number % 10 == 9:
            instruction, response = earlier.instruction, f"{earlier.response} {rng.choice(VOCABULARY)}"
        elif number % 33 == 5:
            response += f" {personal(rng)}"
        elif number % 100 == 6:
            response = rng.choice(sources).text
        elif number % 500 == 7:
            response += f" {sources[10 * rng.randrange(NUM_SOURCES // 10)].text.split(' ', 45)[-1]}"
        elif number % 500 == 8:
            instruction, response = earlier.instruction.upper(), earlier.response
        row = make_sample(f"r{number:08d}", instruction, response)
        earlier = row if number % 10 in (1, 3) else earlier
        yield row


def measure_personal_data() -> None:
    texts = [whole_text(row) for row in made_rows(NUM_SCANNED, made_sources(), seed=2)]
    find_personal_data([*texts[:10], "a@example.org"])
    clock = Stopwatch()
    found = find_personal_data(texts)
    ours = len(texts) / clock.seconds()
    clock = Stopwatch()
    same = find_without_choice(texts[:NUM_BY_ALL_RECOGNISERS]) == found[:NUM_BY_ALL_RECOGNISERS]
    theirs = NUM_BY_ALL_RECOGNISERS / clock.seconds()
    flagged = sum(map(bool, found)) / len(texts)
    print(
        f"personal data: {ours:,.0f} rows/s, {ours / theirs:.0f} times presidio on every text ({theirs:,.0f} rows/s)", end=""
    )
    print(f", the same findings: {same}, {flagged:.1%} of the rows flagged")


def near_rows(num_rows: int) -> tuple[list[SyntheticSample], set[str]]:
    """The rows in random order, and the ids of the pairs that are at least so near."""
    rng, rows, pairs = Random(3), [], set()
    for number in range(num_rows - num_rows // 10):
        rows.append(make_sample(f"r{number:07d}", make_text(rng, 12), make_text(rng, 29)))
        if number < num_rows // 10:
            changed = rows[-1].response.split()
            for _ in range(rng.randint(1, 3)):
                changed[rng.randrange(len(changed))] = rng.choice(VOCABULARY)
            near = make_sample(f"d{number:07d}", rows[-1].instruction, " ".join(changed))
            if jaccard(shingles_of(rows[-1]), shingles_of(near)) >= NEAR:
                pairs.add(rows[-1].synthetic_sample_id[1:])
            rows.append(near)
    rng.shuffle(rows)
    return rows, pairs


def measure_near_duplicates(num_rows: int) -> None:
    rows, pairs = near_rows(num_rows)
    clock, found, index = Stopwatch(), set(), NearDuplicateIndex(NEAR)
    for row in rows:
        if nearest := index.nearest(row):
            assert nearest[0] >= NEAR
            found.add(row.synthetic_sample_id[1:])
    seconds = clock.seconds()
    print(f"near-duplicates: {seconds:.1f} s for {num_rows:,} rows, recall {len(found & pairs) / len(pairs):.3f}", end="")
    print(f" of {len(pairs):,} pairs, {len(found - pairs)} others")
    if importlib.util.find_spec("datasketch"):
        rows = rows[:NUM_BY_DATASKETCH]
        theirs, ours = seconds_of_datasketch(rows), seconds_of(NearDuplicateIndex(NEAR).nearest, rows)
        print(f"  at {len(rows):,} rows datasketch takes {theirs:.1f} s, {theirs / ours:.1f} times ours ({ours:.1f} s)")


def seconds_of(judge: Callable[[SyntheticSample], object], rows: list[SyntheticSample]) -> float:
    clock = Stopwatch()
    for row in rows:
        judge(row)
    return clock.seconds()


def seconds_of_datasketch(rows: list[SyntheticSample]) -> float:
    from datasketch import MinHash, MinHashLSH

    lsh, held = MinHashLSH(threshold=0.5, num_perm=128, weights=(0.2, 0.8)), {}

    def judge(row: SyntheticSample) -> None:
        shingles = shingles_of(row)
        sketch = MinHash(num_perm=128)
        sketch.update_batch(["\x1f".join(shingle).encode() for shingle in shingles])
        if max((jaccard(shingles, held[name]) for name in lsh.query(sketch)), default=0.0) < NEAR:
            held[row.synthetic_sample_id] = shingles
            lsh.insert(row.synthetic_sample_id, sketch)

    return seconds_of(judge, rows)


def measure_all_gates(num_rows: int) -> None:
    sources = made_sources()
    leak_index, copy_index, near, seen = LeakIndex(sources), CopyIndex(sources), NearDuplicateIndex(NEAR), set[bytes]()
    counts: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    begun, rows = time.monotonic(), made_rows(num_rows, sources)
    while block := list(islice(rows, CHUNK)):
        texts = [whole_text(row) for row in block]
        clock = Stopwatch()
        values, secrets = find_personal_data(texts), find_secrets(texts)
        spent["personal data and secrets"] += clock.seconds()
        pairs = zip(block, values, secrets, strict=True)
        counts["leak"] += sum(bool(leak_index.leaks_in(row.synthetic_sample_id, [*a, *b])) for row, a, b in pairs)
        counts["personal data"] += sum(map(bool, values))
        counts["secret"] += sum(map(bool, secrets))
        clock = Stopwatch()
        counts["copy"] += len(find_copies(block, copy_index))
        spent["copies"] += clock.seconds()
        clock = Stopwatch()
        for row in block:
            key = hashlib.blake2b("\x00".join(text_key(row)).encode(), digest_size=16).digest()
            if key in seen:
                counts["exact duplicate"] += 1
            elif near.nearest(row):
                counts["near-duplicate"] += 1
            seen.add(key)
        spent["duplicates"] += clock.seconds()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"all gates: {num_rows:,} rows in {(time.monotonic() - begun) / 60:.1f} min, at most {peak:,.0f} MiB of memory")
    print("  minutes of the processor: " + ", ".join(f"{name} {each / 60:.1f}" for name, each in spent.items()))
    print("  found: " + ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="rows that go through all gates")
    parser.add_argument("--near", type=int, default=100_000, help="texts for the near-duplicates")
    said = parser.parse_args()
    measure_all_gates(said.rows)
    measure_personal_data()
    measure_near_duplicates(said.near)
