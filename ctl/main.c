/* SPDX-License-Identifier: MIT */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ctl.h"

static const struct option tiles_options[] = {
	{"names", NULL, "only the names, one a line"},
	{},
};
static const struct option open_options[] = {
	{"name", "NAME", "name of the new tile; otherwise one is chosen"},
	{"option", "KEY=VALUE", "told to the tile, before what the configuration says; any number"},
	{},
};
static const struct option swap_options[] = {
	{"source", "DIR", "build this folder"},
	{"artifact", "FILE", "a tile that is built already"},
	{"strategy", "S", "auto, instant, crossfade, freeze-and-fade, reset or melt"},
	{"at", "SPLICE", "when: !, @beat, @bar, @phrase(n), @loop, @marker(name)"},
	{"settled", NULL, "wait for the end of probation too"},
	{"force", NULL, "also when the old version refuses to give its state up"},
	{"state", "MODE", "inherit, reset, or merge: what cannot be carried over starts anew"},
	{"lossy", NULL, "values may be lost where they do not fit"},
	{},
};
static const struct option rollback_options[] = {
	{"at", "SPLICE", "when, as for swap"},
	{"list", NULL, "only list the versions that can be gone back to"},
	{"force", NULL, "also when the version refuses to give its state up"},
	{"state", "MODE", "inherit, reset, or merge: what cannot be carried over starts anew"},
	{"lossy", NULL, "values may be lost where they do not fit"},
	{},
};
static const struct option refactor_options[] = {
	{"dry-run", NULL, "only say what would be done"},
	{},
};
static const struct option watch_options[] = {
	{"source", "DIR", "watch this folder instead of the tile's own"},
	{},
};
static const struct option vat_options[] = {
	{"all", NULL, "every element, not only the first ones"},
	{"save", "FILE", "write a copy of the state to a file instead"},
	{"file", "FILE", "read such a copy; neither TILE nor city is needed"},
	{"diff", "FILE",
		"what differs from such a copy, or from \"previous\": the state at the handover"},
	{"watch", NULL, "print what changes, until ended"},
	{"interval", "MS", "look so often (100)"},
	{},
};
static const struct option test_options[] = {
	{"artifact", "FILE", "test this tile that is built already, instead of what runs"},
	{"source", "DIR", "build this folder and test that"},
	{"replay", NULL, "run it on the tile's last input, beside the version that runs"},
	{"amnesia", NULL, "hand over on the way, and see that nothing is lost"},
	{"record", "FILE", "on a saved recording, instead of the tile's own"},
	{"frames", "DIR", "put the first picture that differs there"},
	{},
};
static const struct option history_options[] = {
	{"last", "N", "only the last N"},
	{},
};

static const struct option picture_options[] = {
	{"size", "WxH", "of the picture, in pixels; what is shown is fitted in"},
	{"region", "CX,CY,WxH", "this part of the city"},
	{"tile", "NAME", "this tile, or the window of this app id, with its frame"},
	{},
};
static const struct option bookmark_options[] = {
	{"names", NULL, "only the names, one a line"},
	{},
};

static const struct option console_options[] = {
	{"serve", NULL, "what a tile runs on a PTY of its own, for others to look on"},
	{},
};

static const struct option keeper_options[] = {
	{"replace", NULL, "do it: by the program at PATH, or by the one that was installed since"},
	{},
};

