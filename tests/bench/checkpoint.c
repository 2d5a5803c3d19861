/* SPDX-License-Identifier: MIT */
/*
 * What a checkpoint costs: arming and disarming the barrier, which is all that the tile waits for,
 * beside one mprotect of as much memory; bringing the state to disk beside copying it, and beside
 * writing and syncing a plain file of that size in the same folder, as dd does; and reading it
 * back.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keeper/disk.h"
#include "measure.h"

struct word {
	uint64_t value;
};
static const struct vat_field fields[] = {VAT_FIELD(1, U64, struct word, value)};

static void handle_segv(int number, siginfo_t *info, void *context) {
	if (!vat_barrier_handle_fault(info->si_addr))
		signal(number, SIG_DFL);
}

static void give_up(const char *what) {
	perror(what);
	exit(1);
}

/* Written, synced, and renamed. */
static double plain_file(const struct keeper_disk *disk, size_t size) {
	const size_t piece = size < (1 << 20) ? size : 1 << 20;
	char *bytes = malloc(piece);
	if (!bytes)
		give_up("malloc");
	memset(bytes, 7, piece);
	double begin = now_us();
	int fd = openat(disk->folder, "plain.new", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		give_up("plain.new");
	for (size_t done = 0; done < size; done += piece) {
		if (write(fd, bytes, piece) != (ssize_t)piece)
			give_up("write");
	}
	if (fsync(fd) < 0 || close(fd) < 0 ||
		renameat(disk->folder, "plain.new", disk->folder, "plain") < 0 ||
		fsync(disk->folder) < 0)
		give_up("fsync");
	double time = now_us() - begin;
	unlinkat(disk->folder, "plain", 0);
	free(bytes);
	return time;
}

/* Forbids to write into pages that were all written, and allows it again. */
static double protect(uint8_t *bytes, size_t size) {
	uint8_t *first = bytes - (uintptr_t)bytes % VAT_PAGE;
	double begin = now_us();
	if (mprotect(first, size, PROT_READ) < 0)
		give_up("mprotect");
	double time = now_us() - begin;
	if (mprotect(first, size, PROT_READ | PROT_WRITE) < 0)
		give_up("mprotect");
	return time;
}

static void print_waits(
	const char *what, const char *size_name, double *waits, int rounds, double protect) {
	char name[64], beside[64];
	for (int i = 0; i < rounds; i++)
		add_sample(waits[i]);
	snprintf(name, sizeof(name), "checkpoint.%s.%s", what, size_name);
	snprintf(beside, sizeof(beside), "\"mprotect\":%.3f", protect);
	print_beside(name, "µs", 1, beside);
}

static void measure_size(
	const struct keeper_disk *disk, const char *size_name, size_t size, int rounds) {
	struct vat_error err;
	struct vat_region_info info = {.name = "bench"};
	const struct vat_cell_decl decl =
		VAT_CELL("words", struct word, size / sizeof(struct word), fields);
	struct vat_region *region;
	double arms[32], ends[32], protects[32], loads[32], plain[32];
	vat_uuid_generate(&info.tile);
	int fd = vat_region_create(&info, 0, &err);
	check(fd, &err);
	check(vat_region_map(fd, VAT_WRITE, &region, &err), &err);
	check(vat_region_adopt(region, &decl, 1, 0, NULL, &err), &err);
	struct word *words = vat_cell_data(region, vat_region_cell(region, 0));
	for (size_t i = 0; i < decl.count; i++)
		words[i].value = i * 0x9e3779b97f4a7c15u;
	int undo = vat_undo_create(region, &err);
	check(undo, &err);
	for (int i = 0; i < rounds; i++) {
		words[i].value++; /* every page of it is mapped, as in a tile that uses it all */
		protects[i] = protect((uint8_t *)words, size);
		double begin = now_us();
		check(vat_barrier_begin_live(region, undo, &err), &err);
		arms[i] = now_us() - begin;
		uint64_t bytes;
		begin = now_us();
		check(keeper_disk_save(disk, region, undo, &bytes, &err), &err);
		add_sample(now_us() - begin);
		begin = now_us();
		check(vat_barrier_end(region, &err), &err);
		ends[i] = now_us() - begin;
		begin = now_us();
		int copy = keeper_disk_load(disk, &info.tile, &bytes, &err);
		check(copy, &err);
		loads[i] = now_us() - begin;
		close(copy);
		plain[i] = plain_file(disk, size);
	}
	qsort(plain, (size_t)rounds, sizeof(*plain), by_size);
	qsort(protects, (size_t)rounds, sizeof(*protects), by_size);
	double copied = copy_floor(size);
	char name[64], beside[128];
	snprintf(name, sizeof(name), "checkpoint.save.%s", size_name);
	snprintf(beside, sizeof(beside), "\"memcpy\":%.3f,\"plain file, fsync\":%.3f", copied / 1e3,
		plain[rounds / 2] / 1e3);
	print_beside(name, "ms", 1e-3, beside);
	print_waits("wait", size_name, arms, rounds, protects[rounds / 2]);
	print_waits("end", size_name, ends, rounds, protects[rounds / 2]);
	for (int i = 0; i < rounds; i++)
		add_sample(loads[i]);
	snprintf(name, sizeof(name), "checkpoint.load.%s", size_name);
	print_measure(name, "ms", 1e-3, copied);
	keeper_disk_remove(disk, &info.tile);
	vat_region_unmap(region);
	close(undo);
	close(fd);
}

int main(void) {
	struct sigaction action = {.sa_sigaction = handle_segv, .sa_flags = SA_SIGINFO};
	sigfillset(&action.sa_mask);
	sigaction(SIGSEGV, &action, NULL);
	/* On the disk that the build is on: a folder for temporary files may be memory. */
	const char *build = getenv("SOURCE_CITY_BUILD");
	char state[PATH_MAX], command[PATH_MAX + 16];
	snprintf(state, sizeof(state), "%s/bench-state-XXXXXX", build ? build : "/tmp");
	struct keeper_disk disk = KEEPER_DISK_NONE;
	struct vat_error err;
	if (!mkdtemp(state))
		give_up(state);
	setenv("XDG_STATE_HOME", state, 1);
	check(keeper_disk_open(&disk, &err), &err);
	measure_size(&disk, "4k", 4096, 25);
	measure_size(&disk, "1m", 1 << 20, 25);
	measure_size(&disk, "1g", 1 << 30, 3);
	keeper_disk_close(&disk);
	snprintf(command, sizeof(command), "rm -rf '%s'", state);
	return system(command) != 0;
}
