/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <time.h>
#include <wlr/backend.h>
#include <wlr/backend/headless.h>
#include <wlr/backend/wayland.h>
#include <wlr/config.h>
#include <wlr/types/wlr_output.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_scene.h>
#if WLR_HAS_X11_BACKEND
#include <wlr/backend/x11.h>
#endif

#include "compositor/config.h"
#include "compositor/layer.h"
#include "compositor/lock.h"
#include "compositor/output.h"
#include "compositor/output_manager.h"
#include "compositor/seat.h"
#include "compositor/stage.h"
#include "compositor/view.h"
#include "vat/log.h"

struct city_outputs {
	struct city_server *server;
	struct wl_listener new_output;
	struct wl_listener layout_change;
};

static int64_t to_ns(const struct timespec *time) {
	return (int64_t)time->tv_sec * 1000000000 + time->tv_nsec;
}

static int64_t refresh_ns(const struct wlr_output *output) {
	return output->refresh > 0 ? 1000000000000 / output->refresh : 0;
}

int64_t city_output_frame_ns(const struct city_output *output) {
	return refresh_ns(output->wlr_output);
}

struct wlr_box city_output_box(const struct city_output *output) {
	struct wlr_box box;
	wlr_output_layout_get_box(output->server->output_layout, output->wlr_output, &box);
	return box;
}

struct city_output *city_output_from_wlr(struct wlr_output *wlr_output) {
	return wlr_output == NULL ? NULL : wlr_output->data;
}

struct city_output *city_output_at(struct city_server *server, double ox, double oy) {
	double near_x, near_y;
	wlr_output_layout_closest_point(server->output_layout, NULL, ox, oy, &near_x, &near_y);
	return city_output_from_wlr(
		wlr_output_layout_output_at(server->output_layout, near_x, near_y));
}

/* Frames. */

static int64_t predict(const struct city_output *output, int64_t now) {
	int64_t refresh = refresh_ns(output->wlr_output);
	if (refresh == 0 || output->last_presented_ns == 0 || output->last_presented_ns > now) {
		return now + refresh;
	}
	int64_t cycles = (now - output->last_presented_ns) / refresh + 1;
	return output->last_presented_ns + cycles * refresh;
}

/* The part of the screen that is different. */
static double damaged_share(const struct wlr_output *output, const struct wlr_output_state *state) {
	if ((state->committed & WLR_OUTPUT_STATE_DAMAGE) == 0) {
		return 1;
	}
	int count;
	double area = 0, all = (double)output->width * output->height;
	const pixman_box32_t *boxes = pixman_region32_rectangles(&state->damage, &count);
	for (int i = 0; i < count; i++) {
		area += (double)(boxes[i].x2 - boxes[i].x1) * (boxes[i].y2 - boxes[i].y1);
	}
	return all > 0 && area < all ? area / all : 1;
}

static bool commit_frame(struct city_output *output, const struct city_frame_begin *begin) {
	if (!wlr_scene_output_needs_frame(output->scene_output)) {
		return true;
	}
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	bool ok = wlr_scene_output_build_state(output->scene_output, &state, NULL) &&
		wlr_output_commit_state(output->wlr_output, &state);
	if (ok) {
		city_frames_end(&output->costs, begin, damaged_share(output->wlr_output, &state));
	}
	wlr_output_state_finish(&state);
	return ok;
}

static void handle_frame(struct wl_listener *listener, void *data) {
	struct city_output *output = wl_container_of(listener, output, frame);
	struct city_server *server = output->server;
	if (!output->wlr_output->enabled) {
		return;
	}
	struct timespec now;
	const struct city_frame_begin begin = city_frames_begin();
	struct city_frame_event event = {
		.output = output,
		.when_ns = predict(output, begin.at_ns),
		.commit_seq = output->wlr_output->commit_seq + 1,
	};
	city_map_step(output->stage, event.when_ns);
	wl_signal_emit_mutable(&server->events.frame_commit, &event);
	if (!commit_frame(output, &begin)) {
		city_log(CITY_LOG_DEBUG, output->wlr_output->name, "a frame could not be shown");
	}
	clock_gettime(CLOCK_MONOTONIC, &now);
	wlr_scene_output_send_frame_done(output->scene_output, &now);
	if (output->stage->camera.moving || server->busy > 0) {
		wlr_output_schedule_frame(output->wlr_output);
	}
}

