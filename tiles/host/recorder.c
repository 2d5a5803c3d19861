/* SPDX-License-Identifier: MIT */
#include "recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host.h"
#include "log.h"

/* A base costs at most one part in so many of the time. */
#define BASE_SHARE 100

static struct recording_header *header_of(struct host *host) {
	return recording_slot(&host->recorder.writer, host->recorder.writer.slot);
}

/* ---- the memory */

static bool parse_size(const char *text, uint64_t *size) {
	char *end;
	if (strcmp(text, "off") == 0) {
		return false;
	}
	double number = strtod(text, &end);
	uint64_t unit = *end == 'K' ? 1 << 10 : *end == 'M' ? 1 << 20 : *end == 'G' ? 1 << 30 : 1;
	double bytes = number * (double)unit;
	if (end != text && (!*end || !end[1]) && bytes >= (double)RECORDING_ROOM_MIN &&
		bytes <= (double)RECORDING_ROOM_MAX) {
		*size = (uint64_t)bytes & ~(uint64_t)(VAT_PAGE - 1);
	}
	return true;
}

void host_recorder_open(struct host *host) {
	struct host_recorder *recorder = &host->recorder;
	const char *option = host->tile.host->option(&host->tile, "record");
	uint64_t size = RECORDING_ROOM_DEFAULT;
	if (host->keeper_fd < 0 || (option && !parse_size(option, &size))) {
		return;
	}
	int fd = host_keeper_memory(host, KEEPER_STREAM_RECORDING);
	struct stat st;
	/* Nobody who reads it may find it shorter than it was. */
	if (fd < 0 || fstat(fd, &st) < 0 ||
		(st.st_size == 0 &&
			(ftruncate(fd, (off_t)size) < 0 ||
				fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) <
					0))) {
		city_log(CITY_LOG_WARN, host->name, "is not recorded: %s", strerror(errno));
		goto error;
	}
	/* It stays as it is for as long as the tile lives: another version may have it mapped. */
	size = st.st_size > 0 ? (uint64_t)st.st_size : size;
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED) {
		city_log(CITY_LOG_WARN, host->name, "is not recorded: %s", strerror(errno));
		goto error;
	}
	if (!recording_writer_init(&recorder->writer, memory, size)) {
		munmap(memory, size);
		goto error;
	}
	recorder->size = size;
	recorder->fd = fd;
	/* What attach looks at first is mapped by having been looked at. */
	recording_newest(&recorder->writer);
	return;
error:
	if (fd >= 0) {
		close(fd);
	}
	recorder->writer.memory = NULL;
}

void host_recorder_finish(struct host *host) {
	struct host_recorder *recorder = &host->recorder;
	if (recorder->writer.memory) {
		munmap(recorder->writer.memory, recorder->size);
		recorder->writer.memory = NULL;
		close(recorder->fd);
	}
	recorder->on = false;
}

/* ---- events */

/* No room: what was written of this operation is taken back, so that whole ones remain. */
static void cut(struct host *host) {
	struct host_recorder *recorder = &host->recorder;
	struct recording_header *header = header_of(host);
	__atomic_fetch_add(&header->rewinds, 1, __ATOMIC_SEQ_CST);
	header->flags |= RECORDING_CUT;
	__atomic_store_n(&header->used, recorder->before, __ATOMIC_RELEASE);
	recorder->on = recorder->inside = false;
	recorder->wants_base = true;
}

static struct recording_event *put(
	struct host *host, enum recording_type type, unsigned arg, size_t payload) {
	if (!host->recorder.on) {
		return NULL;
	}
	struct recording_event *event = recording_put(&host->recorder.writer, type, arg, payload);
	if (!event) {
		cut(host);
	}
	return event;
}

static void publish(struct host *host, const struct recording_event *event) {
	recording_publish(&host->recorder.writer, event);
}

static struct recording_size size_of(const struct host *host) {
	return (struct recording_size){
		.width = host->tile.width,
		.height = host->tile.height,
		.scale = host->tile.scale,
		.focused = host->tile.focused,
	};
}

