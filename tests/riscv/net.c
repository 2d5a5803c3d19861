/* SPDX-License-Identifier: MIT */
/* The network card and its line, by a driver that does as the specification says, and by ones that
 * do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "board.h"
#include "net_line.h"

#define RAM (256 * 1024)
#define QUEUE 8

/* Where the driver has its things: rings of the queue that receives, and of the one that sends. */
#define RINGS(queue) (RV_RAM_BASE + 0x1000 + (queue) * 0x4000)
#define DESC(queue) (RINGS(queue) + 0x0000)
#define AVAIL(queue) (RINGS(queue) + 0x1000)
#define USED(queue) (RINGS(queue) + 0x2000)
#define DATA (RV_RAM_BASE + 0x10000)
#define BUFFER(number) (DATA + (number) * 0x1000ull)
#define HEADER 12
#define WHOLE (HEADER + RV_FRAME_MAX)

#define REG(offset) (RV_NET_BASE + (offset))
#define NEXT 1
#define WRITE 2
#define NEEDS_RESET 64
#define RECEIVE RV_NET_RECEIVE
#define TRANSMIT RV_NET_TRANSMIT

static void *ram(struct rv_machine *m, uint64_t address) {
	return m->ram + (address - RV_RAM_BASE);
}

static void set_desc(struct rv_machine *m, unsigned queue, unsigned index, uint64_t address,
	uint32_t length, uint16_t flags, uint16_t next) {
	uint8_t *desc = ram(m, DESC(queue) + 16 * index);
	memcpy(desc, &address, 8);
	memcpy(desc + 8, &length, 4);
	memcpy(desc + 12, &flags, 2);
	memcpy(desc + 14, &next, 2);
}

static uint16_t get16(struct rv_machine *m, uint64_t address) {
	uint16_t value;
	memcpy(&value, ram(m, address), 2);
	return value;
}

static void set16(struct rv_machine *m, uint64_t address, uint16_t value) {
	memcpy(ram(m, address), &value, 2);
}

static void submit(struct rv_machine *m, unsigned queue, uint16_t head) {
	uint16_t index = get16(m, AVAIL(queue) + 2);
	set16(m, AVAIL(queue) + 4 + 2 * (index % QUEUE), head);
	set16(m, AVAIL(queue) + 2, index + 1);
	board_write(m, REG(0x50), 4, queue);
}

static void start(struct rv_machine *m) {
	board_write(m, REG(0x70), 4, 0);
	board_write(m, REG(0x70), 4, 3);
	board_write(m, REG(0x24), 4, 1);
	board_write(m, REG(0x20), 4, 1);
	board_write(m, REG(0x24), 4, 0);
	board_write(m, REG(0x20), 4, 1 << 5 | 1 << 16);
	board_write(m, REG(0x70), 4, 11);
	assert_int_equal(board_read(m, REG(0x70), 4), 11);
	for (unsigned queue = 0; queue < RV_NET_QUEUES; queue++) {
		memset(ram(m, RINGS(queue)), 0, 0x3000);
		board_write(m, REG(0x30), 4, queue);
		assert_int_equal(board_read(m, REG(0x34), 4), RV_VIRTQ_MAX);
		board_write(m, REG(0x38), 4, QUEUE);
		board_write(m, REG(0x80), 4, (uint32_t)DESC(queue));
		board_write(m, REG(0x84), 4, 0);
		board_write(m, REG(0x90), 4, (uint32_t)AVAIL(queue));
		board_write(m, REG(0x94), 4, 0);
		board_write(m, REG(0xa0), 4, (uint32_t)USED(queue));
		board_write(m, REG(0xa4), 4, 0);
		board_write(m, REG(0x44), 4, 1);
		assert_int_equal(board_read(m, REG(0x44), 4), 1);
	}
	board_write(m, REG(0x70), 4, 15);
}

static int setup(void **state) {
	struct rv_machine *m = board_create(1, RAM, 0);
	static const uint8_t mac[] = {2, 1, 2, 3, 4, 5};
	m->net = calloc(1, sizeof(*m->net));
	memcpy(m->net->mac, mac, sizeof(mac));
	rv_net_link(m, true);
	start(m);
	*state = m;
	return 0;
}

static int teardown(void **state) {
	struct rv_machine *m = *state;
	char why[160];
	assert_true(rv_machine_check(m, why, sizeof(why)));
	struct rv_net *net = m->net;
	board_destroy(m);
	free(net);
	return 0;
}

