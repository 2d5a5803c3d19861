/* SPDX-License-Identifier: MIT */
/* Making, mapping and sharing regions. */
#include "vat_common.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct counter {
	uint64_t value;
};
static const struct vat_field counter_fields[] = {VAT_FIELD(1, U64, struct counter, value)};
static const struct vat_cell_decl counter_decl =
	VAT_CELL("counter", struct counter, 1, counter_fields);

static void add_cell(struct vat_region *region, const char *name, uint64_t count) {
	struct vat_error err;
	struct vat_txn *txn;
	struct vat_cell_decl decl = counter_decl;
	decl.name = name;
	decl.count = count;
	assert_ok(vat_txn_begin(region, &txn, &err), err);
	assert_ok(vat_txn_add(txn, &decl, &err), err);
	assert_ok(vat_txn_commit(txn, false, &err), err);
}

static void test_create(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = test_region(&fd);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	int seals = fcntl(fd, F_GET_SEALS);
	assert_true(seals & F_SEAL_SHRINK);
	assert_true(seals & F_SEAL_SEAL);
	assert_false(seals & (F_SEAL_GROW | F_SEAL_WRITE));
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_string_equal(vat_region_info(region)->name, "sample");
	assert_true(vat_uuid_equal(&vat_region_info(region)->tile, &test_info.tile));
	assert_true(vat_uuid_equal(&vat_region_info(region)->city, &test_info.city));
	assert_int_equal(vat_region_generation(region), 0);
	assert_int_equal(vat_region_cell_count(region), 0);
	assert_null(vat_region_cell(region, 0));
	assert_null(vat_region_find(region, "counter", NULL, 0));
	assert_false(vat_region_has_previous(region));
	vat_region_unmap(region);
	vat_region_unmap(NULL);
	close(fd);

	struct vat_region_info bad = test_info;
	bad.name[0] = 'S';
	assert_fails(vat_region_create(&bad, 0, &err), EINVAL);
	memset(bad.name, 'a', sizeof(bad.name));
	assert_fails(vat_region_create(&bad, 0, &err), EINVAL);
	assert_fails(vat_region_create(&test_info, UINT64_MAX, &err), EINVAL);
}

static void test_map_refuses(void **state) {
	struct vat_error err;
	struct vat_region *region;
	assert_fails(vat_region_map(-1, VAT_READ, &region, &err), EBADF);
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	assert_fails(vat_region_map(fd, VAT_READ, &region, &err), EINVAL);
	close(fd);
	fd = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(fd, 65536), 0);
	assert_fails(vat_region_map(fd, VAT_READ, &region, &err), EINVAL);
	assert_non_null(strstr(err.text, "sealed"));
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
	assert_fails(vat_region_map(fd, VAT_READ, &region, &err), EBADMSG);
	assert_non_null(strstr(err.text, "magic"));
	close(fd);
	fd = memfd_create("empty", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK);
	assert_fails(vat_region_map(fd, VAT_READ, &region, &err), EBADMSG);
	close(fd);
}

static void test_access(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *writer = test_region(&fd), *reader;
	add_cell(writer, "counter", 1);

	/* A descriptor that can only be read gives a mapping that can only be read. */
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int read_fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read_fd >= 0);
	assert_fails(vat_region_map(read_fd, VAT_WRITE, &reader, &err), EACCES);
	assert_ok(vat_region_map(read_fd, VAT_READ, &reader, &err), err);
	assert_fails(vat_region_protect(reader, VAT_WRITE, &err), EACCES);
	assert_int_equal(vat_region_access(reader), VAT_READ);
	struct vat_txn *txn;
	assert_fails(vat_txn_begin(reader, &txn, &err), EACCES);
	assert_fails(vat_region_set_epoch(reader, 9, &err), EACCES);
	assert_fails(vat_region_rollback(reader, &err), EACCES);

	struct counter *mine = test_data(writer, "counter");
	const struct counter *theirs = test_data(reader, "counter");
	mine->value = 77;
	assert_int_equal(theirs->value, 77);

	/* A read-only handle dies when it writes; protect takes and gives. */
	assert_ok(vat_region_protect(writer, VAT_READ, &err), err);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGSEGV, SIG_DFL);
		mine->value = 78;
		_exit(0);
	}
	assert_int_equal(test_wait(pid), -SIGSEGV);
	assert_ok(vat_region_protect(writer, VAT_WRITE, &err), err);
	mine->value = 79;
	assert_int_equal(theirs->value, 79);
	vat_region_unmap(reader);
	vat_region_unmap(writer);
	close(read_fd);
	close(fd);
}

