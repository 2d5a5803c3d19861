/* SPDX-License-Identifier: MIT */
/*
 * What the virtio devices have in common (virtio 1.2: 2.7 split queues, 4.2 MMIO): the registers,
 * and the queues in guest memory. A device is a constant struct virtio_kind and, in its state, one
 * struct rv_virtio_regs and its queues; struct virtio is both for the time of a call.
 *
 * The driver is the guest, and may be anything. All addresses of its are checked where they are
 * used, for it may change every byte between two looks; a queue that makes no sense stops the
 * device, as the specification wants it, until it is reset. A chain that virtio_collect() gave is
 * in RAM, all of it, and is not read again.
 */
#ifndef RISCV_VIRTIO_H
#define RISCV_VIRTIO_H

#include "machine.h"

#define VIRTIO_DESC_NEXT 1u
#define VIRTIO_DESC_WRITE 2u
#define VIRTIO_AVAIL_NO_INTERRUPT 1u

#define VIRTIO_INTERRUPT_USED 1u
#define VIRTIO_INTERRUPT_CONFIG 2u

#define VIRTIO_VERSION_1 (1ull << 32)

struct virtio;

struct virtio_kind {
	uint32_t device; /* its number in the specification */
	unsigned irq;
	unsigned queues;
	uint64_t (*features)(const struct virtio *dev);
	/* The device's own registers, for reading: how many bytes of `config` they are. */
	unsigned (*config)(const struct virtio *dev, uint8_t config[64]);
	/* A queue that is ready has news; the driver is, too. */
	void (*notified)(const struct virtio *dev, unsigned queue);
	void (*reset)(struct rv_machine *m);
};

struct virtio {
	struct rv_machine *m;
	const struct virtio_kind *kind;
	struct rv_virtio_regs *regs;
	struct rv_virtq *queues; /* kind->queues */
};

/* ---- registers; the device is there */

bool virtio_read(const struct virtio *dev, uint64_t offset, unsigned size, uint64_t *value);
bool virtio_write(const struct virtio *dev, uint64_t offset, unsigned size, uint64_t value);
void virtio_interrupt(const struct virtio *dev, uint32_t why);
/* The driver broke the rules; only a reset helps. */
void virtio_broken(const struct virtio *dev);
/* The driver has started the queue, and has broken no rule. */
bool virtio_runs(const struct virtio *dev, unsigned queue);
/* Of state that something else may have written. */
bool virtio_is_possible(const struct rv_virtq *queues, unsigned count);

/* ---- guest memory; false, NULL: not all of it is RAM */

uint8_t *virtio_at(struct rv_machine *m, uint64_t address, uint64_t size);
bool virtio_get(struct rv_machine *m, uint64_t address, void *data, uint64_t size);
bool virtio_put(struct rv_machine *m, uint64_t address, const void *data, uint64_t size);

/* ---- queues. All is done in order: the index of the used ring is that of the available one. */

struct virtio_buffer {
	uint64_t address;
	uint32_t length;
};

/* Buffers: first those that the device reads, then those that it writes. */
struct virtio_chain {
	struct virtio_buffer buffers[RV_VIRTQ_MAX];
	unsigned count, readable;
	uint64_t read_size, write_size;
	uint16_t head;
};

/* How many are available and not done yet, and the flags of the ring. False: it makes no sense. */
bool virtio_available(
	struct rv_machine *m, const struct rv_virtq *queue, unsigned *count, uint16_t *flags);
/* The first of them. */
bool virtio_collect(struct rv_machine *m, const struct rv_virtq *queue, struct virtio_chain *chain);
/* Moves `size` bytes from `offset` on of the readable or of the writable buffers, as far as they
 * go. */
void virtio_move(struct rv_machine *m, const struct virtio_chain *chain, bool to_guest,
	uint64_t offset, uint8_t *data, uint64_t size);
/* It is done, and so many bytes of it were written. False: the ring is not RAM. */
bool virtio_done(struct rv_machine *m, struct rv_virtq *queue, const struct virtio_chain *chain,
	uint32_t written);

#endif
