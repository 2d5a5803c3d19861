/* SPDX-License-Identifier: MIT */
/* The city as one JSON object. Its keys are in cityctl(1), and are only ever added to. */
#include <stdlib.h>
#include <wlr/types/wlr_output.h>
#include <yyjson.h>

#include "compositor/bookmarks.h"
#include "compositor/control_internal.h"
#include "compositor/drag.h"
#include "compositor/effects/effects.h"
#include "compositor/ground.h"
#include "compositor/minimap.h"
#include "compositor/output.h"
#include "compositor/refactor.h"
#include "compositor/seat.h"
#include "compositor/server.h"
#include "compositor/stage.h"
#include "compositor/text.h"
#include "compositor/tile.h"

void city_json_box(yyjson_mut_doc *doc, yyjson_mut_val *object, struct city_box box) {
	yyjson_mut_obj_add_real(doc, object, "cx", box.cx);
	yyjson_mut_obj_add_real(doc, object, "cy", box.cy);
	yyjson_mut_obj_add_real(doc, object, "width", box.width);
	yyjson_mut_obj_add_real(doc, object, "height", box.height);
}

void city_json_text(
	yyjson_mut_doc *doc, yyjson_mut_val *object, const char *key, const char *text) {
	char clean[4096];
	city_text_copy(clean, sizeof(clean), text);
	yyjson_mut_obj_add_strcpy(doc, object, key, clean);
}

/* Of an output: the point of the city at its top left. */
static void add_camera(
	yyjson_mut_doc *doc, yyjson_mut_val *object, const struct city_stage *stage) {
	const struct city_camera *camera = &stage->camera;
	yyjson_mut_val *inner = yyjson_mut_obj_add_obj(doc, object, "camera");
	struct city_box seen = city_map_visible(camera, stage->box);
	yyjson_mut_obj_add_real(doc, inner, "cx", seen.cx);
	yyjson_mut_obj_add_real(doc, inner, "cy", seen.cy);
	yyjson_mut_obj_add_real(doc, inner, "zoom", camera->zoom);
	yyjson_mut_obj_add_bool(doc, inner, "room", city_map_is_room(camera));
	yyjson_mut_obj_add_bool(doc, inner, "moving", camera->moving);
	yyjson_mut_obj_add_real(doc, inner, "width", seen.width);
	yyjson_mut_obj_add_real(doc, inner, "height", seen.height);
	yyjson_mut_obj_add_bool(doc, inner, "minimap", city_minimap_is_shown(stage));
	struct city_camera end = city_map_end(camera);
	struct city_box target = city_map_visible(&end, stage->box);
	yyjson_mut_val *to = yyjson_mut_obj_add_obj(doc, inner, "target");
	yyjson_mut_obj_add_real(doc, to, "cx", target.cx);
	yyjson_mut_obj_add_real(doc, to, "cy", target.cy);
	yyjson_mut_obj_add_real(doc, to, "zoom", end.zoom);
}

static void add_frames(
	yyjson_mut_doc *doc, yyjson_mut_val *object, const struct city_frames *frames) {
	struct city_frames_summary sum = city_frames_sum(frames);
	yyjson_mut_val *inner = yyjson_mut_obj_add_obj(doc, object, "drawing");
	yyjson_mut_obj_add_uint(doc, inner, "total", frames->count);
	yyjson_mut_obj_add_uint(doc, inner, "frames", sum.frames);
	yyjson_mut_obj_add_uint(doc, inner, "p50_us", sum.took.p50);
	yyjson_mut_obj_add_uint(doc, inner, "p99_us", sum.took.p99);
	yyjson_mut_obj_add_uint(doc, inner, "max_us", sum.took.max);
	yyjson_mut_obj_add_uint(doc, inner, "cpu_p50_us", sum.cpu.p50);
	yyjson_mut_obj_add_uint(doc, inner, "cpu_p99_us", sum.cpu.p99);
	yyjson_mut_obj_add_uint(doc, inner, "cpu_max_us", sum.cpu.max);
	yyjson_mut_obj_add_real(doc, inner, "damaged", sum.damaged);
}

