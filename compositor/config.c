/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <scfg.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wlr/types/wlr_keyboard.h>

#include "compositor/command.h"
#include "compositor/config.h"
#include "compositor/files.h"
#include "compositor/theme.h"
#include "vat/log.h"
#include "vat/vat.h"

struct parser {
	struct city_config *config;
	const char *path;
	int errors;
};

/* One directive that may stand in a block; `run` gets it with its number of words checked. */
struct rule {
	const char *name;
	const char *usage;
	size_t min, max; /* words after the name */
	bool block;	 /* has children */
	void (*run)(struct parser *parser, const struct scfg_directive *directive, void *target);
};

[[gnu::format(printf, 3, 4)]]
static void complain(
	struct parser *parser, const struct scfg_directive *directive, const char *format, ...) {
	char text[640];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	city_log(CITY_LOG_ERROR, "config", "%s:%d: %s", parser->path, directive->lineno, text);
	parser->errors++;
}

/* What the config has not said is as the style says. */
static void fill_in_colors(struct city_config *config) {
	const struct city_palette *palette = city_palette_of(config->style);
	config->color_ground = config->color_ground != 0 ? config->color_ground : palette->ground;
	config->color_focus = config->color_focus != 0 ? config->color_focus : palette->focus;
	config->color_frame = config->color_frame != 0 ? config->color_frame : palette->frame;
}

static void run_block(struct parser *parser, const struct scfg_block *block,
	const struct rule *rules, size_t rule_count, void *target) {
	for (size_t i = 0; i < block->directives_len; i++) {
		const struct scfg_directive *directive = &block->directives[i];
		const struct rule *rule = NULL;
		for (size_t j = 0; j < rule_count; j++) {
			if (strcmp(rules[j].name, directive->name) == 0) {
				rule = &rules[j];
			}
		}
		if (rule == NULL) {
			char allowed[400] = "";
			size_t used = 0;
			for (size_t j = 0; j < rule_count && used < sizeof(allowed); j++) {
				used += (size_t)snprintf(allowed + used, sizeof(allowed) - used,
					"%s%s", j == 0 ? "" : ", ", rules[j].name);
			}
			complain(parser, directive, "unknown directive \"%s\"; allowed: %s",
				directive->name, allowed);
			continue;
		}
		bool has_block = directive->children.directives_len > 0;
		if (directive->params_len < rule->min || directive->params_len > rule->max ||
			(has_block && !rule->block)) {
			complain(parser, directive, "\"%s\" is not written like that; allowed: %s",
				directive->name, rule->usage);
			continue;
		}
		rule->run(parser, directive, target);
	}
}
#define RUN_BLOCK(parser, block, rules, target)                                                    \
	run_block((parser), (block), (rules), sizeof(rules) / sizeof((rules)[0]), (target))

static void set_string(char **string, const char *value) {
	char *copy = strdup(value);
	if (copy != NULL) {
		free(*string);
		*string = copy;
	}
}

/* Makes room for one more element in a heap array; returns it zeroed, NULL when out of memory. */
static void *append(void *array_pointer, size_t *count, size_t size) {
	void **array = array_pointer;
	char *grown = reallocarray(*array, *count + 1, size);
	if (grown == NULL) {
		return NULL;
	}
	*array = grown;
	void *element = grown + *count * size;
	memset(element, 0, size);
	(*count)++;
	return element;
}

static bool get_int(struct parser *parser, const struct scfg_directive *directive, const char *word,
	int min, int max, int *value) {
	char *end;
	errno = 0;
	long number = strtol(word, &end, 10);
	if (errno != 0 || end == word || *end != '\0' || number < min || number > max) {
		complain(parser, directive,
			"\"%s\" must be a whole number from %d to %d, not \"%s\"", directive->name,
			min, max, word);
		return false;
	}
	*value = (int)number;
	return true;
}

static bool get_double(struct parser *parser, const struct scfg_directive *directive,
	const char *word, double min, double max, double *value) {
	char *end;
	double number = strtod(word, &end);
	if (end == word || *end != '\0' || !(number >= min && number <= max)) {
		complain(parser, directive, "\"%s\" must be a number from %g to %g, not \"%s\"",
			directive->name, min, max, word);
		return false;
	}
	*value = number;
	return true;
}

static void get_switch(struct parser *parser, const struct scfg_directive *directive, bool *value) {
	const char *word = directive->params[0];
	if (strcmp(word, "on") == 0) {
		*value = true;
	} else if (strcmp(word, "off") == 0) {
		*value = false;
	} else {
		complain(parser, directive, "\"%s\" must be on or off, not \"%s\"", directive->name,
			word);
	}
}

