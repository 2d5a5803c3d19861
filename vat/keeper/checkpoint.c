/* SPDX-License-Identifier: MIT */
/*
 * Checkpoints. A tile says once that its state has changed; some time later it is asked to arm its
 * write barrier, a child of ours writes the state of that moment to disk, and the barrier is taken
 * down. Nothing is planned for a tile that says nothing: an idle city does not wake up.
 *
 * At most one checkpoint of a tile is under way: idle -> asked (tracker) -> saving (tracker,
 * saver) -> idle. A tile that has no process is saved without asking anybody.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "log.h"

#define SECOND_NS 1000000000ull
/* After a probation: handovers in a row do not get into each other's way with this, and what the
 * compositor writes about the version is on disk before a state that may fit no other. */
#define SETTLED_NS (1 * SECOND_NS)
/* A tile in a handover, or in the middle of an operation. */
#define BUSY_RETRY_NS (1 * SECOND_NS)
/* A disk that is full, or cannot be written. */
#define FAILED_RETRY_NS (20 * SECOND_NS)
/* What somebody who asked waits for a tile that does not answer. */
#define ASK_LIMIT_NS (10 * SECOND_NS)
/* Of the last checkpoint, at the end of the city. */
#define LAST_TRIES 3
/* Bytes a second that one tile writes in the long run: disks wear out. */
#define BYTES_PER_SECOND (8u << 20)

void keeper_checkpoint_init(struct keeper_checkpoint *checkpoint) {
	*checkpoint = (struct keeper_checkpoint){.undo = -1, .result = -1};
}

static bool under_way(const struct keeper_checkpoint *checkpoint) {
	return checkpoint->tracker != 0 || checkpoint->saver != 0;
}

/* ---- when */

static void arm_timer(struct keeper *keeper) {
	uint64_t next = 0;
	for (struct keeper_region *region = keeper->regions; region != NULL;
		region = region->next) {
		const struct keeper_checkpoint *checkpoint = &region->checkpoint;
		uint64_t at = under_way(checkpoint) ? 0 : checkpoint->due_ns;
		if (checkpoint->asker_count > 0 && checkpoint->saver == 0) {
			uint64_t limit = checkpoint->asked_ns + ASK_LIMIT_NS;
			at = at == 0 || limit < at ? limit : at;
		}
		next = next == 0 || (at != 0 && at < next) ? at : next;
	}
	struct itimerspec when = {
		.it_value.tv_sec = (time_t)(next / SECOND_NS),
		.it_value.tv_nsec = (long)(next % SECOND_NS),
	};
	timerfd_settime(keeper->checkpoint_timer, TFD_TIMER_ABSTIME, &when, NULL);
}

static void plan(struct keeper *keeper, struct keeper_checkpoint *checkpoint, uint64_t at) {
	if (checkpoint->due_ns == 0 || at < checkpoint->due_ns) {
		checkpoint->due_ns = at;
	}
	arm_timer(keeper);
}

/* So much later that not more than so many seconds of work can be lost; where that would wear the
 * disk out, more. */
static void plan_by_time(struct keeper *keeper, struct keeper_checkpoint *checkpoint) {
	uint64_t wait = keeper->checkpoint_every_ns;
	uint64_t wear = checkpoint->bytes / BYTES_PER_SECOND * SECOND_NS;
	if (wait != 0) {
		plan(keeper, checkpoint, keeper_now() + (wear > wait ? wear : wait));
	}
}

/* ---- those who asked */

/* The first of them. */
static void answer_some(struct keeper *keeper, struct keeper_region *region, size_t count,
	int error, const char *why) {
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	char path[PATH_MAX];
	keeper_disk_file(&keeper->disk, &region->uuid, path);
	for (size_t i = 0; i < count; i++) {
		struct keeper_message answer = {
			.type = KEEPER_RESULT,
			.request = checkpoint->askers[i],
			.uuid = region->uuid,
			.status = error,
			.size = checkpoint->bytes,
			.instance = checkpoint->arming_ns,
		};
		keeper_wire_add(&answer, error != 0 ? why : path);
		if (keeper->compositor != NULL) {
			keeper_send(keeper, keeper->compositor, &answer, NULL, 0);
		}
	}
	checkpoint->asker_count -= count;
	memmove(checkpoint->askers, checkpoint->askers + count,
		checkpoint->asker_count * sizeof(checkpoint->askers[0]));
}

static void answer_askers(
	struct keeper *keeper, struct keeper_region *region, int error, const char *why) {
	answer_some(keeper, region, region->checkpoint.asker_count, error, why);
}

