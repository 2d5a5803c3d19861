/* SPDX-License-Identifier: MIT */
/* Device control strings: DECRQSS, XTGETTCAP, and the old form of synchronised output. */
#include "vt_int.h"

enum dcs {
	DCS_NONE,
	DCS_DECRQSS,
	DCS_XTGETTCAP,
	DCS_SYNC,
};

static enum dcs kind_of(const struct vt_state *s) {
	if (s->inter_count == 1 && s->private == 0 && s->string_final == 'q') {
		return s->inters[0] == '$'    ? DCS_DECRQSS
			: s->inters[0] == '+' ? DCS_XTGETTCAP
					      : DCS_NONE;
	}
	if (s->inter_count == 0 && s->private == '=' && s->string_final == 's') {
		return DCS_SYNC;
	}
	return DCS_NONE;
}

bool vt_dcs_wanted(const struct vt_state *s) {
	return kind_of(s) != DCS_NONE;
}

static bool is(const struct vt *vt, const char *text) {
	size_t length = strlen(text);
	return vt->state->string_len == length && memcmp(vt->string, text, length) == 0;
}

/* DECRQSS: the setting as the control sequence that makes it. */
static void request_setting(struct vt *vt) {
	const struct vt_state *s = vt->state;
	if (is(vt, "m")) {
		char text[160];
		struct vt_cell pen = vt_pen(s);
		size_t length = vt_sgr_text(&pen, s->pen_underline, text, sizeof(text));
		vt_reply(vt, "\033P1$r%.*sm\033\\", (int)length, text);
	} else if (is(vt, "r")) {
		vt_reply(vt, "\033P1$r%u;%ur\033\\", s->top + 1, s->bottom + 1);
	} else if (is(vt, "s")) {
		vt_reply(vt, "\033P1$r%u;%us\033\\", s->left + 1, s->right + 1);
	} else if (is(vt, " q")) {
		bool blinks = vt_mode(vt, VT_MODE_CURSOR_BLINK);
		vt_reply(vt, "\033P1$r%u q\033\\", s->cursor_style * 2u + (blinks ? 1 : 2));
	} else if (is(vt, "\"q")) {
		bool protects = s->pen[3] & VT_AT_PROTECTED && !s->iso_protected;
		vt_reply(vt, "\033P1$r%u\"q\033\\", protects ? 1u : 0u);
	} else if (is(vt, "\"p")) {
		vt_reply(vt, "\033P1$r%u;%u\"p\033\\", s->conformance, s->c1_8bit ? 0u : 1u);
	} else if (is(vt, "t")) {
		vt_reply(vt, "\033P1$r%ut\033\\", vt_max(s->rows, 24));
	} else if (is(vt, "*|")) {
		vt_reply(vt, "\033P1$r%u*|\033\\", s->rows);
	} else if (is(vt, "$|")) {
		vt_reply(vt, "\033P1$r%u$|\033\\", s->cols);
	} else if (is(vt, "*x")) {
		vt_reply(vt, "\033P1$r%u*x\033\\", s->rect_exact ? 2u : 1u);
	} else if (is(vt, ">4m")) {
		vt_reply(vt, "\033P1$r>4;%um\033\\", s->modify_keys);
	} else {
		vt_reply(vt, "\033P0$r\033\\");
	}
}

/* ---- XTGETTCAP ---- */

