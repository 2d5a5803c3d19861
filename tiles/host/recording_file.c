/* SPDX-License-Identifier: MIT */
/* Recordings as files: writing them, and reading those that anybody may have written. */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"
#include "recording.h"

#define FILE_MAX (RECORDING_ROOM_MAX + RECORDING_HEADER)
#define REGION_MAX (64ull << 30)

static int write_all(int fd, const void *data, size_t size) {
	const uint8_t *bytes = data;
	while (size > 0) {
		ssize_t n = write(fd, bytes, size);
		if (n < 0 && errno == EINTR) {
			continue;
		}
		if (n <= 0) {
			return n < 0 ? -errno : -ENOSPC;
		}
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

static uint64_t header_sum(const struct recording_header *header) {
	return vat_checksum(header, offsetof(struct recording_header, header_sum));
}

int recording_save(const struct recording *recording, int fd, struct vat_error *err) {
	static_assert(sizeof(struct recording_header) <= RECORDING_HEADER);
	union {
		struct recording_header header;
		uint8_t bytes[RECORDING_HEADER];
	} page = {0};
	struct recording_header *header = &page.header;
	*header = recording->header;
	header->events_at = RECORDING_HEADER;
	header->events_room = header->used;
	header->base_at = RECORDING_HEADER + header->used;
	header->base_room = header->base_used;
	header->events_sum = vat_checksum(recording->events, header->used);
	header->base_sum = vat_checksum(recording->base, header->base_used);
	header->header_sum = header_sum(header);
	int rc = write_all(fd, page.bytes, sizeof(page.bytes));
	if (rc == 0) {
		rc = write_all(fd, recording->events, header->used);
	}
	if (rc == 0) {
		rc = write_all(fd, recording->base, header->base_used);
	}
	return rc < 0 ? vat_fail(err, -rc, "recording: cannot be written: %s", strerror(-rc)) : 0;
}

/* ---- checks */

bool recording_is_operation(unsigned type) {
	return type >= RECORDING_ATTACH && type <= RECORDING_RENDER;
}

const char *recording_type_name(unsigned type) {
	static const char *const names[] = {
		[RECORDING_ATTACH] = "attach",
		[RECORDING_UPDATE] = "update",
		[RECORDING_DRAW] = "draw",
		[RECORDING_INPUT] = "input",
		[RECORDING_READY] = "stream_ready",
		[RECORDING_QUIESCE] = "quiesce",
		[RECORDING_RENDER] = "render",
		[RECORDING_END] = "end",
		[RECORDING_SIZE] = "size",
		[RECORDING_STREAM_THERE] = "stream",
		[RECORDING_TRANSPORT] = "transport",
		[RECORDING_READ] = "read",
		[RECORDING_WRITE] = "write",
		[RECORDING_CLAIM] = "claim",
		[RECORDING_OPEN] = "open",
		[RECORDING_RANDOM] = "random",
		[RECORDING_NO_CELL] = "no cell",
		[RECORDING_FILE] = "file",
		[RECORDING_WATCH] = "watch",
		[RECORDING_ASK] = "ask",
		[RECORDING_STATUS] = "status",
	};
	return type <= RECORDING_TYPE_MAX ? names[type] : NULL;
}

const char *recording_text(const struct recording_event *event, size_t skip, size_t *size) {
	*size = event->size - event->pad - sizeof(*event) - skip;
	return (const char *)(event + 1) + skip;
}

/* Bytes of the payload before its text. */
static size_t fixed_size(unsigned type) {
	switch (type) {
	case RECORDING_ATTACH:
		return sizeof(struct recording_attach);
	case RECORDING_UPDATE:
	case RECORDING_DRAW:
	case RECORDING_READY:
	case RECORDING_QUIESCE:
		return sizeof(struct recording_moment);
	case RECORDING_RENDER:
		return sizeof(struct recording_render);
	case RECORDING_INPUT:
		return sizeof(struct recording_input);
	case RECORDING_SIZE:
		return sizeof(struct recording_size);
	case RECORDING_READ:
	case RECORDING_WRITE:
		return sizeof(int64_t);
	case RECORDING_RANDOM:
		return sizeof(uint64_t);
	case RECORDING_NO_CELL:
		return sizeof(uint32_t);
	case RECORDING_FILE:
		return sizeof(struct tile_file);
	case RECORDING_TRANSPORT:
		return sizeof(struct vat_transport);
	case RECORDING_STATUS:
		return sizeof(struct recording_status);
	default:
		return 0;
	}
}

/* A name with its zero byte at the start of the text; its length, 0 for none. */
static size_t name_size(const char *text, size_t size) {
	size_t length = strnlen(text, size);
	return length < size && length < VAT_NAME_SIZE && vat_name_valid(text) ? length + 1 : 0;
}

static bool size_good(const struct recording_size *size) {
	return size->width >= 0 && size->width <= 16384 && size->height >= 0 &&
		size->height <= 16384 && size->scale > 0 && size->scale <= 64 &&
		(double)size->width * size->height * size->scale * size->scale < 1 << 28 &&
		size->focused <= 1;
}

/* A bool that is neither 0 nor 1 must not get as far as to be read as one. */
static bool bool_good(const bool *value) {
	uint8_t byte;
	memcpy(&byte, value, 1);
	return byte <= 1;
}

static bool input_good(const struct recording_input *input, const char *text, size_t size) {
	const struct tile_input *event = &input->input;
	switch (event->type) {
	case TILE_INPUT_FOCUS:
		return size == 0 && bool_good(&event->focus);
	case TILE_INPUT_KEY:
		return size == 0 && (unsigned)event->key.state <= TILE_KEY_REPEATED &&
			memchr(event->key.text, 0, sizeof(event->key.text));
	case TILE_INPUT_POINTER_ENTER:
	case TILE_INPUT_POINTER_LEAVE:
	case TILE_INPUT_POINTER_MOTION:
	case TILE_INPUT_POINTER_BUTTON:
		return size == 0 && isfinite(event->pointer.tx) && isfinite(event->pointer.ty) &&
			bool_good(&event->pointer.pressed);
	case TILE_INPUT_SCROLL:
		return size == 0 && isfinite(event->scroll.tx) && isfinite(event->scroll.ty) &&
			isfinite(event->scroll.dx) && isfinite(event->scroll.dy);
	case TILE_INPUT_PASTE:
		return event->paste.size == size && !event->paste.text &&
			bool_good(&event->paste.primary);
	case TILE_INPUT_SIZE: {
		struct recording_size new_size = {
			event->size.width, event->size.height, event->size.scale, 0, 0};
		return size == 0 && size_good(&new_size);
	}
	case TILE_INPUT_STREAM_END:
		return !event->stream.name && name_size(text, size) == size && size > 0;
	case TILE_INPUT_FILE:
		return !event->file.option && name_size(text, size) == size && size > 0;
	}
	return false;
}

static bool event_good(const struct recording_event *event) {
	size_t size = event->size - sizeof(*event) - event->pad, fixed = fixed_size(event->type);
	if (size < fixed) {
		return false;
	}
	size_t text_size;
	const char *text = recording_text(event, fixed, &text_size);
	const void *data = recording_data(event);
	switch (event->type) {
	case RECORDING_ATTACH: {
		const struct recording_attach *attach = data;
		return attach->reason >= TILE_ATTACH_COLD && attach->reason <= TILE_ATTACH_REPLAY &&
			size_good(&attach->size) && memchr(attach->hash, 0, sizeof(attach->hash)) &&
			vat_transport_valid(&attach->transport) &&
			(text_size == 0 || text[text_size - 1] == 0);
	}
	case RECORDING_INPUT:
		return input_good(data, text, text_size);
	case RECORDING_SIZE:
		return text_size == 0 && size_good(data);
	case RECORDING_TRANSPORT:
		return text_size == 0 && vat_transport_valid(data);
	case RECORDING_RENDER: {
		const struct recording_render *render = data;
		return text_size == 0 && render->frames >= 1 &&
			render->frames <= TILE_SOUND_FRAMES_MAX;
	}
	case RECORDING_STATUS:
		return text_size == 0 &&
			bool_good(&((const struct recording_status *)data)->status.connected);
	case RECORDING_READ: {
		int64_t result = *(const int64_t *)data;
		size_t name = name_size(text, text_size);
		return name > 0 && result >= -1 &&
			text_size - name == (result > 0 ? (size_t)result : 0);
	}
	case RECORDING_WRITE:
		return *(const int64_t *)data >= -1 && text_size > 0 &&
			name_size(text, text_size) == text_size;
	case RECORDING_FILE: {
		const struct tile_file *file = data;
		return memchr(file->why, 0, sizeof(file->why)) && text_size > 0 &&
			name_size(text, text_size) == text_size;
	}
	case RECORDING_READY:
	case RECORDING_STREAM_THERE:
	case RECORDING_CLAIM:
	case RECORDING_OPEN:
	case RECORDING_WATCH:
		return text_size > 0 && name_size(text, text_size) == text_size;
	default:
		return text_size == 0;
	}
}

/* What is within an operation is; operations are not within each other. The last one may have no
 * end: the version that it belongs to died in it. */
static bool order_good(unsigned type, bool *inside) {
	bool operation = recording_is_operation(type);
	bool within = type >= RECORDING_READ || type == RECORDING_END;
	if (within != *inside) {
		return false;
	}
	*inside = type == RECORDING_END ? false : operation ? true : *inside;
	return true;
}

static int check_events(const struct recording *recording, struct vat_error *err) {
	uint64_t used = recording->header.used, at = 0;
	bool inside = false;
	while (at < used) {
		const struct recording_event *event = (const void *)(recording->events + at);
		uint64_t left = used - at;
		if (left < sizeof(*event) || event->size < sizeof(*event) || event->size > left ||
			event->size % 8 != 0 || event->pad >= 8 ||
			event->pad > event->size - sizeof(*event) || event->type == 0 ||
			event->type > RECORDING_TYPE_MAX || !event_good(event) ||
			!order_good(event->type, &inside) ||
			(at == 0) != (event->type == RECORDING_ATTACH && at == 0)) {
			return vat_fail(err, EBADMSG,
				"recording: the event at byte %llu makes no sense",
				(unsigned long long)at);
		}
		at += event->size;
	}
	return 0;
}

static int check_base(const struct recording *recording, struct vat_error *err) {
	const struct recording_header *header = &recording->header;
	uint64_t at = 0, end = 0;
	while (at < header->base_used) {
		struct recording_extent extent;
		if (header->base_used - at < sizeof(extent)) {
			break;
		}
		memcpy(&extent, recording->base + at, sizeof(extent));
		at += sizeof(extent);
		if (extent.at < end || extent.at % VAT_PAGE != 0 || extent.size % VAT_PAGE != 0 ||
			extent.size == 0 || extent.size > header->base_used - at ||
			extent.at > header->base_size ||
			extent.size > header->base_size - extent.at) {
			break;
		}
		at += extent.size;
		end = extent.at + extent.size;
	}
	return at == header->base_used
		? 0
		: vat_fail(err, EBADMSG, "recording: its state is damaged at byte %llu",
			  (unsigned long long)at);
}

static int check_header(
	const struct recording_header *header, uint64_t size, struct vat_error *err) {
	if (header->magic != RECORDING_MAGIC) {
		return vat_fail(err, EBADMSG, "this is no recording; cityctl record makes one");
	}
	if (header->format != RECORDING_FORMAT) {
		return vat_fail(err, EBADMSG, "recording: format %u; this build knows %u",
			header->format, RECORDING_FORMAT);
	}
	if (header->header_sum != header_sum(header)) {
		return vat_fail(err, EBADMSG, "recording: its header is damaged");
	}
	uint64_t room = size - RECORDING_HEADER;
	if (header->used > room || header->base_used > room - header->used ||
		header->used + header->base_used != room || header->used % 8 != 0 ||
		header->base_size > REGION_MAX || memchr(header->name, 0, VAT_NAME_SIZE) == NULL ||
		(header->name[0] && !vat_name_valid(header->name))) {
		return vat_fail(err, EBADMSG, "recording: its header does not fit %llu bytes",
			(unsigned long long)size);
	}
	return 0;
}

static int check(struct recording *recording, uint64_t size, struct vat_error *err) {
	int rc = check_header(&recording->header, size, err);
	if (rc < 0) {
		return rc;
	}
	recording->events = (uint8_t *)recording->data + RECORDING_HEADER;
	recording->base = recording->events + recording->header.used;
	if (vat_checksum(recording->events, recording->header.used) !=
			recording->header.events_sum ||
		vat_checksum(recording->base, recording->header.base_used) !=
			recording->header.base_sum) {
		return vat_fail(err, EBADMSG, "recording: a checksum does not fit, it is damaged");
	}
	rc = check_events(recording, err);
	return rc < 0 ? rc : check_base(recording, err);
}

static int take(struct recording *recording, uint64_t size, struct vat_error *err) {
	memcpy(&recording->header, recording->data, sizeof(recording->header));
	int rc = check(recording, size, err);
	if (rc < 0) {
		recording_finish(recording);
	}
	return rc;
}

static int wrong_size(uint64_t size, struct vat_error *err) {
	return vat_fail(err, EBADMSG,
		"%llu bytes are no recording: it was cut off, or is something else",
		(unsigned long long)size);
}

int recording_parse(
	const void *data, uint64_t size, struct recording *recording, struct vat_error *err) {
	*recording = (struct recording){0};
	if (size < RECORDING_HEADER || size > FILE_MAX) {
		return wrong_size(size, err);
	}
	recording->data = malloc(size);
	if (!recording->data) {
		return vat_fail(err, ENOMEM, "recording: no memory for %llu bytes",
			(unsigned long long)size);
	}
	memcpy(recording->data, data, size);
	return take(recording, size, err);
}

int recording_load(int fd, struct recording *recording, struct vat_error *err) {
	struct stat st;
	*recording = (struct recording){0};
	if (fstat(fd, &st) < 0) {
		return vat_fail(err, errno, "recording: %s", strerror(errno));
	}
	if (!S_ISREG(st.st_mode)) {
		return vat_fail(err, EBADMSG, "this is not a regular file, and so no recording");
	}
	if (st.st_size < RECORDING_HEADER || (uint64_t)st.st_size > FILE_MAX) {
		return wrong_size((uint64_t)st.st_size, err);
	}
	recording->data = malloc((size_t)st.st_size);
	int rc = recording->data ? vat_read_all(fd, recording->data, (size_t)st.st_size, 0)
				 : -ENOMEM;
	if (rc < 0) {
		recording_finish(recording);
		return vat_fail(err, -rc, "recording: cannot be read: %s", strerror(-rc));
	}
	return take(recording, (uint64_t)st.st_size, err);
}

void recording_finish(struct recording *recording) {
	free(recording->data);
	*recording = (struct recording){0};
}

const struct recording_event *recording_next(const struct recording *recording, uint64_t *at) {
	if (*at >= recording->header.used) {
		return NULL;
	}
	const struct recording_event *event = (const void *)(recording->events + *at);
	*at += event->size;
	return event;
}

/* ---- the state */

static int fill(int fd, const struct recording *recording) {
	for (uint64_t at = 0; at < recording->header.base_used;) {
		struct recording_extent extent;
		memcpy(&extent, recording->base + at, sizeof(extent));
		at += sizeof(extent);
		int rc = vat_write_all(fd, recording->base + at, extent.size, extent.at);
		if (rc < 0) {
			return rc;
		}
		at += extent.size;
	}
	return 0;
}

int recording_region(const struct recording *recording, struct vat_error *err) {
	struct vat_region_info info = {
		.tile = recording->header.tile,
		.city = recording->header.city,
	};
	memcpy(info.name, recording->header.name, sizeof(info.name));
	int region = vat_region_create(&info, recording->header.base_size, err);
	int rc = region < 0 ? 0 : fill(region, recording);
	if (rc < 0) {
		close(region);
		return vat_fail(
			err, -rc, "recording: its state cannot be copied: %s", strerror(-rc));
	}
	return region;
}
