/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compositor/survey_file.h"
#include "log.h"

#define HEAD "source-city layout 1\n"
#define FILE_MAX (256 << 20)
#define PLACE_LIMIT 1e9

/* FNV-1a, 64 bits: damage is noticed, malice is not. */
static uint64_t checksum(const char *text, size_t size) {
	uint64_t hash = 0xcbf29ce484222325;
	for (size_t i = 0; i < size; i++) {
		hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3;
	}
	return hash;
}

void city_survey_places_finish(struct city_survey_places *places) {
	for (size_t i = 0; i < places->count; i++) {
		free(places->list[i].name);
	}
	free(places->list);
	*places = (struct city_survey_places){0};
}

static bool read_place(char *line, struct city_survey_places *places) {
	char *rest = NULL, *name = strtok_r(line, " ", &rest);
	char *x = strtok_r(NULL, " ", &rest), *y = strtok_r(NULL, " ", &rest);
	char *hand = strtok_r(NULL, " ", &rest), *end_x, *end_y;
	if (name == NULL || y == NULL || (hand != NULL && strcmp(hand, "hand") != 0) ||
		!city_layout_unescape(name)) {
		return false;
	}
	struct city_survey_place place = {
		.cx = strtod(x, &end_x), .cy = strtod(y, &end_y), .hand = hand != NULL};
	struct city_survey_place *list =
		reallocarray(places->list, places->count + 1, sizeof(*list));
	if (list != NULL) {
		places->list = list;
	}
	if (*end_x != '\0' || *end_y != '\0' || !(fabs(place.cx) <= PLACE_LIMIT) ||
		!(fabs(place.cy) <= PLACE_LIMIT) || list == NULL) {
		return false;
	}
	place.name = strdup(name);
	list[places->count] = place;
	places->count += place.name != NULL;
	return place.name != NULL;
}

/* What is wrong with it; NULL: nothing. The text is changed. */
static const char *parse(char *text, size_t size, const char *home,
	struct city_survey_places *places, struct city_layout **layout) {
	static char why[128]; /* one thread at a time reads */
	if (size < strlen(HEAD) || memcmp(text, HEAD, strlen(HEAD)) != 0) {
		return "it is no layout of this version";
	}
	char *end = text + size;
	/* The last line has the checksum of all before it. */
	char *last = end - 1;
	while (last > text && last[-1] != '\n') {
		last--;
	}
	char *rest = last;
	unsigned long long sum = strncmp(last, "end ", 4) == 0 ? strtoull(last + 4, &rest, 16) : 0;
	if (rest != end - 1 || *rest != '\n' || checksum(text, (size_t)(last - text)) != sum) {
		return "it is damaged";
	}
	unsigned line = 1;
	char *at = text + strlen(HEAD);
	bool ours = false;
	while (at < last) {
		char *newline = memchr(at, '\n', (size_t)(last - at));
		bool is_city = strncmp(at, "city ", 5) == 0;
		if (newline == NULL || (!is_city && strncmp(at, "place ", 6) != 0)) {
			break;
		}
		*newline = '\0';
		line++;
		if (is_city) {
			ours = city_layout_unescape(at + 5) && home != NULL &&
				strcmp(at + 5, home) == 0;
		} else if (!read_place(at + 6, places)) {
			snprintf(why, sizeof(why), "its line %u is no place", line);
			return why;
		}
		at = newline + 1;
	}
	if (!ours) {
		return "it tells of another city";
	}
	unsigned bad = 0;
	*layout = city_layout_read(at, (size_t)(last - at), &bad);
	if (*layout == NULL) {
		snprintf(why, sizeof(why), "its line %u is no part of a layout", line + bad);
		return why;
	}
	return NULL;
}

static void set_aside(const char *path, const char *why) {
	char aside[4096];
	for (int n = 1; n < 1000; n++) {
		snprintf(aside, sizeof(aside), "%s.aside-%d", path, n);
		if (access(aside, F_OK) == 0) {
			continue;
		}
		if (rename(path, aside) == 0) {
			city_log(CITY_LOG_ERROR, "layout",
				"%s cannot be used, %s; it is kept as %s and the source is laid "
				"out anew",
				path, why, aside);
		} else {
			city_log(CITY_LOG_ERROR, "layout", "%s cannot be used, %s: %s", path, why,
				strerror(errno));
		}
		return;
	}
}

struct city_layout *city_survey_file_read(
	const char *path, const char *home, struct city_survey_places *places) {
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat info;
	if (fd < 0 && errno == ENOENT) {
		return NULL;
	}
	struct city_layout *layout = NULL;
	char *text = NULL;
	const char *why = NULL;
	if (fd < 0 || fstat(fd, &info) < 0) {
		why = strerror(errno);
	} else if (!S_ISREG(info.st_mode) || info.st_size < 1 || info.st_size > FILE_MAX) {
		why = info.st_size < 1 ? "it is empty" : "it is no file of this kind";
	} else if ((text = malloc((size_t)info.st_size + 1)) == NULL) {
		why = "out of memory";
	} else {
		size_t size = 0;
		ssize_t got;
		while (size < (size_t)info.st_size &&
			(got = read(fd, text + size, (size_t)info.st_size - size)) > 0) {
			size += (size_t)got;
		}
		text[size] = '\0';
		why = parse(text, size, home, places, &layout);
	}
	if (fd >= 0) {
		close(fd);
	}
	free(text);
	if (why != NULL) {
		city_survey_places_finish(places);
		set_aside(path, why);
	}
	return layout;
}

char *city_survey_file_write(const struct city_layout *layout, const char *home,
	const struct city_quarter *quarters, size_t count, size_t *size) {
	char *text = NULL, name[3 * 4096 + 1];
	FILE *file = open_memstream(&text, size);
	if (file == NULL) {
		return NULL;
	}
	city_layout_escape(home == NULL ? "" : home, name, sizeof(name));
	fprintf(file, HEAD "city %s\n", name);
	for (size_t i = 0; i < count; i++) {
		if (isnan(quarters[i].box.cx)) {
			continue;
		}
		city_layout_escape(quarters[i].name, name, sizeof(name));
		fprintf(file, "place %s %.3f %.3f%s\n", name, quarters[i].box.cx,
			quarters[i].box.cy, quarters[i].hand ? " hand" : "");
	}
	city_layout_write(layout, file);
	if (fflush(file) != 0) {
		fclose(file);
		free(text);
		return NULL;
	}
	unsigned long long sum = checksum(text, *size);
	fprintf(file, "end %016llx\n", sum);
	if (fclose(file) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
