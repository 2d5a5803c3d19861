/* SPDX-License-Identifier: MIT */
/*
 * Inside the effects engine. The main thread (effects.c, source.c, target.c) and the worker
 * (worker.c, draw.c, gl.c, program.c, soft.c) share nothing but the two queues of struct fx_queue:
 * a job belongs to the worker from fx_queue_push until it comes back as an event. The worker never
 * touches a wlr_buffer; what it may read of one is copied into fx_source or fx_target.
 */
#ifndef CITY_EFFECTS_INTERNAL_H
#define CITY_EFFECTS_INTERNAL_H

#include <pixman.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <wayland-server-core.h>
#include <wlr/render/dmabuf.h>
#include <wlr/render/drm_format_set.h>
#include <wlr/util/box.h>

#include "compositor/effects/effects.h"

#define FX_NAME_SIZE 64
#define FX_TARGETS 4 /* as many as a wlr_swapchain has */
#define FX_SUBJECT "effects"

struct fx_work;

enum fx_source_kind {
	FX_SOURCE_DMABUF, /* import; stays in use until it is replaced */
	FX_SOURCE_SHM,	  /* pread from the client's file, which may shrink meanwhile */
	FX_SOURCE_PIXELS, /* a copy of `box` */
};

/* A picture on its way to the worker, which gives it back when it has no more use for it. */
struct fx_source {
	struct wl_list link;
	enum fx_source_kind kind;
	int width, height;
	uint32_t format;
	struct wlr_box box; /* what differs from the picture before */
	struct wlr_dmabuf_attributes dmabuf;
	int fd; /* SHM: borrowed from `locked` */
	off_t offset;
	size_t stride; /* of SHM and PIXELS */
	uint8_t *pixels;
	struct wlr_buffer *locked; /* main thread; may be NULL */
};

/* A picture to draw. Memory, or a dmabuf; the main thread holds a lock on the buffer. */
struct fx_target {
	struct wlr_buffer *buffer;
	uint8_t *pixels; /* NULL: dmabuf */
	size_t stride;
	struct wlr_dmabuf_attributes dmabuf;
};

enum fx_job_kind {
	FX_PREPARE,
	FX_BEGIN, /* name, source, width, height, seed */
	FX_TO,	  /* source */
	FX_FROM,  /* source: A has another picture */
	FX_FRAME, /* progress, target */
	FX_DROP,
	FX_QUIT,
};

/* Comes back as an event when done. */
struct fx_job {
	struct wl_list link;
	enum fx_job_kind kind;
	struct city_transition *transition; /* main thread; the worker only hands it back */
	struct fx_work *work;		    /* the worker's part of it */
	char name[FX_NAME_SIZE];
	struct fx_source *source; /* taken by the worker */
	int width, height;
	uint32_t seed;
	float progress;
	struct fx_target target;
	/* Set by the worker. */
	bool failed;
	char reason[160];
	bool no_dmabuf; /* FRAME: EGL cannot draw into this target; try memory */
	bool unchanged; /* FRAME: nothing was drawn, the target before still holds */
	enum city_effects_state state;
	struct wlr_drm_format_set *formats; /* that can be drawn into, with the first READY */
	struct wl_list returned;	    /* fx_source.link: no longer used */
};

struct fx_queue {
	pthread_mutex_t lock;
	pthread_cond_t wake;   /* of the worker */
	struct wl_list jobs;   /* fx_job.link, to the worker */
	struct wl_list events; /* fx_job.link, to the main thread */
	int event_fd;
};

/* What the worker is started with; read-only after that. */
struct fx_worker_options {
	struct fx_queue *queue;
	int drm_fd;
	const char *shader_path;
	int idle_ms;
	bool guard_in_shader;
};

/* worker.c. The argument is a struct fx_worker_options. Ends after FX_QUIT. */
void *fx_worker_run(void *data);

/* trim.c: gives back to the system what a context that has ended leaves behind. */
void fx_trim(void);

/* source.c, main thread. */
struct fx_source *fx_source_create(struct wlr_renderer *renderer, struct wlr_buffer *buffer,
	const struct wlr_box *box, bool dmabuf);
void fx_source_destroy(struct fx_source *source);

/* target.c, main thread. */
struct fx_targets;
struct fx_targets *fx_targets_create(struct wlr_renderer *renderer, struct wlr_allocator *allocator,
	const struct wlr_drm_format_set *formats, int width, int height);
void fx_targets_destroy(struct fx_targets *targets);
/* From now on. What was acquired before stays good. */
void fx_targets_use_memory(struct fx_targets *targets);
/* Locks a free one; false if there is none. */
bool fx_targets_acquire(struct fx_targets *targets, struct fx_target *target);

#endif
