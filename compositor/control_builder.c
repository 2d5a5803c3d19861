/* SPDX-License-Identifier: MIT */
/* Builds and watches: what clients ask for goes to the builder, what it makes goes to the tiles. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compositor/config.h"
#include "compositor/control.h"
#include "compositor/control_internal.h"
#include "compositor/control_job.h"
#include "compositor/effects/effects.h"
#include "compositor/keeper.h"
#include "compositor/paths.h"
#include "compositor/refactor.h"
#include "compositor/server.h"
#include "compositor/store.h"
#include "compositor/tile.h"
#include "source-city-control-v1-server-protocol.h"

/* ---- jobs */

void city_job_drop_artifact(struct city_job *job) {
	if (job->artifact >= 0) {
		close(job->artifact);
		job->artifact = -1;
	}
}

void city_job_set_built(struct city_job *job) {
	job->building = false;
	if (job->tile->notice_build) {
		city_tile_set_notice(job->tile, CITY_BADGE_NONE, NULL, false);
	}
}

static void job_destroy(struct city_job *job) {
	if (job->request) {
		job->request->job = NULL;
	}
	city_job_drop_artifact(job);
	if (job->known) {
		city_sources_set(job->control, job->folder, job->word);
	}
	wl_list_remove(&job->tile_destroy.link);
	wl_list_remove(&job->link);
	free(job->folder);
	free(job);
}

static void send_cancel(struct city_job *job) {
	if (job->control->builder) {
		source_city_builder_v1_send_cancel(job->control->builder, job->id);
	}
	if (job->building) {
		city_job_set_built(job);
	}
}

static void job_cancel(struct city_job *job) {
	struct city_control *control = job->control;
	uint64_t save = job->save;
	send_cancel(job);
	job_destroy(job);
	city_save_conclude(control, save);
}

/* Others may go with it. */
static void job_fail(struct city_job *job, const char *step, const char *reason) {
	struct city_request *request = job->request;
	const struct city_build_listener *listener = job->listener;
	void *data = job->data;
	job_destroy(job);
	if (request) {
		city_request_fail(request, step, reason);
	}
	if (listener) {
		listener->failed(data, step, reason);
	}
}

void city_builder_fail_all(struct city_control *control, const char *reason) {
	while (!wl_list_empty(&control->jobs)) {
		struct city_job *job = wl_container_of(control->jobs.next, job, link);
		/* It takes itself off the list, which the analyzer does not see. */
		job_fail(job, "build", reason); // NOLINT(clang-analyzer-unix.Malloc)
	}
}

static void handle_job_tile_destroy(struct wl_listener *listener, void *data) {
	struct city_job *job = wl_container_of(listener, job, tile_destroy);
	struct city_control *control = job->control;
	uint64_t save = job->save;
	send_cancel(job);
	job_fail(job, "closed", "the tile was closed");
	city_save_conclude(control, save);
}

static void job_send(struct city_job *job) {
	struct wl_resource *builder = job->control->builder;
	if (job->paused) {
		return;
	}
	/* A save while the builder did not have it shall not be lost. */
	if (job->watch && job->known &&
		wl_resource_get_version(builder) >= SOURCE_CITY_BUILDER_V1_WATCH_ON_SINCE_VERSION) {
		source_city_builder_v1_send_watch_on(
			builder, job->id, job->tile->name, job->folder, job->word);
	} else if (job->watch) {
		source_city_builder_v1_send_watch(builder, job->id, job->tile->name, job->folder);
	} else {
		source_city_builder_v1_send_build(builder, job->id, job->tile->name, job->folder);
	}
}

static struct city_job *job_find(struct city_control *control, uint32_t id) {
	struct city_job *job;
	wl_list_for_each(job, &control->jobs, link) {
		if (job->id == id && !job->paused) {
			return job;
		}
	}
	/* Cancelled while the builder's words were on their way. */
	return NULL;
}

/* NULL with one line in `why`. */
static struct city_job *job_create(struct city_control *control, struct city_tile *tile,
	const char *folder, bool watch, bool standing, const char **why) {
	if (!control->builder && !control->forge_wanted) {
		*why = "nothing here builds sources: source-city-forge does not run";
		return NULL;
	}
	struct city_job *job = calloc(1, sizeof(*job));
	if (!job || !(job->folder = strdup(folder))) {
		free(job);
		*why = "out of memory";
		return NULL;
	}
	job->control = control;
	job->id = ++control->last_job;
	job->tile = tile;
	job->watch = watch;
	job->standing = standing;
	job->artifact = -1;
	job->tile_destroy.notify = handle_job_tile_destroy;
	wl_signal_add(&tile->events.destroy, &job->tile_destroy);
	wl_list_insert(control->jobs.prev, &job->link);
	if (watch && standing) {
		city_job_learn(job);
	}
	if (control->builder) {
		job_send(job);
	}
	return job;
}

