/* SPDX-License-Identifier: MIT */
/*
 * The disk: a virtio block device behind virtio-mmio's registers (virtio 1.2: 2.7 split queues, 4.2
 * MMIO, 5.2 block). One queue, and all requests are done, in order, before the step after the one
 * that notified of them; so the index of the used ring is always that of the available ring.
 *
 * The driver is the guest, and may be anything. All addresses of its are checked where they are
 * used, for it may change every byte between two looks; a queue that makes no sense stops the
 * device, as the specification wants it, until it is reset. At most MUCH bytes are moved at once:
 * then the host gets to look at its clock, and the rest is done before the machine's next step. How
 * far it has come is state, and a notification is always cut in the same places, so that no guest
 * can tell, whatever it makes of its own queue.
 */
#include <string.h>

#include "machine.h"

enum {
	MAGIC = 0x000,
	VERSION = 0x004,
	DEVICE_ID = 0x008,
	VENDOR_ID = 0x00c,
	DEVICE_FEATURES = 0x010,
	DEVICE_FEATURES_SEL = 0x014,
	DRIVER_FEATURES = 0x020,
	DRIVER_FEATURES_SEL = 0x024,
	QUEUE_SEL = 0x030,
	QUEUE_NUM_MAX = 0x034,
	QUEUE_NUM = 0x038,
	QUEUE_READY = 0x044,
	QUEUE_NOTIFY = 0x050,
	INTERRUPT_STATUS = 0x060,
	INTERRUPT_ACK = 0x064,
	STATUS = 0x070,
	QUEUE_DESC = 0x080,
	QUEUE_DRIVER = 0x090,
	QUEUE_DEVICE = 0x0a0,
	CONFIG = 0x100,
};

#define MAGIC_VALUE 0x74726976u
#define VENDOR_VALUE 0x59544943u
#define DEVICE_NONE 0
#define DEVICE_BLOCK 2

#define STATUS_FEATURES_OK 8u
#define STATUS_DRIVER_OK 4u
#define STATUS_NEEDS_RESET 64u

#define INTERRUPT_USED 1u
#define INTERRUPT_CONFIG 2u

#define FEATURE_SEG_MAX (1ull << 2)
#define FEATURE_RO (1ull << 5)
#define FEATURE_FLUSH (1ull << 9)
#define FEATURE_VERSION_1 (1ull << 32)

#define DESC_SIZE 16
#define DESC_NEXT 1u
#define DESC_WRITE 2u
#define AVAIL_NO_INTERRUPT 1u

#define SECTOR 512ull
#define HEADER_SIZE 16
#define REQUEST_MAX (2ull << 20) /* bytes that one request moves */
#define SEGMENTS_MAX 62		 /* of data, beside the header and the status */
#define CHAIN_MAX (SEGMENTS_MAX + 2)
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

struct buffer {
	uint64_t address;
	uint32_t length;
};

/* A request's buffers: first those that the device reads, then those that it writes. */
struct chain {
	struct buffer buffers[CHAIN_MAX];
	unsigned count, readable;
	uint64_t read_size, write_size;
};

/* ------------------------------------------------------------------ guest memory */

static uint8_t *at(struct rv_machine *m, uint64_t address, uint64_t size) {
	return rv_is_ram(m, address, size) ? m->ram + (address - RV_RAM_BASE) : NULL;
}

static bool get(struct rv_machine *m, uint64_t address, void *data, uint64_t size) {
	const uint8_t *from = at(m, address, size);
	if (from)
		memcpy(data, from, size);
	return from;
}

static bool put(struct rv_machine *m, uint64_t address, const void *data, uint64_t size) {
	uint8_t *to = at(m, address, size);
	if (!to)
		return false;
	memcpy(to, data, size);
	rv_machine_written(m, address, size);
	return true;
}

/* ------------------------------------------------------------------ state of the device */

