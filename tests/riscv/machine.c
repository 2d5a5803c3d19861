/* SPDX-License-Identifier: MIT */
/* Time, waiting, harts in turn: the same however the steps are cut into runs. */
#include <string.h>

#include "rig.h"

#define HANDLER (RV_RAM_BASE + 0x1000)
#define DATA (RV_RAM_BASE + 0x8000)
#define ALL_STEPS 1000000

static void run_in_parts(struct rig *rig, uint64_t steps, uint64_t part) {
	while (steps) {
		uint64_t now = steps < part ? steps : part;
		uint64_t before = rig->board.steps;
		enum rv_stop stop = rv_machine_run(&rig->m, now);
		assert_int_equal(stop, RV_STOP_BUDGET);
		/* All of them, unless they took long. */
		uint64_t made = rig->board.steps - before;
		assert_true(made == now || (rig->m.worked && made > 0 && made < now));
		steps -= made;
	}
}

/* The timer goes off at its step exactly, in a loop that has nothing else to stop at. */
static void timer(void **state) {
	static const unsigned parts[] = {1, 3, 1000};
	for (unsigned i = 0; i < 3; i++) {
		struct rig *rig = rig_create(1, rig_engine);
		struct rv_hart *hart = rig->hart;
		rig->board.steps_per_tick = 10;
		rig_write_csr(rig, RV_CSR_MTVEC, HANDLER);
		rig_write_csr(rig, RV_CSR_MIE, 1u << RV_INT_MTI);
		hart->mstatus = RV_STATUS_MIE;
		rig->clint.mtimecmp[0] = 20;
		rig_put(rig, addi(A0, A0, 1));
		rig_put(rig, jal(X0, -4));
		rig->at = HANDLER;
		rig_put(rig, csrrs(A1, RV_CSR_TIME, X0));
		rig_put(rig, jal(X0, 0));
		run_in_parts(rig, 250, parts[i]);
		assert_int_equal(hart->x[A0], 100);
		assert_int_equal(hart->x[A1], 20);
		assert_int_equal(hart->mepc, RV_RAM_BASE);
		assert_int_equal(hart->mcause, RV_CAUSE_INTERRUPT | RV_INT_MTI);
		assert_int_equal(rv_machine_time(&rig->m), 25);
		rig_destroy(rig);
	}
}

/* A guest sets mtime back: its timer is found again, in the same step whatever the runs are. */
static void time_set_back(void **state) {
	static const unsigned parts[] = {1, 7, 5000};
	for (unsigned i = 0; i < 3; i++) {
		struct rig *rig = rig_create(1, rig_engine);
		struct rv_hart *hart = rig->hart;
		rig->board.steps_per_tick = 10;
		rig->board.time_base = 1000;
		rig_write_csr(rig, RV_CSR_MTVEC, HANDLER);
		rig_write_csr(rig, RV_CSR_MIE, 1u << RV_INT_MTI);
		hart->mstatus = RV_STATUS_MIE;
		hart->x[S0] = RV_CLINT_BASE + 0xbff8;
		rig->clint.mtimecmp[0] = UINT64_MAX;
		hart->x[S1] = RV_CLINT_BASE + 0x4000;
		hart->x[T0] = 50;
		for (unsigned j = 0; j < 25; j++) {
			rig_put(rig, nop());
		}
		rig_put(rig, store(3, S0, X0, 0));
		rig_put(rig, store(3, S1, T0, 0));
		rig_put(rig, addi(A0, A0, 1));
		rig_put(rig, jal(X0, -4));
		rig->at = HANDLER;
		rig_put(rig, csrrs(A1, RV_CSR_TIME, X0));
		rig_put(rig, csrrs(A2, RV_CSR_MCYCLE, X0));
		rig_put(rig, jal(X0, 0));
		run_in_parts(rig, 1000, parts[i]);
		assert_int_equal(hart->x[A1], 50);
		/* Five steps of the tick had gone when it was set. */
		assert_int_equal(hart->x[A2], 25 - 5 + 500 + 1);
		assert_int_equal(hart->mcause, RV_CAUSE_INTERRUPT | RV_INT_MTI);
		rig_destroy(rig);
	}
}

