/* SPDX-License-Identifier: MIT */
/*
 * The terminfo entry, compiled and printed by the system's own tools, against the core: its keys
 * are what is sent, what XTGETTCAP answers is the same, and its capabilities do what their names
 * say. usage: terminfo FILE
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"

struct capability {
	char name[32];
	char value[512]; /* unescaped */
	bool is_string;
};

static struct capability capabilities[600];
static size_t capability_count;
static int tests, failures;

static void report(bool good, const char *what, const char *detail) {
	failures += !good;
	printf("%sok %d - %s%s%s\n", good ? "" : "not ", ++tests, what, good ? "" : ": ",
		good ? "" : detail);
}

/* Only what infocmp prints. */
static void unescape(const char *from, char *to) {
	for (; *from; from++) {
		if (*from == '^' && from[1]) {
			from++;
			*to++ = (char)(*from == '?' ? 127 : *from & 31);
		} else if (*from != '\\' || !from[1]) {
			*to++ = *from;
		} else if (*++from >= '0' && *from <= '7') {
			*to++ = (char)strtol((char[]){from[0], from[1], from[2], 0}, NULL, 8);
			from += 2;
		} else {
			static const char names[] = "Eenrtbfs", values[] = "\033\033\n\r\t\b\f ";
			const char *at = strchr(names, *from);
			*to++ = at ? values[at - names] : *from;
		}
	}
	*to = '\0';
}

static bool load(const char *file) {
	char folder[] = "/tmp/terminfo-XXXXXX", command[1200], line[2048];
	if (!mkdtemp(folder)) {
		return false;
	}
	snprintf(command, sizeof(command), "tic -x -o %s '%s' 2>&1", folder, file);
	FILE *pipe = popen(command, "r");
	bool quiet = true;
	while (pipe && fgets(line, sizeof(line), pipe)) {
		printf("# tic: %s", line);
		quiet = false;
	}
	bool compiled = pipe && pclose(pipe) == 0 && quiet;
	report(compiled, "it compiles without a word", "tic is not content");
	snprintf(command, sizeof(command), "infocmp -x -1 -A %s source-city", folder);
	pipe = popen(command, "r");
	while (pipe && fgets(line, sizeof(line), pipe)) {
		char *end = strrchr(line, ',');
		if (line[0] != '\t' || !end || capability_count == 600) {
			continue;
		}
		*end = '\0';
		struct capability *c = &capabilities[capability_count++];
		size_t length = strcspn(line + 1, "=#");
		snprintf(c->name, sizeof(c->name), "%.*s", (int)length, line + 1);
		c->is_string = line[1 + length] == '=';
		if (c->is_string) {
			unescape(line + 2 + length, c->value);
		}
	}
	if (pipe) {
		pclose(pipe);
	}
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command) == 0 && capability_count > 0;
}

static const struct capability *find(const char *name) {
	for (size_t i = 0; i < capability_count; i++) {
		if (strcmp(capabilities[i].name, name) == 0) {
			return &capabilities[i];
		}
	}
	return NULL;
}

static const char *value(const char *name) {
	const struct capability *c = find(name);
	return c && c->is_string ? c->value : "";
}

static void add_word(char *text, size_t size, const char *word) {
	size_t used = strlen(text);
	snprintf(text + used, size - used, "%.31s ", word);
}

/* ---- keys ---- */

