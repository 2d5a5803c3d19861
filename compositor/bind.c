/* SPDX-License-Identifier: MIT */
#include <linux/input-event-codes.h>
#include <stdbit.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <wlr/types/wlr_keyboard.h>
#include <xkbcommon/xkbcommon.h>

#include "compositor/bind.h"
#include "compositor/config.h"

struct word {
	const char *name;
	uint32_t value;
};

static const struct word modifiers[] = {
	{"super", WLR_MODIFIER_LOGO},
	{"logo", WLR_MODIFIER_LOGO},
	{"mod4", WLR_MODIFIER_LOGO},
	{"alt", WLR_MODIFIER_ALT},
	{"mod1", WLR_MODIFIER_ALT},
	{"ctrl", WLR_MODIFIER_CTRL},
	{"control", WLR_MODIFIER_CTRL},
	{"shift", WLR_MODIFIER_SHIFT},
};

static const struct word places[] = {
	{"ground", CITY_BIND_GROUND},
	{"window", CITY_BIND_WINDOW},
	{"tile", CITY_BIND_TILE},
	{"frame", CITY_BIND_FRAME},
};

static const struct word buttons[] = {
	{"buttonleft", BTN_LEFT},
	{"buttonright", BTN_RIGHT},
	{"buttonmiddle", BTN_MIDDLE},
	{"buttonside", BTN_SIDE},
	{"buttonextra", BTN_EXTRA},
	{"buttonforward", BTN_FORWARD},
	{"buttonback", BTN_BACK},
	{"buttontask", BTN_TASK},
};

static const struct word wheels[] = {
	{"wheelup", CITY_WHEEL_UP},
	{"wheeldown", CITY_WHEEL_DOWN},
	{"wheelleft", CITY_WHEEL_LEFT},
	{"wheelright", CITY_WHEEL_RIGHT},
	{"wheel", CITY_WHEEL_ANY},
};

static const struct word *find_word(
	const struct word *words, size_t count, const char *name, size_t length) {
	for (size_t i = 0; i < count; i++) {
		if (strlen(words[i].name) == length &&
			strncasecmp(words[i].name, name, length) == 0) {
			return &words[i];
		}
	}
	return NULL;
}
#define FIND_WORD(words, name, length)                                                             \
	find_word((words), sizeof(words) / sizeof((words)[0]), (name), (length))

static bool parse_key(const char *name, struct city_bind *bind) {
	xkb_keysym_t sym;
	if (name[0] > ' ' && name[0] < 0x7f && name[1] == '\0') {
		sym = xkb_utf32_to_keysym((uint32_t)name[0]);
	} else {
		sym = xkb_keysym_from_name(name, XKB_KEYSYM_CASE_INSENSITIVE);
	}
	bind->kind = CITY_BIND_KEY;
	bind->code = xkb_keysym_to_lower(sym);
	return sym != XKB_KEY_NoSymbol;
}

