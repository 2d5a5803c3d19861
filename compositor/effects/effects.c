/* SPDX-License-Identifier: MIT */
#include "compositor/effects/effects.h"

#include <assert.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>
#include <wlr/types/wlr_buffer.h>
#include <xf86drm.h>

#include "compositor/effects/work.h"
#include "vat/log.h"

#define DEFAULT_IDLE_MS 20000

struct city_effects {
	struct wl_event_loop *loop;
	struct wl_event_source *event_source;
	struct fx_queue queue;
	struct fx_worker_options options;
	char *shader_path;
	pthread_t thread;
	bool started;
	enum city_effects_state state;
	struct wlr_drm_format_set
		*formats;	    /* that can be drawn into; NULL: none, or not known yet */
	bool memory_only;	    /* drawing into a dmabuf failed */
	bool ended;		    /* FX_QUIT came back */
	struct wl_list transitions; /* city_transition.link, the destroyed ones too */
};

struct fx_size {
	int width, height;
};

struct city_transition {
	struct wl_list link; /* city_effects.transitions */
	struct city_effects *effects;
	const struct city_transition_impl *impl;
	void *data;
	struct wlr_renderer *renderer;
	struct wlr_allocator *allocator;
	struct fx_targets *targets; /* NULL until the first frame */
	int width, height;
	struct fx_size from, to; /* of the last pictures of A and B; 0: none yet */

	struct fx_work *work;
	struct wlr_buffer *shown; /* the last frame, locked; NULL before it */
	bool drawing;		  /* a frame is with the worker */
	bool wanted;		  /* and another is to follow, of */
	float wanted_progress;
	bool failed;
	bool destroyed; /* waits for the worker to let go */
};

static struct fx_job *job_create(
	enum fx_job_kind kind, struct city_transition *transition, const char *name) {
	struct fx_job *job = calloc(1, sizeof(*job));
	if (job == NULL) {
		return NULL;
	}
	job->kind = kind;
	job->transition = transition;
	job->work = transition != NULL ? transition->work : NULL;
	snprintf(job->name, sizeof(job->name), "%s", name != NULL ? name : "melt");
	wl_list_init(&job->returned);
	return job;
}

static void job_destroy(struct fx_job *job) {
	struct fx_source *source, *tmp;
	wl_list_for_each_safe(source, tmp, &job->returned, link) {
		fx_source_destroy(source);
	}
	fx_source_destroy(job->source);
	wlr_buffer_unlock(job->target.buffer);
	if (job->formats != NULL) {
		wlr_drm_format_set_finish(job->formats);
		free(job->formats);
	}
	free(job);
}

static void job_send(struct city_effects *effects, struct fx_job *job) {
	pthread_mutex_lock(&effects->queue.lock);
	wl_list_insert(effects->queue.jobs.prev, &job->link);
	pthread_cond_signal(&effects->queue.wake);
	pthread_mutex_unlock(&effects->queue.lock);
}

static struct fx_job *event_take(struct city_effects *effects) {
	struct fx_job *job = NULL;
	pthread_mutex_lock(&effects->queue.lock);
	if (!wl_list_empty(&effects->queue.events)) {
		job = wl_container_of(effects->queue.events.next, job, link);
		wl_list_remove(&job->link);
	}
	pthread_mutex_unlock(&effects->queue.lock);
	return job;
}

static bool thread_start(struct city_effects *effects) {
	if (effects->started) {
		return true;
	}
	if (effects->state == CITY_EFFECTS_FAILED) {
		return false;
	}
	/* Signals are the main thread's, and the driver's threads inherit this mask. */
	sigset_t all, before;
	sigfillset(&all);
	sigdelset(&all, SIGSEGV);
	sigdelset(&all, SIGBUS);
	sigdelset(&all, SIGFPE);
	sigdelset(&all, SIGILL);
	sigdelset(&all, SIGABRT);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&effects->thread, NULL, fx_worker_run, &effects->options);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0) {
		city_log(CITY_LOG_WARN, FX_SUBJECT, "no thread: %s; handovers are not animated",
			strerror(error));
		effects->state = CITY_EFFECTS_FAILED;
		return false;
	}
	pthread_setname_np(effects->thread, "effects");
	effects->started = true;
	effects->state = CITY_EFFECTS_STARTING;
	return true;
}