/* ---- ends */

static void stop_tracking(struct keeper *keeper, struct keeper_checkpoint *checkpoint) {
	struct keeper_child *tile = keeper_child_by_instance(keeper, checkpoint->tracker);
	if (tile != NULL && checkpoint->tracked) {
		struct keeper_message event = {.type = KEEPER_TRACK_END};
		keeper_send(keeper, tile, &event, NULL, 0);
	}
	if (checkpoint->undo >= 0) {
		close(checkpoint->undo);
	}
	checkpoint->undo = -1;
	checkpoint->tracker = 0;
	checkpoint->tracked = false;
}

static void begin(struct keeper *keeper, struct keeper_region *region);
static void finish_region(struct keeper *keeper, struct keeper_region *region);

/* Whether, and why, it does not get to disk. */
static void tell_unsaved(struct keeper *keeper, const struct keeper_region *region) {
	const struct keeper_checkpoint *checkpoint = &region->checkpoint;
	struct keeper_message event = {
		.type = KEEPER_UNSAVED, .uuid = region->uuid, .status = checkpoint->error};
	if (checkpoint->error != 0) {
		keeper_wire_add(&event, checkpoint->why);
	}
	if (keeper->compositor != NULL) {
		keeper_send(keeper, keeper->compositor, &event, NULL, 0);
	}
}

void keeper_checkpoint_opened(struct keeper *keeper, const struct keeper_region *region) {
	if (region->checkpoint.error != 0) {
		tell_unsaved(keeper, region);
	}
}

/* People hear of the first failure in a row, and of its end. */
static void tell_failed(
	struct keeper *keeper, struct keeper_region *region, int code, const char *why) {
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	bool first = checkpoint->error == 0;
	city_log(first ? CITY_LOG_ERROR : CITY_LOG_DEBUG, region->name,
		"no checkpoint: %s; the one before is kept, and it is tried again", why);
	if (first) {
		checkpoint->error = code;
		snprintf(checkpoint->why, sizeof(checkpoint->why), "%.199s", why);
		tell_unsaved(keeper, region);
	}
}

static void tell_succeeded(struct keeper *keeper, struct keeper_region *region) {
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	bool failing = checkpoint->error != 0;
	city_log(failing ? CITY_LOG_INFO : CITY_LOG_DEBUG, region->name,
		"checkpoint of %llu bytes, for which it waited %llu us",
		(unsigned long long)checkpoint->bytes,
		(unsigned long long)checkpoint->arming_ns / 1000);
	checkpoint->error = 0;
	if (failing) {
		tell_unsaved(keeper, region);
	}
}

static bool is_busy(int code) {
	return code == EAGAIN || code == EBUSY || code == ESTALE;
}

/* What was to be saved is still to be saved. Askers get the reason, unless it passes by itself. */
static void failed(struct keeper *keeper, struct keeper_region *region, int code, const char *why) {
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	stop_tracking(keeper, checkpoint);
	checkpoint->changed = true;
	checkpoint->due_ns = 0;
	if (is_busy(code)) {
		city_log(CITY_LOG_DEBUG, region->name, "no checkpoint now: %s", why);
		plan(keeper, checkpoint, keeper_now() + BUSY_RETRY_NS);
		if (keeper->quitting) {
			finish_region(keeper, region);
		}
		return;
	}
	tell_failed(keeper, region, code, why);
	answer_askers(keeper, region, code, why);
	plan(keeper, checkpoint, keeper_now() + FAILED_RETRY_NS);
}

static void succeeded(struct keeper *keeper, struct keeper_region *region, uint64_t bytes) {
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	stop_tracking(keeper, checkpoint);
	checkpoint->bytes = bytes;
	tell_succeeded(keeper, region);
	/* Whoever asked since may mean a later state than this. */
	answer_some(keeper, region, checkpoint->served, 0, NULL);
	if (keeper->quitting) {
		finish_region(keeper, region);
	} else if (checkpoint->asker_count > 0) {
		begin(keeper, region);
	} else if (checkpoint->changed && checkpoint->due_ns == 0) {
		plan_by_time(keeper, checkpoint);
	}
	arm_timer(keeper);
}

/* ---- the saver */

static void save(struct keeper *keeper, struct keeper_region *region) {
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	int code = keeper_saver_start(keeper, region);
	if (code != 0) {
		failed(keeper, region, code, strerror(code));
		return;
	}
	checkpoint->served = checkpoint->asker_count;
	checkpoint->changed = false;
	checkpoint->due_ns = 0;
}