struct city_job *city_builder_build(struct city_control *control, struct city_tile *tile,
	const char *folder, const struct city_build_listener *listener, void *data,
	const char **why) {
	struct city_job *job = job_create(control, tile, folder, false, false, why);
	if (job) {
		job->listener = listener;
		job->data = data;
	}
	return job;
}

void city_builder_cancel(struct city_job *job) {
	job_cancel(job);
}

void city_builder_supersede(struct city_control *control, struct city_tile *tile) {
	struct city_job *job;
	wl_list_for_each(job, &control->jobs, link) {
		if (job->watch && job->tile == tile && job->artifact >= 0) {
			city_job_drop_artifact(job);
			city_job_set_built(job);
			city_save_conclude(control, job->save);
			return;
		}
	}
}

void city_builder_watch(struct city_control *control, struct city_request *request,
	struct city_tile *tile, const char *folder) {
	struct city_job *job;
	wl_list_for_each(job, &control->jobs, link) {
		if (job->standing && !job->request && job->tile == tile &&
			strcmp(job->folder, folder) == 0) {
			job->request = request;
			request->job = job;
			return;
		}
	}
	const char *why;
	job = job_create(control, tile, folder, true, false, &why);
	if (!job) {
		city_request_fail(request, "build", why);
		return;
	}
	job->request = request;
	request->job = job;
}

void city_builder_stand_watch(struct city_control *control, struct city_tile *tile) {
	const char *folder = city_tile_source(tile);
	bool watched = false;
	struct city_job *old, *next;
	wl_list_for_each_safe(old, next, &control->jobs, link) {
		if (!old->watch || old->tile != tile) {
			continue;
		}
		/* One that is paused goes on where the sources are when it does. */
		if (old->paused || strcmp(old->folder, folder) == 0) {
			/* Perhaps for somebody; two watches would build each save twice. */
			old->standing = !watched;
			watched = true;
		} else if (old->standing && old->request) {
			old->standing = false; /* goes on for the one who asked for it */
		} else if (old->standing) {
			job_cancel(old);
		}
	}
	if (watched) {
		return;
	}
	/* What the user cannot write is not edited there. */
	if (!control->forge_wanted || access(folder, W_OK) < 0) {
		return;
	}
	const char *why;
	job_create(control, tile, folder, true, true, &why);
}

void city_builder_pause(struct city_control *control, const char *folder) {
	struct city_job *job;
	wl_list_for_each(job, &control->jobs, link) {
		if (!job->first && city_path_same(job->folder, folder)) {
			job->paused = true;
			if (job->artifact >= 0) {
				city_job_know(job, ""); /* built for nothing */
			}
			city_job_drop_artifact(job);
			send_cancel(job);
		}
	}
}

void city_builder_resume(struct city_control *control, const char *folder) {
	struct city_job *job;
	struct wl_array tiles;
	wl_array_init(&tiles);
	wl_list_for_each(job, &control->jobs, link) {
		if (!job->paused) {
			continue;
		}
		char *copy = folder ? strdup(folder) : NULL;
		if (copy) {
			free(job->folder);
			job->folder = copy;
			job->known = false;
			city_job_learn(job);
		}
		job->paused = false;
		struct city_tile **tile = wl_array_add(&tiles, sizeof(struct city_tile *));
		if (tile) {
			*tile = job->tile;
		}
		if (control->builder) {
			job_send(job);
		}
	}
	/* One that has got another source meanwhile is watched there. */
	struct city_tile **tile;
	wl_array_for_each(tile, &tiles) {
		if (!(*tile)->closing) {
			city_builder_stand_watch(control, *tile);
		}
	}
	wl_array_release(&tiles);
}

void city_builder_forget(struct city_request *request) {
	struct city_job *job = request->job;
	if (!job) {
		return;
	}
	job->request = NULL;
	request->job = NULL;
	if (!job->standing) {
		job_cancel(job);
	}
}

static void handle_needs_build(struct wl_listener *listener, void *data) {
	struct city_control *control = wl_container_of(listener, control, needs_build);
	struct city_tile *tile = data;
	const char *why;
	struct city_job *job =
		job_create(control, tile, city_tile_source(tile), false, false, &why);
	if (!job) {
		city_tile_set_notice(tile, CITY_BADGE_ERROR,
			"it is not built yet, and source-city-forge does not run", false);
		return;
	}
	job->first = true;
}