/* WIDTHxHEIGHT at the beginning of a word; NULL, or what follows it. */
static const char *parse_size(const char *word, int *width, int *height) {
	long values[2];
	for (int i = 0; i < 2; i++) {
		char *end;
		values[i] = strtol(word, &end, 10);
		if (end == word || values[i] < 1 || values[i] > 16384 || (i == 0 && *end != 'x')) {
			return NULL;
		}
		word = i == 0 ? end + 1 : end;
	}
	*width = (int)values[0];
	*height = (int)values[1];
	return word;
}

static void get_size(struct parser *parser, const struct scfg_directive *directive,
	const char *word, int *width, int *height) {
	int w, h;
	const char *rest = parse_size(word, &w, &h);
	if (rest == NULL || *rest != '\0') {
		complain(parser, directive, "\"%s\" must be WIDTHxHEIGHT, not \"%s\"",
			directive->name, word);
		return;
	}
	*width = w;
	*height = h;
}

static void get_color(
	struct parser *parser, const struct scfg_directive *directive, uint32_t *value) {
	const char *word = directive->params[0];
	if (word[0] != '#' || strlen(word) != 7 ||
		strspn(word + 1, "0123456789abcdefABCDEF") != 6) {
		complain(parser, directive, "\"%s\" must be a colour like \"#14171c\", not \"%s\"",
			directive->name, word);
		return;
	}
	*value = (uint32_t)strtoul(word + 1, NULL, 16) << 8 | 0xff;
}

/* keyboard */

static void keyboard_layout(struct parser *p, const struct scfg_directive *d, void *target) {
	set_string(&p->config->xkb_layout, d->params[0]);
}

static void keyboard_rules(struct parser *p, const struct scfg_directive *d, void *target) {
	set_string(&p->config->xkb_rules, d->params[0]);
}

static void keyboard_model(struct parser *p, const struct scfg_directive *d, void *target) {
	set_string(&p->config->xkb_model, d->params[0]);
}

static void keyboard_variant(struct parser *p, const struct scfg_directive *d, void *target) {
	set_string(&p->config->xkb_variant, d->params[0]);
}

static void keyboard_options(struct parser *p, const struct scfg_directive *d, void *target) {
	set_string(&p->config->xkb_options, d->params[0]);
}

static void keyboard_repeat(struct parser *p, const struct scfg_directive *d, void *target) {
	get_int(p, d, d->params[0], 0, 1000, &p->config->repeat_rate);
	get_int(p, d, d->params[1], 1, 10000, &p->config->repeat_delay);
}

static void keyboard_numlock(struct parser *p, const struct scfg_directive *d, void *target) {
	get_switch(p, d, &p->config->numlock);
}

static const struct rule keyboard_rules_table[] = {
	{"layout", "layout NAME[,NAME...]", 1, 1, false, keyboard_layout},
	{"variant", "variant NAME", 1, 1, false, keyboard_variant},
	{"options", "options NAME[,NAME...]", 1, 1, false, keyboard_options},
	{"model", "model NAME", 1, 1, false, keyboard_model},
	{"rules", "rules NAME", 1, 1, false, keyboard_rules},
	{"repeat", "repeat PER_SECOND DELAY_MS", 2, 2, false, keyboard_repeat},
	{"numlock", "numlock on|off", 1, 1, false, keyboard_numlock},
};

struct xkb_keymap *city_config_keymap(const struct city_config *config) {
	struct xkb_context *context = xkb_context_new(XKB_CONTEXT_NO_FLAGS);
	if (context == NULL) {
		return NULL;
	}
	/* The library would say it in many lines. */
	xkb_context_set_log_level(context, XKB_LOG_LEVEL_CRITICAL);
	struct xkb_rule_names names = {
		.rules = config->xkb_rules,
		.model = config->xkb_model,
		.layout = config->xkb_layout,
		.variant = config->xkb_variant,
		.options = config->xkb_options,
	};
	struct xkb_keymap *keymap =
		xkb_keymap_new_from_names(context, &names, XKB_KEYMAP_COMPILE_NO_FLAGS);
	xkb_context_unref(context);
	return keymap;
}

static void forget_keymap(struct city_config *config) {
	char **names[] = {&config->xkb_rules, &config->xkb_model, &config->xkb_layout,
		&config->xkb_variant, &config->xkb_options};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		free(*names[i]);
		*names[i] = NULL;
	}
}

