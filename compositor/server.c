/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <wlr/backend.h>
#include <wlr/render/allocator.h>
#include <wlr/render/wlr_renderer.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/types/wlr_output_layout.h>
#include <wlr/types/wlr_scene.h>

#include "compositor/bookmarks.h"
#include "compositor/config.h"
#include "compositor/foreign.h"
#include "compositor/globals.h"
#include "compositor/idle.h"
#include "compositor/input_method.h"
#include "compositor/keeper.h"
#include "compositor/label.h"
#include "compositor/layer.h"
#include "compositor/lock.h"
#include "compositor/output.h"
#include "compositor/output_manager.h"
#include "compositor/scape.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/theme.h"
#include "compositor/view.h"
#include "compositor/xdg.h"
#include "vat/log.h"

extern char **environ;

static int handle_signal(int signal_number, void *data) {
	struct city_server *server = data;
	if (signal_number == SIGHUP) {
		city_server_reload(server);
	} else {
		city_server_quit(server, 0);
	}
	return 0;
}

static void handle_backend_destroy(struct wl_listener *listener, void *data) {
	struct city_server *server = wl_container_of(listener, server, backend_destroy);
	wl_list_remove(&server->backend_destroy.link);
	wl_list_init(&server->backend_destroy.link);
	city_outputs_backend_gone(server);
	city_seat_backend_gone(server->seat);
	server->backend = NULL;
	city_server_quit(server, server->running ? EXIT_FAILURE : server->exit_code);
}

/* A GPU reset takes all textures along: begin again with a new renderer. */
static void recover_renderer(void *data) {
	struct city_server *server = data;
	server->recover_idle = NULL;
	struct wlr_renderer *old_renderer = server->renderer;
	struct wlr_allocator *old_allocator = server->allocator;
	struct wlr_renderer *renderer = wlr_renderer_autocreate(server->backend);
	struct wlr_allocator *allocator =
		renderer == NULL ? NULL : wlr_allocator_autocreate(server->backend, renderer);
	if (allocator == NULL) {
		city_log(CITY_LOG_ERROR, "renderer", "the GPU was lost and does not come back");
		if (renderer != NULL) {
			wlr_renderer_destroy(renderer);
		}
		city_server_quit(server, EXIT_FAILURE);
		return;
	}
	wl_list_remove(&server->renderer_lost.link);
	server->renderer = renderer;
	server->allocator = allocator;
	wl_signal_add(&renderer->events.lost, &server->renderer_lost);
	wlr_compositor_set_renderer(server->compositor, renderer);
	city_outputs_renew_renderer(server);
	wl_signal_emit_mutable(&server->events.renderer_lost, server);
	wlr_allocator_destroy(old_allocator);
	wlr_renderer_destroy(old_renderer);
	city_log(
		CITY_LOG_WARN, "renderer", "the GPU was lost; drawing goes on with a new renderer");
}

static void handle_renderer_lost(struct wl_listener *listener, void *data) {
	struct city_server *server = wl_container_of(listener, server, renderer_lost);
	/* Not while the old one is still on the stack. */
	if (server->recover_idle == NULL) {
		server->recover_idle =
			wl_event_loop_add_idle(server->loop, recover_renderer, server);
	}
}

static bool create_socket(struct city_server *server) {
	if (server->listen_fd >= 0) {
		if (wl_display_add_socket_fd(server->display, server->listen_fd) != 0) {
			city_log(CITY_LOG_ERROR, "socket", "cannot listen on %s",
				server->socket_name);
			return false;
		}
	} else {
		const char *name = wl_display_add_socket_auto(server->display);
		if (name == NULL) {
			city_log(CITY_LOG_ERROR, "socket",
				"no free Wayland socket in %s: is it writable?",
				getenv("XDG_RUNTIME_DIR"));
			return false;
		}
		server->socket_name = strdup(name);
	}
	return server->socket_name != NULL &&
		setenv("WAYLAND_DISPLAY", server->socket_name, 1) == 0;
}

static bool create_backend(struct city_server *server) {
	char count[16];
	snprintf(count, sizeof(count), "%d", server->config->headless_count);
	setenv("WLR_HEADLESS_OUTPUTS", count, 0);
	server->backend = wlr_backend_autocreate(server->loop, &server->session);
	if (server->backend == NULL) {
		city_log(CITY_LOG_ERROR, "backend",
			"nothing to show the city on: start it on a console (with seatd or "
			"logind), "
			"inside a Wayland or X11 session, or with WLR_BACKENDS=headless");
		return false;
	}
	server->backend_destroy.notify = handle_backend_destroy;
	wl_signal_add(&server->backend->events.destroy, &server->backend_destroy);
	server->renderer = wlr_renderer_autocreate(server->backend);
	if (server->renderer == NULL) {
		city_log(CITY_LOG_ERROR, "renderer",
			"no renderer works here; WLR_RENDERER=pixman draws without a GPU");
		return false;
	}
	server->renderer_lost.notify = handle_renderer_lost;
	wl_signal_add(&server->renderer->events.lost, &server->renderer_lost);
	server->allocator = wlr_allocator_autocreate(server->backend, server->renderer);
	if (server->allocator == NULL) {
		city_log(CITY_LOG_ERROR, "renderer", "no buffers can be had for this renderer");
		return false;
	}
	return true;
}

