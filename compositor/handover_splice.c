/* SPDX-License-Identifier: MIT */
/*
 * When a handover happens, and where the old version's sound ends.
 *
 * With everything warm the handover, or the whole group, waits in the step WAIT until its splice
 * point is met. One without sound waits for the time at which the point's frame is heard. One with
 * sound asks the version that runs to render up to that frame and not beyond (sound_end): it goes
 * on with everything else, says when it has done so, and only then comes migrate. Without a splice
 * point it is asked to end as soon as enough is rendered ahead for nobody to hear the pause.
 *
 * The transport may change while something waits: it is looked at again and again, and once more
 * when the last one has ended. An end that is no longer right is taken back and asked for anew. So
 * a splice that was waited for is at its frame exactly, or not at all; but for versions that do not
 * answer, which are not waited for once their frame is heard.
 */
#include <stdio.h>
#include <string.h>

#include "compositor/control.h"
#include "compositor/handover_internal.h"
#include "compositor/keeper.h"
#include "compositor/server.h"
#include "log.h"
#include "vat.h"

#define LOOK_MS 100 /* at a transport that may change */
/* Between now and a splice point for sound there is room for this much more than what is to be
 * rendered ahead: the question has to come there. */
#define ASK_MS 50

/* The transport at one moment. */
struct view {
	bool known;
	struct vat_transport transport;
	uint64_t now; /* frame that is heard */
};

static void look(const struct city_tile *tile, struct view *view) {
	const struct vat_transport_page *page = city_keeper_transport(tile->tiles->keeper);
	struct vat_transport_clock clock;
	view->known = page && vat_transport_read(page, &view->transport) &&
		vat_transport_read_clock(page, &clock);
	view->now = view->known
		? vat_transport_frame_at(&clock, view->transport.rate, (uint64_t)city_now_ns())
		: 0;
}

/* ---- what is asked for */

/* Which splice point holds for it. False: it is the config's, or what is usual, which gives way
 * where it cannot be met. */
static bool point_of(const struct city_handover *handover, struct vat_splice_point *point) {
	const struct city_tile *tile = handover->tile;
	const char *text = handover->record.splice_asked;
	bool asked = *text != '\0';
	if (!asked && !handover->back && !handover->start) {
		text = city_tile_splice(tile);
		if (!*text && tile->live && city_version_sounds(tile->live)) {
			text = "@bar";
		}
	}
	*point = (struct vat_splice_point){.kind = VAT_SPLICE_NOW};
	/* Nothing plays that could end in time. */
	if (!tile->live || tile->live->stuck) {
		return false;
	}
	struct vat_error error;
	if (vat_splice_parse(text, point, &error) < 0) {
		point->kind = VAT_SPLICE_NOW;
	}
	return asked;
}

bool city_splice_check(
	const struct city_tile *tile, const char *splice, char *error, size_t error_size) {
	struct vat_splice_point point;
	struct vat_error why;
	struct view view;
	struct city_moment moment;
	if (vat_splice_parse(splice, &point, &why) < 0) {
		snprintf(error, error_size, "%s", why.text);
		return false;
	}
	if (point.kind == VAT_SPLICE_NOW) {
		return true;
	}
	look(tile, &view);
	if (!view.known) {
		snprintf(error, error_size,
			"splice point \"%.60s\" needs the city's transport, and there is none, for "
			"source-city-audio does not run; leave it out or use \"!\"",
			splice);
		return false;
	}
	if (city_splice_common(&view.transport, &point, 1, view.now, &moment, &why) < 0) {
		snprintf(error, error_size, "%s", why.text);
		return false;
	}
	return true;
}

/* ---- waiting */

void city_handover_wait_end(struct city_handover *handover) {
	struct city_tile_version *live = handover->tile->live;
	if (handover->wait_timer) {
		wl_event_source_remove(handover->wait_timer);
		handover->wait_timer = NULL;
	}
	if (handover->aimed && live && live->sound_serial != 0 && live != handover->b) {
		city_version_send_sound_go_on(live);
	}
	handover->aimed = false;
}

static int handle_timer(void *data) {
	struct city_handover *handover = data;
	city_handover_advance(handover->tile);
	return 0;
}

static void again_in(struct city_handover *handover, int ms) {
	if (!handover->wait_timer) {
		handover->wait_timer = wl_event_loop_add_timer(
			handover->tile->tiles->server->loop, handle_timer, handover);
	}
	if (handover->wait_timer) {
		wl_event_source_timer_update(handover->wait_timer, ms > 0 ? ms : 1);
	}
}

static bool sounds(const struct city_handover *handover) {
	const struct city_tile_version *live = handover->tile->live;
	return live && !live->stuck && city_version_sounds(live);
}

