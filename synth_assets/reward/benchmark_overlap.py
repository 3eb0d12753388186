"""Whether a row repeats what is held out: of the benchmark a question or a long run of words, of the real holdout a row.

Word n-grams over the whole of a text, 13 by default as in GPT-3 (Brown et al. 2020, arXiv 2005.14165, appendix C). Words
are runs of letters and digits without regard to case; punctuation does not break a run.

The real holdout says how far two real samples differ, and what a student still expects of real texts: a row of it that is
trained on would flatter both. Real rows are alike by nature, of one template or on one document; so only a row that is the
same in context, question and answer, without regard to case and white space, is one of the holdout. A paraphrase is not
found.

Limit: texts made from one template share long runs by nature; a knowledge sample whose facts coincide with a benchmark
document's in one sentence is rejected too. That errs on the safe side.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from synth_assets.records import BenchmarkQuestion, RealExample
from synth_assets.sketches import plain, row_key

_WORD = re.compile(r"[^\W_]+")


class BenchmarkIndex:
    """The benchmark as a set of questions and a map from its n-grams to the question they stand in; the holdout's rows."""

    def __init__(
        self, questions: Iterable[BenchmarkQuestion], num_words: int, holdout: Iterable[RealExample] = ()
    ) -> None:  # fmt: skip
        self._num_words = num_words
        self._rows = {row_key(row.context, row.question, row.answer): row.real_example_id for row in holdout}
        self._questions: dict[tuple[str, ...], str] = {}
        self._ngrams: dict[tuple[str, ...], str] = {}
        for question in questions:
            key = _question_key(question.context, question.question)
            self._questions.setdefault(key, question.benchmark_question_id)
            for ngram in self._ngrams_of(question.context, question.question, question.answer):
                self._ngrams.setdefault(ngram, question.benchmark_question_id)

    def overlap(self, context: str | None, question: str, answer: str) -> str:
        """What a row shares with which benchmark question, or with the holdout; empty if nothing.

        The words are not quoted: what is hidden in the row would be told by them.
        """
        if found := self._rows.get(row_key(context, question, answer)):
            return f"is row {found} of the real holdout"
        if found := self._questions.get(_question_key(context, question)):
            return f"asks benchmark question {found}"
        for ngram in self._ngrams_of(context, question, answer):
            if found := self._ngrams.get(ngram):
                return f"{self._num_words} words in a row of benchmark question {found}"
        return ""

    def _ngrams_of(self, *texts: str | None) -> Iterable[tuple[str, ...]]:
        words = _words(*texts)
        return zip(*(words[start:] for start in range(self._num_words)), strict=False)


def _words(*texts: str | None) -> list[str]:
    return _WORD.findall(" ".join(text for text in texts if text).casefold())


def _question_key(context: str | None, question: str) -> tuple[str, ...]:
    return plain(context), plain(question)