static bool line(const struct rv_machine *m) {
	return m->plic->level & 1 << RV_IRQ_NET;
}

static bool is_broken(struct rv_machine *m) {
	bool broken = board_read(m, REG(0x70), 4) & NEEDS_RESET;
	assert_true(!broken || (line(m) && (board_read(m, REG(0x60), 4) & 2)));
	return broken;
}

static void fill(uint8_t *frame, size_t size, unsigned seed) {
	for (size_t i = 0; i < size; i++)
		frame[i] = (uint8_t)(i * 7 + seed + i / 256);
}

/* The guest sends a frame of that size: header and it in one buffer. */
static void send(struct rv_machine *m, unsigned number, size_t size) {
	unsigned index = number % QUEUE;
	memset(ram(m, BUFFER(index)), 0, HEADER);
	fill(ram(m, BUFFER(index) + HEADER), size, number);
	set_desc(m, TRANSMIT, index, BUFFER(index), (uint32_t)(HEADER + size), 0, 0);
	submit(m, TRANSMIT, index);
}

static void give_buffer(struct rv_machine *m, unsigned number) {
	set_desc(m, RECEIVE, number % QUEUE, BUFFER(number % QUEUE), WHOLE, WRITE, 0);
	submit(m, RECEIVE, number % QUEUE);
}

/* ------------------------------------------------------------------ the card */

static void test_identity(void **state) {
	struct rv_machine *m = *state;
	uint64_t value;
	assert_int_equal(board_read(m, REG(0), 4), 0x74726976);
	assert_int_equal(board_read(m, REG(8), 4), 1);
	board_write(m, REG(0x14), 4, 0);
	assert_int_equal(board_read(m, REG(0x10), 4), 1 << 5 | 1 << 16);
	board_write(m, REG(0x14), 4, 1);
	assert_int_equal(board_read(m, REG(0x10), 4), 1);
	assert_int_equal(board_read(m, REG(0x100), 4), 0x03020102);
	assert_int_equal(board_read(m, REG(0x104), 2), 0x0504);
	assert_int_equal(board_read(m, REG(0x106), 2), 1);
	assert_int_equal(board_read(m, REG(0x108), 4), 0);
	board_write(m, REG(0x30), 4, 2);
	assert_int_equal(board_read(m, REG(0x34), 4), 0);
	/* Without a card nothing answers. */
	struct rv_net *net = m->net;
	m->net = NULL;
	assert_false(rv_bus_read(m, REG(0), 4, &value));
	assert_false(rv_bus_write(m, REG(0x70), 4, 1));
	m->net = net;
}

static void test_sends(void **state) {
	struct rv_machine *m = *state;
	uint8_t wanted[RV_FRAME_MAX];
	assert_null(rv_net_output(m));
	send(m, 3, 60);
	assert_true(line(m));
	board_write(m, REG(0x64), 4, 1);
	assert_false(line(m));
	send(m, 4, RV_FRAME_MAX);
	for (unsigned number = 3; number < 5; number++) {
		const struct rv_frame *frame = rv_net_output(m);
		size_t size = number == 3 ? 60 : RV_FRAME_MAX;
		assert_non_null(frame);
		assert_int_equal(frame->size, size);
		fill(wanted, size, number);
		assert_memory_equal(frame->bytes, wanted, size);
		rv_net_output_drop(m);
	}
	assert_null(rv_net_output(m));
	assert_int_equal(get16(m, USED(TRANSMIT) + 2), 2);
	assert_int_equal(m->net->sent_bytes, 60 + RV_FRAME_MAX);
}

/* Header and frame cut as no usual driver does it. */
static void test_sends_any_framing(void **state) {
	struct rv_machine *m = *state;
	uint8_t wanted[100];
	fill(wanted, sizeof(wanted), 1);
	memcpy(ram(m, DATA + 12), wanted, sizeof(wanted));
	set_desc(m, TRANSMIT, 5, DATA, 5, NEXT, 1);
	set_desc(m, TRANSMIT, 1, DATA + 5, 0, NEXT, 7);
	set_desc(m, TRANSMIT, 7, DATA + 5, 17, NEXT, 2);
	set_desc(m, TRANSMIT, 2, DATA + 22, 90, 0, 0);
	submit(m, TRANSMIT, 5);
	assert_int_equal(rv_net_output(m)->size, sizeof(wanted));
	assert_memory_equal(rv_net_output(m)->bytes, wanted, sizeof(wanted));
	assert_false(is_broken(m));
}

