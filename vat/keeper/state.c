/* SPDX-License-Identifier: MIT */
/*
 * What one keeper leaves to the next, in a memfd: a head and then records of type, size, payload. A
 * reader takes what it knows of a payload and has zeros for what is missing, and passes over types
 * that it does not know, so either side may be the newer one as long as `format` is the same. What
 * the children speak does not change with their keeper: the wire's version must be the same.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "log.h"

#define MAGIC 0x726570656563730aull
#define FORMAT 1u

enum record_type {
	RECORD_END,
	RECORD_CITY,
	RECORD_OPTION, /* of the compositor; a string */
	RECORD_SAFE,   /* why there is safe mode; a string */
	RECORD_CHILD,
	RECORD_WAITING, /* a message for the child before; then the message */
	RECORD_REGION,
	RECORD_STREAM,
};

struct head {
	uint64_t magic;
	uint32_t format;
	uint32_t wire_version;
};

struct record {
	uint32_t type;
	uint32_t size;
};

struct record_city {
	struct keeper_socket socket;
	int32_t desk;
	uint32_t restarts;
	uint64_t next_instance;
	uint64_t last_start_ns;
	uint64_t original_files[2]; /* soft, hard */
	uint64_t original_mask;	    /* bit n - 1: signal n is blocked */
	uint8_t ready, asked;
	uint8_t reserved[6];
	uint64_t asker, request; /* who is to be told that it went well; 0: nobody */
	uint64_t checkpoint_every_ns;
	uint8_t disk_taken;
	uint8_t reserved2[7];
	int32_t transport, transport_seen; /* 0: it knew of none */
};

struct record_child {
	uint32_t kind;
	int32_t pid;
	int32_t wire;
	uint32_t broken;
	uint64_t instance;
	struct vat_uuid uuid;
	char name[KEEPER_NAME_SIZE];
	char artifact[KEEPER_NAME_SIZE + 8];
	uint64_t start_ns;
	uint8_t ending, is_compositor, is_spare, answers;
	uint8_t reserved[4];
};

struct record_waiting {
	int32_t fds[KEEPER_FDS_MAX];
	uint32_t fd_count;
	uint32_t size; /* of the message that follows */
};

struct record_region {
	struct vat_uuid uuid;
	int32_t fd;
	uint8_t known; /* what follows is there */
	uint8_t changed, kept_off, unseen;
	uint64_t writer, bytes;
	char name[KEEPER_NAME_SIZE];
	int32_t error;
	char why[sizeof((struct keeper_checkpoint){0}.why)];
};

struct record_stream {
	struct vat_uuid uuid;
	char name[KEEPER_NAME_SIZE];
	int32_t fd, pid, status;
	uint8_t ended;
	uint8_t peer;
	uint8_t reserved[2];
	uint64_t claims[KEEPER_CLAIMS_MAX];
	int32_t wake; /* 0: none */
	uint32_t channels;
};

/* ---- writing */

static bool put(FILE *file, uint32_t type, const void *payload, size_t size) {
	const struct record record = {.type = type, .size = (uint32_t)size};
	return fwrite(&record, sizeof(record), 1, file) == 1 &&
		(size == 0 || fwrite(payload, size, 1, file) == 1);
}

static bool put_waiting(FILE *file, const struct keeper_child *child) {
	bool ok = true;
	for (const struct keeper_waiting *waiting = child->waiting; ok && waiting != NULL;
		waiting = waiting->next) {
		struct record_waiting head = {.fd_count = (uint32_t)waiting->fd_count};
		memcpy(head.fds, waiting->fds, sizeof(head.fds));
		head.size = (uint32_t)KEEPER_MESSAGE_HEAD + waiting->message.text_size;
		const struct record record = {
			.type = RECORD_WAITING, .size = (uint32_t)sizeof(head) + head.size};
		ok = fwrite(&record, sizeof(record), 1, file) == 1 &&
			fwrite(&head, sizeof(head), 1, file) == 1 &&
			fwrite(&waiting->message, head.size, 1, file) == 1;
	}
	return ok;
}

static bool put_child(FILE *file, const struct keeper *keeper, const struct keeper_child *child) {
	struct record_child record = {
		.kind = child->kind,
		.pid = child->pid,
		.wire = child->wire,
		.broken = child->broken,
		.instance = child->instance,
		.uuid = child->uuid,
		.start_ns = child->start_ns,
		.ending = child->ending,
		.is_compositor = keeper->compositor == child,
		.is_spare = keeper->spare == child,
		.answers = child->answers,
	};
	memcpy(record.name, child->name, sizeof(record.name));
	memcpy(record.artifact, child->artifact, sizeof(record.artifact));
	return put(file, RECORD_CHILD, &record, sizeof(record)) && put_waiting(file, child);
}

