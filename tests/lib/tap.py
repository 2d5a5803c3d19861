# SPDX-License-Identifier: MIT
"""Runs functions as tests and prints TAP. Arguments select tests by a part of their name."""

import concurrent.futures
import sys
import traceback


class Skip(Exception):
    pass


def check(condition, text):
    if not condition:
        raise AssertionError(text)


def check_equal(got, wanted, text):
    if got != wanted:
        raise AssertionError(f"{text}: got {got!r}, wanted {wanted!r}")


def run(tests, jobs=1):
    """jobs: how many at once, where each has a city of its own and mostly waits for it."""
    names = sys.argv[1:]
    tests = [t for t in tests if not names or any(n in t.__name__ for n in names)]
    print(f"1..{len(tests)}", flush=True)
    failed = False
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        done = concurrent.futures.as_completed([pool.submit(outcome, test) for test in tests])
        for number, (good, name, note, lines) in enumerate((future.result() for future in done), 1):
            failed |= not good
            print(f"{'' if good else 'not '}ok {number} - {name}{note}")
            for line in lines:
                print(f"# {line}")
            sys.stdout.flush()
    sys.exit(1 if failed else 0)


def outcome(test):
    name = test.__name__.removeprefix("test_")
    try:
        test()
        return True, name, "", []
    except Skip as reason:
        return True, name, f" # SKIP {reason}", []
    except Exception:
        return False, name, "", traceback.format_exc().splitlines()
