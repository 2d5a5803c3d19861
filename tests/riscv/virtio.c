/* SPDX-License-Identifier: MIT */
/* The disk, by a driver that does as the specification says, and by ones that do not. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "board.h"

#define RAM (64 * 1024)
#define SECTORS 16
#define QUEUE 8

/* Where the driver has its things. */
#define DESC (RV_RAM_BASE + 0x1000)
#define AVAIL (RV_RAM_BASE + 0x2000)
#define USED (RV_RAM_BASE + 0x3000)
#define HEADER (RV_RAM_BASE + 0x4000)
#define DATA (RV_RAM_BASE + 0x5000)
#define STATUS (RV_RAM_BASE + 0x8000)

#define REG(offset) (RV_VIRTIO_BASE + (offset))
#define NEXT 1
#define WRITE 2
#define NEEDS_RESET 64

static void *ram(struct rv_machine *m, uint64_t address) {
	return m->ram + (address - RV_RAM_BASE);
}

static void set_desc(struct rv_machine *m, unsigned index, uint64_t address, uint32_t length,
	uint16_t flags, uint16_t next) {
	uint8_t *desc = ram(m, DESC + 16 * index);
	memcpy(desc, &address, 8);
	memcpy(desc + 8, &length, 4);
	memcpy(desc + 12, &flags, 2);
	memcpy(desc + 14, &next, 2);
}

static void set_header(struct rv_machine *m, uint32_t type, uint64_t sector) {
	memcpy(ram(m, HEADER), &type, 4);
	memset(ram(m, HEADER + 4), 0, 4);
	memcpy(ram(m, HEADER + 8), &sector, 8);
}

static uint16_t get16(struct rv_machine *m, uint64_t address) {
	uint16_t value;
	memcpy(&value, ram(m, address), 2);
	return value;
}

static void set16(struct rv_machine *m, uint64_t address, uint16_t value) {
	memcpy(ram(m, address), &value, 2);
}

/* Makes the chain available and says so. */
static void submit(struct rv_machine *m, uint16_t head) {
	uint16_t index = get16(m, AVAIL + 2);
	set16(m, AVAIL + 4 + 2 * (index % QUEUE), head);
	set16(m, AVAIL + 2, index + 1);
	board_write(m, REG(0x50), 4, 0);
}

static void start(struct rv_machine *m) {
	board_write(m, REG(0x70), 4, 0);
	board_write(m, REG(0x70), 4, 1);
	board_write(m, REG(0x70), 4, 3);
	board_write(m, REG(0x24), 4, 1);
	board_write(m, REG(0x20), 4, 1);
	board_write(m, REG(0x24), 4, 0);
	board_write(m, REG(0x20), 4, 1 << 9);
	board_write(m, REG(0x70), 4, 11);
	assert_int_equal(board_read(m, REG(0x70), 4), 11);
	board_write(m, REG(0x38), 4, QUEUE);
	board_write(m, REG(0x80), 4, (uint32_t)DESC);
	board_write(m, REG(0x90), 4, (uint32_t)AVAIL);
	board_write(m, REG(0xa0), 4, (uint32_t)USED);
	board_write(m, REG(0x44), 4, 1);
	assert_int_equal(board_read(m, REG(0x44), 4), 1);
	board_write(m, REG(0x70), 4, 15);
}

static int setup(void **state) {
	struct rv_machine *m = board_create(1, RAM, SECTORS * 512);
	for (unsigned i = 0; i < m->disk_size; i++)
		m->disk[i] = i / 512 + i;
	start(m);
	*state = m;
	return 0;
}

static int teardown(void **state) {
	board_destroy(*state);
	return 0;
}

/* A request of three buffers; its status. */
static unsigned request(
	struct rv_machine *m, uint32_t type, uint64_t sector, uint32_t length, bool to_guest) {
	uint16_t used = get16(m, USED + 2);
	set_header(m, type, sector);
	set_desc(m, 0, HEADER, 16, NEXT, length ? 1 : 2);
	set_desc(m, 1, DATA, length, NEXT | (to_guest ? WRITE : 0), 2);
	set_desc(m, 2, STATUS, 1, WRITE, 0);
	*(uint8_t *)ram(m, STATUS) = 0xee;
	submit(m, 0);
	assert_int_equal(get16(m, USED + 2), (uint16_t)(used + 1));
	return *(uint8_t *)ram(m, STATUS);
}

static bool line(const struct rv_machine *m) {
	return m->plic->level & 1 << RV_IRQ_VIRTIO;
}