static bool put_city(FILE *file, const struct keeper *keeper) {
	struct record_city record = {
		.socket = keeper->socket,
		.desk = keeper->desk,
		.restarts = keeper->restarts,
		.next_instance = keeper->next_instance,
		.last_start_ns = keeper->last_start_ns,
		.original_files = {keeper->original_files.rlim_cur,
			keeper->original_files.rlim_max},
		.ready = keeper->ready,
		.asked = keeper->asked,
		.asker = keeper->replacement.asker,
		.request = keeper->replacement.request,
		.checkpoint_every_ns = keeper->checkpoint_every_ns,
		.disk_taken = keeper->disk_taken,
		.transport = keeper->transport,
		.transport_seen = keeper->transport_seen,
	};
	for (int n = 1; n <= 64; n++) {
		record.original_mask |=
			sigismember(&keeper->original_mask, n) == 1 ? 1ull << (n - 1) : 0;
	}
	bool ok = put(file, RECORD_CITY, &record, sizeof(record));
	for (char *const *option = keeper->compositor_args; ok && *option != NULL; option++) {
		ok = put(file, RECORD_OPTION, *option, strlen(*option) + 1);
	}
	if (ok && keeper->safe != NULL) {
		ok = put(file, RECORD_SAFE, keeper->safe, strlen(keeper->safe) + 1);
	}
	return ok;
}

int keeper_state_save(const struct keeper *keeper) {
	int fd = memfd_create("source-city-keeper", MFD_CLOEXEC);
	int copy = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	FILE *file = copy >= 0 ? fdopen(copy, "w") : NULL;
	if (file == NULL) {
		goto error;
	}
	const struct head head = {
		.magic = MAGIC, .format = FORMAT, .wire_version = KEEPER_WIRE_VERSION};
	bool ok = fwrite(&head, sizeof(head), 1, file) == 1 && put_city(file, keeper);
	/* The lists are kept newest first, and read back by adding to their front. */
	const struct keeper_child *child = keeper->children;
	size_t count = 0;
	for (; child != NULL; child = child->next) {
		count++;
	}
	for (size_t i = count; ok && i > 0; i--) {
		child = keeper->children;
		for (size_t n = 1; n < i; n++) {
			child = child->next;
		}
		ok = put_child(file, keeper, child);
	}
	for (const struct keeper_region *region = keeper->regions; ok && region != NULL;
		region = region->next) {
		const struct keeper_checkpoint *checkpoint = &region->checkpoint;
		struct record_region record = {
			.uuid = region->uuid,
			.fd = region->fd,
			.known = true,
			.changed = checkpoint->changed || checkpoint->saver != 0,
			.kept_off = checkpoint->kept_off,
			.unseen = checkpoint->unseen,
			.writer = checkpoint->writer,
			.bytes = checkpoint->bytes,
			.error = checkpoint->error,
		};
		memcpy(record.name, region->name, sizeof(record.name));
		memcpy(record.why, checkpoint->why, sizeof(record.why));
		ok = put(file, RECORD_REGION, &record, sizeof(record));
	}
	for (const struct keeper_stream *stream = keeper->streams; ok && stream != NULL;
		stream = stream->next) {
		struct record_stream record = {
			.uuid = stream->uuid,
			.fd = stream->fd,
			.pid = stream->pid,
			.status = stream->status,
			.ended = stream->ended,
			.peer = stream->peer,
			.wake = stream->wake >= 0 ? stream->wake : 0,
			.channels = stream->channels,
		};
		memcpy(record.name, stream->name, sizeof(record.name));
		memcpy(record.claims, stream->claims, sizeof(record.claims));
		ok = put(file, RECORD_STREAM, &record, sizeof(record));
	}
	ok = ok && put(file, RECORD_END, NULL, 0);
	ok = fclose(file) == 0 && ok;
	copy = -1;
	if (ok) {
		return fd;
	}
error:
	int saved = errno;
	if (copy >= 0) {
		close(copy);
	}
	if (fd >= 0) {
		close(fd);
	}
	errno = saved;
	return -1;
}

/* ---- reading */

struct reader {
	char *bytes;
	size_t size, at;
	uint32_t type;
	const char *payload;
	size_t payload_size;
};

