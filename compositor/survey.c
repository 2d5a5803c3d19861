/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "compositor/config.h"
#include "compositor/keeper.h"
#include "compositor/paths.h"
#include "compositor/server.h"
#include "compositor/survey_internal.h"
#include "compositor/tile.h"
#include "compositor/view.h"
#include "compositor/writer.h"
#include "log.h"

#define SUBJECT "survey"
/* Ground between quarters, and from the tiles to them. */
#define QUARTER_GAP 240.0
/* Below what a screen shows at first. */
#define QUARTERS_TOP 1600.0
/* Saves come in bursts. */
#define WAIT_MS 400
/* While a quarter is dragged its place is not saved each time. */
#define SAVE_MS 500

struct city_survey {
	struct city_server *server;
	struct city_survey_work *work; /* under way; NULL: nothing */
	struct wl_event_source *done, *timer, *save_timer;
	bool again, wait;
	bool read;  /* the file was looked at */
	bool saves; /* nobody else does, as far as is known */
	char *file, *home;
	struct city_writer *writer;

	struct city_layout *layout;
	struct city_quarter *quarters;
	size_t quarter_count;
	uint64_t changes; /* of layout and quarters so far */
	struct city_survey_counted *tiles;
	size_t tile_count;
	char note[400];

	struct wl_listener config;
	struct wl_signal changed;
};

/* ---- places of quarters */

static bool overlap(struct city_box a, struct city_box b) {
	return a.cx < b.cx + b.width && b.cx < a.cx + a.width && a.cy < b.cy + b.height &&
		b.cy < a.cy + a.height;
}

/* What a box at this place would overlap, with the gap; NULL: nothing. Quarters without a place yet
 * are not looked at. */
static bool is_taken(const struct city_survey *survey, const struct city_quarter *quarter,
	struct city_box box, struct city_box *other) {
	box.cx -= QUARTER_GAP;
	box.cy -= QUARTER_GAP;
	box.width += 2 * QUARTER_GAP;
	box.height += 2 * QUARTER_GAP;
	for (size_t i = 0; i < survey->quarter_count; i++) {
		const struct city_quarter *next = &survey->quarters[i];
		if (next != quarter && next->site != CITY_NO_SITE && next->box.width > 0 &&
			!isnan(next->box.cx) && overlap(box, next->box)) {
			*other = next->box;
			return true;
		}
	}
	return false;
}

/* In rows below the tiles, from left to right. */
static void find_place(struct city_survey *survey, struct city_quarter *quarter) {
	double top = QUARTERS_TOP, left = 0, width = 12000;
	struct city_view *view;
	wl_list_for_each(view, &survey->server->views, link) {
		if (view->shown && view->kind == CITY_VIEW_TILE) {
			struct city_box box = city_view_outer_box(view);
			top = fmax(top, fmin(box.cy + box.height + QUARTER_GAP, 1e5));
		}
	}
	for (size_t i = 0; i < survey->quarter_count; i++) {
		width = fmax(width, survey->quarters[i].box.width * 2);
	}
	struct city_box box = quarter->box, other;
	box.cx = left;
	box.cy = top;
	double below = INFINITY;
	while (is_taken(survey, quarter, box, &other)) {
		below = fmin(below, other.cy + other.height);
		box.cx = city_layout_beyond(other.cx + other.width, QUARTER_GAP);
		if (box.cx + box.width > left + width) {
			box.cx = left;
			box.cy = city_layout_beyond(below, QUARTER_GAP);
			below = INFINITY;
		}
	}
	quarter->box = box;
}

static struct city_quarter *get_quarter(struct city_survey *survey, const char *name) {
	for (size_t i = 0; i < survey->quarter_count; i++) {
		if (strcmp(survey->quarters[i].name, name) == 0) {
			return &survey->quarters[i];
		}
	}
	struct city_quarter *quarters =
		reallocarray(survey->quarters, survey->quarter_count + 1, sizeof(*quarters));
	char *copy = strdup(name);
	if (quarters != NULL) {
		survey->quarters = quarters;
	}
	if (quarters == NULL || copy == NULL) {
		free(copy);
		return NULL;
	}
	struct city_quarter *quarter = &quarters[survey->quarter_count++];
	*quarter = (struct city_quarter){
		.name = copy, .site = CITY_NO_SITE, .box = {.cx = NAN, .cy = NAN}};
	return quarter;
}