static void handle_present(struct wl_listener *listener, void *data) {
	struct city_output *output = wl_container_of(listener, output, present);
	struct city_server *server = output->server;
	const struct wlr_output_event_present *present = data;
	struct city_presented_event event = {
		.output = output,
		.present = present,
		.commit_seq = present->commit_seq,
		.when_ns = to_ns(&present->when),
	};
	if (present->presented) {
		int64_t refresh = refresh_ns(output->wlr_output);
		bool paced = server->busy > 0 && output->last_busy &&
			output->last_busy_serial == server->busy_serial;
		if (paced && refresh > 0) {
			double cycles = (double)(event.when_ns - output->last_presented_ns) /
				(double)refresh;
			event.missed = cycles >= 1.5 ? (uint32_t)lround(cycles) - 1 : 0;
		}
		output->frames++;
		output->missed += event.missed;
		output->last_presented_ns = event.when_ns;
		output->last_busy = server->busy > 0;
		output->last_busy_serial = server->busy_serial;
	}
	wl_signal_emit_mutable(&server->events.frame_presented, &event);
}

void city_server_schedule_frame(struct city_server *server) {
	struct city_output *output;
	wl_list_for_each(output, &server->outputs, link) {
		if (output->wlr_output->enabled) {
			wlr_output_schedule_frame(output->wlr_output);
		}
	}
}

void city_server_busy_begin(struct city_server *server) {
	if (server->busy++ == 0) {
		city_server_schedule_frame(server);
	}
}

void city_server_busy_end(struct city_server *server) {
	if (--server->busy == 0) {
		server->busy_serial++;
	}
}

struct city_output *city_server_focused_output(struct city_server *server) {
	double ox, oy;
	struct city_output *output = NULL;
	if (city_seat_position(server->seat, &ox, &oy)) {
		output = city_output_at(server, ox, oy);
	}
	if (output == NULL) {
		struct city_output *other;
		wl_list_for_each(other, &server->outputs, link) {
			if (wlr_output_layout_get(server->output_layout, other->wlr_output)) {
				return other;
			}
		}
	}
	return output;
}

/* Layout. */

void city_outputs_changed(struct city_server *server) {
	struct city_output *output;
	wl_list_for_each(output, &server->outputs, link) {
		struct city_stage *stage = output->stage;
		stage->box = city_output_box(output);
		stage->scale = output->wlr_output->scale;
		wlr_scene_output_set_position(
			output->scene_output, stage->box.x + stage->at, stage->box.y);
		city_layers_arrange(output);
	}
	city_views_refit(server);
	wl_list_for_each(output, &server->outputs, link) {
		city_stage_update(output->stage);
	}
	city_lock_outputs_changed(server->lock);
	city_output_manager_update(server);
	city_seat_outputs_changed(server->seat);
	city_seat_scene_changed(server->seat);
}

static void handle_layout_change(struct wl_listener *listener, void *data) {
	struct city_outputs *outputs = wl_container_of(listener, outputs, layout_change);
	city_outputs_changed(outputs->server);
}

/* Puts it into the layout (again), at its place from the config or right of the others. */
static void add_to_layout(struct city_output *output, const struct city_output_config *config) {
	struct wlr_output_layout *layout = output->server->output_layout;
	struct wlr_output_layout_output *old = wlr_output_layout_get(layout, output->wlr_output);
	if (config != NULL && config->has_position) {
		wlr_output_layout_add(layout, output->wlr_output, config->ox, config->oy);
	} else if (old == NULL) {
		wlr_output_layout_add_auto(layout, output->wlr_output);
	}
}

