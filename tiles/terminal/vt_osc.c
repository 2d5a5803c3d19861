/* SPDX-License-Identifier: MIT */
/* Operating system commands: titles, colours, links, the clipboard, prompts, notifications. */
#include "vt_int.h"

struct span {
	const uint8_t *at;
	size_t length;
};

/* Up to the next `;`, which is taken too. */
static struct span next_part(struct span *rest) {
	struct span part = *rest;
	const uint8_t *end = part.length ? memchr(part.at, ';', part.length) : NULL;
	if (!end) {
		rest->at += rest->length;
		rest->length = 0;
		return part;
	}
	part.length = (size_t)(end - part.at);
	rest->at = end + 1;
	rest->length -= part.length + 1;
	return part;
}

/* UINT32_MAX when it is no number. */
static uint32_t number_of(struct span part) {
	uint32_t value = 0;
	for (size_t i = 0; i < part.length; i++) {
		if (part.at[i] < '0' || part.at[i] > '9' || value > 100000) {
			return UINT32_MAX;
		}
		value = value * 10 + (part.at[i] - (uint32_t)'0');
	}
	return part.length ? value : UINT32_MAX;
}

static bool is(struct span part, const char *text) {
	return part.length == strlen(text) && memcmp(part.at, text, part.length) == 0;
}

/* Not in the middle of a character. */
static size_t utf8_cut(struct span text, size_t most) {
	if (text.length <= most) {
		return text.length;
	}
	while (most > 0 && (text.at[most] & 0xc0) == 0x80) {
		most--;
	}
	return most;
}

/* ---- colours ---- */

static bool hex(uint8_t c, uint32_t *digit) {
	uint8_t low = c | 0x20;
	if (c >= '0' && c <= '9') {
		*digit = c - (uint32_t)'0';
	} else if (low >= 'a' && low <= 'f') {
		*digit = low - (uint32_t)'a' + 10;
	} else {
		return false;
	}
	return true;
}

/* 1 to 4 hex digits as a share of the largest such number, in 0 to 255. */
static bool component(const uint8_t *text, size_t length, uint32_t *value) {
	uint32_t sum = 0, most = 0, digit;
	if (length < 1 || length > 4) {
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		if (!hex(text[i], &digit)) {
			return false;
		}
		sum = sum << 4 | digit;
		most = most << 4 | 15;
	}
	*value = (sum * 255 + most / 2) / most;
	return true;
}

/* #rgb, #rrggbb, ..., rgb:r/g/b, rgba:r/g/b/a */
bool vt_parse_color(const uint8_t *text, size_t length, uint32_t *color) {
	uint32_t part[3];
	if (length >= 4 && text[0] == '#') {
		size_t digits = (length - 1) / 3;
		if ((length - 1) % 3 != 0 || digits > 4) {
			return false;
		}
		for (size_t i = 0; i < 3; i++) {
			if (!component(text + 1 + i * digits, digits, &part[i])) {
				return false;
			}
		}
		*color = part[0] << 16 | part[1] << 8 | part[2];
		return true;
	}
	size_t at = length > 4 && memcmp(text, "rgb:", 4) == 0 ? 4
		: length > 5 && memcmp(text, "rgba:", 5) == 0  ? 5
							       : 0;
	if (at == 0) {
		return false;
	}
	for (size_t i = 0; i < 3; i++) {
		size_t end = at;
		while (end < length && text[end] != '/') {
			end++;
		}
		if (!component(text + at, end - at, &part[i])) {
			return false;
		}
		at = end + 1;
	}
	*color = part[0] << 16 | part[1] << 8 | part[2];
	return true;
}

static const char *terminator(bool bell) {
	return bell ? "\007" : "\033\\";
}

static void report_color(struct vt *vt, const char *what, uint32_t color, bool bell) {
	uint32_t r = color >> 16 & 0xff, g = color >> 8 & 0xff, b = color & 0xff;
	vt_reply(vt, "\033]%s;rgb:%02x%02x/%02x%02x/%02x%02x%s", what, r, r, g, g, b, b,
		terminator(bell));
}