/* The host's clock goes on as it did, whatever the guest has made of mtime. */
static void two_clocks(void **state) {
	static const uint64_t written[] = {0, 5000, 1ull << 40};
	for (unsigned i = 0; i < 3; i++) {
		struct rig *rig = rig_create(1, rig_engine);
		rig->board.deterministic = false;
		rig->board.steps_per_tick = 1000;
		rv_machine_set_time(&rig->m, 1000);
		rig->hart->x[S0] = RV_CLINT_BASE + 0xbff8;
		rig->hart->x[S1] = written[i];
		rig_write_csr(rig, RV_CSR_MIE, 1u << RV_INT_MTI);
		rig->clint.mtimecmp[0] = written[i] + 300;
		rig_put(rig, store(3, S0, S1, 0));
		rig_put(rig, WFI);
		rig_put(rig, csrrs(A0, RV_CSR_TIME, X0));
		assert_int_equal(rv_machine_run(&rig->m, 10), RV_STOP_IDLE);
		assert_int_equal(rv_machine_time(&rig->m), written[i]);
		assert_int_equal(rv_machine_clock(&rig->m), 1000);
		assert_int_equal(rv_machine_wake_time(&rig->m), 1300);
		rv_machine_set_time(&rig->m, 1299);
		assert_int_equal(rv_machine_run(&rig->m, 10), RV_STOP_IDLE);
		rv_machine_set_time(&rig->m, 1300);
		rig_run(rig, 1);
		assert_int_equal(rig->hart->x[A0], written[i] + 300);
		rig_destroy(rig);
	}
}

static void setting_time(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	rig->board.steps_per_tick = 10;
	rig_put(rig, jal(X0, 0));
	rig_run(rig, 25);
	assert_int_equal(rv_machine_time(&rig->m), 2);
	/* Never back. */
	rv_machine_set_time(&rig->m, 1);
	assert_int_equal(rv_machine_time(&rig->m), 2);
	rv_machine_set_time(&rig->m, 1000);
	assert_int_equal(rv_machine_time(&rig->m), 1000);
	rig_run(rig, 9);
	assert_int_equal(rv_machine_time(&rig->m), 1000);
	rig_run(rig, 1);
	assert_int_equal(rv_machine_time(&rig->m), 1001);
	/* The timer is found after time was set, and far away is not soon. */
	rig->clint.mtimecmp[0] = 1010;
	rig_write_csr(rig, RV_CSR_MIE, 1u << RV_INT_MTI);
	rig->hart->mstatus = RV_STATUS_MIE;
	rig_write_csr(rig, RV_CSR_MTVEC, HANDLER);
	rig->at = HANDLER;
	rig_put(rig, jal(X0, 0));
	rig_run(rig, 90);
	assert_int_equal(rig->hart->pc, RV_RAM_BASE);
	rig_run(rig, 1);
	assert_int_equal(rig->hart->pc, HANDLER);
	rig_destroy(rig);
}

