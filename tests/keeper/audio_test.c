/* SPDX-License-Identifier: MIT */
/* The audio process, rings and the transport's page. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "keeper/keeper.h"
#include "rig.h"
#include "ring.h"
#include "transport.h"

#define SOUND(function) cmocka_unit_test_setup_teardown(function, rig_setup_audio, rig_teardown)

static ino_t inode(int fd) {
	struct stat info;
	assert_int_equal(fstat(fd, &info), 0);
	return info.st_ino;
}

static bool readable(int fd) {
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	return poll(&poll_fd, 1, 0) == 1;
}

/* The city with a tile and an audio process. */
struct sound {
	struct peer tile, audio, spare;
	uint64_t instance;
};

static struct sound make_sound(struct city *city) {
	struct sound sound;
	sound.tile = make_ready_audio(city, &sound.audio);
	open_region(city);
	sound.instance = spawn_tile(city, &sound.tile);
	sound.spare = accept_peer(city);
	return sound;
}

static void forget_sound(struct sound *sound) {
	forget_peer(&sound->tile);
	forget_peer(&sound->audio);
	forget_peer(&sound->spare);
}

static void ask_ring(int wire, const char *name, uint64_t channels) {
	struct keeper_message open = tile_message(KEEPER_RING_OPEN, name);
	open.size = channels;
	send_message(wire, &open, NULL, 0);
}

/* In city->fds: the ring and what wakes who fills it. */
static void open_ring(struct city *city, int wire, const char *name) {
	ask_ring(wire, name, 2);
	next_message(city, wire, KEEPER_STREAM);
	assert_string_equal(city->message.name, name);
	assert_int_equal(city->message.size, 2);
	assert_true(city->fds[0] >= 0 && city->fds[1] >= 0);
}

static void expect_ring(struct city *city, int audio, const char *name) {
	next_message(city, audio, KEEPER_RING);
	assert_memory_equal(&city->message.uuid, &tile_uuid, sizeof(tile_uuid));
	assert_string_equal(city->message.name, "clock");
	assert_string_equal(city->message.text, name);
	assert_int_equal(city->message.size, 2);
	assert_true(city->fds[0] >= 0 && city->fds[1] >= 0);
}

static void expect_ring_end(struct city *city, int audio, const char *name) {
	next_message(city, audio, KEEPER_RING_END);
	assert_memory_equal(&city->message.uuid, &tile_uuid, sizeof(tile_uuid));
	assert_string_equal(city->message.text, name);
}

static void expect_state(struct city *city, int status) {
	next_message(city, city->compositor.wire, KEEPER_AUDIO_STATE);
	assert_int_equal(city->message.status, status);
}

static void test_a_city_without_sound(void **state) {
	struct city *city = *state;
	struct peer tile = make_ready(city);
	open_region(city);
	spawn_tile(city, &tile);
	struct peer spare = accept_peer(city);
	/* Rings are there all the same. */
	open_ring(city, tile.wire, "left");
	open_ring(city, tile.wire, "right");
	for (int i = 0; i < 2; i++) {
		struct keeper_message open = tile_message(KEEPER_AUDIO_OPEN, "manager");
		const int wire = i == 0 ? city->compositor.wire : tile.wire;
		send_message(wire, &open, NULL, 0);
		next_message(city, wire, KEEPER_RESULT);
		assert_int_equal(city->message.status, EAGAIN);
		assert_non_null(strstr(city->message.text, "source-city-audio"));
	}
	assert_int_equal(log_count(city, "there is no sound"), 1);
	/* It is installed meanwhile: whoever asks next gets it. */
	copy_program(CHILD_PROGRAM, city->dir, "source-city-audio");
	ask_ring(tile.wire, "left", 2);
	struct peer audio = accept_peer(city);
	assert_string_equal(audio.program, "source-city-audio");
	next_message(city, audio.wire, KEEPER_AUDIO);
	next_message(city, audio.wire, KEEPER_RING);
	next_message(city, audio.wire, KEEPER_RING);
	forget_peer(&tile);
	forget_peer(&spare);
	forget_peer(&audio);
}