void keeper_checkpoint_saver_ended(struct keeper *keeper, const struct keeper_child *child) {
	struct keeper_region *region = keeper_region_find(keeper, &child->uuid);
	if (region == NULL || region->checkpoint.saver != child->pid) {
		return;
	}
	uint64_t bytes;
	struct vat_error err;
	int code = keeper_saver_end(&region->checkpoint, &bytes, &err);
	if (code == 0) {
		succeeded(keeper, region, bytes);
	} else {
		failed(keeper, region, code, err.text);
	}
}

/* ---- the beginning */

static bool has_process(const struct keeper *keeper, const struct vat_uuid *uuid) {
	for (const struct keeper_child *child = keeper->children; child != NULL;
		child = child->next) {
		if (child->kind == KEEPER_CHILD_TILE && vat_uuid_equal(&child->uuid, uuid)) {
			return true;
		}
	}
	return false;
}

/* Who is to be asked for its barrier: whoever has said that it changes something. Another keeper
 * may have heard it: then it is the only one that there is. NULL: nobody, or it cannot be told. */
static struct keeper_child *find_writer(struct keeper *keeper, const struct keeper_region *region) {
	struct keeper_child *said = keeper_child_by_instance(keeper, region->checkpoint.writer);
	struct keeper_child *one = NULL;
	size_t count = 0;
	for (struct keeper_child *child = keeper->children; child != NULL; child = child->next) {
		if (child->kind == KEEPER_CHILD_TILE &&
			vat_uuid_equal(&child->uuid, &region->uuid)) {
			one = child;
			count++;
		}
	}
	return said != NULL ? said : count == 1 ? one : NULL;
}

/* Without the disk there are no checkpoints; it is looked for again each time. If another city has
 * it that is not done: what that one leaves must not be replaced by what this one began with. */
static bool has_disk(struct keeper *keeper, struct vat_error *err) {
	if (keeper->disk_taken) {
		snprintf(err->text, sizeof(err->text), "another city saves its tiles in %.900s",
			keeper->disk.path);
		return false;
	}
	int rc = keeper_disk_open(&keeper->disk, err);
	if (rc < 0 && !keeper->disk_missing) {
		city_log(rc == -EBUSY ? CITY_LOG_WARN : CITY_LOG_ERROR, "checkpoints", "%s",
			err->text);
	}
	keeper->disk_missing = rc < 0;
	keeper->disk_taken = rc == -EBUSY;
	return rc == 0;
}

/* The disk was not there when this tile began: what it has of it is older, and not ours. */
static int make_place(struct keeper *keeper, struct keeper_region *region, struct vat_error *err) {
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	if (!checkpoint->unseen) {
		return 0;
	}
	int rc = keeper_disk_set_aside(&keeper->disk, &region->uuid, "earlier", err);
	if (rc > 0) {
		city_log(CITY_LOG_WARN, region->name,
			"it began without its saved state, which could not be read then: %s",
			err->text);
	}
	checkpoint->unseen = rc < 0;
	return rc;
}

static void begin(struct keeper *keeper, struct keeper_region *region) {
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	struct vat_error err = {0};
	checkpoint->due_ns = 0;
	if (checkpoint->kept_off) {
		answer_askers(keeper, region, EROFS,
			"what is on disk of this tile could not be read, and is not replaced");
		return;
	}
	if (!has_disk(keeper, &err)) {
		/* Of another city that has it the compositor was told at its start. */
		if (!keeper->disk_taken) {
			tell_failed(keeper, region, EIO, err.text);
		}
		answer_askers(keeper, region, EIO, err.text);
		plan(keeper, checkpoint, keeper_now() + FAILED_RETRY_NS);
		return;
	}
	int rc = make_place(keeper, region, &err);
	if (rc < 0) {
		failed(keeper, region, -rc, err.text);
		return;
	}
	if (!checkpoint->changed && checkpoint->bytes > 0) {
		checkpoint->arming_ns = 0;
		answer_askers(keeper, region, 0, NULL);
		return;
	}
	struct keeper_child *tile = find_writer(keeper, region);
	if (tile == NULL && !has_process(keeper, &region->uuid)) {
		checkpoint->arming_ns = 0;
		save(keeper, region);
		return;
	}
	if (tile == NULL || tile->wire < 0) {
		failed(keeper, region, tile == NULL ? EBUSY : EAGAIN,
			tile == NULL ? "another version takes over"
				     : "its process is not listened to any more");
		return;
	}
	struct vat_region *mapped;
	rc = vat_region_map(region->fd, VAT_READ, &mapped, &err);
	if (rc == 0) {
		checkpoint->undo = rc = vat_undo_create(mapped, &err);
		vat_region_unmap(mapped);
	}
	if (rc < 0) {
		checkpoint->undo = -1;
		failed(keeper, region, -rc, err.text);
		return;
	}
	checkpoint->tracker = tile->instance;
	struct keeper_message event = {.type = KEEPER_TRACK};
	keeper_send(keeper, tile, &event, &checkpoint->undo, 1);
}

