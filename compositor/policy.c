/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>

#include "compositor/policy.h"
#include "tiles/tile.h"

static const char *const names[CITY_STRATEGY_COUNT] = {
	[CITY_STRATEGY_AUTO] = "auto",
	[CITY_STRATEGY_INSTANT] = "instant",
	[CITY_STRATEGY_CROSSFADE] = "crossfade",
	[CITY_STRATEGY_FREEZE_AND_FADE] = "freeze-and-fade",
	[CITY_STRATEGY_RESET] = "reset",
	[CITY_STRATEGY_MELT] = "melt",
};

const char *city_strategy_name(enum city_strategy strategy) {
	return names[strategy];
}

bool city_strategy_parse(const char *name, enum city_strategy *strategy) {
	for (size_t i = 0; i < CITY_STRATEGY_COUNT; i++) {
		if (strcmp(names[i], name) == 0) {
			*strategy = (enum city_strategy)i;
			return true;
		}
	}
	return false;
}

/* By weight: what comes later outweighs what comes before. */
const struct city_policy_row city_policy_rows[CITY_ASPECTS] = {
	{CITY_ASPECT_CODE, CITY_STRATEGY_INSTANT, "only code and parameters differ"},
	{CITY_ASPECT_LAYOUT, CITY_STRATEGY_CROSSFADE, "the state is laid out anew"},
	{CITY_ASPECT_PORTS, CITY_STRATEGY_CROSSFADE, "its ports differ"},
	{CITY_ASPECT_PERIOD, CITY_STRATEGY_CROSSFADE, "the period differs, the phase is aligned"},
	{CITY_ASPECT_IDENTITY, CITY_STRATEGY_CROSSFADE, "elements are told apart in another way"},
	{CITY_ASPECT_KIND, CITY_STRATEGY_CROSSFADE, "another kind of tile"},
	{CITY_ASPECT_PARTLY, CITY_STRATEGY_CROSSFADE, "some state is not carried over"},
	{CITY_ASPECT_NEW_STATE, CITY_STRATEGY_FREEZE_AND_FADE, "state that did not exist"},
	{CITY_ASPECT_WARM_UP, CITY_STRATEGY_FREEZE_AND_FADE, "it has to warm up"},
	{CITY_ASPECT_TIME_MODEL, CITY_STRATEGY_FREEZE_AND_FADE, "the time model differs"},
	{CITY_ASPECT_NO_WAY, CITY_STRATEGY_RESET, "the state cannot be carried over"},
};

static void say(struct city_difference *difference, enum city_aspect aspect, const char *what,
	const char *name) {
	if (difference->differs[aspect]) {
		return;
	}
	difference->differs[aspect] = true;
	snprintf(difference->detail[aspect], CITY_DETAIL_SIZE, "%s%s%s", what,
		*what && *name ? " " : "", name);
}

static bool same_port(const struct city_port *a, const struct city_port *b) {
	return a->id || b->id ? a->id == b->id : strcmp(a->name, b->name) == 0;
}

/* What of `a` is not, or not like that, in `b`. A port with a permanent id may change its name. */
static void compare_ports(const struct city_traits *a, const struct city_traits *b,
	const char *gone, struct city_difference *difference) {
	for (size_t i = 0; i < a->port_count; i++) {
		const struct city_port *port = &a->ports[i], *other = NULL;
		for (size_t j = 0; j < b->port_count && !other; j++) {
			other = same_port(port, &b->ports[j]) ? &b->ports[j] : NULL;
		}
		if (!other) {
			say(difference, CITY_ASPECT_PORTS, gone, port->name);
		} else if (other->direction != port->direction ||
			strcmp(other->kind, port->kind) != 0) {
			say(difference, CITY_ASPECT_PORTS, "port", port->name);
		}
	}
}

static void compare_state(const struct city_traits *a, const struct city_traits *b,
	struct city_difference *difference) {
	static const enum city_aspect aspects[CITY_CELL_CHANGES] = {
		[CITY_CELL_MIGRATED] = CITY_ASPECT_LAYOUT,
		[CITY_CELL_FRESH] = CITY_ASPECT_NEW_STATE,
		[CITY_CELL_CLEARED] = CITY_ASPECT_PARTLY,
		[CITY_CELL_LOSSY] = CITY_ASPECT_PARTLY,
		[CITY_CELL_REFUSED] = CITY_ASPECT_NO_WAY,
		[CITY_CELL_IDENTITY] = CITY_ASPECT_IDENTITY,
	};
	/* Of the same declarations nothing can differ, whatever was found when B was loaded; but
	 * cells that start anew at each handover do. */
	bool same = a->schema != 0 && a->schema == b->schema;
	for (size_t i = 0; i < CITY_CELL_CHANGES; i++) {
		if (*b->cells[i] && (!same || i == CITY_CELL_CLEARED)) {
			say(difference, aspects[i], "cell", b->cells[i]);
		}
	}
}

void city_policy_compare(const struct city_traits *a, const struct city_traits *b,
	struct city_difference *difference) {
	static const char *const models[] = {"none", "wall", "running", "phase"};
	*difference = (struct city_difference){0};
	difference->differs[CITY_ASPECT_CODE] = true;
	compare_state(a, b, difference);
	if (a->ports_known && b->ports_known) {
		compare_ports(b, a, "new port", difference);
		compare_ports(a, b, "no port", difference);
	}
	if (*a->kind && strcmp(a->kind, b->kind) != 0) {
		say(difference, CITY_ASPECT_KIND, b->kind, "");
	}
	if (a->time_model != b->time_model) {
		char change[CITY_DETAIL_SIZE];
		snprintf(change, sizeof(change), "%s to %s", models[a->time_model & 3],
			models[b->time_model & 3]);
		say(difference, CITY_ASPECT_TIME_MODEL, change, "");
	} else if (a->period_ns != b->period_ns) {
		say(difference, CITY_ASPECT_PERIOD, "", "");
	}
	if (b->warm_up_ms > 0) {
		say(difference, CITY_ASPECT_WARM_UP, "", "");
	}
}

int64_t city_policy_missed(int64_t busy_ns, int64_t frame_ns) {
	return frame_ns > 0 && busy_ns > 0 ? busy_ns / frame_ns : 0;
}

static int weight(enum city_strategy strategy) {
	switch (strategy) {
	case CITY_STRATEGY_RESET:
		return 3;
	case CITY_STRATEGY_FREEZE_AND_FADE:
		return 2;
	case CITY_STRATEGY_CROSSFADE:
		return 1;
	default:
		return 0;
	}
}

void city_policy_choose(const struct city_difference *difference, struct city_decision *decision) {
	const struct city_policy_row *chosen = &city_policy_rows[0];
	for (size_t i = 0; i < CITY_ASPECTS; i++) {
		const struct city_policy_row *row = &city_policy_rows[i];
		if (difference->differs[row->aspect] &&
			weight(row->strategy) > weight(chosen->strategy)) {
			chosen = row;
		}
	}
	const char *detail = difference->detail[chosen->aspect];
	decision->strategy = chosen->strategy;
	snprintf(decision->reason, sizeof(decision->reason), "%s%s%s", chosen->reason,
		*detail ? ": " : "", detail);
}

enum city_strategy city_policy_look(enum city_strategy strategy, bool animations) {
	return strategy == CITY_STRATEGY_INSTANT && animations ? CITY_STRATEGY_MELT : strategy;
}