/* One page for all: the audio process writes it, everybody else can only read it. */
static void test_transport_page(void **state) {
	struct city *city = *state;
	expect_hello(city);
	int seen = fcntl(city->fds[2], F_DUPFD_CLOEXEC, 3);
	assert_true(seen >= 0);
	struct keeper_message ready = {.type = KEEPER_READY};
	send_message(city->compositor.wire, &ready, NULL, 0);
	expect_state(city, 1);
	struct peer one = accept_peer(city), other = accept_peer(city);
	bool audio_first = strcmp(one.program, "source-city-audio") == 0;
	struct peer audio = audio_first ? one : other, tile = audio_first ? other : one;
	next_message(city, audio.wire, KEEPER_AUDIO);
	assert_int_equal(inode(city->fds[0]), inode(seen));
	struct vat_transport_page *writer = vat_transport_map(city->fds[0], true, NULL);
	assert_non_null(writer);
	assert_null(vat_transport_map(seen, true, NULL));
	struct vat_transport_page *reader = vat_transport_map(seen, false, NULL);
	assert_non_null(reader);
	vat_transport_write_clock(writer, &(struct vat_transport_clock){12, 34, true});
	struct vat_transport_clock clock;
	assert_true(vat_transport_read_clock(reader, &clock));
	assert_int_equal(clock.frame, 12);

	open_region(city);
	ask_spawn(city);
	next_message(city, tile.wire, KEEPER_ASSUME);
	assert_int_equal(inode(city->fds[3]), inode(seen));
	assert_null(vat_transport_map(city->fds[3], true, NULL));
	next_message(city, city->compositor.wire, KEEPER_SPAWNED);
	struct peer spare = accept_peer(city);

	/* What it says outlives who said it. */
	end_peer(&audio, 0);
	audio = accept_peer(city);
	next_message(city, audio.wire, KEEPER_AUDIO);
	assert_int_equal(inode(city->fds[0]), inode(seen));
	assert_true(vat_transport_read_clock(reader, &clock));
	assert_int_equal(clock.ns, 34);
	vat_transport_unmap(writer);
	vat_transport_unmap(reader);
	close(seen);
	forget_peer(&audio);
	forget_peer(&tile);
	forget_peer(&spare);
}

