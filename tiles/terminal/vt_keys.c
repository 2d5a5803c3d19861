/* SPDX-License-Identifier: MIT */
/*
 * What keys send: the bytes of the VT220 and xterm, xterm's modifyOtherKeys, and the kitty keyboard
 * protocol with all its flags.
 */
#include "vt_int.h"

#include <stdio.h>

#define KITTY_DISAMBIGUATE 1u
#define KITTY_EVENTS 2u
#define KITTY_ALTERNATES 4u
#define KITTY_ALL 8u
#define KITTY_TEXT 16u

#define MODS_LOCK (VT_MOD_CAPS | VT_MOD_NUM)
#define MODS_ACTING (VT_MOD_ALT | VT_MOD_CTRL | VT_MOD_SUPER | VT_MOD_HYPER | VT_MOD_META)

uint32_t vt_kitty_flags(const struct vt *vt) {
	const struct vt_state *s = vt->state;
	return s->kitty_flags[s->alt * VT_KITTY_DEPTH + s->kitty_depth[s->alt]];
}

/* ---- keys that end in ~ or a letter, in all protocols ---- */

struct form {
	uint16_t number;
	char final; /* 0: the key has no such form */
};

static struct form form_of(uint32_t code) {
	static const struct {
		uint32_t code;
		struct form form;
	} forms[] = {
		{VT_KEY_INSERT, {2, '~'}},
		{VT_KEY_DELETE, {3, '~'}},
		{VT_KEY_PAGE_UP, {5, '~'}},
		{VT_KEY_PAGE_DOWN, {6, '~'}},
		{VT_KEY_UP, {1, 'A'}},
		{VT_KEY_DOWN, {1, 'B'}},
		{VT_KEY_RIGHT, {1, 'C'}},
		{VT_KEY_LEFT, {1, 'D'}},
		{VT_KEY_KP_BEGIN, {1, 'E'}},
		{VT_KEY_END, {1, 'F'}},
		{VT_KEY_HOME, {1, 'H'}},
		{VT_KEY_F1, {1, 'P'}},
		{VT_KEY_F1 + 1, {1, 'Q'}},
		{VT_KEY_F1 + 2, {1, 'R'}},
		{VT_KEY_F1 + 3, {1, 'S'}},
		{VT_KEY_F1 + 4, {15, '~'}},
		{VT_KEY_F1 + 5, {17, '~'}},
		{VT_KEY_F1 + 6, {18, '~'}},
		{VT_KEY_F1 + 7, {19, '~'}},
		{VT_KEY_F1 + 8, {20, '~'}},
		{VT_KEY_F1 + 9, {21, '~'}},
		{VT_KEY_F1 + 10, {23, '~'}},
		{VT_KEY_F1 + 11, {24, '~'}},
	};
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (forms[i].code == code) {
			return forms[i].form;
		}
	}
	return (struct form){0};
}

/* Keypad keys that are a second place for another key. */
static uint32_t without_keypad(uint32_t code) {
	switch (code) {
	case VT_KEY_KP_LEFT:
		return VT_KEY_LEFT;
	case VT_KEY_KP_RIGHT:
		return VT_KEY_RIGHT;
	case VT_KEY_KP_UP:
		return VT_KEY_UP;
	case VT_KEY_KP_DOWN:
		return VT_KEY_DOWN;
	case VT_KEY_KP_PAGE_UP:
		return VT_KEY_PAGE_UP;
	case VT_KEY_KP_PAGE_DOWN:
		return VT_KEY_PAGE_DOWN;
	case VT_KEY_KP_HOME:
		return VT_KEY_HOME;
	case VT_KEY_KP_END:
		return VT_KEY_END;
	case VT_KEY_KP_INSERT:
		return VT_KEY_INSERT;
	case VT_KEY_KP_DELETE:
		return VT_KEY_DELETE;
	case VT_KEY_KP_ENTER:
		return VT_KEY_ENTER;
	default:
		return code;
	}
}

static uint32_t first_cp(const struct vt_key *key) {
	const uint8_t *t = (const uint8_t *)key->text;
	uint8_t length = key->text_len;
	if (length >= 1 && t[0] < 0x80) {
		return t[0];
	}
	if (length >= 2 && (t[0] & 0xe0) == 0xc0) {
		return (t[0] & 0x1fu) << 6 | (t[1] & 0x3fu);
	}
	if (length >= 3 && (t[0] & 0xf0) == 0xe0) {
		return (t[0] & 0x0fu) << 12 | (t[1] & 0x3fu) << 6 | (t[2] & 0x3fu);
	}
	if (length >= 4) {
		return (t[0] & 0x07u) << 18 | (t[1] & 0x3fu) << 12 | (t[2] & 0x3fu) << 6 |
			(t[3] & 0x3fu);
	}
	return 0;
}