/* What is no frame is done, and goes nowhere. */
static void test_sends_nothing_else(void **state) {
	struct rv_machine *m = *state;
	static const size_t sizes[] = {0, 1, RV_FRAME_MIN - 1, RV_FRAME_MAX + 1, 4000};
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		send(m, 0, sizes[i]);
		assert_int_equal(get16(m, USED(TRANSMIT) + 2), i + 1);
		assert_int_equal(m->net->dropped, i + 1);
		assert_null(rv_net_output(m));
	}
	rv_net_link(m, false);
	send(m, 0, 60);
	assert_null(rv_net_output(m));
	assert_false(is_broken(m));
}

/* While nobody fetches them frames stay in the queue, each in its order. */
static void test_sends_later(void **state) {
	struct rv_machine *m = *state;
	unsigned sent = 0;
	while (m->net->out_count < RV_NET_OUT)
		send(m, sent++, 60);
	for (unsigned i = 0; i < QUEUE; i++)
		send(m, sent++, 60);
	assert_int_equal(get16(m, USED(TRANSMIT) + 2), RV_NET_OUT);
	for (unsigned number = 0; number < sent; number++) {
		uint8_t wanted[60];
		fill(wanted, sizeof(wanted), number);
		assert_non_null(rv_net_output(m));
		assert_memory_equal(rv_net_output(m)->bytes, wanted, sizeof(wanted));
		rv_net_output_drop(m);
	}
	assert_null(rv_net_output(m));
	assert_int_equal(get16(m, USED(TRANSMIT) + 2), sent);
}

static void test_receives(void **state) {
	struct rv_machine *m = *state;
	uint8_t frame[RV_FRAME_MAX], header[HEADER] = {[10] = 1};
	for (unsigned number = 0; number < 3 * QUEUE; number++) {
		size_t size = number % 2 ? RV_FRAME_MIN : RV_FRAME_MAX;
		fill(frame, size, number);
		assert_false(rv_net_input(m, frame, size));
		give_buffer(m, number);
		assert_false(line(m));
		assert_true(rv_net_input(m, frame, size));
		assert_true(line(m));
		board_write(m, REG(0x64), 4, 1);
		uint64_t buffer = BUFFER(number % QUEUE);
		assert_memory_equal(ram(m, buffer), header, HEADER);
		assert_memory_equal(ram(m, buffer + HEADER), frame, size);
		uint32_t used[2];
		memcpy(used, ram(m, USED(RECEIVE) + 4 + 8 * (number % QUEUE)), 8);
		assert_int_equal(used[0], number % QUEUE);
		assert_int_equal(used[1], HEADER + size);
	}
	assert_int_equal(m->net->received, 3 * QUEUE);
	assert_int_equal(m->net->dropped, 0);
}

/* A guest that asks for none gets no interrupt. */
static void test_no_interrupt(void **state) {
	struct rv_machine *m = *state;
	uint8_t frame[60] = {};
	set16(m, AVAIL(RECEIVE), 1);
	set16(m, AVAIL(TRANSMIT), 1);
	give_buffer(m, 0);
	assert_true(rv_net_input(m, frame, sizeof(frame)));
	send(m, 1, 60);
	assert_false(line(m));
}

/* Before its driver has begun, without a link, and for frames that are none. */
static void test_nobody_listens(void **state) {
	struct rv_machine *m = *state;
	uint8_t frame[RV_FRAME_MAX + 1] = {};
	give_buffer(m, 0);
	assert_true(rv_net_input(m, frame, RV_FRAME_MIN - 1));
	assert_true(rv_net_input(m, frame, RV_FRAME_MAX + 1));
	rv_net_link(m, false);
	assert_true(rv_net_input(m, frame, 60));
	rv_net_link(m, true);
	board_write(m, REG(0x70), 4, 0);
	assert_true(rv_net_input(m, frame, 60));
	board_write(m, REG(0x70), 4, 3);
	assert_true(rv_net_input(m, frame, 60));
	assert_int_equal(m->net->dropped, 5);
	assert_int_equal(get16(m, USED(RECEIVE) + 2), 0);
}