static void add_outputs(yyjson_mut_doc *doc, yyjson_mut_val *root, struct city_server *server) {
	yyjson_mut_val *array = yyjson_mut_obj_add_arr(doc, root, "outputs");
	struct city_output *output;
	wl_list_for_each(output, &server->outputs, link) {
		yyjson_mut_val *object = yyjson_mut_arr_add_obj(doc, array);
		struct wlr_box box = city_output_box(output);
		yyjson_mut_obj_add_strcpy(doc, object, "name", output->wlr_output->name);
		yyjson_mut_obj_add_int(doc, object, "ox", box.x);
		yyjson_mut_obj_add_int(doc, object, "oy", box.y);
		yyjson_mut_obj_add_int(doc, object, "width", box.width);
		yyjson_mut_obj_add_int(doc, object, "height", box.height);
		yyjson_mut_obj_add_real(doc, object, "scale", (double)output->wlr_output->scale);
		yyjson_mut_obj_add_int(doc, object, "refresh_mhz", output->wlr_output->refresh);
		yyjson_mut_obj_add_bool(doc, object, "enabled", output->wlr_output->enabled);
		yyjson_mut_obj_add_uint(doc, object, "frames", output->frames);
		yyjson_mut_obj_add_uint(doc, object, "missed", output->missed);
		add_frames(doc, object, &output->costs);
		add_camera(doc, object, output->stage);
	}
}

static void add_bookmarks(yyjson_mut_doc *doc, yyjson_mut_val *root, struct city_server *server) {
	yyjson_mut_val *array = yyjson_mut_obj_add_arr(doc, root, "bookmarks");
	const struct city_bookmark *bookmark;
	wl_list_for_each(bookmark, city_bookmarks_list(server), link) {
		yyjson_mut_val *object = yyjson_mut_arr_add_obj(doc, array);
		city_json_text(doc, object, "name", bookmark->name);
		yyjson_mut_obj_add_real(doc, object, "cx", bookmark->cx);
		yyjson_mut_obj_add_real(doc, object, "cy", bookmark->cy);
		yyjson_mut_obj_add_real(doc, object, "zoom", bookmark->zoom);
	}
}

struct districts {
	yyjson_mut_doc *doc;
	yyjson_mut_val *array;
};

static void add_district(void *data, const char *name, struct city_box box) {
	const struct districts *districts = data;
	yyjson_mut_val *object = yyjson_mut_arr_add_obj(districts->doc, districts->array);
	city_json_text(districts->doc, object, "name", name);
	city_json_box(districts->doc, object, box);
}

/* What is dragged, and what a drop would do; the refactor under way. */
static void add_changes(
	yyjson_mut_doc *doc, yyjson_mut_val *root, const struct city_control *control) {
	const struct city_seat *seat = control->server->seat;
	const struct city_drag *drag = seat ? seat->grab.drag : NULL;
	const char *part = seat ? seat->grab.drop : NULL;
	if (part) {
		yyjson_mut_val *object = yyjson_mut_obj_add_obj(doc, root, "drag");
		if (drag) {
			yyjson_mut_obj_add_strcpy(
				doc, object, "tile", city_view_app_id(seat->grab.view));
		} else {
			yyjson_mut_obj_add_null(doc, object, "tile");
		}
		yyjson_mut_obj_add_str(doc, object, "what", "snap");
		yyjson_mut_obj_add_str(doc, object, "target", part);
		yyjson_mut_obj_add_str(doc, object, "text", "");
	} else if (drag) {
		yyjson_mut_val *object = yyjson_mut_obj_add_obj(doc, root, "drag");
		yyjson_mut_obj_add_strcpy(doc, object, "tile", city_view_app_id(seat->grab.view));
		yyjson_mut_obj_add_str(doc, object, "what", city_drag_what(drag));
		city_json_text(doc, object, "target", city_drag_target(drag));
		city_json_text(doc, object, "text", city_drag_text(drag));
	} else {
		yyjson_mut_obj_add_null(doc, root, "drag");
	}
	const char *phase, *name = city_refactor_under_way(control, &phase);
	if (name) {
		yyjson_mut_val *object = yyjson_mut_obj_add_obj(doc, root, "refactor");
		yyjson_mut_obj_add_strcpy(doc, object, "tile", name);
		yyjson_mut_obj_add_str(doc, object, "phase", phase);
	} else {
		yyjson_mut_obj_add_null(doc, root, "refactor");
	}
}