/* ---- what the builder says */

/* NULL when the city is about to end. */
static struct city_control *control_of(struct wl_resource *resource) {
	struct city_control *control = wl_resource_get_user_data(resource);
	return control && control->builder == resource ? control : NULL;
}

static struct city_job *job_of(struct wl_resource *resource, uint32_t id) {
	struct city_control *control = control_of(resource);
	return control ? job_find(control, id) : NULL;
}

static void handle_destroy(struct wl_client *client, struct wl_resource *resource) {
	wl_resource_destroy(resource);
}

static void handle_started(struct wl_client *client, struct wl_resource *resource, uint32_t id) {
	struct city_job *job = job_of(resource, id);
	if (!job) {
		struct city_control *control = control_of(resource);
		if (control) {
			city_refactor_started(control, id);
		}
		return;
	}
	if (job->watch) {
		city_save_join(job);
	}
	job->building = true;
	job->coming[0] = '\0';
	city_tile_set_notice(job->tile, CITY_BADGE_INFO, "building", true);
	const struct city_tiles *tiles = job->tile->tiles;
	if (tiles->effects && tiles->server->config->animations) {
		city_effects_prepare(tiles->effects, "melt");
	}
	if (job->request) {
		city_request_progress(job->request, "build", city_now_ns());
	}
	if (job->listener) {
		job->listener->started(job->data);
	}
}

static void handle_output(
	struct wl_client *client, struct wl_resource *resource, uint32_t id, const char *text) {
	struct city_job *job = job_of(resource, id);
	struct city_control *control = control_of(resource);
	if (job && job->request) {
		city_request_output(job->request, text);
	} else if (!job && control) {
		city_refactor_output(control, id, text);
	}
	if (job && job->listener) {
		job->listener->output(job->data, text);
	}
}

static void handle_sources(
	struct wl_client *client, struct wl_resource *resource, uint32_t id, const char *word) {
	struct city_job *job = job_of(resource, id);
	struct city_control *control = control_of(resource);
	if (job && (job->building || !job->watch)) {
		/* It shall not count before what was built from them has come. */
		snprintf(job->coming, sizeof(job->coming), "%s", word);
	} else if (job) {
		city_job_know(job, word);
	} else if (control) {
		city_refactor_sources(control, id, word);
	}
}

static void built_first(struct city_job *job, int artifact) {
	struct city_tile *tile = job->tile;
	char hash[CITY_HASH_SIZE], error[512];
	int fd = city_store_put(tile->tiles->store, artifact, hash, error, sizeof(error));
	job_destroy(job);
	if (fd < 0) {
		city_tile_set_notice(tile, CITY_BADGE_ERROR, error, true);
		return;
	}
	close(fd);
	city_tile_first_artifact(tile, hash);
}

static void handle_built(struct wl_client *client, struct wl_resource *resource, uint32_t id,
	int32_t artifact, const char *hash, const char *folder, uint32_t build_ns_hi,
	uint32_t build_ns_lo) {
	struct city_job *job = job_of(resource, id);
	if (!job) {
		close(artifact);
		return;
	}
	int64_t took = (int64_t)((uint64_t)build_ns_hi << 32 | build_ns_lo);
	took = took >= 0 ? took : -1;
	if (job->coming[0] != '\0') {
		city_job_know(job, job->coming);
	}
	city_job_set_built(job);
	if (job->first) {
		built_first(job, artifact);
	} else if (job->watch) {
		city_job_drop_artifact(job);
		job->saved_ns = took >= 0 ? city_now_ns() - took : job->started_ns;
		job->build_ns = took;
		/* What was asked for since is newer than what was saved before. */
		if (job->saved_ns >= job->tile->requested_ns) {
			job->artifact = artifact;
			snprintf(job->hash, sizeof(job->hash), "%s", hash);
			artifact = -1;
		}
		city_save_conclude(job->control, job->save);
	} else {
		const struct city_build_listener *listener = job->listener;
		void *user = job->data;
		job_destroy(job);
		listener->built(user, artifact, folder, took);
	}
	if (artifact >= 0) {
		close(artifact);
	}
}

static void handle_build_failed(
	struct wl_client *client, struct wl_resource *resource, uint32_t id, const char *reason) {
	struct city_job *job = job_of(resource, id);
	if (!job) {
		struct city_control *control = control_of(resource);
		if (control) {
			city_refactor_failed(control, id, reason);
		}
		return;
	}
	job->building = false;
	char text[1200];
	snprintf(text, sizeof(text), "not built: %.1000s", reason);
	city_tile_set_notice(job->tile, CITY_BADGE_ERROR, text, true);
	city_control_message(job->control->server, CITY_LOG_WARN, job->tile->name, "%s", text);
	if (job->watch) {
		job->broken = true;
		city_save_conclude(job->control, job->save);
		return;
	}
	job_fail(job, "build", reason);
}

