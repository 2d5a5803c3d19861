/* SPDX-License-Identifier: MIT */
/*
 * The seat: devices, cursor, keyboard and pointer focus, selections and drags.
 * seat.c owns it and decides the keyboard focus; keyboard.c, pointer.c, touch.c and grab.c handle
 * what comes from the devices. Main thread only.
 */
#ifndef CITY_SEAT_H
#define CITY_SEAT_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_seat.h>

#include "compositor/bind.h"
#include "compositor/flick.h"
#include "compositor/grab.h"

struct city_server;
struct city_tablets;
struct city_view;
struct wlr_cursor;
struct wlr_cursor_shape_manager_v1;
struct wlr_input_device;
struct wlr_keyboard;
struct wlr_keyboard_group;
struct wlr_pointer_constraint_v1;
struct wlr_pointer_constraints_v1;
struct wlr_pointer_gestures_v1;
struct wlr_relative_pointer_manager_v1;
struct wlr_scene_tree;
struct wlr_surface;
struct wlr_virtual_keyboard_manager_v1;
struct wlr_virtual_pointer_manager_v1;
struct wlr_xcursor_manager;

/* A keyboard that is listened to: the group of all real ones, or a virtual one. */
struct city_keyboard {
	struct wl_list link; /* city_seat.keyboards */
	struct city_seat *seat;
	struct wlr_keyboard *keyboard;
	struct wlr_keyboard_group *group; /* NULL for virtual ones */
	struct city_swallowed swallowed;
	struct wl_listener key;
	struct wl_listener modifiers;
	struct wl_listener destroy;
};

/* A device that is attached to the cursor or to the group. */
struct city_device {
	struct wl_list link; /* city_seat.devices */
	struct city_seat *seat;
	struct wlr_input_device *device;
	struct wl_listener destroy;
};

struct city_seat {
	struct city_server *server;
	struct wlr_seat *seat;
	struct wlr_cursor *cursor;
	struct wlr_xcursor_manager *xcursors;
	struct wl_list keyboards; /* city_keyboard.link */
	struct wl_list devices;	  /* city_device.link */
	struct city_keyboard *group;
	struct wlr_relative_pointer_manager_v1 *relative;
	struct wlr_pointer_constraints_v1 *constraints;
	struct wlr_pointer_constraint_v1 *constraint; /* the active one, may be NULL */
	struct wlr_pointer_gestures_v1 *gestures;
	struct wlr_virtual_keyboard_manager_v1 *virtual_keyboards;
	struct wlr_virtual_pointer_manager_v1 *virtual_pointers;
	struct wlr_cursor_shape_manager_v1 *shapes;

	struct city_tablets *tablets;
	struct city_grab grab;
	/* The client's surface that has a button held: it keeps the pointer until the release. */
	struct {
		struct wlr_surface *surface; /* NULL: none */
		struct city_view *view;	     /* NULL for layer surfaces */
		/* From the point of the view (tile coordinates), or of the layout, to it. */
		double off_x, off_y;
	} press;
	struct city_swallowed swallowed; /* buttons */
	double notches[2];		 /* of wheels, by enum wl_pointer_axis: less than one */
	bool scroll_bound[2];		 /* by the same: a binding had the last of it */
	uint32_t click_msec;		 /* of the last click on a title or a view far away */
	struct city_view *click_view;	 /* for double clicks */
	struct city_view *close_view;	 /* its close button is pressed */
	const char *shape;		 /* named cursor shown now, NULL when a client's */
	bool client_cursor;		 /* the client that has the pointer may set the cursor */
	struct wlr_surface *layer_focus; /* layer surface that a click gave the keyboard */
	struct wl_event_source *scene_idle;
	struct wlr_scene_tree *drag_icon; /* NULL without a drag */
	uint32_t time_msec;		  /* of the last pointer event */
	/* What a gesture does to the map. */
	bool swiping, holding;
	double pinch_zoom;	 /* zoom at the start of a pinch, 0: none */
	struct city_flick flick; /* of whatever drags the map */
	bool scrolling;		 /* fingers scroll the map: their end is a flick */

	/* Fingers on the screen. */
	struct city_touch {
		bool used;
		int32_t id;
		struct city_view *view; /* NULL for layer surfaces and for the ground */
		struct city_stage *pan; /* that it moves; NULL: none */
		double off_x, off_y;	/* as press.off_x */
		double ox, oy;		/* where it is */
	} touches[10];

	struct wl_listener new_input;
	struct wl_listener new_virtual_keyboard;
	struct wl_listener new_virtual_pointer;
	struct wl_listener motion;
	struct wl_listener motion_absolute;
	struct wl_listener button;
	struct wl_listener axis;
	struct wl_listener frame;
	struct wl_listener swipe_begin, swipe_update, swipe_end;
	struct wl_listener pinch_begin, pinch_update, pinch_end;
	struct wl_listener hold_begin, hold_end;
	struct wl_listener touch_down, touch_up, touch_motion, touch_cancel, touch_frame;
	struct wl_listener request_cursor;
	struct wl_listener request_shape;
	struct wl_listener request_selection;
	struct wl_listener request_primary;
	struct wl_listener request_drag;
	struct wl_listener keyboard_grab_end;
	struct wl_listener start_drag;
	struct wl_listener drag_destroy;
	struct wl_listener pointer_focus_change;
	struct wl_listener new_constraint;
	struct wl_listener constraint_destroy;
	struct wl_listener layer_focus_destroy;
};