static void colors_changed(struct vt *vt) {
	vt_damage_all(vt);
	vt_tell(vt, VT_EVENT_COLORS, 0, 0);
}

static void put_number(char *out, uint32_t number) {
	char digits[12];
	size_t count = 0;
	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (count > 0) {
		*out++ = digits[--count];
	}
	*out = '\0';
}

/* OSC 4 ; index ; spec ; index ; spec ... */
static void palette(struct vt *vt, struct span rest, bool bell) {
	struct vt_state *s = vt->state;
	bool changed = false;
	while (rest.length > 0) {
		uint32_t index = number_of(next_part(&rest));
		struct span spec = next_part(&rest);
		uint32_t color;
		if (index > 255) {
			continue;
		}
		if (is(spec, "?")) {
			char what[16] = "4;";
			put_number(what + 2, index);
			report_color(vt, what, s->colors[index], bell);
		} else if (vt_parse_color(spec.at, spec.length, &color)) {
			s->colors[index] = color;
			changed = true;
		}
	}
	if (changed) {
		colors_changed(vt);
	}
}

static void reset_palette(struct vt *vt, struct span rest) {
	struct vt_state *s = vt->state;
	if (rest.length == 0) {
		memcpy(s->colors, s->base_colors, 256 * sizeof(s->colors[0]));
	}
	while (rest.length > 0) {
		uint32_t index = number_of(next_part(&rest));
		if (index < 256) {
			s->colors[index] = s->base_colors[index];
		}
	}
	colors_changed(vt);
}

/* What OSC 10 to 19 name; VT_COLORS for those that there are not. */
static uint32_t special_color(uint32_t command) {
	switch (command) {
	case 10:
		return VT_COLOR_FG;
	case 11:
		return VT_COLOR_BG;
	case 12:
		return VT_COLOR_CURSOR;
	case 17:
		return VT_COLOR_SELECTION_BG;
	case 19:
		return VT_COLOR_SELECTION_FG;
	default:
		return VT_COLORS;
	}
}

/* OSC 10 ; spec ; spec ...: the second is for 11, and so on. */
static void special_colors(struct vt *vt, uint32_t command, struct span rest, bool bell) {
	struct vt_state *s = vt->state;
	bool changed = false;
	for (; rest.length > 0 && command <= 19; command++) {
		struct span spec = next_part(&rest);
		uint32_t index = special_color(command), color;
		if (index == VT_COLORS) {
			continue;
		}
		if (is(spec, "?")) {
			char what[4];
			put_number(what, command);
			color = s->colors[index];
			if (color == VT_COLOR_UNSET) {
				color = s->colors[index == VT_COLOR_SELECTION_FG ? VT_COLOR_BG
										 : VT_COLOR_FG];
			}
			report_color(vt, what, color, bell);
		} else if (vt_parse_color(spec.at, spec.length, &color)) {
			s->colors[index] = color;
			changed = true;
		}
	}
	if (changed) {
		colors_changed(vt);
	}
}

/* ---- titles, directory, pointer ---- */

static void set_text(uint8_t *to, uint16_t *length, size_t most, struct span text) {
	*length = (uint16_t)utf8_cut(text, most);
	memcpy(to, text.at, *length);
}

static void set_title(struct vt *vt, struct span text, bool title, bool icon) {
	struct vt_state *s = vt->state;
	if (title) {
		set_text(s->title, &s->title_len, VT_TITLE_MAX, text);
	}
	if (icon) {
		set_text(s->icon, &s->icon_len, VT_TITLE_MAX, text);
	}
	vt_tell(vt, VT_EVENT_TITLE, 0, 0);
}

/* ---- links ---- */