static uint64_t features(const struct rv_machine *m) {
	return FEATURE_VERSION_1 | FEATURE_SEG_MAX | FEATURE_FLUSH |
		(m->virtio->read_only ? FEATURE_RO : 0);
}

static void interrupt(struct rv_machine *m, uint32_t why) {
	m->virtio->interrupt |= why;
	rv_plic_line(m, RV_IRQ_VIRTIO, true);
}

/* The driver broke the rules; only a reset helps. */
static void broken(struct rv_machine *m) {
	m->virtio->status |= STATUS_NEEDS_RESET;
	interrupt(m, INTERRUPT_CONFIG);
}

void rv_virtio_reset(struct rv_machine *m) {
	bool read_only = m->virtio->read_only;
	memset(m->virtio, 0, sizeof(*m->virtio));
	m->virtio->read_only = read_only;
	rv_plic_line(m, RV_IRQ_VIRTIO, false);
}

/* ------------------------------------------------------------------ requests */

static bool collect(struct rv_machine *m, uint16_t head, struct chain *chain) {
	const struct rv_virtio *dev = m->virtio;
	memset(chain, 0, sizeof(*chain));
	for (unsigned index = head;;) {
		struct {
			uint64_t address;
			uint32_t length;
			uint16_t flags, next;
		} desc;
		static_assert(sizeof(desc) == DESC_SIZE);
		if (index >= dev->queue_size || chain->count == CHAIN_MAX ||
			chain->count == dev->queue_size)
			return false;
		if (!get(m, dev->desc + DESC_SIZE * (uint64_t)index, &desc, sizeof(desc)))
			return false;
		if ((desc.flags & ~(DESC_NEXT | DESC_WRITE)) ||
			!rv_is_ram(m, desc.address, desc.length))
			return false;
		chain->buffers[chain->count++] = (struct buffer){desc.address, desc.length};
		if (desc.flags & DESC_WRITE) {
			chain->write_size += desc.length;
		} else {
			if (chain->write_size > 0 || chain->readable != chain->count - 1)
				return false;
			chain->readable = chain->count;
			chain->read_size += desc.length;
		}
		if (!(desc.flags & DESC_NEXT))
			return true;
		index = desc.next;
	}
}

/* Moves `size` bytes from `offset` on of the readable or of the writable buffers. They are there:
 * the chain was checked, and is not read again. */
static void move(struct rv_machine *m, const struct chain *chain, bool to_guest, uint64_t offset,
	uint8_t *data, uint64_t size) {
	unsigned end = to_guest ? chain->count : chain->readable;
	for (unsigned i = to_guest ? chain->readable : 0; i < end && size > 0; i++) {
		const struct buffer *buffer = &chain->buffers[i];
		if (offset >= buffer->length) {
			offset -= buffer->length;
			continue;
		}
		uint64_t part = buffer->length - offset;
		if (part > size)
			part = size;
		if (to_guest)
			put(m, buffer->address + offset, data, part);
		else
			get(m, buffer->address + offset, data, part);
		data += part;
		size -= part;
		offset = 0;
	}
}

/* The part of the disk that a request means; NULL: not all of it is there. */
static uint8_t *sectors(struct rv_machine *m, uint64_t sector, uint64_t size) {
	uint64_t count = m->disk_size / SECTOR;
	if (size % SECTOR != 0 || size > REQUEST_MAX || sector > count ||
		size / SECTOR > count - sector)
		return NULL;
	return m->disk + sector * SECTOR;
}

