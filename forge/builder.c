/* SPDX-License-Identifier: MIT */
#include "forge/builder.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <wayland-client.h>

#include "forge/diagnostic.h"
#include "forge/job.h"
#include "forge/refactorer.h"
#include "source-city-control-v1-client-protocol.h"
#include "vat/log.h"

/* Holds the whole output of some builds while the compositor is busy. */
#define SEND_BUFFER (1u << 20)
#define VERSION 4u /* of the control protocol */

struct builder_job {
	struct wl_list link; /* builder.jobs */
	struct builder *builder;
	struct job *job;
};

/* Not begun before it is known what becomes of an unfinished refactor: its folder may be elsewhere
 * by then. */
struct held {
	struct wl_list link; /* builder.held */
	uint32_t number;
	char *tile, *folder, *sources; /* as for job_create */
	bool watching;
};

struct builder {
	struct forge *forge;
	struct wl_display *display;
	struct wl_registry *registry;
	struct source_city_control_v1 *control;
	struct source_city_builder_v1 *builder;
	struct wl_event_source *source;
	struct wl_list jobs; /* builder_job.link */
	struct wl_list held; /* held.link */
	struct refactorer *refactorer;
	void (*ended)(void *data);
	void *data;
};

/* ---- sending */

static void end(struct builder *builder) {
	if (builder->source == nullptr)
		return;
	wl_event_source_remove(builder->source);
	builder->source = nullptr;
	builder->ended(builder->data);
}

static void flush(struct builder *builder) {
	if (builder->source == nullptr)
		return;
	int sent = wl_display_flush(builder->display);
	uint32_t mask = WL_EVENT_READABLE;
	if (sent < 0 && errno == EAGAIN)
		mask |= WL_EVENT_WRITABLE;
	/* Any other error shows when reading, after what the compositor said last. */
	wl_event_source_fd_update(builder->source, mask);
}

/* ---- jobs */

static void remove_job(struct builder_job *entry) {
	wl_list_remove(&entry->link);
	job_destroy(entry->job);
	free(entry);
}

static void handle_job_started(void *data, struct job *job) {
	struct builder_job *entry = data;
	source_city_builder_v1_started(entry->builder->builder, job_number(job));
	flush(entry->builder);
}

static void handle_job_sources(void *data, struct job *job, const char *sources) {
	struct builder_job *entry = data;
	struct source_city_builder_v1 *builder = entry->builder->builder;
	if (source_city_builder_v1_get_version(builder) >=
		SOURCE_CITY_BUILDER_V1_SOURCES_SINCE_VERSION) {
		source_city_builder_v1_sources(builder, job_number(job), sources);
		flush(entry->builder);
	}
}

static void handle_job_done(void *data, struct job *job, struct build_result *result) {
	struct builder_job *entry = data;
	struct builder *builder = entry->builder;
	uint32_t number = job_number(job);
	diagnostic_send(&result->output, builder->builder, number, source_city_builder_v1_output);
	if (result->good) {
		uint64_t took = now_ns() - result->began_ns;
		source_city_builder_v1_built(builder->builder, number, result->artifact,
			result->hash, job_folder(job), (uint32_t)(took >> 32), (uint32_t)took);
		city_log(CITY_LOG_INFO, job_tile(job),
			"built %s in %.1f ms (%u files compiled, %u unchanged)", job_folder(job),
			(double)took / 1e6, result->compiled, result->cached);
	} else {
		source_city_builder_v1_failed(builder->builder, number, result->reason);
		city_log(CITY_LOG_INFO, job_tile(job), "not built: %s", result->reason);
	}
	flush(builder);
	if (!job_is_watch(job))
		remove_job(entry);
}

static const struct job_listener job_listener = {
	.started = handle_job_started,
	.sources = handle_job_sources,
	.done = handle_job_done,
};

static struct builder_job *find_job(struct builder *builder, uint32_t number) {
	struct builder_job *entry;
	wl_list_for_each(entry, &builder->jobs, link) {
		if (job_number(entry->job) == number)
			return entry;
	}
	return nullptr;
}

static void drop_held(struct held *held) {
	wl_list_remove(&held->link);
	free(held->tile);
	free(held->folder);
	free(held->sources);
	free(held);
}