void keeper_checkpoint_tracked(struct keeper *keeper, const struct keeper_child *tile,
	const struct keeper_message *answer) {
	struct keeper_region *region = keeper_region_find(keeper, &tile->uuid);
	if (region == NULL || region->checkpoint.tracker != tile->instance ||
		region->checkpoint.tracked || region->checkpoint.saver != 0) {
		return;
	}
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	if (answer->status == 0) {
		checkpoint->tracked = true;
		checkpoint->arming_ns = answer->size;
		save(keeper, region);
		return;
	}
	size_t offset = 0;
	const char *why = keeper_wire_next(answer, &offset);
	failed(keeper, region, answer->status, why != NULL ? why : strerror(answer->status));
}

/* ---- what happens to tiles */

void keeper_checkpoint_changed(
	struct keeper *keeper, const struct keeper_child *tile, bool settled) {
	struct keeper_region *region = keeper_region_find(keeper, &tile->uuid);
	if (region == NULL) {
		return;
	}
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	checkpoint->changed = true;
	checkpoint->writer = tile->instance;
	if (settled) {
		plan(keeper, checkpoint, keeper_now() + SETTLED_NS);
	} else if (checkpoint->due_ns == 0) {
		plan_by_time(keeper, checkpoint);
	}
}

void keeper_checkpoint_tile_ended(
	struct keeper *keeper, const struct keeper_child *tile, int status) {
	struct keeper_region *region = keeper_region_find(keeper, &tile->uuid);
	if (region == NULL) {
		return;
	}
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	/* It may have died in an operation, before it could say that it changes something. */
	if (status != 0 && checkpoint->writer == tile->instance) {
		checkpoint->changed = true;
		plan_by_time(keeper, checkpoint);
	}
	/* Its log is as good as before: nobody else writes without telling by the epoch. */
	if (checkpoint->tracker == tile->instance && checkpoint->saver == 0) {
		failed(keeper, region, EAGAIN, "its process ended");
	}
}

void keeper_checkpoint_ask(struct keeper *keeper, const struct keeper_message *request) {
	struct keeper_region *region = keeper_region_find(keeper, &request->uuid);
	struct keeper_message refusal = {
		.type = KEEPER_RESULT,
		.request = request->request,
		.uuid = request->uuid,
	};
	const char *why = NULL;
	if (region == NULL) {
		refusal.status = ENOENT;
		why = "this tile has no state yet";
	} else if (region->checkpoint.asker_count == KEEPER_ASKERS_MAX) {
		refusal.status = EBUSY;
		why = "too many wait for a checkpoint of this tile";
	}
	if (why != NULL) {
		keeper_wire_add(&refusal, why);
		keeper_send(keeper, keeper->compositor, &refusal, NULL, 0);
		return;
	}
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	if (checkpoint->asker_count == 0) {
		checkpoint->asked_ns = keeper_now();
	}
	checkpoint->askers[checkpoint->asker_count++] = request->request;
	if (under_way(checkpoint)) {
		arm_timer(keeper);
	} else {
		begin(keeper, region);
	}
}

void keeper_checkpoint_every(struct keeper *keeper, int32_t seconds) {
	keeper->checkpoint_every_ns = seconds > 0 ? (uint64_t)seconds * SECOND_NS : 0;
	for (struct keeper_region *region = keeper->regions; region != NULL;
		region = region->next) {
		region->checkpoint.due_ns = 0;
		if (region->checkpoint.changed) {
			plan_by_time(keeper, &region->checkpoint);
		}
	}
	arm_timer(keeper);
}

