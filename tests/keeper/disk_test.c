/* SPDX-License-Identifier: MIT */
/* Regions on disk: whenever the world stops, the file is the one before or the new one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "internal.h"
#include "keeper/disk.h"
#include "vat.h"

#define CUT 77

struct item {
	uint64_t value;
};
static const struct vat_field fields[] = {VAT_FIELD(1, U64, struct item, value)};
static const struct vat_cell_decl decls[] = {VAT_CELL("items", struct item, 20000, fields)};
static const struct vat_region_info info = {.name = "sample", .tile = {{1, 2, 3}}};

struct place {
	char state[64];
	char file[PATH_MAX];
	struct keeper_disk disk;
	struct vat_region *region;
	int fd;
};

static void fill(struct vat_region *region, uint64_t value) {
	struct item *items = vat_cell_data(region, vat_region_find(region, "items", NULL, 0));
	for (int i = 0; i < 20000; i++) {
		items[i].value = value;
	}
}

static int setup(void **state) {
	struct place *place = calloc(1, sizeof(*place));
	struct vat_error err;
	place->disk = KEEPER_DISK_NONE;
	snprintf(place->state, sizeof(place->state), "/tmp/city-disk-XXXXXX");
	assert_non_null(mkdtemp(place->state));
	setenv("XDG_STATE_HOME", place->state, 1);
	assert_int_equal(keeper_disk_open(&place->disk, &err), 0);
	keeper_disk_file(&place->disk, &info.tile, place->file);
	place->fd = vat_region_create(&info, 0, &err);
	assert_int_equal(vat_region_map(place->fd, VAT_WRITE, &place->region, &err), 0);
	assert_int_equal(vat_region_adopt(place->region, decls, 1, 0, NULL, &err), 0);
	fill(place->region, 1);
	*state = place;
	return 0;
}

static int teardown(void **state) {
	struct place *place = *state;
	char command[128];
	keeper_disk_step = NULL;
	vat_hooks.file = NULL;
	vat_region_unmap(place->region);
	close(place->fd);
	keeper_disk_close(&place->disk);
	snprintf(command, sizeof(command), "rm -rf '%s'", place->state);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

static void save(struct place *place) {
	struct vat_error err = {0};
	uint64_t bytes = 0;
	if (keeper_disk_save(&place->disk, place->region, -1, &bytes, &err) < 0) {
		fail_msg("%s", err.text);
	}
	struct stat st;
	assert_int_equal(stat(place->file, &st), 0);
	assert_int_equal(bytes, st.st_size);
	assert_int_equal(st.st_mode & 0777, 0600);
}

/* The value that all of the items have. */
static uint64_t saved_value(struct place *place) {
	struct vat_error err = {0};
	uint64_t bytes;
	struct vat_region *copy;
	int fd = keeper_disk_load(&place->disk, &info.tile, &bytes, &err);
	if (fd < 0 || vat_region_map(fd, VAT_READ, &copy, &err) < 0) {
		fail_msg("%s", err.text);
	}
	const struct item *items = vat_cell_data(copy, vat_region_find(copy, "items", NULL, 0));
	uint64_t value = items[0].value;
	for (int i = 0; i < 20000; i++) {
		assert_int_equal(items[i].value, value);
	}
	vat_region_unmap(copy);
	close(fd);
	return value;
}

static int count_files(const struct place *place, const char *part) {
	DIR *folder = opendir(place->disk.path);
	assert_non_null(folder);
	int count = 0;
	for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
		count += strstr(entry->d_name, part) != NULL;
	}
	closedir(folder);
	return count;
}

static void test_there_and_back(void **state) {
	struct place *place = *state;
	struct vat_error err;
	uint64_t bytes;
	assert_int_equal(keeper_disk_load(&place->disk, &info.tile, &bytes, &err), -ENOENT);
	save(place);
	assert_int_equal(saved_value(place), 1);
	fill(place->region, 2);
	save(place);
	assert_int_equal(saved_value(place), 2);
	assert_int_equal(count_files(place, ".vat"), 1);
	keeper_disk_remove(&place->disk, &info.tile);
	assert_int_equal(count_files(place, ".vat"), 0);
}

