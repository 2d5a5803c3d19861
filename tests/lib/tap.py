# SPDX-License-Identifier: MIT
"""Runs functions as tests and prints TAP. Arguments select tests by a part of their name."""

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


def run(tests):
    names = sys.argv[1:]
    tests = [t for t in tests if not names or any(n in t.__name__ for n in names)]
    print(f"1..{len(tests)}")
    failed = False
    for number, test in enumerate(tests, 1):
        name = test.__name__.removeprefix("test_")
        try:
            test()
            print(f"ok {number} - {name}", flush=True)
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except Exception:
            failed = True
            print(f"not ok {number} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            sys.stdout.flush()
    sys.exit(1 if failed else 0)
