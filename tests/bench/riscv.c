/* SPDX-License-Identifier: MIT */
/*
 * How many instructions a second the RISC-V machine executes, in millions: the same guest program
 * (tests/riscv/guest/work.c, in U mode under Sv39) with the plain engine, with the fast one with
 * and without native code, and in qemu-system-riscv64 (TCG), in turns. Time is the processor's, as
 * others may use the machine; of QEMU without what it takes to begin. One JSON object per line.
 */
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "code_memory.h"
#include "machine.h"
#include "measure.h"

#define RAM_SIZE (16u << 20)
#define ROUNDS_AT 0x800ff000ull /* see work.S */
#define TURNS 3

extern char **environ;

struct guest {
	uint8_t *elf;
	size_t elf_size;
	uint64_t steps;	 /* that the last run made */
	uint64_t result; /* and what it found */
};

static double cpu_seconds(void) {
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

[[noreturn]] static void fail(const char *what) {
	fprintf(stderr, "bench: riscv: %s\n", what);
	exit(1);
}

static void read_elf(struct guest *guest) {
	FILE *file = fopen(WORK_ELF, "rb");
	guest->elf = malloc(1 << 20);
	if (!file || !guest->elf)
		fail("no " WORK_ELF);
	guest->elf_size = fread(guest->elf, 1, 1 << 20, file);
	fclose(file);
}

/* The first of the two numbers that the guest prints; 0 if it trapped. */
static uint64_t read_output(const char *text) {
	const uint64_t result = strtoull(text, NULL, 16);
	if (!result)
		fail("the guest trapped");
	return result;
}

/* Seconds. */
static double run(
	struct guest *guest, const struct rv_engine *engine, bool native, uint32_t rounds) {
	static struct rv_board board;
	static struct rv_hart hart;
	static struct rv_tlb tlb;
	static struct rv_clint clint;
	static struct rv_plic plic;
	static struct rv_uart uart;
	static struct rv_virtio virtio;
	struct rv_machine m = {
		.board = &board,
		.harts = &hart,
		.tlbs = &tlb,
		.clint = &clint,
		.plic = &plic,
		.uart = &uart,
		.virtio = &virtio,
		.ram = calloc(1, RAM_SIZE),
		.ram_size = RAM_SIZE,
		.hart_count = 1,
		.code_memory = native ? code_memory : NULL,
		.code_memory_free = code_memory_free,
	};
	char text[256];
	board = (struct rv_board){.steps_per_tick = 100, .deterministic = true};
	if (!m.ram || !rv_machine_init(&m, engine))
		fail("no memory");
	struct rv_image image;
	if (!rv_load_image(&m, guest->elf, guest->elf_size, RV_RAM_BASE, &image, text, sizeof text))
		fail(text);
	board.boot_pc = image.entry;
	memcpy(m.ram + (ROUNDS_AT - RV_RAM_BASE), &rounds, sizeof rounds);
	rv_machine_reset(&m);
	const double begin = cpu_seconds();
	while (!board.ended)
		if (rv_machine_run(&m, UINT64_MAX) == RV_STOP_IDLE)
			fail("the guest waits for ever");
	const double seconds = cpu_seconds() - begin;
	text[rv_uart_output(&m, text, sizeof text - 1)] = 0;
	guest->steps = board.steps;
	guest->result = read_output(text);
	rv_machine_finish(&m);
	free(m.ram);
	return seconds;
}

/* Seconds, all in all; below 0: there is no QEMU. */
static double run_qemu(uint32_t rounds, uint64_t *result) {
	char load[128], text[256];
	snprintf(load, sizeof load, "loader,addr=%#llx,data=%u,data-len=4",
		(unsigned long long)ROUNDS_AT, rounds);
	const char *argv[] = {"qemu-system-riscv64", "-M", "virt", "-m", "128", "-bios", "none",
		"-display", "none", "-monitor", "none", "-serial", "stdio", "-kernel", WORK_ELF,
		"-device", load, NULL};
	int out[2];
	pid_t pid;
	posix_spawn_file_actions_t actions;
	if (pipe(out))
		fail("no pipe");
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], 1);
	posix_spawn_file_actions_addclose(&actions, out[0]);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", 0, 0);
	const int rc = posix_spawnp(&pid, argv[0], &actions, NULL, (char **)argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	size_t size = 0;
	for (ssize_t got; !rc && (got = read(out[0], text + size, sizeof text - 1 - size)) > 0;)
		size += (size_t)got;
	close(out[0]);
	if (rc)
		return -1;
	struct rusage usage;
	if (wait4(pid, NULL, 0, &usage) != pid)
		fail("QEMU is gone");
	text[size] = 0;
	*result = read_output(text);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
		(double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

struct variant {
	const char *name;
	const struct rv_engine *engine;
	bool native;
	uint32_t rounds;
	double mips[TURNS];
};

int main(void) {
	struct variant variants[] = {
		{.name = "plain", .engine = &rv_engine_plain, .rounds = 400},
		{.name = "fast.threaded", .engine = &rv_engine_fast, .rounds = 1500},
		{.name = "fast", .engine = &rv_engine_fast, .native = true, .rounds = 8000},
	};
	struct guest guest = {};
	double qemu = 0;
	int qemu_runs = 0;
	read_elf(&guest);
	for (int turn = 0; turn < TURNS; turn++) {
		for (int i = 0; i < 3; i++) {
			struct variant *v = &variants[i];
			const double seconds = run(&guest, v->engine, v->native, v->rounds);
			v->mips[turn] = (double)guest.steps / seconds / 1e6;
		}
		/* The last one's rounds, and so its steps. */
		uint64_t result = 0;
		const double start = run_qemu(1, &result);
		if (start < 0)
			continue;
		const double seconds = run_qemu(variants[2].rounds, &result) - start;
		if (result != guest.result)
			fail("QEMU found another result");
		qemu += (double)guest.steps / seconds / 1e6;
		qemu_runs++;
	}
	for (int i = 0; i < 3; i++) {
		char name[64], beside[64] = "";
		for (int turn = 0; turn < TURNS; turn++)
			add_sample(variants[i].mips[turn]);
		snprintf(name, sizeof name, "riscv.mips.%s", variants[i].name);
		if (qemu_runs)
			snprintf(beside, sizeof beside, "\"qemu-system-riscv64\":%.0f",
				qemu / qemu_runs);
		print_beside(name, "MIPS", 1, beside);
	}
	free(guest.elf);
	return 0;
}