static bool has_text(const struct vt_key *key) {
	uint32_t cp = first_cp(key);
	return cp >= 0x20 && cp != 0x7f && !(cp >= 0x80 && cp < 0xa0);
}

static size_t put_text(const struct vt_key *key, bool escape, char *out) {
	size_t length = key->text_len < sizeof(key->text) ? key->text_len : sizeof(key->text);
	if (escape) {
		*out++ = '\033';
	}
	memcpy(out, key->text, length);
	return length + escape;
}

static size_t put_bytes(const char *bytes, size_t length, bool escape, char *out) {
	if (escape) {
		*out++ = '\033';
	}
	memcpy(out, bytes, length);
	return length + escape;
}

/* ---- kitty ---- */

static uint32_t kitty_number(uint32_t code) {
	switch (code) {
	case VT_KEY_ESCAPE:
		return 27;
	case VT_KEY_ENTER:
		return 13;
	case VT_KEY_TAB:
		return 9;
	case VT_KEY_BACKSPACE:
		return 127;
	default:
		return code >= VT_KEY_CAPS_LOCK && code < VT_KEY_END_OF_LIST
			? 57358 + (code - VT_KEY_CAPS_LOCK)
			: code;
	}
}

static bool is_modifier(uint32_t code) {
	return (code >= VT_KEY_LEFT_SHIFT && code < VT_KEY_END_OF_LIST) ||
		(code >= VT_KEY_CAPS_LOCK && code <= VT_KEY_NUM_LOCK);
}

/* ;code:code:... It fits: the text has at most 27 bytes, and each takes at most four here. */
static size_t kitty_text(const struct vt_key *key, char *out) {
	size_t length = 0;
	struct vt_key rest = *key;
	rest.text_len = (uint8_t)vt_min(rest.text_len, sizeof(rest.text));
	while (rest.text_len > 0) {
		uint32_t cp = first_cp(&rest);
		uint32_t used = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
		used = vt_min(used, rest.text_len);
		length += (size_t)sprintf(out + length, "%c%u", length == 0 ? ';' : ':', cp);
		rest.text_len -= (uint8_t)used;
		memmove(rest.text, rest.text + used, rest.text_len);
	}
	return length;
}

static size_t kitty_sequence(const struct vt_key *key, uint32_t flags, char *out) {
	struct form form = form_of(key->code);
	bool functional = key->code >= VT_KEY_FIRST;
	if (key->code == VT_KEY_F1 + 2) {
		form = (struct form){13, '~'}; /* CSI R is a cursor position report */
	}
	uint32_t mods = key->mods & 0xff;
	if (!functional && !(flags & KITTY_ALL)) {
		mods &= ~MODS_LOCK;
	}
	bool action = flags & KITTY_EVENTS && key->action != VT_KEY_PRESS;
	bool text = flags & KITTY_TEXT && flags & KITTY_ALL && key->action != VT_KEY_RELEASE &&
		has_text(key) && !(mods & MODS_ACTING & ~key->consumed);
	uint32_t number = form.final ? form.number : kitty_number(key->code);
	if (key->composed) {
		number = 0;
	}

	size_t size = VT_KEY_BYTES, length = (size_t)snprintf(out, size, "\033[");
	bool bare = mods == 0 && !action && !text;
	if (!(form.final && form.final != '~' && bare)) {
		length += (size_t)snprintf(out + length, size - length, "%u", number);
	}
	if (flags & KITTY_ALTERNATES && !functional && !key->composed) {
		bool shifted = mods & VT_MOD_SHIFT && key->shifted && key->shifted != key->code;
		bool base = key->base && key->base != key->code;
		if (shifted) {
			length +=
				(size_t)snprintf(out + length, size - length, ":%u", key->shifted);
		}
		if (base) {
			length += (size_t)snprintf(out + length, size - length, "%s:%u",
				shifted ? "" : ":", key->base);
		}
	}
	if (mods || action) {
		length += (size_t)snprintf(out + length, size - length, ";%u", mods + 1);
	} else if (text) {
		out[length++] = ';';
	}
	if (action) {
		length +=
			(size_t)snprintf(out + length, size - length, ":%u", (unsigned)key->action);
	}
	if (text) {
		length += kitty_text(key, out + length);
	}
	out[length++] = form.final ? form.final : 'u';
	return length;
}

