"""Losses on preference pairs, as functions of log-probabilities: DPO, and RPO, which keeps how much better one is.

For a prompt x with a chosen response y+ and a rejected one y-, the policy's *implied gap* is

    a = beta * [ (log pi(y+|x) - log ref(y+|x)) - (log pi(y-|x) - log ref(y-|x)) ]

Log-probabilities are sums over the response's tokens, its end token included, in nats; ref is frozen. a > 0: the policy
has moved towards the chosen response, seen from the reference; at the reference itself a = 0.

    DPO (R. Rafailov et al. 2023, arXiv 2305.18290, equation 7)        -log sigmoid(a)
    RPO (Nemotron-4 340B, arXiv 2406.11704, section 3.3.2)             KL( Bernoulli(sigmoid(b)) || Bernoulli(sigmoid(a)) )

with b = eta * (r(y+) - r(y-)), the gap that the reward model gives. DPO pushes a without end, whether y- is hopeless or
nearly as good as y+, and so unlearns good responses; RPO is least, namely 0, where a = b. Its slope in a is
sigmoid(a) - sigmoid(b). Between the two:

    RPO = DPO + sigmoid(-b) a - H(sigmoid(b))        H: the entropy of a Bernoulli distribution, in nats

so that as eta grows, for a positive reward gap, RPO becomes DPO, with a difference that falls like b exp(-b); as eta goes
to 0 it pulls a to 0, that is: to the reference. To both Nemotron-4 adds the usual loss on the chosen response, with a small
weight: either loss sees only differences, and would let the likelihood of both responses fall.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus


def implied_gap(chosen_log_ratio: Tensor, rejected_log_ratio: Tensor, beta: float) -> Tensor:
    """a, of any shape; a log-ratio is log pi - log ref of a whole response, in nats."""
    return beta * (chosen_log_ratio - rejected_log_ratio)


def dpo_loss(gap: Tensor) -> Tensor:
    """-log sigmoid(a) of each implied gap, >= 0; log 2 at the reference."""
    return -logsigmoid(gap)


def rpo_loss(gap: Tensor, reward_gap: Tensor, eta: float) -> Tensor:
    """The divergence of the policy's preference from the reward model's, of each pair, >= 0.

    `reward_gap`: r(chosen) - r(rejected), in the reward's own unit, of the same shape as `gap`. Written with softplus, by
    which nothing overflows: log sigmoid(x) = -softplus(-x).
    """
    target = eta * reward_gap
    return softplus(-gap) - softplus(-target) + torch.sigmoid(-target) * (gap - target)