static void add_views(yyjson_mut_doc *doc, yyjson_mut_val *root, struct city_control *control) {
	struct city_server *server = control->server;
	yyjson_mut_val *array = yyjson_mut_obj_add_arr(doc, root, "views");
	struct city_view *view;
	wl_list_for_each(view, &server->views, link) {
		yyjson_mut_val *object = yyjson_mut_arr_add_obj(doc, array);
		bool is_tile = view->kind == CITY_VIEW_TILE;
		yyjson_mut_obj_add_uint(doc, object, "id", view->id);
		yyjson_mut_obj_add_str(doc, object, "kind", is_tile ? "tile" : "guest");
		city_json_text(doc, object, "title", city_view_title(view));
		char note[32] = "";
		if (view->impl->note) {
			view->impl->note(view, note, sizeof(note));
		}
		yyjson_mut_obj_add_strcpy(doc, object, "note", note);
		city_json_text(doc, object, "app_id", city_view_app_id(view));
		if (is_tile) {
			struct city_tile *tile = wl_container_of(view, tile, view);
			yyjson_mut_obj_add_strcpy(doc, object, "tile", tile->name);
		} else {
			yyjson_mut_obj_add_null(doc, object, "tile");
		}
		if (view->district) {
			city_json_text(doc, object, "district", view->district);
		} else {
			yyjson_mut_obj_add_null(doc, object, "district");
		}
		city_json_box(doc, object, city_view_box(view));
		yyjson_mut_obj_add_bool(doc, object, "shown", view->shown);
		yyjson_mut_obj_add_bool(doc, object, "visible", city_view_is_visible(view));
		yyjson_mut_obj_add_bool(doc, object, "minimized", view->minimized);
		yyjson_mut_obj_add_bool(doc, object, "fullscreen", view->fullscreen);
		yyjson_mut_obj_add_bool(doc, object, "maximized", view->maximized);
		yyjson_mut_obj_add_bool(doc, object, "snapped", view->snapped);
		yyjson_mut_obj_add_bool(doc, object, "above", view->above);
		yyjson_mut_obj_add_bool(doc, object, "focused", server->focused == view);
	}
}

