/* SPDX-License-Identifier: MIT */
/* What versions say and do, and what it means for the handover that they are part of. */
#include <stdio.h>
#include <string.h>

#include "compositor/control.h"
#include "compositor/handover_internal.h"
#include "compositor/server.h"
#include "log.h"

/* Of the processor time of two versions; less may be chance. */
#define LATE_FACTOR 3

/* The handover in which it is B. */
static struct city_handover *candidate_of(const struct city_tile_version *version) {
	struct city_tile *tile = version->tile;
	if (tile->handover && tile->handover->b == version) {
		return tile->handover;
	}
	return tile->next && tile->next->b == version ? tile->next : NULL;
}

void city_handover_version_spawned(struct city_tile_version *version) {
	struct city_handover *handover = candidate_of(version);
	if (handover && handover->step == CITY_STEP_SPAWN && !handover->failing) {
		city_handover_set_step(handover, CITY_STEP_WARM);
		city_handover_advance(version->tile);
	}
}

void city_handover_version_ready(struct city_tile_version *version) {
	struct city_handover *handover = candidate_of(version);
	if (handover && handover->step == CITY_STEP_WARM) {
		/* Waiting for its turn has no deadline. */
		city_handover_set_timer(handover, 0);
		handover->ready_ns = city_now_ns();
		city_handover_advance(version->tile);
	}
}

void city_handover_version_failed(
	struct city_tile_version *version, const char *step, const char *reason) {
	struct city_handover *handover = candidate_of(version);
	if (handover && handover->step != CITY_STEP_RETIRE) {
		city_handover_fail(handover, "%s", reason);
		return;
	}
	city_log(CITY_LOG_ERROR, version->tile->name, "failed in %s: %s", step, reason);
	/* Its end is a crash like any other. */
	city_version_kill(version);
}

void city_handover_version_yielded(struct city_tile_version *version, int64_t last_update_ns) {
	version->tracked_for = NULL; /* yielding ends that */
	struct city_tile *tile = version->tile;
	struct city_handover *handover = tile->handover;
	if (handover && handover->a == version && handover->step == CITY_STEP_MIGRATE &&
		!handover->failing) {
		version->state = CITY_VERSION_FROZEN;
		if (handover->late && !handover->force) {
			city_handover_fail(handover,
				"the old version did not give up its state in time (%d ms) and "
				"goes on",
				tile->tiles->limits.migrate_ms);
			return;
		}
		handover->yielded_ns = last_update_ns;
		city_handover_attach(handover, true);
		return;
	}
	/* Too late: the handover has failed, or is about to. */
	if (handover && handover->a == version && handover->failing) {
		version->state = CITY_VERSION_FROZEN;
		return;
	}
	city_version_answered(version);
	city_version_send_resume(version, ++tile->epoch);
	city_handover_advance(tile);
}

void city_handover_version_refused(struct city_tile_version *version, const char *reason) {
	struct city_tile *tile = version->tile;
	struct city_handover *handover = tile->handover;
	version->state = CITY_VERSION_LIVE;
	city_version_answered(version);
	if (handover && handover->a == version && handover->step == CITY_STEP_MIGRATE &&
		!handover->failing) {
		if (handover->force) {
			city_handover_go_on_alone(handover,
				"the old version did not yield (%s) and was killed: the state is "
				"as it left it",
				reason);
		} else {
			city_handover_fail(handover,
				"the old version does not yield: %s (--force does without)",
				reason);
		}
		return;
	}
	city_handover_advance(tile);
}

void city_handover_version_attached(struct city_tile_version *version, int64_t first_update_ns,
	int64_t state_bytes, int64_t migrated_bytes) {
	struct city_handover *handover = candidate_of(version);
	if (!handover || handover->step != CITY_STEP_ATTACH || handover->failing) {
		return;
	}
	struct city_record *record = &handover->record;
	if (handover->yielded_ns > 0 && first_update_ns > handover->yielded_ns) {
		record->pause_ns = first_update_ns - handover->yielded_ns;
	}
	record->state_bytes = state_bytes;
	record->migrated_bytes = migrated_bytes;
	snprintf(record->lost, sizeof(record->lost), "%s", version->lost);
	city_handover_set_step(handover, CITY_STEP_FRAME);
}

void city_handover_version_stuck(struct city_tile_version *version) {
	struct city_tile *tile = version->tile;
	struct city_handover *candidate = candidate_of(version);
	if (version->state == CITY_VERSION_DYING) {
		return;
	}
	if (candidate && candidate->step != CITY_STEP_RETIRE) {
		/* What is not shown yet has its deadlines. */
		if (version->stuck &&
			(city_steps[candidate->step].shown ||
				candidate->step == CITY_STEP_WARM_UP)) {
			city_handover_fail(candidate, "it hangs in %s", version->operation);
		}
		return;
	}
	if (tile->live != version) {
		return;
	}
	if (!version->stuck) {
		city_control_message(tile->tiles->server, CITY_LOG_INFO, tile->name,
			"goes on: %s has returned", version->operation);
		if (tile->notice_stuck) {
			city_tile_set_notice(tile, CITY_BADGE_NONE, NULL, false);
		}
		return;
	}
	/* There is no point in waiting for it to come to a splice point. */
	city_handover_advance(tile);
	char text[256];
	snprintf(text, sizeof(text),
		"it hangs in %s. A new version takes over with its state: save a mended source, or "
		"cityctl rollback %s",
		version->operation, tile->name);
	city_control_message(tile->tiles->server, CITY_LOG_WARN, tile->name, "%s", text);
	city_tile_set_notice(tile, CITY_BADGE_ERROR, text, false);
	tile->notice_stuck = true;
}

