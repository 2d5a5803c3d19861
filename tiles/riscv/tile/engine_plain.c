/* SPDX-License-Identifier: MIT */
/* This artifact has the interpreter that reads like the manual. */
#include "rvtile.h"

const struct rv_engine *const rvtile_engine = &rv_engine_plain;
const uint32_t rvtile_speed = 1;

RVTILE_EXPORT("riscv", "A RISC-V computer whose processor can be rewritten while it runs");
