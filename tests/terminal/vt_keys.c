/* SPDX-License-Identifier: MIT */
/* What keys and the mouse send, in every protocol. Expected bytes have ^ for ESC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support.h"

#define SHIFT VT_MOD_SHIFT
#define ALT VT_MOD_ALT
#define CTRL VT_MOD_CTRL
#define PRESS VT_KEY_PRESS
#define REPEAT VT_KEY_REPEAT
#define RELEASE VT_KEY_RELEASE

struct key_case {
	uint32_t code;
	uint32_t mods;
	const char *expected;
	const char *text;
	uint32_t shifted, base;
	enum vt_key_action action;
};

static void visible(const char *bytes, size_t length, char *out) {
	for (size_t i = 0; i < length; i++) {
		uint8_t c = (uint8_t)bytes[i];
		if (c == 27) {
			*out++ = '^';
		} else if (c < 32 || c == 127) {
			out += sprintf(out, "<%u>", c);
		} else {
			*out++ = (char)c;
		}
	}
	*out = '\0';
}

static void check(const char *setup, const struct key_case *cases, size_t count) {
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, 80, 24, 0);
	rig_feed(rig, setup);
	for (size_t i = 0; i < count; i++) {
		struct vt_key key = {
			.code = cases[i].code,
			.mods = cases[i].mods,
			.shifted = cases[i].shifted,
			.base = cases[i].base,
			.action = cases[i].action ? cases[i].action : PRESS,
		};
		char bytes[VT_KEY_BYTES], seen[4 * VT_KEY_BYTES];
		if (cases[i].text) {
			key.text_len = (uint8_t)strlen(cases[i].text);
			memcpy(key.text, cases[i].text, key.text_len);
		}
		if (key.mods & SHIFT && key.text_len) {
			key.consumed = SHIFT;
		}
		visible(bytes, vt_encode_key(&rig->vt, &key, bytes), seen);
		if (strcmp(seen, cases[i].expected) != 0) {
			fail_msg("case %zu: key %x mods %u sends %s, not %s", i, key.code, key.mods,
				seen, cases[i].expected);
		}
	}
	rig_finish(rig);
	free(rig);
}
#define CHECK(setup, cases) check(setup, cases, sizeof(cases) / sizeof((cases)[0]))

static void test_legacy(void **state) {
	static const struct key_case cases[] = {
		{'a', 0, "a", "a"},
		{'a', SHIFT, "A", "A", 'A'},
		{0xe4, 0, "ä", "ä"},
		{'a', ALT, "^a", "a"},
		{'a', ALT | SHIFT, "^A", "A", 'A'},
		{'a', CTRL, "<1>", "a"},
		{'a', CTRL | SHIFT, "<1>", "A", 'A'},
		{'a', CTRL | ALT, "^<1>", "a"},
		{'[', CTRL, "^", "["},
		{' ', CTRL, "<0>", " "},
		{'2', CTRL, "<0>", "2"},
		{'/', CTRL, "<31>", "/"},
		{'-', CTRL | SHIFT, "<31>", "_", '_'},
		{'/', CTRL | SHIFT, "<127>", "?", '?'},
		{'1', CTRL, "1", "1"},
		{0x441, CTRL, "<3>", "с", 0, 'c'}, /* Cyrillic es lies where c is */
		{'a', VT_MOD_SUPER, "", "a"},
		{VT_KEY_UP, 0, "^[A"},
		{VT_KEY_UP, SHIFT, "^[1;2A"},
		{VT_KEY_LEFT, CTRL | ALT, "^[1;7D"},
		{VT_KEY_HOME, 0, "^[H"},
		{VT_KEY_END, CTRL, "^[1;5F"},
		{VT_KEY_INSERT, 0, "^[2~"},
		{VT_KEY_DELETE, SHIFT, "^[3;2~"},
		{VT_KEY_PAGE_UP, 0, "^[5~"},
		{VT_KEY_F1, 0, "^OP"},
		{VT_KEY_F1, CTRL, "^[1;5P"},
		{VT_KEY_F1 + 4, 0, "^[15~"},
		{VT_KEY_F1 + 11, SHIFT, "^[24;2~"},
		{VT_KEY_F1 + 12, 0, "^[1;2P"},
		{VT_KEY_F1 + 24, 0, "^[1;5P"},
		{VT_KEY_ENTER, 0, "<13>"},
		{VT_KEY_ENTER, ALT, "^<13>"},
		{VT_KEY_TAB, 0, "<9>"},
		{VT_KEY_TAB, SHIFT, "^[Z"},
		{VT_KEY_BACKSPACE, 0, "<127>"},
		{VT_KEY_BACKSPACE, CTRL, "<8>"},
		{VT_KEY_BACKSPACE, ALT, "^<127>"},
		{VT_KEY_ESCAPE, 0, "^"},
		{VT_KEY_ESCAPE, ALT, "^^"},
		{VT_KEY_KP_0 + 5, VT_MOD_NUM, "5", "5"},
		{VT_KEY_KP_LEFT, 0, "^[D"},
		{VT_KEY_KP_BEGIN, 0, "^[E"},
		{VT_KEY_KP_ENTER, 0, "<13>", "\r"},
		{VT_KEY_KP_ADD, 0, "+", "+"},
		{VT_KEY_LEFT_SHIFT, 0, ""},
		{'a', 0, "", "a", 0, 0, RELEASE},
		{'a', 0, "a", "a", 0, 0, REPEAT},
	};
	CHECK("", cases);
}

