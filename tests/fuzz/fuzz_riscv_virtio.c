/* SPDX-License-Identifier: MIT */
/*
 * A guest that means the disk ill: any sequence of writes to its registers and to RAM. The device
 * touches nothing but RAM and the disk, which the sanitizer sees, and the registers of nobody else.
 *
 * Input, a record each: a byte that says what, then
 *   0: offset of a register, 4 bytes of value     1: 2 bytes of offset in RAM, one of length, bytes
 *   2: number, 2 bytes of address, 2 of length, flags, next: a descriptor that could be right
 *   3: head: made available and notified           4: the device is started as a driver does it
 */
#include <string.h>

#include "board.h"

#define RAM (16 * 1024)
#define DISK (8 * 512)
#define QUEUE 8
#define DESC 0x1000
#define AVAIL 0x1100
#define USED 0x1200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

static uint8_t take(struct input *input) {
	if (input->size == 0)
		return 0;
	input->size--;
	return *input->data++;
}

static uint32_t take_many(struct input *input, unsigned bytes) {
	uint32_t value = 0;
	for (unsigned i = 0; i < bytes; i++)
		value |= (uint32_t)take(input) << 8 * i;
	return value;
}

static void set(struct rv_machine *m, unsigned offset, uint32_t value) {
	board_write(m, RV_VIRTIO_BASE + offset, 4, value);
}

static void start(struct rv_machine *m) {
	static const uint32_t steps[][2] = {{0x70, 0}, {0x70, 3}, {0x24, 1}, {0x20, 1}, {0x70, 11},
		{0x30, 0}, {0x38, QUEUE}, {0x80, RV_RAM_BASE + DESC}, {0x84, 0},
		{0x90, RV_RAM_BASE + AVAIL}, {0x94, 0}, {0xa0, RV_RAM_BASE + USED}, {0xa4, 0},
		{0x44, 1}, {0x70, 15}};
	memset(m->ram + AVAIL, 0, 4);
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		set(m, steps[i][0], steps[i][1]);
}

static void put_descriptor(struct rv_machine *m, struct input *input) {
	uint8_t *desc = m->ram + DESC + 16 * (take(input) % QUEUE);
	uint64_t address = RV_RAM_BASE + take_many(input, 2);
	uint32_t length = take_many(input, 2);
	uint16_t flags = take(input) & 7, next = take(input) % (QUEUE + 1);
	memcpy(desc, &address, 8);
	memcpy(desc + 8, &length, 4);
	memcpy(desc + 12, &flags, 2);
	memcpy(desc + 14, &next, 2);
}

static void submit(struct rv_machine *m, uint16_t head) {
	uint16_t index;
	memcpy(&index, m->ram + AVAIL + 2, 2);
	memcpy(m->ram + AVAIL + 4 + 2 * (index % QUEUE), &head, 2);
	index++;
	memcpy(m->ram + AVAIL + 2, &index, 2);
	set(m, 0x50, 0);
}

static void put_bytes(struct rv_machine *m, struct input *input) {
	unsigned offset = take_many(input, 2) % RAM, length = take(input);
	for (unsigned i = 0; i < length && offset + i < RAM && input->size > 0; i++)
		m->ram[offset + i] = take(input);
}

static void act(struct rv_machine *m, struct input *input) {
	uint64_t value;
	unsigned offset;
	switch (take(input) % 5) {
	case 0:
		offset = take(input) * 4;
		set(m, offset, take_many(input, 4));
		rv_bus_read(m, RV_VIRTIO_BASE + offset, 4, &value);
		break;
	case 1:
		put_bytes(m, input);
		break;
	case 2:
		put_descriptor(m, input);
		break;
	case 3:
		submit(m, take(input) % (QUEUE + 1));
		break;
	case 4:
		start(m);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct input input = {data, size};
	struct rv_machine *m = board_create(1, RAM, DISK);
	struct rv_hart hart = m->harts[0];
	struct rv_clint clint = *m->clint;
	struct rv_board board = *m->board;
	struct rv_uart uart = *m->uart;
	start(m);
	while (input.size > 0)
		act(m, &input);
	if (memcmp(&hart, m->harts, sizeof(hart)) || memcmp(&clint, m->clint, sizeof(clint)) ||
		memcmp(&board, m->board, sizeof(board)) || memcmp(&uart, m->uart, sizeof(uart)) ||
		(m->plic->level & ~(1u << RV_IRQ_VIRTIO)))
		abort();
	board_destroy(m);
	return 0;
}
