"""How long it takes to read and check a large taxonomy, and in how much memory.

    python benchmarks/taxonomy.py [--leaves 10000]

The leaves are the bundled ones, again and again under other paths. Prints seconds and peak memory of `check_taxonomy` and
of `read_taxonomy`, each in a process of its own, and seconds a leaf against those of parsing the YAML alone.
"""

import argparse
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import yaml

from synth_assets.recipe import resolve_path
from synth_assets.taxonomy import check_taxonomy, read_taxonomy

WORK = {"check": lambda root: len(check_taxonomy([root])), "read": lambda root: len(read_taxonomy([root]).leaf_nodes)}


def make(root: Path, num_leaves: int) -> None:
    files = sorted(resolve_path("data/taxonomy").rglob("qna.yaml"))
    for number in range(num_leaves):
        file = files[number % len(files)]
        inside = file.relative_to(resolve_path("data/taxonomy"))
        target = root / inside.parts[0] / f"copy {number // len(files)}" / Path(*inside.parts[1:])
        target.parent.mkdir(parents=True)
        shutil.copyfile(file, target)


def measure(what: str, root: Path) -> None:
    start = time.monotonic()
    num_leaves = WORK[what](root)
    seconds, mib = time.monotonic() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    each = f"{1000 * seconds / num_leaves:5.2f} ms a leaf"
    print(f"{what:<6} {num_leaves:>7,} leaf nodes  {seconds:6.1f} s  {each}  {mib:6,.0f} MiB")


def parse_alone(root: Path) -> None:
    start, files = time.monotonic(), sorted(root.rglob("qna.yaml"))
    for file in files:
        yaml.load(file.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    seconds = time.monotonic() - start
    print(
        f"parse  {len(files):>7,} leaf nodes  {seconds:6.1f} s  {1000 * seconds / len(files):5.2f} ms a leaf  (YAML alone)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--leaves", type=int, default=10_000)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        measure(arguments.measure[0], Path(arguments.measure[1]))
        return
    with TemporaryDirectory(prefix="synth-assets-") as folder:
        make(Path(folder), arguments.leaves)
        parse_alone(Path(folder))
        for what in WORK:
            subprocess.run([sys.executable, __file__, "--measure", what, folder], check=True)


if __name__ == "__main__":
    main()
