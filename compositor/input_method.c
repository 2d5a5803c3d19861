/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_input_method_v2.h>
#include <wlr/types/wlr_keyboard.h>
#include <wlr/types/wlr_scene.h>
#include <wlr/types/wlr_seat.h>
#include <wlr/types/wlr_text_input_v3.h>
#include <wlr/types/wlr_virtual_keyboard_v1.h>

#include "compositor/input_method.h"
#include "compositor/lock.h"
#include "compositor/output.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/surface.h"
#include "vat/log.h"

struct city_input_method {
	struct city_server *server;
	struct wlr_text_input_manager_v3 *texts;
	struct wlr_input_method_manager_v2 *methods;
	struct wl_list text_inputs;	    /* text_input.link */
	struct text_input *active;	    /* is enabled and has the keyboard, may be NULL */
	struct wlr_input_method_v2 *method; /* may be NULL */
	struct wl_list popups;		    /* popup.link */

	struct wl_listener new_text_input;
	struct wl_listener new_method;
	struct wl_listener keyboard_focus;
	struct wl_listener camera;
	struct wl_listener method_commit;
	struct wl_listener method_grab;
	struct wl_listener method_popup;
	struct wl_listener method_destroy;
};

/* A program's side. */
struct text_input {
	struct wl_list link;
	struct city_input_method *relay;
	struct wlr_text_input_v3 *input;
	struct wl_listener enable;
	struct wl_listener commit;
	struct wl_listener disable;
	struct wl_listener destroy;
};

/* A window of the input method, such as a list of candidates. */
struct popup {
	struct wl_list link;
	struct city_input_method *relay;
	struct wlr_input_popup_surface_v2 *popup;
	struct city_surface_tree *surfaces;
	struct wl_listener commit;
	struct wl_listener map;
	struct wl_listener unmap;
	struct wl_listener destroy;
};

/* Where a surface is on the screen. */
struct search {
	struct wlr_surface *surface;
	bool found;
	int ox, oy;
	double zoom;
};

static void match(struct wlr_scene_buffer *buffer, int ox, int oy, void *data) {
	struct search *search = data;
	struct wlr_surface *surface;
	double zoom = 1;
	if (!city_surface_tree_find(buffer, &surface, &zoom)) {
		struct wlr_scene_surface *scene = wlr_scene_surface_try_from_buffer(buffer);
		surface = scene == NULL ? NULL : scene->surface;
	}
	if (surface == search->surface && !search->found) {
		*search = (struct search){surface, true, ox, oy, zoom};
	}
}

static void place(struct popup *popup) {
	struct city_input_method *relay = popup->relay;
	struct wlr_surface *surface = popup->popup->surface;
	struct search search = {0};
	if (relay->active != NULL) {
		search.surface = relay->active->input->focused_surface;
	}
	/* Where the pointer is first, then any other that shows it. */
	struct city_stage *stage = city_stage_focused(relay->server), *other;
	if (search.surface != NULL && surface->mapped) {
		wlr_scene_node_for_each_buffer(&stage->tree->node, match, &search);
		wl_list_for_each(other, &relay->server->stages, link) {
			if (!search.found) {
				stage = other;
				wlr_scene_node_for_each_buffer(&stage->tree->node, match, &search);
			}
		}
	}
	city_surface_tree_set_enabled(popup->surfaces, search.found);
	if (!search.found) {
		return;
	}
	city_surface_tree_move(popup->surfaces, stage->layers.input_method);
	search.ox -= stage->at;
	/* Below the text cursor, or above it where there is no room; always on the screen. */
	const struct wlr_box *cursor = &relay->active->input->current.cursor_rectangle;
	int left = search.ox + (int)(cursor->x * search.zoom);
	int top = search.oy + (int)(cursor->y * search.zoom);
	int height = (int)(cursor->height * search.zoom);
	int x = left, y = top + height;
	struct wlr_box screen = stage->box;
	if (!wlr_box_empty(&screen)) {
		int over = x + surface->current.width - (screen.x + screen.width);
		x = over > 0 ? x - over : x;
		x = x < screen.x ? screen.x : x;
		if (y + surface->current.height > screen.y + screen.height) {
			y = top - surface->current.height;
		}
	}
	city_surface_tree_place(popup->surfaces, x, y, 1, 0, 0);
	struct wlr_box rectangle = {left - x, top - y, (int)(cursor->width * search.zoom), height};
	wlr_input_popup_surface_v2_send_text_input_rectangle(popup->popup, &rectangle);
}