static void test_link(void **state) {
	struct rv_machine *m = *state;
	rv_net_link(m, true);
	assert_false(line(m));
	rv_net_link(m, false);
	assert_int_equal(board_read(m, REG(0x60), 4), 2);
	assert_int_equal(board_read(m, REG(0x106), 2), 0);
	assert_true(line(m));
	board_write(m, REG(0x64), 4, 2);
	rv_net_link(m, true);
	assert_int_equal(board_read(m, REG(0x106), 2), 1);
	assert_true(line(m));
}

/* A reset forgets the driver, and nothing of the rest. */
static void test_reset(void **state) {
	struct rv_machine *m = *state;
	uint8_t frame[60] = {};
	give_buffer(m, 0);
	send(m, 2, 60);
	assert_true(line(m));
	rv_machine_reset(m);
	assert_false(line(m));
	assert_int_equal(board_read(m, REG(0x70), 4), 0);
	assert_true(m->net->link && m->net->mac[0] == 2);
	assert_int_equal(rv_net_output(m)->size, 60);
	assert_true(rv_net_input(m, frame, sizeof(frame)));
	start(m);
	give_buffer(m, 0);
	assert_true(rv_net_input(m, frame, sizeof(frame)));
	assert_int_equal(get16(m, USED(RECEIVE) + 2), 1);
}

static void test_wrong_chains(void **state) {
	struct rv_machine *m = *state;
	static const struct {
		uint64_t address;
		uint32_t length;
		uint16_t flags, next;
	} wrong[] = {
		{DATA, 60, NEXT, QUEUE},	    /* no such descriptor */
		{DATA, 60, NEXT, 0xffff},	    /* no such descriptor */
		{DATA, 60, NEXT, 0},		    /* for ever */
		{DATA, 60, 4, 0},		    /* indirect was not offered */
		{RV_RAM_BASE - 1, 60, 0, 0},	    /* not RAM */
		{RV_RAM_BASE + RAM - 59, 60, 0, 0}, /* a byte of it */
		{UINT64_MAX - 30, 60, 0, 0},	    /* around */
		{RV_RAM_BASE, UINT32_MAX, 0, 0},    /* too long */
		{RV_NET_BASE, 60, 0, 0},	    /* a device */
		{0, 0, 0, 0},			    /* nothing, nowhere */
		{DATA, HEADER - 1, 0, 0},	    /* no place for the header */
	};
	uint8_t frame[RV_FRAME_MAX] = {};
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		for (unsigned queue = 0; queue < RV_NET_QUEUES; queue++) {
			uint16_t flags = wrong[i].flags | (queue == RECEIVE ? WRITE : 0);
			start(m);
			set_desc(m, queue, 0, wrong[i].address, wrong[i].length, flags,
				wrong[i].next);
			submit(m, queue, 0);
			if (queue == RECEIVE)
				assert_true(rv_net_input(m, frame, 60));
			assert_true(is_broken(m));
			assert_null(rv_net_output(m));
			assert_int_equal(get16(m, USED(queue) + 2), 0);
		}
	}
	/* Buffers that are to be read, or too small for the largest frame where that comes. */
	start(m);
	set_desc(m, RECEIVE, 0, DATA, WHOLE, 0, 0);
	submit(m, RECEIVE, 0);
	assert_true(rv_net_input(m, frame, 60));
	assert_true(is_broken(m));
	start(m);
	set_desc(m, RECEIVE, 0, DATA, WHOLE - 1, WRITE, 0);
	submit(m, RECEIVE, 0);
	*(uint8_t *)ram(m, DATA + WHOLE - 1) = 0x77;
	assert_true(rv_net_input(m, frame, RV_FRAME_MAX));
	assert_true(is_broken(m));
	assert_int_equal(*(uint8_t *)ram(m, DATA + WHOLE - 1), 0x77);
	/* Does nothing until it is reset. */
	give_buffer(m, 1);
	send(m, 2, 60);
	assert_true(rv_net_input(m, frame, 60));
	assert_null(rv_net_output(m));
}

static void test_index_jumps(void **state) {
	struct rv_machine *m = *state;
	uint8_t frame[60] = {};
	for (unsigned queue = 0; queue < RV_NET_QUEUES; queue++) {
		start(m);
		set16(m, AVAIL(queue) + 2, QUEUE + 1);
		board_write(m, REG(0x50), 4, queue);
		assert_true(rv_net_input(m, frame, sizeof(frame)) || queue == TRANSMIT);
		assert_true(is_broken(m));
	}
	/* There is no third queue. */
	start(m);
	board_write(m, REG(0x50), 4, 2);
	board_write(m, REG(0x50), 4, UINT32_MAX);
	assert_false(is_broken(m));
}

