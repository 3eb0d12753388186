"""The losses on pairs: values by hand, slopes, and what lies between RPO and DPO."""

import math
from typing import Any

import pytest
import torch

from synth_assets.tuning.preference_losses import dpo_loss, implied_gap, rpo_loss


def _numbers(*values: float) -> Any:
    return torch.tensor(values, dtype=torch.float64)


def test_the_implied_gap_is_positive_where_the_policy_has_moved_towards_the_chosen_response() -> None:
    # log pi - log ref: chosen -10 - -12 = 2, rejected -9 - -8 = -1
    assert implied_gap(_numbers(2.0), _numbers(-1.0), 0.1).item() == pytest.approx(0.3)
    assert implied_gap(_numbers(0.0, -1.0), _numbers(0.0, 2.0), 0.5).tolist() == [0.0, -1.5]


def test_dpo_by_hand() -> None:
    found = dpo_loss(_numbers(0.0, 0.3, -0.3, 800.0, -800.0))
    expected = [math.log(2), math.log1p(math.exp(-0.3)), math.log1p(math.exp(0.3)), 0.0, 800.0]
    assert found.tolist() == pytest.approx(expected, rel=1e-12)


def test_rpo_by_hand_is_a_divergence_of_two_coins() -> None:
    """sigmoid(ln 3) = 3/4 is what the rewards say, sigmoid(0) = 1/2 what the policy says."""
    by_hand = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert rpo_loss(_numbers(0.0), _numbers(math.log(3) / 2), 2.0).item() == pytest.approx(by_hand, rel=1e-12)
    # and the other way about it is another one: 1/2 is what the rewards say
    by_hand = 0.5 * math.log(0.5 / 0.75) + 0.5 * math.log(0.5 / 0.25)
    assert rpo_loss(_numbers(math.log(3)), _numbers(0.0), 1.0).item() == pytest.approx(by_hand, rel=1e-12)


def test_rpo_is_least_where_the_implied_gap_is_that_of_the_rewards() -> None:
    gaps, eta = _numbers(*[number / 100 for number in range(-600, 601)]), 1.5
    for reward_gap in (-2.0, 0.0, 0.4, 3.0):
        losses = rpo_loss(gaps, torch.full_like(gaps, reward_gap), eta)
        assert gaps[losses.argmin()].item() == pytest.approx(eta * reward_gap)
        assert losses.min().item() == pytest.approx(0.0, abs=1e-12) and (losses >= -1e-12).all()


def test_rpo_becomes_dpo_as_eta_grows_and_says_by_how_much_it_is_not() -> None:
    gap, reward_gap = _numbers(-3.0, -0.5, 0.0, 0.7, 4.0), _numbers(0.5, 0.1, 1.0, 2.0, 0.3)
    differences = []
    for eta in (1.0, 10.0, 100.0, 1000.0):
        b = eta * reward_gap
        p = torch.sigmoid(b)
        entropy = -(p * p.log() + torch.special.xlogy(1 - p, 1 - p))
        difference = rpo_loss(gap, reward_gap, eta) - dpo_loss(gap)
        torch.testing.assert_close(difference, torch.sigmoid(-b) * gap - entropy, atol=1e-12, rtol=1e-9)
        differences.append(difference.abs().max().item())
    assert differences == sorted(differences, reverse=True) and differences[-1] < 1e-12
    near_the_reference = rpo_loss(_numbers(0.0), _numbers(5.0), 1e-9).item()
    assert near_the_reference == pytest.approx(0.0, abs=1e-15)


def test_slopes_are_those_that_the_docstring_states() -> None:
    gap = _numbers(-2.0, -0.1, 0.0, 1.3, 30.0).requires_grad_()
    reward_gap = _numbers(1.0, 0.5, -1.0, 2.0, 0.1)
    (slope,) = torch.autograd.grad(rpo_loss(gap, reward_gap, 1.2).sum(), gap)
    torch.testing.assert_close(slope, torch.sigmoid(gap) - torch.sigmoid(1.2 * reward_gap))
    (slope,) = torch.autograd.grad(dpo_loss(gap).sum(), gap)
    torch.testing.assert_close(slope, torch.sigmoid(gap) - 1)


def test_gradients_agree_with_numerical_ones() -> None:
    generator = torch.Generator().manual_seed(3)
    chosen, rejected = (torch.randn(7, dtype=torch.float64, generator=generator, requires_grad=True) for _ in range(2))
    reward_gap = torch.rand(7, dtype=torch.float64, generator=generator)
    assert torch.autograd.gradcheck(lambda c, r: dpo_loss(implied_gap(c, r, 0.7)), (chosen, rejected))
    assert torch.autograd.gradcheck(lambda c, r: rpo_loss(implied_gap(c, r, 0.7), reward_gap, 1.3), (chosen, rejected))


def test_nothing_overflows_in_single_precision() -> None:
    gap = torch.tensor([-500.0, 500.0, 0.0], requires_grad=True)
    losses = rpo_loss(gap, torch.tensor([400.0, -400.0, 1e4]), 1.0)
    losses.sum().backward()
    assert losses.isfinite().all() and gap.grad is not None and gap.grad.isfinite().all()
    assert losses.tolist() == pytest.approx([500.0, 500.0, math.log(2)], rel=1e-5)
