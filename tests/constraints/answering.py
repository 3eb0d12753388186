"""Responses built to hold to any constraints that do not contradict one another, and ones that just break one."""

import json
from collections.abc import Sequence
from random import Random

from synth_assets.constraints import CONSTRAINTS, Constraint
from synth_assets.constraints.constraint import Material
from synth_assets.constraints.length import NumSections

PROMPT = "What is a lens? Say how it bends light, and name two that people use."
WORDS = ("camera", "light", "glass", "window", "focus")
#: Words without any letter that a drawn constraint limits; of no list of words that may be ruled out.
FILLER = {
    "Armenian": "լույս", "Georgian": "სინათლე", "Greek": "φως", "Hebrew": "אור", "Korean": "빛", "": "hmm",
}  # fmt: skip


def drawn(kind: str, seed: int, prompt: str = PROMPT) -> Constraint:
    constraint = CONSTRAINTS[kind].draw(Material(Random(f"{kind} {seed}"), prompt, WORDS))
    assert constraint is not None
    return constraint


def built(constraints: Sequence[Constraint]) -> str:
    """A response that holds to all of them."""
    by = {each.kind: vars(each) for each in constraints}
    word = FILLER[by.get("in_language", {}).get("language", "")]
    line = [*_opening(by), *_inner(by, word), word]
    if "num_words" in by and by["num_words"]["relation"] == "at_least":
        line += [word] * by["num_words"]["count"]
    if "json_only" in by:
        return json.dumps({"a": " ".join(line)})
    text = _laid_out(" ".join(line), by, word)
    if "ends_with" in by:
        text += f"; {by['ends_with']['phrase']}"
    if "has_postscript" in by:
        text += f"\n{by['has_postscript']['mark']} {word}"
    text = text.lower() if "lower_case" in by else text.upper() if "upper_case" in by else text
    return f'"{text}"' if "in_double_quotes" in by else text


def _opening(by: dict[str, dict]) -> list[str]:
    return [
        *([by["starts_with"]["phrase"]] if "starts_with" in by else []),
        *([by["repeats_prompt"]["prompt"]] if "repeats_prompt" in by else []),
        *([by["num_sections"]["word"] + " 1"] if "num_sections" in by else []),
    ]


def _inner(by: dict[str, dict], word: str) -> list[str]:
    parts = [*by.get("includes_keywords", {}).get("words", ())]
    for kind, piece in (("keyword_frequency", None), ("letter_frequency", None), ("capital_words", word.upper())):
        if by.get(kind, {}).get("relation") == "at_least":
            parts += [piece or by[kind].get("word") or by[kind]["letter"]] * by[kind]["count"]
    parts += [f"*{word}*"] * by.get("num_highlighted", {}).get("count", 0)
    parts += [f"[{word}]"] * by.get("num_placeholders", {}).get("count", 0)
    return [*parts, *([f"<<{word}>>"] if "has_title" in by else [])]


def _laid_out(line: str, by: dict[str, dict], word: str) -> str:
    if "num_paragraphs" in by:
        return "\n\n".join([line, *[word] * (by["num_paragraphs"]["count"] - 1)])
    if "num_bullets" in by:
        return "\n".join([line, *[f"- {word}"] * by["num_bullets"]["count"]])
    if "num_sections" in by:
        each = by["num_sections"]
        return "\n".join([line, *(f"## {each['word']} {n}\n{word}" for n in range(2, each["count"] + 1))])
    if "two_answers" in by:
        return f"{line}\n******\n{word} {word}"
    if "num_sentences" in by and by["num_sentences"]["relation"] == "at_least":
        return line + f". {word}" * by["num_sentences"]["count"]
    return line


def spoiled(constraint: Constraint, text: str) -> str:
    """The text changed by as little as breaks the constraint."""
    said = vars(constraint)
    word = FILLER[""]
    match constraint.kind:
        case "num_words" | "num_sentences" | "keyword_frequency" | "letter_frequency" | "capital_words":
            unit = {
                "num_words": f" {word}", "num_sentences": f". {word}", "keyword_frequency": f" {said.get('word')}",
                "letter_frequency": f" {said.get('letter')}", "capital_words": f" {word.upper()}",
            }[constraint.kind]  # fmt: skip
            if said["relation"] == "at_most":
                return f"{word}." + unit * (said["count"] + 1)
            return f"{word}." + unit * (said["count"] - (2 if constraint.kind in ("num_words", "num_sentences") else 1))
        case "num_paragraphs":
            return text + f"\n\n{word}"
        case "num_bullets":
            return text + f"\n- {word}"
        case "num_sections":
            assert isinstance(constraint, NumSections)
            return text.replace(f"{constraint.word} {constraint.count}", f"{constraint.word} {constraint.count + 1}")
        case "two_answers":
            return text.replace("******", "*****")
        case "includes_keywords":
            return text.replace(said["words"][0], said["words"][0] + "x")
        case "forbids_keywords":
            return f"{text} {said['words'][0].upper()}!"
        case "lower_case":
            return text + "A"
        case "upper_case":
            return text + "a"
        case "starts_with":
            return "Well " + text
        case "ends_with":
            return text + f" {word}"
        case "in_double_quotes":
            return text[:-1]
        case "json_only":
            return text[:-1]
        case "no_commas":
            return text + ","
        case "has_title":
            return text.replace("<<", "<")
        case "num_highlighted":
            return text.replace("*", "", 1)
        case "has_postscript":
            return text.replace("P.S.", "PS").replace("P.P.S.", "PPS")
        case "num_placeholders":
            return text.replace("[", "", 1)
        case "repeats_prompt":
            return text.replace("lens", "prism", 1)
        case "in_language":
            return text + f" {word}" * len(text)
    raise AssertionError(f"no rule to spoil {constraint.kind}")