static void add_job(struct builder *builder, uint32_t number, const char *tile, const char *folder,
	bool watching, const char *sources) {
	if (refactorer_waits(builder->refactorer)) {
		struct held *held = allocate(1, sizeof(*held));
		held->number = number;
		held->tile = text_copy(tile);
		held->folder = text_copy(folder);
		held->sources = sources != nullptr ? text_copy(sources) : nullptr;
		held->watching = watching;
		wl_list_insert(builder->held.prev, &held->link);
		return;
	}
	struct builder_job *entry = find_job(builder, number);
	if (entry != nullptr)
		remove_job(entry);
	entry = allocate(1, sizeof(*entry));
	entry->builder = builder;
	wl_list_insert(builder->jobs.prev, &entry->link);
	entry->job = job_create(
		builder->forge, number, tile, folder, watching, sources, &job_listener, entry);
}

static void handle_build(void *data, struct source_city_builder_v1 *proxy, uint32_t number,
	const char *tile, const char *folder) {
	add_job(data, number, tile, folder, false, nullptr);
}

static void handle_watch(void *data, struct source_city_builder_v1 *proxy, uint32_t number,
	const char *tile, const char *folder) {
	add_job(data, number, tile, folder, true, nullptr);
}

static void handle_watch_on(void *data, struct source_city_builder_v1 *proxy, uint32_t number,
	const char *tile, const char *folder, const char *sources) {
	add_job(data, number, tile, folder, true, sources);
}

static void handle_cancel(void *data, struct source_city_builder_v1 *proxy, uint32_t number) {
	struct builder *builder = data;
	struct builder_job *entry = find_job(builder, number);
	if (entry != nullptr)
		remove_job(entry);
	struct held *held, *next;
	wl_list_for_each_safe(held, next, &builder->held, link) {
		if (held->number == number)
			drop_held(held);
	}
	refactorer_cancel(builder->refactorer, number);
}

/* ---- refactors */

static void handle_refactor(void *data, struct source_city_builder_v1 *proxy, uint32_t job,
	uint32_t what, const char *tile, const char *uuid, const char *folder, const char *artifact,
	const char *target, const char *name, const char *target_artifact) {
	struct builder *builder = data;
	struct refactor_order order = {
		.what = (enum refactor_what)what,
		.tile = tile,
		.uuid = uuid,
		.folder = folder,
		.target = target,
		.name = name,
		.hash = artifact,
		.to_hash = target_artifact,
	};
	refactorer_order(builder->refactorer, job, &order);
}

static void handle_remember(
	void *data, struct source_city_builder_v1 *proxy, uint32_t job, const char *text) {
	struct builder *builder = data;
	refactorer_remember(builder->refactorer, job, text);
}

static void handle_proceed(void *data, struct source_city_builder_v1 *proxy, uint32_t job) {
	struct builder *builder = data;
	refactorer_proceed(builder->refactorer, job);
}

static void handle_conclude(
	void *data, struct source_city_builder_v1 *proxy, uint32_t number, uint32_t keep) {
	struct builder *builder = data;
	refactorer_conclude(builder->refactorer, number, keep != 0);
}

static const struct source_city_builder_v1_listener builder_listener = {
	.build = handle_build,
	.watch = handle_watch,
	.watch_on = handle_watch_on,
	.cancel = handle_cancel,
	.refactor = handle_refactor,
	.remember = handle_remember,
	.proceed = handle_proceed,
	.conclude = handle_conclude,
};

static void handle_refactor_sent(void *data) {
	flush(data);
}

static void handle_refactor_settled(void *data) {
	struct builder *builder = data;
	struct held *held, *next;
	wl_list_for_each_safe(held, next, &builder->held, link) {
		add_job(builder, held->number, held->tile, held->folder, held->watching,
			held->sources);
		drop_held(held);
	}
}

static const struct refactorer_listener refactorer_listener = {
	.sent = handle_refactor_sent,
	.settled = handle_refactor_settled,
};

/* ---- the rest of the control protocol, which the forge has no use for */

static void handle_tile(void *data, struct source_city_control_v1 *control,
	struct source_city_tile_handle_v1 *tile) {
	source_city_tile_handle_v1_destroy(tile);
}

static void handle_tiles_done(void *data, struct source_city_control_v1 *control) {
}

static void handle_message(void *data, struct source_city_control_v1 *control, uint32_t severity,
	const char *subject, const char *text) {
}

static void handle_record(void *data, struct source_city_control_v1 *control, const char *json) {
}

static const struct source_city_control_v1_listener control_listener = {
	.tile = handle_tile,
	.done = handle_tiles_done,
	.message = handle_message,
	.record = handle_record,
};