static void assert_broken(struct rv_machine *m) {
	assert_true(board_read(m, REG(0x70), 4) & NEEDS_RESET);
	assert_true(board_read(m, REG(0x60), 4) & 2);
	assert_true(line(m));
}

static void test_identity(void **state) {
	struct rv_machine *m = *state;
	uint64_t value;
	assert_int_equal(board_read(m, REG(0), 4), 0x74726976);
	assert_int_equal(board_read(m, REG(4), 4), 2);
	assert_int_equal(board_read(m, REG(8), 4), 2);
	assert_int_equal(board_read(m, REG(0x34), 4), RV_VIRTQ_MAX);
	assert_int_equal(board_read(m, REG(0x100), 8), SECTORS);
	assert_int_equal(board_read(m, REG(0x100), 4), SECTORS);
	assert_int_equal(board_read(m, REG(0x110), 4), 0);
	assert_false(rv_bus_read(m, REG(0), 1, &value));
	assert_false(rv_bus_read(m, REG(2), 4, &value));
	board_write(m, REG(0x14), 4, 1);
	assert_int_equal(board_read(m, REG(0x10), 4), 1);
	board_write(m, REG(0x14), 4, 2);
	assert_int_equal(board_read(m, REG(0x10), 4), 0);
}

static void test_no_disk(void **state) {
	struct rv_machine *m = board_create(1, RAM, 0);
	assert_int_equal(board_read(m, REG(0), 4), 0x74726976);
	assert_int_equal(board_read(m, REG(8), 4), 0);
	board_write(m, REG(0x70), 4, 1);
	board_write(m, REG(0x50), 4, 0);
	assert_int_equal(board_read(m, REG(0x70), 4), 0);
	board_destroy(m);
}

static void test_reads(void **state) {
	struct rv_machine *m = *state;
	assert_int_equal(request(m, 0, 3, 1024, true), 0);
	assert_memory_equal(ram(m, DATA), m->disk + 3 * 512, 1024);
	assert_int_equal(((uint8_t *)ram(m, DATA))[1024], 0);
	uint32_t used[2];
	memcpy(used, ram(m, USED + 4), 8);
	assert_int_equal(used[0], 0);
	assert_int_equal(used[1], 1025);
	assert_int_equal(board_read(m, REG(0x60), 4), 1);
	assert_true(line(m));
	board_write(m, REG(0x64), 4, 1);
	assert_false(line(m));
}

static void test_writes(void **state) {
	struct rv_machine *m = *state;
	uint8_t before[512];
	memcpy(before, m->disk + 15 * 512, 512);
	memset(ram(m, DATA), 0x77, 1024);
	assert_int_equal(request(m, 1, 13, 1024, false), 0);
	for (unsigned i = 0; i < 1024; i++)
		assert_int_equal(m->disk[13 * 512 + i], 0x77);
	assert_memory_equal(before, m->disk + 15 * 512, 512);
	assert_int_equal(request(m, 4, 0, 0, false), 0);
}

static void test_says_who_it_is(void **state) {
	struct rv_machine *m = *state;
	assert_int_equal(request(m, 8, 0, 20, true), 0);
	assert_string_equal(ram(m, DATA), "source-city");
	assert_int_equal(request(m, 8, 0, 19, true), 1);
	assert_int_equal(request(m, 99, 0, 512, true), 2);
}

/* Beyond the disk, in all ways in which a sum can overflow; parts of sectors. */
static void test_outside_the_disk(void **state) {
	struct rv_machine *m = *state;
	static const uint64_t sectors[] = {SECTORS, SECTORS + 1, SECTORS - 1, UINT64_MAX,
		UINT64_MAX / 512, UINT64_MAX / 512 + 1, 1ull << 55, 1ull << 63};
	uint8_t *disk = malloc(m->disk_size);
	memcpy(disk, m->disk, m->disk_size);
	for (unsigned i = 0; i < sizeof(sectors) / sizeof(sectors[0]); i++) {
		assert_int_equal(request(m, 0, sectors[i], 1024, true), 1);
		assert_int_equal(request(m, 1, sectors[i], 1024, false), 1);
	}
	assert_int_equal(request(m, 0, 0, 511, true), 1);
	assert_int_equal(request(m, 1, 0, 513, false), 1);
	assert_memory_equal(disk, m->disk, m->disk_size);
	assert_int_equal(request(m, 0, SECTORS - 1, 512, true), 0);
	free(disk);
}

