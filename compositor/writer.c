/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compositor/paths.h"
#include "compositor/writer.h"
#include "log.h"

/* What is to be written: a text, or how to get one. */
struct order {
	char *text;
	size_t size;
	city_writer_make_func make; /* NULL: there is a text */
	void (*drop)(void *data);
	void *data;
};

struct city_writer {
	char *path;
	pthread_t thread;
	bool running; /* the thread */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	/* Under the mutex: */
	struct order order; /* empty: nothing */
	bool busy;	    /* the thread writes what it has taken */
	bool ends;
	bool failing; /* and it was said */
};

static bool is_empty(const struct order *order) {
	return !order->text && !order->make;
}

static void order_finish(struct order *order) {
	if (order->drop) {
		order->drop(order->data);
	}
	free(order->text);
	*order = (struct order){0};
}

/* Bringing to disk what is there already would only wear it. */
static bool is_written(const char *path, const char *text, size_t size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat info;
	bool same = fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) &&
		info.st_size == (off_t)size;
	char part[16384];
	for (size_t at = 0; same && at < size;) {
		ssize_t got = read(fd, part, sizeof(part));
		same = got > 0 && (size_t)got <= size - at &&
			memcmp(part, text + at, (size_t)got) == 0;
		at += same ? (size_t)got : 0;
	}
	if (fd >= 0) {
		close(fd);
	}
	return same;
}

/* Takes what is in the order. */
static void carry_out(struct city_writer *writer, struct order *order) {
	if (order->make) {
		order->text = order->make(order->data, &order->size);
	}
	errno = ENOMEM;
	bool ok = order->text &&
		(is_written(writer->path, order->text, order->size) ||
			city_path_replace_durably(writer->path, order->text, order->size));
	if (!ok && !writer->failing) {
		city_log(CITY_LOG_WARN, "disk",
			"cannot write %s: %s; it is tried again with the "
			"next change",
			writer->path, strerror(errno));
	}
	writer->failing = !ok;
	order_finish(order);
}

static void *run(void *data) {
	struct city_writer *writer = data;
	pthread_mutex_lock(&writer->mutex);
	while (true) {
		while (is_empty(&writer->order) && !writer->ends) {
			pthread_cond_wait(&writer->changed, &writer->mutex);
		}
		if (is_empty(&writer->order)) {
			break;
		}
		struct order order = writer->order;
		writer->order = (struct order){0};
		writer->busy = true;
		pthread_mutex_unlock(&writer->mutex);
		carry_out(writer, &order);
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

static void put(struct city_writer *writer, struct order *order) {
	if (!writer->running && !start(writer)) {
		carry_out(writer, order);
		return;
	}
	pthread_mutex_lock(&writer->mutex);
	struct order older = writer->order;
	writer->order = *order;
	pthread_cond_broadcast(&writer->changed);
	pthread_mutex_unlock(&writer->mutex);
	order_finish(&older);
}

void city_writer_put(struct city_writer *writer, char *text, size_t size) {
	put(writer, &(struct order){.text = text, .size = size});
}

void city_writer_put_made(struct city_writer *writer, city_writer_make_func make,
	void (*drop)(void *data), void *data) {
	put(writer, &(struct order){.make = make, .drop = drop, .data = data});
}

void city_writer_flush(struct city_writer *writer) {
	pthread_mutex_lock(&writer->mutex);
	while (!is_empty(&writer->order) || writer->busy) {
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