/* Only if it is another one now. False: there is no room. */
static bool put_transport(struct host *host) {
	const struct vat_transport *transport = &host->transport;
	if (memcmp(transport, &host->recorder.known_transport, sizeof(*transport)) == 0) {
		return true;
	}
	struct recording_event *event = put(host, RECORDING_TRANSPORT, 0, sizeof(*transport));
	if (event) {
		memcpy(recording_payload(event), transport, sizeof(*transport));
		publish(host, event);
	}
	return event != NULL;
}

static struct recording_moment moment_of(const struct host *host) {
	return (struct recording_moment){host->time, host->tile.frame};
}

/* An operation begins: whatever changed around it comes first. */
static struct recording_event *begin(
	struct host *host, enum recording_type type, unsigned arg, size_t payload) {
	struct host_recorder *recorder = &host->recorder;
	if (!recorder->on) {
		return NULL;
	}
	struct recording_header *header = header_of(host);
	header->flags &= ~(uint32_t)RECORDING_YIELDED;
	recorder->before = header->used;
	struct recording_size size = size_of(host);
	if (memcmp(&size, &recorder->known, sizeof(size)) != 0 && type != RECORDING_ATTACH) {
		struct recording_event *event = put(host, RECORDING_SIZE, 0, sizeof(size));
		if (!event) {
			return NULL;
		}
		memcpy(recording_payload(event), &size, sizeof(size));
		publish(host, event);
	}
	recorder->known = size;
	if (type != RECORDING_ATTACH && !put_transport(host)) {
		return NULL;
	}
	recorder->known_transport = host->transport;
	struct recording_event *event = put(host, type, arg, payload);
	recorder->inside = event != NULL;
	return event;
}

/* Where a payload's text begins, after what was copied to its start. */
static char *fill(struct recording_event *event, const void *data, size_t size) {
	char *payload = recording_payload(event);
	if (size > 0) {
		memcpy(payload, data, size);
	}
	return payload + size;
}

void host_recorder_operation(struct host *host, enum recording_type type) {
	struct recording_moment moment = moment_of(host);
	struct recording_event *event = begin(host, type, 0, sizeof(moment));
	if (event) {
		fill(event, &moment, sizeof(moment));
		publish(host, event);
	}
}

void host_recorder_render(struct host *host, const struct tile_sound *sound) {
	struct recording_render render = {
		.at = moment_of(host),
		.frame = sound->frame,
		.skipped = sound->skipped,
		.frames = sound->frames,
		.port = sound->port,
	};
	struct recording_event *event = begin(host, RECORDING_RENDER, 0, sizeof(render));
	if (event) {
		fill(event, &render, sizeof(render));
		publish(host, event);
	}
}

void host_recorder_input(struct host *host, const struct tile_input *input) {
	const char *text = NULL;
	size_t size = 0;
	struct recording_input head = {.at = moment_of(host), .input = *input};
	if (input->type == TILE_INPUT_PASTE) {
		text = input->paste.text;
		size = input->paste.size;
		head.input.paste.text = NULL;
	} else if (input->type == TILE_INPUT_STREAM_END) {
		text = input->stream.name;
		size = strlen(text) + 1;
		head.input.stream.name = NULL;
	} else if (input->type == TILE_INPUT_FILE) {
		text = input->file.option;
		size = strlen(text) + 1;
		head.input.file.option = NULL;
	}
	struct recording_event *event = begin(host, RECORDING_INPUT, 0, sizeof(head) + size);
	if (event) {
		char *end = fill(event, &head, sizeof(head));
		if (size > 0) {
			memcpy(end, text, size);
		}
		publish(host, event);
	}
}

void host_recorder_ready(struct host *host, const char *stream, bool readable, bool writable) {
	size_t size = strlen(stream) + 1;
	struct recording_moment moment = moment_of(host);
	struct recording_event *event = begin(host, RECORDING_READY,
		(readable ? 1u : 0u) | (writable ? 2u : 0u), sizeof(moment) + size);
	if (event) {
		memcpy(fill(event, &moment, sizeof(moment)), stream, size);
		publish(host, event);
	}
}

void host_recorder_end(struct host *host, bool result) {
	struct host_recorder *recorder = &host->recorder;
	if (!recorder->inside) {
		return;
	}
	struct recording_event *event = put(host, RECORDING_END, result, 0);
	if (!event) {
		return;
	}
	publish(host, event);
	recorder->inside = false;
	const struct recording_header *header = header_of(host);
	if (header->used > header->events_room - header->events_room / 4) {
		recorder->wants_base = true;
	}
}