static void test_read_only(void **state) {
	struct rv_machine *m = *state;
	m->virtio->read_only = true;
	board_write(m, REG(0x14), 4, 0);
	assert_true(board_read(m, REG(0x10), 4) & 1 << 5);
	uint8_t first = m->disk[0];
	*(uint8_t *)ram(m, DATA) = first + 1;
	assert_int_equal(request(m, 1, 0, 512, false), 1);
	assert_int_equal(m->disk[0], first);
	rv_virtio_reset(m);
	assert_true(m->virtio->read_only);
}

/* Header, data and status cut as no usual driver does it. */
static void test_any_framing(void **state) {
	struct rv_machine *m = *state;
	set_header(m, 0, 2);
	set_desc(m, 5, HEADER, 7, NEXT, 1);
	set_desc(m, 1, HEADER + 7, 9, NEXT, 7);
	set_desc(m, 7, DATA, 100, NEXT | WRITE, 2);
	set_desc(m, 2, DATA + 100, 0, NEXT | WRITE, 3);
	set_desc(m, 3, DATA + 100, 413, WRITE, 0);
	submit(m, 5);
	assert_int_equal(get16(m, USED + 2), 1);
	assert_memory_equal(ram(m, DATA), m->disk + 1024, 512);
	assert_int_equal(((uint8_t *)ram(m, DATA))[512], 0);
	assert_false(board_read(m, REG(0x70), 4) & NEEDS_RESET);
}

static void test_many_at_once(void **state) {
	struct rv_machine *m = *state;
	set_header(m, 0, 1);
	set_desc(m, 0, HEADER, 16, NEXT, 1);
	set_desc(m, 1, DATA, 512, NEXT | WRITE, 2);
	set_desc(m, 2, STATUS, 1, WRITE, 0);
	for (unsigned round = 1; round <= 3; round++) {
		set16(m, AVAIL, 1); /* no interrupt wanted */
		set16(m, AVAIL + 2, round * QUEUE);
		board_write(m, REG(0x50), 4, 0);
		assert_int_equal(get16(m, USED + 2), round * QUEUE);
	}
	assert_false(line(m));
}

static void test_index_jumps(void **state) {
	struct rv_machine *m = *state;
	set16(m, AVAIL + 2, QUEUE + 1);
	board_write(m, REG(0x50), 4, 0);
	assert_broken(m);
	/* Does nothing until it is reset. */
	assert_int_equal(get16(m, USED + 2), 0);
	set16(m, AVAIL + 2, 0);
	start(m);
	assert_int_equal(request(m, 0, 0, 512, true), 0);
}

static void test_loop_of_descriptors(void **state) {
	struct rv_machine *m = *state;
	set_header(m, 0, 0);
	set_desc(m, 0, HEADER, 16, NEXT, 1);
	set_desc(m, 1, HEADER, 16, NEXT, 0);
	submit(m, 0);
	assert_broken(m);
}

static void test_wrong_chains(void **state) {
	struct rv_machine *m = *state;
	static const struct {
		uint64_t address;
		uint32_t length;
		uint16_t flags, next;
	} wrong[] = {
		{DATA, 512, NEXT | WRITE, QUEUE},		 /* no such descriptor */
		{DATA, 512, NEXT | WRITE, 0xffff},		 /* no such descriptor */
		{DATA, 512, NEXT | WRITE, 0},			 /* read after written */
		{DATA, 512, NEXT | WRITE | 4, 2},		 /* indirect was not offered */
		{RV_RAM_BASE - 1, 512, NEXT | WRITE, 2},	 /* not RAM */
		{RV_RAM_BASE + RAM - 511, 512, NEXT | WRITE, 2}, /* a byte of it */
		{UINT64_MAX - 100, 512, NEXT | WRITE, 2},	 /* around */
		{RV_RAM_BASE, UINT32_MAX, NEXT | WRITE, 2},	 /* too long */
		{RV_CLINT_BASE, 8, NEXT | WRITE, 2},		 /* a device */
		{DATA, 512, 0, 0},				 /* no place for the status */
	};
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		set16(m, AVAIL + 2, 0);
		start(m);
		set_header(m, 0, 0);
		set_desc(m, 0, HEADER, 16, NEXT, 1);
		set_desc(m, 1, wrong[i].address, wrong[i].length, wrong[i].flags, wrong[i].next);
		set_desc(m, 2, STATUS, 1, WRITE, 0);
		submit(m, 0);
		assert_broken(m);
	}
}

