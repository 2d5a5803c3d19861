/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keeper/keeper.h"

bool keeper_stream_is_internal(const char *name) {
	return name[0] == '.';
}

bool keeper_stream_name_valid(const char *name) {
	return vat_name_valid(keeper_stream_is_internal(name) ? name + 1 : name);
}

struct keeper_stream *keeper_stream_find(
	struct keeper *keeper, const struct vat_uuid *uuid, const char *name) {
	for (struct keeper_stream *stream = keeper->streams; stream != NULL;
		stream = stream->next) {
		if (vat_uuid_equal(&stream->uuid, uuid) && strcmp(stream->name, name) == 0) {
			return stream;
		}
	}
	return NULL;
}

struct keeper_stream *keeper_stream_add(
	struct keeper *keeper, const struct vat_uuid *uuid, const char *name, int fd, pid_t pid) {
	if (keeper_stream_find(keeper, uuid, name) != NULL) {
		errno = EEXIST;
		return NULL;
	}
	size_t count = 0;
	for (struct keeper_stream *other = keeper->streams; other != NULL; other = other->next) {
		count += vat_uuid_equal(&other->uuid, uuid);
	}
	if (count >= KEEPER_STREAMS_MAX) {
		errno = EMFILE;
		return NULL;
	}
	struct keeper_stream *stream = calloc(1, sizeof(*stream));
	if (stream == NULL) {
		return NULL;
	}
	stream->uuid = *uuid;
	snprintf(stream->name, sizeof(stream->name), "%s", name);
	stream->fd = fd;
	stream->wake = -1;
	stream->pid = pid;
	stream->next = keeper->streams;
	keeper->streams = stream;
	return stream;
}

bool keeper_stream_has_claim(const struct keeper_stream *stream, uint64_t instance) {
	for (size_t i = 0; i < KEEPER_CLAIMS_MAX; i++) {
		if (instance != 0 && stream->claims[i] == instance) {
			return true;
		}
	}
	return false;
}

bool keeper_stream_claim(struct keeper_stream *stream, uint64_t instance) {
	if (keeper_stream_has_claim(stream, instance)) {
		return true;
	}
	for (size_t i = 0; i < KEEPER_CLAIMS_MAX; i++) {
		if (stream->claims[i] == 0) {
			stream->claims[i] = instance;
			return true;
		}
	}
	return false;
}

void keeper_stream_release_claims(struct keeper *keeper, uint64_t instance) {
	for (struct keeper_stream *stream = keeper->streams; stream != NULL;
		stream = stream->next) {
		for (size_t i = 0; i < KEEPER_CLAIMS_MAX; i++) {
			if (stream->claims[i] == instance) {
				stream->claims[i] = 0;
			}
		}
	}
}

void keeper_stream_remove(struct keeper *keeper, struct keeper_stream *stream) {
	keeper_audio_ring_removed(keeper, stream);
	for (struct keeper_stream **link = &keeper->streams; *link != NULL; link = &(*link)->next) {
		if (*link == stream) {
			*link = stream->next;
			break;
		}
	}
	close(stream->fd);
	if (stream->wake >= 0) {
		close(stream->wake);
	}
	free(stream);
}

void keeper_stream_tell_ended(
	struct keeper *keeper, struct keeper_stream *stream, struct keeper_child *child) {
	struct keeper_message event = {
		.type = KEEPER_STREAM_ENDED,
		.uuid = stream->uuid,
		.pid = stream->pid,
		.status = stream->status,
	};
	memcpy(event.name, stream->name, sizeof(event.name));
	keeper_send(keeper, child, &event, NULL, 0);
}

void keeper_stream_child_ended(struct keeper *keeper, pid_t pid, int status) {
	for (struct keeper_stream *stream = keeper->streams; stream != NULL;
		stream = stream->next) {
		if (stream->pid != pid || stream->ended) {
			continue;
		}
		stream->ended = true;
		stream->status = status;
		for (struct keeper_child *child = keeper->children; child != NULL;
			child = child->next) {
			if (child->kind == KEEPER_CHILD_TILE &&
				keeper_stream_has_claim(stream, child->instance)) {
				keeper_stream_tell_ended(keeper, stream, child);
			}
		}
	}
}
