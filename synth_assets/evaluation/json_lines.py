"""The lines of a folder's *.jsonl files, each with its place."""

from pathlib import Path

from synth_assets.errors import BenchmarkError, Where


def located_lines(folder: Path, what: str) -> list[tuple[Where, str]]:
    """Those that are not blank, by file name and line; none where there is no folder. Raises BenchmarkError."""
    try:
        return [
            (Where(str(file), number), line)
            for file in (sorted(folder.glob("*.jsonl")) if folder.is_dir() else [])
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
            if line.strip()
        ]
    except (OSError, UnicodeDecodeError) as error:
        raise BenchmarkError(
            f"{what} cannot be read: {error}", where=Where(str(folder)), remedy="mend the file named"
        ) from error
