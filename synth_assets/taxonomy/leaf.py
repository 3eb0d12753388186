"""One qna.yaml -> one leaf node and its seed examples, or every fault in it with its line.

The format is InstructLab's, judged by the version that the file itself declares:
- skills v1: created_by, task_description (may be empty), at least 1 seed; `version` optional;
- skills v2, v3: `version`, at least 5 different seeds, a description that is not empty;
- knowledge, v3 only: domain, document_outline, document {repo, commit, patterns}, at least 5 different seeds
  of a context with at least 3 different question-and-answer pairs.
Unknown keys are faults, except inside a knowledge leaf's question-and-answer pair. Not judged: style, line
length and attribution.txt, which are the upstream linter's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from synth_assets.errors import Fault, LeafError, Where, short_repr
from synth_assets.located_yaml import KeyPath, LocatedYaml, UnreadableYaml, nearest_key, read_located_yaml
from synth_assets.records import GENERATED_BRANCH, Branch, LeafNode, SeedExample, content_id, is_generated

MIN_SEEDS = 5
MIN_PAIRS = 3
SKILL_KEYS = ("version", "created_by", "task_description", "seed_examples")
KNOWLEDGE_KEYS = ("version", "created_by", "domain", "document_outline", "document", "seed_examples")
Seed = tuple[str | None, str, str]  # context, question, answer


@dataclass(frozen=True)
class JudgedLeaf:
    """What one qna.yaml holds: a leaf node with its seed examples, or faults.

    `file` is relative to its root; `version` is what the file declares, None if that is no number.
    """

    file: str
    version: int | None
    faults: tuple[Fault, ...]
    leaf_node: LeafNode | None = None
    seed_examples: tuple[SeedExample, ...] = ()


def judge_leaf(root: Path, file: Path) -> JudgedLeaf:
    """Read one leaf node, with all its faults by their place in the file.

    A knowledge leaf gives one seed example for each question-and-answer pair, with the pair's context.
    """
    name = file.relative_to(root).as_posix()
    if not file.resolve().is_relative_to(root.resolve()):
        fault = Fault(str(file), 1, 1, "", str(file.resolve()), "leads out of the taxonomy", "a file inside it")
        return JudgedLeaf(name, None, (fault,))
    leaf_path = file.parent.relative_to(root).as_posix()
    if is_generated(leaf_path):
        told, place = (
            f"{GENERATED_BRANCH} is kept for topics of prompt_synthesis",
            "another folder: move the leaf node there",
        )
        return JudgedLeaf(name, None, (Fault(str(file), 1, 1, "", leaf_path, told, place),))
    try:
        source = read_located_yaml(file)
    except UnreadableYaml as error:
        return JudgedLeaf(name, None, (error.fault,))
    reader = _LeafReader(source, is_knowledge=leaf_path.split("/")[0] == "knowledge")
    seeds = reader.read()
    said = source.value.get("version", 1) if isinstance(source.value, dict) else None
    version = said if type(said) is int else None
    if reader.faults:
        return JudgedLeaf(name, version, tuple(reader.faults))
    leaf_node, examples = _records(source.value, seeds, leaf_path, name)
    return JudgedLeaf(name, version, (), leaf_node, tuple(examples))


def read_leaf(root: Path, file: Path) -> tuple[LeafNode, tuple[SeedExample, ...]]:
    """The leaf node and its seed examples. Raises LeafError with all its faults."""
    judged = judge_leaf(root, file)
    if judged.leaf_node is None:
        raise LeafError(f"leaf node {judged.file} is wrong", faults=judged.faults, where=Where(str(file)))
    return judged.leaf_node, judged.seed_examples


def _records(value: dict[str, Any], seeds: Sequence[Seed], leaf_path: str, file: str) -> tuple[LeafNode, list[SeedExample]]:
    document = value.get("document") or {}
    said = {key: part for key, part in value.items() if key != "seed_examples"}
    leaf_node_id = content_id("leaf_node", leaf_path, said, seeds)
    leaf_node = LeafNode(
        leaf_node_id=leaf_node_id,
        leaf_path=leaf_path,
        branch=cast(Branch, leaf_path.split("/")[0]),
        task_description=(value.get("task_description") or value.get("document_outline") or "").strip(),
        created_by=str(value["created_by"]),
        version=value.get("version", 1),
        domain=value.get("domain", ""),
        document_outline=value.get("document_outline", "").strip(),
        document_repo=document.get("repo", ""),
        document_commit=document.get("commit", ""),
        document_patterns=tuple(document.get("patterns", ())),
        file=file,
        num_seed_examples=len(seeds),
    )
    return leaf_node, _seed_examples(seeds, leaf_node)


def _seed_examples(seeds: Sequence[Seed], leaf_node: LeafNode) -> list[SeedExample]:
    """One a seed; where version 1 allows a seed twice, the second has an id of its own."""
    seen: Counter[Seed] = Counter()
    examples = []
    for position, seed in enumerate(seeds):
        seed_id = content_id("seed_example", leaf_node.leaf_path, *seed)
        if seen[seed]:
            seed_id = content_id(seed_id, seen[seed])
        seen[seed] += 1
        examples.append(SeedExample(seed_id, leaf_node.leaf_node_id, leaf_node.leaf_path, position, *seed))
    return examples


class _LeafReader:
    """Checks one file from top to bottom and gathers faults rather than stopping at the first."""

    def __init__(self, source: LocatedYaml, *, is_knowledge: bool) -> None:
        self.source = source
        self.is_knowledge = is_knowledge
        self.faults: list[Fault] = []

    def read(self) -> list[Seed]:
        value = self.source.value
        if not isinstance(value, dict):
            self._fault((), value, "not a leaf node", "a mapping with created_by and seed_examples")
            return []
        version = self._version(value)
        self._only_known(value, (), KNOWLEDGE_KEYS if self.is_knowledge else SKILL_KEYS)
        self._text(value, (), "created_by")
        if self.is_knowledge:
            self._text(value, (), "domain")
            self._text(value, (), "document_outline")
            self._document(value)
            return self._knowledge_seeds(value)
        self._text(value, (), "task_description", may_be_empty=version == 1)
        return self._skill_seeds(value, 1 if version == 1 else MIN_SEEDS)

    def _version(self, value: dict[str, Any]) -> int:
        version = value.get("version", 1)
        allowed = (3,) if self.is_knowledge else (1, 2, 3)
        if type(version) is not int or version not in allowed:
            what = "no version that is supported" if "version" in value else "missing key"
            expected = "version: 3" if self.is_knowledge else "1, 2 or 3"
            self._fault(("version",), value.get("version"), what, expected)
            return allowed[-1]
        return version

    def _document(self, value: dict[str, Any]) -> None:
        document = value.get("document")
        if not isinstance(document, dict):
            self._fault(("document",), document, "no document", "a mapping with repo, commit and patterns")
            return
        self._only_known(document, ("document",), ("repo", "commit", "patterns"))
        self._text(document, ("document",), "repo")
        self._text(document, ("document",), "commit")
        patterns = self._list(document, ("document",), "patterns", at_least=1)
        for index, pattern in enumerate(patterns):
            if not isinstance(pattern, str) or not pattern.strip():
                self._fault(("document", "patterns", index), pattern, "no pattern", "text such as manuals/*.md")
        self._all_different(patterns, ("document", "patterns"))

    def _skill_seeds(self, value: dict[str, Any], at_least: int) -> list[Seed]:
        seeds: list[Seed] = []
        items = self._list(value, (), "seed_examples", at_least)
        for index, item in enumerate(items):
            path: KeyPath = ("seed_examples", index)
            if not isinstance(item, dict):
                self._fault(path, item, "not a seed example", "a mapping with question and answer")
                continue
            self._only_known(item, path, ("question", "answer", "context"))
            context = self._text(item, path, "context") if "context" in item else None
            seeds.append((context, self._text(item, path, "question"), self._text(item, path, "answer")))
        if at_least > 1:
            self._all_different(items, ("seed_examples",))
        return seeds

    def _knowledge_seeds(self, value: dict[str, Any]) -> list[Seed]:
        seeds: list[Seed] = []
        items = self._list(value, (), "seed_examples", MIN_SEEDS)
        for index, item in enumerate(items):
            path: KeyPath = ("seed_examples", index)
            if not isinstance(item, dict):
                self._fault(path, item, "not a seed example", "a mapping with context and questions_and_answers")
                continue
            self._only_known(item, path, ("context", "questions_and_answers"))
            context = self._text(item, path, "context")
            pairs = self._list(item, path, "questions_and_answers", MIN_PAIRS)
            for number, pair in enumerate(pairs):
                place: KeyPath = (*path, "questions_and_answers", number)
                if isinstance(pair, dict):
                    seeds.append((context, self._text(pair, place, "question"), self._text(pair, place, "answer")))
                else:
                    self._fault(place, pair, "not a pair", "a mapping with question and answer")
            self._all_different(pairs, (*path, "questions_and_answers"))
        self._all_different(items, ("seed_examples",))
        return seeds

    def _text(self, holder: dict[str, Any], path: KeyPath, key: str, *, may_be_empty: bool = False) -> str:
        text = holder.get(key)
        if key not in holder:
            self._fault((*path, key), None, "missing key", f"{key} with text")
        elif not isinstance(text, str):
            kind = type(text).__name__
            self._fault((*path, key), short_repr(text), f"is {kind}, not text", "text; put quotes around it")
        elif not may_be_empty and not text.strip():
            self._fault((*path, key), text, "is empty", "some text")
        return text.strip() if isinstance(text, str) else ""

    def _list(self, holder: dict[str, Any], path: KeyPath, key: str, at_least: int) -> list[Any]:
        items = holder.get(key)
        if not isinstance(items, list):
            what = "is no list" if key in holder else "missing key"
            self._fault((*path, key), items, what, f"a list of at least {at_least}")
            return []
        if len(items) < at_least:
            self._fault((*path, key), len(items), "has too few entries", f"at least {at_least}")
        return items

    def _all_different(self, items: Sequence[Any], path: KeyPath) -> None:
        """No entry repeats another, white space around texts aside."""
        shown = [repr(_stripped(item)) for item in items]
        first: dict[str, int] = {}
        for index, item in enumerate(shown):
            if first.setdefault(item, index) != index:
                self._fault((*path, index), None, f"repeats entry {first[item]}", "entries that differ")

    def _only_known(self, holder: dict[Any, Any], path: KeyPath, known: Iterable[str]) -> None:
        for key in holder:
            if key not in known:
                self._fault((*path, str(key)), None, "unknown key", nearest_key(str(key), known))

    def _fault(self, path: KeyPath, value: object, message: str, expected: str) -> None:
        self.faults.append(self.source.fault(path, value, message, expected))


def _stripped(item: Any) -> Any:
    if isinstance(item, dict):
        return {key: _stripped(part) for key, part in item.items()}
    if isinstance(item, list):
        return [_stripped(part) for part in item]
    return item.strip() if isinstance(item, str) else item