static void test_rings(void **state) {
	struct city *city = *state;
	struct sound sound = make_sound(city);
	open_ring(city, sound.tile.wire, "out");
	ino_t ring = inode(city->fds[0]);
	int wake = fcntl(city->fds[1], F_DUPFD_CLOEXEC, 3);
	expect_ring(city, sound.audio.wire, "out");
	assert_int_equal(inode(city->fds[0]), ring);
	assert_false(readable(wake));
	assert_int_equal(write(city->fds[1], &(uint64_t){1}, 8), 8);
	assert_true(readable(wake));
	uint64_t count;
	assert_int_equal(read(wake, &count, 8), 8);
	assert_int_equal(read(wake, &count, 8), -1); /* it does not block */
	close(wake);

	/* Again, and as any stream: the same. */
	open_ring(city, sound.tile.wire, "out");
	assert_int_equal(inode(city->fds[0]), ring);
	struct keeper_message claim = tile_message(KEEPER_STREAM_CLAIM, "out");
	send_message(sound.tile.wire, &claim, NULL, 0);
	next_message(city, sound.tile.wire, KEEPER_STREAM);
	assert_int_equal(inode(city->fds[0]), ring);
	assert_true(city->fds[1] >= 0);

	static const struct {
		const char *name;
		uint64_t channels;
		int error;
	} bad[] = {{"out", 1, EEXIST}, {"other", 0, EINVAL}, {"other", 9, EINVAL},
		{"other", UINT64_MAX, EINVAL}, {"Other", 2, EINVAL}, {".other", 2, EINVAL},
		{"", 2, EINVAL}};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		ask_ring(sound.tile.wire, bad[i].name, bad[i].channels);
		next_message(city, sound.tile.wire, KEEPER_RESULT);
		assert_int_equal(city->message.status, bad[i].error);
	}

	/* Closed, swept, and with the whole tile. */
	struct keeper_message close_it = tile_message(KEEPER_STREAM_CLOSE, "out");
	send_message(sound.tile.wire, &close_it, NULL, 0);
	next_message(city, sound.tile.wire, KEEPER_RESULT);
	expect_ring_end(city, sound.audio.wire, "out");
	open_ring(city, sound.tile.wire, "swept");
	expect_ring(city, sound.audio.wire, "swept");
	struct keeper_message sweep = tile_message(KEEPER_STREAM_SWEEP, "clock");
	sweep.instance = sound.instance;
	send_message(city->compositor.wire, &sweep, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_int_equal(city->message.text_size, 0); /* it claims it */
	sweep.instance++;
	send_message(city->compositor.wire, &sweep, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	assert_string_equal(city->message.text, "swept");
	expect_ring_end(city, sound.audio.wire, "swept");
	open_ring(city, sound.tile.wire, "dropped");
	expect_ring(city, sound.audio.wire, "dropped");
	struct keeper_message drop = tile_message(KEEPER_REGION_DROP, "clock");
	send_message(city->compositor.wire, &drop, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_RESULT);
	expect_ring_end(city, sound.audio.wire, "dropped");
	forget_sound(&sound);
}

static void test_hundreds_of_rings(void **state) {
	struct city *city = *state;
	struct sound sound = make_sound(city);
	for (int i = 0; i < 400; i++) {
		char name[16];
		snprintf(name, sizeof(name), "ring%d", i);
		if (i < KEEPER_RINGS_MAX) {
			open_ring(city, sound.tile.wire, name);
			expect_ring(city, sound.audio.wire, name);
			continue;
		}
		ask_ring(sound.tile.wire, name, 2);
		next_message(city, sound.tile.wire, KEEPER_RESULT);
		assert_int_equal(city->message.status, EMFILE);
		assert_non_null(strstr(city->message.text, "rings already"));
	}
	open_pty(city, &sound.tile, "exec sleep 1000");
	forget_sound(&sound);
}

/* Those that were there are there again, with the same descriptors. */
static void test_audio_is_killed(void **state) {
	struct city *city = *state;
	struct sound sound = make_sound(city);
	open_ring(city, sound.tile.wire, "left");
	ino_t left = inode(city->fds[0]);
	open_ring(city, sound.tile.wire, "right");
	/* At once, and then a little later. */
	for (int i = 0; i < 2; i++) {
		assert_int_equal(kill(sound.audio.pid, SIGKILL), 0);
		await_end(&sound.audio);
		forget_peer(&sound.audio);
		expect_state(city, 0);
		sound.audio = accept_peer(city);
		expect_state(city, 1);
		next_message(city, sound.audio.wire, KEEPER_AUDIO);
		assert_true(city->fds[0] >= 0);
		expect_ring(city, sound.audio.wire, "right");
		expect_ring(city, sound.audio.wire, "left");
		assert_int_equal(inode(city->fds[0]), left);
	}
	assert_int_equal(log_count(city, "starting it again in 1 s"), 1);
	assert_true(log_has(city, "signal 9"));
	/* Others do not notice. */
	open_ring(city, sound.tile.wire, "left");
	assert_int_equal(inode(city->fds[0]), left);
	forget_sound(&sound);
}

/* A compositor that comes later hears of it too. */
static void test_next_compositor_is_told(void **state) {
	struct city *city = *state;
	struct sound sound = make_sound(city);
	end_peer(&city->compositor, 1);
	city->compositor = accept_peer(city);
	expect_hello(city);
	assert_true(city->fds[2] >= 0);
	next_message(city, city->compositor.wire, KEEPER_INSTANCE);
	expect_state(city, 1);
	/* It was not started a second time. */
	struct keeper_message ready = {.type = KEEPER_READY};
	send_message(city->compositor.wire, &ready, NULL, 0);
	open_region(city);
	assert_false(readable(city->accept_fd));
	forget_sound(&sound);
}

static void expect_new_audio(struct city *city, struct sound *sound) {
	await_end(&sound->audio);
	forget_peer(&sound->audio);
	expect_state(city, 0);
	sound->audio = accept_peer(city);
	expect_state(city, 1);
	next_message(city, sound->audio.wire, KEEPER_AUDIO);
}

static void test_audio_sends_garbage(void **state) {
	struct city *city = *state;
	struct sound sound = make_sound(city);
	char rubbish[100] = "rubbish";
	for (int i = 0; i < 16; i++) {
		assert_int_equal(send(sound.audio.wire, rubbish, sizeof(rubbish), MSG_NOSIGNAL),
			sizeof(rubbish));
	}
	expect_new_audio(city, &sound);
	/* What it may not say, and that it says nothing any more. */
	for (int i = 0; i < 16; i++) {
		struct keeper_message quit = {.type = KEEPER_QUIT};
		send_message(sound.audio.wire, &quit, NULL, 0);
	}
	expect_new_audio(city, &sound);
	forget_sound(&sound);
}

/* It reads nothing: the city goes on, and in the end there is another one. */
static void test_audio_is_stopped(void **state) {
	struct city *city = *state;
	struct sound sound = make_sound(city);
	assert_int_equal(kill(sound.audio.pid, SIGSTOP), 0);
	struct keeper_message open = tile_message(KEEPER_AUDIO_OPEN, "manager");
	while (!readable(city->accept_fd)) {
		send_message(sound.tile.wire, &open, NULL, 0);
		any_message(city, sound.tile.wire);
		if (city->message.type == KEEPER_RESULT) {
			assert_int_equal(city->message.status, EAGAIN);
		}
	}
	struct peer next = accept_peer(city);
	assert_string_equal(next.program, "source-city-audio");
	next_message(city, next.wire, KEEPER_AUDIO);
	forget_peer(&next);
	forget_sound(&sound);
}

static float buffer[2][RING_FRAMES];

static void write_ring(struct ring *ring, uint32_t frames) {
	const float *const samples[RING_CHANNELS_MAX] = {buffer[0], buffer[1]};
	ring_write(ring, ring_written(ring), frames, samples);
}

static uint32_t late_behind(struct ring *ring) {
	float *const out[RING_CHANNELS_MAX] = {buffer[0], buffer[1]};
	uint64_t frame = ring_written(ring);
	return ring_read(ring, frame, 64, out);
}

/* Whoever could fill it is gone: that is no lateness. */
static void test_rings_of_dead_tiles_rest(void **state) {
	struct city *city = *state;
	struct sound sound = make_sound(city);
	open_ring(city, sound.tile.wire, "out");
	struct ring producer, consumer;
	assert_int_equal(ring_map(&producer, city->fds[0], false, NULL), 0);
	assert_int_equal(ring_map(&consumer, city->fds[0], true, NULL), 0);
	uint64_t other_instance = spawn_tile(city, &sound.spare);
	struct peer next_spare = accept_peer(city);
	open_ring(city, sound.spare.wire, "out");
	write_ring(&producer, 100);
	assert_int_equal(late_behind(&consumer), 64);

	/* One of two. */
	end_peer(&sound.tile, 3);
	next_message(city, city->compositor.wire, KEEPER_EXITED);
	assert_int_equal(city->message.instance, sound.instance);
	write_ring(&producer, 100);
	assert_int_equal(late_behind(&consumer), 64);
	/* And the other. */
	assert_int_equal(kill(sound.spare.pid, SIGKILL), 0);
	next_message(city, city->compositor.wire, KEEPER_EXITED);
	assert_int_equal(city->message.instance, other_instance);
	assert_int_equal(late_behind(&consumer), 0);
	/* Until there is one again. */
	write_ring(&producer, 100);
	assert_int_equal(late_behind(&consumer), 64);
	ring_unmap(&producer);
	ring_unmap(&consumer);
	forget_peer(&next_spare);
	forget_peer(&sound.spare);
	forget_peer(&sound.audio);
}

static void test_connections(void **state) {
	struct city *city = *state;
	struct sound sound = make_sound(city);
	struct keeper_message open = tile_message(KEEPER_AUDIO_OPEN, "manager");
	char bytes[8];
	/* The compositor's. */
	send_message(city->compositor.wire, &open, NULL, 0);
	next_message(city, city->compositor.wire, KEEPER_STREAM);
	int mine = fcntl(city->fds[0], F_DUPFD_CLOEXEC, 3);
	next_message(city, sound.audio.wire, KEEPER_AUDIO_PEER);
	assert_string_equal(city->message.name, "");
	assert_int_equal(write(mine, "hello", 5), 5);
	assert_int_equal(read(city->fds[0], bytes, sizeof(bytes)), 5);
	assert_int_equal(read(city->fds[0], bytes, sizeof(bytes)), -1); /* does not block */
	close(mine);
	await_readable(city->fds[0]);
	assert_int_equal(read(city->fds[0], bytes, sizeof(bytes)), 0); /* nobody else has it */

	/* A tile's is a stream, and the next takes its place. */
	int ends[2];
	for (int i = 0; i < 2; i++) {
		send_message(sound.tile.wire, &open, NULL, 0);
		next_message(city, sound.tile.wire, KEEPER_STREAM);
		assert_string_equal(city->message.name, "manager");
		next_message(city, sound.audio.wire, KEEPER_AUDIO_PEER);
		assert_string_equal(city->message.name, "clock");
		ends[i] = fcntl(city->fds[0], F_DUPFD_CLOEXEC, 3);
	}
	await_readable(ends[0]);
	assert_int_equal(read(ends[0], bytes, sizeof(bytes)), 0);
	struct keeper_message claim = tile_message(KEEPER_STREAM_CLAIM, "manager");
	send_message(sound.tile.wire, &claim, NULL, 0);
	next_message(city, sound.tile.wire, KEEPER_STREAM);
	assert_int_equal(write(city->fds[0], "again", 5), 5);
	assert_int_equal(read(ends[1], bytes, sizeof(bytes)), 5);
	close(ends[0]);
	close(ends[1]);

	/* No other stream loses its place. */
	open_ring(city, sound.tile.wire, "out");
	open = tile_message(KEEPER_AUDIO_OPEN, "out");
	send_message(sound.tile.wire, &open, NULL, 0);
	next_message(city, sound.tile.wire, KEEPER_RESULT);
	assert_int_equal(city->message.status, EEXIST);
	open = tile_message(KEEPER_AUDIO_OPEN, "No name");
	send_message(sound.tile.wire, &open, NULL, 0);
	next_message(city, sound.tile.wire, KEEPER_RESULT);
	assert_int_equal(city->message.status, EINVAL);

	/* One without a name is not kept: it ends with who has asked for it. */
	open = tile_message(KEEPER_AUDIO_OPEN, "");
	send_message(sound.tile.wire, &open, NULL, 0);
	next_message(city, sound.tile.wire, KEEPER_STREAM);
	mine = fcntl(city->fds[0], F_DUPFD_CLOEXEC, 3);
	next_message(city, sound.audio.wire, KEEPER_RING); /* of above */
	next_message(city, sound.audio.wire, KEEPER_AUDIO_PEER);
	assert_string_equal(city->message.name, "clock");
	close(mine);
	await_readable(city->fds[0]);
	assert_int_equal(read(city->fds[0], bytes, sizeof(bytes)), 0);
	forget_sound(&sound);
}

/* Sound goes on while one keeper takes over from another. */
static void test_keeper_is_replaced(void **state) {
	struct city *city = *state;
	struct sound sound = make_sound(city);
	open_ring(city, sound.tile.wire, "out");
	ino_t ring = inode(city->fds[0]);
	int wake = fcntl(city->fds[1], F_DUPFD_CLOEXEC, 3);
	expect_ring(city, sound.audio.wire, "out");
	struct keeper_message open = tile_message(KEEPER_AUDIO_OPEN, "manager");
	send_message(sound.tile.wire, &open, NULL, 0);
	next_message(city, sound.tile.wire, KEEPER_STREAM);
	int tile_end = fcntl(city->fds[0], F_DUPFD_CLOEXEC, 3);
	next_message(city, sound.audio.wire, KEEPER_AUDIO_PEER);
	int audio_end = fcntl(city->fds[0], F_DUPFD_CLOEXEC, 3);
	for (int i = 0; i < 2; i++) {
		ask_replacement(city, "");
		assert_int_equal(city->message.status, 0);
	}
	struct keeper_message claim = tile_message(KEEPER_STREAM_CLAIM, "out");
	send_message(sound.tile.wire, &claim, NULL, 0);
	next_message(city, sound.tile.wire, KEEPER_STREAM);
	assert_int_equal(inode(city->fds[0]), ring);
	assert_int_equal(city->message.size, 2);
	assert_int_equal(write(city->fds[1], &(uint64_t){1}, 8), 8);
	assert_true(readable(wake));
	close(wake);
	/* The connection is one, still: the next takes its place. */
	close(tile_end);
	send_message(sound.tile.wire, &open, NULL, 0);
	next_message(city, sound.tile.wire, KEEPER_STREAM);
	next_message(city, sound.audio.wire, KEEPER_AUDIO_PEER);
	char byte;
	await_readable(audio_end);
	assert_int_equal(read(audio_end, &byte, 1), 0);
	close(audio_end);
	/* New rings are told to the same process, and the end of that is noticed. */
	open_ring(city, sound.tile.wire, "other");
	expect_ring(city, sound.audio.wire, "other");
	end_peer(&sound.audio, 1);
	expect_state(city, 0);
	sound.audio = accept_peer(city);
	expect_state(city, 1);
	next_message(city, sound.audio.wire, KEEPER_AUDIO);
	struct vat_transport_page *page = vat_transport_map(city->fds[0], true, NULL);
	assert_non_null(page);
	vat_transport_unmap(page);
	forget_sound(&sound);
}

/* When the city ends it hears that the rings do, and then ends. */
static void test_city_ends(void **state) {
	struct city *city = *state;
	struct sound sound = make_sound(city);
	open_ring(city, sound.tile.wire, "out");
	expect_ring(city, sound.audio.wire, "out");
	assert_int_equal(kill(city->keeper, SIGTERM), 0);
	expect_ring_end(city, sound.audio.wire, "out");
	await_end(&sound.audio);
	assert_int_equal(await_exit(city->keeper), 0);
	city->keeper = 0;
	assert_false(log_has(city, "starting it again"));
	forget_sound(&sound);
}

int main(void) {
	signal(SIGPIPE, SIG_IGN);
	const struct CMUnitTest tests[] = {
		TEST(test_a_city_without_sound),
		SOUND(test_transport_page),
		SOUND(test_rings),
		SOUND(test_hundreds_of_rings),
		SOUND(test_audio_is_killed),
		SOUND(test_next_compositor_is_told),
		SOUND(test_audio_sends_garbage),
		SOUND(test_audio_is_stopped),
		SOUND(test_rings_of_dead_tiles_rest),
		SOUND(test_connections),
		SOUND(test_keeper_is_replaced),
		SOUND(test_city_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
