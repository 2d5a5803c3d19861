/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "compositor/effects/work.h"
#include "vat/log.h"
#include "vat/schedule.h"

struct worker {
	const struct fx_worker_options *options;
	struct fx_gl *gl; /* NULL while it rests */
	bool no_egl;	  /* tried, and failed */
	bool suspect;	  /* GL failed: make a new context as soon as nobody uses this one */
	bool told_formats;
	struct fx_programs programs;
	struct fx_staging staging;
	int works; /* begun and not dropped */
};

static void box_extend(struct wlr_box *box, const struct wlr_box *by) {
	int right = box->x + box->width, bottom = box->y + box->height;
	right = right > by->x + by->width ? right : by->x + by->width;
	bottom = bottom > by->y + by->height ? bottom : by->y + by->height;
	box->x = box->x < by->x ? box->x : by->x;
	box->y = box->y < by->y ? box->y : by->y;
	box->width = right - box->x;
	box->height = bottom - box->y;
}

/* Of jobs for the same transition only the newest picture of A, and of B, matters, if it is whole.
 */
static void merge_newer(struct fx_queue *queue, struct fx_job *job, struct wl_list *returned) {
	struct fx_job *newer;
	wl_list_for_each(newer, &queue->jobs, link) {
		if (newer->kind != job->kind || newer->work != job->work || newer->source == NULL) {
			continue;
		}
		if (newer->source->kind == FX_SOURCE_PIXELS ||
			newer->source->width != job->source->width ||
			newer->source->height != job->source->height) {
			return;
		}
		box_extend(&newer->source->box, &job->source->box);
		wl_list_insert(returned, &job->source->link);
		job->source = newer->source;
		newer->source = NULL;
	}
}

/* Waits for a job; NULL when the context has rested long enough. */
static struct fx_job *next_job(struct worker *worker) {
	struct fx_queue *queue = worker->options->queue;
	bool timed = worker->gl != NULL && worker->works == 0 && worker->options->idle_ms >= 0;
	struct timespec deadline;
	if (timed) {
		clock_gettime(CLOCK_MONOTONIC, &deadline);
		deadline.tv_sec += worker->options->idle_ms / 1000;
		deadline.tv_nsec += (worker->options->idle_ms % 1000) * 1000000L;
		if (deadline.tv_nsec >= 1000000000L) {
			deadline.tv_sec++;
			deadline.tv_nsec -= 1000000000L;
		}
	}
	struct fx_job *job = NULL;
	pthread_mutex_lock(&queue->lock);
	int error = 0;
	while (wl_list_empty(&queue->jobs) && error == 0) {
		error = timed ? pthread_cond_timedwait(&queue->wake, &queue->lock, &deadline)
			      : pthread_cond_wait(&queue->wake, &queue->lock);
	}
	if (!wl_list_empty(&queue->jobs)) {
		job = wl_container_of(queue->jobs.next, job, link);
		wl_list_remove(&job->link);
		wl_list_init(&job->returned);
		if ((job->kind == FX_TO || job->kind == FX_FROM) && job->source != NULL) {
			merge_newer(queue, job, &job->returned);
		}
	}
	pthread_mutex_unlock(&queue->lock);
	return job;
}

static void send_event(struct worker *worker, struct fx_job *job) {
	struct fx_queue *queue = worker->options->queue;
	job->state = worker->no_egl    ? CITY_EFFECTS_CROSSFADE
		: worker->told_formats ? CITY_EFFECTS_READY
				       : CITY_EFFECTS_STARTING;
	pthread_mutex_lock(&queue->lock);
	wl_list_insert(queue->events.prev, &job->link);
	pthread_mutex_unlock(&queue->lock);
	eventfd_write(queue->event_fd, 1);
}

static void start_gl(struct worker *worker, struct fx_job *job) {
	if (worker->gl != NULL || worker->no_egl) {
		return;
	}
	char reason[512];
	worker->gl = fx_gl_create(worker->options->drm_fd, reason, sizeof(reason));
	if (worker->gl == NULL) {
		worker->no_egl = true;
		city_log(CITY_LOG_WARN, FX_SUBJECT, "%s: handovers are shown by a plain crossfade",
			reason);
		return;
	}
	if (!worker->told_formats) {
		job->formats = fx_gl_target_formats(worker->gl);
		worker->told_formats = true;
		city_log(CITY_LOG_DEBUG, FX_SUBJECT, "drawing with %s%s",
			(const char *)glGetString(GL_RENDERER),
			worker->gl->dmabuf ? ", dmabufs" : "");
	}
}

static void stop_gl(struct worker *worker) {
	if (worker->gl == NULL) {
		return;
	}
	fx_programs_forget(&worker->programs);
	fx_gl_destroy(worker->gl);
	worker->gl = NULL;
	free(worker->staging.data);
	worker->staging = (struct fx_staging){0};
	fx_trim();
}

