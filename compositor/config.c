/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compositor/config_internal.h"
#include "compositor/files.h"
#include "compositor/theme.h"
#include "vat/log.h"

/* What the config has not said is as the style says. */
static void fill_in_colors(struct city_config *config) {
	const struct city_palette *palette = city_palette_of(config->style);
	config->color_ground = config->color_ground != 0 ? config->color_ground : palette->ground;
	config->color_focus = config->color_focus != 0 ? config->color_focus : palette->focus;
	config->color_frame = config->color_frame != 0 ? config->color_frame : palette->frame;
}

/* theme */

static void theme_font(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_set_string(&p->config->font, d->params[0]);
}

static void theme_ground(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_color(p, d, &p->config->color_ground);
}

static void theme_focus(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_color(p, d, &p->config->color_focus);
}

static void theme_frame(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_color(p, d, &p->config->color_frame);
}

static void theme_style(struct config_parser *p, const struct scfg_directive *d, void *target) {
	const char *word = d->params[0];
	if (strcmp(word, "dark") == 0) {
		p->config->style = CITY_STYLE_DARK;
	} else if (strcmp(word, "light") == 0) {
		p->config->style = CITY_STYLE_LIGHT;
	} else {
		config_complain(p, d, "\"style\" must be dark or light, not \"%s\"", word);
	}
}

static const struct config_rule theme_rules[] = {
	{"style", "style dark|light", 1, 1, false, theme_style},
	{"font", "font NAME", 1, 1, false, theme_font},
	{"ground", "ground \"#RRGGBB\"", 1, 1, false, theme_ground},
	{"focus", "focus \"#RRGGBB\"", 1, 1, false, theme_focus},
	{"frame", "frame \"#RRGGBB\"", 1, 1, false, theme_frame},
};

static void run_theme(struct config_parser *p, const struct scfg_directive *d, void *target) {
	RUN_BLOCK(p, &d->children, theme_rules, NULL);
}

static void run_sources(struct config_parser *p, const struct scfg_directive *d, void *target) {
	char *path = city_file_expand(d->params[0], p->path);
	char **source = path == NULL
		? NULL
		: config_append(&p->config->sources, &p->config->source_count, sizeof(char *));
	if (source == NULL) {
		free(path);
		return;
	}
	*source = path;
}

static void run_animations(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_switch(p, d, &p->config->animations);
}

/* As the tile host reads it. */
static void run_record(struct config_parser *p, const struct scfg_directive *d, void *target) {
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
		config_complain(
			p, d, "\"record\" must be off, or a size from 1M to 1G, not \"%s\"", word);
		return;
	}
	config_set_string(&p->config->record, word);
}

static void run_checkpoint(struct config_parser *p, const struct scfg_directive *d, void *target) {
	const char *word = d->params[0];
	char *end;
	long seconds = strtol(word, &end, 10);
	if (strcmp(word, "off") == 0) {
		seconds = 0;
	} else if (end == word || *end != '\0' || seconds < 1 || seconds > 86400) {
		config_complain(p, d,
			"\"checkpoint\" must be off, or from 1 to 86400 seconds, not \"%s\"", word);
		return;
	}
	p->config->checkpoint = (int)seconds;
}

static void run_strategy(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_strategy(p, d, &p->config->strategy);
}

static void run_autostart(struct config_parser *p, const struct scfg_directive *d, void *target) {
	char line[1024];
	if (!config_join(d, 0, line, sizeof(line))) {
		config_complain(p, d, "the command is longer than %zu bytes", sizeof(line) - 1);
		return;
	}
	char **command =
		config_append(&p->config->autostart, &p->config->autostart_count, sizeof(char *));
	if (command != NULL) {
		*command = strdup(line);
	}
}

static void run_launcher(struct config_parser *p, const struct scfg_directive *d, void *target) {
	char line[1024];
	if (!config_join(d, 0, line, sizeof(line))) {
		config_complain(p, d, "the command is longer than %zu bytes", sizeof(line) - 1);
		return;
	}
	config_set_string(&p->config->launcher, line);
}

static const struct config_rule top_rules[] = {
	{"keyboard", "keyboard { ... }", 0, 0, true, config_keyboard},
	{"pointer", "pointer { ... }", 0, 0, true, config_pointer},
	{"output", "output NAME { ... }", 1, 1, true, config_output},
	{"headless", "headless { ... }", 0, 0, true, config_headless},
	{"bind", "bind KEYS COMMAND...", 2, SIZE_MAX, false, config_bind},
	{"tile", "tile NAME { ... }", 1, 1, true, config_tile},
	{"theme", "theme { ... }", 0, 0, true, run_theme},
	{"sources", "sources FOLDER", 1, 1, false, run_sources},
	{"animations", "animations on|off", 1, 1, false, run_animations},
	{"strategy", "strategy NAME", 1, 1, false, run_strategy},
	{"autostart", "autostart COMMAND...", 1, SIZE_MAX, false, run_autostart},
	{"launcher", "launcher COMMAND...", 1, SIZE_MAX, false, run_launcher},
	{"record", "record SIZE|off", 1, 1, false, run_record},
	{"checkpoint", "checkpoint SECONDS|off", 1, 1, false, run_checkpoint},
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
	config_default_binds(config);
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
	struct config_parser parser = {.config = config, .path = config->path};
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
		free(config->tiles[i].splice);
		city_options_finish(&config->tiles[i].options);
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
	free(config->launcher);
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
