"""The words of the closed world from which the embedded models are trained.

Every word is one token of the embedded tokenizer, so that copying a word from a prompt is one step of
attention rather than a spelling exercise. Town names are put together from two syllables each, so that
documents can name towns that no training episode has named.
"""

NAMES = tuple(
    "Ada Agnes Alan Alice Amir Anna Arun Aya Ben Bela Boris Carla Carol Cem Chen Clara Dana David Dora Edith Elif"
    " Emil Emma Erik Esra Eva Farid Fiona Frank Gita Grace Greta Hana Hans Heidi Hugo Ida Igor Ines Ivan Jane Jonas"
    " Judith Julia Kaito Karim Karl Kemal Lara Lars Laura Lena Leo Liam Lina Lucas Lucy Maja Marco Maria Marta Max"
    " Mei Mila Mona Nadia Nina Noah Nora Olga Omar Oscar Otto Paul Petra Pia Rania Ravi Rita Rosa Ruth Sam Sara"
    " Simon Sofia Tara Tess Theo Tom Uma Vera Victor Wanda Yara Yusuf Zoe".split()
)
SURNAMES = tuple(
    "Abbott Adler Baker Berg Bloom Carter Cohen Dahl Diaz Ekman Fischer Forster Garcia Hall Haas Ito Jansen Keller Klein"
    " Lang Lopez Martin Meyer Moreau Novak Okafor Olsen Patel Peters Quinn Reed Rossi Sato Silva Stone Tanaka Vogel"
    " Weber Wong Young".split()
)
CITIES = tuple(
    "Athens Berlin Bern Boston Cairo Dakar Delhi Dublin Geneva Hanoi Kyoto Lagos Lima Lisbon London Lyon Madrid Milan"
    " Nairobi Oslo Paris Porto Prague Quito Riga Rome Seoul Sofia Tokyo Tunis Turin Vienna".split()
)
JOBS = tuple(
    "actor baker builder carpenter chemist cook dentist doctor driver editor farmer gardener judge lawyer miner nurse"
    " painter pilot plumber poet potter sailor singer tailor teacher weaver".split()
)
PLURALS = dict(
    pair.split(":")
    for pair in (
        "apple:apples bag:bags ball:balls basket:baskets bell:bells bench:benches bike:bikes blanket:blankets book:books"
        " bottle:bottles bowl:bowls box:boxes brush:brushes bucket:buckets button:buttons cake:cakes candle:candles"
        " chair:chairs clock:clocks coat:coats coin:coins cup:cups curtain:curtains desk:desks dish:dishes door:doors"
        " dress:dresses drum:drums fence:fences flag:flags flute:flutes fork:forks glass:glasses glove:gloves"
        " hammer:hammers hat:hats jar:jars kettle:kettles key:keys kite:kites knife:knives ladder:ladders lamp:lamps"
        " leaf:leaves map:maps match:matches mirror:mirrors needle:needles orange:oranges pan:pans peach:peaches"
        " pear:pears pen:pens piano:pianos pillow:pillows plate:plates pot:pots potato:potatoes puppet:puppets radio:radios"
        " ring:rings rope:ropes ruler:rulers scarf:scarves shelf:shelves shirt:shirts shoe:shoes spoon:spoons stamp:stamps"
        " stool:stools table:tables tent:tents tool:tools torch:torches toy:toys tray:trays umbrella:umbrellas vase:vases"
        " wallet:wallets watch:watches whistle:whistles window:windows"
    ).split()
)
NOUNS = tuple(PLURALS)
PLURAL_NOUNS = tuple(PLURALS.values())
ADJECTIVES = tuple(
    "blue bright brown clean cheap dark dirty dusty empty green grey heavy large light long modern narrow new"
    " old plain purple red round short small soft square tall thin white wide yellow".split()
)
#: base form -> (third person, past)
VERBS = {
    base: (third, past)
    for base, third, past in (
        entry.split(":")
        for entry in (
            "bring:brings:brought build:builds:built buy:buys:bought carry:carries:carried check:checks:checked"
            " choose:chooses:chose clean:cleans:cleaned close:closes:closed cover:covers:covered draw:draws:drew"
            " drop:drops:dropped fill:fills:filled find:finds:found fix:fixes:fixed fold:folds:folded hide:hides:hid"
            " hold:holds:held keep:keeps:kept lend:lends:lent lift:lifts:lifted lose:loses:lost move:moves:moved"
            " open:opens:opened paint:paints:painted polish:polishes:polished pull:pulls:pulled push:pushes:pushed"
            " repair:repairs:repaired sell:sells:sold send:sends:sent show:shows:showed steal:steals:stole"
            " take:takes:took throw:throws:threw touch:touches:touched turn:turns:turned wash:washes:washed"
            " watch:watches:watched wrap:wraps:wrapped"
        ).split()
    )
}
EVENTS = tuple(
    "auction ball concert contest dance debate dinner fair festival game lecture lesson lunch market meeting party"
    " picnic play race talk tour walk wedding workshop".split()
)
PLACES = tuple(
    "attic barn cafe castle cellar church club forest garden gym hall harbour hotel kitchen library museum office park"
    " school station studio temple theatre tower".split()
)
DAYS = tuple("Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split())
MONTHS = tuple("January February March April May June July August September October November December".split())
COUNT_WORDS = tuple("two three four five six seven eight nine ten".split())
#: comparative -> (its superlative, the opposite superlative)
COMPARATIVES = {
    "taller": ("tallest", "shortest"), "shorter": ("shortest", "tallest"), "older": ("oldest", "youngest"),
    "younger": ("youngest", "oldest"), "faster": ("fastest", "slowest"), "slower": ("slowest", "fastest"),
}  # fmt: skip
MATERIALS = tuple("bamboo brass bronze ceramic copper cork cotton felt iron leather oak paper pine plastic silk silver"
                  " steel stone tin walnut wool".split())  # fmt: skip
BRANDS = tuple(
    "Alto Arca Bento Boreal Brio Cielo Corda Delta Domo Dune Echo Elba Fable Faro Flint Gala Halo Iris Juno Kilo Lido"
    " Lumo Mira Nimbus Nova Onda Orbit Palma Pico Polar Quill Rialto Sable Sierra Solis Strada Tempo Terra Tondo Ultra"
    " Vega Verso Volta Zeno Zephyr".split()
)
CRAFTS = tuple(
    "beer boats bread bricks carpets cheese chocolate clocks cider flutes furniture glass gloves honey jam lace"
    " mustard oil pottery puppets salt sausages shoes silk soap tea toys violins wine wool".split()
)
RIVERS = tuple("Aldra Brenn Corva Dista Elm Fenna Garo Ister Jorda Kessel Luma Morva Nera Olt Prava Rhine Sava"
               " Tarn Uba Vistra".split())  # fmt: skip
REGIONS = tuple("north south east west".split())
TOWN_HEADS = tuple(
    "Al Bar Bel Cor Dan Dor El Fal Fen Gor Hal Ist Jar Kel Kor Lan Lor Mar Mel Mor Nar Nel Or Pel Per Quen Ral"
    " Ros Sel Sor Tal Tor Ul Val Vel Ver Vor Win Yar Zel".split()
)
TOWN_TAILS = tuple(
    "bury by dale den dorf field ford gate ham holm hurst land ley mora mouth nia pool ric stad stow ton via wick"
    " worth".split()
)
FIELDS = ("city", "job", "phone")
#: The vocabulary of a slot, by the slot's name without its closing digits.
SLOTS: dict[str, tuple[str, ...]] = {
    "name": NAMES, "surname": SURNAMES, "city": CITIES, "job": JOBS, "noun": NOUNS, "nouns": PLURAL_NOUNS,
    "adj": ADJECTIVES, "verb": tuple(VERBS), "verbs": tuple(v[0] for v in VERBS.values()), "event": EVENTS,
    "place": PLACES, "day": DAYS, "month": MONTHS, "countword": COUNT_WORDS, "comparative": tuple(COMPARATIVES),
    "material": MATERIALS, "brand": BRANDS, "craft": CRAFTS, "river": RIVERS, "region": REGIONS, "field": FIELDS,
    "town": tuple(head + tail for head in TOWN_HEADS for tail in TOWN_TAILS),
    "num": tuple(str(n) for n in range(10, 100)), "upper": tuple(str(n) for n in range(50, 100)),
    "lower": tuple(str(n) for n in range(10, 50)), "small": tuple(str(n) for n in range(2, 10)),
    "hour": tuple(str(n) for n in range(1, 13)), "early": tuple(str(n) for n in range(1, 15)),
    "late": tuple(str(n) for n in range(15, 29)), "hundreds": tuple(str(n) for n in range(101, 1000)),
    "year": tuple(str(n) for n in range(1100, 2000)), "phone": tuple(str(n) for n in range(1000, 10000)),
}  # fmt: skip
