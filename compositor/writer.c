/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "compositor/paths.h"
#include "compositor/writer.h"
#include "log.h"

struct city_writer {
	char *path;
	pthread_t thread;
	bool running; /* the thread */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* Under the mutex: */
	char *text; /* to be written; NULL: nothing */
	size_t size;
	bool busy; /* the thread writes what it has taken */
	bool ends;
	bool failing; /* and it was said */
};

static void write_text(struct city_writer *writer, const char *text, size_t size) {
	bool ok = city_path_replace_durably(writer->path, text, size);
	if (!ok && !writer->failing) {
		city_log(CITY_LOG_WARN, "disk",
			"cannot write %s: %s; it is tried again with the "
			"next change",
			writer->path, strerror(errno));
	}
	writer->failing = !ok;
}

static void *run(void *data) {
	struct city_writer *writer = data;
	pthread_mutex_lock(&writer->mutex);
	while (true) {
		while (!writer->text && !writer->ends) {
			pthread_cond_wait(&writer->changed, &writer->mutex);
		}
		if (!writer->text) {
			break;
		}
		char *text = writer->text;
		size_t size = writer->size;
		writer->text = NULL;
		writer->busy = true;
		pthread_mutex_unlock(&writer->mutex);
		write_text(writer, text, size);
		free(text);
		pthread_mutex_lock(&writer->mutex);
		writer->busy = false;
		pthread_cond_broadcast(&writer->changed);
	}
	pthread_mutex_unlock(&writer->mutex);
	return NULL;
}

struct city_writer *city_writer_create(const char *path) {
	struct city_writer *writer = calloc(1, sizeof(*writer));
	char *copy = writer ? strdup(path) : NULL;
	if (!copy) {
		free(writer);
		return NULL;
	}
	writer->path = copy;
	pthread_mutex_init(&writer->mutex, NULL);
	pthread_cond_init(&writer->changed, NULL);
	return writer;
}

/* Signals are the main thread's. */
static bool start(struct city_writer *writer) {
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	writer->running = pthread_create(&writer->thread, NULL, run, writer) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return writer->running;
}

void city_writer_put(struct city_writer *writer, char *text, size_t size) {
	if (!writer->running && !start(writer)) {
		write_text(writer, text, size);
		free(text);
		return;
	}
	pthread_mutex_lock(&writer->mutex);
	free(writer->text);
	writer->text = text;
	writer->size = size;
	pthread_cond_broadcast(&writer->changed);
	pthread_mutex_unlock(&writer->mutex);
}

void city_writer_flush(struct city_writer *writer) {
	pthread_mutex_lock(&writer->mutex);
	while (writer->text || writer->busy) {
		pthread_cond_wait(&writer->changed, &writer->mutex);
	}
	pthread_mutex_unlock(&writer->mutex);
}

void city_writer_destroy(struct city_writer *writer) {
	if (!writer) {
		return;
	}
	if (writer->running) {
		pthread_mutex_lock(&writer->mutex);
		writer->ends = true;
		pthread_cond_broadcast(&writer->changed);
		pthread_mutex_unlock(&writer->mutex);
		pthread_join(writer->thread, NULL);
	}
	pthread_cond_destroy(&writer->changed);
	pthread_mutex_destroy(&writer->mutex);
	free(writer->path);
	free(writer);
}
