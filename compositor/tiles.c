/* SPDX-License-Identifier: MIT */
/* All tiles: where they come from, where they are saved. */
#include <dirent.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <wlr/backend.h>
#include <wlr/render/wlr_renderer.h>

#include "compositor/config.h"
#include "compositor/desk.h"
#include "compositor/effects/effects.h"
#include "compositor/files.h"
#include "compositor/handover.h"
#include "compositor/keeper.h"
#include "compositor/paths.h"
#include "compositor/pending.h"
#include "compositor/places.h"
#include "compositor/record.h"
#include "compositor/server.h"
#include "compositor/source.h"
#include "compositor/stage.h"
#include "compositor/theme.h"
#include "compositor/tile.h"
#include "compositor/tile_internal.h"
#include "compositor/witness.h"
#include "log.h"

#define SAVE_MS 500
#define SAFE_NAME "safe-mode"

/* ---- limits */

void city_limits_read(struct city_limits *limits) {
	*limits = (struct city_limits){
		.spawn_ms = 5000,
		.warm_ms = 10000,
		.migrate_ms = 250,
		.attach_ms = 1000,
		.frame_ms = 1000,
		.check_ms = 1000,
		.retire_ms = 1000,
		.late_ms = 3000,
		.melt_ms = CITY_TRANSITION_DURATION_MS,
		.warm_up_ms = 200,
		.probation_ms = 1500,
		.probation_frames = 60,
		.missed_frames = 30,
		.hang_ms = 10000,
		.return_ms = 10000,
	};
	const struct {
		const char *name;
		int *value;
	} known[] = {
		{"spawn", &limits->spawn_ms},
		{"warm", &limits->warm_ms},
		{"migrate", &limits->migrate_ms},
		{"attach", &limits->attach_ms},
		{"frame", &limits->frame_ms},
		{"check", &limits->check_ms},
		{"retire", &limits->retire_ms},
		{"late", &limits->late_ms},
		{"melt", &limits->melt_ms},
		{"warm-up", &limits->warm_up_ms},
		{"probation", &limits->probation_ms},
		{"frames", &limits->probation_frames},
		{"missed", &limits->missed_frames},
		{"hang", &limits->hang_ms},
		{"return", &limits->return_ms},
	};
	const char *text = getenv("SOURCE_CITY_LIMITS");
	char *copy = text ? strdup(text) : NULL, *rest = NULL;
	for (char *word = copy ? strtok_r(copy, ",", &rest) : NULL; word;
		word = strtok_r(NULL, ",", &rest)) {
		char *equals = strchr(word, '='), *end = NULL;
		long number = equals ? strtol(equals + 1, &end, 10) : -1;
		bool ok = false;
		if (equals && end && !*end && number >= 0 && number <= 3600000) {
			*equals = '\0';
			for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
				if (strcmp(known[i].name, word) == 0) {
					*known[i].value = (int)number;
					ok = true;
				}
			}
		}
		if (!ok) {
			city_log(CITY_LOG_WARN, "limits",
				"SOURCE_CITY_LIMITS: \"%s\" is not understood", word);
		}
	}
	free(copy);
}

/* ---- places */

static void set_string(char **string, const char *value) {
	char *copy = value && *value ? strdup(value) : NULL;
	free(*string);
	*string = copy;
}

static void save_now(struct city_tiles *tiles) {
	tiles->save_due = false;
	struct city_tile *tile;
	wl_list_for_each(tile, &tiles->list, link) {
		if (tile->closing) {
			continue;
		}
		struct city_place *place = city_places_find(tiles->places, tile->name);
		if (!place) {
			place = city_places_add(tiles->places, tile->name);
		}
		if (!place) {
			continue;
		}
		place->uuid = tile->uuid;
		set_string(&place->kind, tile->kind);
		set_string(&place->source, tile->source);
		set_string(&place->artifact, city_versions_good(&tile->good));
		place->versions = tile->good;
		set_string(&place->installed, tile->built ? NULL : tile->installed);
		const struct city_view *view = &tile->view;
		if (view->shown) {
			struct city_box box = view->fullscreen || view->maximized
				? view->restore
				: city_view_box(view);
			place->has_place = true;
			place->cx = box.cx;
			place->cy = box.cy;
			place->width = (int)box.width;
			place->height = (int)box.height;
		}
	}
	if (!city_keeper_keeps_nothing(tiles->keeper)) {
		city_places_save(tiles->places);
	}
}