/* What the file tells, for the thread that writes it. */
struct told {
	struct city_layout *layout;
	char *home;
	struct city_quarter *quarters; /* names and places */
	size_t count;
};

static void told_destroy(void *data) {
	struct told *told = data;
	for (size_t i = 0; i < told->count; i++) {
		free(told->quarters[i].name);
	}
	free(told->quarters);
	free(told->home);
	city_layout_unref(told->layout);
	free(told);
}

static char *told_write(void *data, size_t *size) {
	const struct told *told = data;
	return city_survey_file_write(told->layout, told->home, told->quarters, told->count, size);
}

/* NULL when out of memory. */
static struct told *tell(const struct city_survey *survey) {
	struct told *told = calloc(1, sizeof(*told));
	if (told == NULL) {
		return NULL;
	}
	told->layout = city_layout_ref(survey->layout);
	told->home = survey->home == NULL ? NULL : strdup(survey->home);
	told->quarters = calloc(survey->quarter_count + 1, sizeof(*told->quarters));
	bool ok = told->quarters != NULL && (survey->home == NULL || told->home != NULL);
	for (size_t i = 0; ok && i < survey->quarter_count; i++) {
		const struct city_quarter *quarter = &survey->quarters[i];
		told->quarters[i] = (struct city_quarter){
			.name = strdup(quarter->name), .box = quarter->box, .hand = quarter->hand};
		ok = told->quarters[i].name != NULL;
		told->count++;
	}
	if (!ok) {
		told_destroy(told);
		return NULL;
	}
	return told;
}

static void save(struct city_survey *survey) {
	if (survey->layout == NULL || survey->file == NULL || !survey->saves ||
		survey->server->safe != NULL) {
		return;
	}
	if (survey->writer == NULL) {
		survey->writer = city_writer_create(survey->file);
	}
	struct told *told = survey->writer == NULL ? NULL : tell(survey);
	if (told != NULL) {
		city_writer_put_made(survey->writer, told_write, told_destroy, told);
	}
}

static int handle_save(void *data) {
	save(data);
	return 0;
}

static void take_layout(struct city_survey *survey, struct city_survey_work *work) {
	city_layout_unref(survey->layout);
	survey->layout = work->layout;
	work->layout = NULL;
	for (size_t i = 0; i < work->places.count; i++) {
		const struct city_survey_place *place = &work->places.list[i];
		struct city_quarter *quarter = get_quarter(survey, place->name);
		if (quarter != NULL && isnan(quarter->box.cx)) {
			quarter->box.cx = place->cx;
			quarter->box.cy = place->cy;
			quarter->hand = place->hand;
		}
	}
	for (size_t i = 0; i < survey->quarter_count; i++) {
		survey->quarters[i].site = CITY_NO_SITE;
	}
	const struct city_layout *layout = survey->layout;
	for (size_t i = 0; i < layout->quarter_count; i++) {
		uint32_t site = layout->quarters[i];
		struct city_quarter *quarter =
			get_quarter(survey, city_site_name(layout, &layout->sites[site]));
		if (quarter != NULL) {
			quarter->site = site;
			quarter->box.width = layout->sites[site].plot.width;
			quarter->box.height = layout->sites[site].plot.height;
		}
	}
	for (size_t i = 0; i < survey->quarter_count; i++) {
		struct city_quarter *quarter = &survey->quarters[i];
		struct city_box other, box = quarter->box;
		/* One that has grown makes place for its neighbour, unless it was put there. */
		if (quarter->site != CITY_NO_SITE &&
			(isnan(box.cx) ||
				(!quarter->hand && is_taken(survey, quarter, box, &other)))) {
			find_place(survey, quarter);
		}
	}
}

/* Another folder may be cut as the one was that had its name. True: something has changed. */
static bool take_paths(struct city_survey *survey, struct city_survey_work *work) {
	bool changed = false;
	for (size_t i = 0; i < survey->quarter_count; i++) {
		struct city_quarter *quarter = &survey->quarters[i];
		for (size_t j = 0; j < work->folder_count; j++) {
			struct city_survey_folder *folder = &work->folders[j];
			bool same = folder->path == NULL || quarter->path == NULL
				? folder->path == quarter->path
				: strcmp(folder->path, quarter->path) == 0;
			if (!same && strcmp(folder->name, quarter->name) == 0) {
				free(quarter->path);
				quarter->path = folder->path;
				folder->path = NULL;
				changed = true;
			}
		}
	}
	return changed;
}

