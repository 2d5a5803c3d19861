/* SPDX-License-Identifier: MIT */
/* The surface as a tile of the city, and this version's part in handovers. */
#include "host.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "log.h"
#include "schedule.h"
#include "source-city-tile-v1-client-protocol.h"

/* A processor that sleeps takes longer to wake up than all else that happens in the pause. The
 * version before has one update to finish, and maybe one to make. */
#define STAY_AWAKE_NS 3000000
/* Longer than that without having looked, and somebody else has had the processor. */
#define ALONE_NS 100000
/* What the successor gets to take over before others hear of it; it needs a tenth of that. */
#define TAKEN_MS 2

static uint32_t high(uint64_t value) {
	return value >> 32;
}

static uint32_t low(uint64_t value) {
	return value;
}

static uint64_t join(uint32_t hi, uint32_t lo) {
	return (uint64_t)hi << 32 | lo;
}

static void handle_configure(void *data, struct source_city_tile_v1 *tile, uint32_t serial,
	int32_t width, int32_t height) {
	host_surface_configure(data, serial, width, height);
}

static void drop_fd(int *fd) {
	if (*fd >= 0) {
		close(*fd);
		*fd = -1;
	}
}

static void refuse(struct host *host, const char *why) {
	city_log(CITY_LOG_INFO, host->name, "does not yield: %s", why);
	drop_fd(&host->baton_fd);
	source_city_tile_v1_refused(host->wl_tile, host->migrate_serial, why);
}

/* The successor need not wait for the compositor to hear of it; and while it takes over, whoever
 * would be woken by that has no processor to take from it. Too late, the compositor decides. */
static void pass_baton(struct host *host) {
	const char given = 1;
	struct pollfd taken = {.fd = host->baton_fd, .events = POLLIN};
	bool in_time = host_monotonic() + TAKEN_MS * 1000000 < host->migrate_deadline;
	if (in_time && taken.fd >= 0 && send(taken.fd, &given, sizeof(given), MSG_NOSIGNAL) > 0) {
		poll(&taken, 1, TAKEN_MS);
	}
	drop_fd(&host->baton_fd);
}

static void yield(struct host *host) {
	char why[HOST_WHY_SIZE] = "it does not run";
	/* What is due now would have to wait for the successor. */
	host_update_if_due(host);
	if (host->state == HOST_LIVE) {
		host_tail_prepare(host);
	}
	uint64_t now = host_monotonic();
	uint64_t left = host->migrate_deadline > now ? host->migrate_deadline - now : 0;
	if (host->state != HOST_LIVE ||
		!host_state_yield(host, host_now(host) + left, why, sizeof(why))) {
		host_sound_go_on(host);
		refuse(host, why);
		return;
	}
	host_tail_begin(host);
	pass_baton(host);
	uint64_t end = host->yielded_at;
	uint64_t updates = vat_region_get(host->region, VAT_UPDATES);
	source_city_tile_v1_yielded(host->wl_tile, host->migrate_serial, high(end), low(end),
		high(updates), low(updates));
	wl_display_flush(host->display);
	if (host->updated_at != 0) {
		city_log(CITY_LOG_DEBUG, host->name,
			"its last update ended %lu us before it yielded",
			(unsigned long)(end - host->updated_at) / 1000);
	}
	host_state_leave(host);
	host_tail_start(host);
}

static void handle_migrate(
	void *data, struct source_city_tile_v1 *tile, uint32_t serial, uint32_t deadline_us) {
	struct host *host = data;
	uint64_t now = host_monotonic();
	host->migrate_serial = serial;
	host->migrate_deadline = now + deadline_us * 1000ull;
	host->migrate_refuse_at = now + deadline_us * 500ull;
	/* Only this version knows what it has asked for: nobody else could take it over. */
	host->migrating = host->state == HOST_LIVE && host_selection_receiving(host);
	if (!host->migrating) {
		yield(host);
	}
}