/* A file description of its own: GEM handles belong to it, and the renderer closes its own. */
static int reopen_drm(int drm_fd) {
	if (drm_fd < 0) {
		return -1;
	}
	char *name = drmGetRenderDeviceNameFromFd(drm_fd);
	bool primary = name == NULL;
	if (primary) {
		name = drmGetDeviceNameFromFd2(drm_fd);
	}
	int fd = name != NULL ? open(name, O_RDWR | O_CLOEXEC) : -1;
	free(name);
	if (fd >= 0 && primary && drmIsMaster(fd)) {
		drmDropMaster(fd);
	}
	return fd;
}

static void transition_free(struct city_transition *transition) {
	wl_list_remove(&transition->link);
	wlr_buffer_unlock(transition->shown);
	fx_targets_destroy(transition->targets);
	free(transition->work);
	free(transition);
}

static bool send_frame(struct city_transition *transition, float progress) {
	struct city_effects *effects = transition->effects;
	if (transition->targets == NULL) {
		transition->targets = fx_targets_create(transition->renderer, transition->allocator,
			effects->memory_only ? NULL : effects->formats, transition->width,
			transition->height);
	}
	struct fx_job *job = job_create(FX_FRAME, transition, NULL);
	if (job == NULL || transition->targets == NULL ||
		!fx_targets_acquire(transition->targets, &job->target)) {
		free(job);
		return false;
	}
	job->progress = progress;
	transition->drawing = true;
	transition->wanted = false;
	job_send(effects, job);
	return true;
}

/* The next frame if one is due. */
static void transition_go_on(struct city_transition *transition) {
	if (transition->wanted && !transition->drawing && !transition->failed &&
		!transition->destroyed && transition->to.width > 0 &&
		transition->effects->state != CITY_EFFECTS_STARTING) {
		/* Without a free target the next request or frame tries again. */
		send_frame(transition, transition->wanted_progress);
	}
}

static void transition_fail(struct city_transition *transition, const char *reason) {
	if (transition->failed || transition->destroyed) {
		return;
	}
	transition->failed = true;
	city_log(CITY_LOG_WARN, FX_SUBJECT, "a transition ends early: %s", reason);
	transition->impl->failed(transition, reason, transition->data);
}

static void handle_frame_done(struct city_transition *transition, struct fx_job *job) {
	transition->drawing = false;
	if (transition->destroyed || transition->failed) {
		return;
	}
	if (job->no_dmabuf) {
		city_log(CITY_LOG_WARN, FX_SUBJECT,
			"EGL cannot draw into buffers of the renderer's device; reading back");
		transition->effects->memory_only = true;
		fx_targets_use_memory(transition->targets);
		if (!transition->wanted) {
			transition->wanted = true;
			transition->wanted_progress = job->progress;
		}
		transition_go_on(transition);
		return;
	}
	pixman_region32_t damage;
	pixman_region32_init(&damage);
	if (!job->unchanged) {
		pixman_region32_union_rect(
			&damage, &damage, 0, 0, transition->width, transition->height);
		wlr_buffer_unlock(transition->shown);
		transition->shown = job->target.buffer;
		job->target.buffer = NULL;
	}
	transition_go_on(transition);
	/* Last: the transition may not outlive this. */
	transition->impl->frame(
		transition, transition->shown, &damage, job->progress, transition->data);
	pixman_region32_fini(&damage);
}