static int handle_done(int fd, uint32_t mask, void *data) {
	struct city_survey *survey = data;
	struct city_survey_work *work = survey->work;
	pthread_join(work->thread, NULL);
	wl_event_source_remove(survey->done);
	survey->done = NULL;
	survey->work = NULL;
	survey->read = true;
	if (strcmp(survey->note, work->note) != 0) {
		strcpy(survey->note, work->note);
		if (work->note[0] != '\0') {
			city_log(CITY_LOG_WARN, SUBJECT, "%s", work->note);
		}
	}
	bool taken = work->layout != NULL;
	if (taken) {
		take_layout(survey, work);
	}
	if (taken || work->same) {
		struct city_survey_counted *tiles = survey->tiles;
		size_t count = survey->tile_count;
		survey->tiles = work->tiles;
		survey->tile_count = work->tile_count;
		work->tiles = tiles;
		work->tile_count = count;
		survey->changes += take_paths(survey, work) || taken;
	}
	if (taken) {
		save(survey);
		city_log(CITY_LOG_DEBUG, SUBJECT, "%zu modules in %zu folders, %ju lines",
			survey->layout->module_count, survey->layout->folder_count,
			(uintmax_t)survey->layout->lines);
	}
	city_survey_work_destroy(work);
	wl_signal_emit_mutable(&survey->changed, survey);
	if (survey->again) {
		survey->again = false;
		city_survey_begin(survey);
	}
	return 0;
}

/* ---- beginning one */

static int by_source(const void *a, const void *b) {
	return strcmp(((const struct city_survey_counted *)a)->source,
		((const struct city_survey_counted *)b)->source);
}

static void add_tiles(struct city_survey_work *work, const struct city_server *server) {
	const struct city_tile *tile;
	size_t room = server->tiles == NULL ? 0 : (size_t)wl_list_length(&server->tiles->list);
	work->tiles = calloc(room + 1, sizeof(*work->tiles));
	if (room == 0 || work->tiles == NULL) {
		return;
	}
	wl_list_for_each(tile, &server->tiles->list, link) {
		char *source = tile->closing || tile->source == NULL || work->tile_count == room
			? NULL
			: strdup(tile->source);
		if (source != NULL) {
			work->tiles[work->tile_count++] = (struct city_survey_counted){source, 0};
		}
	}
	qsort(work->tiles, work->tile_count, sizeof(*work->tiles), by_source);
	size_t kept = 0;
	for (size_t i = 0; i < work->tile_count; i++) {
		if (kept > 0 && strcmp(work->tiles[kept - 1].source, work->tiles[i].source) == 0) {
			free(work->tiles[i].source);
		} else {
			work->tiles[kept++] = work->tiles[i];
		}
	}
	work->tile_count = kept;
}

static void begin_now(struct city_survey *survey) {
	const struct city_config *config = survey->server->config;
	struct city_survey_work *work = calloc(1, sizeof(*work));
	if (work == NULL) {
		return;
	}
	const struct city_keeper *keeper = survey->server->keeper;
	survey->saves = keeper == NULL || !city_keeper_keeps_nothing(keeper);
	work->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	work->first = !survey->read;
	work->file = survey->file == NULL ? NULL : strdup(survey->file);
	work->home = survey->home == NULL ? NULL : strdup(survey->home);
	work->old = survey->layout == NULL ? NULL : city_layout_ref(survey->layout);
	add_tiles(work, survey->server);
	for (size_t i = 0; i < config->source_count; i++) {
		const char *slash = strrchr(config->sources[i], '/');
		const char *name =
			slash == NULL || slash[1] == '\0' ? config->sources[i] : slash + 1;
		city_survey_work_add(work, name, config->sources[i]);
	}
	if (work->done_fd >= 0) {
		survey->done = wl_event_loop_add_fd(survey->server->loop, work->done_fd,
			WL_EVENT_READABLE, handle_done, survey);
	}
	if (survey->done == NULL ||
		pthread_create(&work->thread, NULL, city_survey_work_run, work) != 0) {
		city_log(
			CITY_LOG_WARN, SUBJECT, "the source is not looked at: %s", strerror(errno));
		if (survey->done != NULL) {
			wl_event_source_remove(survey->done);
			survey->done = NULL;
		}
		city_survey_work_destroy(work);
		return;
	}
	survey->work = work;
}