/* OSC 8 ; key=value:key=value ; URI */
static void hyperlink(struct vt *vt, struct span rest) {
	struct vt_state *s = vt->state;
	struct span params = next_part(&rest);
	struct span id = {0};
	while (params.length > 0) {
		const uint8_t *colon = memchr(params.at, ':', params.length);
		size_t length = colon ? (size_t)(colon - params.at) : params.length;
		if (length > 3 && memcmp(params.at, "id=", 3) == 0) {
			id = (struct span){params.at + 3, length - 3};
		}
		length += colon != NULL;
		params.at += length;
		params.length -= length;
	}
	s->pen_link = 0;
	if (rest.length > 0 && rest.length <= 4096 && id.length <= 256) {
		const uint8_t *no_id = (const uint8_t *)"";
		s->pen_link = vt_intern_link(
			vt, id.length ? id.at : no_id, id.length, rest.at, rest.length);
	}
	vt_pen_ext(vt);
}

/* ---- clipboard ---- */

static uint32_t base64_value(uint8_t c) {
	if (c >= 'A' && c <= 'Z') {
		return c - (uint32_t)'A';
	}
	if (c >= 'a' && c <= 'z') {
		return c - (uint32_t)'a' + 26;
	}
	if (c >= '0' && c <= '9') {
		return c - (uint32_t)'0' + 52;
	}
	return c == '+' ? 62 : c == '/' ? 63 : 64;
}

/* May be done in place. */
size_t vt_base64_decode(const uint8_t *from, size_t length, uint8_t *to, bool *bad) {
	uint32_t bits = 0, count = 0;
	size_t done = 0, i = 0;
	for (; i < length && from[i] != '='; i++) {
		uint32_t value = base64_value(from[i]);
		if (value == 64) {
			*bad = true;
			return 0;
		}
		bits = bits << 6 | value;
		count += 6;
		if (count >= 8) {
			count -= 8;
			to[done++] = (uint8_t)(bits >> count);
		}
	}
	size_t padding = length - i;
	for (; i < length && from[i] == '='; i++) {
	}
	*bad = i < length || count >= 6 || padding > 2;
	return done;
}

size_t vt_base64_encode(const uint8_t *from, size_t length, char *to) {
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t done = 0;
	for (size_t i = 0; i < length; i += 3) {
		uint32_t left = (uint32_t)(length - i);
		uint32_t bits = (uint32_t)from[i] << 16 | (left > 1 ? from[i + 1] << 8 : 0) |
			(left > 2 ? from[i + 2] : 0u);
		to[done++] = digits[bits >> 18];
		to[done++] = digits[bits >> 12 & 63];
		to[done++] = left > 1 ? digits[bits >> 6 & 63] : '=';
		to[done++] = left > 2 ? digits[bits & 63] : '=';
	}
	return done;
}

/* OSC 52 ; selections ; base64, ? or anything else to clear */
static void clipboard(struct vt *vt, struct span rest) {
	struct span which = next_part(&rest);
	uint32_t mask = 0;
	for (size_t i = 0; i < which.length; i++) {
		mask |= which.at[i] == 'c' ? VT_CLIPBOARD_CLIPBOARD : 0;
		mask |= which.at[i] == 'p' || which.at[i] == 's' ? VT_CLIPBOARD_PRIMARY : 0;
	}
	if (which.length == 0) {
		mask = VT_CLIPBOARD_CLIPBOARD | VT_CLIPBOARD_PRIMARY;
	}
	if (mask == 0) {
		return;
	}
	if (is(rest, "?")) {
		vt_tell(vt, VT_EVENT_CLIPBOARD_QUERY, mask, 0);
		return;
	}
	bool bad = false;
	uint8_t *to = vt->string + (rest.at - vt->string);
	size_t length = vt_base64_decode(rest.at, rest.length, to, &bad);
	if (vt->event) {
		vt->event(vt->user,
			&(struct vt_event){.kind = VT_EVENT_CLIPBOARD_SET,
				.a = mask,
				.text = to,
				.text_len = bad ? 0 : length});
	}
}

bool vt_reply_clipboard(struct vt *vt, uint32_t selection, const void *bytes, size_t length) {
	size_t encoded = (length + 2) / 3 * 4;
	const char *which = selection & VT_CLIPBOARD_CLIPBOARD ? "c" : "p";
	if (vt_out_space(vt) < encoded + 16) {
		vt->state->out_lost += (uint32_t)encoded;
		return false;
	}
	vt_reply(vt, "\033]52;%s;", which);
	const uint8_t *at = bytes;
	while (length > 0) {
		char text[256];
		size_t part = length < 192 ? length : 192;
		vt_out_put(vt, text, vt_base64_encode(at, part, text));
		at += part;
		length -= part;
	}
	return vt_out_put(vt, "\033\\", 2);
}