const struct command commands[] = {
	{"tiles", "", 0, 0, "list the tiles", tiles_options, command_tiles},
	{"open", "KIND", 1, 1,
		"open a tile: a configured one, an installed one, or a source folder", open_options,
		command_open},
	{"close", "TILE", 1, 1, "end a tile and drop its state", NULL, command_close},
	{"swap", "TILE[=PATH]...", 1, SIZE_MAX,
		"hand over to a new version, of its own source if not told; of several tiles, all "
		"or none",
		swap_options, command_swap},
	{"watch", "TILE", 1, 1, "build and hand over at each save, until ended", watch_options,
		command_watch},
	{"rollback", "TILE [N|HASH]", 1, 2,
		"back to the good version before, N before, or of that hash", rollback_options,
		command_rollback},
	{"move", "TILE DISTRICT", 2, 2,
		"move a tile's source folder to another district, and hand over", refactor_options,
		command_move},
	{"replace", "TILE BY", 2, 2,
		"let a tile run what another one of its role runs, with its own state",
		refactor_options, command_replace},
	{"fork", "TILE [NAME]", 1, 2, "a new tile with a copy of a tile's source and state",
		refactor_options, command_fork},
	{"undo", "", 0, 0, "take the last move, replace or fork back", refactor_options,
		command_undo},
	{"redo", "", 0, 0, "do again what was undone last", refactor_options, command_redo},
	{"record", "TILE FILE", 2, 2, "save what went into a tile, for cityctl test", NULL,
		command_record},
	{"test", "TILE", 1, 1, "replay a tile's last input beside it; without options, all tests",
		test_options, command_test},
	{"vat", "[TILE] [CELL[.FIELD]]", 0, 2, "print the state of a tile, or what changes",
		vat_options, command_vat},
	{"checkpoint", "[TILE]", 0, 1, "save the state of a tile, or of all, to disk now", NULL,
		command_checkpoint},
	{"console", "TILE", 0, 1, "the console of a tile's machine; Ctrl+] leaves it",
		console_options, command_console},
	{"history", "[TILE]", 0, 1, "past handovers, the newest last", history_options,
		command_history},
	{"events", "", 0, 0, "everything that happens, until ended", NULL, command_events},
	{"go", "NAME|all|city|back", 1, SIZE_MAX,
		"to a tile, a window, a district, a quarter or a bookmark; to where all is seen; "
		"back",
		NULL, command_go},
	{"bookmark", "[list|set|go|remove] [NAME]", 0, SIZE_MAX, "places of the city with a name",
		bookmark_options, command_bookmark},
	{"camera", "[CX CY [ZOOM]]", 0, 3, "what the screens show, or to show that point", NULL,
		command_camera, true},
	{"picture", "FILE.png", 1, 1, "draw the whole city, or a part of it, into a file",
		picture_options, command_picture},
	{"transport", "[play|stop|tempo N|meter N|phrase N|locate BAR|mark NAME [BAR]|unmark NAME]",
		0, 3, "where the music is: tempo, bar, markers; or change it", NULL,
		command_transport},
	{"audio",
		"[volume NODE N%|mute NODE [off]|default NODE|link FROM TO|unlink FROM TO|move "
		"STREAM "
		"TO]",
		0, 3, "everything that sounds, or change it", NULL, command_audio},
	{"run", "COMMAND...", 1, SIZE_MAX, "a command of the desktop, as in a key binding", NULL,
		command_run, true},
	{"keeper", "[PATH]", 0, 1, "let another keeper take over, with everything that it holds",
		keeper_options, command_keeper},
	{"map", "", 0, 0, "what stands in the city: places, lines, costs, marks", NULL,
		command_map},
	{"state", "", 0, 0, "camera, outputs, views and costs", NULL, command_state},
	{"quit", "", 0, 0, "end the city", NULL, command_quit},
	{"version", "", 0, 0, "the version of cityctl", NULL, command_version},
	{},
};

static const struct option general_options[] = {
	{"json", NULL, "print JSON, one object a line"},
	{"socket", "NAME", "the city's socket, instead of $WAYLAND_DISPLAY"},
	{"help", NULL, "this, or the options of a command"},
	{"version", NULL, "the version of cityctl"},
	{},
};

/* ---- help */

static void print_options(FILE *file, const struct option *options) {
	for (; options != NULL && options->name != NULL; options++) {
		char left[64];
		snprintf(left, sizeof(left), "--%s%s%s", options->name,
			options->value != NULL ? " " : "",
			options->value != NULL ? options->value : "");
		fprintf(file, "  %-23s %s\n", left, options->help);
	}
}

static void print_usage(FILE *file, const struct command *command) {
	fprintf(file, "usage: cityctl %s", command->name);
	if (command->words[0] != '\0')
		fprintf(file, " %s", command->words);
	for (const struct option *option = command->options; option != NULL && option->name != NULL;
		option++) {
		fprintf(file, " [--%s%s%s]", option->name, option->value != NULL ? " " : "",
			option->value != NULL ? option->value : "");
	}
	fputc('\n', file);
}

static int print_help(const struct command *command) {
	if (command != NULL) {
		print_usage(stdout, command);
		printf("\n  %s\n\n", command->help);
		print_options(stdout, command->options);
		print_options(stdout, general_options);
		return CTL_OK;
	}
	printf("usage: cityctl [--json] [--socket NAME] COMMAND [OPTION...]\n\n");
	for (command = commands; command->name != NULL; command++) {
		char left[64];
		snprintf(left, sizeof(left), "%s %s", command->name, command->words);
		printf("  %-23s %s\n", left, command->help);
	}
	putchar('\n');
	print_options(stdout, general_options);
	printf("\nExit status: 0 done, 1 failed, 2 wrong usage. See cityctl(1).\n");
	return CTL_OK;
}