static void fail(struct fx_job *job, const char *reason) {
	job->failed = true;
	if (reason != job->reason) {
		snprintf(job->reason, sizeof(job->reason), "%s", reason);
	}
	if (job->work != NULL) {
		job->work->failed = true;
	}
}

static void handle_prepare(struct worker *worker, struct fx_job *job) {
	start_gl(worker, job);
	if (worker->gl == NULL) {
		return;
	}
	struct fx_program *program = fx_programs_get(&worker->programs, job->name);
	if (program != NULL && !program->warm) {
		fx_draw_warm(worker->gl, program);
		program->warm = true;
	}
}

static void set_picture(struct worker *worker, struct fx_job *job, struct fx_picture *picture) {
	bool ok;
	if (worker->gl != NULL) {
		ok = fx_draw_set(worker->gl, job->work, picture, job->source, &worker->staging,
			&job->returned, job->reason, sizeof(job->reason));
	} else {
		struct wlr_box changed;
		ok = fx_soft_set(job->work, picture, job->source, &worker->staging, &changed,
			job->reason, sizeof(job->reason));
		wl_list_insert(&job->returned, &job->source->link);
	}
	job->source = NULL;
	if (!ok) {
		fail(job, job->reason);
	}
}

static void handle_begin(struct worker *worker, struct fx_job *job) {
	struct fx_work *work = job->work;
	start_gl(worker, job);
	worker->works++;
	work->begun = true;
	memcpy(work->name, job->name, sizeof(work->name));
	work->width = job->width;
	work->height = job->height;
	work->seed = job->seed;
	work->guard_in_shader = worker->options->guard_in_shader;
	if (worker->gl != NULL && fx_programs_get(&worker->programs, work->name) == NULL) {
		fail(job, "no program");
		return;
	}
	set_picture(worker, job, &work->from);
}

static void handle_picture(struct worker *worker, struct fx_job *job) {
	if (job->source == NULL) {
		return; /* merged into one before */
	}
	if (job->work->failed) {
		wl_list_insert(&job->returned, &job->source->link);
		job->source = NULL;
		return;
	}
	bool to = job->kind == FX_TO;
	set_picture(worker, job, to ? &job->work->to : &job->work->from);
	job->work->has_to |= to;
	job->work->changed = true;
	job->work->from_changed |= !to;
}

static void handle_frame(struct worker *worker, struct fx_job *job) {
	struct fx_work *work = job->work;
	if (work->failed || !work->has_to) {
		fail(job, "it failed before");
		return;
	}
	if (work->shown && !work->changed && job->progress == work->progress) {
		job->unchanged = true;
		return;
	}
	bool ok = false;
	if (worker->gl == NULL) {
		ok = fx_soft_frame(
			work, &job->target, job->progress, job->reason, sizeof(job->reason));
	} else {
		struct fx_program *program = fx_programs_find(&worker->programs, work->name);
		if (program == NULL) {
			fail(job, "no program");
			return;
		}
		ok = fx_draw_frame(worker->gl, work, program, &job->target, job->progress,
			&job->no_dmabuf, job->reason, sizeof(job->reason));
		if (!ok && job->no_dmabuf) {
			return;
		}
	}
	if (!ok) {
		worker->suspect = true;
		fail(job, job->reason);
		return;
	}
	work->shown = true;
	work->changed = work->from_changed = false;
	work->progress = job->progress;
}

static void handle_drop(struct worker *worker, struct fx_job *job) {
	if (!job->work->begun) {
		return;
	}
	if (worker->gl != NULL) {
		fx_draw_finish(worker->gl, job->work, &job->returned);
	} else {
		fx_soft_finish(job->work);
	}
	if (--worker->works > 0) {
		return;
	}
	if (worker->gl == NULL) {
		free(worker->staging.data);
		worker->staging = (struct fx_staging){0};
	} else if (worker->suspect) {
		stop_gl(worker);
	}
	worker->suspect = false;
}

void *fx_worker_run(void *data) {
	struct worker worker = {.options = data};
	city_schedule_behind();
	fx_programs_init(&worker.programs, worker.options->shader_path);
	for (;;) {
		struct fx_job *job = next_job(&worker);
		if (job == NULL) {
			stop_gl(&worker);
			continue;
		}
		switch (job->kind) {
		case FX_PREPARE:
			handle_prepare(&worker, job);
			break;
		case FX_BEGIN:
			handle_begin(&worker, job);
			break;
		case FX_FROM:
		case FX_TO:
			handle_picture(&worker, job);
			break;
		case FX_FRAME:
			handle_frame(&worker, job);
			break;
		case FX_DROP:
			handle_drop(&worker, job);
			break;
		case FX_QUIT:
			stop_gl(&worker);
			fx_programs_finish(&worker.programs);
			free(worker.staging.data);
			send_event(&worker, job);
			return NULL;
		}
		send_event(&worker, job);
	}
}
