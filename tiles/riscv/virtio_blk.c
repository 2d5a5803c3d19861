/* SPDX-License-Identifier: MIT */
/*
 * The disk: a virtio block device (virtio 1.2: 5.2). One queue, and all requests are done, in
 * order, before the step after the one that notified of them.
 *
 * At most MUCH bytes are moved at once: then the host gets to look at its clock, and the rest is
 * done before the machine's next step. How far it has come is state, and a notification is always
 * cut in the same places, so that no guest can tell, whatever it makes of its own queue.
 */
#include <string.h>

#include "virtio.h"

#define DEVICE_BLOCK 2

#define FEATURE_SEG_MAX (1ull << 2)
#define FEATURE_RO (1ull << 5)
#define FEATURE_FLUSH (1ull << 9)

#define SECTOR 512ull
#define HEADER_SIZE 16
#define REQUEST_MAX (2ull << 20)	/* bytes that one request moves */
#define SEGMENTS_MAX (RV_VIRTQ_MAX - 2) /* of data, beside the header and the status */
#define ID_SIZE 20
#define MUCH (256u << 10) /* bytes */

enum request {
	REQUEST_IN = 0,
	REQUEST_OUT = 1,
	REQUEST_FLUSH = 4,
	REQUEST_GET_ID = 8,
};

enum result {
	RESULT_OK = 0,
	RESULT_ERROR = 1,
	RESULT_UNSUPPORTED = 2,
	RESULT_LATER, /* there is more to be done */
};

/* ------------------------------------------------------------------ the device */

static uint64_t features(const struct virtio *dev) {
	return VIRTIO_VERSION_1 | FEATURE_SEG_MAX | FEATURE_FLUSH |
		(dev->m->virtio->read_only ? FEATURE_RO : 0);
}

static unsigned config(const struct virtio *dev, uint8_t out[64]) {
	struct {
		uint64_t capacity;
		uint32_t size_max, seg_max;
	} values = {.capacity = dev->m->disk_size / SECTOR, .seg_max = SEGMENTS_MAX};
	memcpy(out, &values, sizeof(values));
	return sizeof(values);
}

static void notified(const struct virtio *dev, unsigned queue);

static const struct virtio_kind kind = {
	.device = DEVICE_BLOCK,
	.irq = RV_IRQ_VIRTIO,
	.queues = 1,
	.features = features,
	.config = config,
	.notified = notified,
	.reset = rv_virtio_reset,
};

static struct virtio device_of(struct rv_machine *m) {
	return (struct virtio){m, &kind, &m->virtio->regs, &m->virtio->queue};
}

void rv_virtio_reset(struct rv_machine *m) {
	bool read_only = m->virtio->read_only;
	memset(m->virtio, 0, sizeof(*m->virtio));
	m->virtio->read_only = read_only;
	rv_plic_line(m, RV_IRQ_VIRTIO, false);
}

/* ------------------------------------------------------------------ requests */

/* The part of the disk that a request means; NULL: not all of it is there. */
static uint8_t *sectors(struct rv_machine *m, uint64_t sector, uint64_t size) {
	uint64_t count = m->disk_size / SECTOR;
	if (size % SECTOR != 0 || size > REQUEST_MAX || sector > count ||
		size / SECTOR > count - sector)
		return NULL;
	return m->disk + sector * SECTOR;
}

/* Moves what is left of a request's data, but no more than *room: what that leaves of it. */
static uint64_t move_some(struct rv_machine *m, const struct virtio_chain *chain, bool to_guest,
	uint8_t *disk, uint64_t size, uint32_t *room) {
	uint32_t *done = &m->virtio->done;
	uint64_t left = size > *done ? size - *done : 0;
	uint32_t part = left < *room ? (uint32_t)left : *room;
	virtio_move(m, chain, to_guest, (to_guest ? 0 : HEADER_SIZE) + *done, disk + *done, part);
	*done += part;
	*room -= part;
	/* However many were notified of it: the host gets to look at its clock. */
	m->moved += part;
	if (m->moved >= MUCH)
		m->worked = m->attention = true;
	return left - part;
}

