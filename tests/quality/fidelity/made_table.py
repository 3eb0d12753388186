"""A real and a synthetic table of 12 columns, made from a seed with NumPy alone, so that any environment can make them."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import polars as pl

KINDS = {
    "age": "numeric", "income": "numeric", "spent": "numeric", "visits": "numeric", "height": "numeric", "score": "numeric",
    "since": "date", "region": "categorical", "trade": "categorical", "grade": "categorical", "street": "categorical",
    "is_member": "categorical",
}  # fmt: skip
TRADES = np.array(["baker", "mason", "nurse", "pilot", "smith", "tailor", "weaver", "cook"], dtype=object)


def make_columns(num_rows: int, seed: int, is_synthetic: bool) -> dict[str, NDArray[np.generic]]:
    """Shapes (num_rows,). The synthetic ones are shifted, spread, weakened, miss a category and have a new one."""
    rng = np.random.default_rng([seed, int(is_synthetic)])
    base = rng.normal(size=num_rows)
    age = 45 + 12 * base * (1.2 if is_synthetic else 1) + rng.normal(size=num_rows)
    income = np.exp(0.5 * base + 0.4 * rng.normal(size=num_rows) + 8 + 0.1 * is_synthetic)
    spent = income * (0.4 + 0.1 * rng.normal(size=num_rows))
    spent[rng.random(num_rows) < (0.02 if is_synthetic else 0.05)] = np.nan
    since = np.datetime64("2015-01-01") + (3000 * rng.random(num_rows) ** (1.3 if is_synthetic else 1)).astype(
        "timedelta64[D]"
    )
    since[rng.random(num_rows) < 0.03] = np.datetime64("NaT")
    quarter = np.clip(np.floor((age - 20) / 15), 0, 3).astype(int)
    trade = TRADES[(2 * quarter + rng.integers(3, size=num_rows)) % (7 if is_synthetic else 8)]
    trade[rng.random(num_rows) < 0.04] = None
    if is_synthetic:
        trade[rng.random(num_rows) < 0.02] = "minstrel"
    return {
        "age": age,
        "income": income,
        "spent": spent,
        "visits": rng.poisson(np.exp(0.3 * base + 1)).astype(np.int64),
        "height": np.round(rng.normal(170, 9, size=num_rows) - 3 * is_synthetic, 1),
        "score": rng.beta(2, 3 + is_synthetic, size=num_rows),
        "since": since,
        "region": np.array(["north", "east", "south", "west"], dtype=object)[quarter],
        "trade": trade,
        "grade": np.array(list("ABCDE"), dtype=object)[np.minimum(rng.geometric(0.4, size=num_rows) - 1, 4)],
        "street": np.array([f"street {number}" for number in range(60)], dtype=object)[rng.integers(60, size=num_rows)],
        "is_member": (base + rng.normal(size=num_rows)) > 0.5 * is_synthetic,
    }


def make_frame(num_rows: int, seed: int, is_synthetic: bool) -> "pl.DataFrame":
    """The same as Polars has it."""
    import polars as pl

    columns = make_columns(num_rows, seed, is_synthetic)
    texts = {name: pl.Series(name, each.tolist(), dtype=pl.String) for name, each in columns.items() if each.dtype == object}
    return pl.DataFrame({**columns, **texts})
