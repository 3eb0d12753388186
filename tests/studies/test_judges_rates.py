"""The rates of the study of judges: shares of what is good and what is bad, and none of too few cases."""

from synth_assets.studies.judges import MIN_CASES, _rows_of_cases, generator_of


def test_rates_are_shares_of_good_and_of_bad_cases() -> None:
    cases = [("pair", "knowledge", n < 12, n % 4 != 0) for n in range(24)] + [("pair", "other", False, True)] * (
        MIN_CASES - 1
    )
    rows = {(row.metric, row.subject): (row.value, row.n) for row in _rows_of_cases("seeds", cases)}
    assert rows == {
        ("true_positive_rate", "pair, knowledge"): (0.75, 12), ("true_positive_rate", "all"): (0.75, 12),
        ("false_positive_rate", "pair, knowledge"): (0.75, 12), ("false_positive_rate", "all"): (18 / 21, 21),
    }  # fmt: skip
    assert not list(_rows_of_cases("seeds", []))


def test_generators() -> None:
    assert generator_of("knowledge/places/towns") == "knowledge"
    assert generator_of("compositional_skills/extraction/price_list") == "grounded skills"
    assert generator_of("foundational_skills/dates/days_away") == "freeform skills"
