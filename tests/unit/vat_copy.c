/* SPDX-License-Identifier: MIT */
/* Regions saved to files and read again. */
#include "vat_common.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>

struct pair {
	uint32_t first, second;
};
static const struct vat_field fields[] = {
	VAT_FIELD(1, U32, struct pair, first),
	VAT_FIELD(2, U32, struct pair, second),
};
static const struct vat_cell_decl decls[] = {
	VAT_CELL("small", struct pair, 4, fields),
	VAT_CELL("large", struct pair, 1 << 20, fields, .flags = VAT_CELL_SPARSE),
};

static int plain_file(void) {
	FILE *file = tmpfile();
	assert_non_null(file);
	int fd = dup(fileno(file));
	fclose(file);
	assert_true(fd >= 0);
	return fd;
}

static struct vat_region *filled(int *fd) {
	struct vat_error err;
	struct vat_region *region = test_region(fd);
	assert_ok(vat_region_adopt(region, decls, 2, 0, NULL, &err), err);
	((struct pair *)test_data(region, "small"))[3] = (struct pair){1, 2};
	((struct pair *)test_data(region, "large"))[777777] = (struct pair){3, 4};
	return region;
}

static void test_there_and_back(void **state) {
	struct vat_error err;
	int fd, file = plain_file();
	struct vat_region *region = filled(&fd), *copy;
	/* What was in the file before does not show through. */
	assert_int_equal(ftruncate(file, 1 << 26), 0);
	assert_int_equal(pwrite(file, "x", 1, (1 << 26) - 1), 1);
	struct stat before, after;
	assert_int_equal(fstat(fd, &before), 0);
	assert_ok(vat_region_save(region, file, &err), err);
	/* Neither the region nor the copy of it has its holes filled. */
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(before.st_blocks, after.st_blocks);
	assert_int_equal(fstat(file, &after), 0);
	assert_int_equal(after.st_size, vat_region_size(region));
	assert_true(after.st_blocks * 512 < 1 << 20);

	int memfd = vat_region_load(file, &err);
	if (memfd < 0)
		fail_msg("%s", err.text);
	assert_ok(vat_region_map(memfd, VAT_READ, &copy, &err), err);
	assert_int_equal(vat_region_size(copy), vat_region_size(region));
	assert_memory_equal(vat_region_info(copy), vat_region_info(region), sizeof(test_info));
	assert_int_equal(vat_region_generation(copy), vat_region_generation(region));
	assert_int_equal(((struct pair *)test_data(copy, "small"))[3].second, 2);
	assert_int_equal(((struct pair *)test_data(copy, "large"))[777777].first, 3);
	vat_region_unmap(copy);
	vat_region_unmap(region);
	close(memfd);
	close(file);
	close(fd);
}

/* Commits go on in another process: each copy is of one generation. */
static void test_while_it_commits(void **state) {
	struct vat_error err;
	int fd, file = plain_file(), ready[2];
	struct vat_region *region = filled(&fd), *copy;
	assert_int_equal(pipe(ready), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		for (uint32_t i = 0;; i = i % 200 + 1) {
			struct vat_txn *txn;
			if (vat_txn_begin(region, &txn, &err) < 0 ||
				vat_txn_resize(
					txn, "small", NULL, 0, 4 + i, VAT_ALLOW_LOSSY, &err) < 0)
				_exit(1);
			struct pair *pairs = vat_txn_data(txn, "small", NULL, 0);
			for (uint32_t j = 0; j < 4 + i; j++)
				pairs[j] = (struct pair){4 + i, 4 + i};
			if (vat_txn_commit(txn, false, &err) < 0)
				_exit(2);
			if (i == 1)
				(void)!write(ready[1], "x", 1);
			usleep(300);
		}
	}
	char byte;
	assert_int_equal(read(ready[0], &byte, 1), 1);
	vat_region_unmap(region);
	assert_ok(vat_region_map(fd, VAT_READ, &region, &err), err);
	int good = 0;
	for (int i = 0; i < 500 && good < 20; i++) {
		int rc = vat_region_save(region, file, &err);
		if (rc == -EAGAIN)
			continue;
		assert_ok(rc, err);
		int memfd = vat_region_load(file, &err);
		if (memfd < 0)
			fail_msg("%s", err.text);
		assert_ok(vat_region_map(memfd, VAT_READ, &copy, &err), err);
		const struct vat_cell *cell = vat_region_find(copy, "small", NULL, 0);
		const struct pair *pairs = vat_cell_data(copy, cell);
		for (uint64_t j = 0; j < cell->count; j++)
			assert_int_equal(pairs[j].first, cell->count);
		vat_region_unmap(copy);
		close(memfd);
		good++;
	}
	assert_int_equal(good, 20);
	kill(pid, SIGKILL);
	assert_int_equal(test_wait(pid), -SIGKILL);
	vat_region_unmap(region);
	close(ready[0]);
	close(ready[1]);
	close(file);
	close(fd);
}

static void fails_to_load(int file, int code, const char *words) {
	struct vat_error err;
	assert_fails(vat_region_load(file, &err), code);
	if (!strstr(err.text, words))
		fail_msg("no '%s' in: %s", words, err.text);
}

static void test_bad_files(void **state) {
	struct vat_error err;
	int fd, file = plain_file(), full = open("/dev/full", O_RDWR | O_CLOEXEC);
	struct vat_region *region = filled(&fd), *copy;
	fails_to_load(full, EINVAL, "not a regular file");
	fails_to_load(file, EBADMSG, "0 bytes cannot be a region");
	assert_int_equal(ftruncate(file, 1 << 16), 0);
	fails_to_load(file, EBADMSG, "this is not a region");

	/* Cut off: what is said of it is no longer in it. */
	assert_ok(vat_region_save(region, file, &err), err);
	assert_int_equal(ftruncate(file, 2 * VAT_PAGE), 0);
	int memfd = vat_region_load(file, &err);
	assert_true(memfd >= 0);
	assert_fails(vat_region_map(memfd, VAT_READ, &copy, &err), EBADMSG);
	close(memfd);
	assert_int_equal(ftruncate(file, 2 * VAT_PAGE + 1), 0);
	fails_to_load(file, EBADMSG, "cannot be a region");

	assert_true(vat_region_save(region, full, &err) < 0);
	vat_region_unmap(region);
	close(full);
	close(file);
	close(fd);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_while_it_commits),
		cmocka_unit_test(test_bad_files),
	};
	return cmocka_run_group_tests_name("vat_copy", tests, NULL, NULL);
}