static void handle_event(struct city_effects *effects, struct fx_job *job) {
	struct city_transition *transition = job->transition;
	effects->state = job->state;
	if (job->formats != NULL) {
		effects->formats = job->formats;
		job->formats = NULL;
	}
	switch (job->kind) {
	case FX_PREPARE:
		break;
	case FX_BEGIN:
	case FX_FROM:
	case FX_TO:
		if (job->failed) {
			transition_fail(transition, job->reason);
		}
		break;
	case FX_FRAME:
		if (job->failed) {
			transition->drawing = false;
			transition_fail(transition, job->reason);
		} else {
			handle_frame_done(transition, job);
		}
		break;
	case FX_DROP:
		transition_free(transition);
		break;
	case FX_QUIT:
		effects->ended = true;
		break;
	}
	job_destroy(job);
}

static int handle_event_fd(int fd, uint32_t mask, void *data) {
	struct city_effects *effects = data;
	eventfd_t count;
	eventfd_read(fd, &count);
	enum city_effects_state before = effects->state;
	struct fx_job *job;
	while ((job = event_take(effects)) != NULL) {
		handle_event(effects, job);
	}
	if (before == CITY_EFFECTS_STARTING && effects->state != before) {
		struct city_transition *transition;
		wl_list_for_each(transition, &effects->transitions, link) {
			transition_go_on(transition);
		}
	}
	return 0;
}

struct city_effects *city_effects_create(const struct city_effects_options *options) {
	struct city_effects *effects = calloc(1, sizeof(*effects));
	if (effects == NULL) {
		return NULL;
	}
	wl_list_init(&effects->transitions);
	wl_list_init(&effects->queue.jobs);
	wl_list_init(&effects->queue.events);
	effects->loop = options->loop;
	effects->options.drm_fd = -1;
	effects->queue.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	effects->shader_path = strdup(options->shader_path != NULL ? options->shader_path : "");
	pthread_mutex_init(&effects->queue.lock, NULL);
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&effects->queue.wake, &attributes);
	pthread_condattr_destroy(&attributes);
	if (effects->queue.event_fd >= 0) {
		effects->event_source = wl_event_loop_add_fd(options->loop, effects->queue.event_fd,
			WL_EVENT_READABLE, handle_event_fd, effects);
	}
	if (effects->shader_path == NULL || effects->event_source == NULL) {
		city_log(CITY_LOG_ERROR, FX_SUBJECT, "out of memory or file descriptors");
		city_effects_destroy(effects);
		return NULL;
	}
	effects->options = (struct fx_worker_options){
		.queue = &effects->queue,
		.drm_fd = reopen_drm(options->drm_fd),
		.shader_path = effects->shader_path,
		.idle_ms = options->idle_ms != 0 ? options->idle_ms : DEFAULT_IDLE_MS,
		.guard_in_shader = options->guard_in_shader,
	};
	return effects;
}

static void stop_thread(struct city_effects *effects) {
	struct fx_job *quit;
	while ((quit = job_create(FX_QUIT, NULL, NULL)) == NULL) {
		usleep(1000); /* the thread must end before what it uses does */
	}
	job_send(effects, quit);
	pthread_join(effects->thread, NULL);
	struct fx_job *job;
	while ((job = event_take(effects)) != NULL) {
		handle_event(effects, job);
	}
	assert(effects->ended);
}

void city_effects_destroy(struct city_effects *effects) {
	if (effects == NULL) {
		return;
	}
	struct city_transition *transition, *tmp;
	wl_list_for_each_safe(transition, tmp, &effects->transitions, link) {
		city_transition_destroy(transition);
	}
	if (effects->started) {
		stop_thread(effects);
	}
	assert(wl_list_empty(&effects->transitions));
	if (effects->event_source != NULL) {
		wl_event_source_remove(effects->event_source);
	}
	if (effects->queue.event_fd >= 0) {
		close(effects->queue.event_fd);
	}
	if (effects->options.drm_fd >= 0) {
		close(effects->options.drm_fd);
	}
	if (effects->formats != NULL) {
		wlr_drm_format_set_finish(effects->formats);
		free(effects->formats);
	}
	pthread_cond_destroy(&effects->queue.wake);
	pthread_mutex_destroy(&effects->queue.lock);
	free(effects->shader_path);
	free(effects);
}

enum city_effects_state city_effects_state(const struct city_effects *effects) {
	return effects->state;
}

