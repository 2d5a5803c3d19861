/* SPDX-License-Identifier: MIT */
/* Shared by the files of the fake city: fake.c, fake_keeper.c, fake_tile.c, fake_wayland.c. Nobody
 * else includes it. */
#ifndef TESTS_HOST_FAKE_INTERNAL_H
#define TESTS_HOST_FAKE_INTERNAL_H

#include "fake.h"
#include "source-city-tile-v1-server-protocol.h"

static inline void destroy_resource(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static inline struct fake_version *version_of(struct wl_client *client) {
	return wl_client_get_user_data(client);
}

/* fake_wayland.c: what the city offers to its clients, the tile protocol among it. */
void fake_add_globals(struct fake_city *city);

/* fake_tile.c */
extern const struct source_city_tile_manager_v1_interface fake_tile_manager_impl;

/* fake_keeper.c: something came on a version's wire. */
int fake_handle_keeper(int fd, uint32_t mask, void *data);

#endif
