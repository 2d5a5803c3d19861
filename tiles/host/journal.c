/* SPDX-License-Identifier: MIT */
/*
 * What a version reads from a stream while it is on probation would be lost if it is rolled back:
 * its cells are undone, and the bytes are gone from the stream. So it also writes them into a memfd
 * that the tile keeps as a stream of its own, and the version that comes back reads them from
 * there.
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

/* No tile can name a stream like this by accident. */
#define JOURNAL_NAME "host.journal"

struct record {
	uint64_t size;
	char stream[VAT_NAME_SIZE];
};

static bool ask(struct host *host, uint32_t type, int fd) {
	struct keeper_message *messages = calloc(2, sizeof(*messages));
	if (!messages) {
		return false;
	}
	messages[0].type = type;
	snprintf(messages[0].name, sizeof(messages[0].name), "%s", JOURNAL_NAME);
	int fds[KEEPER_FDS_MAX];
	char why[256];
	int result = host_keeper_call(host, &messages[0], fd >= 0 ? &fd : NULL, fd >= 0,
		&messages[1], fds, why, sizeof(why));
	if (result == 0 && type == KEEPER_STREAM_CLAIM) {
		host->journal_fd = fds[0];
		fds[0] = -1;
	}
	if (result == 0) {
		keeper_wire_close(fds);
	} else if (errno != ENOENT || type != KEEPER_STREAM_CLAIM) {
		city_log(CITY_LOG_WARN, host->name, "no journal of streams: %s", why);
	}
	free(messages);
	return result == 0;
}

/* Before the version is ready, so that nothing of it falls into the pause. */
void host_journal_open(struct host *host) {
	if (host->keeper_fd < 0 || ask(host, KEEPER_STREAM_CLAIM, -1)) {
		return;
	}
	int fd = memfd_create("source-city-journal", MFD_CLOEXEC);
	if (fd >= 0 && ask(host, KEEPER_STREAM_PUT, fd)) {
		host->journal_fd = fd;
	} else if (fd >= 0) {
		close(fd);
	}
}

void host_journal_begin(struct host *host) {
	host->journaling = host->journal_fd >= 0 && ftruncate(host->journal_fd, 0) == 0 &&
		lseek(host->journal_fd, 0, SEEK_SET) == 0;
}

void host_journal_add(struct host *host, const char *stream, const void *data, size_t size) {
	if (!host->journaling) {
		return;
	}
	struct record record = {.size = size};
	snprintf(record.stream, sizeof(record.stream), "%s", stream);
	if (write(host->journal_fd, &record, sizeof(record)) != sizeof(record) ||
		write(host->journal_fd, data, size) != (ssize_t)size) {
		city_log(CITY_LOG_WARN, host->name,
			"cannot keep what streams give in probation: %s", strerror(errno));
		host->journaling = false;
	}
}

void host_journal_end(struct host *host) {
	if (host->journaling && ftruncate(host->journal_fd, 0) < 0) {
		city_log(CITY_LOG_WARN, host->name, "journal: %s", strerror(errno));
	}
	host->journaling = false;
}

static void give(struct host *host, const struct record *record, const char *data) {
	for (size_t i = 0; i < HOST_STREAMS_MAX; i++) {
		struct host_stream *stream = &host->streams[i];
		if (stream->fd < 0 || strcmp(stream->name, record->stream) != 0) {
			continue;
		}
		char *replay = realloc(stream->replay, stream->replay_size + record->size);
		if (!replay) {
			city_log(CITY_LOG_ERROR, host->name, "out of memory: stream %s loses bytes",
				stream->name);
			return;
		}
		memcpy(replay + stream->replay_size, data, record->size);
		stream->replay = replay;
		stream->replay_size += record->size;
		return;
	}
}

void host_journal_replay(struct host *host) {
	struct stat stat;
	if (host->journal_fd < 0 || fstat(host->journal_fd, &stat) < 0 || stat.st_size == 0) {
		return;
	}
	char *journal = malloc(stat.st_size);
	ssize_t size = journal ? pread(host->journal_fd, journal, stat.st_size, 0) : 0;
	for (size_t i = 0; i < HOST_STREAMS_MAX; i++) {
		struct host_stream *stream = &host->streams[i];
		if (!stream->replay) {
			stream->replay_size = 0;
			stream->replay_at = 0;
		}
	}
	struct record record;
	for (ssize_t at = 0; size - at > (ssize_t)sizeof(record);) {
		memcpy(&record, journal + at, sizeof(record));
		at += sizeof(record);
		record.stream[sizeof(record.stream) - 1] = 0;
		/* The writer may have died in the middle of the last one. */
		if (record.size > (uint64_t)(size - at)) {
			record.size = size - at;
		}
		give(host, &record, journal + at);
		at += record.size;
	}
	free(journal);
	if (ftruncate(host->journal_fd, 0) < 0) {
		city_log(CITY_LOG_WARN, host->name, "journal: %s", strerror(errno));
	}
}