void city_effects_prepare(struct city_effects *effects, const char *name) {
	if (!thread_start(effects)) {
		return;
	}
	struct fx_job *job = job_create(FX_PREPARE, NULL, name);
	if (job != NULL) {
		job_send(effects, job);
	}
}

struct city_transition *city_transition_create(
	struct city_effects *effects, const struct city_transition_options *options) {
	struct city_transition *transition = calloc(1, sizeof(*transition));
	if (transition == NULL) {
		return NULL;
	}
	wl_list_insert(&effects->transitions, &transition->link);
	transition->effects = effects;
	transition->impl = options->impl;
	transition->data = options->data;
	transition->renderer = options->renderer;
	transition->allocator = options->allocator;
	transition->from = (struct fx_size){options->from->width, options->from->height};
	transition->width = options->width > 0 ? options->width : options->from->width;
	transition->height = options->height > 0 ? options->height : options->from->height;
	transition->work = calloc(1, sizeof(*transition->work));
	struct fx_job *begin = job_create(FX_BEGIN, transition, options->name);
	if (transition->work == NULL || begin == NULL || !thread_start(effects)) {
		goto error;
	}
	begin->width = transition->width;
	begin->height = transition->height;
	begin->seed = options->seed;
	begin->source = fx_source_create(options->renderer, options->from,
		&(struct wlr_box){0, 0, options->from->width, options->from->height},
		effects->state != CITY_EFFECTS_CROSSFADE);
	if (begin->source == NULL) {
		city_log(CITY_LOG_WARN, FX_SUBJECT, "cannot read a buffer of %dx%d: no transition",
			options->from->width, options->from->height);
		goto error;
	}
	job_send(effects, begin);
	return transition;

error:
	free(begin);
	transition_free(transition);
	return NULL;
}

void city_transition_destroy(struct city_transition *transition) {
	if (transition == NULL || transition->destroyed) {
		return;
	}
	/* The worker may be drawing it: it is freed when the worker has let go. */
	transition->destroyed = true;
	struct fx_job *job;
	while ((job = job_create(FX_DROP, transition, NULL)) == NULL) {
		usleep(1000);
	}
	job_send(transition->effects, job);
}

/* size: of the picture before, which the damage is counted from. */
static bool set_picture(struct city_transition *transition, enum fx_job_kind kind,
	struct wlr_buffer *buffer, const pixman_region32_t *damage, struct fx_size *size) {
	if (transition->failed || transition->destroyed) {
		return false;
	}
	struct wlr_box box = {0, 0, buffer->width, buffer->height};
	if (damage != NULL && size->width == buffer->width && size->height == buffer->height) {
		const pixman_box32_t *extents = pixman_region32_extents(damage);
		struct wlr_box changed = {extents->x1, extents->y1, extents->x2 - extents->x1,
			extents->y2 - extents->y1};
		if (!wlr_box_intersection(&box, &box, &changed)) {
			return true;
		}
	}
	struct fx_job *job = job_create(kind, transition, NULL);
	if (job == NULL) {
		return false;
	}
	job->source = fx_source_create(transition->renderer, buffer, &box,
		transition->effects->state != CITY_EFFECTS_CROSSFADE);
	if (job->source == NULL) {
		free(job);
		return false;
	}
	*size = (struct fx_size){buffer->width, buffer->height};
	job_send(transition->effects, job);
	transition_go_on(transition);
	return true;
}

bool city_transition_set_to(struct city_transition *transition, struct wlr_buffer *to,
	const pixman_region32_t *damage) {
	return set_picture(transition, FX_TO, to, damage, &transition->to);
}

bool city_transition_set_from(struct city_transition *transition, struct wlr_buffer *from,
	const pixman_region32_t *damage) {
	return set_picture(transition, FX_FROM, from, damage, &transition->from);
}

void city_transition_request(struct city_transition *transition, double progress) {
	if (transition->failed || transition->destroyed) {
		return;
	}
	transition->wanted = true;
	transition->wanted_progress = (float)fmin(fmax(progress, 0.0), 1.0);
	transition_go_on(transition);
}
