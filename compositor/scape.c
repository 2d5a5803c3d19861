/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compositor/minimap.h"
#include "compositor/scape.h"
#include "compositor/server.h"
#include "compositor/sheets.h"
#include "compositor/stage.h"
#include "compositor/text.h"
#include "compositor/tile.h"
#include "compositor/view.h"

/* Colours follow costs in steps of this size, or everything would be drawn again each second. */
#define COST_STEPS 8.0 /* a factor of ten */

struct city_scape {
	struct city_server *server;
	struct city_survey *survey;
	struct city_costs *costs;
	struct city_lot *lots;
	size_t lot_count;
	bool stale;			 /* lots are not as the views are */
	double parts[CITY_COST_FOLDERS]; /* costs that the city's own quarter was drawn with */
	uint64_t changes;		 /* of the survey, that are drawn */
	size_t tile_count;		 /* when the survey was begun last */

	struct wl_listener surveyed, sampled, frame, camera, config;
};

const char *city_mark_name(enum city_mark mark) {
	static const char *const names[] = {"", "build", "error", "stuck", "dead"};
	return names[mark];
}

double city_scape_live(double zoom) {
	double share = (log2(zoom) - log2(CITY_ZOOM_CITY)) /
		(log2(CITY_ZOOM_STREET) - log2(CITY_ZOOM_CITY));
	return fmin(fmax(share, 0), 1);
}

/* From 0 at `from` to 1 at `to`, slowly at both ends. */
static double ease(double at, double from, double to) {
	double share = fmin(fmax((at - from) / (to - from), 0), 1);
	return share * share * (3 - 2 * share);
}

double city_scape_names(double zoom) {
	return ease(city_scape_live(zoom), 0.6, 1);
}

double city_scape_buildings(double zoom) {
	return ease(1 - city_scape_live(zoom), 0, 0.5);
}

double city_scape_ink(double zoom) {
	return ease(1 - city_scape_live(zoom), 0.5, 0.7);
}

struct city_survey *city_scape_survey(const struct city_server *server) {
	return server->scape == NULL ? NULL : server->scape->survey;
}

struct city_costs *city_scape_costs(const struct city_server *server) {
	return server->scape == NULL ? NULL : server->scape->costs;
}

/* ---- lots */

static double in_steps(double cost) {
	if (cost <= 0.0005) {
		return cost < 0 ? cost : 0;
	}
	return pow(10, round(log10(cost) * COST_STEPS) / COST_STEPS);
}

static enum city_mark mark_of(const struct city_tile *tile) {
	if (tile->state == CITY_TILE_DEAD) {
		return CITY_MARK_DEAD;
	}
	if (tile->notice_kind == CITY_BADGE_ERROR) {
		return tile->notice_build ? CITY_MARK_BUILD : CITY_MARK_ERROR;
	}
	return tile->notice_kind == CITY_BADGE_WARN || tile->notice_stuck ? CITY_MARK_STUCK
									  : CITY_MARK_NONE;
}

/* "424 lines · 0.3 % · PAS 0.97": what is known of it. */
static void describe(struct city_lot *lot) {
	size_t used = 0;
	const size_t size = sizeof(lot->note);
	if (lot->lines >= 10000) {
		used += (size_t)snprintf(lot->note, size, "%.0f k lines", (double)lot->lines / 1e3);
	} else if (lot->lines > 0) {
		used += (size_t)snprintf(lot->note, size, "%u lines", (unsigned int)lot->lines);
	}
	if (lot->cost >= 0) {
		used += (size_t)snprintf(lot->note + used, size - used, "%s%.*f %%",
			used > 0 ? " · " : "", lot->cost >= 0.1 ? 0 : 1, lot->cost * 100);
	}
	if (lot->pas >= 0) {
		snprintf(lot->note + used, size - used, "%sPAS %.2f", used > 0 ? " · " : "",
			lot->pas);
	}
}

static void fill_lot(struct city_scape *scape, struct city_view *view, struct city_lot *lot) {
	*lot = (struct city_lot){
		.id = view->id,
		.box = city_view_outer_box(view),
		.tile = view->kind == CITY_VIEW_TILE,
		.focused = scape->server->focused == view,
		.cost = -1,
		.pas = -1,
	};
	if (lot->tile) {
		const struct city_tile *tile = wl_container_of(view, tile, view);
		snprintf(lot->name, sizeof(lot->name), "%s", tile->name);
		lot->mark = mark_of(tile);
		lot->lines =
			tile->source == NULL ? 0 : city_survey_lines(scape->survey, tile->source);
		lot->cost = in_steps(city_costs_tile(scape->costs, tile));
		lot->pas = tile->pas;
		lot->handed_over_ns = tile->handed_over_ns;
		lot->changing =
			tile->state == CITY_TILE_HANDOVER || tile->state == CITY_TILE_PROBATION;
		describe(lot);
	} else {
		const char *title = city_view_title(view), *app_id = city_view_app_id(view);
		city_text_copy(lot->name, sizeof(lot->name), *title ? title : app_id);
		if (*title && strcmp(title, app_id) != 0) {
			city_text_copy(lot->note, sizeof(lot->note), app_id);
		}
	}
	/* A window has no source here that it could be as large as. */
	lot->building = lot->tile ? city_lot_building(lot->box, lot->lines) : lot->box;
}