static bool key_of(const char *name, struct vt_key *key) {
	static const struct {
		const char *name;
		uint32_t code, mods;
	} simple[] = {{"kcuu1", VT_KEY_UP}, {"kcud1", VT_KEY_DOWN}, {"kcuf1", VT_KEY_RIGHT},
		{"kcub1", VT_KEY_LEFT}, {"khome", VT_KEY_HOME}, {"kend", VT_KEY_END},
		{"kich1", VT_KEY_INSERT}, {"kdch1", VT_KEY_DELETE}, {"kpp", VT_KEY_PAGE_UP},
		{"knp", VT_KEY_PAGE_DOWN}, {"kbs", VT_KEY_BACKSPACE}, {"kent", VT_KEY_KP_ENTER},
		{"kbeg", VT_KEY_KP_BEGIN}, {"kcbt", VT_KEY_TAB, VT_MOD_SHIFT},
		{"kri", VT_KEY_UP, VT_MOD_SHIFT}, {"kind", VT_KEY_DOWN, VT_MOD_SHIFT}};
	static const struct {
		const char *stem;
		uint32_t code;
	} stems[] = {{"kUP", VT_KEY_UP}, {"kDN", VT_KEY_DOWN}, {"kRIT", VT_KEY_RIGHT},
		{"kLFT", VT_KEY_LEFT}, {"kHOM", VT_KEY_HOME}, {"kEND", VT_KEY_END},
		{"kIC", VT_KEY_INSERT}, {"kDC", VT_KEY_DELETE}, {"kPRV", VT_KEY_PAGE_UP},
		{"kNXT", VT_KEY_PAGE_DOWN}};
	static const uint32_t function_mods[] = {0, VT_MOD_SHIFT, VT_MOD_CTRL,
		VT_MOD_CTRL | VT_MOD_SHIFT, VT_MOD_ALT, VT_MOD_ALT | VT_MOD_SHIFT};
	unsigned number;
	*key = (struct vt_key){.action = VT_KEY_PRESS};
	for (size_t i = 0; i < sizeof(simple) / sizeof(simple[0]); i++) {
		if (strcmp(name, simple[i].name) == 0) {
			key->code = simple[i].code;
			key->mods = simple[i].mods;
			return true;
		}
	}
	if (sscanf(name, "kf%u", &number) == 1 && number >= 1) {
		key->code = VT_KEY_F1 + (number - 1) % 12;
		key->mods = function_mods[(number - 1) / 12 % 6];
		return true;
	}
	for (size_t i = 0; i < sizeof(stems) / sizeof(stems[0]); i++) {
		size_t length = strlen(stems[i].stem);
		if (strncmp(name, stems[i].stem, length) != 0 || strlen(name) > length + 1) {
			continue;
		}
		key->code = stems[i].code;
		key->mods = name[length] ? (uint32_t)(name[length] - '1') : VT_MOD_SHIFT;
		return true;
	}
	return false;
}

static void check_keys(void) {
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, 80, 24, 0);
	rig_feed(rig, value("smkx"));
	int seen = 0;
	char wrong[256] = "";
	for (size_t i = 0; i < capability_count; i++) {
		const struct capability *c = &capabilities[i];
		struct vt_key key;
		if (c->name[0] != 'k' || !c->is_string || !key_of(c->name, &key)) {
			continue;
		}
		char bytes[VT_KEY_BYTES];
		size_t length = vt_encode_key(&rig->vt, &key, bytes);
		if (length != strlen(c->value) || memcmp(bytes, c->value, length) != 0) {
			add_word(wrong, sizeof(wrong), c->name);
		}
		seen++;
	}
	report(wrong[0] == '\0' && seen > 100, "its keys are what is sent", wrong);
	rig_finish(rig);
	free(rig);
}

/* ---- XTGETTCAP ---- */

static void check_answers(void) {
	struct rig *rig = malloc(sizeof(*rig));
	rig_init(rig, 80, 24, 0);
	char wrong[256] = "";
	int answered = 0;
	for (size_t i = 0; i < capability_count; i++) {
		const struct capability *c = &capabilities[i];
		char ask[128] = "\033P+q", want[2048], *end = want;
		for (const char *at = c->name; *at; at++) {
			sprintf(ask + strlen(ask), "%02X", (unsigned)*at);
		}
		end += sprintf(end, "^[P1+r%s%s", ask + 4, c->is_string ? "=" : "");
		for (const char *at = c->value; c->is_string && *at; at++) {
			end += sprintf(end, "%02X", (unsigned char)*at);
		}
		sprintf(end, "^[\\");
		strcat(ask, "\033\\");
		rig_feed(rig, ask);
		const char *answer = rig_replies(rig);
		bool known = strncmp(answer, "^[P1", 4) == 0;
		answered += known;
		if (known && strcmp(answer, want) != 0 && c->is_string) {
			add_word(wrong, sizeof(wrong), c->name);
		}
	}
	report(wrong[0] == '\0' && answered > 20, "XTGETTCAP says the same", wrong);
	rig_finish(rig);
	free(rig);
}

