"""What a teacher's answer says: a list, one prompt, a turn of the user; and why it cannot be used.

Lists are read in whatever form a model gives them: JSON, numbered or bulleted lines, one name a line, or names between
commas. Refusals are known by how they open, in English. Politeness is taken out of user turns by rule, as for Nemotron-4
(arXiv 2406.11704, section 3.2.1): thanks, praise and "please" teach a student nothing. Both sets of rules are plain words
of English; what they miss stays in, and a task that quotes thanks as a sentence of its own loses them.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterable

from synth_assets.generation.rejection import (
    EMPTY,
    REPEATS_PROMPT,
    UNPARSEABLE,
    Verdict,
    judge_form,
    parse_item,
)
from synth_assets.roles import GenerationResult
from synth_assets.sketches import plain

REFUSAL = "refusal"
NOT_REFINED = "not_refined"
NO_TOPIC = "no_topic"
MAX_TOPIC_WORDS = 8
_MAX_STARTS = 50
_MIN_WORDS_OF_A_COPY = 4
_MARKED = re.compile(r"^(\s*)(?:\(?\d{1,3}[.):]|[-*•–+])\s+(\S.*)$")
_EXPLANATION = re.compile(r"\s*(?::\s|\s[–—-]\s).*$", re.DOTALL)
_REFUSAL = re.compile(
    r"\W*(?:(?:i['’]m|i am) (?:\w+ )?sorry\W+(?:but )?(?:i|as)\b|(?:sorry|apologies|unfortunately)\W+(?:but )?(?:i|as)\b|"
    r"i (?:\w+ )?(?:can['’]?t|cannot|can not|won['’]?t|will not|am unable to|am not able to|['’]m unable to) (?:\w+ )?"
    r"(?:help|assist|answer|provide|comply|create|generate|write|fulfil|do that|do this)\b|"
    r"i['’]m (?:unable|not able) to\b|as an? (?:ai|language model|assistant)\b)",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"^\W*(?:here is (?:a|the|one)[^:\n]{0,60}|(?:new |refined |revised |follow-up )?"
    r"(?:question|task|problem|prompt|request|instruction|user))\s*\d*\W{0,2}:\W{0,2}\s",
    re.IGNORECASE,
)
_OTHER_ROLE = re.compile(r"(?im)^\W{0,3}(?:assistant|user)\W{0,3}:")
_SENTENCE = re.compile(r"[^.!?\n]*(?:[.!?]+(?=\s|$)|$|(?=\n)|[.!?]+)\s*")
_WHAT = (
    r"(?:answer|explanation|response|reply|help|overview|summary|list|point|advice|information|insight|question|job|work)s?"
)
_PRAISE = (
    r"(?:very |really |so |quite |extremely )*(?:great|good|helpful|useful|interesting|clear|nice|excellent|amazing|perfect)"
)
_GOES_ON = (
    r"(?:but|and|so|now|then|can|could|would|what|how|why|when|where|who|which|is|are|do|does|i|let|please|tell|give)\b"
)
_POLITE = re.compile(
    r"\W*(?:(?:ok|okay|oh|ah|wow|well|got it)\W+)?(?:"
    r"(?:many )?thanks(?: (?:a lot|so much|again|very much|in advance|for [^,;?]*))?|thank you(?: [^,;?]*)?|cheers|wow|"
    r"(?:it is |this is )?much appreciated|i (?:really |truly |do )?appreciate [^,;?]*|"
    r"(?:(?:that|this|it)(?: is| was|['’]s|) |what |you (?:are|have been|['’]re) )?(?:an? )?"
    + _PRAISE
    + r"(?: "
    + _WHAT
    + r")?|"
    r"(?:hello|hi|hey)(?: there)?|good (?:morning|day|evening)"
    r")[^\w?]*",
    re.IGNORECASE,
)
_OPENING = re.compile(
    r"^\W*(?:(?:many )?thanks(?: (?:a lot|so much|again|very much))?|thank you(?: (?:so much|very much|again))?|"
    + _PRAISE + r"(?=\s*[,;–—]\s*" + _GOES_ON + r")|hello|hi|hey)(?: for [^,.!?\n]{1,80}?)?\s*[,;–—]\s*(?:but |and |so )?",
    re.IGNORECASE,
)  # fmt: skip
_PLEASE = re.compile(r"(?<!\bto )(?<!\bnot )(,\s*)?\bplease\b(\s*,)?", re.IGNORECASE)


def read_list(text: str) -> list[str]:
    """The entries of a list, without marks and explanations; none where the text holds no list.

    Of nested lists only the outermost entries count. Lines that bear no mark are entries only if no line bears one.
    """
    if found := _json_list(text):
        return [entry for entry in map(_name, found) if entry]
    marked = [match for line in text.splitlines() if (match := _MARKED.match(line))]
    if marked:
        outermost = min(len(match[1]) for match in marked)
        entries = [match[2] for match in marked if len(match[1]) == outermost]
    else:
        lines = [line for line in text.splitlines() if line.strip()]
        entries = lines if len(lines) > 1 else [part for part in re.split(r"[,;]\s+", text) if part.strip()]
        entries = entries if len(entries) > 2 and all(_is_short(entry) for entry in entries) else []
    return [entry for entry in map(_name, entries) if entry]


def judge_refusal(text: str) -> Verdict | None:
    """A refusal, as far as its opening tells."""
    refusal = _REFUSAL.match(text)
    return Verdict(REFUSAL, f"opens with {refusal.group().strip()!r}") if refusal else None


def judge_topic(name: str) -> Verdict | None:
    """Whether an entry is a name of a topic and no sentence."""
    if not any(character.isalnum() for character in name):
        return Verdict(NO_TOPIC, "no letter or figure")
    return None if _is_short(name) else Verdict(NO_TOPIC, f"more than {MAX_TOPIC_WORDS} words")


def read_prompt(text: str) -> str:
    """One prompt, without a label, a bullet, or marks around the whole of it."""
    found = parse_item(_LABEL.sub("", text.strip(), count=1))
    for opening, closing in (("**", "**"), ('"', '"'), ("“", "”"), ("«", "»")):
        inner = found[len(opening) : -len(closing)]
        is_around = found.startswith(opening) and found.endswith(closing)
        if is_around and inner and opening not in inner and closing not in inner:
            found = inner.strip()
    return found


def judge_prompt(result: GenerationResult, text: str, asked: str) -> Verdict | None:
    """Why a written prompt cannot be used: its form, a refusal, several where one is asked for, a copy of the request."""
    if verdict := judge_form(result, text) or judge_refusal(text):
        return verdict
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) > 1 and all(_MARKED.match(line) for line in lines):
        return Verdict(UNPARSEABLE, f"a list of {len(lines)} where one is asked for")
    if len(text.split()) >= _MIN_WORDS_OF_A_COPY and plain(text) in plain(asked):
        return Verdict(REPEATS_PROMPT, "stands word for word in the request")
    return None


def judge_refinement(text: str, draft: str) -> Verdict | None:
    """A refined prompt is longer than its draft (in words), since it is to be more specific."""
    if plain(text) == plain(draft):
        return Verdict(REPEATS_PROMPT, "equals its draft")
    num, num_before = len(text.split()), len(draft.split())
    return Verdict(NOT_REFINED, f"{num} words, not more than the {num_before} of the draft") if num <= num_before else None


def judge_turn(result: GenerationResult, text: str, turns: Iterable[str]) -> Verdict | None:
    """Why a turn of a dialogue cannot be used: its form, a refusal, both roles in one, an earlier turn again."""
    if not text and result.text and result.finish_reason == "stop":
        return Verdict(EMPTY, "nothing but politeness")
    if verdict := judge_form(result, text) or judge_refusal(text):
        return verdict
    if other := _OTHER_ROLE.search(text):
        return Verdict(UNPARSEABLE, f"writes for both roles: {other.group().strip()} at character {other.start()}")
    if plain(text) in {plain(turn) for turn in turns}:
        return Verdict(REPEATS_PROMPT, "equals an earlier turn")
    return None


def strip_politeness(text: str) -> str:
    """A user's turn without greetings, thanks, praise and "please"; code in fences is left as it is."""
    parts = re.split(r"(```.*?(?:```|\Z))", text, flags=re.DOTALL)
    return "".join(part if number % 2 else _strip_plain(part) for number, part in enumerate(parts)).strip()