static void run_keyboard(struct parser *p, const struct scfg_directive *d, void *target) {
	struct city_config *config = p->config;
	RUN_BLOCK(p, &d->children, keyboard_rules_table, NULL);
	if (config->xkb_rules == NULL && config->xkb_model == NULL && config->xkb_layout == NULL &&
		config->xkb_variant == NULL && config->xkb_options == NULL) {
		return;
	}
	struct xkb_keymap *keymap = city_config_keymap(config);
	if (keymap == NULL) {
		complain(p, d,
			"there is no such keyboard: layout \"%s\", variant \"%s\", model \"%s\", "
			"rules \"%s\"; allowed: the names in xkeyboard-config(7)",
			config->xkb_layout == NULL ? "" : config->xkb_layout,
			config->xkb_variant == NULL ? "" : config->xkb_variant,
			config->xkb_model == NULL ? "" : config->xkb_model,
			config->xkb_rules == NULL ? "" : config->xkb_rules);
		forget_keymap(config);
	}
	xkb_keymap_unref(keymap);
}

/* pointer */

static void pointer_scroll(struct parser *p, const struct scfg_directive *d, void *target) {
	get_switch(p, d, &p->config->natural_scroll);
}

static void pointer_tap(struct parser *p, const struct scfg_directive *d, void *target) {
	get_switch(p, d, &p->config->tap);
}

static void pointer_speed(struct parser *p, const struct scfg_directive *d, void *target) {
	get_double(p, d, d->params[0], -1, 1, &p->config->pointer_speed);
}

static void pointer_theme(struct parser *p, const struct scfg_directive *d, void *target) {
	set_string(&p->config->cursor_theme, d->params[0]);
}

static void pointer_size(struct parser *p, const struct scfg_directive *d, void *target) {
	get_int(p, d, d->params[0], 8, 256, &p->config->cursor_size);
}

static void pointer_inertia(struct parser *p, const struct scfg_directive *d, void *target) {
	get_switch(p, d, &p->config->inertia);
}

static const struct rule pointer_rules[] = {
	{"inertia", "inertia on|off", 1, 1, false, pointer_inertia},
	{"natural-scroll", "natural-scroll on|off", 1, 1, false, pointer_scroll},
	{"tap", "tap on|off", 1, 1, false, pointer_tap},
	{"speed", "speed NUMBER (-1 to 1)", 1, 1, false, pointer_speed},
	{"theme", "theme NAME", 1, 1, false, pointer_theme},
	{"size", "size PIXELS", 1, 1, false, pointer_size},
};

static void run_pointer(struct parser *p, const struct scfg_directive *d, void *target) {
	RUN_BLOCK(p, &d->children, pointer_rules, NULL);
}

/* output */

static void output_mode(struct parser *p, const struct scfg_directive *d, void *target) {
	struct city_output_config *output = target;
	int w, h;
	double hz = 0;
	const char *word = d->params[0];
	const char *rest = parse_size(word, &w, &h);
	bool ok = rest != NULL;
	if (ok && *rest == '@') {
		char *end;
		hz = strtod(rest + 1, &end);
		ok = end != rest + 1 && (*end == '\0' || strcmp(end, "Hz") == 0) && hz >= 1 &&
			hz <= 1000;
	} else if (ok) {
		ok = *rest == '\0';
	}
	if (!ok) {
		complain(
			p, d, "\"mode\" must be WIDTHxHEIGHT or WIDTHxHEIGHT@HZ, not \"%s\"", word);
		return;
	}
	output->width = w;
	output->height = h;
	output->refresh_mhz = (int)lround(hz * 1000);
}

static void output_scale(struct parser *p, const struct scfg_directive *d, void *target) {
	struct city_output_config *output = target;
	get_double(p, d, d->params[0], 0.25, 8, &output->scale);
}

static void output_transform(struct parser *p, const struct scfg_directive *d, void *target) {
	struct city_output_config *output = target;
	static const char *const names[] = {
		[WL_OUTPUT_TRANSFORM_NORMAL] = "normal",
		[WL_OUTPUT_TRANSFORM_90] = "90",
		[WL_OUTPUT_TRANSFORM_180] = "180",
		[WL_OUTPUT_TRANSFORM_270] = "270",
		[WL_OUTPUT_TRANSFORM_FLIPPED] = "flipped",
		[WL_OUTPUT_TRANSFORM_FLIPPED_90] = "flipped-90",
		[WL_OUTPUT_TRANSFORM_FLIPPED_180] = "flipped-180",
		[WL_OUTPUT_TRANSFORM_FLIPPED_270] = "flipped-270",
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(d->params[0], names[i]) == 0) {
			output->transform = (enum wl_output_transform)i;
			return;
		}
	}
	complain(p, d,
		"\"transform\" must be normal, 90, 180, 270, flipped, flipped-90, flipped-180 or "
		"flipped-270, not \"%s\"",
		d->params[0]);
}

