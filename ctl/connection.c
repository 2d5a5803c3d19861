/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wayland-client.h>

#include "ctl.h"
#include "source-city-control-v1-client-protocol.h"

#define HANDSHAKE_MS 5000
#define TICK_MS 100

static volatile sig_atomic_t caught;

int ctl_signal(void) {
	return caught;
}

static void handle_signal(int number) {
	caught = number;
}

static int64_t now_ms(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- tiles */

const char *tile_state_name(enum tile_state state) {
	static const char *const names[] = {"starting", "live", "handover", "probation", "dead"};
	return (size_t)state < sizeof(names) / sizeof(names[0]) ? names[state] : "unknown";
}

const char *severity_name(uint32_t severity) {
	static const char *const names[] = {"error", "warning", "info", "debug"};
	return severity < sizeof(names) / sizeof(names[0]) ? names[severity] : "unknown";
}

static void set(struct tile *tile, char **text, const char *value, enum tile_change change) {
	if (strcmp(*text, value) == 0)
		return;
	free(*text);
	*text = copy_text(value);
	tile->changed |= change;
}

static void handle_identity(void *data, struct source_city_tile_handle_v1 *handle, const char *uuid,
	const char *name, const char *kind) {
	struct tile *tile = data;
	set(tile, &tile->uuid, uuid, TILE_NEW);
	set(tile, &tile->name, name, TILE_NEW);
	set(tile, &tile->kind, kind, TILE_NEW);
}

static void handle_version(void *data, struct source_city_tile_handle_v1 *handle,
	const char *artifact, const char *source, uint32_t pid, uint32_t epoch_hi,
	uint32_t epoch_lo) {
	struct tile *tile = data;
	uint64_t epoch = (uint64_t)epoch_hi << 32 | epoch_lo;
	set(tile, &tile->artifact, artifact, TILE_VERSION);
	set(tile, &tile->source, source, TILE_VERSION);
	if (tile->pid != pid || tile->epoch != epoch)
		tile->changed |= TILE_VERSION;
	tile->pid = pid;
	tile->epoch = epoch;
}

static void handle_place(void *data, struct source_city_tile_handle_v1 *handle, const char *cx,
	const char *cy, int32_t width, int32_t height) {
	struct tile *tile = data;
	/* The locale is C: a decimal point is a point. */
	double x = strtod(cx, NULL), y = strtod(cy, NULL);
	if (tile->cx != x || tile->cy != y || tile->width != width || tile->height != height)
		tile->changed |= TILE_PLACE;
	tile->cx = x;
	tile->cy = y;
	tile->width = width;
	tile->height = height;
}

static void handle_title(void *data, struct source_city_tile_handle_v1 *handle, const char *title) {
	struct tile *tile = data;
	set(tile, &tile->title, title, TILE_TITLE);
}

static void handle_pas(void *data, struct source_city_tile_handle_v1 *handle, const char *pas) {
	struct tile *tile = data;
	set(tile, &tile->pas, pas, TILE_STATE);
}

/* As JSON, which is what they are printed as. */
static void handle_port(void *data, struct source_city_tile_handle_v1 *handle, const char *name,
	const char *kind, uint32_t direction) {
	struct tile *tile = data;
	struct json json;
	json_begin(&json, NULL);
	json_text(&json, "name", name);
	json_text(&json, "kind", kind);
	json_text(&json, "direction", direction == 1 ? "in" : "out");
	char *port = yyjson_mut_write(json.doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, NULL), *all;
	yyjson_mut_doc_free(json.doc);
	if (port == NULL ||
		asprintf(&all, "%s%s%s", tile->new_ports, tile->new_ports[0] != '\0' ? "," : "",
			port) < 0)
		abort();
	free(port);
	free(tile->new_ports);
	tile->new_ports = all;
}

static void handle_status(
	void *data, struct source_city_tile_handle_v1 *handle, uint32_t state, const char *notice) {
	struct tile *tile = data;
	set(tile, &tile->notice, notice, TILE_NOTICE);
	if (tile->state != (enum tile_state)state)
		tile->changed |= TILE_STATE;
	tile->state = (enum tile_state)state;
}

static void handle_tile_done(void *data, struct source_city_tile_handle_v1 *handle) {
	struct tile *tile = data;
	struct ctl *ctl = tile->ctl;
	if (!tile->announced) {
		tile->changed |= TILE_NEW;
		tile->announced = true;
	}
	set(tile, &tile->ports, tile->new_ports, TILE_PORTS);
	tile->new_ports[0] = '\0';
	if (tile->changed != 0 && ctl->on_change != NULL)
		ctl->on_change(ctl, tile);
	tile->changed = 0;
}

static void destroy_tile(struct tile *tile) {
	wl_list_remove(&tile->link);
	source_city_tile_handle_v1_destroy(tile->handle);
	free(tile->uuid);
	free(tile->name);
	free(tile->kind);
	free(tile->artifact);
	free(tile->source);
	free(tile->title);
	free(tile->notice);
	free(tile->pas);
	free(tile->ports);
	free(tile->new_ports);
	free(tile);
}

static void handle_closed(void *data, struct source_city_tile_handle_v1 *handle) {
	struct tile *tile = data;
	if (tile->ctl->on_close != NULL)
		tile->ctl->on_close(tile->ctl, tile);
	destroy_tile(tile);
}

static const struct source_city_tile_handle_v1_listener tile_listener = {
	.identity = handle_identity,
	.version = handle_version,
	.place = handle_place,
	.title = handle_title,
	.status = handle_status,
	.pas = handle_pas,
	.port = handle_port,
	.done = handle_tile_done,
	.closed = handle_closed,
};

static void handle_tile(void *data, struct source_city_control_v1 *control,
	struct source_city_tile_handle_v1 *handle) {
	struct ctl *ctl = data;
	struct tile *tile = calloc(1, sizeof(*tile));
	if (tile == NULL)
		abort();
	*tile = (struct tile){
		.ctl = ctl,
		.handle = handle,
		.uuid = copy_text(""),
		.name = copy_text(""),
		.kind = copy_text(""),
		.artifact = copy_text(""),
		.source = copy_text(""),
		.title = copy_text(""),
		.notice = copy_text(""),
		.pas = copy_text(""),
		.ports = copy_text(""),
		.new_ports = copy_text(""),
	};
	wl_list_insert(ctl->tiles.prev, &tile->link);
	source_city_tile_handle_v1_add_listener(handle, &tile_listener, tile);
}

struct tile *ctl_tile(struct ctl *ctl, const char *name) {
	struct tile *tile;
	size_t count = 0;
	wl_list_for_each(tile, &ctl->tiles, link) {
		if (strcmp(tile->name, name) == 0 || strcmp(tile->uuid, name) == 0)
			return tile;
		count++;
	}
	if (count == 0) {
		ctl_fail(ctl, "tile",
			"there is no tile %s, nor any other; open one with: cityctl open "
			"terminal",
			name);
		return NULL;
	}
	const char **names = calloc(count + 1, sizeof(*names));
	char *list = NULL;
	size_t size = 0, at = 0;
	FILE *text = open_memstream(&list, &size);
	if (names == NULL || text == NULL)
		abort();
	wl_list_for_each(tile, &ctl->tiles, link) {
		fprintf(text, "%s%s", at > 0 ? ", " : "", tile->name);
		names[at++] = tile->name;
	}
	fclose(text);
	const char *nearest = ctl_nearest(name, names);
	ctl_fail(ctl, "tile", "there is no tile %s%s%s%s; there %s: %s", name,
		nearest != NULL ? "; did you mean " : "", nearest != NULL ? nearest : "",
		nearest != NULL ? "?" : "", count == 1 ? "is" : "are", list);
	free(list);
	free(names);
	return NULL;
}

/* ---- the control object */

static void handle_ready(void *data, struct source_city_control_v1 *control) {
	struct ctl *ctl = data;
	ctl->ready = true;
	if (ctl->on_ready != NULL)
		ctl->on_ready(ctl);
}

static void handle_message(void *data, struct source_city_control_v1 *control, uint32_t severity,
	const char *subject, const char *text) {
	struct ctl *ctl = data;
	if (ctl->on_message != NULL)
		ctl->on_message(ctl, severity, subject, text);
}

static void handle_record(void *data, struct source_city_control_v1 *control, const char *json) {
	struct ctl *ctl = data;
	if (ctl->on_record != NULL)
		ctl->on_record(ctl, json);
}

static void handle_transport(void *data, struct source_city_control_v1 *control, const char *json) {
	struct ctl *ctl = data;
	if (ctl->on_transport != NULL)
		ctl->on_transport(ctl, json);
}

static void handle_audio(void *data, struct source_city_control_v1 *control, const char *json) {
	struct ctl *ctl = data;
	if (ctl->on_audio != NULL)
		ctl->on_audio(ctl, json);
}

static const struct source_city_control_v1_listener control_listener = {
	.tile = handle_tile,
	.done = handle_ready,
	.message = handle_message,
	.record = handle_record,
	.transport = handle_transport,
	.audio = handle_audio,
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct ctl *ctl = data;
	if (strcmp(interface, source_city_control_v1_interface.name) != 0 || ctl->control != NULL)
		return;
	ctl->control = wl_registry_bind(
		registry, name, &source_city_control_v1_interface, version < 6 ? version : 6);
	source_city_control_v1_add_listener(ctl->control, &control_listener, ctl);
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

/* ---- waiting */

static void say_lost(struct ctl *ctl) {
	int error = wl_display_get_error(ctl->display);
	ctl->lost = true;
	if (ctl->leaving)
		return;
	if (error == EPROTO)
		ctl_fail(ctl, "connection", "the city at %s refused a request of ours", ctl->city);
	else
		ctl_fail(ctl, "connection", "the city at %s went away", ctl->city);
}

/* Waits for the socket. 1: readable; 0: the time is up or a signal came; -1: an error. */
static int sleep_on(struct ctl *ctl, int64_t until) {
	sigset_t none;
	sigemptyset(&none);
	struct pollfd poller = {.fd = wl_display_get_fd(ctl->display), .events = POLLIN};
	if (wl_display_flush(ctl->display) < 0 && errno == EAGAIN)
		poller.events |= POLLOUT;
	struct timespec timeout, *limit = NULL;
	if (until >= 0) {
		int64_t left = until - now_ms();
		if (left < 0)
			left = 0;
		timeout =
			(struct timespec){.tv_sec = left / 1000, .tv_nsec = left % 1000 * 1000000};
		limit = &timeout;
	}
	int result = ppoll(&poller, 1, limit, &none);
	if (result < 0)
		return errno == EINTR ? 0 : -1;
	return (poller.revents & (POLLIN | POLLHUP | POLLERR)) != 0 ? 1 : 0;
}

bool ctl_wait(struct ctl *ctl, bool (*done)(void *data), void (*tick)(void *data), void *data,
	int timeout_ms) {
	int64_t end = timeout_ms >= 0 ? now_ms() + timeout_ms : -1;
	int64_t next_tick = tick != NULL ? now_ms() + TICK_MS : -1;
	while (caught == 0) {
		while (wl_display_prepare_read(ctl->display) != 0) {
			if (wl_display_dispatch_pending(ctl->display) < 0) {
				say_lost(ctl);
				return false;
			}
		}
		if (done(data)) {
			wl_display_cancel_read(ctl->display);
			return true;
		}
		int64_t until = end;
		if (next_tick >= 0 && (until < 0 || next_tick < until))
			until = next_tick;
		int readable = sleep_on(ctl, until);
		if (readable != 1)
			wl_display_cancel_read(ctl->display);
		if (readable < 0 || (readable == 1 && wl_display_read_events(ctl->display) < 0) ||
			wl_display_dispatch_pending(ctl->display) < 0) {
			/* What was said before the end may be what is waited for. */
			wl_display_dispatch_pending(ctl->display);
			if (done(data))
				return true;
			say_lost(ctl);
			return false;
		}
		int64_t now = now_ms();
		if (next_tick >= 0 && now >= next_tick) {
			tick(data);
			next_tick = now + TICK_MS;
		}
		if (end >= 0 && now >= end)
			return done(data);
	}
	return false;
}

/* ---- the connection */

static char *socket_path(const char *name) {
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	char *path;
	if (name[0] == '/' || runtime == NULL || runtime[0] == '\0')
		return copy_text(name);
	if (asprintf(&path, "%s/%s", runtime, name) < 0)
		abort();
	return path;
}

static int no_city(struct ctl *ctl, int error) {
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	const char *from = ctl->socket != NULL	    ? "--socket"
		: getenv("WAYLAND_DISPLAY") != NULL ? "$WAYLAND_DISPLAY"
						    : "the default";
	if (ctl->city[0] != '/' && (runtime == NULL || runtime[0] == '\0'))
		return ctl_fail(ctl, "connection",
			"cannot look for the socket %s: XDG_RUNTIME_DIR is not set", ctl->city);
	char *path = socket_path(ctl->city);
	ctl_fail(ctl, "connection", "no city runs at %s (%s): %s; start one with: source-city",
		path, from, strerror(error));
	free(path);
	return CTL_FAILED;
}

static bool is_ready(void *data) {
	struct ctl *ctl = data;
	if (!ctl->ready)
		return false;
	struct tile *tile;
	wl_list_for_each(tile, &ctl->tiles, link) {
		if (!tile->announced)
			return false;
	}
	return true;
}

static bool has_registry(void *data) {
	return *(bool *)data;
}

static void handle_registry_done(void *data, struct wl_callback *callback, uint32_t serial) {
	*(bool *)data = true;
	wl_callback_destroy(callback);
}

static const struct wl_callback_listener registry_done_listener = {.done = handle_registry_done};

static void catch_signals(void) {
	struct sigaction action = {.sa_handler = handle_signal};
	sigset_t blocked;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGHUP);
	/* They come while we sleep, and only then. */
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
}

__attribute__((format(printf, 1, 0))) static void be_silent(const char *format, va_list args) {
}

int ctl_connect(struct ctl *ctl) {
	const char *name = ctl->socket != NULL ? ctl->socket : getenv("WAYLAND_DISPLAY");
	if (name == NULL || name[0] == '\0')
		name = "wayland-0";
	ctl->city = copy_text(name);
	if (ctl->socket != NULL)
		unsetenv("WAYLAND_SOCKET");
	/* The library's own words would come beside ours. */
	wl_log_set_handler_client(be_silent);
	ctl->display = wl_display_connect(ctl->socket);
	if (ctl->display == NULL)
		return no_city(ctl, errno);
	catch_signals();
	ctl->registry = wl_display_get_registry(ctl->display);
	wl_registry_add_listener(ctl->registry, &registry_listener, ctl);
	bool globals = false;
	struct wl_callback *callback = wl_display_sync(ctl->display);
	wl_callback_add_listener(callback, &registry_done_listener, &globals);
	if (!ctl_wait(ctl, has_registry, NULL, &globals, HANDSHAKE_MS))
		goto silent;
	if (ctl->control == NULL) {
		char *path = socket_path(ctl->city);
		ctl_fail(ctl, "connection",
			"the compositor at %s is not a city, or hides its control from this "
			"program",
			path);
		free(path);
		return CTL_FAILED;
	}
	if (ctl_wait(ctl, is_ready, NULL, ctl, HANDSHAKE_MS))
		return CTL_OK;
silent:
	/* ctl_wait has spoken if the city went away. */
	if (caught == 0 && wl_display_get_error(ctl->display) == 0)
		ctl_fail(ctl, "connection", "the city at %s does not answer", ctl->city);
	return CTL_FAILED;
}

void ctl_disconnect(struct ctl *ctl) {
	struct tile *tile, *next;
	wl_list_for_each_safe(tile, next, &ctl->tiles, link) destroy_tile(tile);
	if (ctl->control != NULL)
		source_city_control_v1_destroy(ctl->control);
	if (ctl->registry != NULL)
		wl_registry_destroy(ctl->registry);
	if (ctl->display != NULL) {
		wl_display_flush(ctl->display);
		wl_display_disconnect(ctl->display);
	}
	free(ctl->city);
	ctl->display = NULL;
}
