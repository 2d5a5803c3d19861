/* SPDX-License-Identifier: MIT */
/* What a transaction asks of cells that were built beforehand (vat_build_begin in vat.h). */
#ifndef SOURCE_CITY_VAT_BUILD_H
#define SOURCE_CITY_VAT_BUILD_H

#include "internal.h"

uint64_t vat_build_generation(const struct vat_build *build);
/* Converts again what was written since; the writer has stopped. */
int vat_build_catch_up(struct vat_build *build, struct vat_error *err);
/* build may be NULL in all of these. */
/* The places of its cells are taken. */
int vat_build_claim(const struct vat_build *build, struct vat_space *space);
/* Whether it has this cell: its elements are then where offset, size and born now say. */
bool vat_build_take(const struct vat_build *build, struct vat_cell *cell);
/* Why the cell starts anew; NULL: it does not. */
const char *vat_build_refusal(const struct vat_build *build, const struct vat_cell *cell);

#endif
