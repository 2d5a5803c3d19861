/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "compositor/handover.h"
#include "compositor/keeper.h"
#include "compositor/server.h"
#include "compositor/tile.h"
#include "compositor/tile_internal.h"
#include "log.h"
#include "source-city-tile-v1-server-protocol.h"

int64_t city_now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const char *city_version_state_name(enum city_version_state state) {
	static const char *const names[] = {
		[CITY_VERSION_SPAWNING] = "spawning",
		[CITY_VERSION_WARMING] = "warming",
		[CITY_VERSION_PREPARING] = "preparing",
		[CITY_VERSION_READY] = "ready",
		[CITY_VERSION_ATTACHING] = "attaching",
		[CITY_VERSION_LIVE] = "live",
		[CITY_VERSION_YIELDING] = "yielding",
		[CITY_VERSION_FROZEN] = "frozen",
		[CITY_VERSION_SHADOW] = "shadow",
		[CITY_VERSION_RETIRING] = "retiring",
		[CITY_VERSION_DYING] = "dying",
	};
	return names[state];
}

static void handle_client_destroy(struct wl_listener *listener, void *data) {
	struct city_tile_version *version = wl_container_of(listener, version, client_destroy);
	/* Its surface is still there: the last moment to keep its picture. */
	if (version->tile->live == version && !version->tile->closing) {
		city_tile_keep_picture(version->tile);
	}
	wl_list_remove(&version->client_destroy.link);
	version->client = NULL;
	if (version->ended) {
		return;
	}
	/* Without a connection it is of no use. A process that has ended by itself keeps the status
	 * that it ended with. */
	city_version_kill(version);
	city_handover_version_lost(version);
}

struct city_tile_version *city_version_from_client(const struct wl_client *client) {
	struct wl_listener *listener =
		wl_client_get_destroy_listener((struct wl_client *)client, handle_client_destroy);
	if (!listener) {
		return NULL;
	}
	struct city_tile_version *version = wl_container_of(listener, version, client_destroy);
	return version;
}

struct city_tile_version *city_version_from_instance(struct city_tiles *tiles, uint64_t instance) {
	struct city_tile *tile;
	wl_list_for_each(tile, &tiles->list, link) {
		struct city_tile_version *version;
		wl_list_for_each(version, &tile->versions, link) {
			if (version->instance == instance && instance != 0) {
				return version;
			}
		}
	}
	return NULL;
}

void city_version_describe_end(const struct city_tile_version *version, char *text, size_t size) {
	char status[64] = "it never ran";
	if (version->instance != 0) {
		city_keeper_describe_status(version->exit_status, status, sizeof(status));
	}
	if (version->failure) {
		snprintf(text, size, "%s (%s)", version->failure, status);
	} else if (version->instance != 0 && WIFSIGNALED(version->exit_status)) {
		bool killed = WTERMSIG(version->exit_status) == SIGKILL;
		bool told = *version->operation && !killed;
		snprintf(text, size, "%s%s%s (%s)", killed ? "it was killed" : "it crashed",
			told ? " in " : "", told ? version->operation : "", status);
	} else {
		snprintf(text, size, "it ended (%s)", status);
	}
}

void city_version_process_ended(struct city_tile_version *version, int status) {
	struct city_tile *tile = version->tile;
	version->ended = true;
	version->exit_status = status;
	/* The keeper's word may come before the end of the connection. */
	if (tile->live == version && !tile->closing) {
		city_tile_keep_picture(tile);
	}
	city_handover_version_ended(version);
	bool awaited = version->awaited;
	version->awaited = false;
	city_version_destroy(version);
	if (awaited) {
		tile->awaited--;
		city_tile_rejoin_conclude(tile);
	}
	city_tile_reap(tile);
}

void city_version_trouble(struct city_tile_version *version, int status, const char *operation) {
	snprintf(version->operation, sizeof(version->operation), "%s", operation);
	version->stuck = status == 0;
	if (status <= 0) {
		city_handover_version_stuck(version);
	}
}

static void handle_spawned(void *data, struct city_keeper_reply *reply) {
	struct city_tile_version *version = data;
	version->spawn_request = 0;
	if (reply->status != 0) {
		free(version->failure);
		version->failure = NULL;
		if (asprintf(&version->failure, "cannot be started: %s", reply->reason) < 0) {
			version->failure = NULL;
		}
		int error = reply->status;
		city_version_process_ended(version, 0);
		errno = error;
		return;
	}
	version->instance = reply->instance;
	version->pid = reply->pid;
	if (version->state == CITY_VERSION_DYING) {
		city_keeper_kill(version->tile->tiles->keeper, version->instance, SIGKILL);
		return;
	}
	/* Its first words may have come before the keeper's. */
	if (version->state == CITY_VERSION_SPAWNING) {
		version->state = CITY_VERSION_WARMING;
	}
	city_handover_version_spawned(version);
}