static void test_epoch(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *a = test_region(&fd), *b;
	assert_ok(vat_region_map(fd, VAT_WRITE, &b, &err), err);
	assert_int_equal(vat_region_epoch(a), 0);
	assert_ok(vat_region_set_epoch(a, 1, &err), err);
	assert_fails(vat_region_set_epoch(b, 1, &err), ESTALE);
	add_cell(a, "counter", 1);
	assert_ok(vat_region_set_epoch(b, 2, &err), err);
	assert_int_equal(vat_region_epoch(a), 2);
	/* A's time is over: it cannot change the directory any more. */
	struct vat_txn *txn;
	assert_fails(vat_txn_begin(a, &txn, &err), ESTALE);
	assert_ok(vat_region_refresh(b, &err), err);
	assert_ok(vat_txn_begin(b, &txn, &err), err);
	assert_ok(vat_region_set_epoch(a, 3, &err), err);
	assert_fails(vat_txn_commit(txn, false, &err), ESTALE);

	vat_region_set(a, VAT_UPDATES, 5);
	assert_int_equal(vat_region_add(b, VAT_UPDATES, 2), 7);
	assert_int_equal(vat_region_get(a, VAT_UPDATES), 7);
	vat_region_unmap(a);
	vat_region_unmap(b);
	close(fd);
}

static void test_growth(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *writer = test_region(&fd), *reader;
	assert_ok(vat_region_map(fd, VAT_READ, &reader, &err), err);
	add_cell(writer, "counter", 1);
	struct counter *counter = test_data(writer, "counter");
	counter->value = 5;
	uint64_t before = vat_region_size(writer);
	add_cell(writer, "big", 4 << 20);
	assert_true(vat_region_size(writer) >= before + (32u << 20));
	assert_ptr_equal(test_data(writer, "counter"), counter);
	struct counter *big = test_data(writer, "big");
	assert_int_equal((uintptr_t)big % VAT_PAGE, 0);
	for (size_t i = 0; i < 4 << 20; i += 4099)
		assert_int_equal(big[i].value, 0);
	big[(4 << 20) - 1].value = 6;

	/* The reader saw an empty region; it follows when it looks again. */
	assert_int_equal(vat_region_cell_count(reader), 0);
	assert_ok(vat_region_refresh(reader, &err), err);
	assert_int_equal(vat_region_cell_count(reader), 2);
	assert_int_equal(((struct counter *)test_data(reader, "big"))[(4 << 20) - 1].value, 6);
	assert_int_equal(vat_region_generation(reader), vat_region_generation(writer));

	/* A stale writer is told. */
	assert_ok(vat_region_protect(reader, VAT_WRITE, &err), err);
	add_cell(reader, "more", 1);
	struct vat_txn *txn;
	assert_fails(vat_txn_begin(writer, &txn, &err), ESTALE);
	assert_ok(vat_region_refresh(writer, &err), err);
	add_cell(writer, "again", 1);
	vat_region_unmap(reader);
	vat_region_unmap(writer);
	close(fd);
}

static void test_sparse(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = test_region(&fd);
	struct vat_txn *txn;
	struct vat_cell_decl decl = counter_decl;
	decl.flags = VAT_CELL_SPARSE;
	decl.count = 1ull << 30; /* 8 GiB */
	assert_ok(vat_txn_begin(region, &txn, &err), err);
	assert_ok(vat_txn_add(txn, &decl, &err), err);
	assert_ok(vat_txn_commit(txn, false, &err), err);
	struct counter *data = test_data(region, "counter");
	data[decl.count - 1].value = 1;
	struct stat st;
	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_blocks * 512 < 1 << 20);

	/* More than the address space that is reserved: refused, nothing changes. */
	decl.name = "huge";
	decl.count = 1ull << 33;
	assert_ok(vat_txn_begin(region, &txn, &err), err);
	assert_fails(vat_txn_add(txn, &decl, &err), ENOMEM);
	assert_non_null(strstr(err.text, "'huge'"));
	vat_txn_abort(txn);
	assert_int_equal(vat_region_cell_count(region), 1);
	assert_int_equal(data[decl.count / 8 - 1].value, 1);
	vat_region_unmap(region);
	close(fd);
}

