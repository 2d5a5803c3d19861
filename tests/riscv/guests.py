#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Programs that check the machine from inside, in riscv-run: with each implementation, and with
handovers between them. guests.py RISCV-RUN ELF... They end with 0, or with the number of the check
that failed; those that are called failing, with 5."""

import os
import subprocess
import sys

WAYS = [
    ["--implementation", "plain"],
    ["--implementation", "fast-nojit"],
    ["--implementation", "fast"],
    ["--swap-every", "1"],
    ["--swap-every", "13"],
    ["--swap-every", "1000"],
]
# Many times what the longest of them makes.
LIMIT = ["--max-instructions", "5000000"]


def main():
    run, elfs = sys.argv[1], sys.argv[2:]
    print(f"1..{len(elfs) * len(WAYS)}")
    number = failed = 0
    for elf in elfs:
        name = os.path.basename(elf).removesuffix(".elf")
        expected = 5 if "failing" in name else 0
        for way in WAYS:
            number += 1
            result = subprocess.run([run, *LIMIT, *way, elf], stdin=subprocess.DEVNULL,
                                    capture_output=True, text=True)
            good = result.returncode == expected
            failed += not good
            print(f"{'ok' if good else 'not ok'} {number} - {name} {' '.join(way)}")
            if not good:
                print(f"# ended with {result.returncode}, not {expected}: {result.stderr}")
    return failed != 0


if __name__ == "__main__":
    sys.exit(main())