void city_input_method_place(struct city_input_method *relay) {
	struct popup *popup;
	wl_list_for_each(popup, &relay->popups, link) {
		place(popup);
	}
}

/* From the program to the input method. */

static void send_state(struct city_input_method *relay) {
	const struct wlr_text_input_v3 *input = relay->active->input;
	if ((input->active_features & WLR_TEXT_INPUT_V3_FEATURE_SURROUNDING_TEXT) != 0) {
		const char *text = input->current.surrounding.text;
		wlr_input_method_v2_send_surrounding_text(relay->method, text == NULL ? "" : text,
			input->current.surrounding.cursor, input->current.surrounding.anchor);
	}
	wlr_input_method_v2_send_text_change_cause(relay->method, input->current.text_change_cause);
	if ((input->active_features & WLR_TEXT_INPUT_V3_FEATURE_CONTENT_TYPE) != 0) {
		wlr_input_method_v2_send_content_type(relay->method,
			input->current.content_type.hint, input->current.content_type.purpose);
	}
	wlr_input_method_v2_send_done(relay->method);
	city_input_method_place(relay);
}

static void set_active(struct city_input_method *relay, struct text_input *active) {
	if (relay->active == active) {
		return;
	}
	struct text_input *old = relay->active;
	relay->active = active;
	if (relay->method == NULL) {
		return;
	}
	if (old != NULL) {
		wlr_input_method_v2_send_deactivate(relay->method);
	}
	if (active != NULL) {
		wlr_input_method_v2_send_activate(relay->method);
		send_state(relay);
		return;
	}
	wlr_input_method_v2_send_done(relay->method);
	city_input_method_place(relay);
}

static void handle_enable(struct wl_listener *listener, void *data) {
	struct text_input *input = wl_container_of(listener, input, enable);
	if (input->input->focused_surface != NULL) {
		set_active(input->relay, input);
	}
}

static void handle_disable(struct wl_listener *listener, void *data) {
	struct text_input *input = wl_container_of(listener, input, disable);
	if (input->relay->active == input) {
		set_active(input->relay, NULL);
	}
}

static void handle_text_commit(struct wl_listener *listener, void *data) {
	struct text_input *input = wl_container_of(listener, input, commit);
	if (input->relay->active == input && input->relay->method != NULL) {
		send_state(input->relay);
	}
}

static void text_input_destroy(struct text_input *input) {
	if (input->relay->active == input) {
		set_active(input->relay, NULL);
	}
	wl_list_remove(&input->link);
	wl_list_remove(&input->enable.link);
	wl_list_remove(&input->commit.link);
	wl_list_remove(&input->disable.link);
	wl_list_remove(&input->destroy.link);
	free(input);
}

static void handle_text_destroy(struct wl_listener *listener, void *data) {
	struct text_input *input = wl_container_of(listener, input, destroy);
	text_input_destroy(input);
}

/* Text inputs follow the keyboard; without an input method they hear nothing. */
static void follow_focus(struct city_input_method *relay, struct wlr_surface *surface) {
	struct text_input *input;
	wl_list_for_each(input, &relay->text_inputs, link) {
		struct wlr_surface *old = input->input->focused_surface;
		bool same_client = surface != NULL &&
			wl_resource_get_client(surface->resource) ==
				wl_resource_get_client(input->input->resource);
		struct wlr_surface *wanted = same_client && relay->method != NULL ? surface : NULL;
		if (old == wanted) {
			continue;
		}
		if (old != NULL) {
			if (relay->active == input) {
				set_active(relay, NULL);
			}
			wlr_text_input_v3_send_leave(input->input);
		}
		if (wanted != NULL) {
			wlr_text_input_v3_send_enter(input->input, wanted);
		}
	}
	/* Its surface may have gone before the keyboard was told. */
	if (relay->active != NULL && relay->active->input->focused_surface == NULL) {
		set_active(relay, NULL);
	}
}

static void handle_keyboard_focus(struct wl_listener *listener, void *data) {
	struct city_input_method *relay = wl_container_of(listener, relay, keyboard_focus);
	const struct wlr_seat_keyboard_focus_change_event *event = data;
	follow_focus(relay, event->new_surface);
}