static void output_position(struct parser *p, const struct scfg_directive *d, void *target) {
	struct city_output_config *output = target;
	output->has_position = get_int(p, d, d->params[0], -100000, 100000, &output->ox) &&
		get_int(p, d, d->params[1], -100000, 100000, &output->oy);
}

static void output_off(struct parser *p, const struct scfg_directive *d, void *target) {
	struct city_output_config *output = target;
	output->off = true;
}

static const struct rule output_rules[] = {
	{"mode", "mode WIDTHxHEIGHT[@HZ]", 1, 1, false, output_mode},
	{"scale", "scale NUMBER", 1, 1, false, output_scale},
	{"transform", "transform normal|90|180|270|flipped|...", 1, 1, false, output_transform},
	{"position", "position X Y", 2, 2, false, output_position},
	{"off", "off", 0, 0, false, output_off},
};

static void run_output(struct parser *p, const struct scfg_directive *d, void *target) {
	for (size_t i = 0; i < p->config->output_count; i++) {
		if (strcmp(p->config->outputs[i].name, d->params[0]) == 0) {
			complain(p, d, "output \"%s\" is there twice; one block holds all of it",
				d->params[0]);
			return;
		}
	}
	struct city_output_config *output = append(
		&p->config->outputs, &p->config->output_count, sizeof(struct city_output_config));
	if (output == NULL) {
		return;
	}
	output->name = strdup(d->params[0]);
	RUN_BLOCK(p, &d->children, output_rules, output);
}

/* headless */

static void headless_size(struct parser *p, const struct scfg_directive *d, void *target) {
	get_size(p, d, d->params[0], &p->config->headless_width, &p->config->headless_height);
}

static void headless_count(struct parser *p, const struct scfg_directive *d, void *target) {
	get_int(p, d, d->params[0], 0, 16, &p->config->headless_count);
}

static const struct rule headless_rules[] = {
	{"size", "size WIDTHxHEIGHT", 1, 1, false, headless_size},
	{"count", "count NUMBER", 1, 1, false, headless_count},
};

static void run_headless(struct parser *p, const struct scfg_directive *d, void *target) {
	RUN_BLOCK(p, &d->children, headless_rules, NULL);
}

/* bind */

static const struct {
	const char *name;
	uint32_t modifier;
} modifier_names[] = {
	{"super", WLR_MODIFIER_LOGO},
	{"logo", WLR_MODIFIER_LOGO},
	{"mod4", WLR_MODIFIER_LOGO},
	{"alt", WLR_MODIFIER_ALT},
	{"mod1", WLR_MODIFIER_ALT},
	{"ctrl", WLR_MODIFIER_CTRL},
	{"control", WLR_MODIFIER_CTRL},
	{"shift", WLR_MODIFIER_SHIFT},
};

static bool parse_keys(struct parser *p, const struct scfg_directive *d, const char *keys,
	uint32_t *modifiers, xkb_keysym_t *keysym) {
	*modifiers = 0;
	const char *at = keys;
	/* The last word is the key, and may itself be a plus sign. */
	for (const char *plus; (plus = strchr(at, '+')) != NULL && plus != at && plus[1] != '\0';
		at = plus + 1) {
		size_t length = (size_t)(plus - at);
		uint32_t modifier = 0;
		for (size_t i = 0; i < sizeof(modifier_names) / sizeof(modifier_names[0]); i++) {
			if (strlen(modifier_names[i].name) == length &&
				strncasecmp(modifier_names[i].name, at, length) == 0) {
				modifier = modifier_names[i].modifier;
			}
		}
		if (modifier == 0) {
			complain(p, d,
				"unknown modifier \"%.*s\" in \"%s\"; allowed: Super, Alt, Ctrl, "
				"Shift",
				(int)length, at, keys);
			return false;
		}
		*modifiers |= modifier;
	}
	xkb_keysym_t sym;
	if (at[0] > ' ' && at[0] < 0x7f && at[1] == '\0') {
		sym = xkb_utf32_to_keysym((uint32_t)at[0]);
	} else {
		sym = xkb_keysym_from_name(at, XKB_KEYSYM_CASE_INSENSITIVE);
	}
	if (sym == XKB_KEY_NoSymbol) {
		complain(p, d,
			"unknown key \"%s\" in \"%s\"; allowed: xkb names such as Return, F1, "
			"Left, a, plus",
			at, keys);
		return false;
	}
	*keysym = xkb_keysym_to_lower(sym);
	return true;
}

