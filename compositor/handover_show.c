/* SPDX-License-Identifier: MIT */
/* From B's first frame to the end of its probation. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <wlr/types/wlr_buffer.h>
#include <wlr/types/wlr_compositor.h>

#include "compositor/config.h"
#include "compositor/effects/effects.h"
#include "compositor/handover_input.h"
#include "compositor/handover_internal.h"
#include "compositor/handover_mirror.h"
#include "compositor/server.h"
#include "log.h"

/* A transition that does not end by itself this long after its time is ended. */
#define MELT_GRACE_MS 2000
#define MELT_STEP_MAX (2.0 / CITY_TRANSITION_FRAMES)
/* An output that has shown nothing for this long has nothing to show. */
#define IDLE_OUTPUT_NS INT64_C(100000000)
#define PROBATION_PAUSE_MS 50

/* ---- probation */

static int handle_check_timer(void *data) {
	struct city_handover *handover = data;
	city_handover_fail(handover, "it did not answer check in %d ms: it hangs",
		handover->tile->tiles->limits.check_ms);
	return 0;
}

static void set_check_timer(struct city_handover *handover, int ms) {
	if (!handover->check_timer) {
		handover->check_timer = wl_event_loop_add_timer(
			handover->tile->tiles->server->loop, handle_check_timer, handover);
	}
	if (handover->check_timer) {
		wl_event_source_timer_update(handover->check_timer, ms);
	}
}

static void check(struct city_handover *handover, enum city_check which) {
	handover->check = which;
	city_version_send_check(handover->b);
	set_check_timer(handover, handover->tile->tiles->limits.check_ms);
}

/* Whether B has been seen long enough; otherwise when to look again. */
static bool probation_over(struct city_handover *handover, int *wait_ms) {
	const struct city_limits *limits = &handover->tile->tiles->limits;
	int64_t now = city_now_ns();
	int64_t left = handover->shown_ns + limits->probation_ms * INT64_C(1000000) - now;
	if (handover->hasten) {
		return true;
	}
	if (left > 0) {
		*wait_ms = (int)(left / 1000000) + 1;
		return false;
	}
	/* Frames count as long as there are any. */
	if (handover->frames_shown < (uint64_t)limits->probation_frames &&
		now - handover->last_frame_ns < IDLE_OUTPUT_NS) {
		*wait_ms = PROBATION_PAUSE_MS;
		return false;
	}
	return true;
}

static void go_on_probation(struct city_handover *handover) {
	int wait_ms = 0;
	if (handover->step != CITY_STEP_PROBATION || handover->failing ||
		handover->check != CITY_CHECK_NONE) {
		return;
	}
	if (!probation_over(handover, &wait_ms)) {
		city_handover_set_timer(handover, wait_ms);
		return;
	}
	city_handover_set_timer(handover, 0);
	check(handover, CITY_CHECK_LAST);
}

static void begin_probation(struct city_handover *handover) {
	city_handover_stop_busy(handover);
	city_tile_set_state(handover->tile, handover->start ? CITY_TILE_LIVE : CITY_TILE_PROBATION);
	city_handover_set_step(handover, CITY_STEP_PROBATION);
	go_on_probation(handover);
}

static void hasten(struct city_handover *handover) {
	handover->hasten = true;
	go_on_probation(handover);
}

void city_handover_hasten(struct city_handover *handover) {
	if (handover->group) {
		city_group_call(handover->group, hasten);
	} else {
		hasten(handover);
	}
}

static void settle(struct city_handover *handover) {
	struct city_tile *tile = handover->tile;
	struct vat_undo_stats stats;
	if (handover->undo_fd >= 0 && vat_undo_stats(handover->undo_fd, &stats, NULL) == 0) {
		handover->record.undo_pages = (int64_t)stats.pages;
	}
	city_version_send_settle(handover->b);
	city_tile_set_good(tile, handover->b->hash, handover->back);
	city_handover_set_step(handover, CITY_STEP_RETIRE);
	if (handover->a) {
		city_version_retire(handover->a);
	} else {
		city_handover_succeed(handover);
	}
}

