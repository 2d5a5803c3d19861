/* SPDX-License-Identifier: MIT */
/* All that the map shows, as one JSON object. Its keys are in cityctl(1), and are only ever added
 * to. It may be large, so it goes to the client as a file. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <yyjson.h>

#include "compositor/control_internal.h"
#include "compositor/scape.h"
#include "compositor/server.h"
#include "compositor/text.h"
#include "compositor/tile.h"

/* null: it is not known. */
static void add_share(yyjson_mut_doc *doc, yyjson_mut_val *object, const char *key, double value) {
	if (value >= 0) {
		yyjson_mut_obj_add_real(doc, object, key, value);
	} else {
		yyjson_mut_obj_add_null(doc, object, key);
	}
}

static const struct city_tile *find_tile(const struct city_control *control, uint32_t id) {
	const struct city_tile *tile;
	if (control->tiles) {
		wl_list_for_each(tile, &control->tiles->list, link) {
			if (tile->view.id == id) {
				return tile;
			}
		}
	}
	return NULL;
}

static void add_lots(yyjson_mut_doc *doc, yyjson_mut_val *root, struct city_control *control) {
	size_t count;
	const struct city_lot *lots = city_scape_lots(control->server, &count);
	yyjson_mut_val *array = yyjson_mut_obj_add_arr(doc, root, "lots");
	for (size_t i = 0; i < count; i++) {
		const struct city_lot *lot = &lots[i];
		yyjson_mut_val *object = yyjson_mut_arr_add_obj(doc, array);
		yyjson_mut_obj_add_uint(doc, object, "id", lot->id);
		yyjson_mut_obj_add_str(doc, object, "kind", lot->tile ? "tile" : "guest");
		city_json_text(doc, object, "name", lot->name);
		city_json_text(doc, object, "note", lot->note);
		city_json_box(doc, object, lot->box);
		city_json_box(doc, yyjson_mut_obj_add_obj(doc, object, "building"), lot->building);
		yyjson_mut_obj_add_uint(doc, object, "lines", lot->lines);
		add_share(doc, object, "cost", lot->cost);
		add_share(doc, object, "pas", lot->pas);
		yyjson_mut_obj_add_str(doc, object, "mark", city_mark_name(lot->mark));
		yyjson_mut_obj_add_bool(doc, object, "focused", lot->focused);
		yyjson_mut_obj_add_bool(doc, object, "changing", lot->changing);
		const struct city_tile *tile = lot->tile ? find_tile(control, lot->id) : NULL;
		yyjson_mut_obj_add_sint(
			doc, object, "handed_over_ns", tile ? tile->handed_over_ns : 0);
	}
}

struct site_walk {
	yyjson_mut_doc *doc;
	yyjson_mut_val *folders, *modules;
	const struct city_layout *layout;
	const struct city_costs *costs;
	const struct city_quarter *quarter;
};

static void add_site(struct site_walk *walk, uint32_t at) {
	const struct city_site *site = &walk->layout->sites[at];
	if (site->kind == CITY_SITE_CUT) {
		add_site(walk, site->first);
		add_site(walk, site->second);
		return;
	}
	bool folder = site->kind == CITY_SITE_FOLDER;
	struct city_plot plot = folder ? city_site_block(site) : city_site_footprint(site);
	if (site->folder != CITY_NO_SITE) {
		char path[4096];
		yyjson_mut_val *object =
			yyjson_mut_arr_add_obj(walk->doc, folder ? walk->folders : walk->modules);
		city_site_path(walk->layout, at, path, sizeof(path));
		city_json_text(walk->doc, object, "path", path);
		city_json_box(walk->doc, object,
			(struct city_box){walk->quarter->box.cx + plot.x,
				walk->quarter->box.cy + plot.y, plot.width, plot.height});
		yyjson_mut_obj_add_uint(walk->doc, object, "lines", site->lines);
		if (folder && site->depth == 1 && !walk->quarter->path) {
			add_share(walk->doc, object, "cost", city_costs_part(walk->costs, path));
		}
	}
	if (folder && site->first != CITY_NO_SITE) {
		add_site(walk, site->first);
	}
}

static void add_quarters(
	yyjson_mut_doc *doc, yyjson_mut_val *root, const struct city_server *server) {
	const struct city_survey *survey = city_scape_survey(server);
	yyjson_mut_val *array = yyjson_mut_obj_add_arr(doc, root, "quarters");
	size_t count = 0;
	const struct city_quarter *quarters = survey ? city_survey_quarters(survey, &count) : NULL;
	for (size_t i = 0; i < count; i++) {
		const struct city_quarter *quarter = &quarters[i];
		if (quarter->site == CITY_NO_SITE) {
			continue;
		}
		struct site_walk walk = {
			.doc = doc,
			.layout = city_survey_layout(survey),
			.costs = city_scape_costs(server),
			.quarter = quarter,
		};
		yyjson_mut_val *object = yyjson_mut_arr_add_obj(doc, array);
		city_json_text(doc, object, "name", quarter->name);
		city_json_text(doc, object, "path", quarter->path ? quarter->path : "");
		city_json_box(doc, object, quarter->box);
		yyjson_mut_obj_add_bool(doc, object, "hand", quarter->hand);
		yyjson_mut_obj_add_uint(
			doc, object, "lines", walk.layout->sites[quarter->site].lines);
		walk.folders = yyjson_mut_obj_add_arr(doc, object, "folders");
		walk.modules = yyjson_mut_obj_add_arr(doc, object, "modules");
		add_site(&walk, quarter->site);
	}
}

static char *describe(struct city_control *control, size_t *size) {
	struct city_server *server = control->server;
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	if (!doc) {
		return NULL;
	}
	yyjson_mut_val *root = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_obj_add_real(doc, root, "street_zoom", CITY_ZOOM_STREET);
	yyjson_mut_obj_add_real(doc, root, "city_zoom", CITY_ZOOM_CITY);
	struct city_box bounds = {0};
	city_scape_bounds(server, &bounds);
	city_json_box(doc, yyjson_mut_obj_add_obj(doc, root, "bounds"), bounds);
	const struct city_survey *survey = city_scape_survey(server);
	yyjson_mut_obj_add_bool(doc, root, "surveying", survey && city_survey_busy(survey));
	city_json_text(doc, root, "survey_note", survey ? city_survey_note(survey) : "");
	add_lots(doc, root, control);
	add_quarters(doc, root, server);
	char *json = yyjson_mut_write(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, size);
	yyjson_mut_doc_free(doc);
	return json;
}

static bool write_all(int fd, const char *data, size_t size) {
	while (size > 0) {
		ssize_t wrote = write(fd, data, size);
		if (wrote < 0 && errno == EINTR) {
			continue;
		}
		if (wrote <= 0) {
			return false;
		}
		data += wrote;
		size -= (size_t)wrote;
	}
	return true;
}

int city_control_map(struct city_control *control) {
	size_t size;
	city_costs_look(city_scape_costs(control->server));
	char *json = describe(control, &size);
	int fd = json ? memfd_create("source-city-map", MFD_CLOEXEC | MFD_ALLOW_SEALING) : -1;
	if (fd >= 0 && !write_all(fd, json, size)) {
		close(fd);
		fd = -1;
	}
	free(json);
	if (fd < 0) {
		return -1;
	}
	/* A description of its own that cannot write. */
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int reading = open(path, O_RDONLY | O_CLOEXEC);
	close(fd);
	return reading;
}
