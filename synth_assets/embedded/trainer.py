"""The training loop of the embedded models: one process a core (or one GPU), packed episodes, Muon for the matrices.

Steps, not minutes, end a run, so that a seed and a recipe of sizes name one set of weights. The state is saved every
few minutes; a run that was broken off goes on from there with the data that would have come next.
"""

import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import distributed, nn
from torch.multiprocessing.spawn import spawn

from synth_assets.embedded.packing import PackedBatch
from synth_assets.errors import TuningError, Where

ModuleT = TypeVar("ModuleT", bound=nn.Module)


@dataclass(frozen=True)
class TrainingPlan:
    """What one training run does. Tokens a step: processes x rows x length."""

    name: str
    folder: Path
    num_steps: int
    num_rows: int = 16
    length: int = 256
    learning_rate: float = 4e-3
    warmup_steps: int = 60
    final_share: float = 0.05
    weight_decay: float = 0.02
    seed: int = 0
    save_every_s: float = 240.0


def learning_rate_share(step: int, plan: TrainingPlan) -> float:
    """Linear warm-up, flat to 40 % of the steps, then linear decay to `final_share`."""
    if step < plan.warmup_steps:
        return (step + 1) / plan.warmup_steps
    flat_end = 0.4 * plan.num_steps
    if step < flat_end:
        return 1.0
    return 1.0 - (1.0 - plan.final_share) * (step - flat_end) / (plan.num_steps - flat_end)


def build_optimizers(model: nn.Module, plan: TrainingPlan) -> list[torch.optim.Optimizer]:
    """Muon for the layers' matrices, AdamW for embedding, head and norms (Jordan et al. 2024)."""
    matrices = [p for name, p in model.named_parameters() if p.dim() == 2 and ".layers." in name]
    others = [p for name, p in model.named_parameters() if not (p.dim() == 2 and ".layers." in name)]
    return [
        torch.optim.Muon(matrices, lr=plan.learning_rate, weight_decay=plan.weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(others, lr=plan.learning_rate, betas=(0.9, 0.97), weight_decay=plan.weight_decay),
    ]


def train(model: nn.Module, batches: Iterator[PackedBatch], plan: TrainingPlan) -> None:
    """Train in place, on a GPU if there is one. In a process group, gradients are averaged over its processes.

    `folder/name.log.jsonl` gets a row at the start and every 50 steps; `folder/name.state.pt` is what a broken-off run
    goes on from. Raises TuningError if that state is of another plan.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    optimizers = build_optimizers(model, plan)
    first_step = _resume(model, optimizers, plan)
    if rank() == 0:
        machine = torch.cuda.get_device_name() if device.type == "cuda" else f"{os.cpu_count()} CPU cores"
        _log(plan, {"step": first_step, "machine": machine, **_identity(plan)})
    for _ in range(first_step):
        next(batches)
    started = saved = time.monotonic()
    losses: list[float] = []
    for step in range(first_step, plan.num_steps):
        for optimizer in optimizers:
            for group in optimizer.param_groups:
                group["lr"] = plan.learning_rate * learning_rate_share(step, plan)
        tensors = [torch.from_numpy(array).to(device) for array in next(batches)]
        with torch.autocast(device.type, dtype=torch.bfloat16):
            loss = model(*tensors)
        loss.backward()
        _average_gradients(model)
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            optimizer.step()
            optimizer.zero_grad()
        losses.append(loss.item())
        if (step + 1) % 50 == 0 and rank() == 0:
            tokens = 50 * plan.num_rows * plan.length * _world_size()
            _log(plan, {"step": step + 1, "loss": round(sum(losses) / len(losses), 4), "tokens": tokens,
                        "tokens_per_s": round(tokens / (time.monotonic() - started))})  # fmt: skip
            losses, started = [], time.monotonic()
        if rank() == 0 and (time.monotonic() - saved > plan.save_every_s or step + 1 == plan.num_steps):
            _save(model, optimizers, plan, step + 1)
            saved = time.monotonic()


def load_trained(model: ModuleT, plan: TrainingPlan) -> ModuleT:
    """The model, with the weights that the finished run of `plan` left."""
    model.load_state_dict(torch.load(_state_file(plan), weights_only=True)["model"])
    return model


def run_processes(work: Callable[..., None], num_processes: int, *arguments: object) -> None:
    """Run `work(*arguments)` once in each of `num_processes` processes that form a group, one thread each."""
    if num_processes == 1:
        work(*arguments)
        return
    port = 20_000 + os.getpid() % 20_000
    spawn(_in_group, args=(num_processes, port, work, arguments), nprocs=num_processes)  # type: ignore[no-untyped-call]


def _in_group(rank: int, size: int, port: int, work: Callable[..., None], arguments: tuple[object, ...]) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=size)
    work(*arguments)
    distributed.barrier()
    distributed.destroy_process_group()


def rank() -> int:
    """This process's number in its group; 0 where there is none."""
    return distributed.get_rank() if distributed.is_initialized() else 0


def _world_size() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def _average_gradients(model: nn.Module) -> None:
    if not distributed.is_initialized():
        return
    gradients = [p.grad for p in model.parameters() if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= _world_size()
    offset = 0
    for gradient in gradients:
        gradient.copy_(flat[offset : offset + gradient.numel()].view_as(gradient))
        offset += gradient.numel()


def _identity(plan: TrainingPlan) -> dict[str, Any]:
    """What makes two runs the same one, given the same number of processes."""
    said = {key: value for key, value in asdict(plan).items() if key not in ("name", "folder", "save_every_s")}
    return said | {"processes": _world_size()}


def _state_file(plan: TrainingPlan) -> Path:
    return plan.folder / f"{plan.name}.state.pt"


def _save(model: nn.Module, optimizers: list[torch.optim.Optimizer], plan: TrainingPlan, step: int) -> None:
    plan.folder.mkdir(parents=True, exist_ok=True)
    state: dict[str, Any] = {"step": step, "plan": _identity(plan), "model": model.state_dict()}
    state["optimizers"] = [optimizer.state_dict() for optimizer in optimizers]
    partial = _state_file(plan).with_suffix(".partial")
    torch.save(state, partial)
    partial.replace(_state_file(plan))


def _resume(model: nn.Module, optimizers: list[torch.optim.Optimizer], plan: TrainingPlan) -> int:
    if not _state_file(plan).exists():
        return 0
    state: dict[str, Any] = torch.load(_state_file(plan), weights_only=True)
    if state["plan"] != _identity(plan):
        raise TuningError(
            "the training state is of another plan", value=state["plan"], where=Where(str(_state_file(plan))),
            remedy=f"train into another folder, or delete this file to begin anew with {_identity(plan)}",
        )  # fmt: skip
    model.load_state_dict(state["model"])
    for optimizer, optimizer_state in zip(optimizers, state["optimizers"], strict=True):
        optimizer.load_state_dict(optimizer_state)
    return int(state["step"])


def _log(plan: TrainingPlan, row: dict[str, Any]) -> None:
    plan.folder.mkdir(parents=True, exist_ok=True)
    with (plan.folder / f"{plan.name}.log.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
