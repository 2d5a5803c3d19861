#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How the tests wait: what a question meets while things move is no answer yet, and all else ends the test."""

import os
import tempfile

from city import City, CityError, Missing
from tap import check, check_equal, run

FOLDER = tempfile.TemporaryDirectory(prefix="city-until-")


class Nowhere(City):
    """Nothing runs, and the log is empty."""

    def __init__(self):
        super().__init__(folder=FOLDER.name)
        open(self.log_path, "w").close()


def raises(error, times):
    """A question that ends with an error so many times, then has an answer."""
    asked = []

    def question():
        asked.append(error)
        if len(asked) <= times:
            raise error
        return "answer"
    return question, asked


def test_things_move():
    gone = os.path.join(FOLDER.name, "gone")
    for error in (FileNotFoundError(gone), NotADirectoryError(gone), ProcessLookupError(1), IndexError(),
                  KeyError("name"), StopIteration(), ValueError("half a number"), Missing("there is no tile")):
        question, asked = raises(error, 3)
        check_equal(Nowhere().until(question), "answer", f"after {error!r}")
        check_equal(len(asked), 4, f"how often it was asked after {error!r}")


def test_no_answer_ever():
    question, asked = raises(FileNotFoundError("moved away"), 1 << 30)
    try:
        Nowhere().until(question, limit=0, what="not as before")
    except CityError as error:
        check("not as before" in str(error) and "moved away" in str(error), f"what is said: {error}")
        check(isinstance(error.__cause__, FileNotFoundError), "where it was")
        return
    raise AssertionError("it waits for ever, or does not mind")


def test_failures_are_failures():
    for error in (CityError("cityctl tiles gave 1"), AssertionError("wrong"), PermissionError(), TypeError()):
        question, asked = raises(error, 1)
        try:
            Nowhere().until(question)
        except type(error):
            check_equal(len(asked), 1, f"how often it was asked after {error!r}")
            continue
        raise AssertionError(f"it goes on after {error!r}")


run([test_things_move, test_no_answer_ever, test_failures_are_failures])