void host_tile_role_advance(struct host *host) {
	if (!host->migrating) {
		return;
	}
	if (!host_selection_receiving(host)) {
		host->migrating = false;
		yield(host);
	} else if (host_monotonic() >= host->migrate_refuse_at) {
		host->migrating = false;
		host_sound_go_on(host);
		refuse(host, "the text of a paste is still on its way");
	}
}

uint64_t host_tile_role_deadline(const struct host *host) {
	return host->migrating ? host->migrate_refuse_at : HOST_NEVER;
}

static void first_frame(struct host *host) {
	host->attaching = false;
	if (*host->title && !host->title_told) {
		host->title_told = true;
		host->role->set_title(host, host->title);
	}
	host_surface_apply_size(host);
	host_surface_damage_all(host);
	host_surface_draw(host, true);
	wl_display_flush(host->display);
	host_input_flush(host);
	/* Attaching has limits of its own. */
	host_turn_begin(host);
}

void host_tile_role_late(struct host *host, uint64_t busy_ns) {
	if (host->wl_tile &&
		source_city_tile_v1_get_version(host->wl_tile) >=
			SOURCE_CITY_TILE_V1_LATE_SINCE_VERSION) {
		source_city_tile_v1_late(host->wl_tile, busy_ns / 1000);
	}
}

/* ---- taking over */

/* Ends standing by; what came of it stays as it is. */
static void stand_down(struct host *host) {
	drop_fd(&host->stand_by.baton_fd);
	drop_fd(&host->stand_by.undo_fd);
	host->stand_by.taken = false;
}

/* Takes undo_fd. 0, with the reason in `why`, if it could not; otherwise when it had. */
static uint64_t take(struct host *host, uint32_t reason, uint64_t epoch, int undo_fd, char *why,
	size_t why_size) {
	host->attaching = true;
	if (!host_state_attach(host, reason, epoch, undo_fd, why, why_size)) {
		return 0;
	}
	uint64_t first = host->attached_at = host_monotonic();
	host_update_if_due(host);
	return first;
}

int host_tile_role_baton(const struct host *host) {
	return host->stand_by.baton_fd;
}

bool host_tile_role_stays_awake(struct host *host) {
	uint64_t now = host_monotonic(), before = host->stand_by.awake_at;
	host->stand_by.awake_at = now;
	/* Somebody else wants the processor: whoever sleeps is let in sooner than who has had it.
	 */
	if (now > before + ALONE_NS) {
		host->stand_by.awake_until = 0;
	}
	return host->stand_by.baton_fd >= 0 && now < host->stand_by.awake_until;
}

void host_tile_role_take(struct host *host) {
	char byte;
	ssize_t size = recv(host->stand_by.baton_fd, &byte, sizeof(byte), MSG_DONTWAIT);
	if (size <= 0) {
		if (size == 0 || (errno != EAGAIN && errno != EINTR)) {
			/* It was not given: attach will say what happens. */
			stand_down(host);
		}
		return;
	}
	/* It has been woken up; what comes now may take its time. */
	city_schedule_again();
	uint64_t given = host_monotonic();
	int undo_fd = host->stand_by.undo_fd;
	host->stand_by.undo_fd = -1;
	host->stand_by.taken = true;
	host->stand_by.first_ns = take(host, SOURCE_CITY_TILE_V1_ATTACH_REASON_HANDOVER,
		host->stand_by.epoch, undo_fd, host->stand_by.why, sizeof(host->stand_by.why));
	send(host->stand_by.baton_fd, &byte, sizeof(byte), MSG_NOSIGNAL | MSG_DONTWAIT);
	drop_fd(&host->stand_by.baton_fd);
	city_log(CITY_LOG_DEBUG, host->name, "%s in %lu us",
		host->stand_by.first_ns != 0 ? "took over" : "could not take over",
		(unsigned long)(host_monotonic() - given) / 1000);
}

