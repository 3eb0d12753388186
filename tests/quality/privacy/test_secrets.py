"""Secrets by their providers' forms. The examples are put together here, so that no scanner takes this file for one."""

import base64
import json
import re
from random import Random

import pytest

from synth_assets.quality.privacy import SECRET_KINDS, find_secrets

RNG = Random(4)
UPPER, ALPHANUMERIC = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def some(num: int, alphabet: str = ALPHANUMERIC) -> str:
    return "".join(RNG.choices(alphabet, k=num))


def token(head: dict[str, str]) -> str:
    parts = (base64.urlsafe_b64encode(json.dumps(each).encode()).decode().rstrip("=") for each in (head, {"sub": "12345"}))
    return ".".join([*parts, some(43)])


BEGIN, END = "-" * 5 + "BEGIN RSA PRIVATE" + " KEY" + "-" * 5, "-" * 5 + "END RSA PRIVATE" + " KEY" + "-" * 5
CASES = [
    ("AWS_ACCESS_KEY", "AK" + "IA" + some(16, UPPER)),
    ("GITHUB_TOKEN", "gh" + "p_" + some(36)),
    ("GITHUB_TOKEN", "github" + "_pat_" + some(22) + "_" + some(59)),
    ("GOOGLE_API_KEY", "AI" + "za" + some(35)),
    ("GOOGLE_API_KEY", "GOC" + "SPX-" + some(28)),
    ("SLACK_TOKEN", "xo" + "xb-" + "123456789012-" + some(24)),
    ("SLACK_WEBHOOK", "hooks.slack" + ".com/services/T" + some(8, UPPER) + "/B" + some(8, UPPER) + "/" + some(24)),
    ("STRIPE_KEY", "sk" + "_live_" + some(24)),
    ("PRIVATE_KEY", f"{BEGIN}\n{some(64)}\n{some(30)}=\n{END}"),
    ("PRIVATE_KEY", f"{BEGIN}\n{some(64)}"),
    ("JSON_WEB_TOKEN", token({"alg": "HS256", "typ": "JWT"})),
]


@pytest.mark.parametrize(("kind", "secret"), CASES, ids=[f"{number}-{kind}" for number, (kind, _) in enumerate(CASES)])
def test_each_form_is_found_whole(kind: str, secret: str) -> None:
    ((found,),) = find_secrets([f"use '{secret}'"])
    assert (found.kind, found.value) == (kind, secret)
    assert secret not in found.masked
    assert find_secrets([secret], [re.compile(re.escape(secret))]) == [[]]


def test_a_secret_key_is_found_by_its_name() -> None:
    secret = some(40)
    ((found,),) = find_secrets(["aws_secret" + f"_access_key = '{secret}'"])
    assert (found.kind, found.value) == ("AWS_SECRET_KEY", secret)


def test_every_kind_has_its_case() -> None:
    assert {kind for kind, _ in CASES} | {"AWS_SECRET_KEY"} == set(SECRET_KINDS)


def test_neighbours_are_none() -> None:
    """One character short or long, or another word around the form."""
    neighbours = [
        secret[:-1] for kind, secret in CASES if kind in ("AWS_ACCESS_KEY", "GITHUB_TOKEN", "SLACK_WEBHOOK", "STRIPE_KEY")
    ]
    neighbours += [secret + "x" for kind, secret in CASES if kind in ("AWS_ACCESS_KEY", "GITHUB_TOKEN", "GOOGLE_API_KEY")]
    neighbours += [
        "x" + CASES[0][1],
        token({"typ": "JWT"}),
        "BEGIN PRIVATE KEY",
        "a secret key: the one to success",
        "AKIA",
        "ghp_",
    ]
    neighbours += [
        BEGIN.replace("PRIVATE", "PUBLIC"),
        "git commit " + some(40, "0123456789abcdef"),
        "The secret key opens the door.",
    ]
    assert find_secrets(neighbours) == [[]] * len(neighbours)