/* A machine that waits, with time by steps: time skips to the timer, no steps are made. */
static void waiting(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	struct rv_hart *hart = rig->hart;
	rig_write_csr(rig, RV_CSR_MIE, 1u << RV_INT_MTI);
	rig->clint.mtimecmp[0] = 5000;
	rig_put(rig, WFI);
	rig_put(rig, csrrs(A0, RV_CSR_TIME, X0));
	rig_put(rig, jal(X0, 0));
	rig_run(rig, 2);
	assert_int_equal(hart->x[A0], 5000);
	assert_int_equal(hart->pc, RV_RAM_BASE + 8);
	assert_int_equal(hart->cycle, 2);
	/* Something is pending: WFI does not wait, whatever MIE says. */
	rig_go(rig, RV_RAM_BASE);
	rig_run(rig, 2);
	assert_int_equal(hart->x[A0], 5002);
	/* Nothing will ever come. */
	rig->clint.mtimecmp[0] = UINT64_MAX;
	rig_go(rig, RV_RAM_BASE);
	assert_int_equal(rv_machine_run(&rig->m, 10), RV_STOP_IDLE);
	assert_int_equal(hart->pc, RV_RAM_BASE + 4);
	assert_int_equal(rv_machine_wake_time(&rig->m), UINT64_MAX);
	uint64_t hash = rv_machine_hash(&rig->m);
	assert_int_equal(rv_machine_run(&rig->m, 10), RV_STOP_IDLE);
	assert_int_equal(rv_machine_hash(&rig->m), hash);
	/* Time by the host: it is asked for. */
	rig->board.deterministic = false;
	rig->clint.mtimecmp[0] = 7000;
	assert_int_equal(rv_machine_run(&rig->m, 10), RV_STOP_IDLE);
	assert_int_equal(rv_machine_wake_time(&rig->m), 7000);
	rv_machine_set_time(&rig->m, 6999);
	assert_int_equal(rv_machine_run(&rig->m, 10), RV_STOP_IDLE);
	rv_machine_set_time(&rig->m, 7000);
	rig_run(rig, 1);
	assert_int_equal(hart->x[A0], 7000);
	/* An interrupt of a device, too. */
	rig_write_csr(rig, RV_CSR_MIE, 1u << RV_INT_MEI);
	rig_go(rig, RV_RAM_BASE);
	assert_int_equal(rv_machine_run(&rig->m, 10), RV_STOP_IDLE);
	assert_int_equal(rv_machine_wake_time(&rig->m), UINT64_MAX);
	rig->plic.priority[RV_IRQ_UART] = 1;
	rig->plic.enable[0] = 1u << RV_IRQ_UART;
	rv_plic_line(&rig->m, RV_IRQ_UART, true);
	rig_run(rig, 1);
	assert_int_equal(hart->pc, RV_RAM_BASE + 8);
	rig_destroy(rig);
}

/* Three harts add to one number under a lock of LR and SC, and a fourth waits to be told. */
static void put_locked_sum(struct rig *rig) {
	rig_put(rig, csrrs(T0, RV_CSR_MHARTID, X0));
	rig_put(rig, addi(T1, X0, 3));
	rig_put(rig, branch(0, T0, T1, 14 * 4)); /* to the fourth's */
	rig_put(rig, addi(T2, X0, 1));
	/* lock */
	rig_put(rig, amo(2, 2, A0, S0, 0)); /* lr.w */
	rig_put(rig, branch(1, A0, X0, -4));
	rig_put(rig, amo(3, 2, A0, S0, T2)); /* sc.w */
	rig_put(rig, branch(1, A0, X0, -12));
	/* the number, not atomically */
	rig_put(rig, load(3, A1, S0, 8));
	rig_put(rig, addi(A1, A1, 1));
	rig_put(rig, store(3, S0, A1, 8));
	rig_put(rig, store(2, S0, X0, 0)); /* unlock */
	rig_put(rig, addi(S1, S1, 1));
	rig_put(rig, amo(0, 3, X0, A2, T2)); /* amoadd.d: how often in all */
	rig_put(rig, jal(X0, -40));
	rig_put(rig, nop());
	/* the fourth */
	rig_put(rig, WFI);
	rig_put(rig, addi(S1, S1, 1));
	rig_put(rig, jal(X0, -8));
}

static struct rig *make_four(void) {
	struct rig *rig = rig_create(4, rig_engine);
	put_locked_sum(rig);
	for (unsigned i = 0; i < 4; i++) {
		rig->harts[i].x[S0] = DATA;
		rig->harts[i].x[A2] = DATA + 16;
		rig->harts[i].mie = 1u << RV_INT_MSI | 1u << RV_INT_MTI;
	}
	rig->clint.mtimecmp[3] = 30000;
	return rig;
}

static void several_harts(void **state) {
	struct rig *whole = make_four();
	run_in_parts(whole, ALL_STEPS, ALL_STEPS);
	uint64_t hash = rv_machine_hash(&whole->m);
	uint64_t sum = 0, cycles = 0;
	for (unsigned i = 0; i < 4; i++) {
		assert_true(whole->harts[i].x[S1] > 10);
		sum += i < 3 ? whole->harts[i].x[S1] : 0;
		cycles += whole->harts[i].cycle;
	}
	assert_int_equal(cycles, ALL_STEPS);
	/* A hart may be between the store and the count of its own. */
	uint64_t number = rig_read(whole, DATA + 8);
	assert_uint_in_range(number, sum, sum + 3);
	assert_uint_in_range(rig_read(whole, DATA + 16), sum - 3, sum);
	rig_destroy(whole);
	static const uint64_t parts[] = {1, 7, 100, 4096, 5000, 33333};
	for (unsigned i = 0; i < sizeof(parts) / sizeof(*parts); i++) {
		struct rig *rig = make_four();
		run_in_parts(rig, ALL_STEPS, parts[i]);
		assert_int_equal(rv_machine_hash(&rig->m), hash);
		rig_destroy(rig);
	}
}