/* NULL: all of it can be read; otherwise why not. */
static const char *open_reader(struct reader *reader, int fd) {
	struct stat info;
	*reader = (struct reader){0};
	if (fstat(fd, &info) < 0 || info.st_size < (off_t)sizeof(struct head)) {
		return "there is no state of a keeper";
	}
	reader->size = (size_t)info.st_size;
	reader->bytes = malloc(reader->size);
	if (reader->bytes == NULL ||
		pread(fd, reader->bytes, reader->size, 0) != (ssize_t)reader->size) {
		return "the state of the keeper cannot be read";
	}
	struct head head;
	memcpy(&head, reader->bytes, sizeof(head));
	if (head.magic != MAGIC) {
		return "this is not the state of a keeper";
	}
	static char why[160];
	if (head.format != FORMAT) {
		snprintf(why, sizeof(why),
			"the state of the running keeper has format %u, this one reads format %u",
			head.format, FORMAT);
		return why;
	}
	if (head.wire_version != KEEPER_WIRE_VERSION) {
		snprintf(why, sizeof(why),
			"what runs speaks version %u of the keeper's wire, this one version %u: "
			"the city has to be started anew to use it",
			head.wire_version, KEEPER_WIRE_VERSION);
		return why;
	}
	reader->at = sizeof(head);
	return NULL;
}

/* False when the records end in the middle. At the end the type is RECORD_END. */
static bool next_record(struct reader *reader) {
	struct record record;
	if (reader->size - reader->at < sizeof(record)) {
		return false;
	}
	memcpy(&record, reader->bytes + reader->at, sizeof(record));
	reader->at += sizeof(record);
	if (reader->size - reader->at < record.size) {
		return false;
	}
	reader->type = record.type;
	reader->payload = reader->bytes + reader->at;
	reader->payload_size = record.size;
	reader->at += record.size;
	return true;
}

/* As much as both know. */
static void take(const struct reader *reader, void *payload, size_t size) {
	memset(payload, 0, size);
	memcpy(payload, reader->payload, reader->payload_size < size ? reader->payload_size : size);
}

static char *take_string(const struct reader *reader) {
	return strndup(reader->payload, reader->payload_size);
}

static bool hold(int fd) {
	return fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) == 0;
}

static bool load_city(struct keeper *keeper, const struct reader *reader) {
	struct record_city record;
	take(reader, &record, sizeof(record));
	keeper->socket = record.socket;
	keeper->desk = record.desk;
	keeper->restarts = record.restarts;
	keeper->next_instance = record.next_instance;
	keeper->last_start_ns = record.last_start_ns;
	keeper->original_files = (struct rlimit){
		.rlim_cur = record.original_files[0],
		.rlim_max = record.original_files[1],
	};
	sigemptyset(&keeper->original_mask);
	for (int n = 1; n <= 64; n++) {
		if (record.original_mask & 1ull << (n - 1)) {
			sigaddset(&keeper->original_mask, n);
		}
	}
	keeper->ready = record.ready;
	keeper->asked = record.asked;
	keeper->replacement.asker = record.asker;
	keeper->replacement.request = record.request;
	keeper->checkpoint_every_ns = record.checkpoint_every_ns;
	keeper->disk_taken = record.disk_taken;
	if (!hold(keeper->socket.fd) || !hold(keeper->socket.lock_fd) || !hold(keeper->desk)) {
		return false;
	}
	if (record.transport == 0) {
		return keeper_transport_open(keeper) == 0;
	}
	keeper->transport = record.transport;
	keeper->transport_seen = record.transport_seen;
	return hold(keeper->transport) && hold(keeper->transport_seen);
}

static bool load_option(struct keeper *keeper, const struct reader *reader) {
	size_t count = 0;
	while (keeper->compositor_args[count] != NULL) {
		count++;
	}
	char **args = calloc(count + 2, sizeof(*args));
	if (args == NULL) {
		return false;
	}
	memcpy(args, keeper->compositor_args, count * sizeof(*args));
	args[count] = take_string(reader);
	/* Small, and for the life of the process, as argv is. */
	keeper->compositor_args = args;
	return args[count] != NULL;
}

static struct keeper_child *load_child(struct keeper *keeper, const struct reader *reader) {
	struct record_child record;
	take(reader, &record, sizeof(record));
	struct keeper_child *child = keeper_child_add(
		keeper, (enum keeper_child_kind)record.kind, record.pid, record.wire);
	if (child == NULL || !hold(record.wire)) {
		return NULL;
	}
	child->broken = record.broken;
	child->instance = record.instance;
	child->uuid = record.uuid;
	child->start_ns = record.start_ns;
	child->ending = record.ending;
	child->answers = record.answers;
	memcpy(child->name, record.name, sizeof(child->name) - 1);
	memcpy(child->artifact, record.artifact, sizeof(child->artifact) - 1);
	if (record.is_compositor) {
		keeper->compositor = child;
	}
	if (record.is_spare) {
		keeper->spare = child;
	}
	if (child->kind == KEEPER_CHILD_AUDIO) {
		keeper->audio = child;
	}
	struct epoll_event event = {.events = EPOLLIN, .data.fd = record.wire};
	if (record.wire >= 0 && epoll_ctl(keeper->epoll, EPOLL_CTL_ADD, record.wire, &event) < 0) {
		return NULL;
	}
	return child;
}