void city_handover_version_checked(struct city_tile_version *version, bool ok, const char *reason) {
	struct city_handover *handover = version->tile->handover;
	if (!handover || handover->b != version || handover->failing ||
		handover->check == CITY_CHECK_NONE) {
		return;
	}
	set_check_timer(handover, 0);
	if (!ok) {
		city_handover_fail(
			handover, "its check fails: %s", *reason ? reason : "no reason given");
		return;
	}
	enum city_check which = handover->check;
	handover->check = CITY_CHECK_NONE;
	if (which == CITY_CHECK_LAST && handover->group) {
		/* The last one settles all. */
		handover->passed = true;
		if (city_group_passed(handover->group)) {
			city_group_call(handover->group, settle);
		}
		return;
	}
	if (which == CITY_CHECK_LAST) {
		settle(handover);
		return;
	}
	go_on_probation(handover);
}

/* ---- melt */

/* A goes on beside B while it fades: on its own state, with B's input. */
static void begin_shadow(struct city_handover *handover) {
	struct city_tile_version *a = handover->a;
	if (handover->strategy != CITY_STRATEGY_CROSSFADE || !a ||
		a->state != CITY_VERSION_FROZEN || !a->surface || handover->undo_fd < 0 ||
		!city_version_send_shadow(a, handover->undo_fd)) {
		return;
	}
	handover->mirror = city_mirror_create(handover->tile, handover->b->surface, a->surface);
}

/* Whatever became of its surface. */
void city_handover_end_shadow(struct city_handover *handover) {
	struct city_tile_version *a = handover->a;
	city_mirror_destroy(handover->mirror);
	handover->mirror = NULL;
	if (a && a->state == CITY_VERSION_SHADOW) {
		if (a->stuck) {
			city_version_kill(a);
		} else {
			city_version_send_freeze(a);
		}
	}
}

/* Nobody shows A's frames, so nobody else tells it when to draw the next one. */
static void send_frame_done(const struct city_tile_version *version, int64_t when_ns) {
	struct timespec when = {.tv_sec = when_ns / 1000000000, .tv_nsec = when_ns % 1000000000};
	if (version->surface) {
		wlr_surface_send_frame_done(version->surface, &when);
	}
}

void city_handover_end_transition(struct city_handover *handover) {
	city_handover_end_shadow(handover);
	if (handover->transition) {
		city_transition_destroy(handover->transition);
		handover->transition = NULL;
		city_view_show_surface(&handover->tile->view);
		city_view_update(&handover->tile->view);
	}
}

static void end_melt(struct city_handover *handover) {
	city_handover_end_transition(handover);
	if (handover->step == CITY_STEP_MELT && !handover->failing) {
		begin_probation(handover);
	}
}

static void handle_transition_frame(struct city_transition *transition, struct wlr_buffer *buffer,
	const pixman_region32_t *damage, double progress, void *data) {
	struct city_handover *handover = data;
	handover->progress = progress;
	/* The last frame is B's picture, bit for bit: B itself takes its place. */
	if (progress >= 1.0 || !city_view_show_buffer(&handover->tile->view, buffer, damage)) {
		end_melt(handover);
	}
}

static void handle_transition_failed(
	struct city_transition *transition, const char *reason, void *data) {
	struct city_handover *handover = data;
	city_log(CITY_LOG_WARN, handover->tile->name, "the transition ends early: %s", reason);
	end_melt(handover);
}

static const struct city_transition_impl transition_impl = {
	.frame = handle_transition_frame,
	.failed = handle_transition_failed,
};

const char *city_handover_program(enum city_strategy strategy) {
	return strategy == CITY_STRATEGY_CROSSFADE || strategy == CITY_STRATEGY_FREEZE_AND_FADE
		? "crossfade"
		: "melt";
}

static void begin_transition(struct city_handover *handover, struct wlr_buffer *from) {
	struct city_tile *tile = handover->tile;
	struct city_server *server = tile->tiles->server;
	struct wlr_surface *surface = handover->b->surface;
	bool wanted = handover->strategy != CITY_STRATEGY_INSTANT &&
		(server->config->animations || handover->asked != CITY_STRATEGY_AUTO);
	if (!wanted || !from || !tile->tiles->effects || !surface || !surface->buffer ||
		!city_view_is_visible(&tile->view)) {
		return;
	}
	struct city_transition_options options = {
		.name = city_handover_program(handover->strategy),
		.from = from,
		.width = surface->buffer->base.width,
		.height = surface->buffer->base.height,
		.seed = (uint32_t)handover->record.id,
		.renderer = server->renderer,
		.allocator = server->allocator,
		.impl = &transition_impl,
		.data = handover,
	};
	struct city_transition *transition = city_transition_create(tile->tiles->effects, &options);
	if (!transition) {
		return;
	}
	if (!city_transition_set_to(transition, &surface->buffer->base, NULL) ||
		!city_view_show_buffer(&tile->view, from, NULL)) {
		city_transition_destroy(transition);
		return;
	}
	handover->transition = transition;
	handover->progress = -1;
	begin_shadow(handover);
	city_transition_request(transition, 0);
}

