/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "compositor/config.h"
#include "compositor/control.h"
#include "compositor/effects/effects.h"
#include "compositor/handover_input.h"
#include "compositor/handover_internal.h"
#include "compositor/keeper.h"
#include "compositor/pending.h"
#include "compositor/server.h"
#include "compositor/witness.h"
#include "keeper/wire.h"
#include "log.h"
#include "source-city-tile-v1-server-protocol.h"

/* A version whose turn comes so soon after it was ready has not waited. */
#define AT_ONCE_NS 1000000
#define LIMIT(member) offsetof(struct city_limits, member)
#define NO_LIMIT SIZE_MAX
/* What cells in another shape take at most, wherever they are built: 16 MiB a second. */
#define BUILD_BYTES_PER_MS (16u * 1024 * 1024 / 1000)
#define BUILD_MS_MAX 3600000
#define KILL_MS 5000 /* then it is said that somebody does not die */
/* So many replaced versions of a tile may still be ending when the next one is started: requests
 * that come faster than processes end make no crowd of them. */
#define DYING_MAX 2

/* All steps of a handover, in their order. */
const struct city_step_info city_steps[CITY_STEP_COUNT] = {
	[CITY_STEP_SPAWN] = {"spawn", LIMIT(spawn_ms), "its process did not start",
		.replaceable = true, .needs_b = true},
	[CITY_STEP_WARM] = {"warm", LIMIT(warm_ms), "it did not become ready: it hangs in warm",
		.replaceable = true, .needs_b = true},
	[CITY_STEP_WAIT] = {"wait", NO_LIMIT, NULL, .replaceable = true, .needs_b = true},
	[CITY_STEP_SPLICE] = {"splice", NO_LIMIT, NULL, .replaceable = true, .needs_b = true},
	[CITY_STEP_MIGRATE] = {"migrate", LIMIT(migrate_ms), NULL, .needs_b = true},
	[CITY_STEP_ATTACH] = {"attach", LIMIT(attach_ms),
		"it did not take over the state in time: it hangs in attach", .needs_b = true},
	[CITY_STEP_FRAME] = {"frame", LIMIT(frame_ms),
		"it did not draw its first frame in time: it hangs in draw", .needs_b = true},
	[CITY_STEP_WARM_UP] = {"warm-up", NO_LIMIT, NULL, .needs_b = true},
	[CITY_STEP_COMMIT] = {"commit", LIMIT(frame_ms), NULL, .needs_b = true},
	[CITY_STEP_MELT] = {"melt", NO_LIMIT, NULL, .shown = true, .needs_b = true},
	[CITY_STEP_PROBATION] = {"probation", NO_LIMIT, NULL, .shown = true, .needs_b = true},
	[CITY_STEP_RETIRE] = {"retire", NO_LIMIT, NULL, .shown = true},
};

const char *city_state_mode_name(enum city_state_mode mode) {
	static const char *const names[] = {"inherit", "reset", "merge"};
	return (size_t)mode < sizeof(names) / sizeof(names[0]) ? names[mode] : "inherit";
}

int city_step_limit_ms(const struct city_limits *limits, enum city_step step, uint64_t room) {
	size_t offset = city_steps[step].limit;
	if (offset == NO_LIMIT) {
		return 0;
	}
	int limit = *(const int *)((const char *)limits + offset);
	bool builds = step == CITY_STEP_WARM || step == CITY_STEP_ATTACH;
	uint64_t more = builds ? room / BUILD_BYTES_PER_MS : 0;
	return limit > 0 ? limit + (int)(more < BUILD_MS_MAX ? more : BUILD_MS_MAX) : 0;
}

static int step_limit(const struct city_handover *handover) {
	return city_step_limit_ms(
		&handover->tile->tiles->limits, handover->step, handover->track_room);
}

enum city_step city_handover_step(const struct city_handover *handover) {
	return handover->step;
}

bool city_handover_taken(const struct city_handover *handover) {
	const struct vat_region *region = handover->tile->region;
	return handover->attach_sent ||
		(handover->stands_by && region && vat_region_epoch(region) != handover->old_epoch);
}

int city_handover_undo_fd(const struct city_handover *handover) {
	bool kept = city_handover_taken(handover) && !handover->start && !handover->failing &&
		handover->step != CITY_STEP_RETIRE;
	return kept ? handover->undo_fd : -1;
}

/* ---- time */

