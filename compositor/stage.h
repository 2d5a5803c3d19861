/* SPDX-License-Identifier: MIT */
/*
 * A stage: one look at the city. Each output has one, with a camera of its own; a picture of the
 * city that is drawn into a file has one too, while it is drawn.
 *
 * There is one scene graph. Below its root each stage has a tree with all layers, and the trees
 * stand so far apart that nothing of one stage is ever seen on another: the scene coordinates of a
 * stage are layout coordinates (ox, oy) moved right by stage->at. Inside a stage's tree positions
 * are layout coordinates as everywhere else.
 *
 * Views are on every stage at once: each has a sight (view.h) for each stage, whose nodes hang in
 * that stage's layers. What is of the layout and no view (panels, locks, drag icons, popups of
 * input methods) hangs on the stage of the output it is on, and moves between them.
 *
 * Main thread only.
 */
#ifndef CITY_STAGE_H
#define CITY_STAGE_H

#include <stdbool.h>
#include <wayland-server-core.h>
#include <wlr/util/box.h>

#include "compositor/map.h"

struct city_ground;
struct city_minimap;
struct city_output;
struct city_server;
struct city_sheets;
struct wlr_scene_node;
struct wlr_scene_rect;
struct wlr_scene_tree;

/* The layers of a stage, from below. Each is a child of its tree. Nothing else is. */
struct city_layers {
	/* Switched off: views that are out of sight, so that nobody who looks through the layers
	 * comes past them. */
	struct wlr_scene_tree *unseen;
	struct wlr_scene_tree *ground;		 /* colour and grid, ground.c */
	struct wlr_scene_tree *shell_background; /* layer-shell, output space */
	struct wlr_scene_tree *shell_bottom;
	struct wlr_scene_tree *districts; /* blocks behind the tiles */
	struct wlr_scene_tree *views;	  /* city_sight.tree of each view in sight */
	struct wlr_scene_tree *above;	  /* of those that are always on top */
	struct wlr_scene_tree *buildings; /* in the place of views that are far away, sheets.c */
	struct wlr_scene_tree *shell_top;
	struct wlr_scene_tree *minimap;
	struct wlr_scene_tree *fullscreen; /* a fullscreen view while it has the focus */
	struct wlr_scene_tree *popups;	   /* of views, above panels */
	struct wlr_scene_tree *shell_overlay;
	struct wlr_scene_tree *drag;	     /* drag icons */
	struct wlr_scene_tree *input_method; /* popups of input methods */
	struct wlr_scene_tree *lock;	     /* session lock, above everything */
};

struct city_stage {
	struct wl_list link; /* city_server.stages */
	struct city_server *server;
	struct city_output *output; /* NULL: of a picture, or the one that nobody sees */
	struct city_camera camera;
	struct wlr_box box; /* what is seen of it: layout coordinates; empty while off */
	double scale;	    /* pixels per logical pixel: text is drawn for it */

	int at; /* scene x = layout x + at */
	struct wlr_scene_tree *tree;
	struct city_layers layers;
	struct wlr_scene_rect *cover; /* of the session lock */
	struct city_ground *ground;
	struct city_sheets *sheets;
	struct city_minimap *minimap; /* NULL: off */
};

/*
 * A new stage with all views on it, the camera where the focused stage's is. Without an output it
 * belongs to nobody: the caller gives box and scale and calls city_stage_update. NULL when
 * out of memory.
 */
struct city_stage *city_stage_create(struct city_server *server, struct city_output *output);
/* What hangs on it but is not of it goes to the stage that nobody sees. NULL-safe. */
void city_stage_destroy(struct city_stage *stage);
/* Draws ground and views for where the camera is, and tells everybody. */
void city_stage_update(struct city_stage *stage);

/* The stage of the focused output; where there is none, one that nobody sees. Never NULL once the
 * server is created. */
struct city_stage *city_stage_focused(struct city_server *server);
/* The one whose output is at a point of the layout, else the nearest. Never NULL. */
struct city_stage *city_stage_at(struct city_server *server, double ox, double oy);

/* Whether this is (still) a stage. */
bool city_stage_exists(const struct city_server *server, const struct city_stage *stage);

/* The topmost node of this stage at a point of the layout; NULL without one. */
struct wlr_scene_node *city_stage_node_at(
	struct city_stage *stage, double ox, double oy, double *nx, double *ny);

#endif
