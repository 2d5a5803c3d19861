/* SPDX-License-Identifier: MIT */
/* What the audio manager makes of what it is told, sense and nonsense. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <utf8proc.h>

#include "mixer.h"

#define SECOND 1000000000ull

static struct mix_node nodes[MIX_NODES];
static struct mix_link links[MIX_LINKS];
static struct mix_ring rings[MIX_RINGS];
static struct mix_wire wire;
static const struct mix_model model = {nodes, links, rings, &wire};

static int start(void **state) {
	memset(nodes, 0, sizeof(nodes));
	memset(links, 0, sizeof(links));
	memset(rings, 0, sizeof(rings));
	memset(&wire, 0, sizeof(wire));
	mix_begin(&model);
	return 0;
}

static struct audio_message message(enum audio_type type, uint64_t id) {
	return (struct audio_message){
		.version = AUDIO_WIRE_VERSION, .type = type, .id = id, .whole = {0}};
}

static unsigned tell(const struct audio_message *told) {
	char why[100];
	unsigned changed = mix_apply(&model, told, SECOND);
	if (!mix_check(&model, why, sizeof(why))) {
		fail_msg("%s", why);
	}
	return changed;
}

static unsigned tell_node(uint64_t id, uint32_t kind, const char *name, uint32_t volume) {
	struct audio_message told = message(AUDIO_NODE, id);
	told.node.kind = kind;
	told.node.flags = AUDIO_NODE_VOLUME | AUDIO_NODE_RUNNING;
	told.node.channels = 2;
	told.node.volume = volume;
	snprintf(told.node.name, sizeof(told.node.name), "%s", name);
	return tell(&told);
}

static unsigned tell_link(uint64_t id, uint64_t from, uint64_t to) {
	struct audio_message told = message(AUDIO_LINK, id);
	told.link.from = from;
	told.link.to = to;
	return tell(&told);
}

static uint32_t count(void) {
	uint32_t number = 0;
	while (number < MIX_NODES && nodes[number].id != MIX_NONE) {
		number++;
	}
	return number;
}

/* By column, kind and number, whatever the order they come in; and a change changes one. */
static void test_nodes(void **state) {
	assert_int_equal(tell_node(9, AUDIO_OUTPUT, "speakers", 700), CHANGED_CARDS);
	tell_node(12, AUDIO_RECORDER, "memo", 1000);
	tell_node(30, AUDIO_PLAYER, "late", 1000);
	tell_node(8, AUDIO_PLAYER, "music", 1000);
	tell_node(3, AUDIO_INPUT, "microphone", 1000);
	tell_node(4, AUDIO_FILTER, "equaliser", 1000);
	static const uint64_t order[] = {8, 30, 3, 4, 9, 12};
	for (size_t i = 0; i < 6; i++) {
		assert_int_equal(nodes[i].id, order[i]);
	}
	assert_int_equal(tell_node(9, AUDIO_OUTPUT, "speakers", 300), CHANGED_LOOK);
	assert_int_equal(mix_find(&model, 9)->volume, 300);
	/* It becomes something else. */
	assert_int_equal(tell_node(9, AUDIO_FILTER, "speakers", 300), CHANGED_CARDS);
	assert_int_equal(count(), 6);
	assert_int_equal(nodes[4].id, 9);
	struct audio_message gone = message(AUDIO_NODE_GONE, 30);
	assert_int_equal(tell(&gone), CHANGED_CARDS);
	assert_int_equal(tell(&gone), 0);
	assert_int_equal(count(), 5);
}