static bool load_waiting(
	struct keeper *keeper, struct keeper_child *child, const struct reader *reader) {
	struct record_waiting head;
	static struct keeper_message message;
	take(reader, &head, sizeof(head));
	if (child == NULL || reader->payload_size < sizeof(head) + head.size ||
		head.size > sizeof(message) || head.size < KEEPER_MESSAGE_HEAD ||
		head.fd_count > KEEPER_FDS_MAX) {
		return false;
	}
	memcpy(&message, reader->payload + sizeof(head), head.size);
	/* It copies them. */
	keeper_send(keeper, child, &message, head.fds, head.fd_count);
	for (size_t i = 0; i < head.fd_count; i++) {
		close(head.fds[i]);
	}
	return true;
}

static bool load_region(struct keeper *keeper, const struct reader *reader) {
	struct record_region record;
	take(reader, &record, sizeof(record));
	record.name[sizeof(record.name) - 1] = '\0';
	struct keeper_region *region =
		keeper_region_add(keeper, &record.uuid, record.name, record.fd);
	if (region == NULL || !hold(record.fd)) {
		return false;
	}
	/* What an older keeper has not looked at must not be replaced. */
	region->checkpoint.changed = record.changed || !record.known;
	region->checkpoint.unseen = record.unseen || !record.known;
	region->checkpoint.kept_off = record.kept_off;
	region->checkpoint.writer = record.writer;
	region->checkpoint.bytes = record.bytes;
	region->checkpoint.error = record.error;
	record.why[sizeof(record.why) - 1] = '\0';
	memcpy(region->checkpoint.why, record.why, sizeof(record.why));
	return true;
}

static bool load_stream(struct keeper *keeper, const struct reader *reader) {
	struct record_stream record;
	take(reader, &record, sizeof(record));
	record.name[sizeof(record.name) - 1] = '\0';
	struct keeper_stream *stream =
		keeper_stream_add(keeper, &record.uuid, record.name, record.fd, record.pid);
	if (stream == NULL || !hold(record.fd)) {
		return false;
	}
	stream->wake = record.wake > 0 ? record.wake : -1;
	stream->channels = record.channels;
	stream->peer = record.peer;
	if (!hold(stream->wake)) {
		return false;
	}
	stream->ended = record.ended;
	stream->status = record.status;
	memcpy(stream->claims, record.claims, sizeof(stream->claims));
	return true;
}

int keeper_state_load(struct keeper *keeper, int state_fd) {
	struct reader reader;
	const char *why = open_reader(&reader, state_fd);
	struct keeper_child *child = NULL;
	bool ok = why == NULL;
	while (ok && next_record(&reader) && reader.type != RECORD_END) {
		switch (reader.type) {
		case RECORD_CITY:
			ok = load_city(keeper, &reader);
			break;
		case RECORD_OPTION:
			ok = load_option(keeper, &reader);
			break;
		case RECORD_SAFE:
			keeper->safe = take_string(&reader);
			break;
		case RECORD_CHILD:
			child = load_child(keeper, &reader);
			ok = child != NULL;
			break;
		case RECORD_WAITING:
			ok = load_waiting(keeper, child, &reader);
			break;
		case RECORD_REGION:
			ok = load_region(keeper, &reader);
			break;
		case RECORD_STREAM:
			ok = load_stream(keeper, &reader);
			break;
		default:
			break; /* of a newer keeper */
		}
	}
	if (!ok) {
		city_log(CITY_LOG_ERROR, "keeper", "cannot take over: %s",
			why != NULL ? why : strerror(errno));
	}
	free(reader.bytes);
	close(state_fd);
	return ok ? 0 : -1;
}

/* ---- the check */

/* NULL when all records are there. */
static const char *check_records(struct reader *reader) {
	bool has_city = false;
	do {
		if (!next_record(reader)) {
			return "the state of the running keeper is not whole";
		}
		has_city |= reader->type == RECORD_CITY;
	} while (reader->type != RECORD_END);
	return has_city ? NULL : "the state of the running keeper is not whole";
}

const char *keeper_state_check(int state_fd) {
	struct reader reader;
	const char *why = open_reader(&reader, state_fd);
	if (why == NULL) {
		why = check_records(&reader);
	}
	free(reader.bytes);
	return why;
}