static int handle_timer(void *data) {
	struct city_survey *survey = data;
	if (survey->read && survey->server->busy > 0) {
		/* Frames are counted now, and this reads files and draws. */
		wl_event_source_timer_update(survey->timer, WAIT_MS);
		return 0;
	}
	survey->wait = false;
	if (survey->work != NULL) {
		survey->again = true;
	} else {
		begin_now(survey);
	}
	return 0;
}

void city_survey_begin(struct city_survey *survey) {
	if (survey != NULL && !survey->wait) {
		survey->wait = true;
		wl_event_source_timer_update(survey->timer, survey->read ? WAIT_MS : 1);
	}
}

bool city_survey_busy(const struct city_survey *survey) {
	return survey->work != NULL || survey->wait;
}

/* ---- the rest */

const struct city_layout *city_survey_layout(const struct city_survey *survey) {
	return survey->layout;
}

struct city_layout *city_survey_keep_layout(const struct city_survey *survey) {
	return city_layout_ref(survey->layout);
}

const struct city_quarter *city_survey_quarters(const struct city_survey *survey, size_t *count) {
	*count = survey->quarter_count;
	return survey->quarters;
}

bool city_survey_move(struct city_survey *survey, const char *name, double cx, double cy) {
	for (size_t i = 0; i < survey->quarter_count; i++) {
		struct city_quarter *quarter = &survey->quarters[i];
		if (quarter->site != CITY_NO_SITE && strcmp(quarter->name, name) == 0) {
			quarter->box.cx = cx;
			quarter->box.cy = cy;
			quarter->hand = true;
			survey->changes++;
			wl_event_source_timer_update(survey->save_timer, SAVE_MS);
			wl_signal_emit_mutable(&survey->changed, survey);
			return true;
		}
	}
	return false;
}

uint64_t city_survey_changes(const struct city_survey *survey) {
	return survey->changes;
}

uint64_t city_survey_lines(const struct city_survey *survey, const char *source) {
	struct city_survey_counted key = {.source = (char *)source};
	const struct city_survey_counted *found = survey->tile_count == 0
		? NULL
		: bsearch(&key, survey->tiles, survey->tile_count, sizeof(key), by_source);
	return found == NULL ? 0 : found->lines;
}

const char *city_survey_note(const struct city_survey *survey) {
	return survey->note;
}

struct wl_signal *city_survey_changed(struct city_survey *survey) {
	return &survey->changed;
}

static void handle_config(struct wl_listener *listener, void *data) {
	struct city_survey *survey = wl_container_of(listener, survey, config);
	city_survey_begin(survey);
}

struct city_survey *city_survey_create(struct city_server *server) {
	struct city_survey *survey = calloc(1, sizeof(*survey));
	if (survey == NULL) {
		return NULL;
	}
	survey->server = server;
	wl_signal_init(&survey->changed);
	survey->timer = wl_event_loop_add_timer(server->loop, handle_timer, survey);
	survey->save_timer = wl_event_loop_add_timer(server->loop, handle_save, survey);
	if (survey->timer == NULL || survey->save_timer == NULL) {
		if (survey->timer != NULL) {
			wl_event_source_remove(survey->timer);
		}
		free(survey);
		return NULL;
	}
	char *state = city_path_state(NULL);
	if (state != NULL && asprintf(&survey->file, "%s/layout", state) < 0) {
		survey->file = NULL;
	}
	free(state);
	survey->home = city_path_data("city");
	survey->config.notify = handle_config;
	wl_signal_add(&server->events.config, &survey->config);
	city_survey_begin(survey);
	return survey;
}

void city_survey_destroy(struct city_survey *survey) {
	if (survey == NULL) {
		return;
	}
	if (survey->work != NULL) {
		atomic_store(&survey->work->stop, true);
		pthread_join(survey->work->thread, NULL);
		wl_event_source_remove(survey->done);
		city_survey_work_destroy(survey->work);
	}
	wl_event_source_remove(survey->timer);
	wl_event_source_remove(survey->save_timer);
	save(survey);
	wl_list_remove(&survey->config.link);
	city_writer_destroy(survey->writer);
	for (size_t i = 0; i < survey->quarter_count; i++) {
		free(survey->quarters[i].name);
		free(survey->quarters[i].path);
	}
	for (size_t i = 0; i < survey->tile_count; i++) {
		free(survey->tiles[i].source);
	}
	free(survey->quarters);
	free(survey->tiles);
	city_layout_unref(survey->layout);
	free(survey->file);
	free(survey->home);
	free(survey);
}
