/* SPDX-License-Identifier: MIT */
/* What every engine promises to the machine: programs run, in exactly the steps that were asked. */
#include "rig.h"

static void setup_program(struct rig *rig) {
	/* The sum of 1 to 10, then a call of a function that doubles it. */
	rig_put(rig, addi(A0, X0, 0));
	rig_put(rig, addi(T0, X0, 10));
	rig_put(rig, add(A0, A0, T0));
	rig_put(rig, addi(T0, T0, -1));
	rig_put(rig, branch(1, T0, X0, -8));
	rig_put(rig, jal(RA, 12));
	rig_put(rig, store(3, SP, A0, 0));
	rig_put(rig, jal(X0, 0));
	rig_put(rig, add(A0, A0, A0));
	rig_put(rig, jalr(X0, RA, 0));
	rig->hart->x[SP] = RV_RAM_BASE + 0x1000;
}

static void runs_programs(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	setup_program(rig);
	/* 2 + 10 * 3 instructions, a call of 3, and the store. */
	rig_run(rig, 2 + 30 + 3 + 1);
	assert_int_equal(rig->hart->x[A0], 110);
	assert_int_equal(rig->hart->x[RA], RV_RAM_BASE + 24);
	assert_int_equal(rig_read(rig, RV_RAM_BASE + 0x1000), 110);
	assert_int_equal(rig->hart->pc, RV_RAM_BASE + 28);
	assert_int_equal(rig->hart->instret, 36);
	assert_int_equal(rig->hart->cycle, 36);
	rig_destroy(rig);
}

static void budgets_are_exact(void **state) {
	for (unsigned budget = 1; budget < 40; budget++) {
		struct rig *whole = rig_create(1, rig_engine);
		struct rig *parts = rig_create(1, rig_engine);
		setup_program(whole);
		setup_program(parts);
		rig_run(whole, 39);
		for (unsigned done = 0; done < 39;) {
			unsigned part = 39 - done < budget ? 39 - done : budget;
			rig_run(parts, part);
			done += part;
		}
		assert_int_equal(rv_machine_hash(&whole->m), rv_machine_hash(&parts->m));
		rig_destroy(whole);
		rig_destroy(parts);
	}
}

int main(int argc, char **argv) {
	rig_arguments(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_programs),
		cmocka_unit_test(budgets_are_exact),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
