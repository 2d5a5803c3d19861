#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How handovers look and what goes on during them: the choice by what differs, and each strategy."""

import json
import os
import subprocess

from ledger import TILES, adds_up, books, ledger_city, limits_for, settled, swap, tile_path
from tap import check, check_equal, run

HAND = os.path.join(TILES, "..", "headless", "hand")
OLD = (0x20, 0x40, 0x60)
NEW = (0x60, 0x40, 0x20)


def steps(record):
    return [s["step"] for s in record["steps"]]


def until_step(helper, wanted):
    for line in helper.stdout:
        if json.loads(line).get("step") == wanted:
            return
    raise AssertionError(f"step {wanted} never came")


def begin(city, name, *options):
    return city.popen("cityctl", "swap", "ledger", "--artifact", tile_path(name), "--settled",
                      "--json", *options, stdout=subprocess.PIPE)


def seen(city):
    return city.pixels((150, 150, 1, 1))[0][0]


def versions(city, state):
    """Processes of the ledger in that state."""
    return [v["pid"] for v in city.ctl("state")[-1]["tiles"][0]["versions"] if v["state"] == state]


def test_chosen_by_what_differs():
    rows = [
        ("ledger-2", "melt", "only code and parameters differ"),
        ("with-port", "crossfade", "its ports differ: new port copies"),
        ("ledger-3", "crossfade", "its ports differ: no port copies"),
        ("with-memo", "freeze-and-fade", "state that did not exist: cell memo"),
        ("period-1", "freeze-and-fade", "the time model differs: none to phase"),
        ("period-2", "crossfade", "the period differs, the phase is aligned"),
        ("wide", "freeze-and-fade", "the time model differs: phase to none"),
        ("ledger-2", "crossfade", "the state is laid out anew: cell ledger"),
        ("warm-up", "freeze-and-fade", "it has to warm up"),
    ]
    with ledger_city(limits=limits_for(**{"warm-up": 20, "probation": 30, "frames": 1})) as city:
        settled(city)
        for name, strategy, reason in rows:
            status, record, said = swap(city, name)
            check_equal(status, 0, said)
            check_equal((record["strategy"], record["strategy_asked"], record["strategy_reason"]),
                        (strategy, "auto", reason), name)
            check(adds_up(books(city)), f"the books add up after {name}")
            check_equal("warm-up" in steps(record), strategy == "freeze-and-fade", name)
        status, record, said = swap(city, "with-port", "--strategy", "instant")
        check_equal((record["strategy"], record["strategy_reason"]), ("instant", "asked for"), said)


def test_the_configuration_decides():
    with ledger_city(more="strategy instant\n") as city:
        settled(city)
        status, record, said = swap(city, "with-port")
        check_equal((record["strategy"], record["strategy_asked"], record["strategy_reason"]),
                    ("instant", "auto", "the configuration says so"), said)
        status, record, said = swap(city, "ledger-1", "--strategy", "melt")
        check_equal(record["strategy"], "melt", said)


def test_freeze_and_fade_warms_up_unseen():
    with ledger_city(limits=limits_for(**{"warm-up": 3600000})) as city:
        before = settled(city)
        check_equal(seen(city), OLD, "before")
        helper = begin(city, "ledger-2", "--strategy", "freeze-and-fade")
        until_step(helper, "warm-up")
        was = books(city)
        city.until(lambda: books(city)["updates"] > was["updates"] + 3, what="it does not run")
        check_equal(books(city)["attaches"], 2, "what runs is the new version")
        check_equal(seen(city), OLD, "what is seen is the old version's last picture")
        check_equal(city.tile("ledger")["artifact"], before["artifact"], "what is shown")
        for pid in versions(city, "live"):
            city.kill(pid)
        check_equal(helper.wait(60), 1, "the handover failed")
        record = city.ctl("history")[-1]
        check_equal((record["result"], record["step"]), ("failed", "warm-up"), "record")
        check_equal(settled(city)["pid"], before["pid"], "the old version goes on")
        now = books(city)
        check(adds_up(now) and now["attaches"] == 2, f"undone, and resumed: {now}")


def test_freeze_and_fade_ends_with_the_new_version():
    with ledger_city(limits=limits_for(**{"warm-up": 50})) as city:
        settled(city)
        status, record, said = swap(city, "ledger-2", "--strategy", "freeze-and-fade")
        check_equal(status, 0, said)
        names = steps(record)
        check(names.index("frame") < names.index("warm-up") < names.index("commit")
              < names.index("melt"), f"{names}")
        check_equal(seen(city), NEW, "what is seen at the end")


def blue_comes_back(city):
    """The old version's blue is seen to grow, which a picture that stands still never does."""
    least = [255]

    def grows():
        blue = seen(city)[2]
        least[0] = min(least[0], blue)
        return blue > least[0] + 8
    city.until(grows, what="the old version's picture stands still")


