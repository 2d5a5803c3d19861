/* SPDX-License-Identifier: MIT */
/*
 * What the Vat costs, beside copying the same bytes: attaching a version, the write barrier,
 * commits, undoing, and migrating a million elements. One JSON object per line.
 */
#include <signal.h>
#include <unistd.h>

#include "measure.h"

struct word {
	uint64_t value;
};
static const struct vat_field word_fields[] = {VAT_FIELD(1, U64, struct word, value)};

struct point {
	uint32_t id;
	float x, y;
	uint16_t kind;
};
static const struct vat_field point_fields[] = {
	VAT_FIELD(1, U32, struct point, id),
	VAT_FIELD(2, F32, struct point, x),
	VAT_FIELD(3, F32, struct point, y),
	VAT_FIELD(4, U16, struct point, kind),
};
struct point2 {
	uint64_t id;
	double x, y, z;
	uint32_t kind;
};
static const struct vat_field point2_fields[] = {
	VAT_FIELD(1, U64, struct point2, id),
	VAT_FIELD(2, F64, struct point2, x),
	VAT_FIELD(3, F64, struct point2, y),
	VAT_FIELD(4, U32, struct point2, kind),
	VAT_FIELD_INIT(5, F64, struct point2, z, .f = 1.0),
};

static int create(void) {
	struct vat_region_info info = {.name = "bench"};
	struct vat_error err;
	vat_uuid_generate(&info.tile);
	int fd = vat_region_create(&info, 0, &err);
	check(fd, &err);
	return fd;
}

static struct vat_region *map(int fd) {
	struct vat_region *region;
	struct vat_error err;
	check(vat_region_map(fd, VAT_WRITE, &region, &err), &err);
	return region;
}

/* A tile as they are: a large cell and some small ones. */
static void declare(struct vat_cell_decl decls[9], uint64_t bytes) {
	static const char *const names[] = {
		"bulk", "cursor", "modes", "tabs", "title", "palette", "links", "replies", "view"};
	for (int i = 0; i < 9; i++)
		decls[i] = (struct vat_cell_decl)VAT_CELL(names[i], struct word, 8, word_fields);
	decls[0].count = bytes / sizeof(struct word);
}

static void measure_attach(const char *name, uint64_t bytes) {
	struct vat_error err;
	struct vat_cell_decl decls[9];
	declare(decls, bytes);
	int fd = create();
	struct vat_region *a = map(fd);
	check(vat_region_adopt(a, decls, 9, 0, NULL, &err), &err);
	memset(vat_cell_data(a, vat_region_find(a, "bulk", NULL, 0)), 1, bytes);
	for (int i = 0; i < 2000; i++) {
		double begin = now_us();
		struct vat_region *b = map(fd);
		check(vat_region_adopt(b, decls, 9, VAT_ADOPT_KEEP, NULL, &err), &err);
		add_sample(now_us() - begin);
		vat_region_unmap(b);
	}
	print_measure(name, "µs", 1, copy_floor(bytes));
	vat_region_unmap(a);
	close(fd);
}

static void measure_commit(void) {
	struct vat_error err;
	struct vat_cell_decl decls[9];
	declare(decls, 1 << 20);
	int fd = create();
	struct vat_region *region = map(fd);
	check(vat_region_adopt(region, decls, 9, 0, NULL, &err), &err);
	for (uint64_t i = 0; i < 2000; i++) {
		struct vat_txn *txn;
		double begin = now_us();
		check(vat_txn_begin(region, &txn, &err), &err);
		check(vat_txn_resize(txn, "tabs", NULL, 0, 8 + i % 2 * 8, VAT_ALLOW_LOSSY, &err),
			&err);
		check(vat_txn_commit(txn, true, &err), &err);
		add_sample(now_us() - begin);
		check(vat_region_forget_previous(region, &err), &err);
	}
	print_measure("vat.commit", "µs", 1, copy_floor(9 * (192 + 64)));
	vat_region_unmap(region);
	close(fd);
}

static void handle_segv(int number, siginfo_t *info, void *context) {
	(void)context;
	if (!vat_barrier_handle_fault(info->si_addr))
		signal(number, SIG_DFL);
}

/* What touching a page of fresh shared memory costs: the system's own part of saving one. */
static void print_floors(void) {
	struct vat_error err;
	struct vat_cell_decl decls[9];
	declare(decls, 16 << 20);
	decls[0].flags = VAT_CELL_SPARSE;
	for (int i = 0; i < 30; i++) {
		int fd = create();
		struct vat_region *region = map(fd);
		check(vat_region_adopt(region, decls, 9, 0, NULL, &err), &err);
		uint8_t *data = vat_cell_data(region, vat_region_find(region, "bulk", NULL, 0));
		double begin = now_us();
		for (size_t j = 0; j < 4096; j++)
			data[j * VAT_PAGE] = 1;
		add_sample((now_us() - begin) / 4096);
		vat_region_unmap(region);
		close(fd);
	}
	print_measure("vat.floor.page", "µs", 1, -1);
}

