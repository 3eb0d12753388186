"""Features of a text row that need no model.

Lengths are of instruction and response each; all else is of the two together, as `text_of_rows` writes them. The context is
left out: it is a document's text more often than the teacher's, and would make any two sets on the same documents alike.
Lengths and lexical diversity are logarithms, since both have a long tail that mean and variance would only hear of.

Limits: sentences end at . ! ? before white space and at a line's end, so "e.g. this" is two; code is what stands between
back-ticks and in lines that look like code; words are not stemmed.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence

import polars as pl

from synth_assets.quality.features.words import count_syllables, mtld

TEXT_FEATURES = (
    "log_instruction_tokens", "log_response_tokens", "sentences", "mean_word_length", "reading_ease", "log_mtld",
    "punctuation_share", "digit_share", "code_share", "zlib_ratio",
)  # fmt: skip
_TOKEN = r"[^\W_]+|[^\w\s]|_"  # as `sketches.words_of`
_WORD = r"[^\W_]+(?:['’][^\W_]+)*"
_SENTENCE_END = r"[.!?…。！？]+[\"'”’)\]]*\s+|\n+"
_KEYWORD = r"(?:def|class|import|from|return|#include|public|private|const|let|var|SELECT)\b"
_CODE_LINE = rf"(?m:^[ \t]*(?:{_KEYWORD}[^\n]*[():;={{}}<][^\n]*|[^\n]*[;{{}}])$)"
_CODE = rf"(?s:```.*?(?:```|\z))|`[^`\n]+`|{_CODE_LINE}"


def text_of_rows(frame: pl.DataFrame) -> list[str]:
    """What an embedder is shown of each row, and what the features are of: instruction, line break, response."""
    return frame.select(_text()).to_series().to_list()


def text_features(frame: pl.DataFrame) -> pl.DataFrame:
    """`TEXT_FEATURES` of each row as Float64, in the order of the rows; `frame` needs instruction and response.

    log_*_tokens: ln(1 + words and punctuation marks). reading_ease: 206.835 - 1.015 words / sentence - 84.6 syllables / word
    (R. Flesch 1948, J. Appl. Psychol. 32:221). log_mtld: ln of McCarthy and Jarvis' measure. Shares are of characters other
    than white space. zlib_ratio: bytes at level 6 over bytes. Null where a row has no word to speak of.
    Raises polars' ColumnNotFoundError for a missing column.
    """
    counted = frame.select(
        pl.col("instruction", "response").fill_null("").str.count_matches(_TOKEN).log1p().name.prefix("tokens_"),
        text=_text(),
    ).with_columns(
        sentences=(pl.col("text") + "\n").str.count_matches(_SENTENCE_END).cast(pl.Float64),
        characters=pl.col("text").str.count_matches(r"\S").cast(pl.Float64),
        punctuation=pl.col("text").str.count_matches(r"[\p{P}\p{S}]"),
        digits=pl.col("text").str.count_matches(r"\p{Nd}"),
        code=pl.col("text").str.extract_all(_CODE).list.eval(pl.element().str.count_matches(r"\S")).list.sum(),
        words=pl.col("text").str.to_lowercase().str.extract_all(_WORD),
    )
    counted = counted.with_columns(num_words=pl.col("words").list.len().cast(pl.Float64), **_by_word(counted["words"]))
    words_in_sentence = pl.col("num_words") / pl.col("sentences")
    features = counted.select(
        log_instruction_tokens="tokens_instruction",
        log_response_tokens="tokens_response",
        sentences="sentences",
        mean_word_length=pl.col("words").list.eval(pl.element().str.len_chars()).list.mean(),
        reading_ease=206.835 - 1.015 * words_in_sentence - 84.6 * pl.col("syllables") / pl.col("num_words"),
        log_mtld="log_mtld",
        punctuation_share=pl.col("punctuation") / pl.col("characters"),
        digit_share=pl.col("digits") / pl.col("characters"),
        code_share=pl.col("code") / pl.col("characters"),
        zlib_ratio=pl.Series(_zlib_ratios(counted["text"].to_list()), dtype=pl.Float64),
    )
    return features.select(pl.col(name).cast(pl.Float64).fill_nan(None) for name in TEXT_FEATURES)


def _text() -> pl.Expr:
    both = pl.concat_str("instruction", "response", separator="\n", ignore_nulls=True)
    return both.str.strip_chars().alias("text")


def _by_word(words: pl.Series) -> dict[str, pl.Series]:
    """Syllables are counted once for each word of the vocabulary."""
    vocabulary = words.explode(empty_as_null=False).unique().drop_nulls().sort()
    syllables = dict(zip(vocabulary.to_list(), map(count_syllables, vocabulary.to_list()), strict=True))
    rows = words.to_list()
    return {
        "syllables": pl.Series([sum(map(syllables.__getitem__, row)) for row in rows], dtype=pl.Float64),
        "log_mtld": pl.Series([math.log(mtld(row)) if row else None for row in rows], dtype=pl.Float64),
    }


def _zlib_ratios(texts: Sequence[str]) -> list[float | None]:
    encoded = [text.encode("utf-8", "surrogatepass") for text in texts]
    return [len(zlib.compress(each, 6)) / len(each) if each else None for each in encoded]