static void handle_stand_by(void *data, struct source_city_tile_v1 *tile, uint32_t serial,
	uint32_t epoch_hi, uint32_t epoch_lo, int32_t undo_fd, int32_t baton_fd) {
	struct host *host = data;
	if (host->state != HOST_READY || host->stand_by.taken) {
		city_log(CITY_LOG_WARN, host->name, "was told to stand by, but is not ready");
		close(undo_fd);
		close(baton_fd);
		return;
	}
	stand_down(host);
	host->stand_by.serial = serial;
	host->stand_by.epoch = join(epoch_hi, epoch_lo);
	host->stand_by.undo_fd = undo_fd;
	host->stand_by.baton_fd = baton_fd;
	host->stand_by.awake_at = host_monotonic();
	host->stand_by.awake_until =
		city_schedule_has_company() ? host->stand_by.awake_at + STAY_AWAKE_NS : 0;
}

static void tell_attached(struct host *host, uint32_t serial, uint64_t first) {
	struct source_city_tile_v1 *tile = host->wl_tile;
	if (*host->lost &&
		source_city_tile_v1_get_version(tile) >= SOURCE_CITY_TILE_V1_LOST_SINCE_VERSION) {
		source_city_tile_v1_lost(tile, host->lost);
	}
	if (source_city_tile_v1_get_version(tile) >= SOURCE_CITY_TILE_V1_CONTINUITY_SINCE_VERSION) {
		source_city_tile_v1_continuity(tile, high((uint64_t)host->gap_ns),
			low((uint64_t)host->gap_ns), host->phase_error, high(host->bytes_had),
			low(host->bytes_had), high(host->bytes_kept), low(host->bytes_kept));
	}
	source_city_tile_v1_attached(tile, serial, high(first), low(first), high(host->state_bytes),
		low(host->state_bytes), high(host->migrated_bytes), low(host->migrated_bytes));
	/* At once: should drawing crash or hang, it is known that attaching did not. */
	wl_display_flush(host->display);
}

static void handle_attach(void *data, struct source_city_tile_v1 *tile, uint32_t serial,
	uint32_t reason, uint32_t epoch_hi, uint32_t epoch_lo, uint32_t undo, int32_t undo_fd) {
	struct host *host = data;
	char why[HOST_WHY_SIZE];
	bool taken = host->stand_by.taken;
	uint64_t first = host->stand_by.first_ns;
	stand_down(host);
	if (!undo || taken) {
		drop_fd(&undo_fd);
	}
	if (taken && serial != host->stand_by.serial) {
		snprintf(
			why, sizeof(why), "it is to attach to something else than it stood by for");
		first = 0;
	} else if (taken) {
		snprintf(why, sizeof(why), "%s", host->stand_by.why);
	} else if (host->state != HOST_READY) {
		city_log(CITY_LOG_WARN, host->name, "was told to attach, but is not ready for it");
		drop_fd(&undo_fd);
		return;
	} else {
		first = take(host, reason, join(epoch_hi, epoch_lo), undo_fd, why, sizeof(why));
	}
	if (first == 0) {
		host_tile_role_failed(host, HOST_STEP_ATTACH, why);
		return;
	}
	tell_attached(host, serial, first);
	host_streams_fetch(host);
	host_sound_run(host);
	first_frame(host);
	host_build_tell(host);
	host_build_drop(host);
}

static void handle_resume(
	void *data, struct source_city_tile_v1 *tile, uint32_t epoch_hi, uint32_t epoch_lo) {
	struct host *host = data;
	host_shadow_end(host);
	if (host->state != HOST_YIELDED) {
		return;
	}
	char why[HOST_WHY_SIZE];
	if (!host_state_resume(host, join(epoch_hi, epoch_lo), why, sizeof(why))) {
		host_tile_role_failed(host, HOST_STEP_ATTACH, why);
		return;
	}
	host_update_if_due(host);
	first_frame(host);
}

static void handle_settle(void *data, struct source_city_tile_v1 *tile) {
	host_state_settle(data);
}

