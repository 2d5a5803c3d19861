/* SPDX-License-Identifier: MIT */
#include "virtio.h"

#include <stdbit.h>
#include <string.h>

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

#define STATUS_FEATURES_OK 8u
#define STATUS_DRIVER_OK 4u
#define STATUS_NEEDS_RESET 64u

#define DESC_SIZE 16

/* ------------------------------------------------------------------ guest memory */

uint8_t *virtio_at(struct rv_machine *m, uint64_t address, uint64_t size) {
	return rv_is_ram(m, address, size) ? m->ram + (address - RV_RAM_BASE) : NULL;
}

bool virtio_get(struct rv_machine *m, uint64_t address, void *data, uint64_t size) {
	const uint8_t *from = virtio_at(m, address, size);
	if (from)
		memcpy(data, from, size);
	return from;
}

bool virtio_put(struct rv_machine *m, uint64_t address, const void *data, uint64_t size) {
	uint8_t *to = virtio_at(m, address, size);
	if (!to)
		return false;
	memcpy(to, data, size);
	rv_machine_written(m, address, size);
	return true;
}

/* ------------------------------------------------------------------ queues */

bool virtio_available(
	struct rv_machine *m, const struct rv_virtq *queue, unsigned *count, uint16_t *flags) {
	uint16_t avail[2]; /* flags, index */
	if (!virtio_get(m, queue->driver, avail, sizeof(avail)))
		return false;
	*flags = avail[0];
	*count = (uint16_t)(avail[1] - queue->last_avail);
	return *count <= queue->size;
}

bool virtio_collect(
	struct rv_machine *m, const struct rv_virtq *queue, struct virtio_chain *chain) {
	uint16_t slot = queue->last_avail % queue->size;
	chain->count = chain->readable = 0;
	chain->read_size = chain->write_size = 0;
	if (!virtio_get(m, queue->driver + 4 + 2ull * slot, &chain->head, sizeof(chain->head)))
		return false;
	for (unsigned index = chain->head;;) {
		struct {
			uint64_t address;
			uint32_t length;
			uint16_t flags, next;
		} desc;
		static_assert(sizeof(desc) == DESC_SIZE);
		if (index >= queue->size || chain->count == queue->size)
			return false;
		if (!virtio_get(m, queue->desc + DESC_SIZE * (uint64_t)index, &desc, sizeof(desc)))
			return false;
		if ((desc.flags & ~(VIRTIO_DESC_NEXT | VIRTIO_DESC_WRITE)) ||
			!rv_is_ram(m, desc.address, desc.length))
			return false;
		chain->buffers[chain->count++] = (struct virtio_buffer){desc.address, desc.length};
		if (desc.flags & VIRTIO_DESC_WRITE) {
			chain->write_size += desc.length;
		} else {
			if (chain->write_size > 0 || chain->readable != chain->count - 1)
				return false;
			chain->readable = chain->count;
			chain->read_size += desc.length;
		}
		if (!(desc.flags & VIRTIO_DESC_NEXT))
			return true;
		index = desc.next;
	}
}

void virtio_move(struct rv_machine *m, const struct virtio_chain *chain, bool to_guest,
	uint64_t offset, uint8_t *data, uint64_t size) {
	unsigned end = to_guest ? chain->count : chain->readable;
	for (unsigned i = to_guest ? chain->readable : 0; i < end && size > 0; i++) {
		const struct virtio_buffer *buffer = &chain->buffers[i];
		if (offset >= buffer->length) {
			offset -= buffer->length;
			continue;
		}
		uint64_t part = buffer->length - offset;
		if (part > size)
			part = size;
		if (to_guest)
			virtio_put(m, buffer->address + offset, data, part);
		else
			virtio_get(m, buffer->address + offset, data, part);
		data += part;
		size -= part;
		offset = 0;
	}
}

bool virtio_done(struct rv_machine *m, struct rv_virtq *queue, const struct virtio_chain *chain,
	uint32_t written) {
	uint32_t used[2] = {chain->head, written};
	uint16_t slot = queue->last_avail % queue->size;
	queue->last_avail++;
	return virtio_put(m, queue->device + 4 + sizeof(used) * slot, used, sizeof(used)) &&
		virtio_put(m, queue->device + 2, &queue->last_avail, sizeof(queue->last_avail));
}

/* ------------------------------------------------------------------ state of a device */

void virtio_interrupt(const struct virtio *dev, uint32_t why) {
	dev->regs->interrupt |= why;
	rv_plic_line(dev->m, dev->kind->irq, true);
}

void virtio_broken(const struct virtio *dev) {
	dev->regs->status |= STATUS_NEEDS_RESET;
	virtio_interrupt(dev, VIRTIO_INTERRUPT_CONFIG);
}

bool virtio_runs(const struct virtio *dev, unsigned queue) {
	return dev->queues[queue].ready && (dev->regs->status & STATUS_DRIVER_OK) &&
		!(dev->regs->status & STATUS_NEEDS_RESET);
}

bool virtio_is_possible(const struct rv_virtq *queues, unsigned count) {
	for (unsigned i = 0; i < count; i++)
		if (queues[i].size > RV_VIRTQ_MAX ||
			(queues[i].ready && !stdc_has_single_bit(queues[i].size)))
			return false;
	return true;
}