/* A reservation does not outlive the turn of another hart, a trap, an SC, or a device's write. */
static void reservations(void **state) {
	struct rig *rig = rig_create(2, rig_engine);
	struct rv_hart *hart = rig->hart;
	uint32_t lr = amo(2, 3, A0, S0, 0), sc = amo(3, 3, A1, S0, S1);
	hart->x[S0] = DATA;
	hart->x[S1] = 42;
	rig_step(rig, sc);
	assert_int_equal(hart->x[A1], 1);
	rig_step(rig, lr);
	rig_step(rig, sc);
	assert_int_equal(hart->x[A1], 0);
	assert_int_equal(rig_read(rig, DATA), 42);
	rig_step(rig, sc);
	assert_int_equal(hart->x[A1], 1);
	/* another address */
	rig_step(rig, lr);
	hart->x[S0] = DATA + 8;
	rig_step(rig, sc);
	assert_int_equal(hart->x[A1], 1);
	/* a trap */
	hart->x[S0] = DATA;
	rig_write_csr(rig, RV_CSR_MTVEC, HANDLER);
	rig_step(rig, lr);
	rig_step(rig, ECALL);
	rig_step(rig, sc);
	assert_int_equal(hart->x[A1], 1);
	/* a device */
	rig_step(rig, lr);
	rv_machine_written(&rig->m, DATA - 8, 8);
	rv_machine_written(&rig->m, DATA + 8, 8);
	rig_step(rig, sc);
	assert_int_equal(hart->x[A1], 0);
	rig_step(rig, lr);
	rv_machine_written(&rig->m, DATA - 8, 9);
	rig_step(rig, sc);
	assert_int_equal(hart->x[A1], 1);
	/* the other hart */
	rig_step(rig, lr);
	rig->board.turn_left = 0;
	rig->harts[1].pc = RV_RAM_BASE + 0x2000;
	rig->at = RV_RAM_BASE + 0x2000;
	rig_put(rig, jal(X0, 0));
	rig_run(rig, 1);
	rig->harts[1].waiting = true;
	rig_step(rig, sc);
	assert_int_equal(hart->x[A1], 1);
	rig_destroy(rig);
}

/* State that something else wrote is told from a machine's. */
static void state_is_checked(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	char why[160] = "";
	assert_true(rv_machine_check(&rig->m, why, sizeof(why)));
#define REFUSED(place, value, text)                                                                \
	do {                                                                                       \
		typeof(place) before = (place);                                                    \
		(place) = (value);                                                                 \
		assert_false(rv_machine_check(&rig->m, why, sizeof(why)));                         \
		assert_non_null(strstr(why, text));                                                \
		(place) = before;                                                                  \
		assert_true(rv_machine_check(&rig->m, why, sizeof(why)));                          \
	} while (0)
	REFUSED(rig->m.hart_count, 0, "size");
	REFUSED(rig->m.ram_size, rig->m.ram_size - 1, "size");
	REFUSED(rig->m.board->turn, 1, "clock");
	REFUSED(rig->m.board->steps_per_tick, 0, "clock");
	REFUSED(rig->m.uart->tx_head, RV_UART_TX, "UART");
	REFUSED(rig->m.uart->rx_count, RV_UART_RX + 1, "UART");
	REFUSED(rig->m.virtio->queue.size, RV_VIRTQ_MAX + 1, "disk");
	REFUSED(rig->m.virtio->queue.ready, true, "disk");
	struct rv_net net = {};
	rig->m.net = &net;
	REFUSED(net.queues[RV_NET_TRANSMIT].size, RV_VIRTQ_MAX + 1, "network");
	REFUSED(net.queues[RV_NET_RECEIVE].ready, true, "network");
	REFUSED(net.out_head, RV_NET_OUT, "network");
	REFUSED(net.out_count, RV_NET_OUT + 1, "network");
	REFUSED(net.out[RV_NET_OUT - 1].size, RV_FRAME_MAX + 1, "network");
	rig->m.net = NULL;
	REFUSED(rig->hart->pc, rig->hart->pc + 1, "hart");
	REFUSED(rig->hart->mode, 2, "hart");
#undef REFUSED
	rig_destroy(rig);
}

