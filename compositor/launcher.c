/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compositor/launcher.h"

/* All put themselves on a layer; the lightest first. */
static const struct {
	const char *program, *command;
} known[] = {
	{"fuzzel", "fuzzel"},
	{"tofi-drun", "tofi-drun --drun-launch=true"},
	{"wofi", "wofi --show drun"},
	{"rofi", "rofi -show drun"},
	{"bemenu-run", "bemenu-run"},
	{"wmenu-run", "wmenu-run"},
};

static bool is_installed(const char *program) {
	const char *path = getenv("PATH");
	char file[4096];
	for (const char *at = path; at != NULL && *at != '\0';) {
		size_t length = strcspn(at, ":");
		int written = snprintf(file, sizeof(file), "%.*s/%s", (int)length, at, program);
		if (length > 0 && written < (int)sizeof(file) && access(file, X_OK) == 0) {
			return true;
		}
		at += length + (at[length] == ':');
	}
	return false;
}

const char *city_launcher(const struct city_config *config) {
	if (config->launcher != NULL) {
		return config->launcher;
	}
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
		if (is_installed(known[i].program)) {
			return known[i].command;
		}
	}
	return NULL;
}

const char *city_launcher_names(void) {
	return "fuzzel, tofi, wofi, rofi, bemenu, wmenu";
}
