"""Differentially private training: each row's gradient is cut to a length, their sum is noised, and the budget is counted.

DP-SGD (M. Abadi et al. 2016, arXiv 1607.00133) with opacus: hooks on the adapter's layers give a gradient for each row,
every step draws each row by itself with probability `sample_rate` (Poisson sampling), and Renyi accounting
(I. Mironov et al. 2019, arXiv 1908.10530) turns noise and steps into epsilon. Its bound is looser than that of numerical
accounting (PRV), but proven, without a grid to choose.

Noise and draws hide nothing from who can compute them again, and a recipe's seed is public. So both come of a secret of
the operating system's, which lies beside the saved states, lets a training that was broken off go on with the same noise,
and is deleted with them. Two trainings of the same recipe therefore end with *different* bytes: that is the price.

One row is protected, under adding or removing it; the number of rows counts as known. A phase trains on rows of its own,
so the budget of all phases is the largest of theirs (parallel composition), not the sum. Not counted: losses, which are
measured without noise; the choice of settings by trying; a second training on the same rows. Generators are PyTorch's, in
floating point: good enough against statistics, not against an attacker of the arithmetic (I. Mironov 2012).
"""

from __future__ import annotations

import json
import math
import os
import secrets
import warnings
from collections.abc import Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from synth_assets.errors import TuningError
from synth_assets.recipe import PrivacyBudget
from synth_assets.tuning.encoding import response_losses

_SECRET_FILE, _ACCOUNTANT_FILE = "noise.key", "accountant.json"
_ADAPTER_MARK = "lora_"


class NoisePlan(NamedTuple):
    """`noise_multiplier` times max_grad_norm is the noise's standard deviation; `epsilon` is what all steps spend."""

    noise_multiplier: float
    sample_rate: float
    epsilon: float


def plan_noise(budget: PrivacyBudget, num_rows: int, rows_a_step: int, num_steps: int) -> NoisePlan:
    """The least noise with which `num_steps` stay within the budget.

    Raises TuningError where delta is no guarantee for so many rows, or no noise suffices: opacus' orders end at 63, so
    that an epsilon below about ln(1 / delta) / 62 cannot be shown.
    """
    from opacus.accountants.utils import get_noise_multiplier

    if budget.delta * num_rows >= 1:
        raise TuningError(
            f"tuning.privacy.delta allows to publish one of {num_rows} rows as it is", value=budget.delta,
            remedy=f"set it below {1 / num_rows:.1g}",
        )  # fmt: skip
    sample_rate = min(1.0, rows_a_step / num_rows)
    try:
        with warnings.catch_warnings():  # its search begins with more noise than the orders are made for
            warnings.filterwarnings("ignore", message="Optimal order")
            multiplier = get_noise_multiplier(
                target_epsilon=budget.epsilon, target_delta=budget.delta, sample_rate=sample_rate, steps=num_steps,
                accountant="rdp", epsilon_tolerance=min(0.01, budget.epsilon / 100),
            )  # fmt: skip
    except ValueError as error:
        raise TuningError(
            f"no noise keeps {num_steps} steps within epsilon {budget.epsilon:g}: {error}",
            remedy="raise tuning.privacy.epsilon, or take fewer steps",
        ) from error
    epsilon = spent_epsilon(multiplier, sample_rate, num_steps, budget.delta)
    return NoisePlan(multiplier, sample_rate, epsilon)


def spent_epsilon(noise_multiplier: float, sample_rate: float, num_steps: int, delta: float) -> float:
    """Epsilon of so many steps, by Renyi accounting over opacus' orders."""
    from opacus.accountants import RDPAccountant

    accountant = RDPAccountant()
    accountant.history = [(noise_multiplier, sample_rate, num_steps)]
    return float(accountant.get_epsilon(delta=delta))


def secret_of(work: Path) -> bytes:
    """The training's secret: 32 bytes, made once, readable by its owner alone, deleted with the folder."""
    file = work / _SECRET_FILE
    if not file.is_file():
        unfinished = work / f"{_SECRET_FILE}.new"
        unfinished.unlink(missing_ok=True)
        with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
            stream.write(secrets.token_bytes(32))
        unfinished.rename(file)
    return file.read_bytes()


def draw_batches(num_rows: int, sample_rate: float, num_steps: int, secret: bytes) -> list[list[int]]:
    """Poisson sampling: each row is in each step's batch with the same chance; a batch may be empty."""
    rng = np.random.default_rng(int.from_bytes(blake2b(b"rows", key=secret).digest()))
    return [np.flatnonzero(rng.random(num_rows) < sample_rate).tolist() for _ in range(num_steps)]


