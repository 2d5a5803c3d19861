/* SPDX-License-Identifier: MIT */
/* Of the config: bindings, and those that there are without one. */
#include <stdlib.h>
#include <string.h>

#include "compositor/command.h"
#include "compositor/config_internal.h"

/* As the installed config has them, which is what users copy. */
static const struct {
	const char *keys, *command;
} default_binds[] = {
	{"Super+Return", "exec cityctl open terminal || foot"},
	{"Super+d", "launch"},
	{"Super+q", "close"},
	{"Super+Shift+q", "close"},
	{"Super+Tab", "focus next"},
	{"Super+Shift+Tab", "focus prev"},
	{"Alt+Tab", "focus next"},
	{"Alt+Shift+Tab", "focus prev"},
	{"Super+f", "fullscreen"},
	{"Super+m", "maximize"},
	{"Super+h", "minimize"},
	{"Super+Shift+Left", "move left"},
	{"Super+Shift+Right", "move right"},
	{"Super+Shift+Up", "move up"},
	{"Super+Shift+Down", "move down"},
	{"Super+Ctrl+Left", "resize narrower"},
	{"Super+Ctrl+Right", "resize wider"},
	{"Super+Ctrl+Up", "resize shorter"},
	{"Super+Ctrl+Down", "resize taller"},
	{"Super+Alt+Left", "snap left"},
	{"Super+Alt+Right", "snap right"},
	{"Super+Alt+Up", "snap top"},
	{"Super+Alt+Down", "snap bottom"},
	{"Super+Alt+c", "snap center"},
	{"Super+t", "arrange"},
	{"Super+Shift+t", "arrange off"},
	{"Super+Shift+a", "above"},
	{"Ctrl+Alt+Left", "focus left"},
	{"Ctrl+Alt+Right", "focus right"},
	{"Ctrl+Alt+Up", "focus up"},
	{"Ctrl+Alt+Down", "focus down"},
	{"Super+Left", "pan left"},
	{"Super+Right", "pan right"},
	{"Super+Up", "pan up"},
	{"Super+Down", "pan down"},
	{"Super+equal", "zoom in"},
	{"Super+plus", "zoom in"},
	{"Super+minus", "zoom out"},
	{"Super+0", "zoom room"},
	{"Super+a", "zoom all"},
	{"Super+b", "go back"},
	{"Super+n", "minimap"},
	{"Super+F1", "bookmark go 1"},
	{"Super+F2", "bookmark go 2"},
	{"Super+F3", "bookmark go 3"},
	{"Super+F4", "bookmark go 4"},
	{"Super+Shift+F1", "bookmark set 1"},
	{"Super+Shift+F2", "bookmark set 2"},
	{"Super+Shift+F3", "bookmark set 3"},
	{"Super+Shift+F4", "bookmark set 4"},
	{"Super+r", "reload"},
	{"Super+Shift+e", "quit"},
	{"Super+ButtonLeft", "drag move"},
	{"Super+Ctrl+ButtonLeft", "drag move"},
	{"Super+ButtonRight", "drag resize"},
	{"Super+ButtonMiddle", "drag pan"},
	{"Ground+ButtonLeft", "drag pan"},
	{"Ground+ButtonMiddle", "drag pan"},
	{"Super+Wheel", "scroll zoom"},
	{"Ground+Wheel", "scroll pan"},
};

static void add_bind(
	struct city_config *config, const struct city_bind *added, const char *command) {
	for (size_t i = 0; i < config->bind_count; i++) {
		struct city_bind *bind = &config->binds[i];
		if (bind->kind == added->kind && bind->place == added->place &&
			bind->modifiers == added->modifiers && bind->code == added->code) {
			config_set_string(&bind->command, command);
			return;
		}
	}
	struct city_bind *bind =
		config_append(&config->binds, &config->bind_count, sizeof(struct city_bind));
	if (bind != NULL) {
		*bind = *added;
		bind->command = strdup(command);
	}
}

void config_default_binds(struct city_config *config) {
	for (size_t i = 0; i < sizeof(default_binds) / sizeof(default_binds[0]); i++) {
		struct city_bind bind;
		char error[400];
		if (city_bind_parse(default_binds[i].keys, &bind, error, sizeof(error))) {
			add_bind(config, &bind, default_binds[i].command);
		}
	}
}

void config_bind(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_bind bind;
	char line[1024], error[400];
	if (!city_bind_parse(d->params[0], &bind, error, sizeof(error))) {
		config_complain(p, d, "%s", error);
		return;
	}
	if (!config_join(d, 1, line, sizeof(line))) {
		config_complain(p, d, "the command is longer than %zu bytes", sizeof(line) - 1);
		return;
	}
	if (!city_command_check(line, bind.kind, error, sizeof(error))) {
		config_complain(p, d, "%s", error);
		return;
	}
	add_bind(p->config, &bind, line);
}