/* ---- the command line */

/* Number of edits that make b from a, by rows of the usual table. */
static size_t distance(const char *a, const char *b) {
	size_t row[64], width = strlen(b);
	if (width >= sizeof(row) / sizeof(row[0]))
		return SIZE_MAX;
	for (size_t j = 0; j <= width; j++)
		row[j] = j;
	for (size_t i = 1; *a != '\0'; a++, i++) {
		size_t corner = row[0];
		row[0] = i;
		for (size_t j = 1; j <= width; j++) {
			size_t best = corner + (*a != b[j - 1]);
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			corner = row[j];
			row[j] = best;
		}
	}
	return row[width];
}

const char *ctl_nearest(const char *word, const char *const *names) {
	const char *nearest = NULL;
	size_t length = strlen(word), least = length / 3 + 2;
	if (length == 0)
		return NULL;
	for (; *names != NULL; names++) {
		size_t edits = distance(word, *names);
		if (strncmp(word, *names, length) == 0)
			edits = 1; /* a beginning of it */
		if (edits < least) {
			least = edits;
			nearest = *names;
		}
	}
	return nearest;
}

int ctl_usage(const struct ctl *ctl, const char *format, ...) {
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	char *line = clean_line(text);
	fprintf(stderr, "cityctl: %s\n", line);
	free(line);
	if (ctl->command != NULL)
		print_usage(stderr, ctl->command);
	else
		fputs("usage: cityctl [--json] [--socket NAME] COMMAND [OPTION...]; "
		      "cityctl --help lists the commands\n",
			stderr);
	return CTL_USAGE;
}

static const struct option *find_option(
	const struct option *options, const char *name, size_t length) {
	for (; options != NULL && options->name != NULL; options++) {
		if (strlen(options->name) == length && strncmp(options->name, name, length) == 0)
			return options;
	}
	return NULL;
}

static int unknown_option(const struct ctl *ctl, const char *word) {
	const char *names[32];
	size_t count = 0;
	const struct option *lists[] = {
		ctl->command != NULL ? ctl->command->options : NULL, general_options};
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		for (const struct option *option = lists[i];
			option != NULL && option->name != NULL && count < 31; option++)
			names[count++] = option->name;
	}
	names[count] = NULL;
	const char *nearest = ctl_nearest(word + strspn(word, "-"), names);
	return ctl_usage(ctl, "no option %s%s%s%s", word,
		nearest != NULL ? "; did you mean --" : "", nearest != NULL ? nearest : "",
		nearest != NULL ? "?" : "");
}

static int unknown_command(const struct ctl *ctl, const char *word) {
	const char *names[sizeof(commands) / sizeof(commands[0])];
	size_t count = 0;
	for (const struct command *command = commands; command->name != NULL; command++)
		names[count++] = command->name;
	names[count] = NULL;
	const char *nearest = ctl_nearest(word, names);
	return ctl_usage(ctl, "no command %s%s%s%s", word, nearest != NULL ? "; did you mean " : "",
		nearest != NULL ? nearest : "", nearest != NULL ? "?" : "");
}

const char *ctl_option(const struct ctl *ctl, const char *name) {
	for (size_t i = ctl->option_count; i-- > 0;) {
		if (strcmp(ctl->options[i].name, name) == 0)
			return ctl->options[i].value;
	}
	return NULL;
}

bool ctl_has(const struct ctl *ctl, const char *name) {
	return ctl_option(ctl, name) != NULL;
}

bool ctl_number(const struct ctl *ctl, const char *option, long max, long *number) {
	const char *value = ctl_option(ctl, option);
	char *end;
	*number = strtol(value, &end, 10);
	if (end != value && *end == '\0' && *number >= 1 && *number <= max)
		return true;
	ctl_usage(ctl, "--%s needs a number from 1 to %ld, not %s", option, max, value);
	return false;
}

