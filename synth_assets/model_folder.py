"""What a model folder must hold before any engine is started, the fingerprint of what it holds, and whom it descends from.

An engine takes seconds to start and then says "KeyError: 'foo'"; here each thing that is wrong has its own words.
Weights load from safetensors only (a pickle runs code when it is read), and code from the folder never runs.

A student that this project tuned says in `lineage.json` how many generations of models lie behind it. A model without that
file counts as depth 0: nobody can tell what published models were trained on, so a depth counts the generations of this
project's own making.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from synth_assets.errors import ModelError, Where
from synth_assets.records import REWARD_ATTRIBUTES

ArchitectureKind = Literal["ForCausalLM", "ForSequenceClassification"]
#: What a model must be to play a role of the recipe; all others are causal language models.
ARCHITECTURE_OF: dict[str, ArchitectureKind] = {"reward_model": "ForSequenceClassification"}

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json")
_FINGERPRINTED = (
    "config.json", "adapter_config.json", "generation_config.json", "*.safetensors", "*.safetensors.index.json",
    "tokenizer*", "vocab.*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "chat_template*",
    "modules.json", "sentence_*_config.json", "[0-9]_*/config.json", "[0-9]_*/*.safetensors",
)  # fmt: skip
LINEAGE_FILE = "lineage.json"
#: What a merged student is made of: fingerprints of `student` and `adapter`.
MERGED_FILE = "merged_from.json"
_TRAIN = "train the embedded models with `synth-assets train-embedded`, or mend `path` in the recipe"


def check_model_folder(folder: Path, kind: ArchitectureKind, num_rewards: int = len(REWARD_ATTRIBUTES)) -> dict[str, Any]:
    """The folder's configuration, once everything that an engine needs is there.

    Raises ModelError for the first thing that is missing or refused. A classifier must have `num_rewards` outputs: one for
    each reward attribute, or a single one.
    """
    if not folder.is_dir():
        raise ModelError("the model folder does not exist", value=str(folder), remedy=_TRAIN)
    config = _read_json(folder / "config.json", required=True)
    _refuse_code(config, folder / "config.json")
    _refuse_code(_read_json(folder / "tokenizer_config.json"), folder / "tokenizer_config.json")
    _check_architecture(config, folder, kind, num_rewards)
    _check_weights(folder)
    if not any((folder / name).is_file() for name in _TOKENIZER_FILES):
        raise ModelError(
            "the model folder holds no tokenizer", value=str(folder),
            remedy="put the model's tokenizer.json and tokenizer_config.json beside its config.json",
        )  # fmt: skip
    return config


def check_sentence_transformer(folder: Path) -> None:
    """A folder of sentence-transformers that can be opened without running its code.

    Raises ModelError as `check_model_folder` does, and for a module that is not sentence-transformers' own.
    """
    if not (folder / "modules.json").is_file():
        raise ModelError(
            "not a folder of sentence-transformers: it holds no modules.json", value=str(folder),
            remedy="name a folder that `SentenceTransformer.save` wrote, or that of a causal language model",
        )  # fmt: skip
    _refuse_code(_read_json(folder / "config.json", required=True), folder / "config.json")
    _refuse_code(_read_json(folder / "tokenizer_config.json"), folder / "tokenizer_config.json")
    modules = _read_any_json(folder / "modules.json")
    types = [str(each.get("type")) for each in modules if isinstance(each, dict)] if isinstance(modules, list) else []
    foreign = [name for name in types if not name.startswith("sentence_transformers.")]
    if foreign or not types:
        raise ModelError(
            "modules.json names modules that are not sentence-transformers' own", value=foreign or modules,
            where=Where(str(folder / "modules.json")), remedy="choose a model that needs no code of its own",
        )  # fmt: skip
    _check_weights(folder)


def model_fingerprint(folder: Path) -> str:
    """16 hex digits of the SHA-256 over configuration, weights and tokenizer: names and contents.

    Another chat template or one other weight is another model. Time: about 1 s a GB, once in a process while the
    files stay as they are.
    """
    digest = hashlib.sha256()
    for file in sorted({file for pattern in _FINGERPRINTED for file in folder.glob(pattern) if file.is_file()}):
        about = file.stat()
        content = _file_digest(file, about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
        digest.update(f"{file.relative_to(folder)} {content}\n".encode())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=256)
def _file_digest(file: Path, *_: int) -> str:
    """The other arguments change whenever the content does."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class Lineage:
    """Whom a model descends from.

    `generation_depth` is the greatest among its training rows and the model that it was tuned from: what it writes has one
    more. `ancestors` are the fingerprints of teachers and bases, theirs included, sorted. `real_share` is that of its
    training rows; None where it is not known.
    """

    generation_depth: int = 0
    ancestors: tuple[str, ...] = ()
    real_share: float | None = None


def read_lineage(folder: Path) -> Lineage:
    """What the folder says of its descent; of a merged student without it, at least that. Depth 0 where it says nothing.

    Raises ModelError for a file that cannot be read.
    """
    said = _read_json(folder / LINEAGE_FILE)
    if not said:
        merged = _read_json(folder / MERGED_FILE)
        return Lineage(1, (str(merged["student"]),)) if "student" in merged else Lineage()
    match said:
        case {"generation_depth": int(depth), "ancestors": [*ancestors], "real_share": int() | float() | None as share}:
            return Lineage(depth, tuple(map(str, ancestors)), share)
    raise ModelError(
        "this does not say whom the model descends from", value=said, where=Where(str(folder / LINEAGE_FILE)),
        remedy="restore the file: generation_depth, ancestors, real_share, as lora_checkpoint wrote them",
    )  # fmt: skip