static void set_mode(struct city_output *output, const struct city_output_config *config,
	struct wlr_output_state *state) {
	struct wlr_output *wlr_output = output->wlr_output;
	if (config != NULL && config->width > 0) {
		struct wlr_output_mode *mode, *best = NULL;
		wl_list_for_each(mode, &wlr_output->modes, link) {
			if (mode->width != config->width || mode->height != config->height) {
				continue;
			}
			int off = abs(mode->refresh - config->refresh_mhz);
			if (config->refresh_mhz == 0) {
				off = -mode->refresh; /* the fastest */
			}
			int best_off = best == NULL ? 0 : abs(best->refresh - config->refresh_mhz);
			if (best != NULL && config->refresh_mhz == 0) {
				best_off = -best->refresh;
			}
			if (best == NULL || off < best_off) {
				best = mode;
			}
		}
		if (best != NULL) {
			wlr_output_state_set_mode(state, best);
		} else {
			wlr_output_state_set_custom_mode(
				state, config->width, config->height, config->refresh_mhz);
		}
		return;
	}
	struct wlr_output_mode *preferred = wlr_output_preferred_mode(wlr_output);
	if (preferred != NULL) {
		wlr_output_state_set_mode(state, preferred);
	} else if (wlr_output_is_headless(wlr_output) && !wlr_output->enabled) {
		const struct city_config *all = output->server->config;
		wlr_output_state_set_custom_mode(
			state, all->headless_width, all->headless_height, 60000);
	}
}

static void configure(struct city_output *output) {
	struct wlr_output *wlr_output = output->wlr_output;
	const struct city_output_config *config =
		city_config_output(output->server->config, wlr_output->name);
	bool off = config != NULL && config->off;
	float scale = config != NULL && config->scale > 0 ? (float)config->scale : 1;
	struct wlr_output_state state;
	wlr_output_state_init(&state);
	wlr_output_state_set_enabled(&state, !off);
	if (!off) {
		set_mode(output, config, &state);
		wlr_output_state_set_scale(&state, scale);
		wlr_output_state_set_transform(
			&state, config == NULL ? WL_OUTPUT_TRANSFORM_NORMAL : config->transform);
	}
	bool ok = wlr_output_commit_state(wlr_output, &state);
	wlr_output_state_finish(&state);
	if (!ok && !off) {
		/* The mode may be one that the screen cannot do: any that works is better. */
		city_log(CITY_LOG_WARN, wlr_output->name,
			"the configured mode does not work; trying the screen's own modes");
		struct wlr_output_mode *mode;
		wl_list_for_each(mode, &wlr_output->modes, link) {
			wlr_output_state_init(&state);
			wlr_output_state_set_enabled(&state, true);
			wlr_output_state_set_mode(&state, mode);
			wlr_output_state_set_scale(&state, scale);
			ok = wlr_output_commit_state(wlr_output, &state);
			wlr_output_state_finish(&state);
			if (ok) {
				break;
			}
		}
	}
	if (!ok) {
		city_log(CITY_LOG_ERROR, wlr_output->name, "the output cannot be switched on");
	}
	if (off || !ok) {
		wlr_output_layout_remove(output->server->output_layout, wlr_output);
	} else {
		add_to_layout(output, config);
	}
}

void city_outputs_configure(struct city_server *server) {
	struct city_output *output;
	wl_list_for_each(output, &server->outputs, link) {
		configure(output);
	}
	city_outputs_changed(server);
}

void city_outputs_renew_renderer(struct city_server *server) {
	struct city_output *output;
	wl_list_for_each(output, &server->outputs, link) {
		wlr_output_init_render(output->wlr_output, server->allocator, server->renderer);
		wlr_output_schedule_frame(output->wlr_output);
	}
}

static void handle_request_state(struct wl_listener *listener, void *data) {
	/* The nested backends: the host's window was resized. */
	struct city_output *output = wl_container_of(listener, output, request_state);
	const struct wlr_output_event_request_state *event = data;
	if (!wlr_output_commit_state(output->wlr_output, event->state)) {
		city_log(CITY_LOG_WARN, output->wlr_output->name,
			"the host's new size could not be taken over");
	}
}

/* Whether the output is a window of another desktop. */
static bool is_nested(struct wlr_output *wlr_output) {
#if WLR_HAS_X11_BACKEND
	if (wlr_output_is_x11(wlr_output)) {
		return true;
	}
#endif
	return wlr_output_is_wl(wlr_output);
}