/* A writer commits as fast as it can; a reader always sees one whole generation. */
static void test_two_processes(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = test_region(&fd);
	add_cell(region, "counter", 1);
	pid_t pid = fork();
	if (pid == 0) {
		for (uint64_t i = 1;; i++) {
			struct vat_txn *txn;
			if (vat_txn_begin(region, &txn, NULL) < 0 ||
				vat_txn_resize(txn, "counter", NULL, 0, 1 + i % 700,
					VAT_ALLOW_LOSSY, NULL) < 0)
				_exit(1);
			struct counter *data = vat_txn_data(txn, "counter", NULL, 0);
			data[0].value = i;
			if (vat_txn_commit(txn, i % 2, NULL) < 0 ||
				(i % 2 && vat_region_forget_previous(region, NULL) < 0))
				_exit(2);
		}
	}
	struct vat_region *reader;
	assert_ok(vat_region_map(fd, VAT_READ, &reader, &err), err);
	uint64_t last = 0;
	for (int seen = 0; seen < 2000;) {
		int rc = vat_region_refresh(reader, &err);
		if (rc == -EAGAIN)
			continue;
		if (rc < 0)
			fail_msg("%s", err.text);
		assert_int_equal(vat_region_cell_count(reader), 1);
		uint64_t generation = vat_region_generation(reader);
		assert_true(generation >= last);
		seen += generation > last || generation == 0;
		last = generation;
	}
	kill(pid, SIGKILL);
	assert_int_equal(test_wait(pid), -SIGKILL);
	assert_ok(vat_region_refresh(reader, &err), err);
	const struct vat_cell *cell = vat_region_find(reader, "counter", NULL, 0);
	const struct counter *data = vat_cell_data(reader, cell);
	assert_int_equal(cell->count, 1 + data->value % 700);
	vat_region_unmap(reader);
	vat_region_unmap(region);
	close(fd);
}

static size_t count_lines(const char *path) {
	FILE *file = fopen(path, "re");
	size_t lines = 0;
	assert_non_null(file);
	for (int c; (c = getc(file)) != EOF;)
		lines += c == '\n';
	fclose(file);
	return lines;
}

#define GROWTHS 200

/* A region that grows between being mapped and being read is whole all the same. */
static void test_mapped_while_it_grows(void **state) {
	struct vat_error err;
	int fd, status = 0;
	struct vat_region *region = test_region(&fd);
	add_cell(region, "counter", 1);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (uint64_t i = 1; i <= GROWTHS; i++) {
			struct vat_txn *txn;
			if (vat_txn_begin(region, &txn, NULL) < 0 ||
				vat_txn_resize(txn, "counter", NULL, 0,
					i * VAT_GROWTH / sizeof(struct counter), 0, NULL) < 0 ||
				vat_txn_commit(txn, false, NULL) < 0)
				_exit(1);
		}
		_exit(0);
	}
	while (waitpid(pid, &status, WNOHANG) == 0) {
		struct vat_region *reader;
		int rc = vat_region_map(fd, VAT_READ, &reader, &err);
		if (rc == -EAGAIN)
			continue; /* it changes faster than it is read */
		assert_ok(rc, err);
		vat_region_unmap(reader);
	}
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	vat_region_unmap(region);
	close(fd);
}

static void test_no_leaks(void **state) {
	size_t before = 0;
	for (int i = 0; i < 50; i++) {
		int fd;
		struct vat_region *region = test_region(&fd);
		add_cell(region, "counter", 1000);
		add_cell(region, "other", 100000);
		vat_region_unmap(region);
		close(fd);
		if (i == 10)
			before = count_lines("/proc/self/maps");
	}
	size_t after = count_lines("/proc/self/maps");
	assert_uint_in_range(after, 0, before + 5);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_map_refuses),
		cmocka_unit_test(test_access),
		cmocka_unit_test(test_epoch),
		cmocka_unit_test(test_growth),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_two_processes),
		cmocka_unit_test(test_mapped_while_it_grows),
		cmocka_unit_test(test_no_leaks),
	};
	return cmocka_run_group_tests_name("vat_region", tests, NULL, NULL);
}