def write_lineage(folder: Path, lineage: Lineage) -> Path:
    """Write the folder's `lineage.json`, whole or not at all, and return it."""
    target = folder / LINEAGE_FILE
    beside = target.with_suffix(".unfinished")
    beside.write_text(json.dumps(asdict(lineage), indent=2) + "\n", encoding="utf-8")
    return beside.replace(target)


def chat_template_of(folder: Path) -> object:
    """The chat template that the folder's tokenizer has, as its files say it; None where they have none."""
    own = folder / "chat_template.jinja"
    if own.is_file():
        return own.read_text(encoding="utf-8")
    return _read_json(folder / "tokenizer_config.json").get("chat_template")


def active_parameters(folder: Path) -> int:
    """Parameters that take part in each token: of a mixture of experts only those experts that a token is sent to.

    Read from the headers of the weights' files. Raises ModelError for a folder that holds none.
    """
    _check_weights(folder)
    config = _read_json(folder / "config.json", required=True)
    experts = config.get("num_local_experts") or config.get("num_experts") or 1
    share = config.get("num_experts_per_tok", experts) / experts
    total = 0.0
    for file in folder.glob("*.safetensors"):
        with file.open("rb") as stream:
            header = json.loads(stream.read(int.from_bytes(stream.read(8), "little")))
        for name, part in header.items():
            if name != "__metadata__":
                total += math.prod(part["shape"]) * (share if ".experts." in name else 1.0)
    return round(total)


def _read_json(file: Path, required: bool = False) -> dict[str, Any]:
    if not file.is_file():
        if not required:
            return {}
        raise ModelError(f"the model folder holds no {file.name}", value=str(file.parent), remedy=_TRAIN)
    value = _read_any_json(file)
    if not isinstance(value, dict):
        raise ModelError("not a JSON object", where=Where(str(file)), remedy="restore this file")
    return value


def _read_any_json(file: Path) -> Any:
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        what = f"not readable as JSON: {error}"
        raise ModelError(what, where=Where(str(file)), remedy="restore this file") from error


def _refuse_code(config: dict[str, Any], file: Path) -> None:
    if config.get("auto_map"):
        raise ModelError(
            "the model wants to run Python code from its folder (`auto_map`), which is never done",
            value=config["auto_map"], where=Where(str(file)),
            remedy="choose a model of an architecture that transformers and vLLM know by themselves",
        )  # fmt: skip


def _check_architecture(config: dict[str, Any], folder: Path, kind: ArchitectureKind, num_rewards: int) -> None:
    names = config.get("architectures") or []
    if not any(str(name).endswith(kind) for name in names):
        role = "a teacher or student" if kind == "ForCausalLM" else "a reward model"
        raise ModelError(
            f"{role} needs an architecture *{kind}", value=names, where=Where(str(folder / "config.json")),
            remedy="name another model folder in the recipe",
        )  # fmt: skip
    if kind == "ForSequenceClassification":
        num_outputs = len(config.get("id2label") or ()) or config.get("num_labels", 2)
        if num_outputs == num_rewards:
            return
        if num_rewards == 1:
            what, remedy = "the recipe declares one output (reward_outputs: 1)", "leave reward_outputs out"
        else:
            what = "a reward model has five outputs, " + ", ".join(REWARD_ATTRIBUTES)
            remedy = "name a reward model trained on HelpSteer's attributes"
        if num_outputs == 1:
            remedy += "; or declare reward_outputs: 1, for a number that compares responses to one prompt only"
        raise ModelError(what, value=num_outputs, where=Where(str(folder / "config.json")), remedy=remedy)


def _check_weights(folder: Path) -> None:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickles = sorted(file.name for pattern in ("*.bin", "*.pt", "*.pth") for file in folder.glob(pattern))
        if pickles:
            raise ModelError(
                "the weights are pickles, which run code when they are read; only safetensors are loaded",
                value=pickles, where=Where(str(folder)), remedy="convert them: load with torch in a place you trust, then "
                "`save_pretrained(folder, safe_serialization=True)`",
            )  # fmt: skip
        raise ModelError("the model folder holds no *.safetensors", value=str(folder), remedy=_TRAIN)
    index = _read_json(folder / "model.safetensors.index.json")
    missing = sorted(set(index.get("weight_map", {}).values()) - {file.name for file in files})
    if missing:
        raise ModelError(
            "parts of the weights are missing", value=missing, where=Where(str(folder)), remedy="download them again"
        )
    for file in files:
        if not _looks_like_safetensors(file):
            raise ModelError(
                "not a safetensors file: cut off, or a Git LFS pointer", where=Where(str(file)),
                value=f"{file.stat().st_size} bytes", remedy="fetch it again (`git lfs pull` in a Git LFS checkout)",
            )  # fmt: skip


def _looks_like_safetensors(file: Path) -> bool:
    """By the format: 8 bytes little-endian length of a JSON header; its largest data offset ends the file."""
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if not 2 <= length <= size - 8:
            return False
        try:
            header = json.loads(stream.read(length))
            ends = [part["data_offsets"][1] for name, part in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, IndexError, TypeError, AttributeError):
            return False
    return 8 + length + max(ends, default=0) == size