/* Moves what is left of a request's data, but no more than *room: what that leaves of it. */
static uint64_t move_some(struct rv_machine *m, const struct chain *chain, bool to_guest,
	uint8_t *disk, uint64_t size, uint32_t *room) {
	uint32_t *done = &m->virtio->done;
	uint64_t left = size > *done ? size - *done : 0;
	uint32_t part = left < *room ? (uint32_t)left : *room;
	move(m, chain, to_guest, (to_guest ? 0 : HEADER_SIZE) + *done, disk + *done, part);
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
	struct rv_machine *m, const struct chain *chain, uint32_t *room, uint64_t *written) {
	struct {
		uint32_t type, reserved;
		uint64_t sector;
	} header;
	static_assert(sizeof(header) == HEADER_SIZE);
	static const char id[ID_SIZE] = "source-city";
	uint64_t out_size = chain->read_size - HEADER_SIZE;
	uint64_t in_size = chain->write_size - 1;
	uint8_t *disk;
	move(m, chain, false, 0, (uint8_t *)&header, sizeof(header));
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
		move(m, chain, true, 0, (uint8_t *)id, ID_SIZE);
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
	uint16_t slot = dev->last_avail % dev->queue_size, head;
	struct chain chain;
	if (!get(m, dev->driver + 4 + 2ull * slot, &head, sizeof(head)) ||
		!collect(m, head, &chain) || chain.read_size < HEADER_SIZE || chain.write_size < 1)
		return SERVED_BROKEN;
	uint64_t written = 0;
	uint8_t result = perform(m, &chain, room, &written);
	if (result == RESULT_LATER)
		return SERVED_PART;
	dev->done = 0;
	move(m, &chain, true, chain.write_size - 1, &result, 1);
	/* All before the status counts only if it was written. */
	uint32_t used[2] = {head, written == chain.write_size - 1 ? (uint32_t)written + 1 : 0};
	dev->last_avail++;
	return put(m, dev->device + 4 + sizeof(used) * slot, used, sizeof(used)) &&
			put(m, dev->device + 2, &dev->last_avail, sizeof(dev->last_avail))
		? SERVED
		: SERVED_BROKEN;
}

void rv_virtio_go_on(struct rv_machine *m) {
	struct rv_virtio *dev = m->virtio;
	uint32_t room = MUCH;
	uint16_t avail[2]; /* flags, index */
	dev->busy = false;
	if (!get(m, dev->driver, avail, sizeof(avail)) ||
		(uint16_t)(avail[1] - dev->last_avail) > dev->queue_size) {
		broken(m);
		return;
	}
	while (dev->last_avail != avail[1]) {
		switch (serve(m, &room)) {
		case SERVED:
			break;
		case SERVED_PART:
			dev->busy = m->attention = true;
			return;
		case SERVED_BROKEN:
			broken(m);
			return;
		}
	}
	if (!(avail[0] & AVAIL_NO_INTERRUPT))
		interrupt(m, INTERRUPT_USED);
}

static void notified(struct rv_machine *m) {
	struct rv_virtio *dev = m->virtio;
	uint16_t index;
	if (!dev->queue_ready || !(dev->status & STATUS_DRIVER_OK) ||
		(dev->status & STATUS_NEEDS_RESET) || dev->busy)
		return;
	if (get(m, dev->driver + 2, &index, sizeof(index)) && index == dev->last_avail)
		return;
	rv_virtio_go_on(m);
}

/* ------------------------------------------------------------------ registers */

static uint64_t read_config(const struct rv_machine *m, uint64_t offset, unsigned size) {
	struct {
		uint64_t capacity;
		uint32_t size_max, seg_max;
	} config = {.capacity = m->disk_size / SECTOR, .seg_max = SEGMENTS_MAX};
	uint64_t value = 0;
	if (offset < sizeof(config) && size <= sizeof(config) - offset)
		memcpy(&value, (const uint8_t *)&config + offset, size);
	return value;
}

static uint32_t read_register(const struct rv_machine *m, uint64_t offset) {
	const struct rv_virtio *dev = m->virtio;
	bool queue = dev->queue_select == 0;
	switch (offset) {
	case MAGIC:
		return MAGIC_VALUE;
	case VERSION:
		return 2;
	case DEVICE_ID:
		return m->disk ? DEVICE_BLOCK : DEVICE_NONE;
	case VENDOR_ID:
		return VENDOR_VALUE;
	case DEVICE_FEATURES:
		return dev->device_select < 2 ? features(m) >> (32 * dev->device_select) : 0;
	case QUEUE_NUM_MAX:
		return queue ? RV_VIRTQ_MAX : 0;
	case QUEUE_READY:
		return queue && dev->queue_ready;
	case INTERRUPT_STATUS:
		return dev->interrupt;
	case STATUS:
		return dev->status;
	default:
		return 0;
	}
}

