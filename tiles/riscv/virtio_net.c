/* SPDX-License-Identifier: MIT */
/*
 * The network card: a virtio network device (virtio 1.2: 5.1) with one queue for each direction. It
 * carries whole Ethernet frames and offers nothing that would make them anything else: no checksums
 * to be filled in, no segmentation, no buffers that are merged.
 *
 * What is done at once is bounded by the size of the queues: a queue of frames, each of which is
 * copied once.
 */
#include <string.h>

#include "virtio.h"

#define DEVICE_NET 1

#define FEATURE_MAC (1ull << 5)
#define FEATURE_STATUS (1ull << 16)

#define STATUS_LINK_UP 1u

/* Before each frame: struct virtio_net_hdr, of which only the number of buffers is ever not 0. */
#define HEADER_SIZE 12
#define HEADER_BUFFERS 10

static uint64_t features(const struct virtio *dev) {
	return VIRTIO_VERSION_1 | FEATURE_MAC | FEATURE_STATUS;
}

static unsigned config(const struct virtio *dev, uint8_t out[64]) {
	const struct rv_net *net = dev->m->net;
	uint16_t status = net->link ? STATUS_LINK_UP : 0;
	memcpy(out, net->mac, sizeof(net->mac));
	memcpy(out + sizeof(net->mac), &status, sizeof(status));
	return sizeof(net->mac) + sizeof(status);
}

static void notified(const struct virtio *dev, unsigned queue);

static const struct virtio_kind kind = {
	.device = DEVICE_NET,
	.irq = RV_IRQ_NET,
	.queues = RV_NET_QUEUES,
	.features = features,
	.config = config,
	.notified = notified,
	.reset = rv_net_reset,
};

static struct virtio device_of(struct rv_machine *m) {
	return (struct virtio){m, &kind, &m->net->regs, m->net->queues};
}

void rv_net_reset(struct rv_machine *m) {
	struct rv_net *net = m->net;
	net->regs = (struct rv_virtio_regs){};
	memset(net->queues, 0, sizeof(net->queues));
	rv_plic_line(m, RV_IRQ_NET, false);
}

void rv_net_link(struct rv_machine *m, bool up) {
	const struct virtio dev = device_of(m);
	if (m->net->link == up)
		return;
	m->net->link = up;
	if (virtio_runs(&dev, RV_NET_RECEIVE))
		virtio_interrupt(&dev, VIRTIO_INTERRUPT_CONFIG);
}

/* ------------------------------------------------------------------ from the guest */

/* The frame at the head of the queue goes into `out`, where there is room, or nowhere if it is
 * none. False: the queue makes no sense. */
static bool send(const struct virtio *dev, struct rv_virtq *queue) {
	struct rv_machine *m = dev->m;
	struct rv_net *net = m->net;
	struct virtio_chain chain;
	if (!virtio_collect(m, queue, &chain) || chain.read_size < HEADER_SIZE)
		return false;
	uint64_t size = chain.read_size - HEADER_SIZE;
	if (net->link && size >= RV_FRAME_MIN && size <= RV_FRAME_MAX) {
		struct rv_frame *frame = &net->out[(net->out_head + net->out_count) % RV_NET_OUT];
		virtio_move(m, &chain, false, HEADER_SIZE, frame->bytes, size);
		frame->size = (uint16_t)size;
		net->out_count++;
		net->sent++;
		net->sent_bytes += size;
	} else {
		net->dropped++;
	}
	return virtio_done(m, queue, &chain, 0);
}

static void send_all(const struct virtio *dev) {
	struct rv_virtq *queue = &dev->queues[RV_NET_TRANSMIT];
	const struct rv_net *net = dev->m->net;
	unsigned count;
	uint16_t flags;
	if (!virtio_available(dev->m, queue, &count, &flags)) {
		virtio_broken(dev);
		return;
	}
	unsigned done = 0;
	for (; done < count && net->out_count < RV_NET_OUT; done++) {
		if (!send(dev, queue)) {
			virtio_broken(dev);
			return;
		}
	}
	if (done > 0 && !(flags & VIRTIO_AVAIL_NO_INTERRUPT))
		virtio_interrupt(dev, VIRTIO_INTERRUPT_USED);
}

/* New buffers are used when there is a frame for them. */
static void notified(const struct virtio *dev, unsigned queue) {
	if (queue == RV_NET_TRANSMIT)
		send_all(dev);
}

const struct rv_frame *rv_net_output(const struct rv_machine *m) {
	return m->net->out_count > 0 ? &m->net->out[m->net->out_head] : NULL;
}

void rv_net_output_drop(struct rv_machine *m) {
	const struct virtio dev = device_of(m);
	struct rv_net *net = m->net;
	if (net->out_count == 0)
		return;
	net->out_head = (net->out_head + 1) % RV_NET_OUT;
	net->out_count--;
	/* All at once, for each time interrupts the guest. */
	if (net->out_count == 0 && virtio_runs(&dev, RV_NET_TRANSMIT))
		send_all(&dev);
}

/* ------------------------------------------------------------------ to the guest */

bool rv_net_input(struct rv_machine *m, const void *frame, size_t size) {
	const struct virtio dev = device_of(m);
	struct rv_net *net = m->net;
	struct rv_virtq *queue = &net->queues[RV_NET_RECEIVE];
	struct virtio_chain chain;
	unsigned count;
	uint16_t flags;
	if (!virtio_runs(&dev, RV_NET_RECEIVE) || !net->link || size < RV_FRAME_MIN ||
		size > RV_FRAME_MAX) {
		net->dropped++;
		return true;
	}
	if (!virtio_available(m, queue, &count, &flags))
		goto broken;
	if (count == 0)
		return false;
	uint8_t header[HEADER_SIZE] = {[HEADER_BUFFERS] = 1};
	/* Every buffer has to have room for the largest frame: 5.1.6.3.1. */
	if (!virtio_collect(m, queue, &chain) || chain.readable > 0 ||
		chain.write_size < HEADER_SIZE + size)
		goto broken;
	virtio_move(m, &chain, true, 0, header, HEADER_SIZE);
	virtio_move(m, &chain, true, HEADER_SIZE, (uint8_t *)frame, size);
	if (!virtio_done(m, queue, &chain, (uint32_t)(HEADER_SIZE + size)))
		goto broken;
	net->received++;
	net->received_bytes += size;
	if (!(flags & VIRTIO_AVAIL_NO_INTERRUPT))
		virtio_interrupt(&dev, VIRTIO_INTERRUPT_USED);
	return true;

broken:
	virtio_broken(&dev);
	net->dropped++;
	return true;
}

/* ------------------------------------------------------------------ registers */

bool rv_net_read(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t *value) {
	const struct virtio dev = m->net ? device_of(m) : (struct virtio){};
	return m->net && virtio_read(&dev, offset, size, value);
}

bool rv_net_write(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t value) {
	const struct virtio dev = m->net ? device_of(m) : (struct virtio){};
	return m->net && virtio_write(&dev, offset, size, value);
}