void city_handover_go_on_alone(struct city_handover *handover, const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(handover->record.reason, sizeof(handover->record.reason), format, args);
	va_end(args);
	city_control_message(handover->tile->tiles->server, CITY_LOG_WARN, handover->tile->name,
		"%s", handover->record.reason);
	handover->alone = true;
	city_version_kill(handover->a);
	city_handover_set_timer(handover, KILL_MS);
}

/* A has not answered. If it is only slow it goes on when it does; should it never do, B takes over
 * without it. */
static void migrate_late(struct city_handover *handover) {
	const struct city_limits *limits = &handover->tile->tiles->limits;
	const struct city_tile_version *a = handover->a;
	if (a->stuck) {
		city_handover_go_on_alone(handover,
			"the old version hung in %s and was killed: the state is as it left it",
			a->operation);
	} else if (!handover->late && limits->late_ms > 0) {
		handover->late = true;
		city_handover_set_timer(handover, limits->late_ms);
	} else {
		city_handover_go_on_alone(handover,
			"the old version did not answer for %d ms and was killed: the state is as "
			"it left it",
			limits->migrate_ms + limits->late_ms);
	}
}

static int handle_timer(void *data) {
	struct city_handover *handover = data;
	if (handover->failing || handover->alone) {
		/* SIGKILL cannot be refused, only be slow; until it has worked the state is not
		 * touched. */
		const struct city_tile_version *dying =
			handover->failing ? handover->b : handover->a;
		city_log(CITY_LOG_WARN, handover->tile->name, "pid %d does not die; waiting for it",
			dying ? dying->pid : 0);
		city_handover_set_timer(handover, KILL_MS);
		return 0;
	}
	if (handover->step == CITY_STEP_MIGRATE) {
		migrate_late(handover);
		return 0;
	}
	const char *late = city_steps[handover->step].late;
	if (late) {
		city_handover_fail(handover, "%s (%d ms)", late, step_limit(handover));
	} else {
		city_handover_step_late(handover);
	}
	return 0;
}

void city_handover_set_timer(struct city_handover *handover, int ms) {
	if (!handover->timer) {
		handover->timer = wl_event_loop_add_timer(
			handover->tile->tiles->server->loop, handle_timer, handover);
	}
	if (handover->timer) {
		wl_event_source_timer_update(handover->timer, ms);
	}
}

/* Should the compositor end now, the next one knows what was under way. */
static void note(const struct city_handover *handover) {
	if (!handover->start) {
		city_pending_put(handover->tile->tiles->server->desk,
			&(struct city_pending){
				.record = handover->record,
				.step = handover->step,
				.back = handover->back,
			});
	}
}

void city_handover_restart_timer(struct city_handover *handover) {
	city_handover_set_timer(handover, step_limit(handover));
}

void city_handover_set_step(struct city_handover *handover, enum city_step step) {
	handover->step = step;
	int64_t now = city_now_ns();
	city_record_step(&handover->record, city_steps[step].name, now);
	city_handover_set_timer(handover, step_limit(handover));
	if (handover->listener && handover->listener->progress) {
		handover->listener->progress(handover->data, city_steps[step].name, now);
	}
	if (handover->group) {
		city_group_progress(handover->group, now);
	}
	note(handover);
	city_witness_tell(&handover->tile->tiles->witness, handover);
}

void city_handover_stop_busy(struct city_handover *handover) {
	if (handover->busy) {
		handover->busy = false;
		city_server_busy_end(handover->tile->tiles->server);
	}
}

/* ---- requests */

bool city_handover_check(struct city_tile *tile, uint32_t strategy, const char *splice, char *error,
	size_t error_size) {
	if (tile->closing) {
		snprintf(error, error_size, "tile %s is being closed", tile->name);
		return false;
	}
	if (tile->damaged) {
		snprintf(error, error_size,
			"the state of tile %s is damaged; close it and open it anew", tile->name);
		return false;
	}
	if (strategy > CITY_STRATEGY_MELT) {
		snprintf(error, error_size, "strategy %u is not known", strategy);
		return false;
	}
	return city_splice_check(tile, splice, error, error_size);
}