static void handle_check(void *data, struct source_city_tile_v1 *tile, uint32_t serial) {
	char why[HOST_WHY_SIZE];
	bool ok = host_state_check(data, why, sizeof(why));
	source_city_tile_v1_checked(tile, serial, ok, ok ? "" : why);
}

static void handle_shadow(void *data, struct source_city_tile_v1 *tile, int32_t undo_fd) {
	struct host *host = data;
	char why[HOST_WHY_SIZE];
	if (host->state != HOST_YIELDED) {
		city_log(CITY_LOG_WARN, host->name, "was told to be a shadow, but has not yielded");
	} else if (host_shadow_begin(host, undo_fd, why, sizeof(why))) {
		host_update_if_due(host);
		first_frame(host);
	} else {
		city_log(CITY_LOG_WARN, host->name, "its last picture stays: %s", why);
	}
	close(undo_fd);
}

static void handle_freeze(void *data, struct source_city_tile_v1 *tile) {
	host_shadow_end(data);
}

static void handle_retire(void *data, struct source_city_tile_v1 *tile) {
	host_tail_finish(data);
	host_quit(data, 0);
}

static void handle_state(
	void *data, struct source_city_tile_v1 *tile, uint32_t mode, uint32_t lossy) {
	struct host *host = data;
	host->state_mode = mode;
	host->lossy = lossy;
}

static void handle_lineage(void *data, struct source_city_tile_v1 *tile, int32_t artifact) {
	struct host *host = data;
	drop_fd(&host->lineage_fd);
	host->lineage_fd = artifact;
}

static void handle_snapshot(
	void *data, struct source_city_tile_v1 *tile, uint32_t ok, int32_t log_fd) {
	struct host *host = data;
	if (host->snapshot != HOST_SNAPSHOT_ASKED || ok != 1) {
		close(log_fd);
		log_fd = -1;
	}
	host->snapshot_fd = log_fd;
	host->snapshot = log_fd >= 0 ? HOST_SNAPSHOT_TAKEN : HOST_SNAPSHOT_REFUSED;
}

static void handle_track(void *data, struct source_city_tile_v1 *tile, uint32_t room_hi,
	uint32_t room_lo, int32_t log_fd) {
	struct host *host = data;
	bool ok = host_track_for_successor(host, join(room_hi, room_lo), log_fd);
	close(log_fd);
	source_city_tile_v1_tracking(tile, ok);
	wl_display_flush(host->display);
}

static void handle_untrack(void *data, struct source_city_tile_v1 *tile) {
	struct host *host = data;
	if (host->state == HOST_LIVE) {
		host_track_end(host, HOST_TRACK_HANDOVER);
	}
}

/* What comes of it is time: without it all of that is done when the version attaches. */
static void handle_prepare(void *data, struct source_city_tile_v1 *tile, int32_t undo_fd) {
	struct host *host = data;
	if (host->state == HOST_READY) {
		host_streams_look(host);
		vat_barrier_prepare(host->region, undo_fd, NULL);
		host_state_prepare(host);
	}
	close(undo_fd);
	if (source_city_tile_v1_get_version(tile) >= SOURCE_CITY_TILE_V1_PREPARED_SINCE_VERSION) {
		source_city_tile_v1_prepared(tile);
	}
}

static void handle_sound_end(void *data, struct source_city_tile_v1 *tile, uint32_t serial,
	uint32_t frame_hi, uint32_t frame_lo, uint32_t ahead, uint32_t fade) {
	struct host *host = data;
	if (host->state == HOST_LIVE && !host->shadow.on) {
		host_sound_end(host, serial, join(frame_hi, frame_lo), ahead, fade);
	}
}

static void handle_sound_go_on(void *data, struct source_city_tile_v1 *tile) {
	host_sound_go_on(data);
}

static void handle_baton(void *data, struct source_city_tile_v1 *tile, int32_t baton_fd) {
	struct host *host = data;
	drop_fd(&host->baton_fd);
	host->baton_fd = baton_fd;
}