/* ---- within operations */

static struct recording_event *put_named(struct host *host, enum recording_type type, unsigned arg,
	const char *name, const void *data, size_t size, size_t more, char **end) {
	if (!host->recorder.inside) {
		return NULL;
	}
	size_t name_size = strlen(name) + 1;
	struct recording_event *event = put(host, type, arg, size + name_size + more);
	if (event) {
		char *text = fill(event, data, size);
		memcpy(text, name, name_size);
		*end = text + name_size;
	}
	return event;
}

void host_recorder_read(struct host *host, int stream, const void *data, long result) {
	if (!host->recorder.inside || result == 0 || stream < 0 || stream >= HOST_STREAMS_MAX ||
		!host->streams[stream].name[0]) {
		return;
	}
	int64_t value = result;
	size_t size = result > 0 ? (size_t)result : 0;
	char *end;
	struct recording_event *event = put_named(host, RECORDING_READ, 0,
		host->streams[stream].name, &value, sizeof(value), size, &end);
	if (event) {
		memcpy(end, data, size);
		publish(host, event);
	}
}

void host_recorder_write(struct host *host, int stream, size_t size, long result) {
	if (!host->recorder.inside || stream < 0 || stream >= HOST_STREAMS_MAX ||
		!host->streams[stream].name[0]) {
		return;
	}
	int64_t value = result;
	char *end;
	struct recording_event *event = put_named(host, RECORDING_WRITE, result != (long)size,
		host->streams[stream].name, &value, sizeof(value), 0, &end);
	if (event) {
		publish(host, event);
	}
}

void host_recorder_stream(
	struct host *host, enum recording_type type, const char *name, bool result) {
	char *end;
	struct recording_event *event =
		vat_name_valid(name) ? put_named(host, type, result, name, NULL, 0, 0, &end) : NULL;
	if (event) {
		publish(host, event);
	}
}

void host_recorder_file(
	struct host *host, const char *option, const struct tile_file *file, bool result) {
	char *end;
	struct recording_event *event = vat_name_valid(option)
		? put_named(host, RECORDING_FILE, result, option, file, sizeof(*file), 0, &end)
		: NULL;
	if (event) {
		publish(host, event);
	}
}

static void put_value(struct host *host, enum recording_type type, const void *data, size_t size) {
	struct recording_event *event = host->recorder.inside ? put(host, type, 0, size) : NULL;
	if (event) {
		fill(event, data, size);
		publish(host, event);
	}
}

void host_recorder_random(struct host *host, uint64_t value) {
	put_value(host, RECORDING_RANDOM, &value, sizeof(value));
}

void host_recorder_no_cell(struct host *host, uint32_t cell) {
	put_value(host, RECORDING_NO_CELL, &cell, sizeof(cell));
}

void host_recorder_ask(struct host *host, bool result) {
	struct recording_event *event =
		host->recorder.inside ? put(host, RECORDING_ASK, result, 0) : NULL;
	if (event) {
		publish(host, event);
	}
}

void host_recorder_status(
	struct host *host, uint32_t port, const struct tile_sound_status *status, bool result) {
	struct recording_status value = {.port = port, .status = *status};
	struct recording_event *event =
		host->recorder.inside ? put(host, RECORDING_STATUS, result, sizeof(value)) : NULL;
	if (event) {
		fill(event, &value, sizeof(value));
		publish(host, event);
	}
}

/* ---- versions */

static void put_attach(struct host *host, enum tile_attach reason) {
	size_t offset = 0;
	const struct keeper_message *assume = host->assume;
	const char *hash = keeper_wire_next(assume, &offset);
	size_t options = assume->text_size - offset;
	struct recording_attach attach = {
		.reason = reason,
		.at = moment_of(host),
		.size = size_of(host),
		.transport = host->transport,
	};
	snprintf(attach.hash, sizeof(attach.hash), "%s", hash ? hash : "");
	struct recording_event *event = begin(host, RECORDING_ATTACH, 0, sizeof(attach) + options);
	if (event) {
		memcpy(fill(event, &attach, sizeof(attach)), assume->text + offset, options);
		publish(host, event);
	}
}