static void test_rings_outside_ram(void **state) {
	struct rv_machine *m = *state;
	static const uint64_t places[] = {0, RV_RAM_BASE - 8, RV_RAM_BASE + RAM - 3, UINT64_MAX,
		RV_UART_BASE, RV_VIRTIO_BASE};
	for (unsigned reg = 0x80; reg <= 0xa0; reg += 0x10)
		for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
			set16(m, AVAIL + 2, 0);
			start(m);
			board_write(m, REG(0x44), 4, 0);
			board_write(m, REG(reg), 4, (uint32_t)places[i]);
			board_write(m, REG(reg + 4), 4, places[i] >> 32);
			board_write(m, REG(0x44), 4, 1);
			set_header(m, 4, 0);
			set_desc(m, 0, HEADER, 16, NEXT, 1);
			set_desc(m, 1, STATUS, 1, WRITE, 0);
			submit(m, 0);
			assert_broken(m);
			board_write(m, REG(0x70), 4, 0);
			board_write(m, REG(reg + 4), 4, 0);
		}
}

static void test_negotiation(void **state) {
	struct rv_machine *m = *state;
	/* Not version 1. */
	board_write(m, REG(0x70), 4, 0);
	board_write(m, REG(0x70), 4, 3);
	board_write(m, REG(0x70), 4, 11);
	assert_int_equal(board_read(m, REG(0x70), 4), 3);
	/* More than was offered. */
	board_write(m, REG(0x24), 4, 1);
	board_write(m, REG(0x20), 4, 1 | 1 << 2);
	board_write(m, REG(0x70), 4, 11);
	assert_int_equal(board_read(m, REG(0x70), 4), 3);
	board_write(m, REG(0x20), 4, 1);
	board_write(m, REG(0x70), 4, 11);
	assert_int_equal(board_read(m, REG(0x70), 4), 11);
	/* Sizes of queues that are none. */
	static const uint32_t sizes[] = {0, 3, RV_VIRTQ_MAX * 2, RV_VIRTQ_MAX + 1, UINT32_MAX};
	for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		board_write(m, REG(0x38), 4, sizes[i]);
		board_write(m, REG(0x44), 4, 1);
		assert_int_equal(board_read(m, REG(0x44), 4), 0);
	}
	/* There is one queue. */
	board_write(m, REG(0x30), 4, 1);
	assert_int_equal(board_read(m, REG(0x34), 4), 0);
	board_write(m, REG(0x38), 4, QUEUE);
	assert_int_equal(m->virtio->queue.size, 0);
}

/* What the device writes is told to the engine, which may have decoded it. */
static uint64_t told;

static void written(struct rv_machine *m, uint64_t physical, uint64_t size) {
	if (physical <= DATA && physical + size >= DATA + 512)
		told++;
}

static void test_engine_is_told(void **state) {
	struct rv_machine *m = *state;
	struct rv_engine engine = board_engine;
	engine.written = written;
	rv_machine_finish(m);
	assert_true(rv_machine_init(m, &engine));
	m->page_flags[(DATA - RV_RAM_BASE) / RV_PAGE] |= RV_PAGE_CODE;
	told = 0;
	assert_int_equal(request(m, 0, 0, 512, true), 0);
	assert_int_equal(told, 1);
	rv_machine_finish(m);
	assert_true(rv_machine_init(m, &board_engine));
}

#define LARGE_DATA (RV_RAM_BASE + 0x100000)
#define LARGE (700u << 10)
#define PART (256u << 10)

/* With room for large requests, each of three buffers. */
static struct rv_machine *large(void) {
	struct rv_machine *m = board_create(1, 4u << 20, 2 * LARGE);
	for (uint64_t i = 0; i < m->disk_size; i++)
		m->disk[i] = i * 7 + i / 512;
	start(m);
	return m;
}

static void set_large(struct rv_machine *m, unsigned number, uint32_t type) {
	uint64_t header = HEADER + 32 * number;
	uint64_t sector = number * (uint64_t)LARGE / 512;
	memcpy(ram(m, header), &type, 4);
	memcpy(ram(m, header + 8), &sector, 8);
	set_desc(m, 3 * number, header, 16, NEXT, 3 * number + 1);
	set_desc(m, 3 * number + 1, LARGE_DATA + (uint64_t)number * LARGE, LARGE,
		NEXT | (type == 0 ? WRITE : 0), 3 * number + 2);
	set_desc(m, 3 * number + 2, STATUS + number, 1, WRITE, 0);
	set16(m, AVAIL + 4 + 2 * number, 3 * number);
}