static void handle_output_destroy(struct wl_listener *listener, void *data) {
	struct city_output *output = wl_container_of(listener, output, destroy);
	struct city_server *server = output->server;
	city_log(CITY_LOG_INFO, output->wlr_output->name, "output gone");
	bool nested = is_nested(output->wlr_output);
	city_layers_output_gone(output);
	wl_list_remove(&output->link);
	wl_list_remove(&output->frame.link);
	wl_list_remove(&output->present.link);
	wl_list_remove(&output->request_state.link);
	wl_list_remove(&output->destroy.link);
	output->wlr_output->data = NULL;
	city_stage_destroy(output->stage);
	free(output);
	if (!server->running) {
		return;
	}
	city_outputs_changed(server);
	/* Nobody can look at it again. */
	if (nested && wl_list_empty(&server->outputs)) {
		city_log(CITY_LOG_INFO, NULL, "its last window was closed: the city ends");
		city_server_quit(server, EXIT_SUCCESS);
	}
}

static void handle_new_output(struct wl_listener *listener, void *data) {
	struct city_outputs *outputs = wl_container_of(listener, outputs, new_output);
	struct city_server *server = outputs->server;
	struct wlr_output *wlr_output = data;
	if (wlr_output->non_desktop) {
		city_log(CITY_LOG_INFO, wlr_output->name, "is no desktop screen, left alone");
		return;
	}
	if (!wlr_output_init_render(wlr_output, server->allocator, server->renderer)) {
		city_log(CITY_LOG_ERROR, wlr_output->name, "the renderer cannot draw for it");
		return;
	}
	struct city_output *output = calloc(1, sizeof(*output));
	if (output == NULL) {
		return;
	}
	output->server = server;
	output->wlr_output = wlr_output;
	output->stage = city_stage_create(server, output);
	output->scene_output = wlr_scene_output_create(server->scene, wlr_output);
	if (output->stage == NULL || output->scene_output == NULL) {
		city_log(CITY_LOG_ERROR, wlr_output->name, "no memory to show anything on it");
		if (output->scene_output != NULL) {
			wlr_scene_output_destroy(output->scene_output);
		}
		city_stage_destroy(output->stage);
		free(output);
		return;
	}
	wlr_output->data = output;
	wl_list_init(&output->layer_surfaces);
	wl_list_insert(server->outputs.prev, &output->link);
	output->frame.notify = handle_frame;
	wl_signal_add(&wlr_output->events.frame, &output->frame);
	output->present.notify = handle_present;
	wl_signal_add(&wlr_output->events.present, &output->present);
	output->request_state.notify = handle_request_state;
	wl_signal_add(&wlr_output->events.request_state, &output->request_state);
	output->destroy.notify = handle_output_destroy;
	wl_signal_add(&wlr_output->events.destroy, &output->destroy);

	/* The window that the host shows when nested. */
	if (wlr_output_is_wl(wlr_output)) {
		wlr_wl_output_set_title(wlr_output, "Source City");
		wlr_wl_output_set_app_id(wlr_output, "source-city");
	}
#if WLR_HAS_X11_BACKEND
	if (wlr_output_is_x11(wlr_output)) {
		wlr_x11_output_set_title(wlr_output, "Source City");
	}
#endif
	configure(output);
	city_outputs_changed(server);
	city_log(CITY_LOG_INFO, wlr_output->name, "output %dx%d at %.3f Hz, scale %g",
		wlr_output->width, wlr_output->height, wlr_output->refresh / 1000.0,
		(double)wlr_output->scale);
}

bool city_outputs_init(struct city_server *server) {
	struct city_outputs *outputs = calloc(1, sizeof(*outputs));
	if (outputs == NULL) {
		return false;
	}
	outputs->server = server;
	outputs->new_output.notify = handle_new_output;
	wl_signal_add(&server->backend->events.new_output, &outputs->new_output);
	outputs->layout_change.notify = handle_layout_change;
	wl_signal_add(&server->output_layout->events.change, &outputs->layout_change);
	server->output_listeners = outputs;
	return true;
}

void city_outputs_backend_gone(struct city_server *server) {
	if (server->output_listeners != NULL) {
		wl_list_remove(&server->output_listeners->new_output.link);
		wl_list_init(&server->output_listeners->new_output.link);
	}
}

void city_outputs_finish(struct city_server *server) {
	struct city_outputs *outputs = server->output_listeners;
	if (outputs == NULL) {
		return;
	}
	wl_list_remove(&outputs->new_output.link);
	wl_list_remove(&outputs->layout_change.link);
	free(outputs);
	server->output_listeners = NULL;
}
