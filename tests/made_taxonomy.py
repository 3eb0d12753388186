"""Taxonomies that tests write, and the public one where it is at hand."""

from pathlib import Path
from typing import Any

import yaml

PUBLIC = Path(__file__).resolve().parents[2] / "shared/instructlab-taxonomy"


def skill(num_seeds: int = 5, **changes: Any) -> dict[str, Any]:
    seeds = [{"question": f"What is {n} + 1?", "answer": f"It is {n + 1}."} for n in range(num_seeds)]
    return {
        "version": 3,
        "created_by": "someone",
        "task_description": "Add.",
        "seed_examples": seeds,
        **changes,
    }


def knowledge(**changes: Any) -> dict[str, Any]:
    def pairs(n: int) -> list[dict[str, str]]:
        return [{"question": f"Question {n}.{k}?", "answer": f"Answer {n}.{k}."} for k in range(3)]

    seeds = [{"context": f"Context {n}.", "questions_and_answers": pairs(n)} for n in range(5)]
    return {
        "version": 3, "created_by": "someone", "domain": "Things", "document_outline": "About things.",
        "document": {"repo": "https://example.org/a.git", "commit": "abc", "patterns": ["*.md"]},
        "seed_examples": seeds, **changes,
    }  # fmt: skip


def put(root: Path, leaf_path: str, value: object) -> Path:
    file = root / leaf_path / "qna.yaml"
    file.parent.mkdir(parents=True)
    file.write_text(value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False), encoding="utf-8")
    return file


def public_or_like_it(folder: Path) -> Path:
    """The real public taxonomy where it is at hand, else one of the same shape: 16 leaves, 97 seeds."""
    if (PUBLIC / "main").is_dir():
        return PUBLIC / "main"
    for n in range(2):
        put(folder, f"knowledge/science/k{n}", knowledge())
    for n, num_seeds in enumerate((5, 6, 6)):
        put(folder, f"compositional_skills/c{n}", skill(num_seeds))
    for n, num_seeds in enumerate((3, 3, 3, 8, 3, 3, 3, 15, 3, 3, 3)):
        value = skill(num_seeds)
        del value["version"]
        put(folder, f"foundational_skills/reasoning/deep/f{n}", value)
    return folder
