"""Write the bundled data: taxonomy with seeds, documents, benchmark, questions of the choice, real rows, replay buffer.

Seeds, documents and questions are drawn from what training never saw (`Instance.is_held_out`), and none is asked on a
bundled document. `data/selection` is what a checkpoint may be chosen by: none of its questions is in the benchmark, lest
the choice flatter what the benchmark reports. `data/real` is what synthetic rows are compared with: of the closed world, its
own rows are the real ones. The replay buffer is a piece of the student base's own training world.
"""

import json
from pathlib import Path
from random import Random

import yaml

from synth_assets.embedded.episodes import pair_prompt
from synth_assets.embedded.leaf_kinds import Instance, LeafKind
from synth_assets.embedded.leaves import TAUGHT
from synth_assets.embedded.primitives import PRIMITIVES

NUM_SEEDS = 5
NUM_SECTIONS = 40
QUESTIONS_PER_LEAF = 20
SELECTION_PER_LEAF = 8
OPEN_PER_LEAF = 4
REAL_PER_LEAF = 40
REPLAY_PER_KIND = 60
AUTHOR = "synth_assets"


def write_bundle(data_folder: Path, seed: int = 2026) -> None:
    """Write taxonomy, documents, questions of all kinds, real rows and the replay buffer below `data_folder`."""
    benchmark: list[dict[str, str | None]] = []
    selection: list[dict[str, str | None]] = []
    open_questions: list[dict[str, str | None]] = []
    real: dict[str, list[dict[str, str | None]]] = {"reference": [], "holdout": []}
    for kind in TAUGHT:
        rng = Random(f"bundle-{seed}-{kind.leaf_path}")
        used: set[str] = set()
        folder = data_folder / "taxonomy" / kind.leaf_path
        folder.mkdir(parents=True, exist_ok=True)
        if kind.branch == "knowledge":
            contexts = [_fresh(rng, kind, used).context for _ in range(NUM_SECTIONS)]
            _write_document(data_folder / "documents", kind, contexts)
            leaf = _knowledge_leaf(rng, kind, contexts[:NUM_SEEDS])
        else:
            leaf = _skill_leaf(kind, [_fresh(rng, kind, used) for _ in range(NUM_SEEDS)])
        text = yaml.safe_dump(leaf, sort_keys=False, width=110, allow_unicode=True)
        (folder / "qna.yaml").write_text(text)
        benchmark += [_row(kind, _fresh(rng, kind, used), "taxonomy") for _ in range(QUESTIONS_PER_LEAF)]
        selection += [_row(kind, _fresh(rng, kind, used), "taxonomy") for _ in range(SELECTION_PER_LEAF)]
        rows = [_row(kind, _fresh(rng, kind, used), "taxonomy") for _ in range(OPEN_PER_LEAF)]
        open_questions += [{key: row[key] for key in ("leaf_path", "context", "question")} for row in rows]
        for split in real:
            rows = [_row(kind, _fresh(rng, kind, used), "taxonomy") for _ in range(REAL_PER_LEAF)]
            real[split] += [{key: value for key, value in row.items() if key != "suite"} for row in rows]
    for kind in PRIMITIVES:
        rng = Random(f"bundle-{seed}-{kind.leaf_path}")
        used = set()
        benchmark += [_row(kind, _fresh(rng, kind, used), "retained") for _ in range(QUESTIONS_PER_LEAF)]
    _write_json_lines(data_folder / "benchmark" / "questions.jsonl", benchmark)
    _write_json_lines(data_folder / "selection" / "questions.jsonl", selection)
    _write_json_lines(data_folder / "open_questions" / "questions.jsonl", open_questions)
    for split, rows in real.items():
        _write_json_lines(data_folder / "real" / f"{split}.jsonl", rows)
    _write_json_lines(data_folder / "models" / "student_base" / "replay_buffer.jsonl", _replay_rows(seed))


def _fresh(rng: Random, kind: LeafKind, used: set[str]) -> Instance:
    """A held-out instance that has not been taken yet; on a context of its own where the leaf has contexts."""
    while True:
        instance = kind.draw_where(rng, held_out=True)
        content = instance.context or instance.question
        if content not in used:
            used.add(content)
            return instance


def _skill_leaf(kind: LeafKind, seeds: list[Instance]) -> dict[str, object]:
    examples = [({"context": s.context} if s.context else {}) | {"question": s.question, "answer": s.answer} for s in seeds]
    return {
        "version": 3,
        "created_by": AUTHOR,
        "task_description": kind.description,
        "seed_examples": examples,
    }


def _knowledge_leaf(rng: Random, kind: LeafKind, contexts: list[str]) -> dict[str, object]:
    examples = []
    for context in contexts:
        pairs: dict[str, str] = {}
        while len(pairs) < 3:
            instance = kind.draw(rng, context)
            if instance.answer not in pairs.values():
                pairs[instance.question] = instance.answer
        questions = [{"question": question, "answer": answer} for question, answer in pairs.items()]
        examples.append({"context": context, "questions_and_answers": questions})
    return {
        "version": 3, "created_by": AUTHOR, "domain": kind.leaf_path.split("/")[1],
        "document_outline": kind.description, "seed_examples": examples,
        "document": {"repo": "local", "commit": "local", "patterns": [f"{_document_name(kind)}.md"]},
    }  # fmt: skip


def _document_name(kind: LeafKind) -> str:
    return kind.leaf_path.rsplit("/", 1)[1]


def _write_document(folder: Path, kind: LeafKind, contexts: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    sections = [f"# {kind.description.removesuffix('.')}\n"]
    sections += [f"## Entry {number}\n\n{context}\n" for number, context in enumerate(contexts, start=1)]
    (folder / f"{_document_name(kind)}.md").write_text("\n".join(sections))


def _row(kind: LeafKind, instance: Instance, suite: str) -> dict[str, str | None]:
    return {
        "leaf_path": kind.leaf_path, "suite": suite, "context": instance.context or None,
        "question": instance.question, "answer": instance.answer,
    }  # fmt: skip


def _replay_rows(seed: int) -> list[dict[str, str | None]]:
    rows: list[dict[str, str | None]] = []
    for kind in PRIMITIVES:
        rng = Random(f"replay-{seed}-{kind.leaf_path}")
        for _ in range(REPLAY_PER_KIND):
            instance = kind.draw_where(rng, held_out=False)
            rows.append({"leaf_path": kind.leaf_path, "prompt": pair_prompt(instance), "response": instance.answer})
    return rows


def _write_json_lines(file: Path, rows: list[dict[str, str | None]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