static bool lot_same(const struct city_lot *a, const struct city_lot *b) {
	return a->id == b->id && a->box.cx == b->box.cx && a->box.cy == b->box.cy &&
		a->box.width == b->box.width && a->box.height == b->box.height &&
		a->tile == b->tile && a->focused == b->focused && a->mark == b->mark &&
		a->lines == b->lines && a->cost == b->cost && a->pas == b->pas &&
		strcmp(a->name, b->name) == 0 && strcmp(a->note, b->note) == 0;
}

static void damage(
	struct city_scape *scape, enum city_sheet_kind kind, const struct city_box *box) {
	struct city_stage *stage;
	wl_list_for_each(stage, &scape->server->stages, link) {
		city_sheets_damage(stage, kind, box);
	}
}

static int by_id(const void *a, const void *b) {
	const struct city_lot *x = *(struct city_lot *const *)a, *y = *(struct city_lot *const *)b;
	return (x->id > y->id) - (x->id < y->id);
}

static const struct city_lot **sorted(const struct city_lot *lots, size_t count) {
	const struct city_lot **list = calloc(count + 1, sizeof(*list));
	for (size_t i = 0; list != NULL && i < count; i++) {
		list[i] = &lots[i];
	}
	if (list != NULL) {
		qsort(list, count, sizeof(*list), by_id);
	}
	return list;
}

/* What has changed, come or gone is drawn again where it is and was. */
static void compare(struct city_scape *scape, const struct city_lot *lots, size_t count) {
	const struct city_lot **before = sorted(scape->lots, scape->lot_count);
	const struct city_lot **after = sorted(lots, count);
	if (before == NULL || after == NULL) {
		damage(scape, CITY_SHEETS_LOTS, NULL);
	}
	size_t i = 0, j = 0;
	while (before != NULL && after != NULL && (i < scape->lot_count || j < count)) {
		const struct city_lot *old = i < scape->lot_count ? before[i] : NULL;
		const struct city_lot *new = j < count ? after[j] : NULL;
		if (old != NULL && new != NULL && old->id == new->id) {
			if (!lot_same(old, new)) {
				damage(scape, CITY_SHEETS_LOTS, &old->box);
				damage(scape, CITY_SHEETS_LOTS, &new->box);
			}
			i++;
			j++;
		} else if (new == NULL || (old != NULL && old->id < new->id)) {
			damage(scape, CITY_SHEETS_LOTS, &old->box);
			i++;
		} else {
			damage(scape, CITY_SHEETS_LOTS, &new->box);
			j++;
		}
	}
	free(before);
	free(after);
}

static void take_lots(struct city_scape *scape) {
	scape->stale = false;
	struct city_server *server = scape->server;
	struct city_view *view;
	size_t count = 0, room = (size_t)wl_list_length(&server->views);
	struct city_lot *lots = calloc(room + 1, sizeof(*lots));
	if (lots == NULL) {
		return;
	}
	wl_list_for_each_reverse(view, &server->views, link) {
		if (view->shown && !view->minimized && !view->fullscreen && count < room) {
			fill_lot(scape, view, &lots[count++]);
		}
	}
	compare(scape, lots, count);
	free(scape->lots);
	scape->lots = lots;
	scape->lot_count = count;
	size_t tiles = server->tiles == NULL ? 0 : (size_t)wl_list_length(&server->tiles->list);
	if (tiles != scape->tile_count) {
		/* Source of its own, or that is free to be shown by itself again. */
		scape->tile_count = tiles;
		city_survey_begin(scape->survey);
	}
}

const struct city_lot *city_scape_lots(struct city_server *server, size_t *count) {
	struct city_scape *scape = server->scape;
	*count = 0;
	if (scape == NULL) {
		return NULL;
	}
	if (scape->stale) {
		take_lots(scape);
	}
	*count = scape->lot_count;
	return scape->lots;
}

void city_scape_changed(struct city_server *server) {
	struct city_scape *scape = server->scape;
	if (scape == NULL || scape->stale) {
		return;
	}
	scape->stale = true;
	struct city_stage *stage;
	wl_list_for_each(stage, &server->stages, link) {
		/* Nobody else is interested before that. */
		if (city_scape_live(stage->camera.zoom) < 1) {
			city_sheets_update(stage);
		}
	}
}

void city_scape_drawn(struct city_server *server) {
	const struct city_stage *stage;
	if (server->scape == NULL) {
		return;
	}
	wl_list_for_each(stage, &server->stages, link) {
		if (stage->output != NULL && city_scape_live(stage->camera.zoom) < 1) {
			city_costs_look(server->scape->costs);
			return;
		}
	}
}