def begin_crossfade(city):
    settled(city)
    city.ctl("run", "focus", "ledger")
    helper = begin(city, "lively-2", "--strategy", "crossfade")
    until_step(helper, "melt")
    city.until(lambda: versions(city, "shadow"), what="the old version does not go on")
    return helper


def test_crossfade_both_run():
    """Each on its own state, with the same input; what the old one does reaches nobody."""
    with ledger_city(limits=limits_for(melt=3000000), artifact="lively-1") as city:
        helper = begin_crossfade(city)
        blue_comes_back(city)
        was = books(city)
        check_equal((was["attaches"], was["rollbacks"]), (2, 0), "it attached to its own copy")
        check(adds_up(was), f"two that write would spoil the books: {was}")
        city.type("xx")
        city.until(lambda: books(city)["typed"] == "xx", what="the new version gets the keys")
        city.until(lambda: seen(city)[1] > 40, what="the old version shows the keys, too")
        blue_comes_back(city)
        city.until(lambda: books(city)["updates"] > was["updates"], what="the new version runs")
        check(adds_up(books(city)), "books")
        city.run("cityctl", "rollback", "ledger")
        check_equal(helper.wait(60), 1, "rolled back")
        tile = settled(city)
        now = books(city)
        check_equal((now["attaches"], now["rollbacks"], now["typed"]), (2, 1, ""),
                    "the state of the handover, and one attach")
        check(adds_up(now), f"books: {now}")
        check_equal(tile["pid"], [v["pid"] for v in tile["versions"] if v["state"] == "live"][0],
                    "the old version")
        city.type("y")
        city.until(lambda: books(city)["typed"] == "y", what="it gets keys")
        city.until(lambda: books(city)["updates"] > now["updates"] + 3, what="it goes on")


def notes(city):
    region = json.loads(city.run("cityctl", "vat", "ledger", "--json").stdout.decode().splitlines()[-1])
    memo = next(c for c in region["cells"] if c["name"] == "memo")
    return memo["values"][0]["notes"], memo["count"]


