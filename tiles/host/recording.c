/* SPDX-License-Identifier: MIT */
/* Recordings in memory: writing, and taking them while they are written. */
#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "recording_copy.h"

#define COLLECT_TRIES 100

static uint64_t load(const uint64_t *word) {
	return __atomic_load_n(word, __ATOMIC_ACQUIRE);
}

bool recording_writer_init(struct recording_writer *writer, void *memory, uint64_t size) {
	if (size < RECORDING_ROOM_MIN || size > RECORDING_ROOM_MAX) {
		return false;
	}
	writer->memory = memory;
	writer->slot_size = size / RECORDING_SLOTS & ~(uint64_t)(RECORDING_HEADER - 1);
	writer->slot = 0;
	return true;
}

struct recording_header *recording_slot(const struct recording_writer *writer, unsigned slot) {
	return (void *)(writer->memory + slot * writer->slot_size);
}

static uint64_t events_room(const struct recording_writer *writer) {
	uint64_t room = writer->slot_size / 4 & ~(uint64_t)(RECORDING_HEADER - 1);
	return room < RECORDING_EVENTS_MAX ? room : RECORDING_EVENTS_MAX;
}

uint64_t recording_base_room(const struct recording_writer *writer) {
	return writer->slot_size - RECORDING_HEADER - events_room(writer);
}

static bool slot_makes_sense(const struct recording_header *header, uint64_t slot_size) {
	return header->magic == RECORDING_MAGIC && header->format == RECORDING_FORMAT &&
		load(&header->number) != 0 && header->events_at == RECORDING_HEADER &&
		header->events_room % 8 == 0 && header->events_room <= slot_size &&
		header->base_at == header->events_at + header->events_room &&
		header->base_at <= slot_size && header->base_room == slot_size - header->base_at &&
		load(&header->used) <= header->events_room && load(&header->used) % 8 == 0 &&
		header->base_used <= header->base_room;
}

int recording_newest(const struct recording_writer *writer) {
	int newest = -1;
	uint64_t number = 0;
	for (unsigned i = 0; i < RECORDING_SLOTS; i++) {
		const struct recording_header *header = recording_slot(writer, i);
		if (slot_makes_sense(header, writer->slot_size) && header->number > number) {
			number = header->number;
			newest = (int)i;
		}
	}
	return newest;
}

void recording_begin(
	struct recording_writer *writer, unsigned slot, const struct vat_region_info *tile) {
	struct recording_header *header = recording_slot(writer, slot);
	__atomic_store_n(&header->number, 0, __ATOMIC_SEQ_CST);
	uint64_t rewinds = header->rewinds;
	uint64_t events = events_room(writer);
	*header = (struct recording_header){
		.magic = RECORDING_MAGIC,
		.format = RECORDING_FORMAT,
		.rewinds = rewinds + 1,
		.events_at = RECORDING_HEADER,
		.events_room = events,
		.base_at = RECORDING_HEADER + events,
		.base_room = recording_base_room(writer),
		.tile = tile->tile,
		.city = tile->city,
	};
	memcpy(header->name, tile->name, sizeof(header->name));
	writer->slot = slot;
}

/* A version that takes over has room for its first events; more would be memory for nothing. */
#define NEAR (16u * 1024)

void recording_prepare(struct recording_writer *writer, unsigned slot) {
	struct recording_header *header = recording_slot(writer, slot);
	uint64_t used = load(&header->used);
	if (!slot_makes_sense(header, writer->slot_size) || used > header->events_room) {
		return;
	}
	uint64_t left = header->events_room - used;
	uintptr_t at = (uintptr_t)header + header->events_at + used;
	uintptr_t first = at & ~(uintptr_t)(VAT_PAGE - 1);
	madvise(header, VAT_PAGE, MADV_POPULATE_WRITE);
	madvise((void *)first, at - first + (left < NEAR ? left : NEAR), MADV_POPULATE_WRITE);
}

struct recording_event *recording_put(
	struct recording_writer *writer, enum recording_type type, unsigned arg, size_t payload) {
	struct recording_header *header = recording_slot(writer, writer->slot);
	size_t bytes = sizeof(struct recording_event) + payload;
	size_t size = (bytes + 7) & ~(size_t)7;
	if (payload > header->events_room || size > header->events_room - header->used) {
		return NULL;
	}
	struct recording_event *event =
		(void *)((uint8_t *)header + header->events_at + header->used);
	/* Memory that was used before is not empty. */
	memset((uint8_t *)event + size - 8, 0, 8);
	*event = (struct recording_event){
		.size = (uint32_t)size,
		.type = (uint8_t)type,
		.arg = (uint8_t)arg,
		.pad = (uint16_t)(size - bytes),
	};
	return event;
}

void recording_publish(struct recording_writer *writer, const struct recording_event *event) {
	struct recording_header *header = recording_slot(writer, writer->slot);
	__atomic_store_n(&header->used, header->used + event->size, __ATOMIC_RELEASE);
}

/* ---- taking it */

struct copy {
	struct recording_header header;
	uint8_t *bytes; /* events, then base */
};