static void test_modes(void **state) {
	static const struct key_case application[] = {
		{VT_KEY_UP, 0, "^OA"},
		{VT_KEY_UP, SHIFT, "^[1;2A"},
		{VT_KEY_HOME, 0, "^OH"},
		{VT_KEY_KP_DOWN, 0, "^OB"},
	};
	static const struct key_case keypad[] = {
		{VT_KEY_KP_0 + 5, 0, "^Ou", "5"},
		{VT_KEY_KP_0 + 5, VT_MOD_NUM, "5", "5"},
		{VT_KEY_KP_ENTER, 0, "^OM", "\r"},
		{VT_KEY_KP_ADD, 0, "^Ok", "+"},
		{VT_KEY_KP_ADD, SHIFT, "^O2k", "+"},
	};
	static const struct key_case backspace[] = {
		{VT_KEY_BACKSPACE, 0, "<8>"},
		{VT_KEY_BACKSPACE, CTRL, "<127>"},
	};
	static const struct key_case newline[] = {{VT_KEY_ENTER, 0, "<13><10>"}};
	static const struct key_case no_escape[] = {{'a', ALT, "a", "a"}};
	static const struct key_case locked[] = {{'a', 0, "", "a"}, {VT_KEY_UP, 0, ""}};
	CHECK("\033[?1h", application);
	CHECK("\033=", keypad);
	CHECK("\033[?67h", backspace);
	CHECK("\033[20h", newline);
	CHECK("\033[?1036l", no_escape);
	CHECK("\033[2h", locked);
}

static void test_modify_other_keys(void **state) {
	static const struct key_case level1[] = {
		{'a', CTRL, "<1>", "a"},
		{'1', CTRL, "^[27;5;49~", "1"},
		{'a', ALT, "^a", "a"},
		{VT_KEY_ENTER, CTRL, "^[27;5;13~"},
		{VT_KEY_TAB, CTRL, "^[27;5;9~"},
		{VT_KEY_TAB, SHIFT, "^[Z"},
		{VT_KEY_UP, CTRL, "^[1;5A"},
	};
	static const struct key_case level2[] = {
		{'a', 0, "a", "a"},
		{'a', SHIFT, "A", "A", 'A'},
		{'a', CTRL, "^[27;5;97~", "a"},
		{'a', CTRL | SHIFT, "^[27;6;65~", "A", 'A'},
		{'a', ALT, "^[27;3;97~", "a"},
		{VT_KEY_ENTER, SHIFT, "^[27;2;13~"},
		{VT_KEY_ENTER, 0, "<13>"},
	};
	static const struct key_case format_u[] = {{'a', CTRL, "^[97;5u", "a"}};
	CHECK("\033[>4;1m", level1);
	CHECK("\033[>4;2m", level2);
	CHECK("\033[>4;2m\033[>4;1f", format_u);
}