/* ---- what they do ---- */

static void check_look(const char *name, uint32_t at) {
	struct rig *rig = malloc(sizeof(*rig));
	char what[64];
	rig_init(rig, 80, 24, 0);
	rig_feed(rig, value(name));
	rig_feed(rig, "x");
	rig_feed(rig, value("sgr0"));
	rig_feed(rig, "y");
	snprintf(what, sizeof(what), "%s", name);
	report(value(name)[0] && (rig_cell(rig, 0, 0)->at & VT_AT_MASK) == at &&
			rig_cell(rig, 0, 1)->at == 0,
		what, "the look is another");
	rig_finish(rig);
	free(rig);
}

/* `before`, the capability, `after`: then the first rows. */
static void check_screen(
	const char *name, const char *before, const char *after, const char *want) {
	struct rig *rig = malloc(sizeof(*rig));
	char got[512];
	rig_init(rig, 20, 5, 0);
	rig_feed(rig, before);
	rig_feed(rig, value(name));
	rig_feed(rig, after);
	snprintf(got, sizeof(got), "%s|%s|%s", rig_row(rig, 0), rig_row(rig, 1), rig_row(rig, 2));
	report(value(name)[0] && strcmp(got, want) == 0, name, got);
	rig_finish(rig);
	free(rig);
}

int main(int argc, char **argv) {
	if (argc < 2 || system("command -v tic infocmp >/dev/null 2>&1") != 0) {
		printf("1..0 # SKIP needs tic and infocmp, and the file\n");
		return 77;
	}
	if (!load(argv[1])) {
		printf("Bail out! it cannot be read back\n");
		return 1;
	}
	check_keys();
	check_answers();
	check_look("bold", VT_AT_BOLD);
	check_look("dim", VT_AT_DIM);
	check_look("sitm", VT_AT_ITALIC);
	check_look("smul", VT_UNDERLINE_SINGLE << 3);
	check_look("blink", VT_AT_BLINK);
	check_look("rev", VT_AT_INVERSE);
	check_look("smso", VT_AT_INVERSE);
	check_look("invis", VT_AT_CONCEAL);
	check_look("smxx", VT_AT_STRIKE);
	check_look("Smol", VT_AT_OVERLINE);
	check_screen("smacs", "", "qx", "─│||");
	check_screen("clear", "a\r\nb\r\nc", "x", "x||");
	check_screen("ed", "a\r\nb\r\nc\033[2H", "x", "a|x|");
	check_screen("el", "abc\033[2G", "x", "ax||");
	check_screen("el1", "abc\033[2G", "x", " xc||");
	check_screen("home", "a\r\nb", "x", "x|b|");
	check_screen("ri", "a", "x", " x|a|");
	check_screen("nel", "a", "x", "a|x|");
	check_screen("dch1", "abc\r", "", "bc||");
	check_screen("dl1", "a\r\nb\033[H", "", "b||");
	check_screen("il1", "a\r\nb\033[H", "", "|a|b");
	check_screen("smir", "abc\r", "x", "xabc||");
	check_screen("rmam", "", "0123456789012345678901", "01234567890123456781||");
	check_screen("rc", "a\0337\r\n\n", "x", "ax||");
	check_screen("smcup", "abc", "\r\nx", "|x|");
	check_screen("rmcup", "abc\033[?1049hxyz", "d", "abcd||");
	check_screen("rs1", "abc\033[2;3r\033[4h", "x", "x||");
	printf("1..%d\n", tests);
	return failures > 0;
}
