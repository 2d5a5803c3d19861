/* SPDX-License-Identifier: MIT */
/* Regions saved to files and read again. */
#include "vat_common.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
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
	struct pair *large = test_data(region, "large");
	large[777777] = (struct pair){3, 4};
	for (uint32_t i = 0; i < 2048; i++) /* four pages side by side, and two alone */
		large[5000 + i] = (struct pair){i, ~i};
	large[99999].first = 5;
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
	assert_ok(vat_file_save(region, -1, file, &err), err);
	/* Neither the region nor the copy of it has its holes filled. */
	assert_int_equal(fstat(fd, &after), 0);
	assert_int_equal(before.st_blocks, after.st_blocks);
	assert_int_equal(fstat(file, &after), 0);
	assert_true(after.st_size < 16 * VAT_PAGE);

	int memfd = vat_file_load(file, &err);
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
		int rc = vat_file_save(region, -1, file, &err);
		if (rc == -EAGAIN)
			continue;
		assert_ok(rc, err);
		int memfd = vat_file_load(file, &err);
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

/* ---- The state of one moment ---- */

static void handle_segv(int signal_number, siginfo_t *info, void *context) {
	(void)context;
	if (!vat_barrier_handle_fault(info->si_addr))
		signal(signal_number, SIG_DFL);
}

/* The handler is ours under AddressSanitizer too. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
	return "handle_segv=0:allow_user_segv_handler=1";
}

#define ITEMS (1 << 16) /* 128 pages */
static const struct vat_cell_decl busy_decls[] = {
	VAT_CELL("busy", struct pair, ITEMS, fields),
	VAT_CELL("end", struct pair, 1, fields),
};

/* In a process of its own: arms the barrier when all pairs are {round, round}, says so, and goes on
 * writing, growing and shrinking until it is told to end it. */
static void write_on(struct vat_region *region, int undo, int to, int from) {
	struct sigaction action = {.sa_sigaction = handle_segv, .sa_flags = SA_SIGINFO};
	sigfillset(&action.sa_mask);
	sigaction(SIGSEGV, &action, NULL);
	struct vat_error err;
	uint64_t seed = 5;
	for (uint32_t round = 1;; round++) {
		struct pair *pairs = test_data(region, "busy");
		for (uint32_t i = 0; i < ITEMS; i++)
			pairs[i] = (struct pair){round, round};
		if (vat_barrier_begin(region, undo, vat_region_generation(region), &err) < 0 ||
			write(to, &round, sizeof(round)) < 0)
			_exit(1);
		struct pollfd wait = {.fd = from, .events = POLLIN};
		while (poll(&wait, 1, 0) == 0) {
			for (int i = 0; i < 1000; i++)
				pairs[test_below(&seed, ITEMS)] = (struct pair){round + 7, 7};
			struct vat_txn *txn;
			if (vat_txn_begin(region, &txn, &err) < 0 ||
				vat_txn_resize(txn, "end", NULL, 0, 1 + test_below(&seed, 5000),
					VAT_ALLOW_LOSSY, &err) < 0 ||
				vat_txn_commit(txn, false, &err) < 0)
				_exit(2);
		}
		char byte;
		if (read(from, &byte, 1) != 1 || vat_barrier_end(region, &err) < 0)
			_exit(3);
		struct vat_txn *txn;
		if (vat_txn_begin(region, &txn, &err) < 0 ||
			vat_txn_resize(txn, "end", NULL, 0, 1, VAT_ALLOW_LOSSY, &err) < 0 ||
			vat_txn_commit(txn, false, &err) < 0)
			_exit(4);
	}
}

static void check_moment(int file, uint32_t round) {
	struct vat_error err;
	struct vat_region *copy;
	int memfd = vat_file_load(file, &err);
	if (memfd < 0)
		fail_msg("%s", err.text);
	assert_ok(vat_region_map(memfd, VAT_READ, &copy, &err), err);
	const struct pair *pairs = test_data(copy, "busy");
	for (uint32_t i = 0; i < ITEMS; i++) {
		if (pairs[i].first != round || pairs[i].second != round)
			fail_msg("round %u: pair %u is {%u, %u}", round, i, pairs[i].first,
				pairs[i].second);
	}
	assert_int_equal(vat_region_find(copy, "end", NULL, 0)->count, 1);
	vat_region_unmap(copy);
	close(memfd);
}

