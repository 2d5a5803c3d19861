/* SPDX-License-Identifier: MIT */
/* Regions come to disk, and back. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "rig.h"
#include "wire_child.h"

/* --- checkpoints --- */

struct item {
	uint64_t value;
};

static const struct vat_field item_fields[] = {VAT_FIELD(1, U64, struct item, value)};
static const struct vat_cell_decl item_cells[] = {
	VAT_CELL("items", struct item, 4000, item_fields)};

static void handle_segv(int number, siginfo_t *info, void *context) {
	if (!vat_barrier_handle_fault(info->si_addr)) {
		signal(number, SIG_DFL);
	}
}

static struct item *items_of(const struct vat_region *region) {
	return vat_cell_data(region, vat_region_find(region, "items", NULL, 0));
}

static void fill_items(struct vat_region *region, uint64_t value) {
	for (int i = 0; i < 4000; i++) {
		items_of(region)[i].value = value;
	}
}

/* A tile of which the test is the host. */
struct saved_tile {
	struct peer peer, spare;
	uint64_t instance;
	struct vat_region *region;
	char file[256];
};

static void map_tile_region(struct city *city, struct saved_tile *tile) {
	struct vat_error err;
	if (vat_region_map(city->fds[0], VAT_WRITE, &tile->region, &err) < 0) {
		fail_msg("%s", err.text);
	}
}

static void begin_saved_tile(struct city *city, struct saved_tile *tile) {
	struct sigaction action = {.sa_sigaction = handle_segv, .sa_flags = SA_SIGINFO};
	sigfillset(&action.sa_mask);
	sigaction(SIGSEGV, &action, NULL);
	char uuid[VAT_UUID_TEXT];
	vat_uuid_format(&tile_uuid, uuid);
	snprintf(tile->file, sizeof(tile->file), "%s/state/source-city/regions/%s.vat", city->dir,
		uuid);
	tile->peer = make_ready(city);
	struct keeper_message every = {.type = KEEPER_CHECKPOINT_EVERY, .status = 0};
	send_message(city->compositor.wire, &every, NULL, 0);
	open_region(city);
	map_tile_region(city, tile);
	if (vat_region_cell_count(tile->region) == 0) {
		vat_region_adopt(tile->region, item_cells, 1, 0, NULL, NULL);
	}
	tile->instance = spawn_tile(city, &tile->peer);
	tile->spare = accept_peer(city);
}

static void finish_saved_tile(struct saved_tile *tile) {
	vat_region_unmap(tile->region);
	forget_peer(&tile->peer);
	forget_peer(&tile->spare);
	signal(SIGSEGV, SIG_DFL);
}

/* Returns when the keeper has heard it: what the compositor says next would overtake it. */
static void say_changed(struct city *city, const struct saved_tile *tile, bool settled) {
	struct keeper_message changed = {.type = KEEPER_CHANGED, .status = settled};
	send_message(tile->peer.wire, &changed, NULL, 0);
	struct keeper_message claim = tile_message(KEEPER_STREAM_CLAIM, "nothing");
	send_message(tile->peer.wire, &claim, NULL, 0);
	next_message(city, tile->peer.wire, KEEPER_RESULT);
}

static void ask_checkpoint(struct city *city) {
	struct keeper_message ask = {.type = KEEPER_CHECKPOINT, .request = 9, .uuid = tile_uuid};
	send_message(city->compositor.wire, &ask, NULL, 0);
}

static void answer_track(const struct saved_tile *tile, int status, const char *why) {
	struct keeper_message answer = {.type = KEEPER_TRACKED, .status = status, .size = 1234};
	keeper_wire_add(&answer, why);
	send_message(tile->peer.wire, &answer, NULL, 0);
}

static void arm(struct city *city, struct saved_tile *tile) {
	struct vat_error err;
	next_message(city, tile->peer.wire, KEEPER_TRACK);
	if (vat_barrier_begin(
		    tile->region, city->fds[0], vat_region_generation(tile->region), &err) < 0) {
		fail_msg("%s", err.text);
	}
}

/* What is in the file: all items have this value. */
static uint64_t value_in_file(const struct saved_tile *tile) {
	struct vat_error err;
	int file = open(tile->file, O_RDONLY | O_CLOEXEC);
	assert_true(file >= 0);
	int fd = vat_file_load(file, &err);
	struct vat_region *copy;
	if (fd < 0 || vat_region_map(fd, VAT_READ, &copy, &err) < 0) {
		fail_msg("%s", err.text);
	}
	uint64_t value = items_of(copy)[0].value;
	for (int i = 0; i < 4000; i++) {
		assert_int_equal(items_of(copy)[i].value, value);
	}
	vat_region_unmap(copy);
	close(fd);
	close(file);
	return value;
}

static void expect_checkpoint(struct city *city, const struct saved_tile *tile) {
	struct stat st;
	const struct keeper_message *answer =
		next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(answer->request, 9);
	if (answer->status != 0) {
		fail_msg("%s", answer->text);
	}
	assert_string_equal(answer->text, tile->file);
	assert_int_equal(stat(tile->file, &st), 0);
	assert_int_equal(answer->size, st.st_size);
}