bool city_bind_parse(const char *name, struct city_bind *bind, char *error, size_t error_size) {
	*bind = (struct city_bind){0};
	const char *at = name;
	const struct word *word;
	/* The last word is the key, and may itself be a plus sign. */
	for (const char *plus; (plus = strchr(at, '+')) != NULL && plus != at && plus[1] != '\0';
		at = plus + 1) {
		size_t length = (size_t)(plus - at);
		if ((word = FIND_WORD(modifiers, at, length)) != NULL) {
			bind->modifiers |= word->value;
		} else if ((word = FIND_WORD(places, at, length)) != NULL &&
			bind->place == CITY_BIND_ANYWHERE) {
			bind->place = (enum city_bind_place)word->value;
		} else if (word != NULL) {
			snprintf(error, error_size,
				"the pointer is in one place only, not as in \"%s\"", name);
			return false;
		} else {
			snprintf(error, error_size,
				"unknown modifier \"%.*s\" in \"%s\"; allowed: Super, Alt, Ctrl, "
				"Shift; for buttons and wheels also one of Ground, Window, Tile, "
				"Frame",
				(int)length, at, name);
			return false;
		}
	}
	size_t length = strlen(at);
	if ((word = FIND_WORD(buttons, at, length)) != NULL) {
		bind->kind = CITY_BIND_BUTTON;
		bind->code = word->value;
	} else if ((word = FIND_WORD(wheels, at, length)) != NULL) {
		bind->kind = CITY_BIND_WHEEL;
		bind->code = word->value;
	} else if (!parse_key(at, bind)) {
		snprintf(error, error_size,
			"unknown key \"%s\" in \"%s\"; allowed: xkb names such as Return, F1, "
			"Left, a, plus; ButtonLeft, -Middle, -Right, -Side, -Extra, -Forward, "
			"-Back, -Task; Wheel, WheelUp, -Down, -Left, -Right",
			at, name);
		return false;
	}
	if (bind->kind == CITY_BIND_KEY && bind->place != CITY_BIND_ANYWHERE) {
		snprintf(error, error_size,
			"\"%s\" is a key: a place such as Ground or Tile is for buttons and wheels",
			name);
		return false;
	}
	return true;
}

const struct city_bind *city_bind_find(const struct city_config *config, enum city_bind_kind kind,
	enum city_bind_place place, uint32_t modifiers_held, uint32_t code) {
	for (size_t i = 0; i < config->bind_count; i++) {
		const struct city_bind *bind = &config->binds[i];
		if (bind->kind == kind && bind->place == place && bind->code == code &&
			bind->modifiers == modifiers_held) {
			return bind;
		}
	}
	return NULL;
}

/* "none" takes one of them away. */
static bool moves_the_map(const struct city_bind *bind) {
	return strncmp(bind->command, "drag ", 5) == 0 ||
		strncmp(bind->command, "scroll ", 7) == 0 || strcmp(bind->command, "none") == 0;
}

static bool may_stand_in(const struct city_bind *bind, enum city_bind_kind kind,
	enum city_bind_place place, uint32_t modifiers_held, uint32_t code) {
	return bind->kind == kind && bind->place == place && bind->code == code &&
		(bind->modifiers & ~modifiers_held) == 0 &&
		(bind->modifiers != 0 || place == CITY_BIND_GROUND) && moves_the_map(bind);
}

const struct city_bind *city_bind_find_in(const struct city_config *config,
	enum city_bind_kind kind, const enum city_bind_place *where, size_t count,
	uint32_t modifiers_held, uint32_t code) {
	const struct city_bind *best = NULL;
	for (size_t i = 0; i < count && best == NULL; i++) {
		best = city_bind_find(config, kind, where[i], modifiers_held, code);
	}
	/* Where none of its directions is bound the wheel as a whole may be, to exactly these. */
	if (best != NULL || (kind == CITY_BIND_WHEEL && code != CITY_WHEEL_ANY)) {
		return best;
	}
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < config->bind_count; j++) {
			const struct city_bind *bind = &config->binds[j];
			if (may_stand_in(bind, kind, where[i], modifiers_held, code) &&
				(best == NULL ||
					stdc_count_ones(bind->modifiers) >
						stdc_count_ones(best->modifiers))) {
				best = bind;
			}
		}
	}
	return best;
}

void city_swallow(struct city_swallowed *swallowed, uint32_t code) {
	if (swallowed->count < sizeof(swallowed->codes) / sizeof(swallowed->codes[0])) {
		swallowed->codes[swallowed->count++] = code;
	}
}

bool city_unswallow(struct city_swallowed *swallowed, uint32_t code) {
	for (size_t i = 0; i < swallowed->count; i++) {
		if (swallowed->codes[i] == code) {
			swallowed->codes[i] = swallowed->codes[--swallowed->count];
			return true;
		}
	}
	return false;
}

bool city_is_swallowed(const struct city_swallowed *swallowed, uint32_t code) {
	for (size_t i = 0; i < swallowed->count; i++) {
		if (swallowed->codes[i] == code) {
			return true;
		}
	}
	return false;
}