/* A region with a bulk cell as A filled it. */
static struct vat_region *filled(int *fd, uint64_t bytes) {
	struct vat_error err;
	struct vat_cell_decl decls[9];
	declare(decls, bytes);
	*fd = create();
	struct vat_region *region = map(*fd);
	check(vat_region_adopt(region, decls, 9, 0, NULL, &err), &err);
	memset(vat_cell_data(region, vat_region_find(region, "bulk", NULL, 0)), 1, bytes);
	return region;
}

/* step: pages from one write to the next. */
static void measure_barrier(const char *name, uint64_t step, uint64_t writes) {
	struct vat_error err;
	int fd;
	struct vat_region *a = filled(&fd, step * writes * VAT_PAGE);
	int undo = vat_undo_create(a, &err);
	check(undo, &err);
	for (int i = 0; i < 30; i++) {
		struct vat_region *b = map(fd);
		uint8_t *data = vat_cell_data(b, vat_region_find(b, "bulk", NULL, 0));
		check(vat_barrier_begin(b, undo, vat_region_generation(b), &err), &err);
		double begin = now_us();
		for (uint64_t j = 0; j < writes; j++)
			data[j * step * VAT_PAGE] = (uint8_t)i;
		add_sample((now_us() - begin) / (double)writes);
		vat_region_unmap(b);
	}
	print_measure(name, "µs", 1, copy_floor(VAT_PAGE));
	vat_region_unmap(a);
	close(undo);
	close(fd);
}

/* B wrote 1 MiB of a region of 64: what arming, ending and undoing cost. */
static void measure_undo(void) {
	enum { ROUNDS = 100 };
	static double begins[ROUNDS], ends[ROUNDS];
	struct vat_error err;
	int fd;
	struct vat_region *a = filled(&fd, 64 << 20);
	int undo = vat_undo_create(a, &err);
	check(undo, &err);
	for (int i = 0; i < ROUNDS; i++) {
		struct vat_region *b = map(fd);
		uint8_t *data = vat_cell_data(b, vat_region_find(b, "bulk", NULL, 0));
		double begin = now_us();
		check(vat_barrier_begin(b, undo, vat_region_generation(b), &err), &err);
		begins[i] = now_us() - begin;
		for (uint64_t j = 0; j < 256; j++)
			data[j * 61 * VAT_PAGE] = (uint8_t)i;
		begin = now_us();
		check(vat_barrier_end(b, &err), &err);
		ends[i] = now_us() - begin;
		vat_region_unmap(b);
		begin = now_us();
		check(vat_undo_apply(a, undo, &err), &err);
		add_sample(now_us() - begin);
	}
	print_measure("vat.undo.1m_of_64m", "ms", 1e-3, copy_floor(1 << 20));
	for (int i = 0; i < ROUNDS; i++)
		add_sample(begins[i]);
	print_measure("vat.barrier.begin.64m", "µs", 1, -1);
	for (int i = 0; i < ROUNDS; i++)
		add_sample(ends[i]);
	print_measure("vat.barrier.end.64m", "µs", 1, -1);
	vat_region_unmap(a);
	close(undo);
	close(fd);
}

static void measure_migrate(void) {
	struct vat_error err;
	static const struct vat_cell_decl from =
		VAT_CELL("points", struct point, 1000000, point_fields);
	static const struct vat_cell_decl to =
		VAT_CELL("points", struct point2, 1000000, point2_fields);
	int fd = create();
	struct vat_region *region = map(fd);
	check(vat_region_adopt(region, &from, 1, 0, NULL, &err), &err);
	struct point *points = vat_cell_data(region, vat_region_cell(region, 0));
	for (uint32_t i = 0; i < 1000000; i++)
		points[i] = (struct point){i, (float)i, (float)-i, (uint16_t)i};
	for (int i = 0; i < 15; i++) {
		double begin = now_us();
		check(vat_region_adopt(region, &to, 1, VAT_ADOPT_KEEP, NULL, &err), &err);
		add_sample(now_us() - begin);
		check(vat_region_rollback(region, &err), &err);
	}
	print_measure(
		"vat.migrate.1m_elements", "ms", 1e-3, copy_floor(1000000 * sizeof(struct point2)));
	vat_region_unmap(region);
	close(fd);
}

int main(void) {
	struct sigaction action = {.sa_sigaction = handle_segv, .sa_flags = SA_SIGINFO};
	sigfillset(&action.sa_mask);
	sigaction(SIGSEGV, &action, NULL);
	measure_attach("vat.attach.4k", 4096);
	measure_attach("vat.attach.1m", 1 << 20);
	measure_attach("vat.attach.64m", 64 << 20);
	measure_commit();
	print_floors();
	measure_barrier("vat.barrier.page.along", 1, 4096);
	measure_barrier("vat.barrier.page.scattered", 7, 2048);
	measure_undo();
	measure_migrate();
	return 0;
}
