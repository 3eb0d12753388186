"""What the student base knows before it is tuned: copying, look-up, bare sums, word forms, in a notation of their own.

None of these is a leaf node of the taxonomy, but each is a skill on which leaf nodes build: a student that
cannot copy learns nothing from LoRA. They also make the `retained` half of the benchmark.
"""

from synth_assets.embedded.leaf_kinds import LeafKind, Slots
from synth_assets.embedded.vocabulary import PLURALS, VERBS

_WORDS = "{name} {noun} {city} {job}"


def _largest(slots: Slots) -> str:
    return max((slots[s] for s in ("num", "num2", "num3")), key=int)


def _ascending(slots: Slots) -> str:
    return " ".join(sorted((slots[s] for s in ("num", "num2", "num3")), key=int))


PRIMITIVES: tuple[LeafKind, ...] = (
    LeafKind("primitives/copy/echo", "Copy words.", (
             "echo: {name} {noun} {event} {place} {num}", "echo: {adj} {noun} {city}",
             "echo: {material} {num} {brand} {nouns} {job} {verb}"), lambda s: " ".join(s.values())),
    LeafKind("primitives/copy/back", "Copy words backwards.",
             ("back: {noun} {name} {city}", "back: {noun} {noun2} {noun3} {noun4}"),
             lambda s: " ".join(reversed(s.values()))),
    LeafKind("primitives/lookup/key", "Look a value up.", ("{noun} = {name}; {noun2} = {city}; {noun3} = {num}; {pick}?",),
             lambda s: {s["noun"]: s["name"], s["noun2"]: s["city"], s["noun3"]: s["num"]}[s["pick"]],
             is_valid=lambda s: len(nouns := {s["noun"], s["noun2"], s["noun3"]}) == 3 and s["pick"] in nouns,
             extra_slots={"pick": tuple(PLURALS)}),
    LeafKind("primitives/calc/add", "Add.", ("{num} + {num2} =",), lambda s: str(int(s["num"]) + int(s["num2"]))),
    LeafKind("primitives/calc/subtract", "Subtract.", ("{upper} - {lower} =", "{late} - {early} ="),
             lambda s: str(int(s["upper"]) - int(s["lower"])) if "upper" in s else str(int(s["late"]) - int(s["early"]))),
    LeafKind("primitives/calc/multiply", "Multiply.", ("{small} x {small2} = {noun}",),
             lambda s: f"{int(s['small']) * int(s['small2'])} {s['noun']}"),
    LeafKind("primitives/order/largest", "Find the largest.", ("largest: {num} {num2} {num3}",), _largest),
    LeafKind("primitives/order/ascending", "Order numbers.", ("ascending: {num} {num2} {num3}",), _ascending),
    LeafKind("primitives/forms/many", "Plurals.", ("many: {noun} {noun2} {noun3}",),
             lambda s: " ".join(PLURALS[n] for n in s.values())),
    LeafKind("primitives/forms/yesterday", "Past forms.", ("yesterday: {verb} {verb2} {verb3}",),
             lambda s: " ".join(VERBS[v][1] for v in s.values())),
)  # fmt: skip
