/* SPDX-License-Identifier: MIT */
/* A compositor in the test's own process, for what no client can bring about. */
#ifndef TEST_INSIDE_H
#define TEST_INSIDE_H

#include "fixture.h"

#include <unistd.h>

#include "compositor/config.h"
#include "compositor/server.h"

/* Headless, at rest, in a runtime folder of its own whose name is written into `dir`. */
static inline struct city_server *inside_server(char dir[static 64]) {
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

#endif