void city_tiles_save_now(struct city_tiles *tiles) {
	save_now(tiles);
}

static int handle_save(void *data) {
	save_now(data);
	return 0;
}

void city_tiles_save(struct city_tiles *tiles) {
	if (!tiles->save_due && tiles->save_timer) {
		tiles->save_due = true;
		wl_event_source_timer_update(tiles->save_timer, SAVE_MS);
	}
}

/* ---- making tiles */

struct city_tile *city_tiles_find(struct city_tiles *tiles, const char *name) {
	struct city_tile *tile;
	wl_list_for_each(tile, &tiles->list, link) {
		if (!tile->closing && strcmp(tile->name, name) == 0) {
			return tile;
		}
	}
	return NULL;
}

/* Puts the file into the store; empty when it is not there. */
static void find_installed(struct city_tile *tile) {
	char error[512];
	char *path = tile->artifact ? strdup(tile->artifact) : city_path_tile(tile->kind);
	int fd = path ? open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK) : -1;
	if (fd >= 0) {
		int stored = city_store_lend(
			tile->tiles->store, fd, tile->installed, error, sizeof(error));
		if (stored < 0) {
			city_log(CITY_LOG_ERROR, tile->name, "%s: %s", path, error);
			tile->installed[0] = '\0';
		} else {
			close(stored);
		}
		close(fd);
	} else if (tile->artifact) {
		city_log(CITY_LOG_ERROR, tile->name, "%s: %m", path);
	}
	free(path);
}

static const struct city_tile_config *find_config(struct city_tiles *tiles, const char *name) {
	const struct city_config *config = tiles->server->config;
	for (size_t i = 0; i < config->tile_count; i++) {
		if (strcmp(config->tiles[i].name, name) == 0) {
			return &config->tiles[i];
		}
	}
	return NULL;
}

/* What was said when it was opened, then what the configuration says of it. False when out of
 * memory. */
static bool add_options(struct city_tiles *tiles, const char *name, struct city_options *options) {
	const struct city_tile_config *config = find_config(tiles, name);
	const struct city_place *place = city_places_find(tiles->places, name);
	return (!place || city_options_add_all(options, &place->options)) &&
		(!config || city_options_add_all(options, &config->options));
}

/* With what is said of all. */
static bool all_options(struct city_tiles *tiles, const char *name, struct city_options *options) {
	const char *record = tiles->server->config->record;
	char *text = NULL;
	if (record && asprintf(&text, "record=%s", record) < 0) {
		return false;
	}
	bool ok = add_options(tiles, name, options) && (!text || city_options_add(options, text));
	free(text);
	return ok;
}

enum city_strategy city_tile_strategy(const struct city_tile *tile) {
	const struct city_tile_config *config = find_config(tile->tiles, tile->name);
	return config && config->strategy != CITY_STRATEGY_AUTO
		? config->strategy
		: tile->tiles->server->config->strategy;
}

const char *city_tile_splice(const struct city_tile *tile) {
	const struct city_tile_config *config = find_config(tile->tiles, tile->name);
	return config && config->splice ? config->splice : "";
}

/* The config says what a tile is; where it is and what it runs is as the user left it. */
static struct city_tile *make(struct city_tiles *tiles, struct city_place *place) {
	const struct city_tile_config *config = find_config(tiles, place->name);
	if (config) {
		if (config->kind) {
			set_string(&place->kind, config->kind);
		}
		if (config->source) {
			set_string(&place->source, config->source);
		}
		if (config->has_place && !place->has_place) {
			place->has_place = true;
			place->cx = config->cx;
			place->cy = config->cy;
		}
		if (config->has_size && place->width == 0) {
			place->width = config->width;
			place->height = config->height;
		}
	}
	if (vat_uuid_is_nil(&place->uuid) && vat_uuid_generate(&place->uuid) < 0) {
		return NULL;
	}
	struct city_options options = {0};
	struct city_tile *tile =
		all_options(tiles, place->name, &options) ? city_tile_create(tiles, place) : NULL;
	if (!tile) {
		city_options_finish(&options);
		return NULL;
	}
	tile->options = options;
	if (config) {
		tile->artifact = config->artifact ? strdup(config->artifact) : NULL;
	}
	find_installed(tile);
	if (!tile->source) {
		char *own = city_source_own(tile->kind);
		city_tile_set_source(tile, own);
		free(own);
	}
	/* What ran the installed version goes on with the installed version, also after an update.
	 */
	bool follows = place->artifact && place->installed && *tile->installed &&
		strcmp(place->artifact, place->installed) == 0;
	if (!follows) {
		tile->good = place->versions;
	} else if (place->versions.count > 1) {
		/* Those before it can still be gone back to. */
		tile->good = place->versions;
		city_versions_add(&tile->good, tile->installed, false);
	}
	return tile;
}