/* Its time begins with its first frame, and where frames are slow it takes longer: no step between
 * two frames is larger than MELT_STEP_MAX, as the picture must not jump. */
static void request_transition_frame(struct city_handover *handover, int64_t when_ns) {
	int64_t duration = handover->tile->tiles->limits.melt_ms * INT64_C(1000000);
	if (handover->a && handover->a->state == CITY_VERSION_SHADOW) {
		send_frame_done(handover->a, when_ns);
	}
	if (handover->mirror) {
		city_mirror_frame(handover->mirror, (uint32_t)(when_ns / 1000000));
	}
	if (handover->progress < 0) {
		return;
	}
	if (handover->melt_ns == 0) {
		handover->melt_ns = when_ns;
	}
	double progress =
		duration > 0 ? (double)(when_ns - handover->melt_ns) / (double)duration : 1;
	double most = handover->progress + MELT_STEP_MAX;
	if (duration > 0 && progress > most) {
		progress = most;
		/* What comes next goes on from here. */
		handover->melt_ns = when_ns - (int64_t)(progress * (double)duration);
	}
	city_transition_request(handover->transition, progress);
}

/* ---- commit */

static struct wlr_buffer *picture_of(const struct city_handover *handover) {
	const struct city_tile_version *a = handover->a;
	if (a && a->surface && a->surface->buffer) {
		return &a->surface->buffer->base;
	}
	return handover->tile->last_picture;
}

/* B instead of A, on the frame that is about to be built. */
static void commit(struct city_handover *handover, int64_t when_ns) {
	struct city_tile *tile = handover->tile;
	struct wlr_buffer *from = picture_of(handover);
	if (from) {
		wlr_buffer_lock(from);
	}
	handover->shown = true;
	handover->shown_ns = when_ns;
	city_tile_show(tile, handover->b);
	if (handover->input) {
		city_input_settle(handover->input);
		city_input_log_destroy(handover->input);
		handover->input = NULL;
	}
	begin_transition(handover, from);
	if (from) {
		wlr_buffer_unlock(from);
	}
	if (handover->start) {
		/* There is no version to go back to. */
		city_version_send_settle(handover->b);
	}
	check(handover, CITY_CHECK_FIRST);
	if (handover->transition) {
		city_tile_set_state(tile, CITY_TILE_PROBATION);
		city_handover_set_step(handover, CITY_STEP_MELT);
		city_handover_set_timer(handover, tile->tiles->limits.melt_ms + MELT_GRACE_MS);
	} else {
		begin_probation(handover);
	}
	/* What waited for the commit may be prepared now. */
	city_handover_advance(tile);
}

void city_handover_show_again(struct city_handover *handover) {
	handover->shown = true;
	handover->shown_ns = city_now_ns();
	city_tile_show(handover->tile, handover->b);
	if (handover->start) {
		city_version_send_settle(handover->b);
	}
	check(handover, CITY_CHECK_FIRST);
	begin_probation(handover);
}

static int64_t commit_ns; /* of the frame that is being built; 0: none is */

/* Of a group: all on this very frame, or at once where none is built. */
static void commit_member(struct city_handover *handover) {
	if (handover->step == CITY_STEP_COMMIT && !handover->failing) {
		commit(handover, commit_ns > 0 ? commit_ns : city_now_ns());
	}
}

/* Whoever has drawn waits for the others. */
static void await_commit_of_all(struct city_group *group) {
	struct city_handover *any = city_group_any(group);
	if (!city_group_all_at(group, CITY_STEP_COMMIT)) {
		return;
	}
	if (city_group_visible(group)) {
		city_server_schedule_frame(any->tile->tiles->server);
	} else {
		city_group_call(group, commit_member);
	}
}

static void await_commit(struct city_handover *handover) {
	city_handover_set_step(handover, CITY_STEP_COMMIT);
	if (handover->group) {
		await_commit_of_all(handover->group);
	} else if (city_view_is_visible(&handover->tile->view)) {
		city_server_schedule_frame(handover->tile->tiles->server);
	} else {
		commit(handover, city_now_ns());
	}
}

/* B runs and draws, A's last picture stays. Nobody shows B's frames, so nobody else tells it when
 * to draw the next one. */
