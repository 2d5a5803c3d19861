/* SPDX-License-Identifier: MIT */
/* A compositor in the test's own process, for what no client can bring about. */
#ifndef TEST_INSIDE_H
#define TEST_INSIDE_H

#include "fixture.h"

#include <ftw.h>
#include <time.h>
#include <unistd.h>

#include "compositor/config.h"
#include "compositor/scape.h"
#include "compositor/server.h"

static inline int inside_remove(const char *path, const struct stat *st, int kind, struct FTW *at) {
	return remove(path);
}

static inline void inside_leave_home(void) {
	nftw(getenv("HOME"), inside_remove, 16, FTW_DEPTH | FTW_PHYS);
}

/* What is kept is neither the user's nor that of another test that runs at the same time. */
static inline void inside_have_home(void) {
	static char home[64];
	if (home[0] != '\0') {
		return;
	}
	strcpy(home, "/tmp/city-home-XXXXXX");
	assert_non_null(mkdtemp(home));
	setenv("HOME", home, 1);
	const char *const others[] = {
		"XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"};
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		unsetenv(others[i]);
	}
	atexit(inside_leave_home);
}

/* Headless, at rest, in a runtime folder of its own whose name is written into `dir`. */
static inline struct city_server *inside_server(char dir[static 64]) {
	inside_have_home();
	strcpy(dir, "/tmp/city-test-XXXXXX");
	assert_non_null(mkdtemp(dir));
	setenv("XDG_RUNTIME_DIR", dir, 1);
	setenv("WLR_BACKENDS", "headless", 1);
	setenv("WLR_RENDERER", "pixman", 1);
	unsetenv("SOURCE_CITY_KEEPER_FD");
	struct city_config *config = city_config_default();
	assert_non_null(config);
	config->animations = false;
	struct city_server *server = city_server_create(config);
	assert_non_null(server);
	assert_true(city_server_start(server));
	return server;
}

/* Lets it run until done(data); fails the test when that takes too long. */
static inline void inside_run_until(
	struct city_server *server, bool (*done)(void *data), void *data) {
	struct timespec begin, now;
	clock_gettime(CLOCK_MONOTONIC, &begin);
	while (!done(data)) {
		wl_event_loop_dispatch(server->loop, 10);
		clock_gettime(CLOCK_MONOTONIC, &now);
		assert_true(now.tv_sec - begin.tv_sec <= 60);
	}
}

static inline bool inside_is_surveyed(void *data) {
	size_t count;
	city_survey_quarters(city_scape_survey(data), &count);
	return count > 0;
}

/* The source that stands in the city, once it has been looked at: the city's own is there. */
static inline const struct city_quarter *inside_quarters(
	struct city_server *server, size_t *count) {
	assert_non_null(city_scape_survey(server));
	inside_run_until(server, inside_is_surveyed, server);
	return city_survey_quarters(city_scape_survey(server), count);
}

#endif
