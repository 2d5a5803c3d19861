/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compositor/control_internal.h"
#include "compositor/places.h"
#include "compositor/refactor_internal.h"
#include "source-city-control-v1-server-protocol.h"

bool city_refactor_ready(const struct city_tile *tile, char *error, size_t error_size) {
	/* One that has just been started is live in its probation, which a handover cuts short. */
	if (tile->next || (tile->handover && tile->state != CITY_TILE_LIVE)) {
		snprintf(error, error_size,
			"a handover of %s is under way; try again when it has ended", tile->name);
	} else if (!tile->live || tile->state != CITY_TILE_LIVE) {
		snprintf(error, error_size, "%s is %s; it has to run", tile->name,
			city_tile_state_name(tile->state));
	} else {
		return true;
	}
	return false;
}

bool city_refactor_fits(const struct city_tile *tile, const struct city_tile *by) {
	return tile != by && *tile->role && strcmp(tile->role, by->role) == 0;
}

static bool choose_name(const struct city_tile *tile, const char *wanted, char name[VAT_NAME_SIZE],
	char *error, size_t error_size) {
	const char *source = city_tile_source(tile), *slash = strrchr(source, '/');
	snprintf(name, VAT_NAME_SIZE, "%s", wanted);
	for (unsigned n = 2; !*wanted && n < 1000; n++) {
		char path[4096];
		snprintf(name, VAT_NAME_SIZE, "%.50s-%u", tile->kind, n);
		snprintf(path, sizeof(path), "%.*s/%s", slash ? (int)(slash - source) : 0, source,
			name);
		if (!city_places_find(tile->tiles->places, name) && access(path, F_OK) < 0) {
			return true;
		}
	}
	if (strlen(wanted) >= VAT_NAME_SIZE || !vat_name_valid(name)) {
		snprintf(error, error_size,
			"\"%.60s\" cannot name a tile: lower case letters, digits, '.', '_' and "
			"'-', a letter first",
			wanted);
		return false;
	}
	if (city_places_find(tile->tiles->places, name)) {
		snprintf(error, error_size, "there is a tile named \"%s\" already", name);
		return false;
	}
	return true;
}

/* Sends it to the forge; false with one line in `error`. */
static bool order(struct city_refactor *refactor, const char *name, const char *target, char *error,
	size_t error_size) {
	struct city_control *control = refactor->control;
	struct wl_resource *builder = control->builder;
	if (refactor->asked >= CITY_REFACTOR_UNDO) {
		source_city_builder_v1_send_refactor(
			builder, refactor->job, refactor->asked, "", "", "", "", "", "", "");
		return true;
	}
	const struct city_tile *tile = city_tiles_find(control->tiles, name), *by = NULL;
	if (!tile) {
		snprintf(error, error_size, "there is no tile \"%.60s\"", name);
		return false;
	}
	snprintf(refactor->name, sizeof(refactor->name), "%s", tile->name);
	if (!city_refactor_ready(tile, error, error_size)) {
		return false;
	}
	char chosen[VAT_NAME_SIZE] = "";
	if (refactor->asked == CITY_REFACTOR_REPLACE) {
		by = city_tiles_find(control->tiles, target);
		if (!by) {
			snprintf(error, error_size, "there is no tile \"%.60s\"", target);
			return false;
		}
		if (by == tile) {
			snprintf(error, error_size, "%s runs its own source already", tile->name);
			return false;
		}
		if (!city_refactor_ready(by, error, error_size)) {
			return false;
		}
		if (!city_refactor_fits(tile, by)) {
			snprintf(error, error_size,
				"%s has the role \"%s\" and %s the role \"%s\"; only a tile of the "
				"same role can replace another",
				tile->name, tile->role, by->name, by->role);
			return false;
		}
		snprintf(chosen, sizeof(chosen), "%s", by->name);
	} else if (refactor->asked == CITY_REFACTOR_FORK &&
		!choose_name(tile, target, chosen, error, error_size)) {
		return false;
	}
	char uuid[VAT_UUID_TEXT];
	vat_uuid_format(&tile->uuid, uuid);
	source_city_builder_v1_send_refactor(builder, refactor->job, refactor->asked, tile->name,
		uuid, city_tile_source(tile), tile->live->hash,
		by						? city_tile_source(by)
			: refactor->asked == CITY_REFACTOR_MOVE ? target
								: "",
		chosen, by ? by->live->hash : "");
	return true;
}

bool city_refactor_free(const struct city_control *control, char *error, size_t error_size) {
	if (!control->tiles) {
		snprintf(error, error_size, "this city runs without a keeper and has no tiles");
		return false;
	}
	if (control->refactor) {
		snprintf(error, error_size,
			"a refactor%s%s is under way; try again when it has "
			"ended",
			*control->refactor->name ? " of " : "", control->refactor->name);
		return false;
	}
	if (!control->builder ||
		wl_resource_get_version(control->builder) <
			SOURCE_CITY_BUILDER_V1_REFACTOR_SINCE_VERSION) {
		snprintf(error, error_size,
			"nothing here changes sources: source-city-forge does not run");
		return false;
	}
	return true;
}

const char *city_refactor_under_way(const struct city_control *control, const char **phase) {
	static const char *const phases[] = {"plan", "prepare", "handover", "conclude", "resolve"};
	if (!control->refactor) {
		return NULL;
	}
	*phase = phases[control->refactor->phase];
	return control->refactor->name;
}

void city_refactor_put(struct city_control *control, double cx, double cy) {
	if (control->refactor) {
		control->refactor->put = true;
		control->refactor->cx = cx;
		control->refactor->cy = cy;
	}
}

bool city_refactor_begin(struct city_control *control, struct city_request *request, uint32_t what,
	const char *tile, const char *target, bool dry, char *error, size_t error_size) {
	if (what > CITY_REFACTOR_REDO) {
		snprintf(error, error_size, "refactor %u is not known", what);
		return false;
	}
	if (!city_refactor_free(control, error, error_size)) {
		return false;
	}
	struct city_refactor *refactor = calloc(1, sizeof(*refactor));
	if (!refactor) {
		snprintf(error, error_size, "out of memory");
		return false;
	}
	refactor->control = control;
	refactor->request = request;
	refactor->job = ++control->last_job;
	refactor->asked = refactor->what = what;
	refactor->undo = what == CITY_REFACTOR_UNDO;
	refactor->dry = dry;
	if (!order(refactor, tile, target, error, error_size)) {
		city_refactor_destroy(refactor);
		return false;
	}
	control->refactor = refactor;
	return true;
}

void city_refactor_unlisten(struct city_control *control, const struct city_request *request) {
	if (control->refactor && control->refactor->request == request) {
		control->refactor->request = NULL;
	}
}
