/* SPDX-License-Identifier: MIT */
/* The files of text that the city reads, any bytes at all: the first byte chooses the reader. The
 * configuration, where the tiles are, the records of handovers, what a compiler says it has read,
 * and what it says is wrong. */
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "compositor/command.h"
#include "compositor/config.h"
#include "compositor/places.h"
#include "compositor/record.h"
#include "compositor/theme.h"
#include "forge/cache.h"
#include "forge/diagnostic.h"
#include "log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
const char *__lsan_default_suppressions(void);

/* The library forgets the blocks that are open where it finds an error. */
const char *__lsan_default_suppressions(void) {
	return "leak:libscfg";
}

/* What is said of each bad line is no part of this. */
void city_log(enum city_log_level level, const char *subject, const char *format, ...) {
	va_list args;
	va_start(args, format);
	char text[64];
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
}

/* The rest of the compositor. */
bool city_command_check(
	const char *line, enum city_bind_kind kind, char *error, size_t error_size) {
	snprintf(error, error_size, "\"%s\" is no command", line);
	return strlen(line) % 2 == 0;
}

const struct city_palette *city_palette_of(enum city_style style) {
	static const struct city_palette palette;
	return &palette;
}

static char state_home[] = "/tmp/fuzz-text-XXXXXX";

static void remove_state(void) {
	char path[128];
	static const char *const names[] = {"/source-city/history.jsonl", "/source-city", ""};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", state_home, names[i]);
		remove(path);
	}
}

int LLVMFuzzerInitialize(int *argc, char ***argv) {
	if (mkdtemp(state_home) == NULL || setenv("XDG_STATE_HOME", state_home, 1) < 0) {
		abort();
	}
	atexit(remove_state);
	return 0;
}

static void read_config(const char *path) {
	int errors = 0;
	struct city_config *config = city_config_load(path, false, &errors);
	if (config == NULL || config->headless_width <= 0 || config->headless_height <= 0) {
		abort();
	}
	for (size_t i = 0; i < config->tile_count; i++) {
		if (!vat_name_valid(config->tiles[i].name)) {
			abort();
		}
	}
	city_config_destroy(config);
}

static void read_places(const char *path) {
	struct city_places *places = city_places_none();
	if (city_places_read(places, path) >= 0) {
		struct city_place *place;
		wl_list_for_each(place, &places->list, link) {
			if (!vat_name_valid(place->name) || vat_uuid_is_nil(&place->uuid)) {
				abort();
			}
		}
	}
	city_places_destroy(places);
}

static void read_history(const uint8_t *data, size_t size) {
	/* The first time it makes the folder. */
	city_history_destroy(city_history_create());
	char path[128];
	snprintf(path, sizeof(path), "%s/source-city/history.jsonl", state_home);
	FILE *file = fopen(path, "we");
	if (file == NULL || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
		abort();
	}
	struct city_history *history = city_history_create();
	const size_t count = city_history_count(history);
	for (size_t i = 0; i < count; i++) {
		if (strlen(city_history_get(history, i)) >= CITY_RECORD_SIZE) {
			abort();
		}
	}
	/* What is added comes after it, whatever the file ends with. */
	const struct city_record record = {.id = city_history_next_id(history), .tile = "x"};
	if (city_history_add(history, &record) == NULL) {
		abort();
	}
	city_history_destroy(history);
	history = city_history_create();
	const size_t now = city_history_count(history);
	if (now < count || now == 0 ||
		strstr(city_history_get(history, now - 1), "\"tile\":\"x\"") == NULL) {
		abort();
	}
	city_history_destroy(history);
}

static void read_depfile(const char *text, size_t size) {
	struct strings names = {0};
	cache_parse_depfile(text, size, &names);
	strings_finish(&names);
}

static void read_diagnostic(const char *text, size_t size) {
	struct buffer buffer = {0};
	diagnostic_add(&buffer, text, size);
	if (buffer.data != NULL) {
		char *first = diagnostic_first_error(buffer.data);
		if (first != NULL && strchr(first, '\n') != NULL) {
			abort();
		}
		free(first);
	}
	buffer_finish(&buffer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	if (size == 0 || size > 1 << 16) {
		return 0;
	}
	const uint8_t kind = data[0] % 5;
	data++;
	size--;
	int fd = memfd_create("text", MFD_CLOEXEC);
	if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
		abort();
	}
	char path[32];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (kind == 0) {
		read_config(path);
	} else if (kind == 1) {
		read_places(path);
	} else if (kind == 2) {
		read_history(data, size);
	} else if (kind == 3) {
		read_depfile((const char *)data, size);
	} else {
		read_diagnostic((const char *)data, size);
	}
	close(fd);
	return 0;
}