static void handle_global(void *data, struct wl_registry *registry, uint32_t name,
	const char *interface, uint32_t version) {
	struct builder *builder = data;
	if (strcmp(interface, source_city_control_v1_interface.name) != 0 ||
		builder->control != nullptr)
		return;
	builder->control = wl_registry_bind(registry, name, &source_city_control_v1_interface,
		version < VERSION ? version : VERSION);
	source_city_control_v1_add_listener(builder->control, &control_listener, builder);
	builder->builder = source_city_control_v1_register_builder(builder->control);
	source_city_builder_v1_add_listener(builder->builder, &builder_listener, builder);
	builder->refactorer =
		refactorer_create(builder->forge, builder->builder, &refactorer_listener, builder);
}

static void handle_global_remove(void *data, struct wl_registry *registry, uint32_t name) {
}

static const struct wl_registry_listener registry_listener = {
	.global = handle_global,
	.global_remove = handle_global_remove,
};

/* ---- the connection */

/* Never waits, as wl_display_dispatch() does where what came is of no use to our queue: builds end
 * meanwhile. */
static bool read_display(struct wl_display *display) {
	while (wl_display_prepare_read(display) != 0) {
		if (wl_display_dispatch_pending(display) < 0) {
			return false;
		}
	}
	return wl_display_read_events(display) == 0 && wl_display_dispatch_pending(display) >= 0;
}

static int handle_display(int fd, uint32_t mask, void *data) {
	struct builder *builder = data;
	if ((mask & (WL_EVENT_READABLE | WL_EVENT_HANGUP | WL_EVENT_ERROR)) != 0 &&
		!read_display(builder->display)) {
		uint32_t id;
		const struct wl_interface *interface;
		int error = wl_display_get_error(builder->display);
		if (error == EPROTO) {
			uint32_t code =
				wl_display_get_protocol_error(builder->display, &interface, &id);
			bool taken = interface == &source_city_control_v1_interface &&
				code == SOURCE_CITY_CONTROL_V1_ERROR_BUILDER;
			city_log(CITY_LOG_ERROR, "forge", "%s",
				taken ? "another forge builds for this city already"
				      : "the compositor refused a request of ours");
		}
		end(builder);
		return 0;
	}
	flush(builder);
	return 0;
}

__attribute__((format(printf, 1, 0))) static void handle_library_log(
	const char *format, va_list args) {
	city_vlog(CITY_LOG_DEBUG, "forge", format, args);
}

struct builder *builder_create(struct forge *forge, void (*ended)(void *data), void *data) {
	struct builder *builder = allocate(1, sizeof(*builder));
	builder->forge = forge;
	builder->ended = ended;
	builder->data = data;
	wl_list_init(&builder->jobs);
	wl_list_init(&builder->held);
	wl_log_set_handler_client(handle_library_log);
	builder->display = wl_display_connect(nullptr);
	if (builder->display == nullptr) {
		const char *name = getenv("WAYLAND_DISPLAY");
		city_log(CITY_LOG_ERROR, "forge",
			"no city at %s: %s; the forge is started by source-city, or use: "
			"source-city-forge build FOLDER",
			name != nullptr ? name : "wayland-0", strerror(errno));
		goto error;
	}
	wl_display_set_max_buffer_size(builder->display, SEND_BUFFER);
	builder->registry = wl_display_get_registry(builder->display);
	wl_registry_add_listener(builder->registry, &registry_listener, builder);
	if (wl_display_roundtrip(builder->display) < 0) {
		city_log(CITY_LOG_ERROR, "forge", "the compositor went away: %s", strerror(errno));
		goto error;
	}
	if (builder->control == nullptr) {
		city_log(CITY_LOG_ERROR, "forge", "this Wayland compositor is not a city");
		goto error;
	}
	builder->source = wl_event_loop_add_fd(forge->loop, wl_display_get_fd(builder->display),
		WL_EVENT_READABLE, handle_display, builder);
	/* The roundtrip may have brought jobs already. */
	flush(builder);
	return builder;
error:
	builder_destroy(builder);
	return nullptr;
}

void builder_destroy(struct builder *builder) {
	if (builder == nullptr)
		return;
	struct builder_job *entry, *next;
	wl_list_for_each_safe(entry, next, &builder->jobs, link) remove_job(entry);
	struct held *held, *next_held;
	wl_list_for_each_safe(held, next_held, &builder->held, link) drop_held(held);
	refactorer_destroy(builder->refactorer);
	if (builder->source != nullptr)
		wl_event_source_remove(builder->source);
	if (builder->builder != nullptr)
		source_city_builder_v1_destroy(builder->builder);
	if (builder->control != nullptr)
		source_city_control_v1_destroy(builder->control);
	if (builder->registry != nullptr)
		wl_registry_destroy(builder->registry);
	if (builder->display != nullptr) {
		wl_display_flush(builder->display);
		wl_display_disconnect(builder->display);
	}
	free(builder);
}
