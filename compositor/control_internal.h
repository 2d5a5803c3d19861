/* SPDX-License-Identifier: MIT */
/* Shared by the files of the control server. */
#ifndef CITY_CONTROL_INTERNAL_H
#define CITY_CONTROL_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>

#include "compositor/handover.h"
#include "compositor/map.h"
#include "compositor/shot.h"

/* The longest piece of text in one event, without its zero byte. */
#define CITY_TEXT_PIECE 2048

struct city_job;
struct city_keeper_reply;
struct city_refactor;
struct city_server;
struct city_tile;

struct city_control {
	struct city_server *server;
	struct city_tiles *tiles; /* NULL: a city without tiles */
	struct wl_global *global;
	struct wl_list resources;    /* wl_resource of source_city_control_v1 */
	struct wl_list handles;	     /* city_handle.link */
	struct wl_list requests;     /* city_request.link */
	struct wl_list transactions; /* city_transaction.link, of those that were committed */
	struct wl_list maps;	     /* of control_map.c */
	struct wl_listener new_tile;

	/* builds */
	struct wl_resource *builder; /* NULL: nobody */
	struct wl_list jobs;	     /* city_job.link */
	struct wl_list sources;	     /* city_sources.link: what was built last, by folder */
	uint32_t last_job;
	uint64_t last_save;
	struct wl_listener needs_build;
	struct city_refactor *refactor; /* the one under way; NULL: none */

	/* the forge */
	bool forge_wanted;
	uint64_t forge_instance; /* 0: does not run */
	pid_t forge_pid;
	struct wl_event_source *forge_timer;
	int forge_failures; /* in a row */
	int64_t forge_started_ns;
	struct wl_listener keeper_exited;
};

/* What is said before a swap and counts for the next one. */
struct city_terms {
	bool force; /* takes no refusal */
	enum city_state_mode state;
	bool lossy;
	char splice[64]; /* "": nothing was said */
};

/* A tile as one client sees it. */
struct city_handle {
	struct wl_list link; /* city_control.handles */
	struct city_control *control;
	struct wl_resource *resource;
	struct city_tile *tile;	      /* NULL once closed */
	struct city_terms terms;      /* of the next swap */
	struct wl_event_source *idle; /* properties are about to be sent */
	struct wl_listener changed, destroy;
};

/* Something asked for. Lives as long as its resource; `open` until it has its answer. */
struct map_job;

struct city_request {
	struct wl_list link; /* city_control.requests */
	struct city_control *control;
	struct wl_resource *resource;
	bool open;
	uint64_t keeper_request;	      /* that its answer comes from; 0: none */
	uint32_t audio_request;		      /* likewise of city_audio_ask */
	struct city_shot_job *shot;	      /* that is drawn for it; NULL: none */
	struct map_job *map;		      /* that is made for it; NULL: none */
	struct city_job *job;		      /* the watch that it is for; NULL: none */
	struct city_transaction *transaction; /* whose builds it waits for; NULL: none */
	struct city_tile *rolling_back;	      /* waits for the end of its handover; NULL: none */
	struct wl_listener tile_changed, tile_destroy; /* of rolling_back */
};

extern const struct city_handover_listener city_request_listener;

/* control.c */
struct city_request *city_request_create(
	struct city_control *control, struct wl_client *client, uint32_t version, uint32_t id);
void city_request_succeed(struct city_request *request);
void city_request_fail(struct city_request *request, const char *step, const char *reason);
void city_request_progress(struct city_request *request, const char *step, int64_t at_ns);
/* In pieces that do not cut characters. */
void city_request_text(struct city_request *request, const char *text);
void city_request_output(struct city_request *request, const char *text);
void city_request_record(struct city_request *request, const char *json);

/* control_audio.c: requests of source_city_control_v1 */
void city_control_handle_get_transport(
	struct wl_client *client, struct wl_resource *resource, uint32_t id);
void city_control_handle_ask_transport(struct wl_client *client, struct wl_resource *resource,
	uint32_t id, uint32_t what, uint32_t value, uint32_t tick_hi, uint32_t tick_lo,
	const char *name);
void city_control_handle_get_audio(
	struct wl_client *client, struct wl_resource *resource, uint32_t id);
