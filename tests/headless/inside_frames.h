/* SPDX-License-Identifier: MIT */
/* A compositor in the test's own process, whose frames are counted. */
#ifndef TEST_INSIDE_FRAMES_H
#define TEST_INSIDE_FRAMES_H

#include "inside.h"

#include <time.h>
#include <unistd.h>
#include <wlr/types/wlr_output.h>

#include "compositor/output.h"
#include "compositor/server.h"
#include "compositor/view.h"

struct inside {
	struct city_server *server;
	char dir[64];
	unsigned int commits, presents;
	uint32_t missed;
	struct wl_listener commit, presented;
};

static inline void handle_commit(struct wl_listener *listener, void *data) {
	struct inside *inside = wl_container_of(listener, inside, commit);
	const struct city_frame_event *event = data;
	inside->commits++;
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	/* However slow the machine is between the two. */
	assert_true(event->when_ns > ns - 60000000000);
	assert_true(event->when_ns < ns + 40000000);
}

static inline void handle_presented(struct wl_listener *listener, void *data) {
	struct inside *inside = wl_container_of(listener, inside, presented);
	const struct city_presented_event *event = data;
	if (event->present->presented) {
		inside->presents++;
		inside->missed += event->missed;
	}
}

static inline int inside_start(void **state) {
	struct inside *inside = calloc(1, sizeof(*inside));
	inside->server = inside_server(inside->dir);
	inside->commit.notify = handle_commit;
	wl_signal_add(&inside->server->events.frame_commit, &inside->commit);
	inside->presented.notify = handle_presented;
	wl_signal_add(&inside->server->events.frame_presented, &inside->presented);
	*state = inside;
	return 0;
}

static inline int inside_stop(void **state) {
	struct inside *inside = *state;
	wl_list_remove(&inside->commit.link);
	wl_list_remove(&inside->presented.link);
	city_server_destroy(inside->server);
	assert_int_equal(rmdir(inside->dir), 0);
	free(inside);
	return 0;
}

static inline void run_until(struct inside *inside, unsigned int presents) {
	for (int i = 0; i < 2000 && inside->presents < presents; i++) {
		wl_event_loop_dispatch(inside->server->loop, 10);
	}
	assert_true(inside->presents >= presents);
}

#define INSIDE_TEST(name) cmocka_unit_test_setup_teardown(name, inside_start, inside_stop)

/* A view that obeys at once. */
static inline void obey(struct city_view *view, int width, int height) {
	city_view_set_size(view, width, height);
}

static const struct city_view_impl obedient_impl = {.configure = obey};

#endif
