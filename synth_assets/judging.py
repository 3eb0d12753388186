"""Judges: a language model says whether something is good enough, its reasons first and its verdict last.

A verdict that follows its reasons is the better one, since the model has then written down what it judges by (LAB's
evaluators do so, and Zheng et al. 2023, arXiv 2306.05685, section 3.4). An answer is one JSON object:

    {"reasons": "...", "span": "..." (faithfulness only), "verdict": "..."}

Engines that can are held to its schema, yet every answer is validated here all the same: one without a verdict is a
refusal with that reason and its raw words, never a row that silently vanishes. A faithful answer must quote its
support, and the quote must stand in the text word for word: whether it does is looked up, not asked.

Which judge sees what: skills are judged by `instruction`, then `pair` (LAB: score 1 to 3, from 2 on accepted);
knowledge by `question`, then `faithfulness` against the raw chunk and `relevance` (0 to 2, only 2 accepted).
`comparison` sets two answers beside each other and accepts nothing.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from synth_assets.errors import EngineError
from synth_assets.prompts import render_prompt
from synth_assets.recipe import JudgeName, JudgesSection
from synth_assets.records import content_id
from synth_assets.roles import GenerationRequest, GenerationResult, Message, TextModel
from synth_assets.sketches import plain

NO_VERDICT: Literal["no_verdict"] = "no_verdict"
SPAN_NOT_IN_TEXT = "span_not_in_text"
JUDGE_ERROR = "judge_error"  # of failed calls
#: Of two answers: which one, or why neither.
Preferred = Literal["first", "second", "tie", "inconsistent", "no_verdict"]
_MAX_STARTS = 50  # places where an object may begin that are tried
_MAX_RAW = 300  # characters of an unreadable answer that are shown


@dataclass(frozen=True)
class Judge:
    """One question to a judging model. `verdicts` from worst to best; `reason` is that of a refusal."""

    name: JudgeName
    verdicts: tuple[str, ...]
    accepts: frozenset[str]
    reason: str
    quotes_span: bool = False

    def schema(self, max_characters: int) -> str:
        """The JSON schema of its answer. Properties stand in the order in which they are to be written."""
        keys = ("reasons", "span", "verdict") if self.quotes_span else ("reasons", "verdict")
        text = {"type": "string", "maxLength": max_characters}
        properties: dict[str, object] = {**dict.fromkeys(keys, text), "verdict": {"enum": list(self.verdicts)}}
        schema = {"type": "object", "properties": properties, "required": list(keys), "additionalProperties": False}
        return json.dumps(schema)


JUDGES: Mapping[JudgeName, Judge] = {
    judge.name: judge
    for judge in (
        Judge("instruction", ("no", "yes"), frozenset({"yes"}), "off_task"),
        Judge("pair", ("1", "2", "3"), frozenset({"2", "3"}), "low_pair_score"),
        Judge("question", ("no", "yes"), frozenset({"yes"}), "not_answerable"),
        Judge("faithfulness", ("no", "yes"), frozenset({"yes"}), "unfaithful", quotes_span=True),
        Judge("relevance", ("0", "1", "2"), frozenset({"2"}), "irrelevant"),
        Judge("comparison", ("A", "B", "tie"), frozenset(), "not_compared"),
    )
}
REFUSALS = (*(judge.reason for judge in JUDGES.values() if judge.accepts), NO_VERDICT, SPAN_NOT_IN_TEXT)


@dataclass(frozen=True)
class Judgement:
    """What a judge said. `reason` is empty where it accepts; `detail` says why it does not, in its own words."""

    judge: JudgeName
    verdict: str
    reasons: str
    span: str | None
    reason: str
    detail: str

    @property
    def has_failed(self) -> bool:
        return self.reason == JUDGE_ERROR

    @property
    def is_accepted(self) -> bool:
        return not self.reason


class Case(NamedTuple):
    """What one judge is to judge: the values of its prompt, and the text from which a span must be quoted."""

    judge: JudgeName
    values: Mapping[str, object]
    text: str = ""
    seed: int = 0


@dataclass(frozen=True)
class Panel:
    """A model in the role of the judges, and how it is asked."""

    model: TextModel
    settings: JudgesSection

    def judge(self, cases: Sequence[Case]) -> list[Judgement]:
        """One judgement a case, in their order, from one batch of calls. Raises what the model raises."""
        requests = [judge_request(case, self.settings) for case in cases]
        results = self.model.generate(requests) if requests else []
        return [
            read_judgement(case.judge, result, case.text)
            if result.finish_reason != "error"
            else Judgement(case.judge, "", "", None, JUDGE_ERROR, result.error)
            for case, result in zip(cases, results, strict=True)
        ]


def comparison_cases(context: str, instruction: str, first: str, second: str) -> tuple[Case, Case]:
    """Two answers in both orders, since judges favour the one that they read first; for `read_comparison`."""
    cases = []
    for one, other in ((first, second), (second, first)):
        values = {"context": context, "instruction": instruction, "first": one, "second": other}
        cases.append(Case("comparison", values, seed=int(content_id("comparison", values), 16) >> 1))
    return cases[0], cases[1]


def read_comparison(in_order: Judgement, swapped: Judgement) -> Preferred:
    """Which answer is preferred in both orders. What is said in one only is no verdict, but a sign of that bias."""
    if not in_order.verdict or not swapped.verdict:
        return NO_VERDICT
    sides: dict[str, tuple[Preferred, Preferred]] = {
        "A": ("first", "second"), "B": ("second", "first"), "tie": ("tie", "tie")
    }  # fmt: skip
    preferred = sides[in_order.verdict][0]
    return preferred if preferred == sides[swapped.verdict][1] else "inconsistent"


def judges_of(is_knowledge: bool) -> tuple[tuple[JudgeName, ...], tuple[JudgeName, ...]]:
    """Who judges an instruction, and who its response, in order: the first that refuses names the reason."""
    return (("question",), ("faithfulness", "relevance")) if is_knowledge else (("instruction",), ("pair",))


def require_judged(judgements: Sequence[Judgement]) -> Sequence[Judgement]:
    """The same. Raises EngineError where a call has failed: counted as a verdict, it would flatter the judge."""
    if failed := [judgement.detail for judgement in judgements if judgement.has_failed]:
        raise EngineError(
            f"{len(failed)} of {len(judgements)} calls of the judge have failed: {failed[0]}",
            remedy="raise max_model_len of the judging model, or lower judges.max_new_tokens; run again with --retry failed",
        )
    return judgements


def verdict_line(judgement: Judgement) -> str:
    """A verdict as a sample carries it."""
    return f"{judgement.judge}: {judgement.verdict}"


def rank_of(line: str) -> float:
    """Where a `verdict_line` stands among the verdicts of its judge, 0 worst to 1 best."""
    name, _, verdict = line.partition(": ")
    judge = next(judge for judge in JUDGES.values() if judge.name == name)
    return judge.verdicts.index(verdict) / (len(judge.verdicts) - 1)


def seated(cases: Sequence[Case], settings: JudgesSection | None) -> list[Case]:
    """Those of the cases whose judge is asked at all; none without judges."""
    return [case for case in cases if settings and case.judge in settings.asked]


def judge_prompt(case: Case, style: str) -> str:
    """The style's prompt `judge_NAME` with the values of the case."""
    return render_prompt(style, f"judge_{case.judge}", **case.values)