/* The state of the moment in which the barrier went up, whatever is written after. */
static void test_checkpoint_of_a_moment(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 5);
	say_changed(city, &tile, false);
	ask_checkpoint(city);
	arm(city, &tile);
	fill_items(tile.region, 6);
	answer_track(&tile, 0, "");
	expect_checkpoint(city, &tile);
	assert_int_equal(city->message.instance, 1234);
	assert_int_equal(value_in_file(&tile), 5);
	next_message(city, tile.peer.wire, KEEPER_TRACK_END);
	vat_barrier_end(tile.region, NULL);

	/* Nothing has changed since, as far as was said: nobody is asked. Then it has. */
	ask_checkpoint(city);
	expect_checkpoint(city, &tile);
	say_changed(city, &tile, false);
	ask_checkpoint(city);
	arm(city, &tile);
	answer_track(&tile, 0, "");
	expect_checkpoint(city, &tile);
	assert_int_equal(value_in_file(&tile), 6);
	next_message(city, tile.peer.wire, KEEPER_TRACK_END);
	vat_barrier_end(tile.region, NULL);
	finish_saved_tile(&tile);
}

/* By time, and after a probation; refused, overtaken by a handover, and tried again. */
static void test_checkpoint_without_being_asked(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 1);
	say_changed(city, &tile, true);
	next_message(city, tile.peer.wire, KEEPER_TRACK);
	answer_track(&tile, EBUSY, "it is on probation");
	arm(city, &tile);
	vat_barrier_end(tile.region, NULL);
	fill_items(tile.region, 2);
	answer_track(&tile, 0, "");
	next_message(city, tile.peer.wire, KEEPER_TRACK_END);
	assert_int_equal(access(tile.file, F_OK), -1);
	arm(city, &tile);
	fill_items(tile.region, 3);
	answer_track(&tile, 0, "");
	next_message(city, tile.peer.wire, KEEPER_TRACK_END);
	assert_int_equal(value_in_file(&tile), 2);
	vat_barrier_end(tile.region, NULL);
	say_changed(city, &tile, false);
	struct keeper_message every = {.type = KEEPER_CHECKPOINT_EVERY, .status = 1};
	send_message(city->compositor.wire, &every, NULL, 0);
	arm(city, &tile);
	answer_track(&tile, 0, "");
	next_message(city, tile.peer.wire, KEEPER_TRACK_END);
	assert_int_equal(value_in_file(&tile), 3);
	vat_barrier_end(tile.region, NULL);
	finish_saved_tile(&tile);
}

/* A tile that is asked and dies, and one that has no process any more. */
static void test_checkpoint_of_a_dead_tile(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 8);
	say_changed(city, &tile, false);
	ask_checkpoint(city);
	next_message(city, tile.peer.wire, KEEPER_TRACK);
	end_peer(&tile.peer, 3);
	next_message(city, city->compositor.wire, KEEPER_EXITED);
	expect_checkpoint(city, &tile);
	assert_int_equal(value_in_file(&tile), 8);
	vat_region_unmap(tile.region);
	forget_peer(&tile.spare);
}

static void restart_keeper(struct city *city) {
	forget_peer(&city->compositor);
	city->keeper = start_keeper(city, NULL, -1);
	city->compositor = accept_peer(city);
}

/* The end of the city saves what was said to have changed, and the next one has it. */
static void test_state_comes_back(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	assert_int_equal(city->message.status, 0);
	fill_items(tile.region, 11);
	say_changed(city, &tile, false);
	kill(city->keeper, SIGTERM);
	assert_int_equal(await_exit(city->keeper), 0);
	assert_int_equal(value_in_file(&tile), 11);
	finish_saved_tile(&tile);

	restart_keeper(city);
	tile.peer = make_ready(city);
	open_region(city);
	assert_int_equal(city->message.status, 2);
	map_tile_region(city, &tile);
	assert_int_equal(items_of(tile.region)[3999].value, 11);
	/* Nothing has changed: the file is as it was after this as well. */
	vat_region_unmap(tile.region);
	forget_peer(&tile.peer);
	kill(city->keeper, SIGKILL);
	await_exit(city->keeper);

	/* Damaged: kept, said, and begun anew. */
	int file = open(tile.file, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(file, "xxxx", 4, 9000), 4);
	close(file);
	restart_keeper(city);
	tile.peer = make_ready(city);
	open_region(city);
	assert_int_equal(city->message.status, 1);
	assert_non_null(strstr(city->message.text, ".vat.damaged-1"));
	char aside[300];
	snprintf(aside, sizeof(aside), "%s.damaged-1", tile.file);
	assert_int_equal(access(aside, F_OK), 0);
	assert_int_equal(access(tile.file, F_OK), -1);
	assert_true(log_has(city, "starts anew"));
	forget_peer(&tile.peer);
}