static bool installed(const char *kind) {
	char *path = city_path_tile(kind);
	bool there = path && access(path, R_OK) == 0;
	free(path);
	return there;
}

static void add_default(
	struct city_tiles *tiles, const char *name, double cx, double cy, int width, int height) {
	struct city_place *place = installed(name) ? city_places_add(tiles->places, name) : NULL;
	if (place) {
		place->has_place = true;
		place->cx = cx;
		place->cy = cy;
		place->width = width;
		place->height = height;
	}
}

/* A fresh city: the terminal with the clock beside it, in the middle of the screen. */
static void add_defaults(struct city_tiles *tiles) {
	enum { WIDTH = 820, HEIGHT = 600, CLOCK = 300, CLOCK_HEIGHT = 300 };
	const int between = CITY_GAP + 2 * CITY_BORDER;
	struct city_stage *stage = city_stage_focused(tiles->server);
	struct city_box seen = city_map_visible(&stage->camera, city_map_screen(stage));
	int left = (int)(seen.cx + (seen.width - WIDTH - between - CLOCK) / 2);
	int top = (int)(seen.cy + (seen.height - HEIGHT + CITY_TITLEBAR - CITY_BORDER) / 2);
	add_default(tiles, "terminal", left, top, WIDTH, HEIGHT);
	add_default(tiles, "clock", left + WIDTH + between, top, CLOCK, CLOCK_HEIGHT);
}

static struct city_place *find_place(struct city_tiles *tiles, const struct vat_uuid *uuid) {
	struct city_place *place;
	wl_list_for_each(place, &tiles->places->list, link) {
		if (vat_uuid_equal(&place->uuid, uuid)) {
			return place;
		}
	}
	return NULL;
}

/* Closed just before the last compositor ended: what of it is still saved, or still runs, goes. */
static void drop_closed(struct city_tiles *tiles) {
	const struct city_desk *desk = tiles->server->desk;
	if (!city_desk_was_left(desk)) {
		return;
	}
	struct city_place *place, *next;
	wl_list_for_each_safe(place, next, &tiles->places->list, link) {
		if (!vat_uuid_is_nil(&place->uuid) && !city_desk_find(desk, &place->uuid)) {
			city_pending_drop_all(tiles->server->desk, &place->uuid);
			city_places_remove(tiles->places, place);
		}
	}
	size_t count;
	const struct city_keeper_instance *instances = city_keeper_instances(tiles->keeper, &count);
	for (size_t i = 0; i < count; i++) {
		if (!city_desk_find(desk, &instances[i].uuid)) {
			city_keeper_kill(tiles->keeper, instances[i].instance, SIGKILL);
			city_keeper_drop_region(tiles->keeper, &instances[i].uuid);
			city_pending_drop_all(tiles->server->desk, &instances[i].uuid);
		}
	}
}

/* What runs is a tile, also if nothing else is known of it. */
static void add_running(struct city_tiles *tiles) {
	size_t count;
	const struct city_keeper_instance *instances = city_keeper_instances(tiles->keeper, &count);
	/* The newest comes first. */
	for (size_t i = count; i-- > 0;) {
		struct city_place *place = NULL;
		if (city_desk_was_left(tiles->server->desk) &&
			!city_desk_find(tiles->server->desk, &instances[i].uuid)) {
			continue;
		}
		if (!find_place(tiles, &instances[i].uuid) &&
			!city_places_find(tiles->places, instances[i].name)) {
			place = city_places_add(tiles->places, instances[i].name);
		}
		if (place) {
			place->uuid = instances[i].uuid;
			set_string(&place->kind, instances[i].name);
		}
	}
}

