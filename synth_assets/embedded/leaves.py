"""The leaf nodes of the closed world: what the embedded teacher learns, and kinds that are kept from it."""

from collections.abc import Callable

from synth_assets.embedded.leaf_kinds import LeafKind, Slots
from synth_assets.embedded.vocabulary import COMPARATIVES, PLURALS, VERBS

_PAST_OF = dict(VERBS.values())
_CONTACT = "Name: {name} {surname}. City: {city}. Job: {job}. Phone: {phone}."
_PRICES = "{noun}: {num} dollars. {noun2}: {num2} dollars. {noun3}: {num3} dollars."
_PRODUCT = (
    "The {brand} {num} is a {noun} made of {material}. It weighs {small} kilos and costs {num2} dollars."
    " It comes from {city} and has a guarantee of {small2} years."
)
_TOWN = (
    "{town} is a town on the river {river}, in the {region} of the country. It was founded in {year} and has {phone}"
    " people. It is known for its {craft}."
)
_PERSON = (
    "{name} {surname} was a {job} from {city}. {name} was born in {year}, wrote {num} letters and had a house in"
    " {city2}. The house is now a {place}."
)
_PRODUCT_ASPECTS = {"material": "{material}", "weight": "{small} kilos", "price": "{num2} dollars",
                    "origin": "{city}", "guarantee": "{small2} years"}  # fmt: skip
_TOWN_ASPECTS = {"river": "{river}", "region": "{region}", "age": "founded in {year}", "population": "{phone} people",
                 "product": "{craft}"}  # fmt: skip
_PERSON_ASPECTS = {"job": "{job}", "origin": "{city}", "birth": "born in {year}", "work": "{num} letters",
                   "house": "in {city2}"}  # fmt: skip


def _differ(*names: str) -> Callable[[Slots], bool]:
    """The named slots hold different values (as far as a text has them)."""

    def is_valid(slots: Slots) -> bool:
        values = [slots[name] for name in names if name in slots]
        return len(values) == len(set(values))

    return is_valid


def _equation(operator: str, left: str, right: str, unit: str = "") -> Callable[[Slots], str]:
    def answer(slots: Slots) -> str:
        a, b = int(slots[left]), int(slots[right])
        value = {"+": a + b, "-": a - b, "x": a * b}[operator]
        return f"{a} {operator} {b} = {value}{unit}"

    return answer


def _aspect(answers: dict[str, str]) -> Callable[[Slots], str]:
    return lambda slots: answers[slots["aspect"]].format(**slots)


def _dearest(slots: Slots) -> str:
    priced = [(int(slots["num" + i]), slots["noun" + i]) for i in ("", "2", "3")]
    return (max if slots["extreme"] == "most" else min)(priced)[1]


def _tallest(slots: Slots) -> str:
    return slots["name"] if slots["extreme"] == COMPARATIVES[slots["comparative"]][0] else slots["name3"]


def _sorted_numbers(slots: Slots) -> str:
    return ", ".join(sorted((slots[s] for s in ("num", "num2", "num3", "num4")), key=int))