static void test_kitty(void **state) {
	static const struct key_case disambiguate[] = {
		{'a', 0, "a", "a"},
		{'a', SHIFT, "A", "A", 'A'},
		{'a', CTRL, "^[97;5u", "a"},
		{'a', ALT, "^[97;3u", "a"},
		{'a', CTRL | SHIFT, "^[97;6u", "A", 'A'},
		{'a', CTRL | VT_MOD_NUM, "^[97;5u", "a"},
		{'a', VT_MOD_SUPER, "^[97;9u", "a"},
		{VT_KEY_ESCAPE, 0, "^[27u"},
		{VT_KEY_ENTER, 0, "<13>", "\r"},
		{VT_KEY_ENTER, SHIFT, "^[13;2u", "\r"},
		{VT_KEY_TAB, SHIFT, "^[9;2u"},
		{VT_KEY_BACKSPACE, CTRL, "^[127;5u"},
		{VT_KEY_UP, 0, "^[A"},
		{VT_KEY_UP, CTRL, "^[1;5A"},
		{VT_KEY_F1, 0, "^[P"},
		{VT_KEY_F1 + 2, 0, "^[13~"},
		{VT_KEY_F1 + 12, 0, "^[57376u"},
		{VT_KEY_KP_LEFT, 0, "^[57417u"},
		{VT_KEY_KP_0, VT_MOD_NUM, "0", "0"},
		{VT_KEY_MENU, 0, "^[57363u"},
		{VT_KEY_LEFT_SHIFT, 0, ""},
		{VT_KEY_CAPS_LOCK, 0, ""},
		{VT_KEY_MUTE_VOLUME, 0, "^[57440u"},
		{'a', 0, "", "a", 0, 0, RELEASE},
	};
	static const struct key_case events[] = {
		{'a', 0, "a", "a", 0, 0, REPEAT},
		{'a', 0, "^[97;1:3u", "a", 0, 0, RELEASE},
		{VT_KEY_UP, 0, "^[1;1:2A", NULL, 0, 0, REPEAT},
		{VT_KEY_UP, CTRL, "^[1;5:3A", NULL, 0, 0, RELEASE},
		{VT_KEY_ENTER, 0, "", "\r", 0, 0, RELEASE},
		{VT_KEY_DELETE, 0, "^[3;1:3~", NULL, 0, 0, RELEASE},
	};
	static const struct key_case alternates[] = {
		{'a', CTRL | SHIFT, "^[97:65;6u", "A", 'A'},
		{0x441, CTRL, "^[1089::99;5u", "с", 0x421, 'c'},
		{0x441, CTRL | SHIFT, "^[1089:1057:99;6u", "С", 0x421, 'c'},
	};
	static const struct key_case all[] = {
		{'a', 0, "^[97u", "a"},
		{'a', SHIFT, "^[97;2u", "A", 'A'},
		{'a', VT_MOD_CAPS, "^[97;65u", "A", 'A'},
		{VT_KEY_ENTER, 0, "^[13u", "\r"},
		{VT_KEY_LEFT_SHIFT, SHIFT, "^[57441;2u"},
		{VT_KEY_ISO_LEVEL3_SHIFT, 0, "^[57453u"},
	};
	static const struct key_case text[] = {
		{'a', 0, "^[97;;97u", "a"},
		{'a', SHIFT, "^[97;2;65u", "A", 'A'},
		{'a', CTRL, "^[97;5u", "a"},
		{0xe4, 0, "^[228;;228u", "ä"},
		{'a', 0, "^[97;1:3u", "a", 0, 0, RELEASE},
		{'a', 0, "^[97;1:2;97u", "a", 0, 0, REPEAT},
		{VT_KEY_ENTER, 0, "^[13;1:3u", "\r", 0, 0, RELEASE},
	};
	CHECK("\033[>1u", disambiguate);
	CHECK("\033[>3u", events);
	CHECK("\033[>5u", alternates);
	CHECK("\033[>9u", all);
	CHECK("\033[>27u", text);
}

static void test_composed(void **state) {
	struct rig *rig = malloc(sizeof(*rig));
	char bytes[VT_KEY_BYTES], seen[4 * VT_KEY_BYTES];
	struct vt_key key = {
		.code = 'e', .composed = true, .action = PRESS, .text = "é", .text_len = 2};
	rig_init(rig, 80, 24, 0);
	visible(bytes, vt_encode_key(&rig->vt, &key, bytes), seen);
	assert_string_equal(seen, "é");
	rig_feed(rig, "\033[>25u");
	visible(bytes, vt_encode_key(&rig->vt, &key, bytes), seen);
	assert_string_equal(seen, "^[0;;233u");
	/* The longest text there can be stays inside. */
	memset(key.text, 'x', sizeof(key.text));
	key.text_len = sizeof(key.text);
	size_t length = vt_encode_key(&rig->vt, &key, bytes);
	assert_true(length > 0 && length <= VT_KEY_BYTES);
	rig_finish(rig);
	free(rig);
}

/* ---- mouse ---- */

struct mouse_case {
	struct vt_mouse mouse;
	const char *expected;
};

static void check_mouse(const char *setup, const struct mouse_case *cases, size_t count) {
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, 400, 24, 0);
	rig_feed(rig, setup);
	for (size_t i = 0; i < count; i++) {
		char bytes[VT_MOUSE_BYTES], seen[4 * VT_MOUSE_BYTES];
		visible(bytes, vt_encode_mouse(&rig->vt, &cases[i].mouse, bytes), seen);
		if (strcmp(seen, cases[i].expected) != 0) {
			fail_msg("after %s, case %zu: sends %s, not %s", setup + 1, i, seen,
				cases[i].expected);
		}
	}
	rig_finish(rig);
	free(rig);
}
#define CHECK_MOUSE(setup, cases) check_mouse(setup, cases, sizeof(cases) / sizeof((cases)[0]))