void keeper_checkpoint_handle_timer(struct keeper *keeper) {
	uint64_t expirations;
	if (read(keeper->checkpoint_timer, &expirations, sizeof(expirations)) < 0) {
		return;
	}
	uint64_t now = keeper_now();
	for (struct keeper_region *region = keeper->regions; region != NULL;
		region = region->next) {
		struct keeper_checkpoint *checkpoint = &region->checkpoint;
		if (checkpoint->asker_count > 0 && checkpoint->saver == 0 &&
			now >= checkpoint->asked_ns + ASK_LIMIT_NS) {
			answer_askers(keeper, region, ETIMEDOUT,
				"the tile is busy: it does not answer, or a handover goes on");
		}
		if (!under_way(checkpoint) && checkpoint->due_ns != 0 &&
			now >= checkpoint->due_ns) {
			begin(keeper, region);
		}
	}
	arm_timer(keeper);
}

/* ---- the beginning and the end of it all */

void keeper_checkpoint_open(struct keeper *keeper) {
	struct vat_error err;
	has_disk(keeper, &err);
}

int keeper_checkpoint_restore(
	struct keeper *keeper, struct keeper_region *region, struct vat_error *note) {
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	struct vat_error err = {0};
	note->text[0] = '\0';
	/* A disk that cannot be written may still be read. */
	if (!has_disk(keeper, &err) && (keeper->disk_taken || keeper->disk.folder < 0)) {
		checkpoint->unseen = true;
		return -ENOENT;
	}
	int fd = keeper_disk_load(&keeper->disk, &region->uuid, &checkpoint->bytes, &err);
	if (fd >= 0) {
		city_log(CITY_LOG_INFO, region->name, "its state is back from the last checkpoint");
		return fd;
	}
	if (fd == -ENOENT) {
		return fd;
	}
	const size_t size = sizeof(note->text);
	if (fd == -EBADMSG) {
		snprintf(note->text, size, "its saved state cannot be used, it starts anew: %.900s",
			err.text);
	} else if (fd == -ENOMEM || fd == -ENOSPC || fd == -EMFILE || fd == -ENFILE) {
		snprintf(note->text, size, "no memory for its saved state: %.900s", err.text);
		return fd; /* told by the caller */
	} else {
		snprintf(note->text, size,
			"its saved state cannot be read and is left alone; it starts anew and is "
			"not saved: %.900s",
			err.text);
		checkpoint->kept_off = true;
	}
	city_log(CITY_LOG_ERROR, region->name, "%s", note->text);
	return -ENOENT;
}

/* One that is killed changes nothing on disk any more. */
static void stop(struct keeper *keeper, struct keeper_checkpoint *checkpoint) {
	keeper_saver_stop(checkpoint);
	stop_tracking(keeper, checkpoint);
}

void keeper_checkpoint_drop(struct keeper *keeper, struct keeper_region *region, bool remove) {
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	stop(keeper, checkpoint);
	answer_askers(keeper, region, ECANCELED, "the tile was closed");
	if (remove && keeper->disk.lock >= 0) {
		keeper_disk_remove(&keeper->disk, &region->uuid);
	}
}

/* Nobody writes it any more. */
static void finish_region(struct keeper *keeper, struct keeper_region *region) {
	struct keeper_checkpoint *checkpoint = &region->checkpoint;
	struct vat_error err;
	if (!checkpoint->changed || checkpoint->kept_off || checkpoint->saver != 0 ||
		has_process(keeper, &region->uuid) || checkpoint->last_tries >= LAST_TRIES) {
		return;
	}
	checkpoint->last_tries++;
	stop_tracking(keeper, checkpoint);
	if (!has_disk(keeper, &err)) {
		return;
	}
	if (make_place(keeper, region, &err) < 0) {
		city_log(CITY_LOG_ERROR, region->name, "it is not saved: %s", err.text);
		return;
	}
	save(keeper, region);
}

void keeper_checkpoint_pause(struct keeper *keeper) {
	for (struct keeper_region *region = keeper->regions; region != NULL;
		region = region->next) {
		struct keeper_checkpoint *checkpoint = &region->checkpoint;
		checkpoint->changed = checkpoint->changed || under_way(checkpoint);
		stop(keeper, checkpoint);
		answer_askers(keeper, region, EAGAIN, "the keeper is being replaced");
	}
	keeper_disk_close(&keeper->disk); /* and the lock, for the other one */
}

void keeper_checkpoint_resume(struct keeper *keeper) {
	struct vat_error err;
	has_disk(keeper, &err);
	for (struct keeper_region *region = keeper->regions; region != NULL;
		region = region->next) {
		if (region->checkpoint.changed) {
			plan_by_time(keeper, &region->checkpoint);
		}
	}
}

void keeper_checkpoint_finish(struct keeper *keeper) {
	for (struct keeper_region *region = keeper->regions; region != NULL;
		region = region->next) {
		finish_region(keeper, region);
	}
}