/* What was to be saved is saved by the keeper that takes over, also if one was at it. */
static void test_checkpoint_and_replacement(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 31);
	say_changed(city, &tile, false);
	ask_checkpoint(city);
	arm(city, &tile);
	struct keeper_message replace = {.type = KEEPER_REPLACE, .request = 21};
	send_message(city->compositor.wire, &replace, NULL, 0);
	/* Whoever waits is told, and asks again. */
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.request, 9);
	assert_int_equal(city->message.status, EAGAIN);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.request, 21);
	assert_int_equal(city->message.status, 0);
	vat_barrier_end(tile.region, NULL);
	ask_checkpoint(city);
	arm(city, &tile);
	answer_track(&tile, 0, "");
	expect_checkpoint(city, &tile);
	assert_int_equal(value_in_file(&tile), 31);
	next_message(city, tile.peer.wire, KEEPER_TRACK_END);
	vat_barrier_end(tile.region, NULL);
	/* And nothing is, where nothing has changed. */
	ask_replacement(city, "");
	ask_checkpoint(city);
	expect_checkpoint(city, &tile);
	finish_saved_tile(&tile);
}

/* A tile that is closed leaves nothing on disk. */
static void test_drop_removes_the_file(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 1);
	say_changed(city, &tile, false);
	ask_checkpoint(city);
	arm(city, &tile);
	answer_track(&tile, 0, "");
	expect_checkpoint(city, &tile);
	assert_int_equal(access(tile.file, F_OK), 0);
	struct keeper_message drop = {.type = KEEPER_REGION_DROP, .request = 7, .uuid = tile_uuid};
	send_message(city->compositor.wire, &drop, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(access(tile.file, F_OK), -1);
	vat_barrier_end(tile.region, NULL);
	finish_saved_tile(&tile);
}

/* The folder is gone: said once, told to whoever asks, and it works again when it can. */
static void test_checkpoint_without_a_folder(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 4);
	char command[400], folder[128];
	snprintf(folder, sizeof(folder), "%s/state/source-city/regions", city->dir);
	snprintf(command, sizeof(command), "rm -r '%s' && touch '%s'", folder, folder);
	assert_int_equal(system(command), 0);
	say_changed(city, &tile, false);
	ask_checkpoint(city);
	next_message(city, city->compositor.wire, KEEPER_UNSAVED);
	assert_int_not_equal(city->message.status, 0);
	assert_memory_equal(&city->message.uuid, &tile_uuid, sizeof(tile_uuid));
	assert_non_null(strstr(city->message.text, folder));
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.request, 9);
	assert_int_not_equal(city->message.status, 0);
	assert_non_null(strstr(city->message.text, folder));
	/* Whoever takes the region hears it, also from the next keeper. */
	ask_replacement(city, "");
	open_region(city);
	next_message(city, city->compositor.wire, KEEPER_UNSAVED);
	assert_int_not_equal(city->message.status, 0);
	assert_non_null(strstr(city->message.text, folder));
	assert_true(log_has(city, folder));
	assert_int_equal(unlink(folder), 0);
	ask_checkpoint(city);
	arm(city, &tile);
	answer_track(&tile, 0, "");
	next_message(city, city->compositor.wire, KEEPER_UNSAVED);
	assert_int_equal(city->message.status, 0);
	expect_checkpoint(city, &tile);
	assert_int_equal(value_in_file(&tile), 4);
	vat_barrier_end(tile.region, NULL);
	finish_saved_tile(&tile);
}

/* Another city with the same state folder leaves what is there alone. */
static void test_second_city_saves_nothing(void **state) {
	struct city *city = *state;
	struct saved_tile tile;
	begin_saved_tile(city, &tile);
	fill_items(tile.region, 21);
	say_changed(city, &tile, false);
	ask_checkpoint(city);
	arm(city, &tile);
	answer_track(&tile, 0, "");
	expect_checkpoint(city, &tile);
	vat_barrier_end(tile.region, NULL);

	struct city second = *city;
	for (size_t i = 0; i < KEEPER_FDS_MAX; i++) {
		second.fds[i] = -1;
	}
	second.keeper = start_keeper(&second, NULL, -1);
	second.compositor = accept_peer(&second);
	struct peer spare = make_ready(&second);
	open_region(&second);
	assert_int_equal(second.message.status, 1);
	ask_checkpoint(&second);
	next_message(&second, second.compositor.wire, KEEPER_RESULT);
	assert_int_not_equal(second.message.status, 0);
	kill(second.keeper, SIGTERM);
	assert_int_equal(await_exit(second.keeper), 0);
	assert_int_equal(value_in_file(&tile), 21);
	keeper_wire_close(second.fds);
	forget_peer(&spare);
	forget_peer(&second.compositor);
	finish_saved_tile(&tile);
}

int main(void) {
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		TEST(test_checkpoint_of_a_moment),
		TEST(test_checkpoint_without_being_asked),
		TEST(test_checkpoint_of_a_dead_tile),
		TEST(test_state_comes_back),
		TEST(test_drop_removes_the_file),
		TEST(test_checkpoint_and_replacement),
		TEST(test_checkpoint_without_a_folder),
		TEST(test_second_city_saves_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