static void handle_new_text_input(struct wl_listener *listener, void *data) {
	struct city_input_method *relay = wl_container_of(listener, relay, new_text_input);
	struct text_input *input = calloc(1, sizeof(*input));
	if (input == NULL) {
		return;
	}
	input->relay = relay;
	input->input = data;
	wl_list_insert(&relay->text_inputs, &input->link);
	input->enable.notify = handle_enable;
	wl_signal_add(&input->input->events.enable, &input->enable);
	input->commit.notify = handle_text_commit;
	wl_signal_add(&input->input->events.commit, &input->commit);
	input->disable.notify = handle_disable;
	wl_signal_add(&input->input->events.disable, &input->disable);
	input->destroy.notify = handle_text_destroy;
	wl_signal_add(&input->input->events.destroy, &input->destroy);
	follow_focus(relay, relay->server->seat->seat->keyboard_state.focused_surface);
}

/* From the input method to the program. */

static void handle_method_commit(struct wl_listener *listener, void *data) {
	struct city_input_method *relay = wl_container_of(listener, relay, method_commit);
	const struct wlr_input_method_v2_state *state = &relay->method->current;
	if (relay->active == NULL) {
		return;
	}
	struct wlr_text_input_v3 *input = relay->active->input;
	if (state->preedit.text != NULL) {
		wlr_text_input_v3_send_preedit_string(input, state->preedit.text,
			state->preedit.cursor_begin, state->preedit.cursor_end);
	}
	if (state->commit_text != NULL) {
		wlr_text_input_v3_send_commit_string(input, state->commit_text);
	}
	if (state->delete.before_length != 0 || state->delete.after_length != 0) {
		wlr_text_input_v3_send_delete_surrounding_text(
			input, state->delete.before_length, state->delete.after_length);
	}
	wlr_text_input_v3_send_done(input);
}

static void handle_method_grab(struct wl_listener *listener, void *data) {
	struct city_input_method *relay = wl_container_of(listener, relay, method_grab);
	struct wlr_input_method_keyboard_grab_v2 *grab = data;
	wlr_input_method_keyboard_grab_v2_set_keyboard(
		grab, wlr_seat_get_keyboard(relay->server->seat->seat));
}

static struct wlr_input_method_keyboard_grab_v2 *grab_for(
	struct city_input_method *relay, struct wlr_keyboard *keyboard) {
	/* Passwords are nothing for it. */
	if (relay == NULL || relay->method == NULL || relay->method->keyboard_grab == NULL ||
		city_lock_active(relay->server->lock)) {
		return NULL;
	}
	/* What the input method types itself goes to the program. */
	struct wlr_virtual_keyboard_v1 *virtual = wlr_input_device_get_virtual_keyboard(
		&keyboard->base);
	if (virtual != NULL &&
		wl_resource_get_client(virtual->resource) ==
			wl_resource_get_client(relay->method->resource)) {
		return NULL;
	}
	return relay->method->keyboard_grab;
}

bool city_input_method_key(struct city_input_method *relay, struct wlr_keyboard *keyboard,
	const struct wlr_keyboard_key_event *event) {
	struct wlr_input_method_keyboard_grab_v2 *grab = grab_for(relay, keyboard);
	if (grab == NULL) {
		return false;
	}
	wlr_input_method_keyboard_grab_v2_set_keyboard(grab, keyboard);
	wlr_input_method_keyboard_grab_v2_send_key(
		grab, event->time_msec, event->keycode, event->state);
	return true;
}

bool city_input_method_modifiers(struct city_input_method *relay, struct wlr_keyboard *keyboard) {
	struct wlr_input_method_keyboard_grab_v2 *grab = grab_for(relay, keyboard);
	if (grab == NULL) {
		return false;
	}
	wlr_input_method_keyboard_grab_v2_set_keyboard(grab, keyboard);
	wlr_input_method_keyboard_grab_v2_send_modifiers(grab, &keyboard->modifiers);
	return true;
}

/* Popups. */

static void handle_popup_commit(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, commit);
	place(popup);
}

static void handle_popup_map(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, map);
	place(popup);
}

static void handle_popup_unmap(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, unmap);
	place(popup);
}

static void popup_destroy(struct popup *popup) {
	wl_list_remove(&popup->link);
	wl_list_remove(&popup->commit.link);
	wl_list_remove(&popup->map.link);
	wl_list_remove(&popup->unmap.link);
	wl_list_remove(&popup->destroy.link);
	city_surface_tree_destroy(popup->surfaces);
	free(popup);
}

static void handle_popup_destroy(struct wl_listener *listener, void *data) {
	struct popup *popup = wl_container_of(listener, popup, destroy);
	popup_destroy(popup);
}

