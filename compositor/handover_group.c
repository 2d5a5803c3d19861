/* SPDX-License-Identifier: MIT */
/* Handovers of several tiles on one output frame: all or none. */
#include <stdio.h>
#include <stdlib.h>

#include "compositor/handover_internal.h"

/* Lives as long as one of its handovers, and until its listener has heard the end. */
struct city_group {
	struct wl_list members; /* city_handover.group_link */
	size_t count;		/* of those that are still in it */
	uint64_t id;		/* of the first record */
	bool failing;
	bool begun; /* its handovers are those of their tiles */
	int held;   /* somebody is going through it: not to be freed */
	enum city_step told;
	bool told_any;
	const struct city_handover_listener *listener; /* may be NULL */
	void *data;
	/* Of the first that did not become live. */
	enum city_result result;
	const char *step;
	char reason[512];
};

static void drop(struct city_group *group) {
	if (group->count > 0 || group->held > 0) {
		return;
	}
	const struct city_handover_listener *listener = group->listener;
	group->listener = NULL;
	if (listener && group->begun) {
		listener->ended(group->data, group->result, group->step, group->reason, NULL);
	}
	free(group);
}

/* Calls for each member, whatever becomes of the others by that. */
static void for_each(struct city_group *group, void (*call)(struct city_handover *handover)) {
	struct city_handover *members[CITY_GROUP_MAX];
	size_t count = 0;
	struct city_handover *member;
	wl_list_for_each(member, &group->members, group_link) {
		members[count++] = member;
	}
	group->held++;
	for (size_t i = 0; i < count; i++) {
		wl_list_for_each(member, &group->members, group_link) {
			if (member == members[i]) {
				call(member);
				break;
			}
		}
	}
	group->held--;
	drop(group);
}

/* ---- made and ended */

struct city_group *city_group_create(const struct city_handover_listener *listener, void *data) {
	struct city_group *group = calloc(1, sizeof(*group));
	if (group) {
		wl_list_init(&group->members);
		group->listener = listener;
		group->data = data;
		group->result = CITY_RESULT_LIVE;
		group->step = "";
	}
	return group;
}

bool city_group_add(struct city_group *group, struct city_tile *tile, const struct city_swap *swap,
	char *error, size_t error_size) {
	if (group->count == CITY_GROUP_MAX) {
		snprintf(error, error_size, "more than %d tiles", CITY_GROUP_MAX);
		return false;
	}
	struct city_handover *handover = city_handover_make(tile, swap, error, error_size);
	if (!handover) {
		return false;
	}
	group->id = group->id != 0 ? group->id : handover->record.id;
	handover->record.transaction = group->id;
	handover->group = group;
	handover->listener = swap->listener;
	handover->data = swap->data;
	wl_list_insert(group->members.prev, &handover->group_link);
	group->count++;
	return true;
}

/* NULL: a newer request for the tile takes nothing from others. A group with a listener was asked
 * for: whoever did hears that a newer request took its place. */
static const struct city_group *replaced_group(const struct city_tile *tile) {
	const struct city_handover *waiting = tile->next;
	const struct city_group *group = waiting ? waiting->group : NULL;
	return group && group->begun && !group->failing && !group->listener ? group : NULL;
}

size_t city_group_companions(const struct city_tile *tile) {
	const struct city_group *group = replaced_group(tile);
	return group ? group->count - 1 : 0;
}

static bool has_tile(const struct city_group *group, const struct city_tile *tile) {
	const struct city_handover *member;
	wl_list_for_each(member, &group->members, group_link) {
		if (member->tile == tile) {
			return true;
		}
	}
	return false;
}

static struct city_swap swap_again(const struct city_handover *handover) {
	return (struct city_swap){
		.artifact_fd = -1,
		.hash = handover->hash,
		.source = handover->source,
		.origin = handover->record.origin,
		.strategy = handover->asked,
		.splice = handover->record.splice_asked,
		.force = handover->force,
		.state = handover->state,
		.lossy = handover->lossy,
		.begin_ns = handover->record.begin_ns,
		.build_ns = handover->record.build_ns,
		.listener = handover->listener,
		.data = handover->data,
	};
}

bool city_group_add_companions(
	struct city_group *group, const struct city_tile *tile, char *error, size_t error_size) {
	const struct city_group *replaced = replaced_group(tile);
	const struct city_handover *member;
	if (!replaced) {
		return true;
	}
	wl_list_for_each(member, &replaced->members, group_link) {
		if (member->tile->closing || has_tile(group, member->tile)) {
			continue;
		}
		struct city_swap swap = swap_again(member);
		if (!city_group_add(group, member->tile, &swap, error, error_size)) {
			return false;
		}
	}
	return true;
}

struct city_group *city_group_join(struct city_group *group, struct city_handover *handover) {
	group = group ? group : city_group_create(NULL, NULL);
	if (group) {
		group->begun = true;
		group->id = handover->record.transaction;
		handover->group = group;
		wl_list_insert(group->members.prev, &handover->group_link);
		group->count++;
	}
	return group;
}