/* Its memory is given back until it is used again. */
static void empty_slot(const struct host_recorder *recorder, unsigned slot) {
	off_t at = (off_t)(slot * recorder->writer.slot_size + RECORDING_HEADER);
	fallocate(recorder->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at,
		(off_t)(recorder->writer.slot_size - RECORDING_HEADER));
}

/* The next slot, where nothing of the last one is lost by it. Seen once it has a number. */
static void begin_slot(struct host *host, int newest) {
	struct host_recorder *recorder = &host->recorder;
	unsigned slot = newest < 0 ? 0 : 1 - (unsigned)newest;
	recording_begin(&recorder->writer, slot, vat_region_info(host->region));
	empty_slot(recorder, slot);
	recorder->before = 0;
	recorder->wants_drop = false;
}

static uint64_t number_of(const struct host *host, int slot) {
	return slot < 0 ? 0 : recording_slot(&host->recorder.writer, (unsigned)slot)->number;
}

/* This version gets its cells back as it gave them up: what others did with them is undone. */
static bool take_back(struct host *host, int newest) {
	struct host_recorder *recorder = &host->recorder;
	if (recorder->yield_number == 0 || newest < 0) {
		return false;
	}
	if (number_of(host, newest) == recorder->yield_number + 1) {
		recording_slot(&recorder->writer, (unsigned)newest)->number = 0;
		newest = 1 - newest;
	}
	if (number_of(host, newest) != recorder->yield_number) {
		return false;
	}
	recorder->writer.slot = (unsigned)newest;
	struct recording_header *header = header_of(host);
	__atomic_fetch_add(&header->rewinds, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&header->used, recorder->yield_used, __ATOMIC_RELEASE);
	if (recorder->yield_on) {
		header->flags &= ~(uint32_t)RECORDING_CUT;
	}
	return recorder->yield_on;
}

void host_recorder_prepare(struct host *host) {
	struct recording_writer *writer = &host->recorder.writer;
	int newest = writer->memory ? recording_newest(writer) : -1;
	if (newest >= 0) {
		recording_prepare(writer, (unsigned)newest);
	}
}

void host_recorder_attach(struct host *host, enum tile_attach reason, bool kept) {
	struct host_recorder *recorder = &host->recorder;
	if (!recorder->writer.memory) {
		return;
	}
	int newest = recording_newest(&recorder->writer);
	recorder->inside = recorder->on = false;
	recorder->wants_drop = false;
	recorder->next_base_at = 0;
	if (reason == TILE_ATTACH_COLD) {
		begin_slot(host, newest);
		header_of(host)->number = number_of(host, newest) + 1;
		recorder->on = true;
	} else if (reason == TILE_ATTACH_ROLLBACK) {
		recorder->on = take_back(host, newest);
	} else if (reason == TILE_ATTACH_HANDOVER && kept && newest >= 0) {
		recorder->writer.slot = (unsigned)newest;
		uint32_t flags = header_of(host)->flags;
		recorder->on = (flags & RECORDING_YIELDED) && !(flags & RECORDING_CUT);
	}
	recorder->wants_base = !recorder->on;
	put_attach(host, reason);
}

void host_recorder_yield(struct host *host) {
	struct host_recorder *recorder = &host->recorder;
	recorder->yield_number = 0;
	if (!recorder->writer.memory || recording_newest(&recorder->writer) < 0) {
		return;
	}
	struct recording_header *header = header_of(host);
	recorder->yield_number = header->number;
	recorder->yield_used = header->used;
	recorder->yield_on = recorder->on;
	if (recorder->on) {
		header->flags |= RECORDING_YIELDED;
	}
	recorder->on = false;
}

/* ---- the base */

/* Whether the other slot can go. */
static bool may_drop(const struct host *host) {
	const struct host_recorder *recorder = &host->recorder;
	return recorder->wants_drop && recorder->on &&
		recording_slot(&recorder->writer, recorder->writer.slot)->used >
		recorder->drop_used;
}

bool host_recorder_wants_rest(const struct host *host) {
	const struct host_recorder *recorder = &host->recorder;
	if (recorder->inside || host->state != HOST_LIVE) {
		return false;
	}
	return (recorder->wants_base && host_monotonic() >= recorder->next_base_at) ||
		may_drop(host);
}

