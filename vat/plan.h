/* SPDX-License-Identifier: MIT */
/*
 * Which way the elements of a cell go from the schema that they have to the one that they shall
 * have, over the schemas and edges that versions bring along; and going it. Hops without an edge
 * match fields by their ids (convert.h).
 */
#ifndef SOURCE_CITY_VAT_PLAN_H
#define SOURCE_CITY_VAT_PLAN_H

#include "convert.h"

struct vat_arc {
	uint32_t from, to; /* nodes, counted from 0 */
	bool lossy;
	bool matched; /* by ids; loses a tie against an edge that was given */
};

/*
 * The path with the fewest lossy arcs, of these one with the fewest arcs, of these one with the
 * fewest matched. Its arcs' numbers go into path, which has room for n; the result is their number,
 * or SIZE_MAX where there is no path (or no memory). from is not to.
 */
size_t vat_arcs_path(const struct vat_arc *arcs, size_t n, size_t nodes, uint32_t from, uint32_t to,
	uint32_t *path);

struct vat_hop {
	const struct vat_edge *edge; /* NULL: by ids */
	bool back;
	const struct vat_cell *from, *to; /* schemas */
	struct vat_plan plan;		  /* what ids give */
	struct vat_plan other;		  /* the same the other way, of an invertible edge */
};

struct vat_route {
	struct vat_hop *hops;
	size_t count;
	bool calls; /* an edge's function */
	bool none;  /* there is no way: by ids, if at all */
	struct vat_losses losses;
	struct vat_cell
		*schemas; /* owned, with their fields; what hops point to, if there are any */
	size_t schema_count;
	void *scratch[3]; /* each for that many elements */
	size_t piece;
};

/* Both lineages may be NULL; they, from and to are used as long as the route is. -ENOMEM is the
 * only error. anew: see vat_plan_init. */
int vat_route_init(struct vat_route *route, const struct vat_lineage *lineage,
	const struct vat_lineage *older, const struct vat_cell *from, const struct vat_cell *to,
	bool anew);
/*
 * Elements first to first + n, which are at from. to must be zero, or have been written by the same
 * route. Invertible edges are tried there and back; what edges write goes through scratch memory.
 * -EUCLEAN if an edge refuses, or does not give back what it was given; cell is for that error.
 */
int vat_route_run(const struct vat_route *route, const void *from, void *to, uint64_t n,
	uint64_t first, const struct vat_cell *cell, struct vat_error *err);
void vat_route_finish(struct vat_route *route);

/* All of them in one line: with their reasons, or only the fields' names if that gets too long. */
void vat_losses_say(char *text, size_t size, const struct vat_loss *losses, size_t n);

#endif