static void test_moment(void **state) {
	struct vat_error err;
	int fd, file = plain_file(), up[2], down[2];
	struct vat_region *region = test_region(&fd);
	assert_ok(vat_region_adopt(region, busy_decls, 2, 0, NULL, &err), err);
	int undo = vat_undo_create(region, &err);
	assert_true(undo >= 0);
	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(down[1]); /* it ends when nobody tells it to go on any more */
		write_on(region, undo, up[1], down[0]);
	}
	struct vat_region *reader;
	assert_ok(vat_region_map(fd, VAT_READ, &reader, &err), err);
	for (uint32_t i = 1; i <= 30; i++) {
		uint32_t round;
		assert_int_equal(read(up[0], &round, sizeof(round)), sizeof(round));
		assert_int_equal(round, i);
		/* At once, and again when everything has been written to. */
		for (int again = 0; again < 1 + (i % 10 == 0); again++) {
			assert_ok(vat_file_save(reader, undo, file, &err), err);
			check_moment(file, round);
		}
		if (i == 30)
			break;
		assert_int_equal(write(down[1], "x", 1), 1);
	}
	kill(pid, SIGKILL);
	assert_int_equal(test_wait(pid), -SIGKILL);
	/* The writer's death changes nothing. */
	assert_ok(vat_file_save(reader, undo, file, &err), err);
	check_moment(file, 30);
	/* But a new one does, before it has written anything. */
	assert_ok(vat_region_set_epoch(region, 9, &err), err);
	assert_fails(vat_file_save(reader, undo, file, &err), EAGAIN);
	assert_non_null(strstr(err.text, "changed hands"));
	vat_region_unmap(reader);
	vat_region_unmap(region);
	for (int i = 0; i < 2; i++) {
		close(up[i]);
		close(down[i]);
	}
	close(undo);
	close(file);
	close(fd);
}

static void test_moment_over(void **state) {
	struct vat_error err;
	int fd, other_fd, file = plain_file();
	struct vat_region *region = filled(&fd), *other = filled(&other_fd);
	int undo = vat_undo_create(region, &err);
	assert_fails(vat_file_save(region, undo, file, &err), ENODATA);
	assert_ok(vat_barrier_begin(region, undo, vat_region_generation(region), &err), err);
	assert_ok(vat_file_save(region, undo, file, &err), err);
	assert_ok(vat_barrier_end(region, &err), err);
	assert_fails(vat_file_save(region, undo, file, &err), EAGAIN);
	/* The log of a probation goes back further than the state that it was armed on. */
	uint64_t before = vat_region_generation(region);
	assert_ok(vat_region_adopt(region, busy_decls, 1, VAT_ADOPT_KEEP, NULL, &err), err);
	assert_ok(vat_barrier_begin(region, undo, before, &err), err);
	assert_fails(vat_file_save(region, undo, file, &err), EINVAL);
	assert_ok(vat_barrier_end(region, &err), err);
	/* What the log is not about. */
	((struct vat_disk_header *)other->base)->tile.bytes[0]++;
	other->info.tile.bytes[0]++;
	assert_fails(vat_file_save(other, undo, file, &err), EINVAL);
	vat_region_unmap(other);
	vat_region_unmap(region);
	close(undo);
	close(file);
	close(other_fd);
	close(fd);
}

/* A region that its tile has written over. */
static void test_damaged_region(void **state) {
	struct vat_error err;
	int fd, file = plain_file();
	struct vat_region *region = filled(&fd);
	struct vat_disk_root *root = &vat_header(region)->roots[vat_region_generation(region) & 1];
	region->base[root->offset + 20] ^= 1;
	assert_fails(vat_file_save(region, -1, file, &err), EBADMSG);
	region->base[root->offset + 20] ^= 1;
	vat_header(region)->name[2] ^= 1;
	assert_fails(vat_file_save(region, -1, file, &err), EBADMSG);
	vat_header(region)->name[2] ^= 1;
	assert_ok(vat_file_save(region, -1, file, &err), err);
	vat_region_unmap(region);
	close(file);
	close(fd);
}

/* ---- Files that are not what was written ---- */