def test_crossfade_is_the_same_on_both_sides():
    """Chance, scrolls, and cells that grow; afterwards nothing of it is left."""
    with ledger_city(limits=limits_for(melt=3000000), artifact="chancy-1") as city:
        settled(city)
        city.ctl("run", "focus", "ledger")
        hand = city.popen(HAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

        def do(words):
            hand.stdin.write(words.encode() + b"\n")
            hand.stdin.flush()
            check_equal(hand.stdout.readline(), b"ok\n", words)

        def sides():
            row = city.pixels((100, 200, 300, 1))[0]
            return row[20], row[280]

        first = notes(city)[0][0] & 0xffffff
        helper = begin(city, "chancy-2", "--strategy", "crossfade")
        until_step(helper, "melt")
        city.until(lambda: versions(city, "shadow"), what="the old version does not go on")
        chance = notes(city)[0][0] & 0xffffff
        check(chance != first, "a new number at attach")
        wanted = (chance >> 16, chance >> 8 & 255, chance & 255)
        # The melt has all the time in the world: what is seen is the old version's picture.
        city.until(lambda: sides()[0] == wanted, what=f"it drew another number than {chance:06x}")
        do("move 250 200")
        do("scroll 1")
        do("scroll 1")
        city.until(lambda: notes(city)[0][1] == 2, what="the new version is scrolled")
        city.until(lambda: sides()[1][1] == 0x66, what="the old version shows that, too")
        city.type("xyz")
        city.until(lambda: notes(city)[1] == 1 + 3 * 65536, what="the new version grows")
        city.until(lambda: sides()[1] == (0, 0x66, 0x99), what="the old version grows, too")
        city.run("cityctl", "rollback", "ledger")
        check_equal(helper.wait(60), 1, "rolled back")
        settled(city)
        values, count = notes(city)
        check_equal((values[1:3], count), ([0, 0], 1), "the state of the handover")
        city.until(lambda: sides()[1] == (0, 0, 0), what="and so it looks")
        city.type("x")
        city.until(lambda: notes(city)[1] == 1 + 65536, what="it goes on")
        check(adds_up(books(city)), "books")


def test_crossfade_outlives_the_old_version():
    with ledger_city(limits=limits_for(melt=3000000), artifact="lively-1") as city:
        helper = begin_crossfade(city)
        for pid in versions(city, "shadow"):
            city.kill(pid)
        city.until(lambda: len(city.ctl("state")[-1]["tiles"][0]["versions"]) == 1)
        was = books(city)
        city.until(lambda: books(city)["updates"] > was["updates"] + 3, what="the new one runs")
        check(adds_up(books(city)), "books")
        city.run("cityctl", "rollback", "ledger", check=False)
        check_equal(helper.wait(60), 1, "rolled back")
        now = books(city)
        check(adds_up(now), f"books: {now}")


def test_crossfade_ends():
    with ledger_city(limits=limits_for(melt=200), artifact="lively-1") as city:
        settled(city)
        for name, color in (("lively-2", (0x40, 0, 0)), ("ledger-1", OLD), ("ledger-2", NEW)):
            status, record, said = swap(city, name, "--strategy", "crossfade")
            check_equal(status, 0, said)
            check("melt" in steps(record), f"{steps(record)}")
            check_equal(seen(city), color, name)
            check(adds_up(books(city)), f"books after {name}")
        city.until(lambda: len(city.ctl("state")[-1]["tiles"][0]["versions"]) == 1,
                   what="the old version is still there")


def note(city):
    """What stands beside the title, and its picture."""
    view = city.ctl("state")[-1]["views"][0]
    x, y, width, _ = city.box("ledger")
    return view["note"], city.pixels((x, y - 16, width - 20, 14))


def test_pas():
    """How well it lined up stands in the record, with the tile, in the lists and on the map."""
    with ledger_city(limits=limits_for(**{"warm-up": 20}), artifact="period-1") as city:
        settled(city)
        check(city.tile("ledger")["pas"] is None, "none before the first handover")
        city.ctl("run", "zoom", "0.8")
        city.until(lambda: not city.ctl("state")[-1]["camera"]["moving"], what="the camera moves on")
        seen_before = note(city)
        check_equal(seen_before[0], "", "nothing is said on the map")
        # Another period: the phase is aligned, so nothing of it is lost; nor is any state.
        status, record, said = swap(city, "period-2")
        check_equal(status, 0, said)
        parts = record["pas_parts"]
        check_equal((parts["phase"], parts["state"]), (1.0, 1.0), f"{parts}")
        product = parts["time"] * parts["phase"] * parts["state"] * parts["frames"]
        check(abs(record["pas"] - product) < 0.001, f"{record['pas']} {parts}")
        check(0 < record["pas"] <= 1, f"{record['pas']}")
        settled(city)
        check(abs(city.tile("ledger")["pas"] - record["pas"]) < 0.001, "the tile's")
        listed = city.run("cityctl", "tiles").stdout.decode()
        check("PAS" in listed and f"{record['pas']:.4f}"[:4] in listed, listed)
        check("PAS" in city.run("cityctl", "history").stdout.decode(), "history")
        check_equal(note(city)[0], f"PAS {record['pas']:.2f}", "on the map")
        pictures = [seen_before[1]]

        def new_picture():
            now = note(city)[1]
            return now not in pictures and (pictures.append(now) or True)

        city.until(new_picture, what="it is not drawn")
        # All state anew: nothing is kept.
        status, record, said = swap(city, "period-1", "--strategy", "reset")
        check_equal((status, record["pas"], record["pas_parts"]["state"]), (0, 0.0, 0.0), said)
        check_equal(books(city)["attaches"], 1, "it started anew")
        settled(city)
        check_equal(note(city)[0], "PAS 0.00", "on the map")
        city.until(new_picture, what="the new one is not drawn")
        # What does not become live has none.
        status, record, said = swap(city, "warm-false")
        check_equal((status, record["pas"]), (1, None), said)
        check_equal(note(city)[0], "PAS 0.00", "that of what became live stays")


def test_frames_are_those_of_the_screen():
    """The fastest one that shows the tile: gaps and missed frames are counted in them."""
    city = ledger_city(limits=limits_for(), env={"WLR_HEADLESS_OUTPUTS": "2"})
    # On both: they lie side by side.
    city.config = city.config.replace("at 100 100", "at 1200 100")
    with city:
        settled(city)
        names = [o["name"] for o in city.ctl("state")[-1]["outputs"]]
        check_equal(len(names), 2, "outputs")
        turn = ["ledger-2", "ledger-1"]

        def frame_us(*rates):
            for name, rate in zip(names, rates):
                how = ["--off"] if rate is None else ["--on", "--custom-mode", f"1280x720@{rate}Hz"]
                city.run("wlr-randr", "--output", name, *how)
            status, record, said = swap(city, turn[0])
            turn.reverse()
            check_equal(status, 0, said)
            return round(record["frame_us"])

        check_equal(frame_us(60, 60), 16667, "60 Hz")
        check_equal(frame_us(60, 144), 6944, "the fastest one")
        check_equal(frame_us(30, 40), 25000, "also where all are slow")
        check_equal(frame_us(30, None), 33333, "one that is off shows nothing")
        city.ctl("run", "focus", "ledger")
        city.ctl("run", "minimize")
        check_equal(frame_us(144), 16667, "nor does one that could")


if __name__ == "__main__":
    run([value for name, value in list(globals().items()) if name.startswith("test_")])
