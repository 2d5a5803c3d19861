/* SPDX-License-Identifier: MIT */
/*
 * How a handover is to look and what is to go on during it, from what differs between the two
 * versions. Pure functions over plain data: versions describe themselves (city_traits, over
 * source-city-tile-v1), two descriptions give a difference, and a difference gives a strategy with
 * its reason by one table, city_policy_rows.
 *
 * The table:
 *
 *	what differs                                  strategy
 *	only code and parameters                      instant
 *	the layout of the state, nothing lost         crossfade
 *	streams: ports come, go or change             crossfade
 *	the period of the time model                  crossfade, with the phase aligned
 *	the identity of elements                      crossfade
 *	another kind of tile in the same role         crossfade
 *	some state starts anew, or loses values       crossfade
 *	state that did not exist                      freeze-and-fade
 *	the new version has to warm up                freeze-and-fade
 *	the kind of time model                        freeze-and-fade
 *	the state cannot be carried over              reset, which has to be asked for
 *
 * Where several rows apply the strategy furthest down this list counts, and the reason is of the
 * first row that names it. `instant` says that B takes over at once; unless it was asked for by
 * name it is shown as a melt (see city_policy_look).
 */
#ifndef CITY_POLICY_H
#define CITY_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vat.h"

/* The values of source_city_tile_handle_v1.strategy. */
enum city_strategy {
	CITY_STRATEGY_AUTO = 0,
	CITY_STRATEGY_INSTANT = 1,
	CITY_STRATEGY_CROSSFADE = 2,
	CITY_STRATEGY_FREEZE_AND_FADE = 3,
	CITY_STRATEGY_RESET = 4,
	CITY_STRATEGY_MELT = 5,
};
#define CITY_STRATEGY_COUNT 6
const char *city_strategy_name(enum city_strategy strategy);
/* False if there is none of this name. */
bool city_strategy_parse(const char *name, enum city_strategy *strategy);

#define CITY_PORTS_MAX 64
#define CITY_DETAIL_SIZE 72

struct city_port {
	char name[VAT_NAME_SIZE];
	char kind[VAT_NAME_SIZE];
	uint32_t direction; /* enum tile_port_direction */
	uint32_t id;	    /* permanent; 0: the name identifies it */
};

/* What attaching a version would do to a cell; the values of source_city_tile_v1.cell_change. */
enum city_cell_change {
	CITY_CELL_MIGRATED = 0, /* laid out anew, nothing lost */
	CITY_CELL_FRESH = 1,	/* did not exist */
	CITY_CELL_CLEARED = 2,	/* starts anew */
	CITY_CELL_LOSSY = 3,	/* values are lost */
	CITY_CELL_REFUSED = 4,	/* cannot be carried over */
	CITY_CELL_IDENTITY = 5, /* its elements are told apart by something else */
	CITY_CELL_CHANGES,
};

/* A version as it described itself. Zeroed is one that said nothing. */
struct city_traits {
	char kind[VAT_NAME_SIZE];
	uint64_t schema; /* digest of the declarations of all cells; 0: not known */
	/* Of each change the name of the first cell, "" if there is none. */
	char cells[CITY_CELL_CHANGES][VAT_NAME_SIZE];
	struct city_port ports[CITY_PORTS_MAX];
	size_t port_count;
	bool ports_known;
	uint32_t time_model; /* enum tile_time_model */
	uint64_t period_ns;  /* 0: it has none */
	uint32_t warm_up_ms; /* after attach, before its picture is what it should be; 0: none */
};

enum city_aspect {
	CITY_ASPECT_CODE, /* always */
	CITY_ASPECT_LAYOUT,
	CITY_ASPECT_PORTS,
	CITY_ASPECT_PERIOD,
	CITY_ASPECT_IDENTITY,
	CITY_ASPECT_KIND,
	CITY_ASPECT_PARTLY,
	CITY_ASPECT_NEW_STATE,
	CITY_ASPECT_WARM_UP,
	CITY_ASPECT_TIME_MODEL,
	CITY_ASPECT_NO_WAY,
	CITY_ASPECTS,
};

/* Which aspects of two versions differ; detail says where, "" if there is nothing to say. */
struct city_difference {
	bool differs[CITY_ASPECTS];
	char detail[CITY_ASPECTS][CITY_DETAIL_SIZE];
};

struct city_policy_row {
	enum city_aspect aspect;
	enum city_strategy strategy;
	const char *reason;
};
extern const struct city_policy_row city_policy_rows[CITY_ASPECTS];

struct city_decision {
	enum city_strategy strategy;
	char reason[160]; /* one line */
};

/* From a to b. */
void city_policy_compare(const struct city_traits *a, const struct city_traits *b,
	struct city_difference *difference);
void city_policy_choose(const struct city_difference *difference, struct city_decision *decision);
/* What a decision for `instant` looks like: a melt, but for who has switched animations off. */
enum city_strategy city_policy_look(enum city_strategy strategy, bool animations);

/* Frames of a screen that show nothing new because a version was busy for so long. */
int64_t city_policy_missed(int64_t busy_ns, int64_t frame_ns);

#endif