static void fails_to_load(int file, int code, const char *words) {
	struct vat_error err;
	assert_fails(vat_file_load(file, &err), code);
	if (!strstr(err.text, words))
		fail_msg("no '%s' in: %s", words, err.text);
	if (strchr(err.text, '\n') || strncmp(err.text, "region", 6) != 0)
		fail_msg("not one clear line: %s", err.text);
}

struct image {
	uint8_t *bytes;
	size_t size;
	int file; /* holds these bytes */
};

static struct image image_of(struct vat_region *region) {
	struct vat_error err;
	struct image image = {.file = plain_file()};
	assert_ok(vat_file_save(region, -1, image.file, &err), err);
	struct stat st;
	assert_int_equal(fstat(image.file, &st), 0);
	image.size = (size_t)st.st_size;
	image.bytes = malloc(image.size);
	assert_int_equal(pread(image.file, image.bytes, image.size, 0), image.size);
	return image;
}

static void put_bytes(const struct image *image, size_t at, size_t size) {
	assert_int_equal(pwrite(image->file, image->bytes + at, size, (off_t)at), size);
}

static void image_finish(struct image *image) {
	free(image->bytes);
	close(image->file);
}

static void loads(int file) {
	struct vat_error err;
	int memfd = vat_file_load(file, &err);
	if (memfd < 0)
		fail_msg("%s", err.text);
	close(memfd);
}

static void test_cut_off(void **state) {
	int fd;
	struct vat_region *region = filled(&fd);
	struct image image = image_of(region);
	assert_true(image.size > 5 * VAT_PAGE);
	for (size_t size = image.size; size-- > 0;) {
		/* At every block, in the middle of them, and at every byte of what is small. */
		if (size % VAT_PAGE > 1 && size % VAT_PAGE != VAT_PAGE - 1 && size % 512 != 100 &&
			size > 150 && size < image.size - 300)
			continue;
		assert_int_equal(ftruncate(image.file, (off_t)size), 0);
		struct vat_error err;
		assert_fails(vat_file_load(image.file, &err), EBADMSG);
		/* As a file that the system made longer again before it had the bytes. */
		assert_int_equal(ftruncate(image.file, (off_t)image.size), 0);
		int rc = vat_file_load(image.file, &err);
		if (size < image.size - 1 && rc != -EBADMSG && rc != -EPROTONOSUPPORT)
			fail_msg("%zu bytes, then zeros: %d", size, rc);
	}
	put_bytes(&image, 0, image.size);
	loads(image.file);
	assert_int_equal(pwrite(image.file, "x", 1, (off_t)image.size), 1);
	fails_to_load(image.file, EBADMSG, "cut off");
	image_finish(&image);
	vat_region_unmap(region);
	close(fd);
}

static void test_flipped_bits(void **state) {
	int fd;
	struct vat_error err;
	struct vat_region *region = filled(&fd);
	struct image image = image_of(region);
	uint64_t seed = 77;
	for (size_t at = 0; at < image.size; at++) {
		/* Every bit of what is small, one bit in 16 bytes of what is large. */
		bool small = at < 150 || at >= image.size - 300;
		if (!small && at % 16 != 0)
			continue;
		for (int i = 0; i < (small ? 8 : 1); i++) {
			size_t where = small ? at : at + test_below(&seed, 16);
			if (where >= image.size)
				break;
			uint8_t bit = (uint8_t)(1u << (small ? i : (int)test_below(&seed, 8)));
			image.bytes[where] ^= bit;
			put_bytes(&image, where, 1);
			int rc = vat_file_load(image.file, &err);
			if (rc != -EBADMSG && rc != -EPROTONOSUPPORT)
				fail_msg("byte %zu, bit %x: %d", where, bit, rc);
			image.bytes[where] ^= bit;
			put_bytes(&image, where, 1);
		}
	}
	loads(image.file);
	image_finish(&image);
	vat_region_unmap(region);
	close(fd);
}