static size_t legacy(const struct vt *vt, const struct vt_key *key, char *out);

static size_t kitty(const struct vt *vt, const struct vt_key *key, uint32_t flags, char *out) {
	bool all = flags & KITTY_ALL;
	bool release = key->action == VT_KEY_RELEASE;
	uint32_t mods = key->mods & ~MODS_LOCK;
	if (release && !(flags & KITTY_EVENTS)) {
		return 0;
	}
	if (!all && is_modifier(key->code)) {
		return 0;
	}
	bool textual = has_text(key) && !(mods & MODS_ACTING & ~key->consumed);
	if (!all && !release && (textual || key->composed)) {
		return put_text(key, false, out);
	}
	if (!all &&
		(key->code == VT_KEY_ENTER || key->code == VT_KEY_TAB ||
			key->code == VT_KEY_BACKSPACE)) {
		if (release) {
			return 0;
		}
		if (mods == 0) {
			return legacy(vt, key, out);
		}
	}
	if (!(flags & KITTY_DISAMBIGUATE) && !all && key->action == VT_KEY_PRESS) {
		return legacy(vt, key, out);
	}
	return kitty_sequence(key, flags, out);
}

/* ---- legacy ---- */

/* xterm's modifier number less one: Shift 1, Alt 2, Ctrl 4, and 8 for the others. */
static uint32_t legacy_mods(const struct vt_key *key) {
	uint32_t mods = key->mods & (VT_MOD_SHIFT | VT_MOD_ALT | VT_MOD_CTRL);
	return mods | (key->mods & (VT_MOD_SUPER | VT_MOD_META) ? 8 : 0);
}

static size_t legacy_form(const struct vt *vt, struct form form, uint32_t mods, char *out) {
	if (mods) {
		return (size_t)snprintf(
			out, VT_KEY_BYTES, "\033[%u;%u%c", form.number, mods + 1, form.final);
	}
	if (form.final == '~') {
		return (size_t)snprintf(out, VT_KEY_BYTES, "\033[%u~", form.number);
	}
	bool function = form.final >= 'P';
	bool application = function || vt_mode(vt, VT_MODE_CURSOR_KEYS);
	return (size_t)snprintf(out, VT_KEY_BYTES, "\033%c%c", application ? 'O' : '[', form.final);
}

/* F13 and up are what terminfo calls so: Shift, then Ctrl, with F1 to F12. */
static size_t legacy_high_function(const struct vt *vt, uint32_t number, uint32_t mods, char *out) {
	uint32_t block = number / 12;
	mods |= block == 1 ? 1 : 4;
	return legacy_form(vt, form_of(VT_KEY_F1 + number % 12), mods, out);
}

/* The keypad in application mode; with NumLock it stays numeric. */
static char keypad_final(uint32_t code) {
	if (code >= VT_KEY_KP_0 && code <= VT_KEY_KP_9) {
		return (char)('p' + (code - VT_KEY_KP_0));
	}
	switch (code) {
	case VT_KEY_KP_DECIMAL:
		return 'n';
	case VT_KEY_KP_DIVIDE:
		return 'o';
	case VT_KEY_KP_MULTIPLY:
		return 'j';
	case VT_KEY_KP_SUBTRACT:
		return 'm';
	case VT_KEY_KP_ADD:
		return 'k';
	case VT_KEY_KP_ENTER:
		return 'M';
	case VT_KEY_KP_EQUAL:
		return 'X';
	case VT_KEY_KP_SEPARATOR:
		return 'l';
	default:
		return 0;
	}
}

static size_t other_key(const struct vt *vt, uint32_t cp, uint32_t mods, char *out) {
	const char *format = vt->state->format_keys ? "\033[%u;%uu" : "\033[27;%u;%u~";
	uint32_t first = vt->state->format_keys ? cp : mods + 1;
	uint32_t second = vt->state->format_keys ? mods + 1 : cp;
	return (size_t)snprintf(out, VT_KEY_BYTES, format, first, second);
}