void city_handover_version_continues(
	struct city_tile_version *version, const struct city_continuity *continuity) {
	struct city_handover *handover = candidate_of(version);
	if (handover) {
		handover->record.continuity = *continuity;
		handover->record.continuity.frame_ns = city_view_frame_ns(&version->tile->view);
		handover->record.continuity_known = true;
	}
}

void city_handover_version_late(struct city_tile_version *version, int64_t busy_ns) {
	struct city_handover *handover = candidate_of(version);
	int64_t frame_ns = city_view_frame_ns(&version->tile->view);
	int64_t frames = city_policy_missed(busy_ns, frame_ns);
	if (frames == 0) {
		return; /* a frame of this screen leaves time for that */
	}
	version->late_count++;
	version->late_ns += busy_ns;
	version->missed_ns += frames * frame_ns;
	if (!handover || !handover->shown || handover->start || handover->failing ||
		handover->step == CITY_STEP_RETIRE) {
		return;
	}
	int64_t missed = version->missed_ns / frame_ns;
	int64_t limit = handover->tile->tiles->limits.missed_frames * CITY_FRAME_NS;
	/* What is no worse than before is no reason to go back. */
	const struct city_tile_version *a = handover->a;
	int64_t before = a && a->late_count > 0 ? a->late_ns / a->late_count : 0;
	int64_t now = version->late_ns / version->late_count;
	if (limit > 0 && version->missed_ns > limit && now > LATE_FACTOR * before) {
		city_handover_fail(handover,
			"it misses frames: %lld of them, busy for %lld ms each time%s",
			(long long)missed, (long long)(now / 1000000),
			before > 0 ? ", longer than the old version" : "");
	}
}

void city_handover_version_lost(struct city_tile_version *version) {
	struct city_tile *tile = version->tile;
	struct city_handover *handover = candidate_of(version);
	/* Nothing more is asked of it; how it ended the keeper will say. One that has settled is
	 * the tile's own business. */
	if (handover && handover->step != CITY_STEP_RETIRE) {
		city_handover_fail(handover, "%s", "");
	} else if (!tile->handover && tile->live == version && !tile->closing) {
		city_tile_hold_input(tile);
	}
}

void city_handover_version_ended(struct city_tile_version *version) {
	struct city_tile *tile = version->tile;
	char how[512];
	city_version_describe_end(version, how, sizeof(how));
	struct city_handover *candidate = candidate_of(version);
	struct city_handover *handover = tile->handover;
	bool was_live = tile->live == version;
	city_handover_track_ended(version);
	if (was_live) {
		tile->live = NULL;
		if (tile->notice_stuck) {
			city_tile_set_notice(tile, CITY_BADGE_NONE, NULL, false);
		}
	}
	if (candidate) {
		candidate->b = NULL;
		/* What it said last may be lost with its connection: it draws only when it has
		 * attached. */
		bool died = !candidate->failing || !*candidate->record.reason;
		if (died && candidate->step == CITY_STEP_ATTACH &&
			strcmp(version->operation, "draw") == 0) {
			city_handover_set_step(candidate, CITY_STEP_FRAME);
			candidate->record.step = city_steps[CITY_STEP_FRAME].name;
		}
		if (candidate->failing) {
			if (died) {
				snprintf(candidate->record.reason, sizeof(candidate->record.reason),
					"%s", how);
			}
			city_handover_conclude_failure(candidate);
		} else if (candidate->step == CITY_STEP_RETIRE) {
			/* It has settled: this is no failure of the handover. */
			city_handover_succeed(candidate);
			city_tile_crashed(tile, how);
		} else {
			city_handover_fail(candidate, "%s", how);
		}
		return;
	}
	if (handover && handover->a == version) {
		handover->a = NULL;
		if (handover->step == CITY_STEP_RETIRE) {
			city_handover_succeed(handover);
		} else if (!handover->failing && handover->step == CITY_STEP_MIGRATE) {
			bool taken = city_handover_taken(handover);
			if (!handover->alone && !taken) {
				snprintf(handover->record.reason, sizeof(handover->record.reason),
					"the old version ended when it was to yield: %.400s; the "
					"state "
					"is as it left it",
					how);
			}
			handover->alone = false;
			city_handover_attach(handover, taken);
		}
		return;
	}
	if (was_live && !tile->closing) {
		city_tile_crashed(tile, how);
	}
	/* A request may have waited for its end. */
	city_handover_advance(tile);
}