static void splice(struct city_handover *handover) {
	if (!handover->failing) {
		city_handover_splice(handover);
	}
}

static void enqueue(struct city_handover *handover) {
	if (!handover->group->failing) {
		city_handover_enqueue(handover);
	}
}

void city_group_begin(struct city_group *group) {
	group->begun = true;
	group->held++;
	for_each(group, enqueue);
	/* What was not begun since another failed at once. */
	struct city_handover *member, *next;
	wl_list_for_each_safe(member, next, &group->members, group_link) {
		if (member->tile->next != member && member->tile->handover != member) {
			city_group_leave(member, CITY_RESULT_FAILED, NULL);
			city_handover_free(member);
		}
	}
	group->held--;
	drop(group);
}

void city_group_cancel(struct city_group *group) {
	struct city_handover *member, *next;
	group->held++;
	wl_list_for_each_safe(member, next, &group->members, group_link) {
		city_group_leave(member, CITY_RESULT_FAILED, NULL);
		city_handover_free(member);
	}
	group->held--;
	drop(group);
}

void city_group_unlisten(struct city_group *group, const void *data) {
	if (group->data == data) {
		group->listener = NULL;
	}
}

void city_group_leave(struct city_handover *handover, enum city_result result, const char *json) {
	struct city_group *group = handover->group;
	wl_list_remove(&handover->group_link);
	handover->group = NULL;
	group->count--;
	if (group->listener && group->listener->record && json) {
		group->listener->record(group->data, json);
	}
	/* One that failed says more than those that went with it. */
	bool first = group->result == CITY_RESULT_LIVE;
	if (result != CITY_RESULT_LIVE && (first || handover->culprit)) {
		group->result = result;
		group->step = handover->record.step ? handover->record.step : "";
		snprintf(group->reason, sizeof(group->reason), "%.60s: %.440s",
			handover->tile->name, handover->record.reason);
	}
	drop(group);
}

/* ---- all or none */

static void fail_with_others(struct city_handover *handover) {
	if (!handover->failing && handover->step != CITY_STEP_RETIRE) {
		city_handover_fail(handover, "another tile of the transaction failed");
	}
}

void city_group_fail(struct city_handover *handover) {
	struct city_group *group = handover->group;
	if (group && !group->failing) {
		group->failing = true;
		handover->culprit = true;
		for_each(group, fail_with_others);
	}
}

static void supersede(struct city_handover *handover) {
	if (!handover->failing && city_steps[handover->step].replaceable) {
		city_handover_supersede(handover);
	}
}

void city_group_supersede(struct city_group *group) {
	if (!group->failing) {
		group->failing = true;
		for_each(group, supersede);
	}
}

static bool is_ready(const struct city_handover *handover) {
	const struct city_tile *tile = handover->tile;
	return tile->next == handover && !tile->handover && handover->spawned &&
		(handover->step == CITY_STEP_WARM || handover->step == CITY_STEP_WAIT) &&
		handover->b && handover->b->state == CITY_VERSION_READY &&
		(!tile->live || tile->live->state == CITY_VERSION_LIVE);
}

bool city_group_splice(struct city_group *group) {
	struct city_handover *member, *members[CITY_GROUP_MAX];
	size_t count = 0;
	wl_list_for_each(member, &group->members, group_link) {
		if (!is_ready(member)) {
			return false;
		}
		members[count++] = member;
	}
	group->held++;
	bool met = city_handover_await(members, count);
	if (met) {
		for_each(group, splice);
	}
	group->held--;
	drop(group);
	return met;
}

bool city_group_all_at(const struct city_group *group, enum city_step step) {
	const struct city_handover *member;
	wl_list_for_each(member, &group->members, group_link) {
		if (member->step != step || member->failing) {
			return false;
		}
	}
	return !group->failing;
}

struct city_handover *city_group_any(struct city_group *group) {
	struct city_handover *member = wl_container_of(group->members.next, member, group_link);
	return member;
}

bool city_group_visible(const struct city_group *group) {
	struct city_handover *member;
	wl_list_for_each(member, &group->members, group_link) {
		if (city_view_is_visible(&member->tile->view)) {
			return true;
		}
	}
	return false;
}

void city_group_call(struct city_group *group, void (*call)(struct city_handover *handover)) {
	for_each(group, call);
}

bool city_group_passed(const struct city_group *group) {
	const struct city_handover *member;
	wl_list_for_each(member, &group->members, group_link) {
		if (!member->passed || member->failing) {
			return false;
		}
	}
	return true;
}

void city_group_progress(struct city_group *group, int64_t at_ns) {
	enum city_step least = CITY_STEP_COUNT;
	const struct city_handover *member;
	wl_list_for_each(member, &group->members, group_link) {
		if (!member->spawned) {
			return;
		}
		least = member->step < least ? member->step : least;
	}
	if (least == CITY_STEP_COUNT || (group->told_any && least <= group->told)) {
		return;
	}
	group->told_any = true;
	group->told = least;
	if (group->listener && group->listener->progress) {
		group->listener->progress(group->data, city_steps[least].name, at_ns);
	}
}