TAUGHT: tuple[LeafKind, ...] = (
    LeafKind(
        "compositional_skills/writing/polite_request",
        "Turn a wish into a polite request to a person.",
        (
            "Ask {name} politely to {verb} the {adj} {noun}.",
            "Write a polite request: {name} should {verb} the {adj} {noun}.",
        ),
        "Dear {name}, could you please {verb} the {adj} {noun}? Thank you.",
    ),
    LeafKind(
        "compositional_skills/writing/event_note",
        "Write a short note about an event with day, hour and place.",
        ("Write a note about the {event} of {name} on {day} at {hour} in the {place}.",),
        "{day}, {hour} o'clock: {event} with {name}. Place: {place}.",
    ),
    LeafKind(
        "compositional_skills/writing/shopping_list",
        "Write the shopping list that a person's needs make.",
        ("{name} needs {num} {nouns} and {num2} {nouns2}. Write a shopping list.",),
        "Shopping list for {name}: {num} {nouns}, {num2} {nouns2}.",
        is_valid=_differ("nouns", "nouns2"),
    ),
    LeafKind(
        "compositional_skills/rewriting/plural",
        "Rewrite a sentence about one thing for several things.",
        ("Rewrite with {countword}: {name} has one {adj} {noun}.",),
        "{name} has {countword} {adj} {plural}.",
        derived=lambda slots: {"plural": PLURALS[slots["noun"]]},
    ),
    LeafKind(
        "compositional_skills/rewriting/past_tense",
        "Put a sentence into the past.",
        ("Put into the past: {name} {verbs} the {adj} {noun}.",),
        "{name} {past} the {adj} {noun}.",
        derived=lambda slots: {"past": _PAST_OF[slots["verbs"]]},
    ),
    LeafKind(
        "compositional_skills/lists/reverse_words",
        "Write the words of a list in reverse order.",
        ("Write these words in reverse order: {noun}, {noun2}, {noun3}, {noun4}",),
        "{noun4}, {noun3}, {noun2}, {noun}",
        is_valid=_differ("noun", "noun2", "noun3", "noun4"),
    ),
    LeafKind(
        "compositional_skills/lists/sort_numbers",
        "Sort numbers from small to large.",
        ("Sort these numbers from small to large: {num}, {num2}, {num3}, {num4}",),
        _sorted_numbers,
    ),
    LeafKind(
        "compositional_skills/extraction/contact_field",
        "Find one field of a contact card.",
        ("What is the {field} of {name} {surname}?", "Find the {field} of {name}."),
        lambda slots: slots[slots["field"]],
        contexts=(_CONTACT,),
    ),
    LeafKind(
        "compositional_skills/extraction/price_list",
        "Find the item of a price list that costs the most or the least.",
        ("Which item costs the {extreme}?",),
        _dearest,
        contexts=(_PRICES,),
        is_valid=lambda slots: _differ("num", "num2", "num3")(slots) and _differ("noun", "noun2", "noun3")(slots),
        extra_slots={"extreme": ("most", "least")},
    ),
    LeafKind(
        "foundational_skills/arithmetic/story_sum",
        "Solve a story problem with one addition.",
        ("{name} has {num} {nouns} and buys {num2} more. How many {nouns} does {name} have now?",),
        _equation("+", "num", "num2"),
    ),
    LeafKind(
        "foundational_skills/arithmetic/story_difference",
        "Solve a story problem with one subtraction.",
        ("{name} has {upper} {nouns} and gives {lower} to {name2}. How many {nouns} are left?",),
        _equation("-", "upper", "lower"),
        is_valid=_differ("name", "name2"),
    ),
    LeafKind(
        "foundational_skills/arithmetic/total_price",
        "Find the price of several things of one kind.",
        ("{name} buys {small} {adj} {nouns} at {small2} dollars each. What is the total price?",),
        _equation("x", "small", "small2", " dollars"),
    ),
    LeafKind(
        "foundational_skills/reasoning/ranking",
        "Order three people by two comparisons.",
        ("{name} is {comparative} than {name2}. {name2} is {comparative} than {name3}. Who is the {extreme}?",),
        _tallest,
        is_valid=lambda slots: (
            _differ("name", "name2", "name3")(slots) and slots["extreme"] in COMPARATIVES[slots["comparative"]]
        ),
        extra_slots={"extreme": tuple(superlative for superlative, _ in COMPARATIVES.values())},
    ),
    LeafKind(
        "foundational_skills/dates/days_away",
        "Count the days between two dates of one month.",
        ("{name} leaves for {city} on {early} {month} and returns on {late} {month}. How many days is {name} away?",),
        _equation("-", "late", "early", " days"),
    ),
    LeafKind(
        "knowledge/products/home_goods",
        "Facts about products for the home.",
        ("What is the {aspect} of the {brand} {num}?", "Tell me the {aspect} of the {brand} {num}."),
        _aspect(_PRODUCT_ASPECTS),
        contexts=(_PRODUCT,),
        extra_slots={"aspect": tuple(_PRODUCT_ASPECTS)},
    ),
    LeafKind(
        "knowledge/places/towns",
        "Facts about small towns.",
        ("What is the {aspect} of {town}?", "Tell me the {aspect} of the town {town}."),
        _aspect(_TOWN_ASPECTS),
        contexts=(_TOWN,),
        extra_slots={"aspect": tuple(_TOWN_ASPECTS)},
    ),
    LeafKind(
        "knowledge/people/lives",
        "Facts about the lives of people.",
        ("What was the {aspect} of {name} {surname}?", "Tell me the {aspect} of {name} {surname}."),
        _aspect(_PERSON_ASPECTS),
        contexts=(_PERSON,),
        is_valid=_differ("city", "city2"),
        extra_slots={"aspect": tuple(_PERSON_ASPECTS)},
    ),
)

#: Kinds of leaf that no embedded model is ever trained on: what a user's own leaf may expect.
UNSEEN: tuple[LeafKind, ...] = (
    LeafKind(
        "compositional_skills/writing/apology",
        "Say sorry to a person for a thing.",
        ("Say sorry to {name} for the broken {noun}.",),
        "Dear {name}, I am sorry about the broken {noun}.",
    ),
    LeafKind(
        "compositional_skills/lists/swap_words",
        "Swap two words.",
        ("Swap the two words: {noun} and {noun2}",),
        "{noun2} and {noun}",
        is_valid=_differ("noun", "noun2"),
    ),
    LeafKind(
        "compositional_skills/lists/repeat_word",
        "Write a word several times.",
        ("Write the word {noun} {small} times.",),
        lambda slots: " ".join([slots["noun"]] * int(slots["small"])),
    ),
    LeafKind(
        "foundational_skills/arithmetic/larger_number",
        "Find the larger of two numbers.",
        ("Which number is larger, {num} or {num2}?",),
        lambda slots: max(slots["num"], slots["num2"], key=int),
        is_valid=_differ("num", "num2"),
    ),
    LeafKind(
        "foundational_skills/reasoning/comparison",
        "Compare two people.",
        (
            "{name} is {wealth} than {name2}. Who is {wealth}?",
            "{name2} is old. {name} is the {most}. Who is the {most}?",
        ),
        "{name}",
        is_valid=_differ("name", "name2"),
        extra_slots={"wealth": ("richer", "stronger"), "most": ("richest", "strongest")},
    ),
)

BY_PATH: dict[str, LeafKind] = {kind.leaf_path: kind for kind in (*TAUGHT, *UNSEEN)}