/* What of the region is not a hole, from *at on; false: nothing. */
static bool next_extent(int fd, off_t size, off_t *at, struct recording_extent *extent) {
	off_t begin = *at < size ? lseek(fd, *at, SEEK_DATA) : -1;
	if (begin < 0 || begin >= size) {
		return false;
	}
	off_t end = lseek(fd, begin, SEEK_HOLE);
	end = end < 0 || end > size ? size : end;
	*extent = (struct recording_extent){(uint64_t)begin, (uint64_t)(end - begin)};
	*at = end;
	return true;
}

static uint64_t base_bytes(const struct host *host) {
	int fd = vat_region_fd(host->region);
	off_t size = (off_t)vat_region_size(host->region), at = 0;
	struct recording_extent extent;
	uint64_t bytes = 0;
	while (next_extent(fd, size, &at, &extent)) {
		bytes += sizeof(extent) + extent.size;
	}
	return bytes;
}

/* Nobody else writes the region. False: it cannot be read. */
static bool copy_region(struct host *host, struct recording_header *header) {
	int fd = vat_region_fd(host->region);
	off_t size = (off_t)vat_region_size(host->region), at = 0;
	uint8_t *to = (uint8_t *)header + header->base_at;
	struct recording_extent extent;
	while (next_extent(fd, size, &at, &extent)) {
		memcpy(to, &extent, sizeof(extent));
		to += sizeof(extent);
		for (uint64_t done = 0; done < extent.size;) {
			ssize_t got =
				pread(fd, to + done, extent.size - done, (off_t)(extent.at + done));
			if (got <= 0) {
				return false;
			}
			done += (uint64_t)got;
		}
		to += extent.size;
	}
	header->base_used = (uint64_t)(to - (uint8_t *)header) - header->base_at;
	header->base_size = (uint64_t)size;
	return header->base_used > 0;
}

/* What it costs, however busy the machine is. */
static uint64_t processor_time(void) {
	struct timespec now;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void take_base(struct host *host) {
	struct host_recorder *recorder = &host->recorder;
	uint64_t began = processor_time();
	int newest = recording_newest(&recorder->writer);
	recorder->wants_base = false;
	if (base_bytes(host) > recording_base_room(&recorder->writer)) {
		city_log(CITY_LOG_DEBUG, host->name,
			"its state is too large for more than %lu KiB to be recorded",
			(unsigned long)(recorder->writer.slot_size / 1024));
		recorder->next_base_at = HOST_NEVER;
		return;
	}
	bool follows = recorder->on;
	begin_slot(host, newest);
	struct recording_header *header = header_of(host);
	recorder->on = copy_region(host, header);
	if (!recorder->on) {
		city_log(CITY_LOG_WARN, host->name, "is not recorded: its state cannot be read");
		return;
	}
	header->flags = follows ? RECORDING_FOLLOWS : 0;
	header->number = number_of(host, newest) + 1;
	put_attach(host, TILE_ATTACH_REPLAY);
	host_recorder_end(host, true);
	for (size_t i = 0; i < HOST_STREAMS_MAX && recorder->on; i++) {
		const char *name = host->streams[i].name;
		struct recording_event *event = host->streams[i].fd >= 0
			? put(host, RECORDING_STREAM_THERE, 0, strlen(name) + 1)
			: NULL;
		if (event) {
			fill(event, name, strlen(name) + 1);
			publish(host, event);
		}
	}
	/* What lies before a gap is of use until something has happened behind it; what is joined
	 * to this one, until this one is long enough alone. */
	recorder->wants_drop = recorder->on;
	recorder->drop_used = follows ? header->events_room / 2 : header->used;
	recorder->next_base_at = host_monotonic() + (processor_time() - began) * BASE_SHARE;
}

static void drop_other(struct host *host) {
	struct host_recorder *recorder = &host->recorder;
	unsigned other = 1 - recorder->writer.slot;
	recording_slot(&recorder->writer, other)->number = 0;
	empty_slot(recorder, other);
	recorder->wants_drop = false;
}

void host_recorder_rest(struct host *host) {
	if (may_drop(host)) {
		drop_other(host);
	} else {
		take_base(host);
	}
}