static void init_signals(struct city_server *server) {
	wl_signal_init(&server->events.frame_commit);
	wl_signal_init(&server->events.frame_presented);
	wl_signal_init(&server->events.view_mapped);
	wl_signal_init(&server->events.view_unmapped);
	wl_signal_init(&server->events.focus);
	wl_signal_init(&server->events.input);
	wl_signal_init(&server->events.camera);
	wl_signal_init(&server->events.config);
	wl_signal_init(&server->events.renderer_lost);
	wl_list_init(&server->backend_destroy.link);
	wl_list_init(&server->renderer_lost.link);
}

/* Each client brings descriptors of its own; none may use up those of the others. */
static void raise_file_limit(struct city_server *server) {
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) {
		return;
	}
	server->programs_files = limit.rlim_cur;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
		server->programs_files = 0;
	}
}

/* Many programs still break where the limit is high: they get the old one. */
static void lower_file_limit(const struct city_server *server, bool lower) {
	struct rlimit limit;
	if (server->programs_files != 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = lower ? server->programs_files : limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

struct city_server *city_server_create(struct city_config *config) {
	struct city_server *server = calloc(1, sizeof(*server));
	if (server == NULL) {
		city_config_destroy(config);
		return NULL;
	}
	server->config = config;
	server->listen_fd = -1;
	wl_list_init(&server->outputs);
	wl_list_init(&server->views);
	wl_list_init(&server->stages);
	wl_array_init(&server->privileged);
	init_signals(server);
	raise_file_limit(server);

	server->display = wl_display_create();
	if (server->display == NULL) {
		goto error;
	}
	wl_display_set_default_max_buffer_size(server->display, 1024 * 1024);
	server->loop = wl_display_get_event_loop(server->display);
	server->sigint = wl_event_loop_add_signal(server->loop, SIGINT, handle_signal, server);
	server->sigterm = wl_event_loop_add_signal(server->loop, SIGTERM, handle_signal, server);
	server->sighup = wl_event_loop_add_signal(server->loop, SIGHUP, handle_signal, server);

	if (!create_backend(server)) {
		goto error;
	}
	server->output_layout = wlr_output_layout_create(server->display);
	server->scene = wlr_scene_create();
	if (server->output_layout == NULL || server->scene == NULL) {
		goto error;
	}
	city_label_start();
	server->nowhere = city_stage_create(server, NULL);
	if (server->nowhere == NULL || !city_globals_create(server) || !city_idle_create(server)) {
		goto error;
	}
	server->seat = city_seat_create(server);
	if (server->seat == NULL || !city_input_method_create(server) ||
		!city_lock_create(server) || !city_output_manager_create(server) ||
		!city_outputs_init(server) || !city_foreign_create(server) ||
		!city_layers_create(server) || !city_xdg_create(server) ||
		!city_scape_create(server)) {
		goto error;
	}
	/* Its keeper, if it has one, brings the socket. */
	if (getenv("SOURCE_CITY_KEEPER_FD") != NULL) {
		server->keeper = city_keeper_create(server);
		if (server->keeper == NULL) {
			goto quiet_error;
		}
	}
	if (!create_socket(server)) {
		goto quiet_error;
	}
	return server;

error:
	city_log(CITY_LOG_ERROR, NULL, "the compositor cannot start");
quiet_error:
	city_server_destroy(server);
	return NULL;
}

bool city_server_start(struct city_server *server) {
	if (getenv("SOURCE_CITY_PACE") != NULL) {
		city_server_busy_begin(server); /* for good */
	}
	if (!wlr_backend_start(server->backend)) {
		city_log(CITY_LOG_ERROR, "backend",
			"the screens and input devices cannot be opened");
		return false;
	}
	server->running = true;
	for (size_t i = 0; i < server->config->autostart_count; i++) {
		city_server_spawn(server, server->config->autostart[i]);
	}
	return true;
}

void city_server_destroy(struct city_server *server) {
	if (server == NULL) {
		return;
	}
	server->running = false;
	if (server->display != NULL) {
		wl_display_destroy_clients(server->display);
	}
	city_keeper_destroy(server->keeper);
	server->keeper = NULL;
	city_xdg_destroy(server);
	city_layers_destroy(server);
	city_foreign_destroy(server);
	city_outputs_finish(server);
	city_output_manager_destroy(server);
	city_lock_destroy(server);
	city_input_method_destroy(server);
	city_seat_destroy(server->seat);
	server->seat = NULL;
	city_scape_destroy(server);
	city_idle_destroy(server);
	city_globals_destroy(server);
	if (server->recover_idle != NULL) {
		wl_event_source_remove(server->recover_idle);
	}
	wl_list_remove(&server->backend_destroy.link);
	wl_list_remove(&server->renderer_lost.link);
	if (server->backend != NULL) {
		wlr_backend_destroy(server->backend);
	}
	city_stage_destroy(server->nowhere);
	city_bookmarks_destroy(server);
	if (server->scene != NULL) {
		wlr_scene_node_destroy(&server->scene->tree.node);
	}
	if (server->allocator != NULL) {
		wlr_allocator_destroy(server->allocator);
	}
	if (server->renderer != NULL) {
		wlr_renderer_destroy(server->renderer);
	}
	city_label_stop();
	struct wl_event_source *signals[] = {server->sigint, server->sigterm, server->sighup};
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (signals[i] != NULL) {
			wl_event_source_remove(signals[i]);
		}
	}
	if (server->display != NULL) {
		wl_display_destroy(server->display);
	}
	wl_array_release(&server->privileged);
	city_config_destroy(server->config);
	free(server->socket_name);
	free(server->safe);
	free(server);
}

void city_server_quit(struct city_server *server, int code) {
	server->exit_code = code;
	server->running = false;
	wl_display_terminate(server->display);
}

bool city_server_restart(struct city_server *server) {
	if (server->keeper == NULL) {
		return false;
	}
	server->restarting = true;
	city_keeper_restart(server->keeper);
	city_server_quit(server, 0);
	return true;
}

void city_server_show_safe(struct city_server *server) {
	static const char advice[] =
		"This is safe mode: the configuration, shaders and tiles of your own are left out. "
		"Your tiles run on unseen. Mend what was changed last, such as "
		"~/.config/source-city/config, then go back with: cityctl run restart";
	char text[1024];
	snprintf(text, sizeof(text), "%s %s", server->safe, advice);
	city_log(CITY_LOG_WARN, "safe mode", "%s", text);
	const struct city_palette *palette = city_palette_of(server->config->style);
	const struct city_label_style style = {
		.size = CITY_TYPE_LARGE,
		.color = palette->badge_text,
		.background = palette->badge_error,
		.pad_x = CITY_SPACE_LARGE,
		.pad_y = CITY_SPACE,
		.max_width = 760,
		.max_lines = 6,
	};
	struct city_stage *stage = city_stage_focused(server);
	server->safe_label = city_label_create(stage->layers.shell_overlay);
	if (server->safe_label != NULL) {
		city_label_set(server->safe_label, text, &style, stage->scale);
		city_label_set_position(server->safe_label, stage->box.x + 8, stage->box.y + 8);
	}
}

bool city_server_reload(struct city_server *server) {
	if (server->safe != NULL) {
		city_log(CITY_LOG_ERROR, "config", "safe mode does without: cityctl run restart");
		return false;
	}
	int errors = 0;
	struct city_config *old = server->config;
	struct city_config *config =
		city_config_load(old->path_given ? old->path : NULL, true, &errors);
	if (config == NULL) {
		city_log(CITY_LOG_ERROR, "config", "not loaded, %d error%s; the old one stays",
			errors, errors == 1 ? "" : "s");
		return false;
	}
	server->config = config;
	city_seat_config_changed(server->seat);
	city_outputs_configure(server);
	wl_signal_emit_mutable(&server->events.config, config);
	city_config_destroy(old);
	city_log(CITY_LOG_INFO, "config", "loaded again");
	return true;
}

bool city_server_spawn(struct city_server *server, const char *command) {
	posix_spawnattr_t attr;
	if (posix_spawnattr_init(&attr) != 0) {
		return false;
	}
	/* The event loop blocks signals that it waits for; programs start with none blocked. */
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setflags(
		&attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	char *argv[] = {"sh", "-c", (char *)command, NULL};
	pid_t pid;
	lower_file_limit(server, true);
	int result = posix_spawn(&pid, "/bin/sh", NULL, &attr, argv, environ);
	lower_file_limit(server, false);
	posix_spawnattr_destroy(&attr);
	if (result != 0) {
		city_log(CITY_LOG_ERROR, "spawn", "%s: %s", command, strerror(result));
		return false;
	}
	return true;
}