static void handle_plan(struct wl_client *client, struct wl_resource *resource, uint32_t job,
	uint32_t number, uint32_t what, const char *tile, const char *uuid, const char *from,
	const char *to, const char *name, const char *repository, const char *text) {
	struct city_control *control = control_of(resource);
	struct city_refactor_plan plan = {
		job, number, what, tile, uuid, from, to, name, repository, text};
	if (control) {
		city_refactor_planned(control, &plan);
	}
}

static void handle_recall(
	struct wl_client *client, struct wl_resource *resource, uint32_t job, const char *text) {
	struct city_control *control = control_of(resource);
	if (control) {
		city_refactor_recall(control, job, text);
	}
}

static void handle_prepared(struct wl_client *client, struct wl_resource *resource, uint32_t job,
	uint32_t number, const char *artifact, uint32_t build_ns_hi, uint32_t build_ns_lo) {
	struct city_control *control = control_of(resource);
	if (control) {
		city_refactor_prepared(control, job, number, artifact,
			(int64_t)((uint64_t)build_ns_hi << 32 | build_ns_lo));
	}
}

static void handle_concluded(struct wl_client *client, struct wl_resource *resource,
	uint32_t number, const char *reason) {
	struct city_control *control = control_of(resource);
	if (control) {
		city_refactor_concluded(control, number, reason);
	}
}

static void handle_unfinished(struct wl_client *client, struct wl_resource *resource,
	uint32_t number, uint32_t what, uint32_t undo, const char *uuid, const char *from,
	const char *to, const char *name) {
	struct city_control *control = control_of(resource);
	struct city_refactor_plan plan = {0, number, what, "", uuid, from, to, name, "", ""};
	if (control) {
		city_refactor_unfinished(control, &plan, undo == 1);
	}
}

static const struct source_city_builder_v1_interface builder_impl = {
	.destroy = handle_destroy,
	.started = handle_started,
	.output = handle_output,
	.built = handle_built,
	.failed = handle_build_failed,
	.plan = handle_plan,
	.prepared = handle_prepared,
	.concluded = handle_concluded,
	.unfinished = handle_unfinished,
	.sources = handle_sources,
	.recall = handle_recall,
};

static void handle_builder_destroy(struct wl_resource *resource) {
	struct city_control *control = wl_resource_get_user_data(resource);
	if (!control || control->builder != resource) {
		return;
	}
	control->builder = NULL;
	city_refactor_builder_gone(control);
	struct city_job *job;
	wl_list_for_each(job, &control->jobs, link) {
		if (job->building) {
			city_job_set_built(job);
			city_save_conclude(control, job->save);
		}
	}
	/* The next builder gets them, if there is to be one. */
	if (!control->forge_wanted) {
		city_builder_fail_all(control, "the builder went away");
	}
}

void city_builder_register(struct city_control *control, struct wl_client *client,
	struct wl_resource *control_resource, uint32_t id) {
	if (control->builder) {
		wl_resource_post_error(control_resource, SOURCE_CITY_CONTROL_V1_ERROR_BUILDER,
			"another client is the builder already");
		return;
	}
	struct wl_resource *resource = wl_resource_create(client, &source_city_builder_v1_interface,
		wl_resource_get_version(control_resource), id);
	if (!resource) {
		wl_client_post_no_memory(client);
		return;
	}
	wl_resource_set_implementation(resource, &builder_impl, control, handle_builder_destroy);
	control->builder = resource;
	struct city_job *job;
	wl_list_for_each(job, &control->jobs, link) {
		job_send(job);
	}
}

void city_builder_create(struct city_control *control) {
	wl_list_init(&control->jobs);
	wl_list_init(&control->sources);
	city_forge_init(control);
	wl_list_init(&control->needs_build.link);
	if (control->tiles) {
		control->needs_build.notify = handle_needs_build;
		wl_signal_add(&control->tiles->events.needs_build, &control->needs_build);
	}
}

void city_builder_finish(struct city_control *control) {
	struct city_job *job, *next;
	wl_list_for_each_safe(job, next, &control->jobs, link) {
		job_destroy(job);
	}
	city_sources_finish(control);
	if (control->builder) {
		wl_resource_set_user_data(control->builder, NULL);
		control->builder = NULL;
	}
	city_forge_finish(control);
	wl_list_remove(&control->needs_build.link);
}