/* However cheap its steps are: stores to new pages may not be. */
static void new_pages(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	rig->hart->x[S0] = DATA;
	rig_put(rig, store(3, S0, S0, 0));
	rig_put(rig, SFENCE_VMA);
	rig_put(rig, addi(S1, S1, 1));
	rig_put(rig, jal(X0, -12));
	for (unsigned i = 1; i < 4; i++) {
		assert_int_equal(rv_machine_run(&rig->m, ALL_STEPS), RV_STOP_BUDGET);
		/* After the last store. */
		assert_int_equal(rig->board.steps, (i * RV_NEW_PAGES - 1) * 4ull + 1);
	}
	uint64_t hash = rv_machine_hash(&rig->m);
	uint64_t steps = rig->board.steps;
	rig_destroy(rig);
	rig = rig_create(1, rig_engine);
	rig->hart->x[S0] = DATA;
	rig_put(rig, store(3, S0, S0, 0));
	rig_put(rig, SFENCE_VMA);
	rig_put(rig, addi(S1, S1, 1));
	rig_put(rig, jal(X0, -12));
	run_in_parts(rig, steps, 1000);
	assert_int_equal(rv_machine_hash(&rig->m), hash);
	rig_destroy(rig);
}

/* What takes the host a hundred or a thousand times as long as other instructions. */
static struct rig *make_laborious(unsigned kind) {
	struct rig *rig = rig_create(1, rig_engine);
	struct rv_hart *hart = rig->hart;
	switch (kind) {
	case 0:
		rig_put(rig, SFENCE_VMA);
		rig_put(rig, jal(X0, -4));
		break;
	case 1:
		rig_write_csr(rig, RV_CSR_MTVEC, HANDLER);
		rig_put(rig, ECALL);
		rig->at = HANDLER;
		rig_put(rig, MRET);
		break;
	case 2:
		hart->x[S0] = RV_UART_BASE;
		rig_put(rig, load(4, S1, S0, 5));
		rig_put(rig, jal(X0, -4));
		break;
	case 3: /* the timer goes off after every instruction */
		rig_write_csr(rig, RV_CSR_MTVEC, HANDLER);
		rig_write_csr(rig, RV_CSR_MIE, 1u << RV_INT_MTI);
		hart->mstatus = RV_STATUS_MIE;
		rig->clint.mtimecmp[0] = 0;
		rig_put(rig, jal(X0, 0));
		rig->at = HANDLER;
		rig_put(rig, MRET);
		break;
	case 4: /* floating point with flags, which are cleared again */
		hart->mstatus = RV_STATUS_FS;
		hart->f[0] = 0x3ff0000000000000;
		hart->f[1] = 0x4008000000000000;
		rig_put(rig, csrrwi(X0, RV_CSR_FFLAGS, 0));
		rig_put(rig, r_type(0x53, 7, 0x0d, 2, 0, 1));
		rig_put(rig, jal(X0, -8));
		break;
	default: /* it writes to itself */
		hart->x[S0] = RV_RAM_BASE;
		hart->x[S1] = addi(A0, A0, 1);
		rig_put(rig, addi(A0, A0, 1));
		rig_put(rig, store(2, S0, S1, 0));
		rig_put(rig, jal(X0, -8));
		break;
	}
	return rig;
}

static void laborious(void **state) {
	/* The last takes long only where decoded code is kept. */
	unsigned kinds = rig_engine == &rv_engine_plain ? 5 : 6;
	for (unsigned kind = 0; kind < kinds; kind++) {
		struct rig *rig = make_laborious(kind);
		assert_int_equal(rv_machine_run(&rig->m, ALL_STEPS), RV_STOP_BUDGET);
		uint64_t steps = rig->board.steps;
		assert_uint_in_range(steps, 1000, ALL_STEPS * 3 / 4);
		uint64_t hash = rv_machine_hash(&rig->m);
		rig_destroy(rig);
		/* Which nobody can tell but by the time. */
		rig = make_laborious(kind);
		run_in_parts(rig, steps, 777);
		assert_int_equal(rv_machine_hash(&rig->m), hash);
		rig_destroy(rig);
	}
}