void city_scape_handed_over(struct city_server *server, struct city_view *view) {
	struct city_stage *stage;
	wl_list_for_each(stage, &server->stages, link) {
		city_sheets_pulse(stage, city_view_outer_box(view));
	}
	city_survey_begin(city_scape_survey(server));
	city_scape_changed(server);
}

static void join(struct city_box *box, struct city_box other, bool *any) {
	if (!*any) {
		*box = other;
		*any = true;
		return;
	}
	city_box_join(box, other);
}

bool city_scape_bounds(struct city_server *server, struct city_box *box) {
	bool any = false;
	size_t count;
	const struct city_lot *lots = city_scape_lots(server, &count);
	for (size_t i = 0; i < count; i++) {
		join(box, lots[i].box, &any);
	}
	if (server->scape != NULL) {
		const struct city_quarter *quarters =
			city_survey_quarters(server->scape->survey, &count);
		for (size_t i = 0; i < count; i++) {
			if (quarters[i].site != CITY_NO_SITE) {
				join(box, quarters[i].box, &any);
			}
		}
	}
	return any;
}

/* ---- listeners */

static void handle_surveyed(struct wl_listener *listener, void *data) {
	struct city_scape *scape = wl_container_of(listener, scape, surveyed);
	uint64_t changes = city_survey_changes(scape->survey);
	if (changes != scape->changes) {
		scape->changes = changes;
		damage(scape, CITY_SHEETS_QUARTERS, NULL);
	}
	city_scape_changed(scape->server);
	city_minimap_changed(scape->server);
}

static void handle_sampled(struct wl_listener *listener, void *data) {
	struct city_scape *scape = wl_container_of(listener, scape, sampled);
	size_t count;
	const struct city_quarter *quarters = city_survey_quarters(scape->survey, &count);
	city_scape_changed(scape->server);
	bool same = true;
	for (size_t i = 0; i < CITY_COST_FOLDERS; i++) {
		double cost = in_steps(city_costs_part(scape->costs, city_cost_folders[i]));
		same = same && cost == scape->parts[i];
		scape->parts[i] = cost;
	}
	for (size_t i = 0; i < count && !same; i++) {
		if (strcmp(quarters[i].name, CITY_OWN_QUARTER) == 0) {
			damage(scape, CITY_SHEETS_QUARTERS, &quarters[i].box);
		}
	}
}

static void handle_frame(struct wl_listener *listener, void *data) {
	struct city_scape *scape = wl_container_of(listener, scape, frame);
	const struct city_frame_event *event = data;
	struct city_stage *stage = event->output->stage;
	if (city_scape_live(stage->camera.zoom) < 1) {
		size_t count;
		city_scape_lots(scape->server, &count);
	}
	city_sheets_frame(stage, event->when_ns);
}

static void handle_camera(struct wl_listener *listener, void *data) {
	struct city_scape *scape = wl_container_of(listener, scape, camera);
	const struct city_stage *stage = data;
	if (city_scape_live(stage->camera.zoom) < 1) {
		city_costs_look(scape->costs);
	}
}

static void handle_config(struct wl_listener *listener, void *data) {
	struct city_scape *scape = wl_container_of(listener, scape, config);
	damage(scape, CITY_SHEETS_QUARTERS, NULL);
	damage(scape, CITY_SHEETS_LOTS, NULL);
}

bool city_scape_create(struct city_server *server) {
	struct city_scape *scape = calloc(1, sizeof(*scape));
	if (scape == NULL) {
		return false;
	}
	scape->server = server;
	scape->survey = city_survey_create(server);
	scape->costs = city_costs_create(server);
	if (scape->survey == NULL || scape->costs == NULL) {
		city_survey_destroy(scape->survey);
		city_costs_destroy(scape->costs);
		free(scape);
		return false;
	}
	scape->surveyed.notify = handle_surveyed;
	wl_signal_add(city_survey_changed(scape->survey), &scape->surveyed);
	scape->sampled.notify = handle_sampled;
	wl_signal_add(city_costs_sampled(scape->costs), &scape->sampled);
	scape->frame.notify = handle_frame;
	wl_signal_add(&server->events.frame_commit, &scape->frame);
	scape->camera.notify = handle_camera;
	wl_signal_add(&server->events.camera, &scape->camera);
	scape->config.notify = handle_config;
	wl_signal_add(&server->events.config, &scape->config);
	scape->stale = true;
	server->scape = scape;
	return true;
}

void city_scape_destroy(struct city_server *server) {
	struct city_scape *scape = server->scape;
	if (scape == NULL) {
		return;
	}
	server->scape = NULL;
	wl_list_remove(&scape->surveyed.link);
	wl_list_remove(&scape->sampled.link);
	wl_list_remove(&scape->frame.link);
	wl_list_remove(&scape->camera.link);
	wl_list_remove(&scape->config.link);
	city_survey_destroy(scape->survey);
	city_costs_destroy(scape->costs);
	free(scape->lots);
	free(scape);
}