static void test_rings_outside_ram(void **state) {
	struct rv_machine *m = *state;
	static const uint64_t places[] = {
		0, RV_RAM_BASE - 8, RV_RAM_BASE + RAM - 3, UINT64_MAX, RV_UART_BASE, RV_NET_BASE};
	uint8_t frame[60] = {};
	for (unsigned queue = 0; queue < RV_NET_QUEUES; queue++)
		for (unsigned reg = 0x80; reg <= 0xa0; reg += 0x10)
			for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
				start(m);
				board_write(m, REG(0x30), 4, queue);
				board_write(m, REG(0x44), 4, 0);
				board_write(m, REG(reg), 4, (uint32_t)places[i]);
				board_write(m, REG(reg + 4), 4, places[i] >> 32);
				board_write(m, REG(0x44), 4, 1);
				set_desc(m, queue, 0, DATA, WHOLE, queue == RECEIVE ? WRITE : 0, 0);
				submit(m, queue, 0);
				if (queue == RECEIVE)
					assert_true(rv_net_input(m, frame, sizeof(frame)));
				assert_true(is_broken(m));
				while (rv_net_output(m))
					rv_net_output_drop(m);
			}
}

/* A queue whose used ring is its available ring: what is done makes more to be done. */
static void test_rings_on_each_other(void **state) {
	struct rv_machine *m = *state;
	uint8_t frame[60] = {};
	for (unsigned queue = 0; queue < RV_NET_QUEUES; queue++)
		for (unsigned shift = 0; shift <= 16; shift += 2) {
			start(m);
			board_write(m, REG(0x30), 4, queue);
			board_write(m, REG(0x44), 4, 0);
			board_write(m, REG(0xa0), 4, (uint32_t)AVAIL(queue) - shift);
			board_write(m, REG(0x44), 4, 1);
			for (unsigned i = 0; i < QUEUE; i++)
				set_desc(m, queue, i, DATA, WHOLE, queue == RECEIVE ? WRITE : 0, 0);
			set16(m, AVAIL(queue) + 2, QUEUE);
			board_write(m, REG(0x50), 4, queue);
			for (unsigned i = 0; i < 1000; i++) {
				struct rv_line nobody = {};
				rv_line_send(&nobody, m);
				rv_net_input(m, frame, sizeof(frame));
			}
			assert_true(m->net->out_count <= RV_NET_OUT);
			while (rv_net_output(m) && !is_broken(m))
				rv_net_output_drop(m), board_write(m, REG(0x70), 4, 0);
			m->net->out_count = 0;
		}
}

/* ------------------------------------------------------------------ packets */

static void assert_packet(const uint8_t *data, size_t size) {
	uint8_t *packet = malloc(RV_LINE_PACKET(size)), *back = malloc(size ? size : 1);
	size_t length = rv_packet_encode(data, size, packet), got = 77;
	assert_true(length <= RV_LINE_PACKET(size));
	assert_int_equal(packet[length - 1], 0);
	assert_null(memchr(packet, 0, length - 1));
	assert_true(rv_packet_decode(packet, length - 1, back, size, &got));
	assert_int_equal(got, size);
	assert_memory_equal(back, data, size);
	if (size > 0)
		assert_false(rv_packet_decode(packet, length - 1, back, size - 1, &got));
	free(packet);
	free(back);
}

static void test_packets(void **state) {
	uint8_t data[2000] = {};
	for (size_t size = 0; size <= 1600; size++) {
		fill(data, size, (unsigned)size);
		assert_packet(data, size);
		memset(data, 0, size);
		assert_packet(data, size);
		memset(data, 0xff, size);
		assert_packet(data, size);
		for (size_t i = 0; i < size; i++)
			data[i] = i % 255 != 254;
		assert_packet(data, size);
	}
}

static void test_no_packets(void **state) {
	static const struct {
		const char *bytes;
		size_t size;
	} wrong[] = {{"", 0}, {"\5abc", 4}, {"\2", 1}, {"\377abc", 4}, {"\1\0", 2}, {"\3a\0", 3}};
	uint8_t data[100];
	size_t size;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		bool is = rv_packet_decode(
			(const uint8_t *)wrong[i].bytes, wrong[i].size, data, sizeof(data), &size);
		/* A 0 inside never comes here, and harms nobody. */
		assert_true(!is || i == 5);
	}
}