static void add_bind(
	struct city_config *config, uint32_t modifiers, xkb_keysym_t keysym, const char *command) {
	for (size_t i = 0; i < config->bind_count; i++) {
		struct city_bind *bind = &config->binds[i];
		if (bind->modifiers == modifiers && bind->keysym == keysym) {
			set_string(&bind->command, command);
			return;
		}
	}
	struct city_bind *bind =
		append(&config->binds, &config->bind_count, sizeof(struct city_bind));
	if (bind != NULL) {
		*bind = (struct city_bind){modifiers, keysym, strdup(command)};
	}
}

/* The words from the given one on, joined by blanks. */
static bool join(const struct scfg_directive *d, size_t from, char *line, size_t size) {
	size_t used = 0;
	line[0] = '\0';
	for (size_t i = from; i < d->params_len; i++) {
		used += (size_t)snprintf(
			line + used, size - used, "%s%s", i == from ? "" : " ", d->params[i]);
		if (used >= size) {
			return false;
		}
	}
	return true;
}

static void run_bind(struct parser *p, const struct scfg_directive *d, void *target) {
	uint32_t modifiers;
	xkb_keysym_t keysym;
	char line[1024], error[400];
	if (!parse_keys(p, d, d->params[0], &modifiers, &keysym)) {
		return;
	}
	if (!join(d, 1, line, sizeof(line))) {
		complain(p, d, "the command is longer than %zu bytes", sizeof(line) - 1);
		return;
	}
	if (!city_command_check(line, error, sizeof(error))) {
		complain(p, d, "%s", error);
		return;
	}
	add_bind(p->config, modifiers, keysym, line);
}

static void run_autostart(struct parser *p, const struct scfg_directive *d, void *target) {
	char line[1024];
	if (!join(d, 0, line, sizeof(line))) {
		complain(p, d, "the command is longer than %zu bytes", sizeof(line) - 1);
		return;
	}
	char **command = append(&p->config->autostart, &p->config->autostart_count, sizeof(char *));
	if (command != NULL) {
		*command = strdup(line);
	}
}

/* tile */

static void tile_source(struct parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	char *path = city_file_expand(d->params[0], p->path);
	if (path != NULL) {
		free(tile->source);
		tile->source = path;
	}
}

static void tile_at(struct parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	tile->has_place = get_double(p, d, d->params[0], -1e6, 1e6, &tile->cx) &&
		get_double(p, d, d->params[1], -1e6, 1e6, &tile->cy);
}

static void tile_size(struct parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	tile->has_size = get_int(p, d, d->params[0], 1, 8192, &tile->width) &&
		get_int(p, d, d->params[1], 1, 8192, &tile->height);
}

/* The same rule for the names of tiles and of their kinds, which are file names too. */
static bool check_name(struct parser *p, const struct scfg_directive *d) {
	if (!vat_name_valid(d->params[0])) {
		complain(p, d,
			"\"%s\" cannot name a tile; allowed: lower case letters, digits, '.', '_' "
			"and "
			"'-', a letter first",
			d->params[0]);
		return false;
	}
	return true;
}

static void tile_kind(struct parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	if (check_name(p, d)) {
		set_string(&tile->kind, d->params[0]);
	}
}

static void tile_artifact(struct parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	char *path = city_file_expand(d->params[0], p->path);
	if (path != NULL) {
		free(tile->artifact);
		tile->artifact = path;
	}
}

static void tile_option(struct parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	char *entry;
	if (asprintf(&entry, "%s=%s", d->params[0], d->params[1]) < 0) {
		return;
	}
	char **option = append(&tile->options, &tile->option_count, sizeof(char *));
	if (option == NULL) {
		free(entry);
		return;
	}
	*option = entry;
}

static void get_strategy(
	struct parser *p, const struct scfg_directive *d, enum city_strategy *strategy) {
	if (!city_strategy_parse(d->params[0], strategy) || *strategy == CITY_STRATEGY_RESET) {
		*strategy = CITY_STRATEGY_AUTO;
		complain(p, d,
			"\"%s\" is no way to hand over; allowed: auto, instant, crossfade, "
			"freeze-and-fade or melt",
			d->params[0]);
	}
}

static void tile_strategy(struct parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	get_strategy(p, d, &tile->strategy);
}

