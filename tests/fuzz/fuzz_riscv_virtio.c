/* SPDX-License-Identifier: MIT */
/*
 * A guest that means the disk or the network card ill: any sequence of writes to its registers and
 * to RAM. The device touches nothing but RAM and the disk, which the sanitizer sees, and the
 * registers of nobody else; its state stays possible.
 *
 * Input, a record each: a byte that says what (from 128 on to the network card, below to the disk),
 * then 0: offset of a register, 4 bytes of value     1: 2 bytes of offset in RAM, one of length,
 * bytes 2: number, 2 bytes of address, 2 of length, flags, next: a descriptor that could be right
 *   3: head: made available and notified           4: the device is started as a driver does it
 *   5: 2 bytes of length: a frame of that size for the card   6: what the card sends is fetched
 *   7: a length, bytes: they come by the line
 */
#include <string.h>

#include "board.h"
#include "net_line.h"

#define RAM (16 * 1024)
#define DISK (8 * 512)
#define QUEUE 8
/* Of the disk's queue, and of the card's two. */
#define DESC(ring) (0x1000 + 0x400 * (ring))
#define AVAIL(ring) (DESC(ring) + 0x100)
#define USED(ring) (DESC(ring) + 0x200)

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

static void set(struct rv_machine *m, bool net, unsigned offset, uint32_t value) {
	board_write(m, (net ? RV_NET_BASE : RV_VIRTIO_BASE) + offset, 4, value);
}

static void start_queue(struct rv_machine *m, bool net, unsigned queue) {
	unsigned ring = net + queue;
	const uint32_t steps[][2] = {{0x30, queue}, {0x38, QUEUE}, {0x80, RV_RAM_BASE + DESC(ring)},
		{0x84, 0}, {0x90, RV_RAM_BASE + AVAIL(ring)}, {0x94, 0},
		{0xa0, RV_RAM_BASE + USED(ring)}, {0xa4, 0}, {0x44, 1}};
	memset(m->ram + AVAIL(ring), 0, 4);
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		set(m, net, steps[i][0], steps[i][1]);
}

static void start(struct rv_machine *m, bool net) {
	static const uint32_t steps[][2] = {{0x70, 0}, {0x70, 3}, {0x24, 1}, {0x20, 1}, {0x70, 11}};
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		set(m, net, steps[i][0], steps[i][1]);
	for (unsigned queue = 0; queue < 1u + net; queue++)
		start_queue(m, net, queue);
	set(m, net, 0x70, 15);
}

static void put_descriptor(struct rv_machine *m, unsigned ring, struct input *input) {
	uint8_t *desc = m->ram + DESC(ring) + 16 * (take(input) % QUEUE);
	uint64_t address = RV_RAM_BASE + take_many(input, 2);
	uint32_t length = take_many(input, 2);
	uint16_t flags = take(input) & 7, next = take(input) % (QUEUE + 1);
	memcpy(desc, &address, 8);
	memcpy(desc + 8, &length, 4);
	memcpy(desc + 12, &flags, 2);
	memcpy(desc + 14, &next, 2);
}

static void submit(struct rv_machine *m, unsigned ring, uint16_t head) {
	uint16_t index;
	memcpy(&index, m->ram + AVAIL(ring) + 2, 2);
	memcpy(m->ram + AVAIL(ring) + 4 + 2 * (index % QUEUE), &head, 2);
	index++;
	memcpy(m->ram + AVAIL(ring) + 2, &index, 2);
	set(m, ring > 0, 0x50, ring > 1);
}

static void put_bytes(struct rv_machine *m, struct input *input) {
	unsigned offset = take_many(input, 2) % RAM, length = take(input);
	for (unsigned i = 0; i < length && offset + i < RAM && input->size > 0; i++)
		m->ram[offset + i] = take(input);
}

static void say(void *data, const char *text) {
}

static void come(struct rv_machine *m, struct rv_line *line, struct input *input) {
	size_t room;
	uint8_t *at = rv_line_room(line, &room);
	unsigned length = take(input);
	for (unsigned i = 0; i < length && i < room && input->size > 0; i++) {
		at[i] = take(input);
		rv_line_came(line, 1);
	}
	rv_line_receive(line, m, 100, say, NULL);
}

static void act(struct rv_machine *m, struct rv_line *line, struct input *input) {
	static const uint8_t frame[4096];
	uint64_t value;
	unsigned offset, what = take(input);
	bool net = what & 128;
	unsigned ring = net ? 1 + (what >> 6 & 1) : 0;
	switch (what % 8) {
	case 0:
		offset = take(input) * 4;
		set(m, net, offset, take_many(input, 4));
		rv_bus_read(m, (net ? RV_NET_BASE : RV_VIRTIO_BASE) + offset, 4, &value);
		break;
	case 1:
		put_bytes(m, input);
		break;
	case 2:
		put_descriptor(m, ring, input);
		break;
	case 3:
		submit(m, ring, take(input) % (QUEUE + 1));
		break;
	case 4:
		start(m, net);
		break;
	case 5:
		rv_net_input(m, frame, take_many(input, 2) % sizeof(frame));
		break;
	case 6:
		rv_line_send(line, m);
		rv_line_sent(line, line->out_size - line->out_at);
		break;
	default:
		come(m, line, input);
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
	struct rv_line *line = calloc(1, sizeof(*line));
	char why[160];
	m->net = calloc(1, sizeof(*m->net));
	if (!line || !m->net)
		abort();
	start(m, false);
	start(m, true);
	rv_net_link(m, true);
	while (input.size > 0)
		act(m, line, &input);
	if (!rv_line_is_possible(line) || !rv_machine_check(m, why, sizeof(why)))
		abort();
	if (memcmp(&hart, m->harts, sizeof(hart)) || memcmp(&clint, m->clint, sizeof(clint)) ||
		memcmp(&board, m->board, sizeof(board)) || memcmp(&uart, m->uart, sizeof(uart)) ||
		(m->plic->level & ~(1u << RV_IRQ_VIRTIO | 1u << RV_IRQ_NET)))
		abort();
	free(m->net);
	free(line);
	board_destroy(m);
	return 0;
}