/* A block of zeros, as after a power cut; and halves of two files. */
static void test_torn(void **state) {
	int fd;
	struct vat_region *region = filled(&fd);
	struct image old = image_of(region);
	((struct pair *)test_data(region, "small"))[3].first++;
	struct image new = image_of(region);
	assert_int_equal(old.size, new.size);
	uint8_t *zeros = calloc(1, VAT_PAGE);
	for (size_t at = 0; at < new.size; at += VAT_PAGE) {
		size_t size = new.size - at < VAT_PAGE ? new.size - at : VAT_PAGE;
		assert_int_equal(pwrite(new.file, zeros, size, (off_t)at), size);
		struct vat_error err;
		assert_fails(vat_file_load(new.file, &err), EBADMSG);
		put_bytes(&new, at, size);
		if (memcmp(old.bytes + at, new.bytes + at, size) == 0)
			continue;
		assert_int_equal(pwrite(new.file, old.bytes + at, size, (off_t)at), size);
		assert_fails(vat_file_load(new.file, &err), EBADMSG);
		put_bytes(&new, at, size);
	}
	loads(new.file);
	free(zeros);
	image_finish(&old);
	image_finish(&new);
	vat_region_unmap(region);
	close(fd);
}

static void test_other_formats(void **state) {
	int fd, empty = plain_file(), full = open("/dev/full", O_RDWR | O_CLOEXEC);
	struct vat_region *region = filled(&fd);
	struct image image = image_of(region);
	fails_to_load(full, EINVAL, "not a regular file");
	fails_to_load(empty, EBADMSG, "not a region file");
	assert_int_equal(ftruncate(empty, 1 << 16), 0);
	fails_to_load(empty, EBADMSG, "not a region file");
	/* The region byte for byte. */
	fails_to_load(fd, EPROTONOSUPPORT, "bare copy");
	struct vat_file_header *header = (void *)image.bytes;
	header->format = VAT_FILE_FORMAT + 1;
	put_bytes(&image, 0, VAT_PAGE);
	fails_to_load(image.file, EPROTONOSUPPORT, "format 2");
	header->format = VAT_FILE_FORMAT;

	/* A file of a region in another format. */
	struct vat_disk_header *inside = (void *)(image.bytes + VAT_PAGE);
	struct vat_file_trailer *trailer =
		(void *)(image.bytes + image.size - sizeof(struct vat_file_trailer));
	struct vat_file_block *blocks =
		(void *)((uint8_t *)trailer - trailer->blocks * sizeof(struct vat_file_block));
	inside->format = VAT_FORMAT + 1;
	blocks[0].checksum = vat_checksum(inside, blocks[0].pages * (size_t)VAT_PAGE);
	trailer->index = vat_checksum(blocks, trailer->blocks * sizeof(*blocks));
	trailer->self = vat_checksum(trailer, offsetof(struct vat_file_trailer, self));
	put_bytes(&image, 0, image.size);
	fails_to_load(image.file, EPROTONOSUPPORT, "format 2");
	image_finish(&image);
	vat_region_unmap(region);
	close(empty);
	close(full);
	close(fd);
}

/* The disk is full after each number of bytes. */
static void test_no_room(void **state) {
	struct vat_error err;
	int fd, file = plain_file(), full = open("/dev/full", O_RDWR | O_CLOEXEC);
	struct vat_region *region = filled(&fd);
	struct image image = image_of(region);
	assert_true(vat_file_save(region, -1, full, &err) < 0);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGXFSZ, SIG_IGN);
		for (size_t size = 0; size < image.size; size += 1000) {
			struct rlimit limit = {size, RLIM_INFINITY};
			setrlimit(RLIMIT_FSIZE, &limit);
			if (vat_file_save(region, -1, file, &err) != -EFBIG ||
				!strstr(err.text, "cannot be saved"))
				_exit(1);
		}
		_exit(0);
	}
	assert_int_equal(test_wait(pid), 0);
	fails_to_load(file, EBADMSG, "");
	assert_ok(vat_file_save(region, -1, file, &err), err);
	loads(file);
	image_finish(&image);
	vat_region_unmap(region);
	close(full);
	close(file);
	close(fd);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_while_it_commits),
		cmocka_unit_test(test_moment),
		cmocka_unit_test(test_moment_over),
		cmocka_unit_test(test_damaged_region),
		cmocka_unit_test(test_cut_off),
		cmocka_unit_test(test_flipped_bits),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_other_formats),
		cmocka_unit_test(test_no_room),
	};
	return cmocka_run_group_tests_name("vat_file", tests, NULL, NULL);
}
