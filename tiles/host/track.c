/* SPDX-License-Identifier: MIT */
/*
 * The write barrier of probation, armed on a version that is live: whoever has the region and the
 * log then has the state of one moment, however long the copy takes and whatever the tile does
 * meanwhile. The tile waits for the arming alone.
 */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

static bool refuse(char *why, size_t why_size, int *error, int code, const char *reason) {
	snprintf(why, why_size, "%s", reason);
	*error = code;
	return false;
}

bool host_track_begin(struct host *host, enum host_tracker tracker, int undo_fd, int *error,
	char *why, size_t why_size) {
	if (host->state != HOST_LIVE || host->shadow.on) {
		return refuse(why, why_size, error, ESTALE, "this version is not the live one");
	}
	if (host->operation) {
		return refuse(why, why_size, error, EAGAIN, "it is in the middle of an operation");
	}
	if (host->undo_fd >= 0 || vat_region_has_previous(host->region)) {
		return refuse(why, why_size, error, EBUSY, "it is on probation");
	}
	/* A keeper that asks again has forgotten the first time. */
	if (host->tracker > tracker || host->tracker == HOST_TRACK_HANDOVER) {
		return refuse(why, why_size, error, EBUSY, "its state is being copied already");
	}
	host_track_end(host, HOST_TRACK_NONE);
	/* The clock of whoever starts from the copy goes on from here. */
	vat_region_set(host->region, VAT_CLOCK, host_now(host));
	struct vat_error failure;
	int rc = vat_barrier_begin_live(host->region, undo_fd, &failure);
	if (rc < 0) {
		return refuse(why, why_size, error, -rc, failure.text);
	}
	host->tracker = tracker;
	host->tracked_generation = vat_region_generation(host->region);
	if (tracker == HOST_TRACK_CHECKPOINT) {
		host->told_changed = false;
	}
	return true;
}

void host_track_end(struct host *host, enum host_tracker tracker) {
	if (host->tracker == HOST_TRACK_NONE ||
		(tracker != HOST_TRACK_NONE && tracker != host->tracker)) {
		return;
	}
	enum host_tracker tracker_was = host->tracker;
	host->tracker = HOST_TRACK_NONE;
	struct vat_error error;
	if (vat_barrier_end(host->region, &error) < 0) {
		city_log(CITY_LOG_WARN, host->name, "%s", error.text);
		return;
	}
	/* Cells that were resized meanwhile have left their old places behind, and a successor that
	 * came to nothing what it had built. */
	if ((tracker_was == HOST_TRACK_HANDOVER ||
		    vat_region_generation(host->region) != host->tracked_generation) &&
		vat_region_forget_previous(host->region, &error) < 0) {
		city_log(CITY_LOG_WARN, host->name, "%s", error.text);
	}
}

bool host_track_for_successor(struct host *host, uint64_t room, int undo_fd) {
	char why[HOST_WHY_SIZE] = "a handover is under way";
	int error;
	struct vat_error failure;
	if (host->state == HOST_LIVE && host->undo_fd < 0 && host->tracker != HOST_TRACK_HANDOVER) {
		/* Under a barrier nothing is given room below it. */
		host_track_end(host, HOST_TRACK_NONE);
		if (vat_region_make_room(host->region, room, &failure) < 0) {
			snprintf(why, sizeof(why), "%s", failure.text);
		} else if (host_track_begin(
				   host, HOST_TRACK_HANDOVER, undo_fd, &error, why, sizeof(why))) {
			return true;
		}
	}
	city_log(CITY_LOG_INFO, host->name, "its successor builds in the pause: %s", why);
	return false;
}

void host_track_handle(struct host *host, const struct keeper_message *message, int undo_fd) {
	if (message->type == KEEPER_TRACK_END) {
		host_track_end(host, HOST_TRACK_CHECKPOINT);
		return;
	}
	struct keeper_message *answer = calloc(1, sizeof(*answer));
	if (!answer) {
		return; /* the keeper notices that nothing comes */
	}
	char why[256] = "no undo log came with the request";
	int error = EINVAL;
	answer->type = KEEPER_TRACKED;
	answer->instance = host->assume->instance;
	answer->uuid = host->assume->uuid;
	uint64_t began = host_monotonic();
	if (undo_fd < 0 ||
		!host_track_begin(host, HOST_TRACK_CHECKPOINT, undo_fd, &error, why, sizeof(why))) {
		answer->status = error;
		keeper_wire_add(answer, why);
	}
	answer->size = host_monotonic() - began;
	if (keeper_wire_send(host->keeper_fd, answer, NULL, 0) < 0) {
		city_log(CITY_LOG_WARN, host->name, "the keeper cannot be told: %s",
			strerror(errno));
		host_track_end(host, HOST_TRACK_CHECKPOINT);
	}
	free(answer);
}

static void tell_changed(struct host *host, bool settled) {
	if (host->keeper_fd < 0 || (host->told_changed && !settled)) {
		return;
	}
	static struct keeper_message message; /* large; one thread */
	message.type = KEEPER_CHANGED;
	message.status = settled;
	message.instance = host->assume->instance;
	message.uuid = host->assume->uuid;
	/* Where the keeper does not read now, the next operation tells. */
	host->told_changed = keeper_wire_send(host->keeper_fd, &message, NULL, 0) == 0;
}

void host_track_changed(struct host *host, bool settled) {
	if (host->state == HOST_LIVE && host->undo_fd < 0 && !host->shadow.on) {
		tell_changed(host, settled);
	}
}

void host_track_left(struct host *host) {
	if (!host->shadow.on) {
		tell_changed(host, false);
	}
}