/* ------------------------------------------------------------------ the line */

static void come(struct rv_line *line, const void *data, size_t size) {
	const uint8_t *from = data;
	while (size > 0) {
		size_t room;
		uint8_t *at = rv_line_room(line, &room);
		assert_true(room > 0);
		size_t part = size < room ? size : room;
		memcpy(at, from, part);
		rv_line_came(line, part);
		from += part;
		size -= part;
		uint8_t frame[RV_FRAME_MAX];
		size_t length;
		if (size > 0)
			assert_int_equal(rv_line_look(line, frame, &length), RV_LINE_NOTHING);
	}
}

static void test_text_and_then_frames(void **state) {
	struct rv_line *line = calloc(1, sizeof(*line));
	uint8_t data[RV_FRAME_MAX], frame[60], packet[RV_LINE_PACKET(60)];
	size_t size;
	fill(frame, sizeof(frame), 9);
	size_t length = rv_packet_encode(frame, sizeof(frame), packet);
	rv_line_lost(line);
	assert_non_null(rv_line_out(line, &size));
	assert_int_equal(size, 0); /* it does not listen yet */
	come(line, "it is wro", 9);
	assert_int_equal(rv_line_look(line, data, &size), RV_LINE_NOTHING);
	come(line, "ng\r\nvery\n\1", 10);
	assert_int_equal(rv_line_look(line, data, &size), RV_LINE_TEXT);
	assert_int_equal(size, 11);
	assert_memory_equal(data, "it is wrong", 11);
	assert_int_equal(rv_line_look(line, data, &size), RV_LINE_TEXT);
	assert_memory_equal(data, "very", 4);
	assert_int_equal(rv_line_look(line, data, &size), RV_LINE_NOTHING);
	come(line, "\0", 1);
	assert_int_equal(rv_line_look(line, data, &size), RV_LINE_READY);
	/* A newline is a byte of a frame from here on. */
	for (size_t cut = 0; cut <= length; cut++) {
		come(line, packet, cut);
		come(line, packet + cut, length - cut);
		for (int again = 0; again < 2; again++) {
			assert_int_equal(rv_line_look(line, data, &size), RV_LINE_FRAME);
			assert_int_equal(size, sizeof(frame));
			assert_memory_equal(data, frame, size);
		}
		rv_line_drop(line);
		assert_int_equal(rv_line_look(line, data, &size), RV_LINE_NOTHING);
	}
	/* Text of later stands in frames, in its order with the others. */
	static const uint8_t late[] = "\0\0\0\0\0\0\0\0\0\0\0\0\x88\xb5it is\r\n\1\x7fwrong again";
	uint8_t text[RV_LINE_PACKET(sizeof(late))];
	come(line, packet, length);
	come(line, text, rv_packet_encode(late, sizeof(late) - 1, text));
	come(line, text, rv_packet_encode(late, RV_FRAME_MIN, text));
	come(line, packet, length);
	assert_int_equal(rv_line_look(line, data, &size), RV_LINE_FRAME);
	rv_line_drop(line);
	assert_int_equal(rv_line_look(line, data, &size), RV_LINE_TEXT);
	assert_int_equal(size, 16);
	assert_memory_equal(data, "it iswrong again", 16);
	assert_int_equal(rv_line_look(line, data, &size), RV_LINE_TEXT);
	assert_int_equal(size, 0);
	assert_int_equal(rv_line_look(line, data, &size), RV_LINE_FRAME);
	assert_memory_equal(data, frame, sizeof(frame));
	free(line);
}

