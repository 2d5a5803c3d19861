/* SPDX-License-Identifier: MIT */
/* The check that fails is the exit code. */
#include "check.inc"

	.text
	.globl test
test:
	CHECK(2, a0, 1, li a0, 1)
	CHECK(5, a0, 1, li a0, 2)
	END
