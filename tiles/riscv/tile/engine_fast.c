/* SPDX-License-Identifier: MIT */
/* This artifact has the fast engine. */
#include "rvtile.h"

const struct rv_engine *const rvtile_engine = &rv_engine_fast;
const uint32_t rvtile_speed = 10;

RVTILE_EXPORT("riscv-fast", "The same RISC-V computer with a fast processor");
