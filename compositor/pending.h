/* SPDX-License-Identifier: MIT */
/*
 * The records of handovers that are under way, as they would be written down if the compositor
 * ended now: on the desk, for the next one, which goes on with them or ends them. Each handover
 * ends in one record.
 *
 * A record is written over at each step; one store makes the new one count. At most
 * CITY_PENDING_MAX at a time; what is beyond them is not remembered. Main thread only. All are
 * NULL-safe as to the desk.
 */
#ifndef CITY_PENDING_H
#define CITY_PENDING_H

#include <stdbool.h>
#include <stdint.h>

#include "compositor/handover.h"
#include "compositor/record.h"

#define CITY_PENDING_MAX 128

struct city_desk;

struct city_pending {
	struct city_record record;
	enum city_step step;
	bool back; /* city_swap.back */
};

/* As it lies on the desk. */
struct city_pending_copy {
	struct city_pending pending; /* whose strings are these: */
	char strategy[24], strategy_asked[24], state[12];
	char steps[CITY_RECORD_STEPS][16];
};
struct city_pending_sheet {
	/* 0: nothing, otherwise copies[slot][current - 1]. What is not used is not touched. */
	_Atomic uint32_t current[CITY_PENDING_MAX];
	struct city_pending_copy copies[CITY_PENDING_MAX][2];
};

/* Instead of what is there of the record's id. */
void city_pending_put(struct city_desk *desk, const struct city_pending *pending);
void city_pending_drop(struct city_desk *desk, uint64_t id);
/* Those of a tile that is no more. */
void city_pending_drop_all(struct city_desk *desk, const struct vat_uuid *uuid);
/* Of a tile, the one with the lowest id above `after`; false: there is no more. */
bool city_pending_next(struct city_desk *desk, const struct vat_uuid *uuid, uint64_t after,
	struct city_pending *pending);
/* The highest id of all; 0: there are none. */
uint64_t city_pending_last(struct city_desk *desk);

/* Of desk.c; NULL: there is none. */
struct city_pending_sheet *city_desk_pending(struct city_desk *desk);

#endif