static const struct source_city_tile_v1_listener tile_listener = {
	.configure = handle_configure,
	.migrate = handle_migrate,
	.attach = handle_attach,
	.resume = handle_resume,
	.settle = handle_settle,
	.check = handle_check,
	.retire = handle_retire,
	.state = handle_state,
	.lineage = handle_lineage,
	.snapshot = handle_snapshot,
	.track = handle_track,
	.untrack = handle_untrack,
	.shadow = handle_shadow,
	.freeze = handle_freeze,
	.prepare = handle_prepare,
	.sound_end = handle_sound_end,
	.sound_go_on = handle_sound_go_on,
	.stand_by = handle_stand_by,
	.baton = handle_baton,
};

static void ack_configure(struct host *host, uint32_t serial) {
	source_city_tile_v1_ack_configure(host->wl_tile, serial);
}

/* Without a compositor a title waits for the next one; a bell and a link are of the moment. */

static void set_title(struct host *host, const char *title) {
	if (host->wl_tile) {
		source_city_tile_v1_set_title(host->wl_tile, title);
	}
}

static void bell(struct host *host) {
	if (host->wl_tile) {
		source_city_tile_v1_bell(host->wl_tile);
	}
}

static void open_uri(struct host *host, const char *uri) {
	if (host->wl_tile) {
		source_city_tile_v1_open_uri(host->wl_tile, uri);
	}
}

const struct host_role host_tile_role = {
	.ack_configure = ack_configure,
	.set_title = set_title,
	.bell = bell,
	.open_uri = open_uri,
};

void host_tile_role_init(struct host *host) {
	host->role = &host_tile_role;
	host->wl_tile = source_city_tile_manager_v1_get_tile(host->tile_manager, host->surface);
	source_city_tile_v1_add_listener(host->wl_tile, &tile_listener, host);
}

void host_tile_role_describe(struct host *host) {
	const struct tile_descriptor *tile = &host->report.tile;
	source_city_tile_v1_describe(host->wl_tile, tile->name, tile->role, tile->summary,
		tile->abi_version, tile->default_width, tile->default_height);
}

void host_tile_role_ready(struct host *host) {
	host->state = HOST_READY;
	source_city_tile_v1_ready(host->wl_tile);
}

void host_tile_role_rejoin(struct host *host) {
	uint32_t standing = SOURCE_CITY_TILE_V1_STANDING_FROZEN;
	if (host->state == HOST_LIVE) {
		standing = host->undo_fd >= 0 ? SOURCE_CITY_TILE_V1_STANDING_PROBATION
					      : SOURCE_CITY_TILE_V1_STANDING_LIVE;
	}
	source_city_tile_v1_rejoin(host->wl_tile, standing, high(host->epoch), low(host->epoch));
	if (*host->title) {
		source_city_tile_v1_set_title(host->wl_tile, host->title);
	}
}

void host_tile_role_failed(struct host *host, enum host_step step, const char *reason) {
	city_log(CITY_LOG_ERROR, host->name, "%s", reason);
	host->state = HOST_FAILED;
	if (host->wl_tile) {
		source_city_tile_v1_failed(host->wl_tile, step, reason);
		/* It must be there before the end of this process is noticed. */
		wl_display_roundtrip(host->display);
	}
	host_quit(host, 1);
}

void host_tile_role_finish(struct host *host) {
	host->migrating = false;
	if (host->stand_by.taken && host->state == HOST_LIVE) {
		/* The next compositor finds it as one that has attached. */
		host->attaching = false;
		host_streams_fetch(host);
		host_build_drop(host);
	}
	stand_down(host);
	drop_fd(&host->baton_fd);
	if (host->wl_tile) {
		source_city_tile_v1_destroy(host->wl_tile);
		host->wl_tile = NULL;
	}
	drop_fd(&host->lineage_fd);
}