static uint64_t to_host(struct rig *rig, uint64_t value, enum rv_stop expected) {
	rig->board.tohost = DATA;
	rig->board.fromhost = DATA + 64;
	rig->hart->x[S0] = DATA;
	rig->hart->x[S1] = value;
	rig_go(rig, RV_RAM_BASE);
	rig_put(rig, store(3, S0, S1, 0));
	rig_put(rig, jal(X0, 0));
	assert_int_equal(rv_machine_run(&rig->m, 3), expected);
	return rig_read(rig, DATA);
}

static void host_interface(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	assert_int_equal(to_host(rig, 0x0101000000000000 | 'x', RV_STOP_BUDGET), 0);
	char text[8] = {};
	assert_int_equal(rv_uart_output(&rig->m, text, sizeof(text)), 1);
	assert_int_equal(text[0], 'x');
	/* write(1, "hello", 5) */
	rig_write(rig, DATA + 128, 64);
	rig_write(rig, DATA + 136, 1);
	rig_write(rig, DATA + 144, DATA + 256);
	rig_write(rig, DATA + 152, 5);
	memcpy(rig->ram + (DATA + 256 - RV_RAM_BASE), "hello", 5);
	assert_int_equal(to_host(rig, DATA + 128, RV_STOP_BUDGET), 0);
	assert_int_equal(rig_read(rig, DATA + 64), 1);
	assert_int_equal(rig_read(rig, DATA + 128), 5);
	assert_int_equal(rv_uart_output(&rig->m, text, sizeof(text)), 5);
	assert_memory_equal(text, "hello", 5);
	/* What is not RAM is not written, what is not known is refused. */
	rig_write(rig, DATA + 128, 64);
	rig_write(rig, DATA + 144, RV_RAM_BASE + RIG_RAM - 4);
	to_host(rig, DATA + 128, RV_STOP_BUDGET);
	assert_int_equal((int64_t)rig_read(rig, DATA + 128), -14);
	rig_write(rig, DATA + 128, 57);
	to_host(rig, DATA + 128, RV_STOP_BUDGET);
	assert_int_equal((int64_t)rig_read(rig, DATA + 128), -38);
	to_host(rig, 16, RV_STOP_BUDGET);
	uint64_t steps = rig->board.steps;
	to_host(rig, 7, RV_STOP_ENDED);
	assert_int_equal(rig->board.exit_code, 3);
	/* After the instruction that did it, and for good. */
	assert_int_equal(rig->board.steps, steps + 1);
	assert_int_equal(rv_machine_run(&rig->m, 3), RV_STOP_ENDED);
	/* A code of more bits than there are is no success. */
	rig->board.ended = false;
	to_host(rig, 1ull << 33 | 1, RV_STOP_ENDED);
	assert_int_equal(rig->board.exit_code, UINT32_MAX);
	rig_destroy(rig);
}

/* More text than the console holds: however the steps are cut, and however full it is, the guest is
 * told the same. */
