/* SPDX-License-Identifier: MIT */
/* Of the config: screens. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compositor/config_internal.h"

/* output */

static void output_mode(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_output_config *output = target;
	int w, h;
	double hz = 0;
	const char *word = d->params[0];
	const char *rest = config_parse_size(word, &w, &h);
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
		config_complain(
			p, d, "\"mode\" must be WIDTHxHEIGHT or WIDTHxHEIGHT@HZ, not \"%s\"", word);
		return;
	}
	output->width = w;
	output->height = h;
	output->refresh_mhz = (int)lround(hz * 1000);
}

static void output_scale(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_output_config *output = target;
	config_get_double(p, d, d->params[0], 0.25, 8, &output->scale);
}

static void output_transform(
	struct config_parser *p, const struct scfg_directive *d, void *target) {
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
	config_complain(p, d,
		"\"transform\" must be normal, 90, 180, 270, flipped, flipped-90, flipped-180 or "
		"flipped-270, not \"%s\"",
		d->params[0]);
}

static void output_position(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_output_config *output = target;
	output->has_position = config_get_int(p, d, d->params[0], -100000, 100000, &output->ox) &&
		config_get_int(p, d, d->params[1], -100000, 100000, &output->oy);
}

static void output_off(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_output_config *output = target;
	output->off = true;
}

static const struct config_rule output_rules[] = {
	{"mode", "mode WIDTHxHEIGHT[@HZ]", 1, 1, false, output_mode},
	{"scale", "scale NUMBER", 1, 1, false, output_scale},
	{"transform", "transform normal|90|180|270|flipped|...", 1, 1, false, output_transform},
	{"position", "position X Y", 2, 2, false, output_position},
	{"off", "off", 0, 0, false, output_off},
};

void config_output(struct config_parser *p, const struct scfg_directive *d, void *target) {
	for (size_t i = 0; i < p->config->output_count; i++) {
		if (strcmp(p->config->outputs[i].name, d->params[0]) == 0) {
			config_complain(p, d,
				"output \"%s\" is there twice; one block holds all of it",
				d->params[0]);
			return;
		}
	}
	struct city_output_config *output = config_append(
		&p->config->outputs, &p->config->output_count, sizeof(struct city_output_config));
	if (output == NULL) {
		return;
	}
	output->name = strdup(d->params[0]);
	RUN_BLOCK(p, &d->children, output_rules, output);
}

/* headless */

static void headless_size(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_size(
		p, d, d->params[0], &p->config->headless_width, &p->config->headless_height);
}

static void headless_count(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_int(p, d, d->params[0], 0, 16, &p->config->headless_count);
}

static const struct config_rule headless_rules[] = {
	{"size", "size WIDTHxHEIGHT", 1, 1, false, headless_size},
	{"count", "count NUMBER", 1, 1, false, headless_count},
};

void config_headless(struct config_parser *p, const struct scfg_directive *d, void *target) {
	RUN_BLOCK(p, &d->children, headless_rules, NULL);
}
