#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Tiles that change together with their source: move, replace, fork, undo, redo. All of it or
nothing, whoever dies in the middle."""

import json
import os
import signal
import subprocess

from ledger import adds_up, books, settled
from sources import COLORS, Sources
from city import BUILD_LIMIT, Lines
from tap import check, check_equal, run

def _save(city, name, variant):
    """As another variant of the ledger; back when that goes live."""
    _write(city, name, variant)
    city.until(lambda: city.edge("one") == COLORS[variant], BUILD_LIMIT, "a save was not seen")
    settled(city, "one")


def _write(city, name, variant):
    with open(city.path(name)) as file:
        text = file.read()
    city.write(name, text.replace(f"VARIANT {3 - variant}", f"VARIANT {variant}", 1))


def test_move_there_and_back():
    with Sources() as city:
        # Somebody looks on, so that more than one has to go along.
        watcher = city.popen("cityctl", "watch", "one", "--json", stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        _save(city, "home/one/one.c", 2)
        check(Lines(watcher.stdout).next() is not None, "nothing was said to who watches")

        before, tile = city.look(), city.tile("one")
        plan = city.do("move", "one", "work", "--dry-run")
        check_equal((plan["event"], plan["to"], plan["tiles"]),
                    ("plan", city.path("work/one"), ["one"]), "the plan")
        check_equal(city.look(), before, "after a dry run")

        # A save while the refactor is not over, after it has read the sources: nobody watches.
        mover = city.held("move", "one", "work", commit=True)
        _write(city, "work/one/one.c", 1)
        gate = city.let_go()
        done = city.end_of(mover)
        os.close(gate)
        check_equal([done.get(key) for key in ("event", "what", "repository")],
                    ["done", "move", city.root], f"what was done: {done}")
        city.until(lambda: city.edge("one") == COLORS[1], BUILD_LIMIT, "that save was lost")
        settled(city, "one")
        now = city.tile("one")
        check_equal(now["uuid"], tile["uuid"], "the identity")
        check(now["pid"] != tile["pid"], "it was not handed over")
        check_equal(now["source"], city.path("work/one"), "its source")
        fields = books(city, "one")
        check(adds_up(fields) and fields["attaches"] == 4, f"its state: {fields}")
        check(not os.path.exists(city.path("home/one")), "the old folder is still there")
        check_equal(city.git("log", "-1", "--format=%s"), "Move home/one to work/one", "the commit")
        check_equal(city.git("status", "--porcelain"), "M work/one/one.c\n?? work/one/notes",
                    "what was not committed")
        with open(os.path.join(city.folder, "config", "source-city", "config")) as file:
            check(f'source "{city.path("work/one")}"' in file.read(), "the configuration")

        # What is saved there goes live, and is built once.
        _save(city, "work/one/one.c", 2)
        built = city.said().count(f"built {city.path('work/one')} in ")
        check_equal(built, 2, "builds of two saves")
        watcher.terminate()
        watcher.wait()

        check_equal(city.do("undo")["what"], "move", "what was undone")
        check_equal(city.tile("one")["source"], city.path("home/one"), "its source after undo")
        check_equal(city.git("diff", "HEAD~2", "HEAD"), "", "the commits")
        check_equal(city.look()[0], before[0], "the files after undo")
        check("nothing to undo" in city.refused("undo")["reason"], "a second undo")
        city.do("redo")
        check_equal(city.tile("one")["source"], city.path("work/one"), "its source after redo")
        check(adds_up(books(city, "one")), "its state after redo")


def test_replace_and_fork():
    with Sources() as city:
        tile = city.tile("one")
        city.do("replace", "one", "two")
        now = city.tile("one")
        check_equal((now["uuid"], now["source"]), (tile["uuid"], city.path("home/two")), "it")
        check_equal(now["artifact"], city.tile("two")["artifact"], "what it runs")
        check_equal(city.edge("one"), COLORS[2], "what it shows")
        fields = books(city, "one")
        check(adds_up(fields) and fields["attaches"] == 2, f"its state: {fields}")
        city.do("undo")
        now = city.tile("one")
        check_equal((now["artifact"], now["source"]), (tile["artifact"], tile["source"]), "undone")
        check_equal(city.edge("one"), COLORS[1], "what it shows then")

        updates = books(city, "one")["updates"]
        done = city.do("fork", "one")
        name = done["name"]
        fork = settled(city, name) and city.tile(name)
        check_equal(fork["source"], done["to"], "the source of the fork")
        check(fork["uuid"] != tile["uuid"], "a fork is a tile of its own")
        fields = books(city, name)
        check(adds_up(fields) and fields["updates"] >= updates, f"the fork's state: {fields}")
        check_equal(city.git("log", "-1", "--format=%s"), f"Fork home/one as home/{name}", "git")
        check(os.path.exists(city.path(f"home/{name}/notes")), "what git does not know is copied")
        city.do("undo")
        check(name not in [t["name"] for t in city.ctl("tiles")], "the fork is still there")
        check(not os.path.exists(city.path(f"home/{name}")), "its folder is still there")
        city.do("redo")
        settled(city, name)
        check(os.path.exists(city.path(f"home/{name}/notes")), "its folder is not back")


def test_what_fails_changes_nothing():
    with Sources(link=True) as city:
        before = city.look()
        city.write("work/one/x", "in the way\n")
        check("exists already" in city.refused("move", "one", "work")["reason"], "a name taken")
        os.unlink(city.path("work/one/x"))
        os.rmdir(city.path("work/one"))
        os.rmdir(city.path("work"))
        check("no tile" in city.refused("replace", "one", "three")["reason"], "no such tile")
        check("its own source" in city.refused("replace", "one", "one")["reason"], "by itself")
        check("cannot name" in city.refused("fork", "one", "A B")["reason"], "a bad name")
        check("already" in city.refused("fork", "one", "two")["reason"], "a tile of that name")
        check("no name of a district" in city.refused("move", "one", ".git")["reason"], "a bad name")
        city.write(".git/MERGE_HEAD", "")
        reason = city.refused("move", "one", "work")["reason"]
        check("a merge is not finished" in reason, reason)
        check("not moved" in city.tile("one")["notice"], "the tile does not say it")
        os.unlink(city.path(".git/MERGE_HEAD"))
        city.as_before(before, "what was refused")

        # One that somebody looks on at is watched once after a failure, too: by way of the link.
        watcher = city.popen("cityctl", "watch", "one", "--json", stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)
        for variant in (2, 1):  # the first one may be too early for it
            _save(city, "home/one/one.c", variant)
        check(Lines(watcher.stdout).next() is not None, "nothing was said to who watches")
        city.compiler(more="echo one.c:7:1: error: no more >&2; exit 1")
        city.refused("move", "one", "work")
        city.compiler()
        said = len(city.said())
        for variant in (2, 1):
            _save(city, "home/one/one.c", variant)
        check_equal(city.said()[said:].count("/one in "), 2, "builds of two saves")
        watcher.terminate()
        watcher.wait()

        helper = city.held("move", "one", "work")
        check("under way" in city.refused("move", "two", "work")["reason"], "two at a time")
        check("under way" in city.refused("undo")["reason"], "an undo meanwhile")
        city.compiler(more="echo one.c:7:1: error: no more >&2; exit 1")
        gate = city.let_go()
        check_equal(city.end_of(helper)["event"], "done", "what was only late")
        os.close(gate)
        with open(os.path.join(city.folder, "config", "source-city", "config")) as file:
            check(f'source "{city.path("work/one")}"' in file.read(), "named by way of a link")
        city.compiler()
        city.do("undo")
        city.git("update-ref", "HEAD", before[3])
        before = city.look()

        city.compiler(more="echo one.c:7:1: error: no more >&2; exit 1")
        answer = city.refused("move", "one", "work")
        check_equal((answer["step"], answer["reason"]), ("build", "one.c:7:1: error: no more"),
                    "a build that fails")
        city.as_before(before, "a build that failed")
        check("no more" in city.tile("one")["notice"], "the tile does not say it")

        # It builds, and dies when it takes over.
        city.compiler(options="-DFAULT_OP=2 -DFAULT_KIND=1")
        for words in (("move", "one", "work"), ("fork", "one")):
            answer = city.refused(*words)
            check(answer["step"] in ("attach", "start"), f"{words}: {answer}")
            city.as_before(before, f"{words} that fails")


def test_deaths_in_the_middle():
    with Sources() as city:
        before = city.look()
        helper = city.held("move", "one", "work")
        os.kill(city.pid_of("for"), signal.SIGKILL)
        answer = city.end_of(helper)
        check_equal((answer["event"], answer["step"]), ("failed", "forge"), "the forge died")
        os.close(city.let_go())
        city.as_before(before, "the forge died")

        helper = city.held("fork", "one")
        os.kill(city.pid_of("com"), signal.SIGKILL)
        helper.communicate(timeout=BUILD_LIMIT)
        os.close(city.let_go())
        city.until(lambda: _answers(city), what="the compositor did not come back")
        city.as_before(before, "the compositor died")

        helper = city.held("move", "two", "work")
        city.ctl("close", "two")
        gate = city.let_go()
        check_equal(city.end_of(helper)["event"], "failed", "the tile was closed")
        os.close(gate)
        check(os.path.exists(city.path("home/two/two.c")), "the source of what was closed")
        check_equal(city.git("rev-parse", "HEAD"), before[3], "the commit of what was closed")
        # All of it still works.
        city.do("move", "one", "work")


def _answers(city):
    return city.run("cityctl", "tiles", check=False).returncode == 0


run([test_move_there_and_back, test_replace_and_fork, test_what_fails_changes_nothing,
     test_deaths_in_the_middle])