static const struct rule tile_rules[] = {
	{"kind", "kind NAME", 1, 1, false, tile_kind},
	{"source", "source FOLDER", 1, 1, false, tile_source},
	{"artifact", "artifact FILE", 1, 1, false, tile_artifact},
	{"at", "at X Y", 2, 2, false, tile_at},
	{"size", "size WIDTH HEIGHT", 2, 2, false, tile_size},
	{"option", "option KEY VALUE", 2, 2, false, tile_option},
	{"strategy", "strategy NAME", 1, 1, false, tile_strategy},
};

static void run_tile(struct parser *p, const struct scfg_directive *d, void *target) {
	if (!check_name(p, d)) {
		return;
	}
	for (size_t i = 0; i < p->config->tile_count; i++) {
		if (strcmp(p->config->tiles[i].name, d->params[0]) == 0) {
			complain(p, d, "tile \"%s\" is there twice; names must differ",
				d->params[0]);
			return;
		}
	}
	struct city_tile_config *tile =
		append(&p->config->tiles, &p->config->tile_count, sizeof(struct city_tile_config));
	if (tile == NULL) {
		return;
	}
	tile->name = strdup(d->params[0]);
	RUN_BLOCK(p, &d->children, tile_rules, tile);
}

/* theme */

static void theme_font(struct parser *p, const struct scfg_directive *d, void *target) {
	set_string(&p->config->font, d->params[0]);
}

static void theme_ground(struct parser *p, const struct scfg_directive *d, void *target) {
	get_color(p, d, &p->config->color_ground);
}

static void theme_focus(struct parser *p, const struct scfg_directive *d, void *target) {
	get_color(p, d, &p->config->color_focus);
}

static void theme_frame(struct parser *p, const struct scfg_directive *d, void *target) {
	get_color(p, d, &p->config->color_frame);
}

static void theme_style(struct parser *p, const struct scfg_directive *d, void *target) {
	const char *word = d->params[0];
	if (strcmp(word, "dark") == 0) {
		p->config->style = CITY_STYLE_DARK;
	} else if (strcmp(word, "light") == 0) {
		p->config->style = CITY_STYLE_LIGHT;
	} else {
		complain(p, d, "\"style\" must be dark or light, not \"%s\"", word);
	}
}

static const struct rule theme_rules[] = {
	{"style", "style dark|light", 1, 1, false, theme_style},
	{"font", "font NAME", 1, 1, false, theme_font},
	{"ground", "ground \"#RRGGBB\"", 1, 1, false, theme_ground},
	{"focus", "focus \"#RRGGBB\"", 1, 1, false, theme_focus},
	{"frame", "frame \"#RRGGBB\"", 1, 1, false, theme_frame},
};

static void run_theme(struct parser *p, const struct scfg_directive *d, void *target) {
	RUN_BLOCK(p, &d->children, theme_rules, NULL);
}

static void run_sources(struct parser *p, const struct scfg_directive *d, void *target) {
	char *path = city_file_expand(d->params[0], p->path);
	char **source = path == NULL
		? NULL
		: append(&p->config->sources, &p->config->source_count, sizeof(char *));
	if (source == NULL) {
		free(path);
		return;
	}
	*source = path;
}

static void run_animations(struct parser *p, const struct scfg_directive *d, void *target) {
	get_switch(p, d, &p->config->animations);
}

/* As the tile host reads it. */
static void run_record(struct parser *p, const struct scfg_directive *d, void *target) {
	const char *word = d->params[0];
	char *end;
	double bytes = strtod(word, &end);
	const char *units = "KMG", *unit = *end != '\0' ? strchr(units, *end) : NULL;
	if (unit != NULL) {
		bytes *= (double)(1024ull << 10 * (unit - units));
		end++;
	}
	if (strcmp(word, "off") != 0 &&
		(end == word || *end != '\0' || !(bytes >= 1 << 20 && bytes <= 1 << 30))) {
		complain(p, d, "\"record\" must be off, or a size from 1M to 1G, not \"%s\"", word);
		return;
	}
	set_string(&p->config->record, word);
}

static void run_checkpoint(struct parser *p, const struct scfg_directive *d, void *target) {
	const char *word = d->params[0];
	char *end;
	long seconds = strtol(word, &end, 10);
	if (strcmp(word, "off") == 0) {
		seconds = 0;
	} else if (end == word || *end != '\0' || seconds < 1 || seconds > 86400) {
		complain(p, d, "\"checkpoint\" must be off, or from 1 to 86400 seconds, not \"%s\"",
			word);
		return;
	}
	p->config->checkpoint = (int)seconds;
}