static const struct {
	const char *name;
	const char *value; /* NULL: it is a flag */
} capabilities[] = {
	{"TN", "source-city"},
	{"name", "source-city"},
	{"Co", "256"},
	{"colors", "256"},
	{"RGB", "8/8/8"},
	{"Tc", NULL},
	{"Su", NULL},
	{"Smulx", "\033[4:%p1%dm"},
	{"Setulc", "\033[58:2::%p1%{65536}%/%d:%p1%{256}%/%{255}%&%d:%p1%{255}%&%dm"},
	{"Ss", "\033[%p1%d q"},
	{"Se", "\033[0 q"},
	{"Ms", "\033]52;%p1%s;%p2%s\033\\"},
	{"Sync", "\033[?2026%?%p1%{1}%-%tl%eh%;"},
	{"BE", "\033[?2004h"},
	{"BD", "\033[?2004l"},
	{"PS", "\033[200~"},
	{"PE", "\033[201~"},
	{"fe", "\033[?1004h"},
	{"fd", "\033[?1004l"},
	{"setrgbf", "\033[38:2::%p1%d:%p2%d:%p3%dm"},
	{"setrgbb", "\033[48:2::%p1%d:%p2%d:%p3%dm"},
	{"smcup", "\033[?1049h\033[22;0;0t"},
	{"rmcup", "\033[?1049l\033[23;0;0t"},
	{"kcuu1", "\033OA"},
	{"kcud1", "\033OB"},
	{"kcuf1", "\033OC"},
	{"kcub1", "\033OD"},
	{"khome", "\033OH"},
	{"kend", "\033OF"},
	{"kbs", "\177"},
	{"kich1", "\033[2~"},
	{"kdch1", "\033[3~"},
	{"kpp", "\033[5~"},
	{"knp", "\033[6~"},
	{"kcbt", "\033[Z"},
};

static void put_hex(char *out, size_t *length, size_t size, const char *text) {
	static const char digits[] = "0123456789ABCDEF";
	for (; *text && *length + 2 <= size; text++) {
		out[(*length)++] = digits[(uint8_t)*text >> 4];
		out[(*length)++] = digits[(uint8_t)*text & 15];
	}
}

static int hex_digit(uint8_t c) {
	uint8_t low = c | 0x20;
	return c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

static void request_capability(struct vt *vt, const uint8_t *text, size_t length) {
	char name[32] = "";
	char answer[512];
	size_t used = 0;
	bool good = length % 2 == 0 && length / 2 < sizeof(name);
	for (size_t i = 0; good && i < length; i += 2) {
		int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
		good = high >= 0 && low >= 0;
		name[i / 2] = good ? (char)(high << 4 | low) : 0;
	}
	for (size_t i = 0; good && i < sizeof(capabilities) / sizeof(capabilities[0]); i++) {
		if (strcmp(name, capabilities[i].name) != 0) {
			continue;
		}
		put_hex(answer, &used, sizeof(answer) - 1, name);
		if (capabilities[i].value) {
			answer[used++] = '=';
			put_hex(answer, &used, sizeof(answer), capabilities[i].value);
		}
		vt_out_put(vt, "\033P1+r", 5);
		vt_out_put(vt, answer, used);
		vt_out_put(vt, "\033\\", 2);
		return;
	}
	/* Only what is surely harmless goes back. */
	vt_out_put(vt, "\033P0+r", 5);
	vt_out_put(vt, text, good ? length : 0);
	vt_out_put(vt, "\033\\", 2);
}

static void request_capabilities(struct vt *vt) {
	const uint8_t *at = vt->string;
	const uint8_t *end = at + vt->state->string_len;
	while (at < end) {
		const uint8_t *stop = memchr(at, ';', (size_t)(end - at));
		stop = stop ? stop : end;
		request_capability(vt, at, (size_t)(stop - at));
		at = stop + 1;
	}
}

/* The string is whole; its head is still in the state. */
void vt_dcs(struct vt *vt) {
	const struct vt_state *s = vt->state;
	switch (kind_of(s)) {
	case DCS_DECRQSS:
		request_setting(vt);
		break;
	case DCS_XTGETTCAP:
		request_capabilities(vt);
		break;
	case DCS_SYNC:
		if (s->param_count == 1 && (s->params[0] == 1 || s->params[0] == 2)) {
			vt_mode_put(vt, VT_MODE_SYNC, s->params[0] == 1);
		}
		break;
	default:
		break;
	}
}