static void test_links(void **state) {
	tell_node(1, AUDIO_PLAYER, "music", 1000);
	tell_node(2, AUDIO_OUTPUT, "speakers", 1000);
	tell_link(7, 1, 2);
	assert_non_null(mix_link_between(&model, 1, 2));
	assert_null(mix_link_between(&model, 2, 1));
	assert_int_equal(tell_link(0, 1, 2), 0);
	assert_int_equal(tell_link(8, 0, 2), 0);
	struct audio_message gone = message(AUDIO_LINK_GONE, 7);
	tell(&gone);
	assert_null(mix_link_between(&model, 1, 2));

	struct mix_node player = {.id = 1, .kind = AUDIO_PLAYER},
			output = {.id = 2, .kind = AUDIO_OUTPUT};
	struct mix_node recorder = {.id = 3, .kind = AUDIO_RECORDER},
			input = {.id = 4, .kind = AUDIO_INPUT};
	uint64_t from, to;
	/* From whichever side it is drawn. */
	assert_true(mix_ends(&output, &player, &from, &to));
	assert_true(from == 1 && to == 2);
	assert_true(mix_ends(&recorder, &output, &from, &to));
	assert_true(from == 2 && to == 3);
	assert_false(mix_ends(&player, &input, &from, &to));
	assert_false(mix_ends(&output, &output, &from, &to));
	struct mix_node other = {.id = 5, .kind = AUDIO_OUTPUT};
	assert_true(mix_ends(&other, &output, &from, &to));
	assert_true(from == 5 && to == 2);
	assert_true(mix_can_move(&player, &output) && mix_can_move(&recorder, &input));
	assert_false(mix_can_move(&player, &input) || mix_can_move(&output, &output));
}

/* Told over another connection: what is not told again goes, and only when all was told. */
static void test_another_connection(void **state) {
	tell_node(1, AUDIO_PLAYER, "music", 1000);
	tell_node(2, AUDIO_OUTPUT, "speakers", 1000);
	tell_node(3, AUDIO_OUTPUT, "headset", 1000);
	tell_link(7, 1, 2);
	tell_link(8, 1, 3);
	struct audio_message done = message(AUDIO_DONE, 0);
	tell(&done);
	nodes[0].want = nodes[0].asked = 5;
	mix_begin(&model);
	assert_int_equal(nodes[0].want, 0);
	tell_node(1, AUDIO_PLAYER, "music", 500);
	tell_node(3, AUDIO_OUTPUT, "headset", 1000);
	tell_link(8, 1, 3);
	assert_int_equal(count(), 3);
	assert_non_null(mix_find_link(&model, 7));
	tell(&done);
	assert_int_equal(count(), 2);
	assert_null(mix_find(&model, 2));
	assert_null(mix_find_link(&model, 7));
	assert_non_null(mix_find_link(&model, 8));
}

/* More than there is room for: said, and noticed when there is room again. */
static void test_too_many(void **state) {
	for (uint64_t i = 0; i < 3 * MIX_NODES; i++) {
		tell_node(1000 - i, AUDIO_PLAYER + i % 2, "one of many", 1000);
		tell_link(2000 + i, 1000 - i, 1000 - i - 1);
	}
	for (uint64_t i = 0; i < 2 * MIX_RINGS; i++) {
		struct audio_message ring = message(AUDIO_RING, 5000 + i);
		ring.ring.node = 1000 - i;
		tell(&ring);
	}
	assert_int_equal(count(), MIX_NODES);
	assert_true(wire.more && !wire.stale);
	assert_non_null(mix_ring_of(&model, 1000));
	struct audio_message gone = message(AUDIO_NODE_GONE, 1000);
	tell(&gone);
	assert_true(wire.stale);
	mix_forget(&model);
	assert_int_equal(count(), 0);
	assert_false(wire.more || wire.stale);
}

static void test_meters(void **state) {
	tell_node(1, AUDIO_PLAYER, "music", 1000);
	struct audio_message meters = message(AUDIO_METERS, 1);
	meters.meters.channels = 4;
	meters.meters.peak[0] = 0.5f;
	meters.meters.peak[1] = NAN;
	meters.meters.peak[2] = INFINITY;
	meters.meters.peak[3] = -3;
	meters.meters.peak[4] = 1; /* no channel of it */
	tell(&meters);
	const struct mix_node *node = mix_find(&model, 1);
	assert_true(node->level[0] == 0.5f && node->hold[0] == 0.5f);
	for (int i = 1; i < AUDIO_CHANNELS_MAX; i++) {
		assert_true(node->level[i] == 0);
	}
	/* It falls; the greatest stays for a while, and then follows. */
	meters.meters.peak[0] = 0;
	for (int i = 0; i < 60; i++) {
		mix_apply(&model, &meters, SECOND + (uint64_t)i * (SECOND / 20));
		if (i == 20) {
			assert_true(node->hold[0] == 0.5f && node->level[0] < 0.01f);
		}
	}
	assert_true(node->level[0] == 0 && node->hold[0] == 0);
	meters.meters.channels = UINT32_MAX;
	meters.meters.peak[7] = 1e30f;
	tell(&meters);
	assert_true(node->level[7] <= 16);
}