/* `written`: the bytes that the guest's buffers got, without the status. */
static enum result perform(
	struct rv_machine *m, const struct virtio_chain *chain, uint32_t *room, uint64_t *written) {
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header;
	static_assert(sizeof(header) == HEADER_SIZE);
	static const char id[ID_SIZE] = "source-city";
	uint64_t out_size = chain->read_size - HEADER_SIZE;
	uint64_t in_size = chain->write_size - 1;
	uint8_t *disk;
	virtio_move(m, chain, false, 0, (uint8_t *)&header, sizeof(header));
	switch (header.type) {
	case REQUEST_IN:
		disk = sectors(m, header.sector, in_size);
		if (!disk)
			return RESULT_ERROR;
		*written = in_size;
		return move_some(m, chain, true, disk, in_size, room) ? RESULT_LATER : RESULT_OK;
	case REQUEST_OUT:
		disk = sectors(m, header.sector, out_size);
		if (!disk || m->virtio->read_only)
			return RESULT_ERROR;
		return move_some(m, chain, false, disk, out_size, room) ? RESULT_LATER : RESULT_OK;
	case REQUEST_FLUSH:
		return RESULT_OK;
	case REQUEST_GET_ID:
		if (in_size < ID_SIZE)
			return RESULT_ERROR;
		virtio_move(m, chain, true, 0, (uint8_t *)id, ID_SIZE);
		*written = ID_SIZE;
		return RESULT_OK;
	default:
		return RESULT_UNSUPPORTED;
	}
}

enum served {
	SERVED,
	SERVED_PART,
	SERVED_BROKEN,
};

/* The request at the head of the available ring. */
static enum served serve(struct rv_machine *m, uint32_t *room) {
	struct rv_virtio *dev = m->virtio;
	struct virtio_chain chain;
	if (!virtio_collect(m, &dev->queue, &chain) || chain.read_size < HEADER_SIZE ||
		chain.write_size < 1)
		return SERVED_BROKEN;
	uint64_t written = 0;
	uint8_t result = perform(m, &chain, room, &written);
	if (result == RESULT_LATER)
		return SERVED_PART;
	dev->done = 0;
	virtio_move(m, &chain, true, chain.write_size - 1, &result, 1);
	/* All before the status counts only if it was written. */
	uint32_t all = written == chain.write_size - 1 ? (uint32_t)written + 1 : 0;
	return virtio_done(m, &dev->queue, &chain, all) ? SERVED : SERVED_BROKEN;
}

void rv_virtio_go_on(struct rv_machine *m) {
	struct rv_virtio *state = m->virtio;
	const struct virtio dev = device_of(m);
	uint32_t room = MUCH;
	unsigned count;
	uint16_t flags;
	state->busy = false;
	if (!virtio_available(m, &state->queue, &count, &flags)) {
		virtio_broken(&dev);
		return;
	}
	for (; count > 0; count--) {
		switch (serve(m, &room)) {
		case SERVED:
			break;
		case SERVED_PART:
			state->busy = m->attention = true;
			return;
		case SERVED_BROKEN:
			virtio_broken(&dev);
			return;
		}
	}
	if (!(flags & VIRTIO_AVAIL_NO_INTERRUPT))
		virtio_interrupt(&dev, VIRTIO_INTERRUPT_USED);
}

static void notified(const struct virtio *dev, unsigned queue) {
	struct rv_virtio *state = dev->m->virtio;
	uint16_t index;
	if (state->busy)
		return;
	if (virtio_get(dev->m, state->queue.driver + 2, &index, sizeof(index)) &&
		index == state->queue.last_avail)
		return;
	rv_virtio_go_on(dev->m);
}

/* ------------------------------------------------------------------ registers */

#define DEVICE_ID 0x008
#define CONFIG 0x100

bool rv_virtio_read(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t *value) {
	const struct virtio dev = device_of(m);
	if (!virtio_read(&dev, offset, size, value))
		return false;
	/* Without a disk there is a place for one, of which nothing can be set. */
	if (offset == DEVICE_ID && !m->disk)
		*value = 0;
	return true;
}

bool rv_virtio_write(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t value) {
	const struct virtio dev = device_of(m);
	if (!m->disk)
		return offset >= CONFIG || (size == 4 && offset % 4 == 0);
	return virtio_write(&dev, offset, size, value);
}