void city_control_handle_ask_audio(struct wl_client *client, struct wl_resource *resource,
	uint32_t id, uint32_t what, uint32_t node_hi, uint32_t node_lo, uint32_t other_hi,
	uint32_t other_lo, uint32_t value);

/* control_state.c: what the JSON of all state is made of. Text is made valid UTF-8 first: windows
 * name themselves as they like, and paths are bytes. */
struct yyjson_mut_doc;
struct yyjson_mut_val;
void city_json_box(struct yyjson_mut_doc *doc, struct yyjson_mut_val *object, struct city_box box);
void city_json_text(struct yyjson_mut_doc *doc, struct yyjson_mut_val *object, const char *key,
	const char *text);

/* control_tile.c */
void city_handle_announce(struct wl_resource *control_resource, struct city_tile *tile);

/* What was said about the next request of this handle. */
struct city_terms city_handle_take_terms(struct city_handle *handle);
/* The absolute path of the sources that "" or a folder stands for; NULL with one line in `why`. */
const char *city_handle_folder(
	const struct city_handle *handle, const char *folder, const char **why);

/* control_transaction.c: what one request brings live, all of it or nothing; sources are built
 * first */
void city_transaction_create(
	struct city_control *control, struct wl_client *client, uint32_t version, uint32_t id);
/* One tile; answers through the request. */
void city_transaction_swap_source(struct city_control *control, struct city_request *request,
	struct city_tile *tile, const char *folder, enum city_strategy strategy, const char *splice,
	const struct city_terms *terms);
/* A newer request for the tile was taken: what is still being built for it is given up. */
void city_transactions_supersede(struct city_control *control, struct city_tile *tile);
/* The client is no longer interested; builds go on. */
void city_transaction_forget(struct city_request *request);
void city_transactions_finish(struct city_control *control);

/* control_builder.c */
void city_builder_create(struct city_control *control);
void city_builder_finish(struct city_control *control);
void city_builder_register(struct city_control *control, struct wl_client *client,
	struct wl_resource *resource, uint32_t id);
struct city_build_listener {
	void (*started)(void *data);
	void (*output)(void *data, const char *text);
	/* One of these is the last call. The artifact stays the caller's; took_ns -1: not known. */
	void (*built)(void *data, int artifact, const char *folder, int64_t took_ns);
	void (*failed)(void *data, const char *step, const char *reason);
};
/* NULL with one line in `why`; otherwise the listener hears of it, later. */
struct city_job *city_builder_build(struct city_control *control, struct city_tile *tile,
	const char *folder, const struct city_build_listener *listener, void *data,
	const char **why);
void city_builder_cancel(struct city_job *job);
/* A newer request for the tile was taken: what a watch has built for it and holds back is dropped.
 */
void city_builder_supersede(struct city_control *control, struct city_tile *tile);
void city_builder_watch(struct city_control *control, struct city_request *request,
	struct city_tile *tile, const char *folder);
/* Each save of the tile's own source goes live, for as long as the tile is there. */
void city_builder_stand_watch(struct city_control *control, struct city_tile *tile);
/* No builder is to come: whoever waits for one hears why. */
void city_builder_fail_all(struct city_control *control, const char *reason);
/* Nothing is built from the folder until city_builder_resume, for it goes away, perhaps for good:
 * then what was watched there is watched in the folder that is named then. NULL: where it was. */
void city_builder_pause(struct city_control *control, const char *folder);
void city_builder_resume(struct city_control *control, const char *folder);
/* The client is no longer interested: a watch ends. */
void city_builder_forget(struct city_request *request);

/* control_sources.c: the builder's word for what it last built from the folder, for a watch that
 * begins there */
void city_sources_set(struct city_control *control, const char *folder, const char *word);
void city_sources_finish(struct city_control *control);

/* control_forge.c */
void city_forge_init(struct city_control *control);
void city_forge_finish(struct city_control *control);

/* control_state.c: the city as JSON; heap, NULL when out of memory. */
char *city_control_state(struct city_control *control);

/* control_map.c: answers with a file that has all that the map shows as JSON. It may be large, and
 * is made by a thread: the answer comes later. */
void city_control_map(struct city_request *request);
/* The client is no longer interested. */
void city_control_map_forget(struct city_request *request);
/* Waits for the thread. */
void city_control_map_finish(struct city_control *control);

#endif