static void long_texts(void **state) {
	enum { WRITES = 8, STEPS = 500 };
	static const uint64_t parts[] = {STEPS, 50, 1};
	static uint8_t texts[3][WRITES * RV_UART_ROOM];
	uint64_t hashes[3];
	for (unsigned i = 0; i < 3; i++) {
		struct rig *rig = rig_create(1, rig_engine);
		struct rv_hart *hart = rig->hart;
		rig->board.tohost = DATA;
		rig->board.fromhost = DATA + 64;
		rig_write(rig, DATA + 144, DATA + 256);
		rig_write(rig, DATA + 152, RV_UART_ROOM);
		for (unsigned j = 0; j < RV_UART_ROOM; j++) {
			rig->ram[DATA + 256 - RV_RAM_BASE + j] = j ^ j >> 8;
		}
		hart->x[S0] = DATA;
		hart->x[S1] = DATA + 128;
		hart->x[A3] = 64;
		hart->x[A5] = WRITES;
		rig_put(rig, store(3, S0, A3, 128));
		rig_put(rig, store(3, S0, S1, 0));
		rig_put(rig, load(3, A0, S0, 128));
		rig_put(rig, load(3, A1, S0, 0));
		rig_put(rig, add(A2, A2, A0));
		rig_put(rig, addi(A4, A4, 1));
		rig_put(rig, branch(1, A4, A5, -24));
		rig_put(rig, jal(X0, 0));
		uint64_t got = 0;
		while (rig->board.steps < STEPS) {
			uint64_t left = STEPS - rig->board.steps;
			enum rv_stop stop =
				rv_machine_run(&rig->m, left < parts[i] ? left : parts[i]);
			if (stop == RV_STOP_CONSOLE) {
				got += rv_uart_output(
					&rig->m, texts[i] + got, sizeof(texts[i]) - got);
			} else {
				assert_int_equal(stop, RV_STOP_BUDGET);
			}
		}
		got += rv_uart_output(&rig->m, texts[i] + got, sizeof(texts[i]) - got);
		assert_int_equal(got, sizeof(texts[i]));
		assert_int_equal(hart->x[A2], sizeof(texts[i]));
		assert_int_equal(hart->x[A1], 0);
		for (uint64_t j = 0; j < got; j++) {
			unsigned k = j % RV_UART_ROOM;
			assert_int_equal(texts[i][j], (uint8_t)(k ^ k >> 8));
		}
		hashes[i] = rv_machine_hash(&rig->m);
		assert_int_equal(hashes[i], hashes[0]);
		rig_destroy(rig);
	}
}

static void resets(void **state) {
	struct rig *rig = rig_create(2, rig_engine);
	rig->board.boot_fdt = 0x1234;
	rig_write(rig, DATA, 99);
	rig_put(rig, addi(A5, X0, 5));
	rig_put(rig, store(2, S0, S1, 0));
	rig->hart->x[S0] = RV_FINISHER_BASE;
	rig->hart->x[S1] = 0x7777;
	rig_write_csr(rig, RV_CSR_MTVEC, HANDLER);
	assert_int_equal(rv_machine_run(&rig->m, 100), RV_STOP_RESET);
	assert_int_equal(rig->board.steps, 2);
	assert_int_equal(rig->board.resets, 1);
	assert_int_equal(rig->hart->pc, RV_RAM_BASE);
	assert_int_equal(rig->hart->x[A5], 0);
	assert_int_equal(rig->hart->mtvec, 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(rig->harts[i].x[A0], i);
		assert_int_equal(rig->harts[i].x[A1], 0x1234);
		assert_int_equal(rig->harts[i].mode, RV_MODE_M);
	}
	static const struct rv_tlb empty;
	assert_memory_equal(&rig->tlbs[0], &empty, sizeof(empty));
	assert_int_equal(rig_read(rig, DATA), 99);
	rig_run(rig, 1);
	assert_int_equal(rig->hart->x[A5], 5);
	rig_destroy(rig);
}

/* The console is full: the run ends before a byte is lost, and goes on where it was. */
static void console(void **state) {
	struct rig *rig = rig_create(1, rig_engine);
	rig->hart->x[S0] = RV_UART_BASE;
	rig_put(rig, addi(A0, A0, 1));
	rig_put(rig, store(0, S0, A0, 0));
	rig_put(rig, jal(X0, -8));
	assert_int_equal(rv_machine_run(&rig->m, ALL_STEPS), RV_STOP_CONSOLE);
	const unsigned most = RV_UART_TX - RV_UART_ROOM + 1;
	assert_int_equal(rig->hart->x[A0], most);
	uint8_t bytes[RV_UART_TX];
	assert_int_equal(rv_uart_output(&rig->m, bytes, sizeof(bytes)), most);
	assert_int_equal(rv_machine_run(&rig->m, 4), RV_STOP_BUDGET);
	assert_int_equal(rig->hart->x[A0], most + 1);
	assert_int_equal(rv_uart_output(&rig->m, bytes, sizeof(bytes)), 1);
	rig_destroy(rig);
}