class PrivateGradients:
    """Turns the parts of a batch into the noised gradient of a step, left in the parameters' `grad`.

    Raises TuningError if something other than the adapter would be trained.
    """

    def __init__(self, model: Any, plan: NoisePlan, budget: PrivacyBudget, num_rows: int, secret: bytes) -> None:
        import torch
        from opacus.accountants import RDPAccountant
        from opacus.grad_sample import GradSampleHooks
        from opacus.optimizers import DPOptimizer

        trained = {name: part for name, part in model.named_parameters() if part.requires_grad}
        if others := sorted(name for name in trained if _ADAPTER_MARK not in name):
            remedy = "leave tuning.privacy out, or name layers in tuning.target_modules that LoRA adapts"
            raise TuningError("more than the adapter would be trained, and without noise", value=others, remedy=remedy)
        self._model, self._plan, self._secret = model, plan, secret
        self._expected_rows = plan.sample_rate * num_rows
        self._hooks = GradSampleHooks(model, loss_reduction="sum")
        # only to cut and to noise: the steps are Trainer's, with an optimizer whose state it saves
        self._cutter = DPOptimizer(
            torch.optim.SGD(trained.values(), lr=0.0), noise_multiplier=plan.noise_multiplier,
            max_grad_norm=budget.max_grad_norm, expected_batch_size=None, loss_reduction="sum",
        )  # fmt: skip
        self.accountant = RDPAccountant()

    def compute(self, parts: Sequence[dict[str, Any]], step: int) -> float:
        """Gradient of step `step`, counted from 0, and the mean loss of its rows (nats per response token); NaN if none.

        A row's loss is the mean over its own tokens: its gradient must not depend on the rows beside it.
        """
        import torch

        self._cutter.zero_grad(set_to_none=True)
        for parameter in self._cutter.params:
            parameter.summed_grad = torch.zeros_like(parameter)
        losses: list[float] = []
        for part in parts:
            of_rows = row_losses(self._model, part)
            of_rows.sum().backward()
            self._check_shapes(len(of_rows))
            self._cutter.clip_and_accumulate()
            losses += of_rows.tolist()
            for parameter in self._cutter.params:
                parameter.grad_sample = None
        self._cutter.generator = self._generator(step)
        self._cutter.add_noise()
        for parameter in self._cutter.params:
            parameter.grad /= self._expected_rows
            parameter.summed_grad = None
        self.accountant.step(noise_multiplier=self._plan.noise_multiplier, sample_rate=self._plan.sample_rate)
        return math.fsum(losses) / len(losses) if losses else math.nan

    def _check_shapes(self, num_rows: int) -> None:
        for parameter in self._cutter.params:
            found = parameter.grad_sample
            if found is None or len(found) != num_rows:
                raise TuningError(
                    "a layer of the adapter gives no gradient for each row", value=tuple(parameter.shape),
                    remedy="leave layers that see tokens without their rows (such as experts) out of tuning.target_modules",
                )  # fmt: skip

    def _generator(self, step: int) -> Any:
        """Of this step's noise: made anew from the secret, so that a step that is taken again meets the same noise."""
        import torch

        drawn = blake2b(f"noise of step {step}".encode(), key=self._secret, digest_size=8).digest()
        device = next(iter(self._cutter.params)).device
        return torch.Generator(device=device).manual_seed(int.from_bytes(drawn) >> 1)

    def save(self, state: Path) -> None:
        """The accountant's state, beside Trainer's."""
        (state / _ACCOUNTANT_FILE).write_text(json.dumps(self.accountant.state_dict()), encoding="utf-8")

    def load(self, state: Path) -> None:
        said = json.loads((state / _ACCOUNTANT_FILE).read_text(encoding="utf-8"))
        said["history"] = [tuple(entry) for entry in said["history"]]
        self.accountant.load_state_dict(said)

    def check_spent(self, num_steps: int) -> None:
        """Raises TuningError unless the accountant has counted just the planned steps."""
        planned = [(self._plan.noise_multiplier, self._plan.sample_rate, num_steps)]
        if self.accountant.history != planned:
            raise TuningError(
                f"the accountant's steps are not the planned ones, {planned}", value=self.accountant.history,
                remedy="delete the adapter's .work folder, and tune again",
            )  # fmt: skip


def row_losses(model: Any, batch: dict[str, Any]) -> Any:
    """Mean nats per labelled token of each row, shape (rows,)."""
    sums, num_tokens = response_losses(model, batch)
    return sums / num_tokens.clamp(min=1)
