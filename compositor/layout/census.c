/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compositor/layout/census.h"
#include "compositor/layout/layout.h"

static bool grow(void *array_pointer, size_t *room, size_t wanted, size_t size) {
	void **array = array_pointer;
	if (wanted <= *room) {
		return true;
	}
	size_t more = *room < 64 ? 64 : *room * 2;
	while (more < wanted) {
		more *= 2;
	}
	void *grown = reallocarray(*array, more, size);
	if (grown == NULL) {
		return false;
	}
	*array = grown;
	*room = more;
	return true;
}

void city_census_finish(struct city_census *census) {
	free(census->entries);
	free(census->names);
	free(census->open);
	*census = (struct city_census){0};
}

/* The entry that was added last to the open folder, or to the top level. */
static const struct city_census_entry *last_sibling(const struct city_census *census) {
	uint32_t at = census->open_count > 0 ? census->open[census->open_count - 1] + 1 : 0;
	const struct city_census_entry *last = NULL;
	if (census->open_count > 0 && census->entries[at - 1].lines < at) {
		return NULL; /* nothing in it yet */
	}
	if (census->open_count > 0) {
		last = &census->entries[census->entries[at - 1].lines];
	} else if (census->count > 0) {
		for (uint32_t i = 0; i < census->count; i = census->entries[i].end) {
			last = &census->entries[i];
		}
	}
	return last;
}

static struct city_census_entry *add(struct city_census *census, const char *name, bool folder) {
	const struct city_census_entry *last = last_sibling(census);
	if (last != NULL && strcmp(city_census_name(census, last), name) >= 0) {
		return NULL;
	}
	size_t length = strlen(name) + 1;
	if (census->count >= UINT32_MAX / 4 || census->names_size + length >= UINT32_MAX ||
		!grow(&census->entries, &census->room, census->count + 1,
			sizeof(*census->entries)) ||
		!grow(&census->names, &census->names_room, census->names_size + length, 1)) {
		census->failed = true;
		return NULL;
	}
	uint32_t at = (uint32_t)census->count++;
	/* While a folder is open, its lines hold which of its entries came last. */
	if (census->open_count > 0) {
		census->entries[census->open[census->open_count - 1]].lines = at;
	}
	struct city_census_entry *entry = &census->entries[at];
	*entry = (struct city_census_entry){
		.name = (uint32_t)census->names_size, .end = at + 1, .folder = folder};
	memcpy(census->names + census->names_size, name, length);
	census->names_size += length;
	return entry;
}

bool city_census_begin(struct city_census *census, const char *name) {
	if (!grow(&census->open, &census->open_room, census->open_count + 1,
		    sizeof(*census->open))) {
		census->failed = true;
		return false;
	}
	if (add(census, name, true) == NULL) {
		return false;
	}
	census->open[census->open_count++] = (uint32_t)census->count - 1;
	return true;
}

bool city_census_module(struct city_census *census, const char *name, uint32_t lines) {
	struct city_census_entry *entry = census->open_count > 0 ? add(census, name, false) : NULL;
	if (entry != NULL) {
		entry->lines = lines;
	}
	return entry != NULL;
}

void city_census_end(struct city_census *census) {
	if (census->open_count > 0) {
		struct city_census_entry *entry =
			&census->entries[census->open[--census->open_count]];
		entry->end = (uint32_t)census->count;
		entry->lines = 0;
	}
}

void city_census_weigh(struct city_census *census) {
	while (census->open_count > 0) {
		city_census_end(census);
	}
	/* Backwards, what is below comes before what it is in. */
	for (size_t i = census->count; i-- > 0;) {
		struct city_census_entry *entry = &census->entries[i];
		if (!entry->folder) {
			entry->weight = city_layout_module_weight(entry->lines);
			continue;
		}
		uint64_t lines = 0;
		double content = 0;
		for (uint32_t j = (uint32_t)i + 1; j < entry->end; j = census->entries[j].end) {
			lines += census->entries[j].lines;
			content += census->entries[j].weight;
		}
		entry->lines = lines > UINT32_MAX ? UINT32_MAX : (uint32_t)lines;
		entry->weight = city_layout_folder_weight(content);
	}
}
