/* SPDX-License-Identifier: MIT */
/*
 * From the elements of one schema to those of another: a plan is made once from the two schemas,
 * and then run over any number of elements, any number of times.
 */
#ifndef SOURCE_CITY_VAT_CONVERT_H
#define SOURCE_CITY_VAT_CONVERT_H

#include "internal.h"

struct vat_plan_step;

struct vat_plan {
	struct vat_plan_step *steps;
	size_t count;
	uint32_t from_stride, to_stride;
	struct vat_losses losses; /* empty: nothing is lost */
};

/* anew: fields that do not always fit get their initial values instead of the nearest ones. -ENOMEM
 * is the only error. from and to are only used during the call. */
int vat_plan_init(
	struct vat_plan *plan, const struct vat_cell *from, const struct vat_cell *to, bool anew);
/* A plan that only writes the initial values of new elements; from may be NULL when it is run. */
int vat_plan_init_fresh(struct vat_plan *plan, const struct vat_cell *to);
/* to must be zero, or have been written by the same plan. The two do not overlap. */
void vat_plan_run(const struct vat_plan *plan, const void *from, void *to, uint64_t n);
void vat_plan_finish(struct vat_plan *plan);

#endif
