"""Every error says what, which value, where and what to do, and crosses a process boundary unharmed."""

import inspect
import pickle
import re

from synth_assets import errors
from synth_assets.errors import (
    Fault,
    LeafError,
    RecipeError,
    SynthAssetsError,
    TaxonomyError,
    Where,
    short_repr,
)


def _public_errors() -> list[type[SynthAssetsError]]:
    members = inspect.getmembers(errors, inspect.isclass)
    return [item for name, item in members if issubclass(item, SynthAssetsError) and not name.startswith("_")]


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    drawn = set(re.findall(r"\b\w+Error\b", (errors.__doc__ or "").split("A bad *sample*")[0]))
    assert drawn == {item.__name__ for item in _public_errors()}


def test_an_error_renders_what_value_where_and_remedy() -> None:
    error = SynthAssetsError("too hot", value=99, where=Where("a.yaml", 3, 5), remedy="wait")
    assert str(error) == "a.yaml:3:5: too hot (found 99)\n  -> wait"
    assert str(SynthAssetsError("plain")) == "plain"


def test_faults_are_listed_one_a_line() -> None:
    fault = Fault("a.yaml", 3, 5, "b.c", "'x'", "wrong value", "a number")
    error = LeafError("leaf is wrong", faults=[fault, fault])
    assert str(error).splitlines()[1:] == ["  a.yaml:3:5: b.c: wrong value, found 'x'; expected a number"] * 2
    assert isinstance(error, TaxonomyError)


def test_every_error_survives_pickling_with_all_its_parts() -> None:
    for kind in _public_errors():
        error = kind("what", value=[1], where=Where("f"), remedy="do")
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is kind and str(again) == str(error) and again.remedy == "do"
    faulty = RecipeError("r", faults=[Fault("f", 1, 1, "k", "", "m", "e")])
    assert pickle.loads(pickle.dumps(faulty)).faults == faulty.faults


def test_a_huge_value_is_cut_short() -> None:
    assert len(short_repr("x" * 10**6)) < 100
    assert len(short_repr([["y" * 1000] * 1000] * 1000)) < 2000