/* 1 when nothing was taken back meanwhile, 0 when something was, or the slot is empty. */
static int copy_slot(
	const struct recording_writer *writer, unsigned slot, struct copy *copy, uint64_t number) {
	const struct recording_header *header = recording_slot(writer, slot);
	uint64_t rewinds = load(&header->rewinds);
	copy->header = *header;
	copy->header.used = load(&header->used);
	copy->header.number = load(&header->number);
	if (!slot_makes_sense(&copy->header, writer->slot_size) || copy->header.number != number) {
		return 0;
	}
	copy->bytes = malloc(copy->header.used + copy->header.base_used + 1);
	if (!copy->bytes) {
		return -ENOMEM;
	}
	memcpy(copy->bytes, (const uint8_t *)header + copy->header.events_at, copy->header.used);
	memcpy(copy->bytes + copy->header.used, (const uint8_t *)header + copy->header.base_at,
		copy->header.base_used);
	atomic_thread_fence(memory_order_acquire);
	if (load(&header->rewinds) == rewinds && load(&header->number) == number) {
		return 1;
	}
	free(copy->bytes);
	copy->bytes = NULL;
	return 0;
}

/* Whether anything happened in it. */
static bool has_operations(const struct copy *copy) {
	const struct recording_event *event;
	for (uint64_t at = 0; at + sizeof(*event) <= copy->header.used; at += event->size) {
		event = (const void *)(copy->bytes + at);
		if (event->size < sizeof(*event)) {
			return false;
		}
		if (event->type == RECORDING_INPUT || event->type == RECORDING_READY ||
			event->type == RECORDING_UPDATE) {
			return true;
		}
	}
	return false;
}

/* Events of both, with the base of the first one. */
static int join(const struct copy *first, const struct copy *second, struct copy *all) {
	uint64_t used = first->header.used + second->header.used;
	*all = *first;
	all->bytes = malloc(used + first->header.base_used + 1);
	if (!all->bytes) {
		return -ENOMEM;
	}
	memcpy(all->bytes, first->bytes, first->header.used);
	memcpy(all->bytes + first->header.used, second->bytes, second->header.used);
	memcpy(all->bytes + used, first->bytes + first->header.used, first->header.base_used);
	all->header.used = used;
	all->header.flags |= second->header.flags;
	all->header.number = second->header.number;
	return 0;
}

/* Both slots as they are in one moment, or as good as that. */
static int try_collect(const struct recording_writer *writer, struct copy *all) {
	struct copy copies[2] = {0}; /* the newest, and that before */
	int newest = recording_newest(writer);
	if (newest < 0) {
		return -ENODATA;
	}
	uint64_t number = recording_slot(writer, newest)->number;
	int rc = copy_slot(writer, newest, &copies[0], number);
	if (rc != 1) {
		return rc;
	}
	rc = copy_slot(writer, 1 - newest, &copies[1], number - 1);
	if (rc < 0) {
		free(copies[0].bytes);
		return rc;
	}
	if (rc == 1 && (copies[0].header.flags & RECORDING_FOLLOWS)) {
		rc = join(&copies[1], &copies[0], all);
	} else if (rc == 1 && !has_operations(&copies[0])) {
		*all = copies[1];
		copies[1].bytes = NULL;
	} else {
		*all = copies[0];
		copies[0].bytes = NULL;
	}
	free(copies[0].bytes);
	free(copies[1].bytes);
	return rc < 0 ? rc : 1;
}

/* Into the form of a file, which is then checked as one. */
static int to_recording(
	const struct copy *all, struct recording *recording, struct vat_error *err) {
	struct recording whole = {
		.header = all->header,
		.events = all->bytes,
		.base = all->bytes + all->header.used,
	};
	int fd = memfd_create("source-city-recording", MFD_CLOEXEC);
	if (fd < 0) {
		return vat_fail(err, errno, "recording: %s", strerror(errno));
	}
	int rc = recording_save(&whole, fd, err);
	if (rc == 0) {
		rc = recording_load(fd, recording, err);
	}
	close(fd);
	return rc;
}

int recording_collect(
	const void *memory, uint64_t size, struct recording *recording, struct vat_error *err) {
	struct recording_writer writer;
	if (!recording_writer_init(&writer, (void *)memory, size)) {
		return vat_fail(
			err, EBADMSG, "recording: %llu bytes are none", (unsigned long long)size);
	}
	for (int i = 0; i < COLLECT_TRIES; i++) {
		struct copy all;
		int rc = try_collect(&writer, &all);
		if (rc == -ENODATA) {
			return vat_fail(err, ENODATA, "nothing has been recorded yet");
		}
		if (rc < 0) {
			return vat_fail(err, -rc, "recording: %s", strerror(-rc));
		}
		if (rc == 1) {
			rc = to_recording(&all, recording, err);
			free(all.bytes);
			return rc;
		}
	}
	return vat_fail(err, EAGAIN, "the recording changes faster than it can be read");
}

int recording_collect_fd(int fd, struct recording *recording, struct vat_error *err) {
	struct stat st;
	if (fstat(fd, &st) < 0) {
		return vat_fail(err, errno, "recording: %s", strerror(errno));
	}
	int seals = fcntl(fd, F_GET_SEALS);
	if (st.st_size <= 0 || (uint64_t)st.st_size > RECORDING_ROOM_MAX || seals < 0 ||
		!(seals & F_SEAL_SHRINK)) {
		return vat_fail(
			err, EBADMSG, "recording: %lld bytes are none", (long long)st.st_size);
	}
	void *memory = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		return vat_fail(err, errno, "recording: %s", strerror(errno));
	}
	int rc = recording_collect(memory, (uint64_t)st.st_size, recording, err);
	munmap(memory, (size_t)st.st_size);
	return rc;
}

int recording_copy(int memory, int file, struct vat_error *err) {
	struct recording recording;
	int rc = recording_collect_fd(memory, &recording, err);
	if (rc == 0) {
		rc = recording_save(&recording, file, err);
		recording_finish(&recording);
	}
	return rc;
}