struct city_seat *city_seat_create(struct city_server *server);
void city_seat_destroy(struct city_seat *seat); /* NULL-safe */

/* Everything below is NULL-safe: the seat goes before what may still call it. */

/* The backend ends by itself: nothing may listen to it any more. */
void city_seat_backend_gone(struct city_seat *seat);
/* Gives the keyboard to whom it is due: session lock, a panel that demands it, the panel that was
 * clicked, the focused view. */
void city_seat_focus_update(struct city_seat *seat);
/* Whose turn it is, NULL: nobody's. */
struct wlr_surface *city_seat_due_surface(struct city_seat *seat);
/* Something moved, appeared or went: the pointer may be over something else. Looked at once the
 * event loop is idle. */
void city_seat_scene_changed(struct city_seat *seat);
/* The view goes: no grab may hold it. */
void city_seat_forget_view(struct city_seat *seat, struct city_view *view);
void city_seat_forget_surface(struct city_seat *seat, struct wlr_surface *surface);
void city_seat_outputs_changed(struct city_seat *seat);
void city_seat_config_changed(struct city_seat *seat);
/* A layer surface was clicked (NULL: something else was). */
void city_seat_set_layer_focus(struct city_seat *seat, struct wlr_surface *surface);
/* Where the cursor is; false without a seat. */
bool city_seat_position(struct city_seat *seat, double *ox, double *oy);
uint32_t city_seat_modifiers(struct city_seat *seat); /* WLR_MODIFIER_* held on any keyboard */
/* Any input: idle timers start again. */
void city_seat_activity(struct city_seat *seat);
/* Shows a cursor from the theme. */
void city_seat_set_shape(struct city_seat *seat, const char *name);

/* keyboard.c */
bool city_keyboards_init(struct city_seat *seat);
void city_keyboards_finish(struct city_seat *seat);
void city_keyboards_configure(struct city_seat *seat);
/* The keys that are held, as far as clients are to know: without those that ran a binding. `keys`
 * has room for WLR_KEYBOARD_KEYS_CAP; returns how many there are. */
size_t city_keyboard_pressed(
	struct city_seat *seat, const struct wlr_keyboard *keyboard, uint32_t *keys);
void city_keyboard_add(struct city_seat *seat, struct wlr_input_device *device, bool is_virtual);

/* pointer.c */
struct city_hit;
struct city_pointing;
struct wlr_pointer_axis_event;
/* What is bound to this button or way of a wheel where the pointer is, as `hit` says; NULL:
 * nothing. `ground`: what is bound to the ground counts there too. */
const struct city_bind *city_pointer_bound(struct city_seat *seat, const struct city_hit *hit,
	bool ground, enum city_bind_kind kind, uint32_t code);
/* Runs it. The command is told of `pointing`, whose kind, button and axis are the caller's. False:
 * the event is not taken. */
bool city_pointer_run(struct city_seat *seat, const struct city_hit *hit, bool ground,
	uint32_t code, struct city_pointing *pointing);
/* A button over `hit`, of a mouse or of what acts as one. True: it is the map's, and the release is
 * to be told to city_pointer_release. */
bool city_pointer_take(
	struct city_seat *seat, const struct city_hit *hit, uint32_t button, uint32_t time);
/* The map's, else told to the client that has the pointer; without the frame's end. */
void city_pointer_press(struct city_seat *seat, uint32_t button, uint32_t time);
void city_pointer_release(struct city_seat *seat, uint32_t button, uint32_t time);
/* To a place of the device, 0 to 1; NAN: stays. */
void city_pointer_warp(
	struct city_seat *seat, struct wlr_input_device *device, double x, double y, uint32_t time);
bool city_pointer_init(struct city_seat *seat);
void city_pointer_finish(struct city_seat *seat);
void city_pointer_configure(struct city_seat *seat, struct wlr_input_device *device);
/* Finds out again what is below the cursor and tells it. */
void city_pointer_refocus(struct city_seat *seat);
/* The keyboard went elsewhere: the pointer is let go, or held again. NULL-safe. */
void city_pointer_update_constraint(struct city_seat *seat);

/* scroll.c: wheels and scrolling fingers */
void city_scroll(struct city_seat *seat, const struct wlr_pointer_axis_event *event);
void city_scroll_zoom(struct city_seat *seat, const struct wlr_pointer_axis_event *event);
void city_scroll_pan(struct city_seat *seat, const struct wlr_pointer_axis_event *event);

/* gesture.c */
bool city_gestures_init(struct city_seat *seat);
void city_gestures_finish(struct city_seat *seat);

/* touch.c */
void city_touch_init(struct city_seat *seat);
void city_touch_finish(struct city_seat *seat);
/* Fingers that are on the screen now do nothing more; clients are told. */
void city_touch_forget(struct city_seat *seat);

#endif