static void warm_up(struct city_handover *handover) {
	int64_t now = city_now_ns();
	if (now >= handover->warm_until_ns || !city_view_is_visible(&handover->tile->view)) {
		await_commit(handover);
		return;
	}
	send_frame_done(handover->b, now);
	city_handover_set_timer(
		handover, (int)(city_view_frame_ns(&handover->tile->view) / 1000000));
}

void city_handover_drawn(struct city_handover *handover) {
	if (handover->strategy != CITY_STRATEGY_FREEZE_AND_FADE || !handover->had_a ||
		!city_view_is_visible(&handover->tile->view)) {
		await_commit(handover);
		return;
	}
	uint32_t own = handover->b->traits.warm_up_ms;
	int window = own > 0 ? (int)own : handover->tile->tiles->limits.warm_up_ms;
	handover->warm_until_ns = city_now_ns() + window * INT64_C(1000000);
	city_handover_set_step(handover, CITY_STEP_WARM_UP);
	warm_up(handover);
}

void city_handover_step_late(struct city_handover *handover) {
	switch (handover->step) {
	case CITY_STEP_WARM_UP:
		warm_up(handover);
		break;
	case CITY_STEP_COMMIT:
		/* No output draws: nobody sees it, so any moment is right. */
		if (!handover->group) {
			commit(handover, city_now_ns());
		} else if (city_group_all_at(handover->group, CITY_STEP_COMMIT)) {
			city_group_call(handover->group, commit_member);
		} else {
			/* The others have deadlines of their own. */
			city_handover_set_timer(handover, handover->tile->tiles->limits.frame_ms);
		}
		break;
	case CITY_STEP_MELT:
		city_log(CITY_LOG_WARN, handover->tile->name, "the transition did not end in time");
		end_melt(handover);
		break;
	case CITY_STEP_PROBATION:
		go_on_probation(handover);
		break;
	default:
		break;
	}
}

void city_handover_version_committed(struct city_tile_version *version) {
	struct city_tile *tile = version->tile;
	struct city_handover *handover = tile->handover;
	if (handover && handover->b == version && !handover->failing) {
		if (handover->step == CITY_STEP_FRAME) {
			city_handover_drawn(handover);
			return;
		}
		if (handover->transition) {
			city_transition_set_to(handover->transition,
				&version->surface->buffer->base, &version->surface->buffer_damage);
		}
	}
	if (handover && handover->a == version && version->state == CITY_VERSION_SHADOW &&
		handover->transition) {
		city_transition_set_from(handover->transition, &version->surface->buffer->base,
			&version->surface->buffer_damage);
	}
	if (tile->live == version) {
		city_tile_sync_size(tile);
	}
}

void city_handover_frame_commit(struct city_tiles *tiles, struct city_frame_event *event) {
	struct city_tile *tile, *next;
	if (tiles->handovers == 0) {
		return;
	}
	wl_list_for_each_safe(tile, next, &tiles->list, link) {
		struct city_handover *handover = tile->handover;
		if (!handover || handover->failing) {
			continue;
		}
		struct city_output *main = city_view_main_output(&tile->view);
		bool due = !main || main == event->output;
		if (handover->step == CITY_STEP_COMMIT && handover->group) {
			if (due && city_group_all_at(handover->group, CITY_STEP_COMMIT)) {
				commit_ns = event->when_ns;
				city_group_call(handover->group, commit_member);
				commit_ns = 0;
			}
		} else if (handover->step == CITY_STEP_COMMIT && due) {
			commit(handover, event->when_ns);
		} else if (handover->transition && !city_view_is_visible(&tile->view)) {
			end_melt(handover);
		} else if (handover->transition && main == event->output) {
			request_transition_frame(handover, event->when_ns);
		}
	}
}

void city_handover_presented(struct city_tiles *tiles, struct city_presented_event *event) {
	struct city_tile *tile;
	if (tiles->handovers == 0) {
		return;
	}
	wl_list_for_each(tile, &tiles->list, link) {
		struct city_handover *both[] = {tile->handover, tile->next};
		for (size_t i = 0; i < 2; i++) {
			struct city_handover *handover = both[i];
			if (!handover) {
				continue;
			}
			if (handover->busy) {
				handover->record.frames_dropped += event->missed;
				handover->record.frames_shown++;
			}
			if (handover->shown &&
				city_view_area_on(&tile->view, event->output->stage) > 0) {
				handover->frames_shown++;
				handover->last_frame_ns = event->when_ns;
			}
		}
	}
}