/* Takes an option off the command line. The number of words used: 1 or 2; 0 after ctl_usage. */
static int take_option(struct ctl *ctl, const struct option *option, char **at) {
	const char *value = strchr(at[0], '=');
	int used = 1;
	if (option->value == NULL && value != NULL) {
		ctl_usage(ctl, "--%s takes no value", option->name);
		return 0;
	}
	if (value != NULL) {
		value++;
	} else if (option->value != NULL) {
		value = at[1];
		used = 2;
	} else {
		value = "";
	}
	if (value == NULL || (option->value != NULL && value[0] == '\0')) {
		ctl_usage(ctl, "--%s needs a value: %s", option->name, option->value);
		return 0;
	}
	if (strcmp(option->name, "json") == 0)
		ctl->json = true;
	else if (strcmp(option->name, "socket") == 0)
		ctl->socket = value;
	if (ctl->option_count < CTL_OPTIONS_MAX) {
		ctl->options[ctl->option_count].name = option->name;
		ctl->options[ctl->option_count++].value = value;
	}
	return used;
}

/* CTL_OK, or CTL_USAGE after saying what is wrong. */
static int parse(struct ctl *ctl, int argc, char **argv) {
	bool only_words = false;
	for (int i = 1; i < argc;) {
		char *word = argv[i];
		if (!only_words && strcmp(word, "--") == 0) {
			only_words = true;
			i++;
			continue;
		}
		if (!only_words && strcmp(word, "-h") == 0)
			word = argv[i] = (char *)"--help";
		/* A number below zero is a word. */
		bool is_option = !only_words && word[0] == '-' && word[1] != '\0' &&
			strspn(word, "-0123456789.") != strlen(word);
		const struct option *option = NULL;
		if (is_option && strncmp(word, "--", 2) == 0) {
			size_t length = strcspn(word + 2, "=");
			option = find_option(general_options, word + 2, length);
			if (option == NULL && ctl->command != NULL)
				option = find_option(ctl->command->options, word + 2, length);
		}
		if (option != NULL) {
			int used = take_option(ctl, option, &argv[i]);
			if (used == 0)
				return CTL_USAGE;
			i += used;
			continue;
		}
		if (is_option && (ctl->command == NULL || !ctl->command->free_words))
			return unknown_option(ctl, word);
		i++;
		if (ctl->command != NULL) {
			ctl->words[ctl->word_count++] = word;
			continue;
		}
		for (const struct command *command = commands; command->name != NULL; command++) {
			if (strcmp(command->name, word) == 0)
				ctl->command = command;
		}
		if (ctl->command == NULL)
			return unknown_command(ctl, word);
	}
	return CTL_OK;
}

static int check_words(const struct ctl *ctl) {
	const struct command *command = ctl->command;
	if (ctl->word_count < command->min)
		return ctl_usage(ctl, "%s needs %s", command->name, command->words);
	if (ctl->word_count > command->max)
		return ctl_usage(
			ctl, "%s: what is \"%s\"?", command->name, ctl->words[command->max]);
	return CTL_OK;
}

int command_version(struct ctl *ctl) {
	if (!ctl->json) {
		puts("cityctl " CITY_VERSION);
		return CTL_OK;
	}
	struct json json;
	json_begin(&json, NULL);
	json_text(&json, "version", CITY_VERSION);
	json_print(&json);
	return CTL_OK;
}

static bool wants_color(int fd) {
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(fd) && (no == NULL || no[0] == '\0') && term != NULL &&
		strcmp(term, "dumb") != 0;
}

int main(int argc, char **argv) {
	struct ctl ctl = {
		.color = wants_color(STDOUT_FILENO),
		.live = isatty(STDERR_FILENO),
	};
	wl_list_init(&ctl.tiles);
	setvbuf(stdout, NULL, _IOLBF, 0);
	ctl.words = calloc((size_t)argc + 1, sizeof(*ctl.words));
	if (ctl.words == NULL)
		return CTL_FAILED;
	int status = parse(&ctl, argc, argv);
	if (status != CTL_OK)
		goto out;
	if (ctl_has(&ctl, "help")) {
		status = print_help(ctl.command);
	} else if (ctl_has(&ctl, "version")) {
		status = command_version(&ctl);
	} else if (ctl.command == NULL) {
		status = ctl_usage(&ctl, "a command is needed");
	} else {
		status = check_words(&ctl);
		if (status == CTL_OK)
			status = ctl.command->run(&ctl);
	}
	ctl_disconnect(&ctl);
	if (fflush(stdout) != 0 && status == CTL_OK) {
		perror("cityctl: stdout");
		status = CTL_FAILED;
	}
out:
	free(ctl.words);
	if (ctl_signal() != 0) {
		/* So that a shell sees what ended it. */
		sigset_t none;
		sigemptyset(&none);
		signal(ctl_signal(), SIG_DFL);
		raise(ctl_signal());
		sigprocmask(SIG_SETMASK, &none, NULL);
	}
	return status;
}
