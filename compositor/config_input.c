/* SPDX-License-Identifier: MIT */
/* Of the config: keyboard and pointer. */
#include <stdlib.h>
#include <string.h>

#include "compositor/config_internal.h"

/* keyboard */

static void keyboard_layout(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_set_string(&p->config->xkb_layout, d->params[0]);
}

static void keyboard_rules(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_set_string(&p->config->xkb_rules, d->params[0]);
}

static void keyboard_model(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_set_string(&p->config->xkb_model, d->params[0]);
}

static void keyboard_variant(
	struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_set_string(&p->config->xkb_variant, d->params[0]);
}

static void keyboard_options(
	struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_set_string(&p->config->xkb_options, d->params[0]);
}

static void keyboard_repeat(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_int(p, d, d->params[0], 0, 1000, &p->config->repeat_rate);
	config_get_int(p, d, d->params[1], 1, 10000, &p->config->repeat_delay);
}

static void keyboard_numlock(
	struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_switch(p, d, &p->config->numlock);
}

static const struct config_rule keyboard_rules_table[] = {
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

void config_keyboard(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_config *config = p->config;
	RUN_BLOCK(p, &d->children, keyboard_rules_table, NULL);
	if (config->xkb_rules == NULL && config->xkb_model == NULL && config->xkb_layout == NULL &&
		config->xkb_variant == NULL && config->xkb_options == NULL) {
		return;
	}
	struct xkb_keymap *keymap = city_config_keymap(config);
	if (keymap == NULL) {
		config_complain(p, d,
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

static void pointer_scroll(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_switch(p, d, &p->config->natural_scroll);
}

static void pointer_tap(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_switch(p, d, &p->config->tap);
}

static void pointer_speed(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_double(p, d, d->params[0], -1, 1, &p->config->pointer_speed);
}

static void pointer_theme(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_set_string(&p->config->cursor_theme, d->params[0]);
}

static void pointer_size(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_int(p, d, d->params[0], 8, 256, &p->config->cursor_size);
}

static void pointer_inertia(struct config_parser *p, const struct scfg_directive *d, void *target) {
	config_get_switch(p, d, &p->config->inertia);
}

static const struct config_rule pointer_rules[] = {
	{"inertia", "inertia on|off", 1, 1, false, pointer_inertia},
	{"natural-scroll", "natural-scroll on|off", 1, 1, false, pointer_scroll},
	{"tap", "tap on|off", 1, 1, false, pointer_tap},
	{"speed", "speed NUMBER (-1 to 1)", 1, 1, false, pointer_speed},
	{"theme", "theme NAME", 1, 1, false, pointer_theme},
	{"size", "size PIXELS", 1, 1, false, pointer_size},
};

void config_pointer(struct config_parser *p, const struct scfg_directive *d, void *target) {
	RUN_BLOCK(p, &d->children, pointer_rules, NULL);
}
