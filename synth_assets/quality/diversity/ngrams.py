"""How much the rows repeat one another's words: self-BLEU (high is bad).

It depends on the number of rows and on what is written about, so it is also held against that of equally many real rows;
without enough real rows the figure is shown and says so. Distinct n-grams are counted against the generation before
(`quality.collapse.diversity`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np

from synth_assets.quality.estimates import MIN_REFERENCE, Estimate, insufficient
from synth_assets.sketches import words_of

MAX_ORDER = 4
SIZE = 1000
Ngram = tuple[str, ...]


def sentence_bleu(words: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """BLEU-4 of one sentence, 0 to 1 (K. Papineni et al. 2002), as sacrebleu computes it by default for a sentence.

    An order without a match counts 1 / (2^k x n-grams) for the k-th such order ("exp"), orders longer than the sentence are
    left out, and the brevity penalty is by the reference closest in length, the shorter of equals.
    """
    most: Counter[Ngram] = Counter()
    for reference in references:
        most |= _all_ngrams(reference)
    return _bleu(_all_ngrams(words), len(words), most, _closest([len(each) for each in references], len(words)))


def self_bleu(rows: Sequence[Sequence[str]]) -> float:
    """Mean BLEU-4 of each row against all the others (Y. Zhu et al. 2018, arXiv 1802.01886); NaN for fewer than two.

    Of each n-gram the two largest counts in a row are known, so that a row is left out of its own references at no cost.
    Rows without words are left out.
    """
    counted = [(_all_ngrams(words), len(words)) for words in rows if words]
    if len(counted) < 2:
        return math.nan
    largest: dict[Ngram, tuple[int, int]] = {}
    for grams, _ in counted:
        for gram, num in grams.items():
            first, second = largest.get(gram, (0, 0))
            largest[gram] = (num, first) if num > first else (first, max(num, second))
    lengths = Counter(length for _, length in counted)
    total = 0.0
    for grams, length in counted:
        others = {gram: largest[gram][num == largest[gram][0]] for gram, num in grams.items()}
        rest = [other for other, num in lengths.items() if num > (other == length)]
        total += _bleu(grams, length, others, _closest(rest, length))
    return total / len(counted)


def estimate_self_bleu(
    texts: Sequence[str], real: Sequence[str], *, least: int = MIN_REFERENCE, seed: int = 0
) -> list[Estimate]:
    """`self_bleu` of at most 1,000 rows, and `self_bleu_excess`: less that of equally many real rows; at_most.

    Fewer than `least` of either: insufficient_reference.
    """
    value = self_bleu(_drawn(texts, SIZE, seed))
    shown = Estimate("self_bleu", "all", value, num_synthetic=len(texts))
    if min(len(texts), len(real)) < least:
        return [shown, insufficient("self_bleu_excess", "all", len(real), len(texts), least)]
    size = min(SIZE, len(texts), len(real))
    made, of_real = self_bleu(_drawn(texts, size, seed)), self_bleu(_drawn(real, size, seed))
    words = f"synthetic {made:.3f}, real {of_real:.3f}, {size} rows of each"
    excess = Estimate("self_bleu_excess", "all", made - of_real, None, None, len(real), len(texts), words=words)
    return [shown, excess]


def _drawn(texts: Sequence[str], size: int, seed: int) -> list[list[str]]:
    positions = np.random.default_rng(seed).permutation(len(texts))[:size]
    return [words_of(texts[position]) for position in positions]


def _ngrams(words: Sequence[str], n: int) -> Iterable[Ngram]:
    return zip(*(words[start:] for start in range(n)), strict=False)


def _all_ngrams(words: Sequence[str]) -> Counter[Ngram]:
    return Counter(gram for n in range(1, MAX_ORDER + 1) for gram in _ngrams(words, n))


def _closest(lengths: Sequence[int], length: int) -> int:
    return min(lengths, key=lambda other: (abs(other - length), other), default=0)


def _bleu(grams: Counter[Ngram], length: int, most: dict[Ngram, int], closest: int) -> float:
    """Clipped precisions' geometric mean times the brevity penalty; 0 for a sentence that has no word in common."""
    right = [0] * MAX_ORDER
    for gram, num in grams.items():
        right[len(gram) - 1] += min(num, most.get(gram, 0))
    if right[0] == 0:
        return 0.0
    logs, num_missed = [], 0
    for n in range(1, min(MAX_ORDER, length) + 1):
        num_grams = length - n + 1
        num_missed += right[n - 1] == 0
        logs.append(math.log(right[n - 1] / num_grams if right[n - 1] else 1 / (2**num_missed * num_grams)))
    return math.exp(sum(logs) / len(logs) + min(0.0, 1 - closest / length))