def judge_request(case: Case, settings: JudgesSection) -> GenerationRequest:
    """What the judging model is asked."""
    return GenerationRequest(
        messages=(Message("user", judge_prompt(case, settings.prompts)),),
        max_new_tokens=settings.max_new_tokens,
        temperature=settings.temperature,
        seed=case.seed if settings.temperature else 0,
        schema=JUDGES[case.judge].schema(settings.max_reason_characters),
    )


def write_judgement(name: JudgeName, reasons: str, verdict: str, span: str | None = None) -> str:
    """An answer in the form that `read_judgement` reads: for the examples of prompts, and to train judges."""
    said = {"reasons": reasons, **({"span": span} if JUDGES[name].quotes_span else {}), "verdict": verdict}
    return json.dumps(said, ensure_ascii=False)


def read_judgement(name: JudgeName, result: GenerationResult, text: str = "") -> Judgement:
    """The judgement that an answer states; `text` is what its span must be quoted from. Failed calls are not for it."""
    judge = JUDGES[name]
    said = _object_in(result.text)
    verdict, reasons = (str(said.get(key, "")).strip() for key in ("verdict", "reasons"))
    if verdict not in judge.verdicts:
        what = "was cut off" if result.finish_reason == "length" else "has no verdict"
        detail = f"the answer {what} (one of {', '.join(judge.verdicts)}): {result.text[:_MAX_RAW]!r}"
        return Judgement(name, "", reasons, None, NO_VERDICT, detail)
    span = str(said.get("span", "")).strip() if judge.quotes_span else None
    if verdict not in judge.accepts:
        return Judgement(name, verdict, reasons, span, judge.reason, f"verdict {verdict}: {reasons}")
    if span is not None and (not span or plain(span) not in plain(text)):
        return Judgement(name, verdict, reasons, span, SPAN_NOT_IN_TEXT, f"the text does not say {span[:_MAX_RAW]!r}")
    return Judgement(name, verdict, reasons, span, "", "")


def _object_in(text: str) -> dict[str, object]:
    """The first JSON object with a verdict; models that no schema holds like to put words or a fence around it."""
    decoder, starts = json.JSONDecoder(), (match.start() for match in re.finditer(r"{", text))
    for start in itertools.islice(starts, _MAX_STARTS):
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict) and "verdict" in value:
            return value
    return {}