/* It has not answered although the frame is heard, or should be. */
static bool is_overdue(const struct city_handover *handover, const struct view *view) {
	const struct city_tile_version *live = handover->tile->live;
	int limit_ms = handover->tile->tiles->limits.migrate_ms;
	if (live->sound_frame != 0) {
		uint64_t limit = city_splice_frames(view->transport.rate, (uint32_t)limit_ms);
		return view->now > live->sound_frame + limit;
	}
	return city_now_ns() - live->sound_ns > (int64_t)limit_ms * 1000000;
}

static void ask(struct city_handover *handover, const struct view *view, uint64_t frame) {
	struct city_tile_version *live = handover->tile->live;
	if (live->sound_serial != 0 && live->sound_frame == frame) {
		return;
	}
	struct city_decision decision;
	city_handover_decide(handover, live, &decision);
	city_version_send_sound_go_on(live);
	city_version_send_sound_end(live, frame,
		(uint32_t)city_splice_frames(view->transport.rate, CITY_SPLICE_AHEAD_MS),
		city_splice_fade(&view->transport, frame != 0 ? frame : view->now,
			decision.strategy == CITY_STRATEGY_CROSSFADE));
}

static void begin_wait(struct city_handover *handover, const struct vat_splice_point *point) {
	if (handover->step == CITY_STEP_WAIT) {
		return;
	}
	city_handover_set_step(handover, CITY_STEP_WAIT);
	/* No frame of the screen is missed by waiting. */
	city_handover_stop_busy(handover);
	if (point->kind == VAT_SPLICE_NOW || handover->start) {
		return;
	}
	char what[64], text[128];
	vat_splice_print(point, what, sizeof(what));
	snprintf(text, sizeof(text), "a new version waits for %s", what);
	city_tile_set_notice(handover->tile, CITY_BADGE_INFO, text, false);
	city_tile_changed(handover->tile);
}

/* The badge counts the beats down: it looks at the transport anyway. Only the picture, of whoever
 * sees it; errors are more important. */
static void count_down(struct city_handover *handover, const struct view *view) {
	struct city_tile *tile = handover->tile;
	if (!handover->aimed || handover->aim.frame == 0 || !tile->notice || tile->unsaved ||
		tile->notice_kind != CITY_BADGE_INFO) {
		return;
	}
	int64_t beats = city_splice_beats(&view->transport, view->now, handover->aim.tick);
	if (beats == 0 || beats == handover->beats_left) {
		return;
	}
	char text[192];
	handover->beats_left = beats;
	snprintf(text, sizeof(text), "%.128s: %lld beat%s", tile->notice, (long long)beats,
		beats == 1 ? "" : "s");
	city_view_set_badge(&tile->view, CITY_BADGE_INFO, text);
}

/* Where all of them are to splice; false: it is not to be, and they have failed. `timed`: there is
 * a moment to wait for. */
static bool aim(struct city_handover *const *members, size_t count, const struct view *view,
	bool any_sound, bool *timed) {
	struct city_handover *first = members[0];
	struct vat_splice_point points[CITY_GROUP_MAX];
	bool asked[CITY_GROUP_MAX];
	uint64_t from = view->now;
	*timed = false;
	for (size_t i = 0; i < count; i++) {
		asked[i] = point_of(members[i], &points[i]);
		if (!view->known && points[i].kind != VAT_SPLICE_NOW) {
			if (asked[i]) {
				city_handover_fail(members[i],
					"it was to wait for %s, but the city's transport is gone",
					members[i]->record.splice_asked);
				return false;
			}
			points[i].kind = VAT_SPLICE_NOW;
		}
		*timed |= points[i].kind != VAT_SPLICE_NOW;
		from = from > members[i]->not_before ? from : members[i]->not_before;
	}
	if (!*timed) {
		return true;
	}
	if (first->aimed && first->aim.frame != 0 &&
		city_splice_holds(&view->transport, points, count, &first->aim)) {
		return true;
	}
	uint32_t room_ms = any_sound ? CITY_SPLICE_AHEAD_MS + ASK_MS : 0;
	from += city_splice_frames(view->transport.rate, room_ms);
	for (size_t left = count;;) {
		struct city_moment moment;
		struct vat_error error;
		if (city_splice_common(&view->transport, points, count, from, &moment, &error) ==
			0) {
			for (size_t i = 0; i < count; i++) {
				members[i]->aim = moment;
				members[i]->aimed = true;
			}
			break;
		}
		/* What nobody asked for in so many words gives way. */
		while (left > 0 && (asked[left - 1] || points[left - 1].kind == VAT_SPLICE_NOW)) {
			left--;
		}
		if (left == 0) {
			city_handover_fail(first, "%s", error.text);
			return false;
		}
		points[--left].kind = VAT_SPLICE_NOW;
	}
	*timed = false;
	for (size_t i = 0; i < count; i++) {
		*timed |= points[i].kind != VAT_SPLICE_NOW;
	}
	for (size_t i = 0; i < count; i++) {
		begin_wait(members[i], &points[i]);
	}
	return true;
}