static void notified(const struct virtio *dev, uint32_t queue) {
	if (queue < dev->kind->queues && virtio_runs(dev, queue))
		dev->kind->notified(dev, queue);
}

/* ------------------------------------------------------------------ registers */

static uint64_t read_config(const struct virtio *dev, uint64_t offset, unsigned size) {
	uint8_t config[64] = {};
	unsigned known = dev->kind->config(dev, config);
	uint64_t value = 0;
	if (offset < known && size <= known - offset)
		memcpy(&value, config + offset, size);
	return value;
}

static struct rv_virtq *selected(const struct virtio *dev) {
	return dev->regs->queue_select < dev->kind->queues ? &dev->queues[dev->regs->queue_select]
							   : NULL;
}

static uint32_t read_register(const struct virtio *dev, uint64_t offset) {
	const struct rv_virtio_regs *regs = dev->regs;
	const struct rv_virtq *queue = selected(dev);
	switch (offset) {
	case MAGIC:
		return MAGIC_VALUE;
	case VERSION:
		return 2;
	case DEVICE_ID:
		return dev->kind->device;
	case VENDOR_ID:
		return VENDOR_VALUE;
	case DEVICE_FEATURES:
		return regs->device_select < 2
			? dev->kind->features(dev) >> (32 * regs->device_select)
			: 0;
	case QUEUE_NUM_MAX:
		return queue ? RV_VIRTQ_MAX : 0;
	case QUEUE_READY:
		return queue && queue->ready;
	case INTERRUPT_STATUS:
		return regs->interrupt;
	case STATUS:
		return regs->status;
	default:
		return 0;
	}
}

bool virtio_read(const struct virtio *dev, uint64_t offset, unsigned size, uint64_t *value) {
	if (offset >= CONFIG) {
		*value = read_config(dev, offset - CONFIG, size);
		return true;
	}
	if (size != 4 || offset % 4 != 0)
		return false;
	*value = read_register(dev, offset);
	return true;
}

static void write_status(const struct virtio *dev, uint32_t value) {
	struct rv_virtio_regs *regs = dev->regs;
	if (value == 0) {
		dev->kind->reset(dev->m);
		return;
	}
	/* Not granted: what was not offered, and a driver of the time before version 1. */
	if ((value & ~regs->status & STATUS_FEATURES_OK) &&
		((regs->driver_features & ~dev->kind->features(dev)) ||
			!(regs->driver_features & VIRTIO_VERSION_1)))
		value &= ~STATUS_FEATURES_OK;
	regs->status = (value & 0xff) | (regs->status & STATUS_NEEDS_RESET);
}

static void set_half(uint64_t *address, bool high, uint32_t value) {
	unsigned shift = high ? 32 : 0;
	*address = (*address & ~(0xffffffffull << shift)) | (uint64_t)value << shift;
}

/* The registers of the selected queue; they are fixed while it is ready. */
static void write_queue(struct rv_virtq *queue, uint64_t offset, uint32_t value) {
	if (offset == QUEUE_READY) {
		bool valid = queue->size > 0 && (queue->size & (queue->size - 1)) == 0;
		if ((value & 1) && !queue->ready)
			queue->last_avail = 0;
		queue->ready = (value & 1) && valid;
		return;
	}
	if (queue->ready)
		return;
	switch (offset) {
	case QUEUE_NUM:
		queue->size = value <= RV_VIRTQ_MAX ? value : 0;
		break;
	case QUEUE_DESC:
	case QUEUE_DESC + 4:
		set_half(&queue->desc, offset & 4, value);
		break;
	case QUEUE_DRIVER:
	case QUEUE_DRIVER + 4:
		set_half(&queue->driver, offset & 4, value);
		break;
	case QUEUE_DEVICE:
	case QUEUE_DEVICE + 4:
		set_half(&queue->device, offset & 4, value);
		break;
	default:
		break;
	}
}

static void write_register(const struct virtio *dev, uint64_t offset, uint32_t value) {
	struct rv_virtio_regs *regs = dev->regs;
	struct rv_virtq *queue = selected(dev);
	switch (offset) {
	case DEVICE_FEATURES_SEL:
		regs->device_select = value;
		break;
	case DRIVER_FEATURES_SEL:
		regs->driver_select = value;
		break;
	case DRIVER_FEATURES:
		if (regs->driver_select < 2 && !(regs->status & STATUS_FEATURES_OK))
			set_half(&regs->driver_features, regs->driver_select == 1, value);
		break;
	case QUEUE_SEL:
		regs->queue_select = value;
		break;
	case QUEUE_NOTIFY:
		notified(dev, value);
		break;
	case INTERRUPT_ACK:
		regs->interrupt &= ~value;
		rv_plic_line(dev->m, dev->kind->irq, regs->interrupt != 0);
		break;
	case STATUS:
		write_status(dev, value);
		break;
	default:
		if (queue)
			write_queue(queue, offset, value);
	}
}

bool virtio_write(const struct virtio *dev, uint64_t offset, unsigned size, uint64_t value) {
	if (offset >= CONFIG)
		return true; /* nothing there is the driver's to set */
	if (size != 4 || offset % 4 != 0)
		return false;
	write_register(dev, offset, value);
	return true;
}