def _strip_plain(text: str) -> str:
    sentences = [_capital(_OPENING.sub("", each), each) for each in _SENTENCE.findall(text)]
    return "".join(_without_please(each) for each in sentences if not _POLITE.fullmatch(each.strip() or "-"))


def _without_please(sentence: str) -> str:
    stripped = re.sub(r"[^\S\n]{2,}", " ", _PLEASE.sub(lambda match: "," if match[1] and match[2] else "", sentence))
    stripped = re.sub(r" ([.!?,])", r"\1", stripped)
    return _capital(stripped.lstrip(" "), sentence) if stripped != sentence else sentence


def _capital(text: str, instead_of: str) -> str:
    """With a capital where the text that it stands for had one."""
    first = next((character for character in instead_of if character.isalpha()), "")
    return text[:1].upper() + text[1:] if first.isupper() and text != instead_of else text


def _is_short(entry: str) -> bool:
    return len(entry.split()) <= MAX_TOPIC_WORDS


def _name(entry: str) -> str:
    bare = _EXPLANATION.sub("", entry.strip().replace("**", "").replace("__", ""))
    return bare.strip('`"“” \t').rstrip(".,;:").strip('`"“” \t')


def _json_list(text: str) -> list[str]:
    """The first JSON array of texts, or of objects whose first value is a text; fences and words around it do not matter."""
    decoder, starts = json.JSONDecoder(), (match.start() for match in re.finditer(r"\[", text))
    for start in itertools.islice(starts, _MAX_STARTS):
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        firsts = [next(iter(each.values()), None) if isinstance(each, dict) else each for each in value]
        texts = [each for each in firsts if isinstance(each, str)]
        if texts and len(texts) == len(firsts):
            return texts
    return []