bool city_handover_await(struct city_handover *const *members, size_t count) {
	struct city_handover *first = members[0];
	struct view view;
	bool any_sound = false, timed, ended = true;
	look(first->tile, &view);
	for (size_t i = 0; i < count && view.known; i++) {
		any_sound |= sounds(members[i]);
	}
	if (!aim(members, count, &view, any_sound, &timed)) {
		return false;
	}
	for (size_t i = 0; i < count && !timed; i++) {
		members[i]->aimed = any_sound;
		members[i]->aim = (struct city_moment){0};
	}
	if (!timed && !any_sound) {
		return true;
	}
	uint64_t frame = first->aim.frame;
	const struct vat_splice_point now = {.kind = VAT_SPLICE_NOW};
	for (size_t i = 0; i < count && any_sound; i++) {
		if (!sounds(members[i])) {
			continue;
		}
		begin_wait(members[i], &now);
		ask(members[i], &view, frame);
		ended &= members[i]->tile->live->sound_ended || is_overdue(members[i], &view);
	}
	if (any_sound ? ended : view.now >= frame) {
		return true;
	}
	for (size_t i = 0; i < count && timed; i++) {
		count_down(members[i], &view);
	}
	int ms = any_sound ? LOOK_MS
			   : city_splice_wait_ms(view.transport.rate, view.now, frame, LOOK_MS);
	again_in(first, ms);
	return false;
}

void city_handover_met(struct city_handover *handover) {
	struct city_record *record = &handover->record;
	const struct city_tile_version *live = handover->tile->live;
	struct vat_splice_point point;
	struct view view;
	if (handover->wait_timer) {
		wl_event_source_timer_update(handover->wait_timer, 0);
	}
	point_of(handover, &point);
	bool timed = handover->aimed && handover->aim.frame != 0;
	if (timed || *record->splice_asked) {
		vat_splice_print(&point, record->splice_met, sizeof(record->splice_met));
	} else {
		snprintf(record->splice_met, sizeof(record->splice_met), "frame");
	}
	look(handover->tile, &view);
	bool sound = live && live->sound_serial != 0 && live->sound_ended;
	if (timed) {
		record->splice_frame = (int64_t)handover->aim.frame;
		record->splice_tick = handover->aim.tick;
		uint64_t met = sound ? live->sound_at : view.now;
		record->splice_error = (int64_t)(met - handover->aim.frame);
	} else if (sound && view.known) {
		record->splice_frame = (int64_t)live->sound_at;
		record->splice_tick = vat_transport_tick(&view.transport, live->sound_at);
		record->splice_error = 0;
	}
}

void city_handover_transport_changed(struct city_tiles *tiles) {
	struct city_tile *tile;
	wl_list_for_each(tile, &tiles->list, link) {
		if (tile->next && tile->next->step == CITY_STEP_WAIT) {
			city_handover_advance(tile);
		}
	}
}

/* ---- what versions say of it */

static struct city_handover *waiting(const struct city_tile_version *version) {
	struct city_handover *next = version->tile->next;
	bool waits = next && version->tile->live == version && next->step == CITY_STEP_WAIT &&
		!next->failing;
	return waits ? next : NULL;
}

void city_handover_version_sound_ended(struct city_tile_version *version, uint64_t frame) {
	if (!waiting(version)) {
		city_version_send_sound_go_on(version);
		return;
	}
	version->sound_ended = true;
	version->sound_at = frame;
	city_handover_advance(version->tile);
}

static void aim_anew(struct city_handover *handover) {
	handover->aimed = false;
	handover->aim = (struct city_moment){0};
}

void city_handover_version_sound_missed(struct city_tile_version *version, uint64_t frame) {
	struct city_handover *next = waiting(version);
	version->sound_serial = 0;
	if (!next) {
		return;
	}
	next->not_before = frame;
	if (next->group) {
		city_group_call(next->group, aim_anew);
	} else {
		aim_anew(next);
	}
	city_handover_advance(version->tile);
}

void city_handover_version_sound_began(
	struct city_tile_version *version, uint64_t frame, uint32_t skipped) {
	struct city_handover *handover = version->tile->handover;
	if (!handover || handover->b != version) {
		return;
	}
	struct city_record *record = &handover->record;
	if (record->splice_frame >= 0) {
		record->splice_error = (int64_t)frame - record->splice_frame;
	}
	record->sound_skipped = skipped;
}