static void add_tile(yyjson_mut_doc *doc, yyjson_mut_val *array, struct city_tile *tile) {
	yyjson_mut_val *object = yyjson_mut_arr_add_obj(doc, array);
	char uuid[VAT_UUID_TEXT];
	vat_uuid_format(&tile->uuid, uuid);
	yyjson_mut_obj_add_strcpy(doc, object, "name", tile->name);
	yyjson_mut_obj_add_strcpy(doc, object, "uuid", uuid);
	yyjson_mut_obj_add_strcpy(doc, object, "kind", tile->kind);
	yyjson_mut_obj_add_strcpy(doc, object, "role", tile->role);
	yyjson_mut_obj_add_str(doc, object, "state", city_tile_state_name(tile->state));
	city_json_text(doc, object, "notice", tile->notice ? tile->notice : "");
	yyjson_mut_obj_add_strcpy(
		doc, object, "stuck", tile->live && tile->live->stuck ? tile->live->operation : "");
	yyjson_mut_obj_add_uint(doc, object, "epoch", tile->epoch);
	yyjson_mut_obj_add_int(doc, object, "pid", tile->live ? tile->live->pid : 0);
	yyjson_mut_val *versions = yyjson_mut_obj_add_arr(doc, object, "versions");
	struct city_tile_version *version;
	wl_list_for_each(version, &tile->versions, link) {
		yyjson_mut_val *entry = yyjson_mut_arr_add_obj(doc, versions);
		yyjson_mut_obj_add_int(doc, entry, "pid", version->pid);
		yyjson_mut_obj_add_strcpy(doc, entry, "artifact", version->hash);
		yyjson_mut_obj_add_str(
			doc, entry, "state", city_version_state_name(version->state));
	}
	yyjson_mut_obj_add_strcpy(doc, object, "artifact", tile->live ? tile->live->hash : "");
	const struct city_versions *good = &tile->good;
	yyjson_mut_obj_add_strcpy(doc, object, "good", city_versions_good(good));
	city_json_text(doc, object, "source", city_tile_source(tile));
	yyjson_mut_val *earlier = yyjson_mut_obj_add_arr(doc, object, "earlier");
	for (size_t i = good->at + 1; i < good->count; i++) {
		yyjson_mut_arr_add_strcpy(doc, earlier, good->hashes[i]);
	}
	yyjson_mut_val *later = yyjson_mut_obj_add_arr(doc, object, "later");
	for (size_t i = 0; i < good->at; i++) {
		yyjson_mut_arr_add_strcpy(doc, later, good->hashes[i]);
	}
	if (tile->pas >= 0) {
		yyjson_mut_obj_add_real(doc, object, "pas", tile->pas);
	} else {
		yyjson_mut_obj_add_null(doc, object, "pas");
	}
	yyjson_mut_obj_add_uint(
		doc, object, "region_bytes", tile->region ? vat_region_size(tile->region) : 0);
	const struct city_handover *handover = tile->handover ? tile->handover : tile->next;
	yyjson_mut_obj_add_str(
		doc, object, "step", handover ? city_steps[city_handover_step(handover)].name : "");
}

static const char *effects_state(const struct city_tiles *tiles) {
	if (!tiles || !tiles->effects) {
		return "none";
	}
	switch (city_effects_state(tiles->effects)) {
	case CITY_EFFECTS_COLD:
		return "cold";
	case CITY_EFFECTS_STARTING:
		return "starting";
	case CITY_EFFECTS_READY:
		return "ready";
	case CITY_EFFECTS_CROSSFADE:
		return "crossfade";
	case CITY_EFFECTS_FAILED:
		break;
	}
	return "failed";
}

char *city_control_state(struct city_control *control) {
	struct city_server *server = control->server;
	yyjson_mut_doc *doc = yyjson_mut_doc_new(NULL);
	if (!doc) {
		return NULL;
	}
	yyjson_mut_val *root = yyjson_mut_obj(doc);
	yyjson_mut_doc_set_root(doc, root);
	yyjson_mut_obj_add_str(doc, root, "version", CITY_VERSION);
	yyjson_mut_obj_add_strcpy(
		doc, root, "socket", server->socket_name ? server->socket_name : "");
	add_camera(doc, root, city_stage_focused(server));
	add_outputs(doc, root, server);
	add_views(doc, root, control);
	struct districts districts = {doc, yyjson_mut_obj_add_arr(doc, root, "districts")};
	city_ground_for_each_district(server, add_district, &districts);
	add_bookmarks(doc, root, server);
	add_changes(doc, root, control);
	yyjson_mut_val *tiles = yyjson_mut_obj_add_arr(doc, root, "tiles");
	if (control->tiles) {
		struct city_tile *tile;
		wl_list_for_each(tile, &control->tiles->list, link) {
			if (!tile->closing) {
				add_tile(doc, tiles, tile);
			}
		}
	}
	if (control->tiles && control->tiles->returned_ns != 0) {
		yyjson_mut_obj_add_sint(doc, root, "returned_ns", control->tiles->returned_ns);
	}
	yyjson_mut_obj_add_str(doc, root, "effects", effects_state(control->tiles));
	yyjson_mut_obj_add_bool(doc, root, "builder", control->builder != NULL);
	char *json = yyjson_mut_write(doc, YYJSON_WRITE_ALLOW_INVALID_UNICODE, NULL);
	yyjson_mut_doc_free(doc);
	return json;
}
