/* SPDX-License-Identifier: MIT */
/*
 * A memfd that the tile keeps as a stream of its own. It holds the bytes that whoever attaches next
 * has to read before those of the streams themselves:
 *  - what a version on probation has read, which would be lost if it is rolled back: its cells are
 *    undone, and the bytes are gone from the stream;
 *  - what a version had been given in this way, and had not read when it gave its cells up.
 */
#include "host.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

/* Internal: no tile can name it. */
#define JOURNAL_NAME ".journal"

struct record {
	uint64_t size;
	char stream[VAT_NAME_SIZE];
};

/* Before the version is ready, so that nothing of it falls into the pause. */
void host_journal_open(struct host *host) {
	if (host->keeper_fd >= 0) {
		host->journal_fd = host_keeper_memory(host, JOURNAL_NAME);
	}
}

static void empty(struct host *host) {
	if (host->journal_fd >= 0 && ftruncate(host->journal_fd, 0) < 0) {
		city_log(CITY_LOG_WARN, host->name, "journal: %s", strerror(errno));
	}
}

static void forget(struct host *host) {
	free(host->journal);
	host->journal = NULL;
	host->journal_size = 0;
}

static bool write_all(int fd, const void *data, size_t size) {
	for (size_t done = 0; done < size;) {
		ssize_t put = write(fd, (const char *)data + done, size - done);
		if (put < 0 && errno == EINTR) {
			continue;
		}
		if (put <= 0) {
			return false;
		}
		done += put;
	}
	return true;
}

static bool append(struct host *host, const char *stream, const void *data, size_t size) {
	struct record record = {.size = size};
	snprintf(record.stream, sizeof(record.stream), "%s", stream);
	return lseek(host->journal_fd, 0, SEEK_END) >= 0 &&
		write_all(host->journal_fd, &record, sizeof(record)) &&
		write_all(host->journal_fd, data, size);
}

void host_journal_add(struct host *host, const char *stream, const void *data, size_t size) {
	if (host->journaling && !append(host, stream, data, size)) {
		city_log(CITY_LOG_WARN, host->name,
			"cannot keep what streams give in probation: %s", strerror(errno));
		host->journaling = false;
	}
}

void host_journal_end(struct host *host) {
	if (host->journaling) {
		empty(host);
	}
	host->journaling = false;
	forget(host);
}

void host_journal_leave(struct host *host) {
	host_journal_end(host);
	for (size_t i = 0; i < HOST_STREAMS_MAX && host->journal_fd >= 0; i++) {
		struct host_stream *stream = &host->streams[i];
		if (stream->fd < 0 || !stream->replay) {
			continue;
		}
		if (!append(host, stream->name, stream->replay + stream->replay_at,
			    stream->replay_size - stream->replay_at)) {
			city_log(CITY_LOG_ERROR, host->name, "stream %s loses bytes: %s",
				stream->name, strerror(errno));
		}
		free(stream->replay);
		stream->replay = NULL;
	}
}

static void add_replay(
	struct host *host, struct host_stream *stream, const char *data, size_t size) {
	size_t before = stream->replay ? stream->replay_size : 0;
	char *replay = realloc(stream->replay, before + size);
	if (!replay) {
		city_log(CITY_LOG_ERROR, host->name, "out of memory: stream %s loses bytes",
			stream->name);
		return;
	}
	if (!stream->replay) {
		stream->replay_at = 0;
	}
	memcpy(replay + before, data, size);
	stream->replay = replay;
	stream->replay_size = before + size;
}

void host_journal_give(struct host *host, struct host_stream *stream) {
	struct record record;
	for (size_t at = 0; host->journal_size - at > sizeof(record);) {
		memcpy(&record, host->journal + at, sizeof(record));
		at += sizeof(record);
		record.stream[sizeof(record.stream) - 1] = 0;
		/* The writer may have died in the middle of the last one. */
		if (record.size > host->journal_size - at) {
			record.size = host->journal_size - at;
		}
		if (strcmp(stream->name, record.stream) == 0 && record.size > 0) {
			add_replay(host, stream, host->journal + at, record.size);
		}
		at += record.size;
	}
}

void host_journal_take(struct host *host, bool probation) {
	struct stat stat;
	forget(host);
	host->journaling = probation && host->journal_fd >= 0;
	if (host->journal_fd < 0 || fstat(host->journal_fd, &stat) < 0 || stat.st_size == 0) {
		return;
	}
	host->journal = malloc(stat.st_size);
	ssize_t size = host->journal ? pread(host->journal_fd, host->journal, stat.st_size, 0) : -1;
	if (size < 0) {
		city_log(CITY_LOG_ERROR, host->name, "streams lose bytes: the journal: %s",
			strerror(errno));
	}
	host->journal_size = size > 0 ? size : 0;
	for (size_t i = 0; i < HOST_STREAMS_MAX; i++) {
		if (host->streams[i].fd >= 0) {
			host_journal_give(host, &host->streams[i]);
		}
	}
	if (!probation) {
		empty(host);
	}
}

size_t host_journal_follow(struct host *host, size_t at) {
	struct stat stat;
	struct record record;
	while (host->journal_fd >= 0 && fstat(host->journal_fd, &stat) == 0 &&
		at + sizeof(record) <= (size_t)stat.st_size &&
		pread(host->journal_fd, &record, sizeof(record), at) == sizeof(record) &&
		record.size <= (size_t)stat.st_size - at - sizeof(record)) {
		char *data = malloc(record.size);
		record.stream[sizeof(record.stream) - 1] = 0;
		if (!data ||
			pread(host->journal_fd, data, record.size, at + sizeof(record)) !=
				(ssize_t)record.size) {
			free(data);
			break;
		}
		for (size_t i = 0; i < HOST_STREAMS_MAX; i++) {
			struct host_stream *stream = &host->streams[i];
			if (stream->fd >= 0 && strcmp(stream->name, record.stream) == 0) {
				add_replay(host, stream, data, record.size);
			}
		}
		free(data);
		at += sizeof(record) + record.size;
	}
	return at;
}

void host_journal_finish(struct host *host) {
	forget(host);
	if (host->journal_fd >= 0) {
		close(host->journal_fd);
		host->journal_fd = -1;
	}
}
