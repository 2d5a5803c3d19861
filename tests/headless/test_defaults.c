/* SPDX-License-Identifier: MIT */
/* The defaults as users see them: the shipped configuration, and what the completions know. */
#include "fixture.h"

#include "compositor/bind.h"
#include "compositor/command.h"
#include "compositor/config.h"

static bool is_listed(const char *name, const char *list) {
	char word[64];
	int at = 0;
	for (; sscanf(list, "%63s%n", word, &at) == 1; list += at) {
		if (strcmp(word, name) == 0) {
			return true;
		}
	}
	return false;
}

/* What is there for buttons and wheels alone is nothing to run. */
static void completions_know_every_command(void **state) {
	static const struct {
		const char *file, *before, *begin, *end;
	} lists[] = {
		{"cityctl.bash", "\trun)", "-W '", "'"},
		{"_cityctl", "\trun)", "1:command:(", ")"},
		{"cityctl.fish", "__fish_seen_subcommand_from run'", "-a '", "'"},
	};
	char error[2048];
	assert_false(city_command_check("nonsense", CITY_BIND_KEY, error, sizeof(error)));
	char *known = strstr(error, "allowed: ");
	assert_non_null(known);
	known += strlen("allowed: ");
	for (char *comma = known; (comma = strchr(comma, ',')) != NULL;) {
		*comma = ' ';
	}
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		char path[4096], text[32768], word[64];
		snprintf(path, sizeof(path), "%s/%s", getenv("SOURCE_CITY_COMPLETIONS"),
			lists[i].file);
		FILE *file = fopen(path, "re");
		assert_non_null(file);
		size_t size = fread(text, 1, sizeof(text) - 1, file);
		assert_true(feof(file));
		fclose(file);
		text[size] = '\0';
		char *list = strstr(text, lists[i].before);
		list = list == NULL ? NULL : strstr(list, lists[i].begin);
		assert_non_null(list);
		list += strlen(lists[i].begin);
		assert_non_null(strstr(list, lists[i].end));
		*strstr(list, lists[i].end) = '\0';
		int at = 0;
		for (const char *next = known; sscanf(next, "%63s%n", word, &at) == 1; next += at) {
			if (is_listed(word, list) == is_listed(word, "drag none scroll")) {
				fail_msg("%s: \"%s\" in: %s", lists[i].file, word, list);
			}
		}
		for (const char *next = list; sscanf(next, "%63s%n", word, &at) == 1; next += at) {
			if (!is_listed(word, known)) {
				fail_msg("%s: there is no \"%s\"", lists[i].file, word);
			}
		}
	}
}

static void same_binds(const struct city_config *all, const struct city_config *config) {
	for (size_t i = 0; i < config->bind_count; i++) {
		const struct city_bind *bind = &config->binds[i];
		const struct city_bind *same =
			city_bind_find(all, bind->kind, bind->place, bind->modifiers, bind->code);
		if (same == NULL || strcmp(same->command, bind->command) != 0) {
			fail_msg("only one of them binds something to \"%s\"", bind->command);
		}
	}
}

/* The file is what users see of the defaults. */
static void the_shipped_config_binds_what_is_bound_without(void **state) {
	const char *path = getenv("SOURCE_CITY_CONFIG_DEFAULT");
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	struct city_config *without = city_config_default();
	struct city_config *bare = calloc(1, sizeof(*bare));
	assert_non_null(without);
	assert_non_null(bare);
	char line[256], keys[64], error[400];
	while (fgets(line, sizeof(line), file) != NULL) {
		struct city_bind bind;
		int at = 0;
		if (sscanf(line, "bind %63s %n", keys, &at) != 1) {
			continue;
		}
		line[strcspn(line, "\n")] = '\0';
		assert_true(city_bind_parse(keys, &bind, error, sizeof(error)));
		bind.command = strdup(line + at);
		bare->binds = realloc(bare->binds, (bare->bind_count + 1) * sizeof(bind));
		bare->binds[bare->bind_count++] = bind;
	}
	fclose(file);
	same_binds(without, bare);
	same_binds(bare, without);
	city_config_destroy(bare);
	city_config_destroy(without);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_shipped_config_binds_what_is_bound_without),
		cmocka_unit_test(completions_know_every_command),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