static void handle_method_popup(struct wl_listener *listener, void *data) {
	struct city_input_method *relay = wl_container_of(listener, relay, method_popup);
	struct popup *popup = calloc(1, sizeof(*popup));
	if (popup == NULL) {
		return;
	}
	popup->relay = relay;
	popup->popup = data;
	struct wlr_surface *surface = popup->popup->surface;
	popup->surfaces = city_surface_tree_create(
		relay->server->nowhere->layers.input_method, surface, NULL, NULL);
	if (popup->surfaces == NULL) {
		free(popup);
		return;
	}
	wl_list_insert(&relay->popups, &popup->link);
	popup->commit.notify = handle_popup_commit;
	wl_signal_add(&surface->events.commit, &popup->commit);
	popup->map.notify = handle_popup_map;
	wl_signal_add(&surface->events.map, &popup->map);
	popup->unmap.notify = handle_popup_unmap;
	wl_signal_add(&surface->events.unmap, &popup->unmap);
	popup->destroy.notify = handle_popup_destroy;
	wl_signal_add(&popup->popup->events.destroy, &popup->destroy);
	place(popup);
}

/* The input method comes and goes. */

static void forget_method(struct city_input_method *relay) {
	if (relay->method == NULL) {
		return;
	}
	wl_list_remove(&relay->method_commit.link);
	wl_list_remove(&relay->method_grab.link);
	wl_list_remove(&relay->method_popup.link);
	wl_list_remove(&relay->method_destroy.link);
	struct popup *popup, *next;
	wl_list_for_each_safe(popup, next, &relay->popups, link) {
		popup_destroy(popup);
	}
	relay->method = NULL;
}

static void handle_method_destroy(struct wl_listener *listener, void *data) {
	struct city_input_method *relay = wl_container_of(listener, relay, method_destroy);
	forget_method(relay);
	follow_focus(relay, NULL);
}

static void handle_new_method(struct wl_listener *listener, void *data) {
	struct city_input_method *relay = wl_container_of(listener, relay, new_method);
	struct wlr_input_method_v2 *method = data;
	if (relay->method != NULL) {
		city_log(CITY_LOG_WARN, "input method", "there is one already, another is refused");
		wlr_input_method_v2_send_unavailable(method);
		return;
	}
	relay->method = method;
	relay->method_commit.notify = handle_method_commit;
	wl_signal_add(&method->events.commit, &relay->method_commit);
	relay->method_grab.notify = handle_method_grab;
	wl_signal_add(&method->events.grab_keyboard, &relay->method_grab);
	relay->method_popup.notify = handle_method_popup;
	wl_signal_add(&method->events.new_popup_surface, &relay->method_popup);
	relay->method_destroy.notify = handle_method_destroy;
	wl_signal_add(&method->events.destroy, &relay->method_destroy);
	follow_focus(relay, relay->server->seat->seat->keyboard_state.focused_surface);
}

static void handle_camera(struct wl_listener *listener, void *data) {
	struct city_input_method *relay = wl_container_of(listener, relay, camera);
	city_input_method_place(relay);
}

bool city_input_method_create(struct city_server *server) {
	struct city_input_method *relay = calloc(1, sizeof(*relay));
	if (relay == NULL) {
		return false;
	}
	relay->server = server;
	wl_list_init(&relay->text_inputs);
	wl_list_init(&relay->popups);
	relay->texts = wlr_text_input_manager_v3_create(server->display);
	relay->methods = wlr_input_method_manager_v2_create(server->display);
	if (relay->texts == NULL || relay->methods == NULL) {
		free(relay);
		return false;
	}
	city_server_hide_global(server, relay->methods->global, false);
	relay->new_text_input.notify = handle_new_text_input;
	wl_signal_add(&relay->texts->events.new_text_input, &relay->new_text_input);
	relay->new_method.notify = handle_new_method;
	wl_signal_add(&relay->methods->events.new_input_method, &relay->new_method);
	relay->keyboard_focus.notify = handle_keyboard_focus;
	wl_signal_add(
		&server->seat->seat->keyboard_state.events.focus_change, &relay->keyboard_focus);
	relay->camera.notify = handle_camera;
	wl_signal_add(&server->events.camera, &relay->camera);
	server->input_method = relay;
	return true;
}

void city_input_method_destroy(struct city_server *server) {
	struct city_input_method *relay = server->input_method;
	if (relay == NULL) {
		return;
	}
	forget_method(relay);
	struct text_input *input, *next;
	wl_list_for_each_safe(input, next, &relay->text_inputs, link) {
		text_input_destroy(input);
	}
	wl_list_remove(&relay->new_text_input.link);
	wl_list_remove(&relay->new_method.link);
	wl_list_remove(&relay->keyboard_focus.link);
	wl_list_remove(&relay->camera.link);
	free(relay);
	server->input_method = NULL;
}