/* Newer than what was saved. */
static bool take_from_desk(const struct city_desk *desk, struct city_place *place) {
	const struct city_desk_entry *entry = city_desk_find(desk, &place->uuid);
	if (entry && (entry->flags & CITY_DESK_SHOWN) && entry->box.width >= 1 &&
		entry->box.height >= 1) {
		place->has_place = true;
		place->cx = entry->box.cx;
		place->cy = entry->box.cy;
		place->width = (int)entry->box.width;
		place->height = (int)entry->box.height;
	}
	return entry != NULL;
}

static void rejoin(struct city_tiles *tiles, struct city_tile *tile) {
	size_t count;
	const struct city_keeper_instance *instances = city_keeper_instances(tiles->keeper, &count);
	for (size_t i = 0; i < count; i++) {
		if (vat_uuid_equal(&instances[i].uuid, &tile->uuid)) {
			city_tile_rejoin(tile, &instances[i]);
		}
	}
}

/* Nothing of the user's: a terminal to mend things with. The one of a safe mode before this one is
 * still there. */
static void start_safely(struct city_tiles *tiles) {
	size_t count;
	const struct city_keeper_instance *instances = city_keeper_instances(tiles->keeper, &count);
	struct city_place *place = city_places_add(tiles->places, SAFE_NAME);
	if (!place) {
		return;
	}
	for (size_t i = 0; i < count; i++) {
		if (strcmp(instances[i].name, SAFE_NAME) == 0) {
			place->uuid = instances[i].uuid;
		}
	}
	set_string(&place->kind, "terminal");
	struct city_tile *tile = make(tiles, place);
	if (!tile) {
		city_log(CITY_LOG_ERROR, place->name, "the tile cannot be made");
		return;
	}
	tile->focus_once = true;
	tile->rejoins = count > 0;
	rejoin(tiles, tile);
	city_tile_begin(tile);
}

void city_tiles_start(struct city_tiles *tiles) {
	if (tiles->server->safe) {
		start_safely(tiles);
		return;
	}
	const struct city_config *config = tiles->server->config;
	int64_t ended_ns;
	bool successor = city_keeper_is_successor(tiles->keeper, &ended_ns);
	tiles->returning = successor;
	city_history_reserve(tiles->history, city_pending_last(tiles->server->desk));
	drop_closed(tiles);
	add_running(tiles);
	bool left = false; /* by a compositor before this one */
	for (size_t i = 0; i < config->tile_count; i++) {
		if (!city_places_find(tiles->places, config->tiles[i].name) &&
			vat_name_valid(config->tiles[i].name)) {
			city_places_add(tiles->places, config->tiles[i].name);
		}
	}
	if (wl_list_empty(&tiles->places->list) && !tiles->places->existed) {
		add_defaults(tiles);
	}
	bool first = true;
	struct city_place *place;
	wl_list_for_each(place, &tiles->places->list, link) {
		left |= take_from_desk(tiles->server->desk, place);
	}
	wl_list_for_each(place, &tiles->places->list, link) {
		struct city_tile *tile = make(tiles, place);
		if (!tile) {
			city_log(CITY_LOG_ERROR, place->name, "the tile cannot be made");
			continue;
		}
		tile->focus_once = first && !left;
		first = false;
		tile->rejoins = successor;
		if (successor) {
			rejoin(tiles, tile);
		}
		city_tile_begin(tile);
	}
	city_desk_begin(tiles->server->desk);
	city_tiles_save_now(tiles);
}

static bool choose_name(
	struct city_tiles *tiles, const char *wanted, const char *kind, char name[VAT_NAME_SIZE]) {
	if (*wanted) {
		snprintf(name, VAT_NAME_SIZE, "%s", wanted);
		return !city_tiles_find(tiles, name);
	}
	snprintf(name, VAT_NAME_SIZE, "%s", kind);
	for (int n = 2; city_tiles_find(tiles, name) && n < 10000; n++) {
		snprintf(name, VAT_NAME_SIZE, "%.52s-%u", kind, (uint16_t)n);
	}
	return !city_tiles_find(tiles, name);
}

