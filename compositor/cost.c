/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "compositor/control.h"
#include "compositor/cost.h"
#include "compositor/server.h"
#include "compositor/tile.h"

#define SAMPLES (CITY_COST_SECONDS + 1)
#define SAMPLE_MS 1000
/* Less than this is nothing: what a process that waits uses up now and then. */
#define NOTHING 0.0005
/* Samples that are taken after the last that was more. */
#define QUIET_SAMPLES 3

struct sample {
	int64_t at_ns, cpu_ns;
	double megapixels; /* committed since it was first seen */
};

struct meter {
	uint32_t id; /* of the view; 0: a part of the city */
	pid_t pid;
	struct sample samples[SAMPLES]; /* the newest first */
	int count;
	bool seen;
};

enum { COMPOSITOR, KEEPER, FORGE };

const char *const city_cost_folders[CITY_COST_FOLDERS] = {
	[COMPOSITOR] = "compositor",
	[KEEPER] = "vat",
	[FORGE] = "forge",
};

struct city_costs {
	struct city_server *server;
	struct meter parts[CITY_COST_FOLDERS];
	struct meter *tiles;
	size_t tile_count;
	struct wl_event_source *timer;
	bool running;
	int quiet;
	struct wl_signal sampled;
};

static int64_t now_ns(void) {
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* -1: there is no such process. */
static int64_t cpu_of(pid_t pid) {
	clockid_t clock;
	struct timespec used;
	if (pid <= 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
		return -1;
	}
	return (int64_t)used.tv_sec * 1000000000 + used.tv_nsec;
}

static double cost_of(const struct meter *meter) {
	if (meter->count < 2) {
		return -1;
	}
	const struct sample *newest = &meter->samples[0],
			    *oldest = &meter->samples[meter->count - 1];
	double seconds = (double)(newest->at_ns - oldest->at_ns) / 1e9;
	if (seconds <= 0) {
		return -1;
	}
	double cpu = (double)(newest->cpu_ns - oldest->cpu_ns) / 1e9;
	double frames = (newest->megapixels - oldest->megapixels) * CITY_COST_MEGAPIXEL;
	return (cpu + frames) / seconds;
}

static void take(struct meter *meter, pid_t pid, int64_t at_ns, double megapixels) {
	int64_t cpu = cpu_of(pid);
	if (pid != meter->pid || cpu < 0) {
		/* Another version of it begins at nothing. */
		meter->count = 0;
		meter->pid = pid;
	}
	if (cpu < 0) {
		return;
	}
	memmove(meter->samples + 1, meter->samples,
		sizeof(meter->samples) - sizeof(*meter->samples));
	meter->samples[0] = (struct sample){at_ns, cpu, megapixels};
	meter->count += meter->count < SAMPLES;
}

/* Where the one of this view is, or would be: they are in the order of their ids. */
static size_t find_meter(const struct city_costs *costs, uint32_t id) {
	size_t low = 0, high = costs->tile_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (costs->tiles[middle].id < id) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	return low;
}

static struct meter *get_meter(struct city_costs *costs, uint32_t id) {
	size_t at = find_meter(costs, id);
	if (at < costs->tile_count && costs->tiles[at].id == id) {
		return &costs->tiles[at];
	}
	struct meter *tiles = reallocarray(costs->tiles, costs->tile_count + 1, sizeof(*tiles));
	if (tiles == NULL) {
		return NULL;
	}
	costs->tiles = tiles;
	memmove(tiles + at + 1, tiles + at, (costs->tile_count - at) * sizeof(*tiles));
	tiles[at] = (struct meter){.id = id};
	costs->tile_count++;
	return &tiles[at];
}

static bool sample(struct city_costs *costs) {
	struct city_server *server = costs->server;
	int64_t at = now_ns();
	bool any = false;
	take(&costs->parts[COMPOSITOR], getpid(), at, 0);
	take(&costs->parts[KEEPER], server->keeper != NULL ? getppid() : 0, at, 0);
	take(&costs->parts[FORGE], city_control_forge(server->control), at, 0);
	for (size_t i = 0; i < costs->tile_count; i++) {
		costs->tiles[i].seen = false;
	}
	const struct city_tile *tile;
	if (server->tiles != NULL) {
		wl_list_for_each(tile, &server->tiles->list, link) {
			struct meter *meter = get_meter(costs, tile->view.id);
			if (meter != NULL) {
				take(meter, tile->live != NULL ? tile->live->pid : 0, at,
					tile->view.megapixels);
				meter->seen = true;
				any |= meter->count < SAMPLES || cost_of(meter) > NOTHING;
			}
		}
	}
	size_t kept = 0;
	for (size_t i = 0; i < costs->tile_count; i++) {
		if (costs->tiles[i].seen) {
			costs->tiles[kept++] = costs->tiles[i];
		}
	}
	costs->tile_count = kept;
	return any;
}

static int handle_timer(void *data) {
	struct city_costs *costs = data;
	costs->quiet = sample(costs) ? 0 : costs->quiet + 1;
	costs->running = costs->quiet < QUIET_SAMPLES;
	wl_event_source_timer_update(costs->timer, costs->running ? SAMPLE_MS : 0);
	wl_signal_emit_mutable(&costs->sampled, costs);
	return 0;
}

void city_costs_look(struct city_costs *costs) {
	if (costs != NULL && !costs->running) {
		costs->running = true;
		costs->quiet = 0;
		/* The first two follow each other fast: there is something to show soon. */
		sample(costs);
		wl_event_source_timer_update(costs->timer, SAMPLE_MS / 4);
	}
}

double city_costs_tile(const struct city_costs *costs, const struct city_tile *tile) {
	if (costs == NULL) {
		return -1;
	}
	size_t at = find_meter(costs, tile->view.id);
	return at < costs->tile_count && costs->tiles[at].id == tile->view.id
		? cost_of(&costs->tiles[at])
		: -1;
}

double city_costs_part(const struct city_costs *costs, const char *folder) {
	for (size_t i = 0; costs != NULL && i < CITY_COST_FOLDERS; i++) {
		if (strcmp(city_cost_folders[i], folder) == 0) {
			return cost_of(&costs->parts[i]);
		}
	}
	return -1;
}

struct wl_signal *city_costs_sampled(struct city_costs *costs) {
	return &costs->sampled;
}

struct city_costs *city_costs_create(struct city_server *server) {
	struct city_costs *costs = calloc(1, sizeof(*costs));
	if (costs == NULL) {
		return NULL;
	}
	costs->server = server;
	wl_signal_init(&costs->sampled);
	costs->timer = wl_event_loop_add_timer(server->loop, handle_timer, costs);
	if (costs->timer == NULL) {
		free(costs);
		return NULL;
	}
	return costs;
}

void city_costs_destroy(struct city_costs *costs) {
	if (costs == NULL) {
		return;
	}
	wl_event_source_remove(costs->timer);
	free(costs->tiles);
	free(costs);
}