static size_t legacy_special(const struct vt *vt, uint32_t code, uint32_t mods, char *out) {
	uint32_t level = vt->state->modify_keys;
	bool escape = mods & 2 && vt_mode(vt, VT_MODE_ALT_ESCAPE);
	char c;
	switch (code) {
	case VT_KEY_ENTER:
		if (level && (level == 2 ? mods : mods & ~2u)) {
			return other_key(vt, 13, mods, out);
		}
		return put_bytes("\r\n", vt_mode(vt, VT_MODE_LNM) ? 2 : 1, escape, out);
	case VT_KEY_TAB:
		if (level && mods & ~1u && (level == 2 || mods & ~3u)) {
			return other_key(vt, 9, mods, out);
		}
		return mods & 1 ? put_bytes("\033[Z", 3, escape, out)
				: put_bytes("\t", 1, escape, out);
	case VT_KEY_BACKSPACE:
		if (level == 2 && mods & ~1u) {
			return other_key(vt, 127, mods, out);
		}
		c = !!(mods & 4) ^ vt_mode(vt, VT_MODE_BACKSPACE) ? '\b' : 127;
		return put_bytes(&c, 1, escape, out);
	default: /* Escape */
		if (level && (level == 2 ? mods : mods & ~2u)) {
			return other_key(vt, 27, mods, out);
		}
		return put_bytes("\033", 1, escape, out);
	}
}

/* The control character of a key, or -1. */
static int control_of(uint32_t c) {
	if (c >= 'a' && c <= 'z') {
		return (int)(c - 'a' + 1);
	}
	if (c >= '@' && c <= '_') {
		return (int)(c - '@');
	}
	switch (c) {
	case ' ':
	case '2':
		return 0;
	case '3':
		return 27;
	case '4':
		return 28;
	case '5':
		return 29;
	case '6':
	case '~':
		return 30;
	case '7':
	case '/':
		return 31;
	case '8':
	case '?':
		return 127;
	default:
		return -1;
	}
}

static size_t legacy_character(const struct vt *vt, const struct vt_key *key, char *out) {
	uint32_t level = vt->state->modify_keys;
	uint32_t mods = legacy_mods(key);
	uint32_t acting = mods & ~1u & ~(key->consumed & 6u);
	bool escape = mods & 2 && !(key->consumed & VT_MOD_ALT) && vt_mode(vt, VT_MODE_ALT_ESCAPE);
	if (acting & 8) {
		return 0; /* the Super key is for the desktop */
	}
	uint32_t cp = key->mods & VT_MOD_SHIFT && key->shifted ? key->shifted : key->code;
	if (acting & 4) {
		/* A layout without Latin letters has control characters by place. */
		uint32_t place = key->code >= 0x80 && key->base ? key->base : cp;
		int control = control_of(place);
		if (level == 2 || (level == 1 && control < 0)) {
			return other_key(vt, cp, mods, out);
		}
		if (control >= 0) {
			char c = (char)control;
			return put_bytes(&c, 1, escape, out);
		}
	} else if (level == 2 && acting) {
		return other_key(vt, cp, mods, out);
	}
	return put_text(key, escape && key->text_len > 0, out);
}

static size_t legacy(const struct vt *vt, const struct vt_key *key, char *out) {
	uint32_t mods = legacy_mods(key);
	if (key->action == VT_KEY_RELEASE) {
		return 0;
	}
	if (key->composed || key->code < VT_KEY_FIRST) {
		return key->composed ? put_text(key, false, out) : legacy_character(vt, key, out);
	}
	char keypad = keypad_final(key->code);
	if (keypad && vt_mode(vt, VT_MODE_KEYPAD) && !(key->mods & VT_MOD_NUM)) {
		if (mods) {
			return (size_t)snprintf(out, VT_KEY_BYTES, "\033O%u%c", mods + 1, keypad);
		}
		return (size_t)snprintf(out, VT_KEY_BYTES, "\033O%c", keypad);
	}
	uint32_t code = without_keypad(key->code);
	if (code >= VT_KEY_ESCAPE && code <= VT_KEY_BACKSPACE) {
		return legacy_special(vt, code, mods, out);
	}
	struct form form = form_of(code);
	if (form.final) {
		return legacy_form(vt, form, mods, out);
	}
	if (code > VT_KEY_F1 + 11 && code <= VT_KEY_F35) {
		return legacy_high_function(vt, code - VT_KEY_F1, mods, out);
	}
	if (code == VT_KEY_MENU) {
		return legacy_form(vt, (struct form){29, '~'}, mods, out);
	}
	if (keypad && has_text(key)) {
		bool escape = mods & 2 && vt_mode(vt, VT_MODE_ALT_ESCAPE);
		return put_text(key, escape, out);
	}
	return 0;
}

size_t vt_encode_key(const struct vt *vt, const struct vt_key *key, char out[VT_KEY_BYTES]) {
	uint32_t flags = vt_kitty_flags(vt);
	if (vt_mode(vt, VT_MODE_KAM)) {
		return 0;
	}
	return flags ? kitty(vt, key, flags, out) : legacy(vt, key, out);
}