/* For people: what a tile can be opened of. */
static void list_kinds(struct city_tiles *tiles, char *text, size_t size) {
	const struct city_config *config = tiles->server->config;
	size_t used = 0;
	text[0] = '\0';
	for (size_t i = 0; i < config->tile_count && used < size; i++) {
		used += (size_t)snprintf(text + used, size - used, "%s%s", used > 0 ? ", " : "",
			config->tiles[i].name);
	}
	char *folder = city_file_tile(".");
	DIR *entries = folder ? opendir(folder) : NULL;
	struct dirent *entry;
	while (entries && used < size && (entry = readdir(entries))) {
		char *end = strrchr(entry->d_name, '.');
		if (!end || strcmp(end, ".so") != 0) {
			continue;
		}
		*end = '\0';
		if (vat_name_valid(entry->d_name) && !find_config(tiles, entry->d_name)) {
			used += (size_t)snprintf(text + used, size - used, "%s%s",
				used > 0 ? ", " : "", entry->d_name);
		}
	}
	if (entries) {
		closedir(entries);
	}
	free(folder);
}

struct city_tile *city_tile_open(struct city_tiles *tiles, const char *kind, const char *wanted,
	const struct city_options *options, char *error, size_t error_size) {
	const char *source = NULL;
	const struct city_tile_config *config = find_config(tiles, kind);
	char base[VAT_NAME_SIZE];
	if (kind[0] == '/') {
		struct stat info;
		if (stat(kind, &info) < 0 || !S_ISDIR(info.st_mode)) {
			snprintf(error, error_size, "%s: no such folder", kind);
			return NULL;
		}
		source = kind;
		char *copy = strdup(kind);
		snprintf(base, sizeof(base), "%s", copy ? basename(copy) : "");
		free(copy);
	} else {
		snprintf(base, sizeof(base), "%s", config && config->kind ? config->kind : kind);
		if (!config && !installed(kind)) {
			char known[200];
			list_kinds(tiles, known, sizeof(known));
			snprintf(error, error_size,
				"there is no tile \"%.60s\" to open; configured or installed are: "
				"%s; a source folder is given by its path",
				kind, *known ? known : "none");
			return NULL;
		}
	}
	if (!vat_name_valid(base) || (*wanted && !vat_name_valid(wanted))) {
		snprintf(error, error_size,
			"\"%.60s\" cannot name a tile: lower case letters, digits, '.', '_' and "
			"'-', a letter first",
			*wanted && !vat_name_valid(wanted) ? wanted : base);
		return NULL;
	}
	char name[VAT_NAME_SIZE];
	const char *proposal = *wanted || source || !config ? wanted : config->name;
	if (!*wanted && *proposal && city_tiles_find(tiles, proposal)) {
		proposal = "";
	}
	if (!choose_name(tiles, proposal, base, name)) {
		snprintf(error, error_size, "there is a tile named \"%.60s\" already", name);
		return NULL;
	}
	struct city_place *place = city_places_add(tiles->places, name);
	if (!place) {
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	set_string(&place->kind, base);
	set_string(&place->source, source);
	bool ok = !options || city_options_add_all(&place->options, options);
	if (config && strcmp(config->name, name) != 0) {
		/* Another one of what is configured. */
		ok = ok && city_options_add_all(&place->options, &config->options);
	}
	struct city_tile *tile = ok ? make(tiles, place) : NULL;
	if (!tile) {
		city_places_remove(tiles->places, place);
		snprintf(error, error_size, "out of memory");
		return NULL;
	}
	if (source) {
		/* That folder is meant, also where an installed tile has the same name. */
		tile->installed[0] = '\0';
	}
	tile->focus_once = true;
	city_tile_begin(tile);
	city_tiles_save_now(tiles);
	return tile;
}

struct city_tile *city_tile_fork(struct city_tile *tile, const char *name, const char *source,
	const char *hash, const struct city_box *at, char *error, size_t error_size) {
	struct city_tiles *tiles = tile->tiles;
	if (city_places_find(tiles->places, name)) {
		snprintf(error, error_size, "there is a tile named \"%.60s\" already", name);
		return NULL;
	}
	struct city_place *place = city_places_add(tiles->places, name);
	struct city_tile *fork = NULL;
	if (place) {
		set_string(&place->kind, tile->kind);
		set_string(&place->source, source);
		place->width = tile->width;
		place->height = tile->height;
		if (at) {
			place->has_place = true;
			place->cx = at->cx;
			place->cy = at->cy;
		}
		bool ok = add_options(tiles, tile->name, &place->options);
		fork = ok ? make(tiles, place) : NULL;
	}
	if (!fork) {
		snprintf(error, error_size, "out of memory");
		if (place) {
			city_places_remove(tiles->places, place);
		}
		return NULL;
	}
	snprintf(fork->installed, sizeof(fork->installed), "%s", hash);
	fork->built = true;
	fork->copy_of = tile->uuid;
	fork->focus_once = true;
	city_tile_begin(fork);
	city_tiles_save_now(tiles);
	return fork;
}

/* ---- listeners */

static void handle_keeper_exited(struct wl_listener *listener, void *data) {
	struct city_tiles *tiles = wl_container_of(listener, tiles, keeper_exited);
	const struct city_keeper_exited *event = data;
	struct city_tile_version *version = city_version_from_instance(tiles, event->instance);
	if (version) {
		city_version_process_ended(version, event->status);
	}
}

static void handle_keeper_trouble(struct wl_listener *listener, void *data) {
	struct city_tiles *tiles = wl_container_of(listener, tiles, keeper_trouble);
	const struct city_keeper_trouble *event = data;
	struct city_tile_version *version = city_version_from_instance(tiles, event->instance);
	if (version) {
		city_version_trouble(version, event->status, event->operation);
	}
}

static void handle_keeper_unsaved(struct wl_listener *listener, void *data) {
	struct city_tiles *tiles = wl_container_of(listener, tiles, keeper_unsaved);
	const struct city_keeper_unsaved *event = data;
	struct city_tile *tile;
	wl_list_for_each(tile, &tiles->list, link) {
		if (vat_uuid_equal(&tile->uuid, &event->uuid)) {
			city_tile_set_unsaved(tile, event->status != 0 ? event->reason : NULL);
			return;
		}
	}
}

static void handle_frame_commit(struct wl_listener *listener, void *data) {
	struct city_tiles *tiles = wl_container_of(listener, tiles, frame_commit);
	city_handover_frame_commit(tiles, data);
	city_tiles_return_drawn(tiles, data);
}

static void handle_frame_presented(struct wl_listener *listener, void *data) {
	struct city_tiles *tiles = wl_container_of(listener, tiles, frame_presented);
	city_handover_presented(tiles, data);
	city_tiles_return_presented(tiles, data);
}

static void handle_input(struct wl_listener *listener, void *data) {
	struct city_tiles *tiles = wl_container_of(listener, tiles, input);
	const struct city_input_event *event = data;
	struct city_tile *tile;
	if (event->kind == CITY_INPUT_SCROLL) {
		return; /* means nothing but that */
	}
	wl_list_for_each(tile, &tiles->list, link) {
		if (event->surface && tile->live && tile->live->surface == event->surface) {
			tile->last_input_ns = city_now_ns();
		}
	}
}

/* Tiles that the config has named since; what it no longer names stays until it is closed. */
static void handle_config(struct wl_listener *listener, void *data) {
	struct city_tiles *tiles = wl_container_of(listener, tiles, config);
	const struct city_config *config = data;
	city_keeper_checkpoint_every(tiles->keeper, config->checkpoint);
	for (size_t i = 0; i < config->tile_count; i++) {
		const char *name = config->tiles[i].name;
		if (city_places_find(tiles->places, name) || !vat_name_valid(name)) {
			continue;
		}
		struct city_place *place = city_places_add(tiles->places, name);
		struct city_tile *tile = place ? make(tiles, place) : NULL;
		if (tile) {
			city_tile_begin(tile);
			city_tiles_save_now(tiles);
		}
	}
}

static bool is_tile_client(struct city_server *server, const struct wl_client *client) {
	return city_version_from_client(client) != NULL;
}

/* ---- all */

static struct city_effects *create_effects(struct city_server *server) {
	char path[4096];
	const char *home = getenv("XDG_CONFIG_HOME");
	const char *user = home && home[0] == '/' ? home : getenv("HOME");
	char *shaders = city_file_installed("shaders");
	snprintf(path, sizeof(path), "%s%s/source-city/shaders:%s", user ? user : "/nowhere",
		user == home ? "" : "/.config", shaders ? shaders : CITY_DATADIR "/shaders");
	free(shaders);
	struct city_effects_options options = {
		.loop = server->loop,
		.drm_fd = wlr_renderer_get_drm_fd(server->renderer),
		.shader_path = path,
	};
	struct city_effects *effects = city_effects_create(&options);
	if (!effects) {
		city_log(CITY_LOG_WARN, "effects", "there are no transitions");
	}
	return effects;
}

struct city_tiles *city_tiles_create(struct city_server *server) {
	struct city_tiles *tiles = calloc(1, sizeof(*tiles));
	if (!tiles) {
		return NULL;
	}
	tiles->server = server;
	tiles->keeper = server->keeper;
	city_limits_read(&tiles->limits);
	tiles->witness = city_witness_open();
	wl_list_init(&tiles->list);
	wl_signal_init(&tiles->events.tile);
	wl_signal_init(&tiles->events.needs_build);
	tiles->store = city_store_create();
	tiles->places = server->safe ? city_places_none() : city_places_load();
	tiles->history = city_history_create();
	tiles->save_timer = wl_event_loop_add_timer(server->loop, handle_save, tiles);
	tiles->global = city_tile_protocol_create(tiles);
	if (!tiles->store || !tiles->places || !tiles->history || !tiles->save_timer ||
		!tiles->global) {
		city_log(CITY_LOG_ERROR, NULL, "there can be no tiles");
		goto error;
	}
	tiles->effects = server->safe ? NULL : create_effects(server);
	server->is_tile_client = is_tile_client;
	tiles->keeper_exited.notify = handle_keeper_exited;
	wl_signal_add(&city_keeper_events(tiles->keeper)->exited, &tiles->keeper_exited);
	tiles->keeper_trouble.notify = handle_keeper_trouble;
	wl_signal_add(&city_keeper_events(tiles->keeper)->trouble, &tiles->keeper_trouble);
	tiles->keeper_unsaved.notify = handle_keeper_unsaved;
	wl_signal_add(&city_keeper_events(tiles->keeper)->unsaved, &tiles->keeper_unsaved);
	tiles->frame_commit.notify = handle_frame_commit;
	wl_signal_add(&server->events.frame_commit, &tiles->frame_commit);
	tiles->frame_presented.notify = handle_frame_presented;
	wl_signal_add(&server->events.frame_presented, &tiles->frame_presented);
	tiles->config.notify = handle_config;
	wl_signal_add(&server->events.config, &tiles->config);
	city_keeper_checkpoint_every(tiles->keeper, server->config->checkpoint);
	tiles->input.notify = handle_input;
	wl_signal_add(&server->events.input, &tiles->input);
	return tiles;

error:
	if (tiles->global) {
		wl_global_destroy(tiles->global);
	}
	if (tiles->save_timer) {
		wl_event_source_remove(tiles->save_timer);
	}
	city_history_destroy(tiles->history);
	city_places_destroy(tiles->places);
	city_store_destroy(tiles->store);
	city_witness_close(tiles->witness);
	free(tiles);
	return NULL;
}

void city_tiles_leave(struct city_tiles *tiles) {
	if (!tiles) {
		return;
	}
	save_now(tiles);
	struct city_tile *tile;
	wl_list_for_each(tile, &tiles->list, link) {
		struct city_tile_version *version;
		wl_list_for_each(version, &tile->versions, link) {
			if (tiles->server->safe) {
				city_version_kill(version);
			}
		}
		if (tiles->server->safe) {
			city_keeper_drop_region(tiles->keeper, &tile->uuid);
		}
	}
}

void city_tiles_destroy(struct city_tiles *tiles) {
	if (!tiles) {
		return;
	}
	save_now(tiles);
	wl_list_remove(&tiles->keeper_exited.link);
	wl_list_remove(&tiles->keeper_trouble.link);
	wl_list_remove(&tiles->keeper_unsaved.link);
	wl_list_remove(&tiles->frame_commit.link);
	wl_list_remove(&tiles->frame_presented.link);
	wl_list_remove(&tiles->input.link);
	wl_list_remove(&tiles->config.link);
	struct city_tile *tile, *next;
	wl_list_for_each_safe(tile, next, &tiles->list, link) {
		city_tile_leave(tile);
	}
	if (tiles->start_idle) {
		wl_event_source_remove(tiles->start_idle);
	}
	tiles->server->is_tile_client = NULL;
	city_effects_destroy(tiles->effects);
	wl_global_destroy(tiles->global);
	wl_event_source_remove(tiles->save_timer);
	city_history_destroy(tiles->history);
	city_places_destroy(tiles->places);
	city_store_destroy(tiles->store);
	city_witness_close(tiles->witness);
	free(tiles);
}
