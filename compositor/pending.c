/* SPDX-License-Identifier: MIT */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "compositor/pending.h"
#include "compositor/policy.h"

/* NULL: empty. */
static const struct city_pending_copy *look(struct city_pending_sheet *sheet, int slot) {
	uint32_t current = atomic_load(&sheet->current[slot]);
	const struct city_pending_copy *copy =
		current >= 1 && current <= 2 ? &sheet->copies[slot][current - 1] : NULL;
	bool sound = copy != NULL && copy->pending.record.step_count <= CITY_RECORD_STEPS &&
		copy->pending.step < CITY_STEP_COUNT;
	return sound ? copy : NULL;
}

static struct city_pending_sheet *sheet_of(struct city_desk *desk) {
	return desk != NULL ? city_desk_pending(desk) : NULL;
}

/* The slot of this id, 0: one that is free; -1: there is none. */
static int find(struct city_pending_sheet *sheet, uint64_t id) {
	for (int i = 0; i < CITY_PENDING_MAX; i++) {
		const struct city_pending_copy *copy = look(sheet, i);
		if (id == 0 ? copy == NULL : copy != NULL && copy->pending.record.id == id) {
			return i;
		}
	}
	return -1;
}

void city_pending_put(struct city_desk *desk, const struct city_pending *pending) {
	const struct city_record *record = &pending->record;
	struct city_pending_sheet *sheet = sheet_of(desk);
	int slot = sheet != NULL ? find(sheet, record->id) : -1;
	if (sheet != NULL && slot < 0) {
		slot = find(sheet, 0);
	}
	if (slot < 0) {
		return;
	}
	uint32_t next = atomic_load(&sheet->current[slot]) == 1 ? 2 : 1;
	struct city_pending_copy *copy = &sheet->copies[slot][next - 1];
	copy->pending = *pending;
	snprintf(copy->strategy, sizeof(copy->strategy), "%s", record->strategy);
	snprintf(copy->strategy_asked, sizeof(copy->strategy_asked), "%s", record->strategy_asked);
	snprintf(copy->state, sizeof(copy->state), "%s", record->state ? record->state : "");
	for (size_t i = 0; i < record->step_count; i++) {
		snprintf(copy->steps[i], sizeof(copy->steps[i]), "%s", record->steps[i].name);
	}
	atomic_store(&sheet->current[slot], next);
}

void city_pending_drop(struct city_desk *desk, uint64_t id) {
	struct city_pending_sheet *sheet = id != 0 ? sheet_of(desk) : NULL;
	int slot = sheet != NULL ? find(sheet, id) : -1;
	if (slot >= 0) {
		atomic_store(&sheet->current[slot], 0);
	}
}

void city_pending_drop_all(struct city_desk *desk, const struct vat_uuid *uuid) {
	struct city_pending pending;
	while (city_pending_next(desk, uuid, 0, &pending)) {
		city_pending_drop(desk, pending.record.id);
	}
}

/* ---- strings that live as long as the program */

static const char *strategy_named(const char *name) {
	enum city_strategy strategy = CITY_STRATEGY_AUTO;
	city_strategy_parse(name, &strategy);
	return city_strategy_name(strategy);
}

static const char *state_named(const char *name) {
	for (int i = 0; i <= CITY_STATE_MERGE; i++) {
		const char *known = city_state_mode_name((enum city_state_mode)i);
		if (strcmp(known, name) == 0) {
			return known;
		}
	}
	return NULL;
}

static const char *step_named(const char *name) {
	static const char *const others[] = {"build", "return"};
	for (size_t i = 0; i < CITY_STEP_COUNT; i++) {
		if (strcmp(city_steps[i].name, name) == 0) {
			return city_steps[i].name;
		}
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		if (strcmp(others[i], name) == 0) {
			return others[i];
		}
	}
	return "";
}

static void copy_out(const struct city_pending_copy *copy, struct city_pending *pending) {
	*pending = copy->pending;
	struct city_record *record = &pending->record;
	record->strategy = strategy_named(copy->strategy);
	record->strategy_asked = strategy_named(copy->strategy_asked);
	record->state = state_named(copy->state);
	record->step = "";
	for (size_t i = 0; i < record->step_count; i++) {
		record->steps[i].name = step_named(copy->steps[i]);
	}
}

bool city_pending_next(struct city_desk *desk, const struct vat_uuid *uuid, uint64_t after,
	struct city_pending *pending) {
	struct city_pending_sheet *sheet = sheet_of(desk);
	const struct city_pending_copy *found = NULL;
	for (int i = 0; sheet != NULL && i < CITY_PENDING_MAX; i++) {
		const struct city_pending_copy *copy = look(sheet, i);
		const struct city_record *record = copy != NULL ? &copy->pending.record : NULL;
		if (record != NULL && record->id > after && vat_uuid_equal(&record->uuid, uuid) &&
			(found == NULL || record->id < found->pending.record.id)) {
			found = copy;
		}
	}
	if (found != NULL) {
		copy_out(found, pending);
	}
	return found != NULL;
}

uint64_t city_pending_last(struct city_desk *desk) {
	struct city_pending_sheet *sheet = sheet_of(desk);
	uint64_t last = 0;
	for (int i = 0; sheet != NULL && i < CITY_PENDING_MAX; i++) {
		const struct city_pending_copy *copy = look(sheet, i);
		if (copy != NULL && copy->pending.record.id > last) {
			last = copy->pending.record.id;
		}
	}
	return last;
}
