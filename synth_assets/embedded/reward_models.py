"""The embedded reward model: started from the teacher, trained on graded answers, saved for transformers and vLLM."""

from pathlib import Path

import torch

from synth_assets.embedded.language_models import embedded_config, load_weights, save_model_folder
from synth_assets.embedded.network import RewardNetwork, load_trunk_state
from synth_assets.embedded.packing import packed_batches
from synth_assets.embedded.reward_world import encode_graded, graded_answers, read_sampled
from synth_assets.embedded.tokenizer import build_tokenizer
from synth_assets.embedded.trainer import TrainingPlan, load_trained, rank, run_processes, train
from synth_assets.records import REWARD_ATTRIBUTES


def train_reward_model(plan: TrainingPlan, num_processes: int, start: Path, sampled: Path, whole_pool: int) -> Path:
    """Train from the model in `start` on the answers in the Parquet file `sampled` and fresh ones (`graded_answers`).

    Saves a Hugging Face folder and returns it.
    """
    run_processes(_train_one, num_processes, plan, start, sampled, whole_pool)
    config = embedded_config(tie_word_embeddings=False, num_labels=len(REWARD_ATTRIBUTES))
    config.id2label = dict(enumerate(REWARD_ATTRIBUTES))
    config.label2id = {name: index for index, name in enumerate(REWARD_ATTRIBUTES)}
    config.problem_type = "regression"
    target = plan.folder / plan.name
    save_model_folder(load_trained(RewardNetwork(config), plan), target, "LlamaForSequenceClassification", config)
    return target


def _train_one(plan: TrainingPlan, start: Path, sampled: Path, whole_pool: int) -> None:
    torch.manual_seed(plan.seed)
    model = RewardNetwork(embedded_config())
    load_trunk_state(model, load_weights(start))
    tokenizer = build_tokenizer()
    answers = graded_answers(plan.seed * 1000 + rank(), read_sampled(sampled), whole_pool)
    batches = packed_batches(
        answers,
        lambda drawn: encode_graded(tokenizer, drawn),
        plan.num_rows,
        plan.length,
        len(REWARD_ATTRIBUTES) + 1,
    )
    train(model, batches, plan)
