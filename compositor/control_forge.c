/* SPDX-License-Identifier: MIT */
/* The builder of the city itself: source-city-forge, started by the keeper, and again when it ends.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/keeper.h"
#include "compositor/server.h"
#include "compositor/tile.h"

#define FORGE_FAILURES_MAX 5
#define FORGE_BACKOFF_MS 500
#define FORGE_GOOD_NS (INT64_C(10) * 1000000000)

static void start_forge(struct city_control *control);

static int handle_forge_timer(void *data) {
	start_forge(data);
	return 0;
}

static void forge_failed(struct city_control *control, const char *how) {
	control->forge_instance = 0;
	bool lived = city_now_ns() - control->forge_started_ns > FORGE_GOOD_NS;
	control->forge_failures = lived ? 1 : control->forge_failures + 1;
	if (control->forge_failures > FORGE_FAILURES_MAX) {
		control->forge_wanted = false;
		city_control_message(control->server, CITY_LOG_ERROR, "forge",
			"ended again and again (%s): sources are not built any more", how);
		city_builder_fail_all(control, "the forge does not come up");
		return;
	}
	city_control_message(
		control->server, CITY_LOG_WARN, "forge", "ended (%s): started again", how);
	if (control->forge_timer) {
		wl_event_source_timer_update(
			control->forge_timer, FORGE_BACKOFF_MS * control->forge_failures);
	}
}

static void handle_forge_spawned(void *data, struct city_keeper_reply *reply) {
	struct city_control *control = data;
	if (reply->status != 0) {
		forge_failed(control, reply->reason);
		return;
	}
	control->forge_instance = reply->instance;
	control->forge_pid = reply->pid;
}

pid_t city_control_forge(const struct city_control *control) {
	return control != NULL && control->forge_instance != 0 ? control->forge_pid : 0;
}

static void start_forge(struct city_control *control) {
	int fds[2];
	control->forge_started_ns = city_now_ns();
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		forge_failed(control, strerror(errno));
		return;
	}
	if (!wl_client_create(control->server->display, fds[0])) {
		close(fds[0]);
		close(fds[1]);
		forge_failed(control, "no connection for it");
		return;
	}
	city_keeper_start_forge(control->server->keeper, fds[1], handle_forge_spawned, control);
	close(fds[1]);
}

static void handle_keeper_exited(struct wl_listener *listener, void *data) {
	struct city_control *control = wl_container_of(listener, control, keeper_exited);
	const struct city_keeper_exited *event = data;
	if (control->forge_instance != 0 && event->instance == control->forge_instance) {
		char how[64];
		city_keeper_describe_status(event->status, how, sizeof(how));
		forge_failed(control, how);
	}
}

void city_control_start_forge(struct city_control *control) {
	if (!control->server->keeper || control->forge_wanted) {
		return;
	}
	control->forge_wanted = true;
	control->keeper_exited.notify = handle_keeper_exited;
	wl_signal_add(
		&city_keeper_events(control->server->keeper)->exited, &control->keeper_exited);
	control->forge_timer =
		wl_event_loop_add_timer(control->server->loop, handle_forge_timer, control);
	struct city_tile *tile;
	wl_list_for_each(tile, &control->tiles->list, link) {
		city_builder_stand_watch(control, tile);
	}
	start_forge(control);
}

void city_forge_init(struct city_control *control) {
	wl_list_init(&control->keeper_exited.link);
}

void city_forge_finish(struct city_control *control) {
	if (control->forge_timer) {
		wl_event_source_remove(control->forge_timer);
	}
	wl_list_remove(&control->keeper_exited.link);
}
