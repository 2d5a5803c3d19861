/* SPDX-License-Identifier: MIT */
/* A compiled program in U mode under Sv39 (guest/work.c) comes to the same state in the same steps,
 * whichever engines execute it, also if they take turns at any step. */
#include <stdio.h>
#include <stdlib.h>

#include "code_memory.h"
#include "random.h"
#include "rig.h"

#define ROUNDS_AT 0x800ff000ull /* see work.S */
#define LIMIT 10000000u

static const struct {
	const struct rv_engine *engine;
	bool native;
} engines[] = {
	{&rv_engine_plain, false},
	{&rv_engine_fast, false},
	{&rv_engine_fast, true},
};
#define ENGINES (sizeof engines / sizeof engines[0])

static void take_over(struct rig *rig, size_t engine) {
	rv_machine_finish(&rig->m);
	rig->m.code_memory = engines[engine].native ? code_memory : NULL;
	rig->m.code_memory_free = code_memory_free;
	assert_true(rv_machine_init(&rig->m, engines[engine].engine));
}

static struct rig *load_work(void) {
	static uint8_t elf[1 << 18];
	FILE *file = fopen(WORK_ELF, "rb");
	assert_non_null(file);
	const size_t size = fread(elf, 1, sizeof elf, file);
	fclose(file);
	struct rig *rig = rig_create(1, &rv_engine_plain);
	char why[256];
	struct rv_image image;
	assert_true(rv_load_image(&rig->m, elf, size, RV_RAM_BASE, &image, why, sizeof why));
	rig->board.boot_pc = image.entry;
	rig_write(rig, ROUNDS_AT, 2);
	rv_machine_reset(&rig->m);
	return rig;
}

/* To the end with this engine. */
static uint64_t finish(struct rig *rig, size_t engine) {
	take_over(rig, engine);
	enum rv_stop stop;
	while ((stop = rv_machine_run(&rig->m, LIMIT)) == RV_STOP_BUDGET) {
		assert_true(rig->board.steps < LIMIT);
	}
	assert_int_equal(stop, RV_STOP_ENDED);
	const uint64_t hash = rv_machine_hash(&rig->m);
	rig_destroy(rig);
	return hash;
}

static void each_alone(void **state) {
	(void)state;
	const uint64_t hash = finish(load_work(), 0);
	for (size_t i = 1; i < ENGINES; i++)
		assert_int_equal(finish(load_work(), i), hash);
}

static void all_in_turn(void **state) {
	(void)state;
	struct rig *rig = load_work();
	while (rig->board.steps < 60000) {
		take_over(rig, random_below(ENGINES));
		rv_machine_run(&rig->m, 1 + random_below(random_below(8) ? 40 : 4000));
	}
	assert_int_equal(finish(rig, 2), finish(load_work(), 0));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_alone),
		cmocka_unit_test(all_in_turn),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