struct city_handover *city_handover_create(struct city_tile *tile) {
	struct city_handover *handover = calloc(1, sizeof(*handover));
	if (!handover) {
		return NULL;
	}
	struct timespec wall;
	clock_gettime(CLOCK_REALTIME, &wall);
	handover->tile = tile;
	tile->tiles->handovers++;
	handover->artifact_fd = handover->track_fd = -1;
	handover->undo_fd = handover->ahead_fd = -1;
	struct city_record *record = &handover->record;
	record->wall_ns = (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec;
	record->begin_ns = city_now_ns();
	record->uuid = tile->uuid;
	record->pause_ns = record->state_bytes = record->migrated_bytes = -1;
	record->undo_pages = record->build_ns = record->rollback_ns = -1;
	record->splice_frame = record->sound_skipped = -1;
	record->strategy = record->strategy_asked = city_strategy_name(CITY_STRATEGY_AUTO);
	snprintf(record->tile, sizeof(record->tile), "%s", tile->name);
	snprintf(record->kind, sizeof(record->kind), "%s", tile->kind);
	return handover;
}

void city_handover_enqueue(struct city_handover *handover) {
	struct city_tile *tile = handover->tile;
	if (tile->restart_timer) {
		wl_event_source_remove(tile->restart_timer);
		tile->restart_timer = NULL;
	}
	struct city_handover *old = tile->next;
	tile->next = handover;
	note(handover);
	if (old) {
		city_handover_supersede(old);
	}
	city_handover_advance(tile);
}

struct city_handover *city_handover_make(
	struct city_tile *tile, const struct city_swap *swap, char *error, size_t error_size) {
	struct city_store *store = tile->tiles->store;
	int fd = -1;
	char hash[CITY_HASH_SIZE] = "";
	if (!city_handover_check(tile, swap->strategy, swap->splice, error, error_size)) {
		if (swap->artifact_fd >= 0) {
			close(swap->artifact_fd);
		}
		return NULL;
	}
	if (swap->artifact_fd >= 0) {
		fd = city_store_put(store, swap->artifact_fd, hash, error, error_size);
		close(swap->artifact_fd);
	} else {
		snprintf(hash, sizeof(hash), "%s", swap->hash);
		fd = city_store_open(store, hash, error, error_size);
	}
	struct city_handover *handover = fd >= 0 ? city_handover_create(tile) : NULL;
	if (!handover) {
		if (fd >= 0) {
			snprintf(error, error_size, "out of memory");
			close(fd);
		}
		return NULL;
	}
	handover->artifact_fd = fd;
	snprintf(handover->hash, sizeof(handover->hash), "%s", hash);
	handover->source = swap->source ? strdup(swap->source) : NULL;
	handover->force = swap->force;
	handover->state = swap->state;
	handover->lossy = swap->lossy;
	handover->back = swap->back;
	handover->asked = swap->strategy;
	struct city_record *record = &handover->record;
	snprintf(record->from, sizeof(record->from), "%s", tile->live ? tile->live->hash : "");
	record->id = city_history_next_id(tile->tiles->history);
	record->strategy_asked = city_strategy_name(swap->strategy);
	record->state = city_state_mode_name(swap->state);
	record->lossy = swap->lossy;
	record->build_ns = swap->build_ns;
	if (swap->begin_ns > 0) {
		record->wall_ns -= record->begin_ns - swap->begin_ns;
		record->begin_ns = swap->begin_ns;
		city_record_step(record, "build", swap->begin_ns);
	}
	snprintf(record->to, sizeof(record->to), "%s", hash);
	snprintf(record->origin, sizeof(record->origin), "%s", swap->origin);
	snprintf(record->splice_asked, sizeof(record->splice_asked), "%s", swap->splice);
	return handover;
}

bool city_handover_request(
	struct city_tile *tile, const struct city_swap *swap, char *error, size_t error_size) {
	struct city_handover *handover = city_handover_make(tile, swap, error, error_size);
	if (!handover) {
		return false;
	}
	handover->listener = swap->listener;
	handover->data = swap->data;
	city_handover_enqueue(handover);
	/* It may have failed already; its listener knows. */
	return true;
}

bool city_handover_start(struct city_tile *tile, const char *hash, char *error, size_t error_size) {
	int fd = city_store_open(tile->tiles->store, hash, error, error_size);
	struct city_handover *handover = fd >= 0 ? city_handover_create(tile) : NULL;
	if (!handover) {
		if (fd >= 0) {
			snprintf(error, error_size, "out of memory");
			close(fd);
		}
		return false;
	}
	handover->start = true;
	handover->artifact_fd = fd;
	handover->asked = CITY_STRATEGY_INSTANT;
	snprintf(handover->hash, sizeof(handover->hash), "%s", hash);
	handover->source = tile->source ? strdup(tile->source) : NULL;
	city_handover_enqueue(handover);
	return true;
}

const char *city_handover_source(const struct city_tile *tile) {
	const struct city_handover *both[] = {tile->next, tile->handover};
	for (size_t i = 0; i < 2; i++) {
		if (both[i] && !both[i]->failing && both[i]->source) {
			return both[i]->source;
		}
	}
	return city_tile_source(tile);
}

bool city_handover_brings(const struct city_tile *tile, const char *hash) {
	const struct city_handover *newest = tile->next ? tile->next : tile->handover;
	return newest && !newest->failing && strcmp(newest->hash, hash) == 0;
}

/* What the last compositor left of the handover that made `b` the newest version, if it did. */
static bool find_pending(
	struct city_tile *tile, const struct city_tile_version *b, struct city_pending *pending) {
	struct city_desk *desk = tile->tiles->server->desk;
	uint64_t id = 0;
	while (city_pending_next(desk, &tile->uuid, id, pending)) {
		id = pending->record.id;
		if (pending->record.epoch == b->epoch && strcmp(pending->record.to, b->hash) == 0) {
			return true;
		}
	}
	return false;
}

static struct city_handover *take_up(struct city_tile *tile, struct city_tile_version *a,
	struct city_tile_version *b, int undo_fd) {
	struct city_handover *handover = city_handover_create(tile);
	if (!handover) {
		close(undo_fd);
		return NULL;
	}
	handover->a = a;
	handover->b = b;
	handover->undo_fd = undo_fd;
	handover->spawned = handover->attach_sent = true;
	handover->strategy = CITY_STRATEGY_INSTANT;
	handover->step = CITY_STEP_ATTACH;
	snprintf(handover->hash, sizeof(handover->hash), "%s", b->hash);
	handover->source = b->source ? strdup(b->source) : NULL;
	struct city_record *record = &handover->record;
	struct city_pending pending;
	if (find_pending(tile, b, &pending)) {
		*record = pending.record;
		/* One that stood by has attached before that was heard of. */
		handover->step = pending.step < CITY_STEP_ATTACH ? CITY_STEP_ATTACH : pending.step;
		handover->back = pending.back;
		handover->had_a = *record->from != '\0';
		city_record_step(record, "return", city_now_ns());
	} else {
		/* A start has nothing to go back to, and its version is no other than the one that
		 * ran. */
		handover->start = !a && strcmp(b->hash, city_versions_good(&tile->good)) == 0;
		handover->had_a = !handover->start;
		record->epoch = b->epoch;
		record->strategy = city_strategy_name(handover->strategy);
		snprintf(record->from, sizeof(record->from), "%s", a ? a->hash : "");
		snprintf(record->to, sizeof(record->to), "%s", b->hash);
		snprintf(record->origin, sizeof(record->origin), "the compositor before");
	}
	if (!handover->start && record->id == 0) {
		record->id = city_history_next_id(tile->tiles->history);
	}
	tile->handover = handover;
	return handover;
}

struct city_handover *city_handover_go_on(struct city_tile *tile, struct city_tile_version *a,
	struct city_tile_version *b, int undo_fd, struct city_group **group) {
	struct city_handover *handover = take_up(tile, a, b, undo_fd);
	if (handover && group) {
		*group = city_group_join(*group, handover);
	}
	return handover;
}

bool city_handover_go_back(struct city_tile *tile, struct city_tile_version *a,
	struct city_tile_version *b, int undo_fd, const char *reason) {
	struct city_handover *handover = take_up(tile, a, b, undo_fd);
	if (handover) {
		tile->live = a;
		handover->shown = city_steps[handover->step].shown;
		city_handover_fail(handover, "%s", reason);
	}
	return handover != NULL;
}

void city_handover_end_left(struct city_tile *tile, const struct city_tile_version *live) {
	struct city_desk *desk = tile->tiles->server->desk;
	struct city_pending pending;
	uint64_t id = 0;
	while (city_pending_next(desk, &tile->uuid, id, &pending)) {
		struct city_record *record = &pending.record;
		id = record->id;
		if (tile->handover && tile->handover->record.id == id) {
			continue;
		}
		bool took = live && record->epoch != 0 && live->epoch == record->epoch &&
			strcmp(live->hash, record->to) == 0;
		if (took) {
			record->result = CITY_RESULT_LIVE;
		} else {
			record->result = city_steps[pending.step].shown ? CITY_RESULT_ROLLED_BACK
									: CITY_RESULT_FAILED;
			record->step = city_steps[pending.step].name;
			snprintf(record->reason, sizeof(record->reason),
				"the compositor ended before it was done");
		}
		if (!city_history_has(tile->tiles->history, id)) {
			city_handover_write_down(tile, record);
		}
		city_pending_drop(desk, id);
	}
}

void city_handover_unlisten(struct city_tiles *tiles, void *data) {
	struct city_tile *tile;
	wl_list_for_each(tile, &tiles->list, link) {
		struct city_handover *both[] = {tile->handover, tile->next};
		for (size_t i = 0; i < 2; i++) {
			if (both[i] && both[i]->data == data) {
				both[i]->listener = NULL;
				both[i]->data = NULL;
			}
			if (both[i] && both[i]->group) {
				city_group_unlisten(both[i]->group, data);
			}
		}
	}
}

/* ---- preparation */

static void prepare(struct city_handover *handover) {
	struct city_tile *tile = handover->tile;
	struct city_tiles *tiles = tile->tiles;
	handover->spawned = true;
	if (!handover->start) {
		/* From here to the end of the melt a frame that is missed counts. */
		handover->busy = true;
		city_server_busy_begin(tiles->server);
		if (handover->asked != CITY_STRATEGY_INSTANT && tiles->effects) {
			city_effects_prepare(
				tiles->effects, city_handover_program(handover->asked));
		}
	}
	if (!tile->handover && tile->state != CITY_TILE_STARTING) {
		city_tile_set_state(tile, CITY_TILE_HANDOVER);
	}
	city_handover_set_step(handover, CITY_STEP_SPAWN);
	int fd = handover->artifact_fd;
	handover->artifact_fd = -1;
	handover->b = city_version_create(tile, handover->hash, handover->source, fd);
	if (!handover->b) {
		city_handover_fail(handover, "its process cannot be started: %s", strerror(errno));
		return;
	}
	if (handover->asked == CITY_STRATEGY_RESET) {
		handover->state = CITY_STATE_RESET;
		handover->record.state = city_state_mode_name(handover->state);
	}
	handover->b->state_mode = handover->state;
	handover->b->lossy = handover->lossy;
	/* Whose schemas the state has: only its edges lead the way back. */
	const char *ran = tile->live ? tile->live->hash : tile->last;
	if (*ran && strcmp(ran, handover->hash) != 0) {
		char error[256];
		handover->b->lineage_fd = city_store_open(tiles->store, ran, error, sizeof(error));
	}
}

/* Of a version that takes over from none that yielded. */
static uint32_t attach_reason(const struct city_handover *handover) {
	struct vat_region *region = city_tile_region(handover->tile);
	if (region && vat_region_cell_count(region) == 0) {
		return SOURCE_CITY_TILE_V1_ATTACH_REASON_COLD;
	}
	/* A that ran but did not yield has left its state like one that crashed. */
	if (handover->had_a || handover->start ||
		strcmp(handover->hash, handover->tile->last) == 0) {
		return SOURCE_CITY_TILE_V1_ATTACH_REASON_RESTART;
	}
	return SOURCE_CITY_TILE_V1_ATTACH_REASON_HANDOVER;
}

void city_handover_attach(struct city_handover *handover, bool yielded) {
	uint32_t reason =
		yielded ? SOURCE_CITY_TILE_V1_ATTACH_REASON_HANDOVER : attach_reason(handover);
	struct city_tile *tile = handover->tile;
	handover->attach_sent = true;
	if (!handover->stands_by) {
		handover->record.epoch = ++tile->epoch;
	}
	/* Nothing slow before this: A has stopped, and B may not have begun. */
	city_version_send_attach(handover->b, reason, handover->record.epoch, handover->undo_fd);
	city_handover_set_step(handover, CITY_STEP_ATTACH);
}

void city_handover_decide(const struct city_handover *handover, const struct city_tile_version *a,
	struct city_decision *decision) {
	const struct city_tile *tile = handover->tile;
	enum city_strategy configured = city_tile_strategy(tile);
	bool animations = tile->tiles->server->config->animations;
	*decision = (struct city_decision){.strategy = handover->asked};
	if (handover->asked != CITY_STRATEGY_AUTO) {
		snprintf(decision->reason, sizeof(decision->reason), "asked for");
	} else if (!a) {
		decision->strategy = city_policy_look(CITY_STRATEGY_INSTANT, animations);
		snprintf(decision->reason, sizeof(decision->reason), "nothing ran");
	} else if (configured != CITY_STRATEGY_AUTO) {
		decision->strategy = configured;
		snprintf(decision->reason, sizeof(decision->reason), "the configuration says so");
	} else {
		struct city_difference difference;
		city_policy_compare(&a->traits, &handover->b->traits, &difference);
		city_policy_choose(&difference, decision);
		decision->strategy = city_policy_look(decision->strategy, animations);
	}
}

static void decide(struct city_handover *handover) {
	const struct city_tile *tile = handover->tile;
	struct city_record *record = &handover->record;
	struct city_decision decision;
	city_handover_decide(handover, handover->a, &decision);
	handover->strategy = decision.strategy;
	record->strategy = city_strategy_name(decision.strategy);
	snprintf(record->strategy_reason, sizeof(record->strategy_reason), "%s", decision.reason);
	if (!handover->start && tile->tiles->effects) {
		city_effects_prepare(
			tile->tiles->effects, city_handover_program(decision.strategy));
	}
}

bool city_handover_version_prepare(struct city_tile_version *version) {
	struct city_tile *tile = version->tile;
	struct city_handover *handover = tile->next;
	struct vat_region *region = tile->live ? city_tile_region(tile) : NULL;
	if (!region || !handover || handover->b != version || handover->failing) {
		return false;
	}
	/* What cannot be made now is tried again when its turn comes. */
	handover->ahead_fd = vat_undo_create(region, NULL);
	if (handover->ahead_fd < 0 || !city_version_send_prepare(version, handover->ahead_fd)) {
		return false;
	}
	version->state = CITY_VERSION_PREPARING;
	return true;
}

/* B stands by, if it and A can: A's end of the baton, or -1. Of several tiles none may go on before
 * all have given up their cells. */
static int stand_by(struct city_handover *handover) {
	int ends[2];
	if (!handover->a || handover->group ||
		!city_version_can_pass_baton(handover->a, handover->b) ||
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0) {
		return -1;
	}
	handover->stands_by = true;
	handover->record.epoch = ++handover->tile->epoch;
	city_version_send_stand_by(handover->b, handover->record.epoch, handover->undo_fd, ends[1]);
	close(ends[1]);
	return ends[0];
}

/* Unlike wl_display_flush_clients it destroys nobody who has gone. */
static void flush_all(struct wl_display *display) {
	struct wl_client *client;
	wl_client_for_each(client, wl_display_get_client_list(display)) {
		wl_client_flush(client);
	}
}

/* The splice point: from here on it is this handover's turn. */
void city_handover_splice(struct city_handover *handover) {
	struct city_tile *tile = handover->tile;
	tile->next = NULL;
	tile->handover = handover;
	handover->a = tile->live;
	handover->had_a = handover->a != NULL;
	snprintf(handover->record.from, sizeof(handover->record.from), "%s",
		handover->a ? handover->a->hash : "");
	if (tile->state != CITY_TILE_STARTING) {
		city_tile_set_state(tile, CITY_TILE_HANDOVER);
	}
	if (!handover->start && !handover->busy) {
		/* It has waited. */
		handover->busy = true;
		city_server_busy_begin(tile->tiles->server);
	}
	city_handover_set_step(handover, CITY_STEP_SPLICE);
	city_handover_met(handover);

	struct vat_region *region = city_tile_region(tile);
	if (!region) {
		city_handover_fail(handover, "the tile's state cannot be read");
		return;
	}
	uint64_t epoch = vat_region_epoch(region);
	handover->old_epoch = epoch;
	tile->epoch = epoch > tile->epoch ? epoch : tile->epoch;
	struct vat_error error;
	handover->undo_fd = handover->ahead_fd;
	handover->ahead_fd = -1;
	if (handover->undo_fd < 0) {
		handover->undo_fd = vat_undo_create(region, &error);
	}
	if (handover->undo_fd < 0) {
		city_handover_fail(handover, "no memory to keep the old state: %s", error.text);
		return;
	}
	/* What it has waited for may have changed what it prepared for. */
	if (handover->a && city_now_ns() > handover->ready_ns + AT_ONCE_NS) {
		city_version_send_prepare(handover->b, handover->undo_fd);
	}
	/* First, so that it has woken up when A gets to know. */
	int baton_fd = stand_by(handover);
	decide(handover);
	/* From here on the next compositor could go on with it, should this one end. */
	city_keeper_keep(tile->tiles->keeper, &tile->uuid, KEEPER_UNDO, handover->undo_fd);
	if (!handover->a) {
		if (handover->b->surface) {
			handover->input = city_input_redirect(
				tile, tile->held_input, NULL, handover->b->surface);
			tile->held_input = NULL;
		}
		city_handover_attach(handover, false);
		return;
	}
	city_handover_set_step(handover, CITY_STEP_MIGRATE);
	flush_all(tile->tiles->server->display);
	if (baton_fd >= 0) {
		city_version_send_baton(handover->a, baton_fd);
		close(baton_fd);
	}
	city_version_send_migrate(handover->a, tile->tiles->limits.migrate_ms);
	/* A hears of this last: it gives up its state as one that has the focus. */
	if (handover->a->surface && handover->b->surface) {
		handover->input =
			city_input_redirect(tile, NULL, handover->a->surface, handover->b->surface);
	}
	/* All else is done before A stands still: its answer is the next thing seen to. */
	wl_client_flush(handover->b->client);
	wl_client_flush(handover->a->client);
}

static int dying(const struct city_tile *tile) {
	int count = 0;
	const struct city_tile_version *version;
	wl_list_for_each(version, &tile->versions, link) {
		count += version->state == CITY_VERSION_DYING;
	}
	return count;
}

/* Of requests that come at once only the newest gets a process. */
static void handle_prepare(void *data) {
	struct city_tile *tile = data;
	tile->prepare_idle = NULL;
	struct city_handover *next = tile->next, *current = tile->handover;
	if (next && !next->spawned && !next->failing && !tile->closing &&
		(!current || (current->shown && !current->failing))) {
		prepare(next);
	}
}

void city_handover_advance(struct city_tile *tile) {
	struct city_handover *next = tile->next;
	if (!next || next->failing || tile->closing || !tile->region || tile->rejoins) {
		return;
	}
	struct city_handover *current = tile->handover;
	if (!next->spawned) {
		/* Nothing may disturb the pause of another. */
		bool quiet = !current || (current->shown && !current->failing);
		if (quiet && !tile->prepare_idle && dying(tile) < DYING_MAX) {
			tile->prepare_idle = wl_event_loop_add_idle(
				tile->tiles->server->loop, handle_prepare, tile);
		}
		return;
	}
	city_handover_track_advance(next);
	if ((next->step != CITY_STEP_WARM && next->step != CITY_STEP_WAIT) || !next->b ||
		next->b->state != CITY_VERSION_READY) {
		return;
	}
	if (current) {
		city_handover_hasten(current);
		return;
	}
	/* It has not yet answered a migrate that came to nothing. */
	if (tile->live && tile->live->state != CITY_VERSION_LIVE) {
		return;
	}
	/* Nobody may be left who still writes into the region. */
	if (city_handover_track_busy(tile)) {
		return;
	}
	if (next->group) {
		city_group_splice(next->group);
	} else if (city_handover_await(&next, 1)) {
		city_handover_splice(next);
	}
}

void city_handover_kick(struct city_tile *tile) {
	city_handover_advance(tile);
}

void city_handover_abandon(struct city_tile *tile) {
	struct city_handover *both[] = {tile->handover, tile->next};
	tile->handover = tile->next = NULL;
	for (size_t i = 0; i < 2; i++) {
		if (!both[i]) {
			continue;
		}
		if (both[i]->listener) {
			both[i]->listener->ended(both[i]->data, CITY_RESULT_FAILED,
				city_steps[both[i]->step].name, "the tile was closed", NULL);
		}
		if (both[i]->group) {
			both[i]->record.step = city_steps[both[i]->step].name;
			snprintf(both[i]->record.reason, sizeof(both[i]->record.reason),
				"the tile was closed");
			both[i]->failing = true;
			city_group_fail(both[i]);
			city_group_leave(both[i], CITY_RESULT_FAILED, NULL);
		}
		city_handover_free(both[i]);
	}
}