static void assert_text(const char *text, size_t size) {
	assert_non_null(memchr(text, 0, size));
	for (const char *at = text; *at;) {
		utf8proc_int32_t cp;
		utf8proc_ssize_t step = utf8proc_iterate((const utf8proc_uint8_t *)at, -1, &cp);
		assert_true(step > 0 && cp >= ' ' && cp != 0x7f);
		at += step;
	}
}

static void test_text(void **state) {
	static const struct {
		const char *from, *to;
		size_t size;
	} texts[] = {
		{"plain", "plain", 5},
		{"two\nlines\x1b[31m", "two lines [31m", 14},
		{"\xff\xfe wrong \xe6\xbc", "?? wrong ??", 11},
		{"\xe6\xbc\xa2\xe5\xad\x97", "\xe6\xbc\xa2\xe5\xad\x97", 6},
		{"ends\0here", "ends", 9},
		{"\xe6\xbc\xa2\xe5\xad\x97", "\xe6\xbc\xa2?", 4},
	};
	char to[64];
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		memset(to, 'x', sizeof(to));
		mix_text(to, sizeof(to), texts[i].from, texts[i].size);
		assert_string_equal(to, texts[i].to);
		assert_true(to[sizeof(to) - 1] == 0);
	}
	/* Does not end, and does not fit: no half of a character. */
	char from[64];
	for (size_t i = 0; i < sizeof(from); i++) {
		from[i] = "\xe6\xbc\xa2"[i % 3];
	}
	mix_text(to, 12, from, sizeof(from));
	assert_int_equal(strlen(to), 9);
	assert_text(to, 12);
}

/* Anything at all. */
static void test_nonsense(void **state) {
	struct audio_message told;
	uint64_t chance = 88172645463325252ull;
	for (int i = 0; i < 20000; i++) {
		unsigned char *bytes = (unsigned char *)&told;
		for (size_t at = 0; at < sizeof(told); at++) {
			chance ^= chance << 13;
			chance ^= chance >> 7;
			chance ^= chance << 17;
			bytes[at] = (unsigned char)chance;
		}
		told.version = i % 50 ? AUDIO_WIRE_VERSION : (uint32_t)chance;
		told.type = i % 9 ? told.type % 14 : told.type;
		told.id = i % 3 ? told.id % 200 : told.id;
		if (told.type == AUDIO_NODE && i % 2) {
			told.node.kind %= 7;
		} else if (told.type == AUDIO_RING) {
			told.ring.node %= 200;
		}
		unsigned changed = tell(&told);
		assert_int_equal(
			(changed & CHANGED_STRANGE) != 0, told.version != AUDIO_WIRE_VERSION);
		if (i % 500 == 0) {
			mix_begin(&model);
		}
	}
	assert_true(count() > 0);
	for (int i = 0; i < MIX_NODES; i++) {
		assert_text(nodes[i].name, sizeof(nodes[i].name));
		assert_text(nodes[i].media, sizeof(nodes[i].media));
		assert_text(nodes[i].tile, sizeof(nodes[i].tile));
		assert_true(nodes[i].channels <= AUDIO_CHANNELS_MAX);
		assert_true(nodes[i].volume <= MIX_VOLUME_MAX);
		for (int c = 0; c < AUDIO_CHANNELS_MAX; c++) {
			assert_true(nodes[i].level[c] >= 0 && nodes[i].hold[c] <= 16);
		}
	}
	assert_text(wire.reason, sizeof(wire.reason));
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_nodes, start),
		cmocka_unit_test_setup(test_links, start),
		cmocka_unit_test_setup(test_another_connection, start),
		cmocka_unit_test_setup(test_too_many, start),
		cmocka_unit_test_setup(test_meters, start),
		cmocka_unit_test_setup(test_text, start),
		cmocka_unit_test_setup(test_nonsense, start),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