/* ---- prompts, notifications ---- */

static void prompt(struct vt *vt, struct span rest) {
	struct vt_state *s = vt->state;
	struct span letter = next_part(&rest);
	static const uint16_t flags[] = {VT_ROW_PROMPT, VT_ROW_INPUT, VT_ROW_OUTPUT, VT_ROW_DONE};
	if (letter.length != 1 || letter.at[0] < 'A' || letter.at[0] > 'D') {
		return;
	}
	uint32_t code = letter.at[0] == 'D' ? number_of(next_part(&rest)) : UINT32_MAX;
	s->prompt = letter.at[0];
	vt_screen_row(vt, s->row)->flags |= flags[letter.at[0] - 'A'];
	vt_tell(vt, VT_EVENT_PROMPT, letter.at[0], code);
}

static void notify(struct vt *vt, struct span title, struct span body) {
	if (vt->event) {
		vt->event(vt->user,
			&(struct vt_event){.kind = VT_EVENT_NOTIFY,
				.text = body.at,
				.text_len = body.length,
				.title = title.at,
				.title_len = title.length});
	}
}

/* OSC 9 ; text, but 9 ; 4 ; state ; percent is ConEmu's progress */
static void notify_or_progress(struct vt *vt, struct span rest) {
	struct span body = rest;
	if (is(next_part(&rest), "4")) {
		uint32_t state = number_of(next_part(&rest));
		uint32_t percent = number_of(next_part(&rest));
		if (state <= 4) {
			vt_tell(vt, VT_EVENT_PROGRESS, state, percent > 100 ? 0 : percent);
			return;
		}
	}
	notify(vt, (struct span){0}, body);
}

static void kitty_notify(struct vt *vt, struct span rest) {
	next_part(&rest);
	notify(vt, (struct span){0}, rest);
}

static void urxvt_notify(struct vt *vt, struct span rest) {
	if (is(next_part(&rest), "notify")) {
		struct span title = next_part(&rest);
		notify(vt, title, rest);
	}
}

void vt_osc(struct vt *vt, bool bell) {
	struct vt_state *s = vt->state;
	struct span rest = {vt->string, s->string_len};
	uint32_t command = number_of(next_part(&rest));
	switch (command) {
	case 0:
		set_title(vt, rest, true, true);
		break;
	case 1:
		set_title(vt, rest, false, true);
		break;
	case 2:
		set_title(vt, rest, true, false);
		break;
	case 4:
		palette(vt, rest, bell);
		break;
	case 7:
		if (rest.length <= VT_CWD_MAX) {
			set_text(s->cwd, &s->cwd_len, VT_CWD_MAX, rest);
			vt_tell(vt, VT_EVENT_CWD, 0, 0);
		}
		break;
	case 8:
		hyperlink(vt, rest);
		break;
	case 9:
		notify_or_progress(vt, rest);
		break;
	case 10 ... 19:
		special_colors(vt, command, rest, bell);
		break;
	case 22:
		set_text(s->pointer, &s->pointer_len, VT_POINTER_MAX, rest);
		vt_tell(vt, VT_EVENT_POINTER, 0, 0);
		break;
	case 52:
		clipboard(vt, rest);
		break;
	case 99:
		kitty_notify(vt, rest);
		break;
	case 104:
		reset_palette(vt, rest);
		break;
	case 110 ... 119:
		if (special_color(command - 100) != VT_COLORS) {
			uint32_t index = special_color(command - 100);
			s->colors[index] = s->base_colors[index];
			colors_changed(vt);
		}
		break;
	case 133:
		prompt(vt, rest);
		break;
	case 777:
		urxvt_notify(vt, rest);
		break;
	default:
		break;
	}
}
