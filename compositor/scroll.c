/* SPDX-License-Identifier: MIT */
/* Wheels, and two fingers on a touchpad: bindings first, then the map, then the clients. */
#include <math.h>
#include <wlr/types/wlr_cursor.h>
#include <wlr/types/wlr_pointer.h>
#include <wlr/types/wlr_seat.h>

#include "compositor/command.h"
#include "compositor/lock.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/view.h"

#define WHEEL_PAN 4.0	 /* pixels per unit of a wheel: 60 a notch */
#define WHEEL_ZOOM 0.25	 /* doublings of the zoom a notch */
#define FINGER_ZOOM 0.01 /* doublings per unit of a finger's motion */
#define FINGER_NOTCH 15	 /* units of a finger's motion that are as much as a notch */
#define NOTCHES_MAX 8	 /* that one event runs a binding for */

static struct city_stage *below(const struct city_seat *seat) {
	return city_stage_at(seat->server, seat->cursor->x, seat->cursor->y);
}

/* Down and right are positive. */
static double notches_of(const struct wlr_pointer_axis_event *event) {
	if (event->source == WL_POINTER_AXIS_SOURCE_FINGER ||
		event->source == WL_POINTER_AXIS_SOURCE_CONTINUOUS) {
		return event->delta / FINGER_NOTCH;
	}
	if (event->delta_discrete != 0) {
		return event->delta_discrete / (double)WLR_POINTER_AXIS_DISCRETE_STEP;
	}
	return event->delta > 0 ? 1 : event->delta < 0 ? -1 : 0;
}

void city_scroll_zoom(struct city_seat *seat, const struct wlr_pointer_axis_event *event) {
	struct city_stage *stage = below(seat);
	if (event->orientation != WL_POINTER_AXIS_VERTICAL_SCROLL || event->delta == 0) {
		return;
	}
	double zoom = city_map_end(&stage->camera).zoom;
	if (event->source == WL_POINTER_AXIS_SOURCE_FINGER) {
		zoom *= exp2(-event->delta * FINGER_ZOOM);
	} else {
		double next = zoom * exp2(-notches_of(event) * WHEEL_ZOOM);
		/* Never past the room without stopping in it. */
		zoom = (zoom - 1) * (next - 1) < 0 ? 1 : next;
	}
	city_map_zoom_about(stage, zoom, seat->cursor->x, seat->cursor->y);
}

/* Fingers drag the map, and let it go on when they are lifted: then the scrolling stops. */
void city_scroll_pan(struct city_seat *seat, const struct wlr_pointer_axis_event *event) {
	bool sideways = event->orientation == WL_POINTER_AXIS_HORIZONTAL_SCROLL;
	double x = sideways ? event->delta : 0, y = sideways ? 0 : event->delta;
	if (event->source != WL_POINTER_AXIS_SOURCE_FINGER) {
		city_map_pan(below(seat), x * WHEEL_PAN, y * WHEEL_PAN);
		return;
	}
	if (!seat->scrolling) {
		city_flick_begin(&seat->flick);
		seat->scrolling = true;
	}
	if (event->delta == 0) {
		/* Each direction says it. */
		seat->scrolling = false;
		struct city_flick_speed speed = city_flick_end(&seat->flick, event->time_msec);
		city_map_glide(below(seat), &speed);
		city_flick_begin(&seat->flick);
		return;
	}
	city_flick_add(&seat->flick, event->time_msec, x, y, 0);
	city_map_drag(below(seat), x, y);
}

/* A binding of one direction runs once for each notch. False: there is none. */
static bool run_notches(struct city_seat *seat, const struct city_hit *hit, bool ground,
	const struct wlr_pointer_axis_event *event) {
	bool sideways = event->orientation == WL_POINTER_AXIS_HORIZONTAL_SCROLL;
	double notches = notches_of(event), *rest = &seat->notches[sideways];
	enum city_wheel negative = sideways ? CITY_WHEEL_LEFT : CITY_WHEEL_UP;
	enum city_wheel positive = sideways ? CITY_WHEEL_RIGHT : CITY_WHEEL_DOWN;
	enum city_wheel way = notches < 0 ? negative : positive;
	if (city_pointer_bound(seat, hit, ground, CITY_BIND_WHEEL, way) == NULL) {
		return false;
	}
	*rest = *rest * notches < 0 ? notches : *rest + notches;
	*rest = fmax(fmin(*rest, NOTCHES_MAX), -NOTCHES_MAX);
	while (fabs(*rest) >= 1) {
		*rest -= *rest < 0 ? -1 : 1;
		/* The first may have changed everything. */
		struct city_hit now = city_hit_test(seat->server, seat->cursor->x, seat->cursor->y);
		struct city_pointing pointing = {.kind = CITY_BIND_WHEEL, .axis = event};
		city_pointer_run(seat, &now, ground, way, &pointing);
	}
	return true;
}

static bool run_bound(struct city_seat *seat, const struct wlr_pointer_axis_event *event) {
	struct city_hit hit = city_hit_test(seat->server, seat->cursor->x, seat->cursor->y);
	/* Where no client gets it the map does: on frames, and on what is too far away. */
	bool ground = seat->seat->pointer_state.focused_surface == NULL;
	struct city_pointing pointing = {.kind = CITY_BIND_WHEEL, .axis = event};
	return run_notches(seat, &hit, ground, event) ||
		city_pointer_run(seat, &hit, ground, CITY_WHEEL_ANY, &pointing);
}

/* False: it is the client's. */
static bool take(struct city_seat *seat, const struct wlr_pointer_axis_event *event) {
	bool sideways = event->orientation == WL_POINTER_AXIS_HORIZONTAL_SCROLL;
	bool *bound = &seat->scroll_bound[sideways];
	if (city_lock_active(seat->server->lock)) {
		*bound = false;
	} else if (seat->scrolling) {
		/* Fingers that scroll the map do so until they are lifted, whatever comes below. */
		*bound = true;
		city_scroll_pan(seat, event);
	} else if (notches_of(event) != 0) {
		*bound = run_bound(seat, event);
	} else {
		/* Lifted: who had the motion is told of its end, whatever is bound by now. */
		seat->notches[sideways] = 0;
	}
	return *bound;
}

void city_scroll(struct city_seat *seat, const struct wlr_pointer_axis_event *event) {
	if (take(seat, event)) {
		return;
	}
	struct city_input_event sent = {
		.kind = CITY_INPUT_SCROLL,
		.surface = seat->seat->pointer_state.focused_surface,
		.time_msec = event->time_msec,
		.scroll = event,
	};
	wlr_seat_pointer_notify_axis(seat->seat, event->time_msec, event->orientation, event->delta,
		event->delta_discrete, event->source, event->relative_direction);
	wl_signal_emit_mutable(&seat->server->events.input, &sent);
}