static unsigned steps_left;

static void cut(void) {
	if (steps_left-- == 0) {
		_exit(CUT);
	}
}

/* Dying between any two of its system calls. */
static void test_cut(void **state) {
	struct place *place = *state;
	save(place);
	uint64_t before = 1;
	unsigned cuts = 0;
	for (bool done = false; !done; cuts++) {
		fill(place->region, before + 1);
		pid_t pid = fork();
		if (pid == 0) {
			uint64_t bytes;
			struct vat_error err;
			steps_left = cuts;
			keeper_disk_step = vat_hooks.file = cut;
			_exit(keeper_disk_save(&place->disk, place->region, -1, &bytes, &err) < 0);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		done = WEXITSTATUS(status) == 0;
		assert_true(done || WEXITSTATUS(status) == CUT);
		uint64_t now = saved_value(place);
		assert_true(now == before || now == before + 1);
		assert_true(!done || now == before + 1);
		before = now;
		assert_int_equal(count_files(place, ".damaged"), 0);
	}
	assert_true(cuts > 8);
	save(place);
	assert_int_equal(count_files(place, ".vat"), 1);
}

/* What the disk may hold after a power cut, had the order of writes not been kept: the new file's
 * name without all of its bytes. Said, set aside, and never in the way again. */
static void test_torn(void **state) {
	struct place *place = *state;
	struct vat_error err;
	uint64_t bytes;
	for (int i = 1; i <= 3; i++) {
		save(place);
		int fd = open(place->file, O_RDWR | O_CLOEXEC);
		static const uint8_t zeros[4096];
		assert_int_equal(pwrite(fd, zeros, sizeof(zeros), i * 8192), sizeof(zeros));
		close(fd);
		assert_int_equal(
			keeper_disk_load(&place->disk, &info.tile, &bytes, &err), -EBADMSG);
		assert_non_null(strstr(err.text, "damaged; kept as "));
		char aside[PATH_MAX + 32];
		snprintf(aside, sizeof(aside), "%s.damaged-%d", place->file, i);
		assert_non_null(strstr(err.text, aside));
		assert_int_equal(access(aside, F_OK), 0);
		assert_int_equal(keeper_disk_load(&place->disk, &info.tile, &bytes, &err), -ENOENT);
	}
	save(place);
	assert_int_equal(saved_value(place), 1);
	assert_int_equal(count_files(place, ".damaged"), 3);
}

/* The file of another tile under this one's name. */
static void test_wrong_tile(void **state) {
	struct place *place = *state;
	struct vat_error err;
	uint64_t bytes;
	const struct vat_uuid other = {{9}};
	char path[PATH_MAX];
	save(place);
	keeper_disk_file(&place->disk, &other, path);
	assert_int_equal(rename(place->file, path), 0);
	assert_int_equal(keeper_disk_load(&place->disk, &other, &bytes, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "another tile"));
}

/* No room, at each number of bytes: what is there stays. */
static void test_full(void **state) {
	struct place *place = *state;
	save(place);
	struct stat st;
	assert_int_equal(stat(place->file, &st), 0);
	fill(place->region, 2);
	pid_t pid = fork();
	if (pid == 0) {
		signal(SIGXFSZ, SIG_IGN);
		for (rlim_t size = 0; size < (rlim_t)st.st_size; size += 1777) {
			uint64_t bytes;
			struct vat_error err;
			struct rlimit limit = {size, RLIM_INFINITY};
			setrlimit(RLIMIT_FSIZE, &limit);
			if (keeper_disk_save(&place->disk, place->region, -1, &bytes, &err) !=
					-EFBIG ||
				strstr(err.text, place->file) == NULL) {
				_exit(1);
			}
		}
		_exit(0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(saved_value(place), 1);
	assert_int_equal(count_files(place, ".vat"), 1);
}

static void test_one_city(void **state) {
	struct place *place = *state;
	struct keeper_disk other = KEEPER_DISK_NONE;
	struct vat_error err;
	assert_int_equal(keeper_disk_open(&place->disk, &err), 0);
	assert_int_equal(keeper_disk_open(&other, &err), -EBUSY);
	assert_non_null(strstr(err.text, place->disk.path));
	keeper_disk_close(&place->disk);
	assert_int_equal(keeper_disk_open(&other, &err), 0);
	keeper_disk_close(&other);
}

/* The folder goes, something is in its place, it can be made again. */
static void test_folder_goes(void **state) {
	struct place *place = *state;
	struct vat_error err;
	save(place);
	keeper_disk_remove(&place->disk, &info.tile);
	char lock[PATH_MAX + 8];
	snprintf(lock, sizeof(lock), "%s/lock", place->disk.path);
	assert_int_equal(unlink(lock), 0);
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s", place->disk.path);
	assert_int_equal(rmdir(path), 0);
	int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_true(keeper_disk_open(&place->disk, &err) < 0);
	assert_non_null(strstr(err.text, path));
	assert_int_equal(unlink(path), 0);
	assert_int_equal(keeper_disk_open(&place->disk, &err), 0);
	save(place);
	assert_int_equal(saved_value(place), 1);
}

static void test_no_home(void **state) {
	struct keeper_disk other = KEEPER_DISK_NONE;
	struct vat_error err;
	char *home = strdup(getenv("HOME") ? getenv("HOME") : "/");
	unsetenv("XDG_STATE_HOME");
	unsetenv("HOME");
	assert_int_equal(keeper_disk_open(&other, &err), -ENOENT);
	assert_non_null(strstr(err.text, "set HOME or XDG_STATE_HOME"));
	setenv("HOME", home, 1);
	free(home);
}

/* A copy for another tile: the same values under its own keys, and nothing of the first changes. */
static void test_a_copy_belongs_to_another_tile(void **state) {
	struct place *place = *state;
	struct vat_error err;
	uint64_t bytes;
	save(place);
	struct vat_region_info other = info;
	snprintf(other.name, sizeof(other.name), "copy");
	assert_int_equal(vat_uuid_generate(&other.tile), 0);
	int fd = keeper_disk_load(&place->disk, &info.tile, &bytes, &err);
	assert_true(fd >= 0);
	assert_int_equal(vat_region_rename(fd, &other, &err), 0);
	struct vat_region *copy;
	if (vat_region_map(fd, VAT_WRITE, &copy, &err) < 0) {
		fail_msg("%s", err.text);
	}
	assert_true(vat_uuid_equal(&vat_region_info(copy)->tile, &other.tile));
	assert_string_equal(vat_region_info(copy)->name, "copy");
	const struct vat_cell *cell = vat_region_find(copy, "items", NULL, 0);
	assert_non_null(cell);
	struct vat_key key = vat_state_key(&other.city, &other.tile, "items", NULL, 0);
	assert_true(vat_key_equal(&cell->key, &key));
	const struct item *items = vat_cell_data(copy, cell);
	assert_int_equal(items[19999].value, 1);
	fill(copy, 9); /* it can be written, as any */
	vat_region_unmap(copy);
	close(fd);
	assert_int_equal(saved_value(place), 1);
	memset(other.name, 'X', sizeof(other.name));
	assert_int_equal(vat_region_rename(-1, &other, &err), -EINVAL);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_a_copy_belongs_to_another_tile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_there_and_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut, setup, teardown),
		cmocka_unit_test_setup_teardown(test_torn, setup, teardown),
		cmocka_unit_test_setup_teardown(test_wrong_tile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_city, setup, teardown),
		cmocka_unit_test_setup_teardown(test_folder_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_home, setup, teardown),
	};
	return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