/* A version with a connection, whose other end comes in *client_fd. NULL with errno. */
static struct city_tile_version *version_create(
	struct city_tile *tile, const char *hash, const char *source, int *client_fd) {
	struct city_tile_version *version = calloc(1, sizeof(*version));
	int fds[2] = {-1, -1};
	if (!version || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0) {
		free(version);
		return NULL;
	}
	version->client = wl_client_create(tile->tiles->server->display, fds[0]);
	if (!version->client) {
		close(fds[0]);
		close(fds[1]);
		free(version);
		return NULL;
	}
	version->tile = tile;
	version->artifact_fd = version->lineage_fd = -1;
	version->source = source ? strdup(source) : NULL;
	snprintf(version->hash, sizeof(version->hash), "%s", hash);
	wl_array_init(&version->configures);
	version->client_destroy.notify = handle_client_destroy;
	wl_client_add_destroy_listener(version->client, &version->client_destroy);
	wl_list_insert(tile->versions.prev, &version->link);
	*client_fd = fds[1];
	return version;
}

struct city_tile_version *city_version_create(
	struct city_tile *tile, const char *hash, const char *source, int artifact_fd) {
	struct city_tiles *tiles = tile->tiles;
	int client_fd;
	struct city_tile_version *version = version_create(tile, hash, source, &client_fd);
	if (!version) {
		int error = errno;
		close(artifact_fd);
		errno = error;
		return NULL;
	}
	version->artifact_fd = artifact_fd;
	/* When the keeper cannot be asked the answer comes from within the call, and the version is
	 * gone when it returns. */
	uint64_t request = city_keeper_spawn(tiles->keeper, &tile->uuid, tile->name, hash,
		&tile->options, client_fd, artifact_fd, handle_spawned, version);
	close(client_fd);
	if (request == 0) {
		return NULL;
	}
	version->spawn_request = request;
	return version;
}

static void handle_reconnected(void *data, struct city_keeper_reply *reply) {
	struct city_tile_version *version = data;
	version->spawn_request = 0;
	if (reply->status != 0) {
		/* It has ended before it could get the connection; the keeper has said so, or will.
		 */
		city_version_kill(version);
	}
}

struct city_tile_version *city_version_adopt(
	struct city_tile *tile, const struct city_keeper_instance *instance) {
	int client_fd;
	struct city_tile_version *version =
		version_create(tile, instance->hash, tile->source, &client_fd);
	if (!version) {
		return NULL;
	}
	version->state = CITY_VERSION_WARMING;
	version->instance = instance->instance;
	version->pid = instance->pid;
	version->awaited = true;
	version->spawn_request = city_keeper_reconnect(
		tile->tiles->keeper, version->instance, client_fd, handle_reconnected, version);
	close(client_fd);
	return version;
}

static void timer_stop(struct city_tile_version *version) {
	if (version->timer) {
		wl_event_source_remove(version->timer);
		version->timer = NULL;
	}
}

void city_version_kill(struct city_tile_version *version) {
	if (version->ended) {
		return;
	}
	timer_stop(version);
	version->state = CITY_VERSION_DYING;
	if (version->instance != 0) {
		city_keeper_kill(version->tile->tiles->keeper, version->instance, SIGKILL);
	}
}

bool city_version_has_gone(const struct city_tile_version *version) {
	if (version->ended || !version->client) {
		return true;
	}
	struct pollfd end = {.fd = wl_client_get_fd(version->client), .events = POLLRDHUP};
	return poll(&end, 1, 0) > 0;
}

static int handle_timer(void *data) {
	struct city_tile_version *version = data;
	struct city_tile *tile = version->tile;
	timer_stop(version);
	if (version->state == CITY_VERSION_RETIRING) {
		city_log(CITY_LOG_WARN, tile->name,
			"pid %d did not end when it was told to: killed", version->pid);
	} else {
		free(version->failure);
		version->failure = strdup("it hung in quiesce");
	}
	city_version_kill(version);
	return 0;
}

static void timer_start(struct city_tile_version *version, int ms) {
	timer_stop(version);
	version->timer =
		wl_event_loop_add_timer(version->tile->tiles->server->loop, handle_timer, version);
	if (!version->timer || wl_event_source_timer_update(version->timer, ms > 0 ? ms : 1) < 0) {
		city_version_kill(version);
	}
}

void city_version_retire(struct city_tile_version *version) {
	if (version->ended || version->state == CITY_VERSION_DYING) {
		return;
	}
	version->state = CITY_VERSION_RETIRING;
	if (version->resource) {
		source_city_tile_v1_send_retire(version->resource);
	}
	timer_start(version, version->tile->tiles->limits.retire_ms);
}

void city_version_expect_late_answer(struct city_tile_version *version) {
	timer_start(version, version->tile->tiles->limits.late_ms);
}

void city_version_answered(struct city_tile_version *version) {
	if (version->state != CITY_VERSION_RETIRING) {
		timer_stop(version);
	}
}

void city_version_destroy(struct city_tile_version *version) {
	timer_stop(version);
	if (version->spawn_request != 0) {
		city_keeper_forget(version->tile->tiles->keeper, version->spawn_request);
	}
	version->ended = true;
	if (version->client) {
		wl_client_destroy(version->client);
	}
	if (version->artifact_fd >= 0) {
		close(version->artifact_fd);
	}
	if (version->lineage_fd >= 0) {
		close(version->lineage_fd);
	}
	wl_array_release(&version->configures);
	wl_list_remove(&version->link);
	free(version->source);
	free(version->failure);
	free(version->title);
	free(version);
}