static void hashes(void **state) {
	struct rig *rig = rig_create(2, rig_engine);
	uint64_t first = rv_machine_hash(&rig->m);
	assert_int_equal(rv_machine_hash(&rig->m), first);
	void *const places[] = {&rig->board.steps, &rig->harts[1].senvcfg,
		&rig->tlbs[1].entries[2][255], &rig->clint.msip[3], &rig->plic.threshold[7],
		&rig->uart.tx[RV_UART_TX - 1], &rig->virtio.read_only, &rig->ram[RIG_RAM - 1]};
	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
		*(uint8_t *)places[i] ^= 1;
		assert_int_not_equal(rv_machine_hash(&rig->m), first);
		*(uint8_t *)places[i] ^= 1;
	}
	assert_int_equal(rv_machine_hash(&rig->m), first);
	rig_destroy(rig);
}

/* ---- scratch that was made ahead */

static unsigned creates, begins;

static bool count_create(struct rv_machine *m) {
	creates++;
	return rig_engine->create(m);
}

static void count_begin(struct rv_machine *m) {
	begins++;
	if (rig_engine->begin) {
		rig_engine->begin(m);
	}
}

/* Nobody needs to make it again, unless the machine is a larger one or the engine another; the
 * machine runs as any other does. */
static void warm(void **state) {
	static const struct {
		uint64_t ram;
		unsigned harts, creates;
	} ahead[] = {{RIG_RAM, 2, 1}, {RIG_RAM * 2, 4, 1}, {RIG_RAM / 2, 2, 2}, {RIG_RAM, 1, 2}};
	struct rv_engine engine = *rig_engine;
	engine.create = count_create;
	engine.begin = count_begin;
	struct rig *plain = rig_create(2, rig_engine);
	rig_put(plain, addi(A0, A0, 1));
	rig_put(plain, jal(X0, -4));
	run_in_parts(plain, 20000, 20000);
	for (size_t i = 0; i < sizeof(ahead) / sizeof(ahead[0]); i++) {
		struct rig *rig = rig_create(2, rig_engine);
		rig_put(rig, addi(A0, A0, 1));
		rig_put(rig, jal(X0, -4));
		rv_machine_finish(&rig->m);
		const struct rv_machine whole = rig->m;
		creates = begins = 0;
		/* The state is not there yet. */
		rig->m = (struct rv_machine){.code_memory = whole.code_memory,
			.code_memory_free = whole.code_memory_free};
		assert_true(rv_machine_warm(&rig->m, &engine, ahead[i].ram, ahead[i].harts));
		assert_int_equal(creates, 1);
		assert_int_equal(begins, 0);
		rig->m.board = whole.board;
		rig->m.harts = whole.harts;
		rig->m.tlbs = whole.tlbs;
		rig->m.clint = whole.clint;
		rig->m.plic = whole.plic;
		rig->m.uart = whole.uart;
		rig->m.virtio = whole.virtio;
		rig->m.ram = whole.ram;
		rig->m.ram_size = whole.ram_size;
		rig->m.hart_count = whole.hart_count;
		assert_true(rv_machine_init(&rig->m, &engine));
		assert_int_equal(creates, ahead[i].creates);
		assert_int_equal(begins, 1);
		run_in_parts(rig, 20000, 20000);
		assert_int_equal(rv_machine_hash(&rig->m), rv_machine_hash(&plain->m));
		/* The other engine does not take this one's for its own. */
		assert_true(rv_machine_init(&rig->m, &rv_engine_plain));
		run_in_parts(rig, 100, 100);
		assert_ptr_equal(rig->m.engine, &rv_engine_plain);
		rig_destroy(rig);
	}
	rig_destroy(plain);
}

int main(int argc, char **argv) {
	rig_arguments(argc, argv);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(warm),
		cmocka_unit_test(timer),
		cmocka_unit_test(time_set_back),
		cmocka_unit_test(two_clocks),
		cmocka_unit_test(setting_time),
		cmocka_unit_test(waiting),
		cmocka_unit_test(several_harts),
		cmocka_unit_test(reservations),
		cmocka_unit_test(host_interface),
		cmocka_unit_test(long_texts),
		cmocka_unit_test(resets),
		cmocka_unit_test(console),
		cmocka_unit_test(hashes),
		cmocka_unit_test(state_is_checked),
		cmocka_unit_test(new_pages),
		cmocka_unit_test(laborious),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