static void run_strategy(struct parser *p, const struct scfg_directive *d, void *target) {
	get_strategy(p, d, &p->config->strategy);
}

static const struct rule top_rules[] = {
	{"keyboard", "keyboard { ... }", 0, 0, true, run_keyboard},
	{"pointer", "pointer { ... }", 0, 0, true, run_pointer},
	{"output", "output NAME { ... }", 1, 1, true, run_output},
	{"headless", "headless { ... }", 0, 0, true, run_headless},
	{"bind", "bind KEYS COMMAND...", 2, SIZE_MAX, false, run_bind},
	{"tile", "tile NAME { ... }", 1, 1, true, run_tile},
	{"theme", "theme { ... }", 0, 0, true, run_theme},
	{"sources", "sources FOLDER", 1, 1, false, run_sources},
	{"animations", "animations on|off", 1, 1, false, run_animations},
	{"strategy", "strategy NAME", 1, 1, false, run_strategy},
	{"autostart", "autostart COMMAND...", 1, SIZE_MAX, false, run_autostart},
	{"record", "record SIZE|off", 1, 1, false, run_record},
	{"checkpoint", "checkpoint SECONDS|off", 1, 1, false, run_checkpoint},
};

static const struct {
	uint32_t modifiers;
	xkb_keysym_t keysym;
	const char *command;
} default_binds[] = {
	{WLR_MODIFIER_LOGO, XKB_KEY_Return, "exec cityctl open terminal || foot"},
	{WLR_MODIFIER_LOGO, XKB_KEY_q, "close"},
	{WLR_MODIFIER_LOGO | WLR_MODIFIER_SHIFT, XKB_KEY_q, "close"},
	{WLR_MODIFIER_LOGO, XKB_KEY_Tab, "focus next"},
	{WLR_MODIFIER_LOGO | WLR_MODIFIER_SHIFT, XKB_KEY_Tab, "focus prev"},
	{WLR_MODIFIER_ALT, XKB_KEY_Tab, "focus next"},
	{WLR_MODIFIER_ALT | WLR_MODIFIER_SHIFT, XKB_KEY_Tab, "focus prev"},
	{WLR_MODIFIER_LOGO, XKB_KEY_f, "fullscreen"},
	{WLR_MODIFIER_LOGO, XKB_KEY_m, "maximize"},
	{WLR_MODIFIER_LOGO, XKB_KEY_h, "minimize"},
	{WLR_MODIFIER_LOGO | WLR_MODIFIER_SHIFT, XKB_KEY_Left, "move left"},
	{WLR_MODIFIER_LOGO | WLR_MODIFIER_SHIFT, XKB_KEY_Right, "move right"},
	{WLR_MODIFIER_LOGO | WLR_MODIFIER_SHIFT, XKB_KEY_Up, "move up"},
	{WLR_MODIFIER_LOGO | WLR_MODIFIER_SHIFT, XKB_KEY_Down, "move down"},
	{WLR_MODIFIER_LOGO | WLR_MODIFIER_CTRL, XKB_KEY_Left, "resize narrower"},
	{WLR_MODIFIER_LOGO | WLR_MODIFIER_CTRL, XKB_KEY_Right, "resize wider"},
	{WLR_MODIFIER_LOGO | WLR_MODIFIER_CTRL, XKB_KEY_Up, "resize shorter"},
	{WLR_MODIFIER_LOGO | WLR_MODIFIER_CTRL, XKB_KEY_Down, "resize taller"},
	{WLR_MODIFIER_LOGO, XKB_KEY_Left, "pan left"},
	{WLR_MODIFIER_LOGO, XKB_KEY_Right, "pan right"},
	{WLR_MODIFIER_LOGO, XKB_KEY_Up, "pan up"},
	{WLR_MODIFIER_LOGO, XKB_KEY_Down, "pan down"},
	{WLR_MODIFIER_LOGO, XKB_KEY_equal, "zoom in"},
	{WLR_MODIFIER_LOGO, XKB_KEY_plus, "zoom in"},
	{WLR_MODIFIER_LOGO, XKB_KEY_minus, "zoom out"},
	{WLR_MODIFIER_LOGO, XKB_KEY_0, "zoom room"},
	{WLR_MODIFIER_LOGO, XKB_KEY_a, "zoom all"},
	{WLR_MODIFIER_LOGO, XKB_KEY_r, "reload"},
	{WLR_MODIFIER_LOGO | WLR_MODIFIER_SHIFT, XKB_KEY_e, "quit"},
};