static void test_mouse(void **state) {
	static const struct mouse_case none[] = {
		{{VT_MOUSE_PRESS, 1, 0, 2, 3}, ""},
		{{VT_MOUSE_PRESS, 4, 0, 2, 3}, ""},
	};
	static const struct mouse_case x10[] = {
		{{VT_MOUSE_PRESS, 1, CTRL, 2, 3}, "^[M #$"},
		{{VT_MOUSE_RELEASE, 1, 0, 2, 3}, ""},
		{{VT_MOUSE_PRESS, 4, 0, 2, 3}, ""},
	};
	static const struct mouse_case buttons[] = {
		{{VT_MOUSE_PRESS, 1, 0, 2, 3}, "^[M #$"},
		{{VT_MOUSE_PRESS, 3, CTRL, 2, 3}, "^[M2#$"},
		{{VT_MOUSE_RELEASE, 1, 0, 2, 3}, "^[M##$"},
		{{VT_MOUSE_PRESS, 4, 0, 2, 3}, "^[M`#$"},
		{{VT_MOUSE_PRESS, 1, 0, 300, 3}, ""},
		{{VT_MOUSE_MOTION, 1, 0, 4, 3}, ""},
	};
	static const struct mouse_case sgr[] = {
		{{VT_MOUSE_PRESS, 1, 0, 2, 3}, "^[<0;3;4M"},
		{{VT_MOUSE_MOTION, 1, 0, 2, 3}, ""},
		{{VT_MOUSE_MOTION, 1, SHIFT, 3, 3}, "^[<36;4;4M"},
		{{VT_MOUSE_MOTION, 0, 0, 5, 3}, ""},
		{{VT_MOUSE_RELEASE, 1, 0, 3, 3}, "^[<0;4;4m"},
		{{VT_MOUSE_PRESS, 5, 0, 300, 3}, "^[<65;301;4M"},
		{{VT_MOUSE_PRESS, 8, ALT, 0, 0}, "^[<136;1;1M"},
		{{VT_MOUSE_PRESS, 6, 0, 0, 0}, "^[<66;1;1M"},
		{{VT_MOUSE_PRESS, 1, 0, 9999, 9999}, "^[<0;400;24M"},
	};
	static const struct mouse_case motion[] = {
		{{VT_MOUSE_MOTION, 0, 0, 1, 1}, "^[<35;2;2M"},
		{{VT_MOUSE_MOTION, 0, 0, 1, 1}, ""},
	};
	static const struct mouse_case utf8[] = {{{VT_MOUSE_PRESS, 1, 0, 300, 0}, "^[M \xc5\x8d!"}};
	static const struct mouse_case urxvt[] = {
		{{VT_MOUSE_PRESS, 1, 0, 300, 0}, "^[32;301;1M"},
		{{VT_MOUSE_RELEASE, 1, 0, 300, 0}, "^[35;301;1M"},
	};
	static const struct mouse_case pixels[] = {
		{{VT_MOUSE_PRESS, 1, 0, 1, 1, 9, 17}, "^[<0;10;18M"},
		{{VT_MOUSE_MOTION, 1, 0, 1, 1, 10, 17}, "^[<32;11;18M"},
	};
	static const struct mouse_case wheel[] = {
		{{VT_MOUSE_PRESS, 4, 0, 1, 1}, "^[A^[A^[A"},
		{{VT_MOUSE_PRESS, 1, 0, 1, 1}, ""},
	};
	CHECK_MOUSE("\033[m", none);
	CHECK_MOUSE("\033[?9h", x10);
	CHECK_MOUSE("\033[?1000h", buttons);
	CHECK_MOUSE("\033[?1002h\033[?1006h", sgr);
	CHECK_MOUSE("\033[?1003h\033[?1006h", motion);
	CHECK_MOUSE("\033[?1000h\033[?1005h", utf8);
	CHECK_MOUSE("\033[?1000h\033[?1015h", urxvt);
	CHECK_MOUSE("\033[?1002h\033[?1016h", pixels);
	CHECK_MOUSE("\033[?1049h", wheel);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_legacy),
		cmocka_unit_test(test_modes),
		cmocka_unit_test(test_modify_other_keys),
		cmocka_unit_test(test_kitty),
		cmocka_unit_test(test_composed),
		cmocka_unit_test(test_mouse),
	};
	return cmocka_run_group_tests_name("terminal keys", tests, NULL, NULL);
}
