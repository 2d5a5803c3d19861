/* SPDX-License-Identifier: MIT */
/* Of the config: tiles. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compositor/config_internal.h"
#include "compositor/files.h"
#include "vat/transport.h"
#include "vat/vat.h"

/* tile */

static void tile_source(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	char *path = city_file_expand(d->params[0], p->path);
	if (path != NULL) {
		free(tile->source);
		tile->source = path;
	}
}

static void tile_at(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	tile->has_place = config_get_double(p, d, d->params[0], -1e6, 1e6, &tile->cx) &&
		config_get_double(p, d, d->params[1], -1e6, 1e6, &tile->cy);
}

static void tile_size(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	tile->has_size = config_get_int(p, d, d->params[0], 1, 8192, &tile->width) &&
		config_get_int(p, d, d->params[1], 1, 8192, &tile->height);
}

/* The same rule for the names of tiles and of their kinds, which are file names too. */
static bool check_name(struct config_parser *p, const struct scfg_directive *d) {
	if (!vat_name_valid(d->params[0])) {
		config_complain(p, d,
			"\"%s\" cannot name a tile; allowed: lower case letters, digits, '.', '_' "
			"and "
			"'-', a letter first",
			d->params[0]);
		return false;
	}
	return true;
}

static void tile_kind(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	if (check_name(p, d)) {
		config_set_string(&tile->kind, d->params[0]);
	}
}

static void tile_artifact(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	char *path = city_file_expand(d->params[0], p->path);
	if (path != NULL) {
		free(tile->artifact);
		tile->artifact = path;
	}
}

static void tile_option(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	char *entry;
	if (asprintf(&entry, "%s=%s", d->params[0], d->params[1]) < 0) {
		return;
	}
	city_options_add(&tile->options, entry);
	free(entry);
}

static void tile_strategy(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	config_get_strategy(p, d, &tile->strategy);
}

static void tile_splice(struct config_parser *p, const struct scfg_directive *d, void *target) {
	struct city_tile_config *tile = target;
	struct vat_splice_point point;
	struct vat_error error;
	if (vat_splice_parse(d->params[0], &point, &error) < 0) {
		config_complain(p, d, "%.400s", error.text);
		return;
	}
	config_set_string(&tile->splice, d->params[0]);
}

static const struct config_rule tile_rules[] = {
	{"kind", "kind NAME", 1, 1, false, tile_kind},
	{"source", "source FOLDER", 1, 1, false, tile_source},
	{"artifact", "artifact FILE", 1, 1, false, tile_artifact},
	{"at", "at X Y", 2, 2, false, tile_at},
	{"size", "size WIDTH HEIGHT", 2, 2, false, tile_size},
	{"option", "option KEY VALUE", 2, 2, false, tile_option},
	{"strategy", "strategy NAME", 1, 1, false, tile_strategy},
	{"splice", "splice POINT", 1, 1, false, tile_splice},
};

void config_tile(struct config_parser *p, const struct scfg_directive *d, void *target) {
	if (!check_name(p, d)) {
		return;
	}
	for (size_t i = 0; i < p->config->tile_count; i++) {
		if (strcmp(p->config->tiles[i].name, d->params[0]) == 0) {
			config_complain(p, d, "tile \"%s\" is there twice; names must differ",
				d->params[0]);
			return;
		}
	}
	struct city_tile_config *tile = config_append(
		&p->config->tiles, &p->config->tile_count, sizeof(struct city_tile_config));
	if (tile == NULL) {
		return;
	}
	tile->name = strdup(d->params[0]);
	RUN_BLOCK(p, &d->children, tile_rules, tile);
}