struct city_config *city_config_default(void) {
	struct city_config *config = calloc(1, sizeof(*config));
	if (config == NULL) {
		return NULL;
	}
	config->repeat_rate = 30;
	config->repeat_delay = 400;
	config->tap = true;
	config->cursor_size = 24;
	config->animations = true;
	config->inertia = true;
	config->checkpoint = 30;
	config->headless_width = 1280;
	config->headless_height = 720;
	config->headless_count = 1;
	for (size_t i = 0; i < sizeof(default_binds) / sizeof(default_binds[0]); i++) {
		add_bind(config, default_binds[i].modifiers, default_binds[i].keysym,
			default_binds[i].command);
	}
	return config;
}

/* A whole name such as "terminal" must be left after strdup failed somewhere: entries without
 * one are dropped, so that nobody has to ask. */
static void drop_nameless(struct city_config *config) {
	size_t kept = 0;
	for (size_t i = 0; i < config->bind_count; i++) {
		if (config->binds[i].command != NULL) {
			config->binds[kept++] = config->binds[i];
		}
	}
	config->bind_count = kept;
	kept = 0;
	for (size_t i = 0; i < config->tile_count; i++) {
		if (config->tiles[i].name != NULL) {
			config->tiles[kept++] = config->tiles[i];
		}
	}
	config->tile_count = kept;
	kept = 0;
	for (size_t i = 0; i < config->output_count; i++) {
		if (config->outputs[i].name != NULL) {
			config->outputs[kept++] = config->outputs[i];
		}
	}
	config->output_count = kept;
}

struct city_config *city_config_load(const char *path, bool strict, int *errors) {
	struct city_config *config = city_config_default();
	if (config == NULL) {
		city_log(CITY_LOG_ERROR, "config", "out of memory");
		return NULL;
	}
	config->path_given = path != NULL;
	config->path = path != NULL ? strdup(path) : city_file_config();
	struct parser parser = {.config = config, .path = config->path};
	struct scfg_block root = {0};
	if (config->path == NULL) {
		goto out; /* neither the user's file nor the installed one: the defaults */
	}

	FILE *file = fopen(config->path, "re");
	if (file == NULL) {
		city_log(CITY_LOG_ERROR, "config", "%s: %s", config->path, strerror(errno));
		parser.errors++;
		goto out;
	}
	/* The library says where on stderr by itself. */
	int result = scfg_parse_file(&root, file);
	fclose(file);
	if (result < 0) {
		city_log(CITY_LOG_ERROR, "config",
			"%s: not a scfg file (see the line above): quotes and braces must match",
			config->path);
		parser.errors++;
		goto out;
	}
	RUN_BLOCK(&parser, &root, top_rules, NULL);
	scfg_block_finish(&root);
	drop_nameless(config);

out:
	fill_in_colors(config);
	if (errors != NULL) {
		*errors = parser.errors;
	}
	if (strict && parser.errors > 0) {
		city_config_destroy(config);
		return NULL;
	}
	return config;
}

void city_config_destroy(struct city_config *config) {
	if (config == NULL) {
		return;
	}
	for (size_t i = 0; i < config->bind_count; i++) {
		free(config->binds[i].command);
	}
	for (size_t i = 0; i < config->output_count; i++) {
		free(config->outputs[i].name);
	}
	for (size_t i = 0; i < config->tile_count; i++) {
		free(config->tiles[i].name);
		free(config->tiles[i].kind);
		free(config->tiles[i].source);
		free(config->tiles[i].artifact);
		for (size_t j = 0; j < config->tiles[i].option_count; j++) {
			free(config->tiles[i].options[j]);
		}
		free(config->tiles[i].options);
	}
	for (size_t i = 0; i < config->autostart_count; i++) {
		free(config->autostart[i]);
	}
	for (size_t i = 0; i < config->source_count; i++) {
		free(config->sources[i]);
	}
	free(config->sources);
	free(config->binds);
	free(config->outputs);
	free(config->tiles);
	free(config->autostart);
	free(config->xkb_rules);
	free(config->xkb_model);
	free(config->xkb_layout);
	free(config->xkb_variant);
	free(config->xkb_options);
	free(config->record);
	free(config->cursor_theme);
	free(config->font);
	free(config->path);
	free(config);
}

const struct city_output_config *city_config_output(
	const struct city_config *config, const char *name) {
	const struct city_output_config *any = NULL;
	for (size_t i = 0; i < config->output_count; i++) {
		if (strcmp(config->outputs[i].name, name) == 0) {
			return &config->outputs[i];
		}
		if (strcmp(config->outputs[i].name, "*") == 0) {
			any = &config->outputs[i];
		}
	}
	return any;
}
