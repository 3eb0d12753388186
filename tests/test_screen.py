"""Lines and a bar, on a terminal and elsewhere."""

import os

from synth_assets.screen import Screen


def test_where_nothing_can_be_redrawn_a_bar_is_a_line() -> None:
    reader, writer = os.pipe()
    screen = Screen(writer)
    screen.line("one")
    screen.bar("3 of 4 calls", 0.75)
    os.close(writer)
    assert os.read(reader, 1000).decode() == "one\n     75%  3 of 4 calls\n"


def test_on_a_terminal_the_bar_gives_way_to_the_next_line() -> None:
    master, slave = os.openpty()
    screen = Screen(slave)
    screen.bar("half", 0.5)
    screen.bar("more", 2.0)
    screen.line("done")
    said = os.read(master, 1000).decode()
    assert said == (
        "    [############............]  50%  half\r\x1b[K    [########################] 200%  more\r\x1b[Kdone\r\n"
    )