/* What is no frame is dropped, and the next one is whole. */
static void test_lost_places(void **state) {
	struct rv_line *line = calloc(1, sizeof(*line));
	static const uint8_t high[60000] = {[0 ... 59999] = 2};
	uint8_t data[RV_FRAME_MAX], frame[RV_FRAME_MAX + 1],
		packet[RV_LINE_PACKET(RV_FRAME_MAX + 1)];
	size_t size;
	fill(frame, sizeof(frame), 1);
	line->ready = true;
	for (size_t lost = 0; lost < 9; lost++) {
		size_t length = rv_packet_encode(frame, RV_FRAME_MAX, packet);
		switch (lost) {
		case 0: /* the end */
			come(line, packet, 700);
			come(line, "", 1);
			break;
		case 1: /* the beginning */
			come(line, packet + 700, length - 700);
			break;
		case 2: /* too long to be kept */
			come(line, high, sizeof(high));
			come(line, "", 1);
			break;
		case 3: /* too long by a byte */
			come(line, packet, rv_packet_encode(frame, RV_FRAME_MAX + 1, packet));
			break;
		case 4: /* too short by a byte */
			come(line, packet, rv_packet_encode(frame, RV_FRAME_MIN - 1, packet));
			break;
		default:
			come(line, "\0\1\0\0\0\2a\0", lost);
			come(line, "", 1);
		}
		length = rv_packet_encode(frame, RV_FRAME_MAX, packet);
		come(line, packet, length);
		enum rv_line_news news = rv_line_look(line, data, &size);
		/* Of a beginning that is lost the rest may look like a frame. */
		while (news == RV_LINE_FRAME && size != RV_FRAME_MAX) {
			rv_line_drop(line);
			news = rv_line_look(line, data, &size);
		}
		assert_int_equal(news, RV_LINE_FRAME);
		assert_memory_equal(data, frame, RV_FRAME_MAX);
		rv_line_drop(line);
	}
	free(line);
}

static void say(void *data, const char *text) {
	snprintf(data, 64, "%s", text);
}

/* Card, line, line and another card: frames come as they were sent, or later. */
static void test_from_card_to_card(void **state) {
	struct rv_machine *m = *state;
	struct rv_line *here = calloc(1, sizeof(*here)), *there = calloc(1, sizeof(*there));
	char said[64] = "";
	rv_net_link(m, false);
	come(here, "hello\n\1\0", 8);
	assert_true(rv_line_receive(here, m, 10, say, said));
	assert_string_equal(said, "hello");
	assert_true(m->net->link && here->ready);
	there->ready = true;
	for (unsigned number = 0; number < 100; number++) {
		send(m, number, RV_FRAME_MAX - number);
		rv_line_send(here, m);
		size_t size, length;
		const uint8_t *out = rv_line_out(here, &size);
		/* In pieces, as a terminal takes it. */
		size = size > 400 && number % 3 ? 400 : size;
		come(there, out, size);
		rv_line_sent(here, size);
		uint8_t frame[RV_FRAME_MAX];
		while (rv_line_look(there, frame, &length) == RV_LINE_FRAME) {
			uint8_t wanted[RV_FRAME_MAX];
			fill(wanted, length, RV_FRAME_MAX - (unsigned)length);
			assert_memory_equal(frame, wanted, length);
			rv_line_drop(there);
		}
	}
	/* The guest has two buffers, and three frames come. */
	start(m);
	uint8_t frame[60], packet[RV_LINE_PACKET(60)];
	for (unsigned i = 0; i < 3; i++) {
		fill(frame, sizeof(frame), i);
		come(here, packet, rv_packet_encode(frame, sizeof(frame), packet));
	}
	give_buffer(m, 0);
	give_buffer(m, 1);
	assert_false(rv_line_receive(here, m, 1, say, said));
	assert_int_equal(m->net->received, 1);
	assert_false(rv_line_receive(here, m, 10, say, said));
	assert_int_equal(m->net->received, 2);
	give_buffer(m, 2);
	assert_true(rv_line_receive(here, m, 10, say, said));
	assert_int_equal(m->net->received, 3);
	assert_memory_equal(ram(m, BUFFER(2) + HEADER), frame, sizeof(frame));
	free(here);
	free(there);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_identity),
		TEST(test_sends),
		TEST(test_sends_any_framing),
		TEST(test_sends_nothing_else),
		TEST(test_sends_later),
		TEST(test_receives),
		TEST(test_no_interrupt),
		TEST(test_nobody_listens),
		TEST(test_link),
		TEST(test_reset),
		TEST(test_wrong_chains),
		TEST(test_index_jumps),
		TEST(test_rings_outside_ram),
		TEST(test_rings_on_each_other),
		cmocka_unit_test(test_packets),
		cmocka_unit_test(test_no_packets),
		cmocka_unit_test(test_text_and_then_frames),
		cmocka_unit_test(test_lost_places),
		TEST(test_from_card_to_card),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