static uint64_t differences(const uint8_t *a, const uint8_t *b, uint64_t size) {
	uint64_t count = 0;
	for (uint64_t i = 0; i < size; i++)
		count += a[i] != b[i];
	return count;
}

/* Two requests at once: parts of a bounded size, and no step before all of them are done, though
 * another engine comes after each part. */
static void large_requests(uint32_t type) {
	struct rv_machine *m = large();
	uint8_t *guest = ram(m, LARGE_DATA), *from = type == 0 ? m->disk : guest;
	uint8_t *to = type == 0 ? guest : m->disk;
	for (unsigned i = 0; i < 2 * LARGE; i++)
		guest[i] = type == 0 ? (uint8_t)~m->disk[i] : (uint8_t)(i * 3 + i / 512);
	for (unsigned i = 0; i < 2 * LARGE && type; i++)
		m->disk[i] = (uint8_t)~guest[i];
	set_large(m, 0, type);
	set_large(m, 1, type);
	set16(m, AVAIL + 2, 2);
	uint64_t left = 2 * (uint64_t)LARGE;
	unsigned parts = 0;
	board_write(m, REG(0x50), 4, 0);
	while (m->virtio->busy) {
		uint64_t now = differences(from, to, 2 * LARGE);
		assert_int_equal(left - now, PART);
		left = now;
		parts++;
		assert_false(line(m));
		assert_true(get16(m, USED + 2) < 2);
		rv_machine_finish(m);
		assert_true(rv_machine_init(m, &board_engine));
		assert_int_equal(rv_machine_run(m, 10), RV_STOP_BUDGET);
		assert_int_equal(m->board->steps, parts < 2 * LARGE / PART ? 0 : 10);
	}
	assert_int_equal(parts, 2 * LARGE / PART);
	assert_memory_equal(from, to, 2 * LARGE);
	assert_int_equal(get16(m, USED + 2), 2);
	assert_true(line(m));
	uint32_t used[4];
	memcpy(used, ram(m, USED + 4), sizeof(used));
	assert_int_equal(used[0], 0);
	assert_int_equal(used[1], type == 0 ? LARGE + 1 : 1);
	assert_int_equal(used[2], 3);
	assert_int_equal(used[3], type == 0 ? LARGE + 1 : 1);
	board_destroy(m);
}

static void test_large_requests(void **state) {
	large_requests(0);
	large_requests(1);
}

/* What is to be done is the guest's, and may be something else after each part. */
static void test_queue_overwrites_itself(void **state) {
	static const uint64_t places[] = {DESC, AVAIL, USED, HEADER};
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		struct rv_machine *m = large();
		memset(m->disk, 0xff, m->disk_size);
		set_large(m, 0, 0);
		set_large(m, 1, 0);
		set_desc(m, 1, places[i], LARGE, NEXT | WRITE, 2);
		set16(m, AVAIL + 2, 2);
		board_write(m, REG(0x50), 4, 0);
		for (unsigned parts = 0; parts < 2 * LARGE / PART; parts++)
			rv_machine_run(m, 1);
		assert_false(m->virtio->busy);
		board_destroy(m);
	}
}

/* A reset, by the guest or the machine's, ends what is not done. */
static void test_reset_while_busy(void **state) {
	struct rv_machine *m = large();
	set_large(m, 0, 0);
	set16(m, AVAIL + 2, 1);
	board_write(m, REG(0x50), 4, 0);
	assert_true(m->virtio->busy);
	rv_machine_reset(m);
	assert_false(m->virtio->busy);
	assert_int_equal(m->virtio->done, 0);
	assert_int_equal(rv_machine_run(m, 10), RV_STOP_BUDGET);
	assert_int_equal(m->board->steps, 10);
	assert_int_equal(get16(m, USED + 2), 0);
	board_destroy(m);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_identity),
		TEST(test_no_disk),
		TEST(test_reads),
		TEST(test_writes),
		TEST(test_says_who_it_is),
		TEST(test_outside_the_disk),
		TEST(test_read_only),
		TEST(test_any_framing),
		TEST(test_many_at_once),
		TEST(test_index_jumps),
		TEST(test_loop_of_descriptors),
		TEST(test_wrong_chains),
		TEST(test_rings_outside_ram),
		TEST(test_negotiation),
		TEST(test_engine_is_told),
		TEST(test_large_requests),
		TEST(test_queue_overwrites_itself),
		TEST(test_reset_while_busy),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