bool rv_virtio_read(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t *value) {
	if (offset >= CONFIG) {
		*value = read_config(m, offset - CONFIG, size);
		return true;
	}
	if (size != 4 || offset % 4 != 0)
		return false;
	*value = read_register(m, offset);
	return true;
}

static void write_status(struct rv_machine *m, uint32_t value) {
	struct rv_virtio *dev = m->virtio;
	if (value == 0) {
		rv_virtio_reset(m);
		return;
	}
	/* Not granted: what was not offered, and a driver of the time before version 1. */
	if ((value & ~dev->status & STATUS_FEATURES_OK) &&
		((dev->driver_features & ~features(m)) ||
			!(dev->driver_features & FEATURE_VERSION_1)))
		value &= ~STATUS_FEATURES_OK;
	dev->status = (value & 0xff) | (dev->status & STATUS_NEEDS_RESET);
}

static void set_half(uint64_t *address, bool high, uint32_t value) {
	unsigned shift = high ? 32 : 0;
	*address = (*address & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
}

/* The registers of the selected queue, of which there is one; they are fixed while it is ready. */
static void write_queue(struct rv_machine *m, uint64_t offset, uint32_t value) {
	struct rv_virtio *dev = m->virtio;
	if (dev->queue_select != 0)
		return;
	if (offset == QUEUE_READY) {
		bool valid = dev->queue_size > 0 && (dev->queue_size & (dev->queue_size - 1)) == 0;
		if ((value & 1) && !dev->queue_ready)
			dev->last_avail = 0;
		dev->queue_ready = (value & 1) && valid;
		return;
	}
	if (dev->queue_ready)
		return;
	switch (offset) {
	case QUEUE_NUM:
		dev->queue_size = value <= RV_VIRTQ_MAX ? value : 0;
		break;
	case QUEUE_DESC:
	case QUEUE_DESC + 4:
		set_half(&dev->desc, offset & 4, value);
		break;
	case QUEUE_DRIVER:
	case QUEUE_DRIVER + 4:
		set_half(&dev->driver, offset & 4, value);
		break;
	case QUEUE_DEVICE:
	case QUEUE_DEVICE + 4:
		set_half(&dev->device, offset & 4, value);
		break;
	default:
		break;
	}
}

static void write_register(struct rv_machine *m, uint64_t offset, uint32_t value) {
	struct rv_virtio *dev = m->virtio;
	switch (offset) {
	case DEVICE_FEATURES_SEL:
		dev->device_select = value;
		break;
	case DRIVER_FEATURES_SEL:
		dev->driver_select = value;
		break;
	case DRIVER_FEATURES:
		if (dev->driver_select < 2 && !(dev->status & STATUS_FEATURES_OK))
			set_half(&dev->driver_features, dev->driver_select == 1, value);
		break;
	case QUEUE_SEL:
		dev->queue_select = value;
		break;
	case QUEUE_NOTIFY:
		if (value == 0)
			notified(m);
		break;
	case INTERRUPT_ACK:
		dev->interrupt &= ~value;
		rv_plic_line(m, RV_IRQ_VIRTIO, dev->interrupt != 0);
		break;
	case STATUS:
		write_status(m, value);
		break;
	default:
		write_queue(m, offset, value);
	}
}

bool rv_virtio_write(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t value) {
	if (offset >= CONFIG)
		return true; /* nothing there is the driver's to set */
	if (size != 4 || offset % 4 != 0)
		return false;
	if (m->disk)
		write_register(m, offset, value);
	return true;
}
