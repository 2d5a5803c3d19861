/* SPDX-License-Identifier: MIT */
/*
 * A view: one thing placed on the map, a guest (an ordinary Wayland window) or a tile. The owner
 * (xdg.c for guests, tile.c for tiles) embeds or allocates struct city_view, calls city_view_init,
 * and fills the content; view.c places it, frames it, zooms it and finds what is under a point.
 *
 * Coordinates: cx, cy, width, height describe the content, without the frame, in city units. The
 * content's own pixels are tile coordinates (tx, ty): content pixel = city unit at zoom 1. A
 * surface may be larger than the content (shadows): `offset` is the surface coordinate of the
 * content's top left.
 *
 * Scene: each stage (stage.h) has its sight of the view. sight->tree holds, from below: frame,
 * content (the nodes of the current surface tree or the shown buffer), badge. Its position is the
 * view's place in output coordinates; the children are made when the view is first in view there,
 * and positioned and scaled by view.c after every commit and every move of the camera. Nobody else
 * touches positions or sizes below sight->tree. What is out of view there is switched off.
 *
 * Main thread only.
 */
#ifndef CITY_VIEW_H
#define CITY_VIEW_H

#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_compositor.h>
#include <wlr/util/box.h>

#include "compositor/arrange.h"
#include "compositor/desk.h"
#include "compositor/map.h"

struct city_label;
struct city_server;
struct city_stage;
struct city_surface_tree;
struct city_view;
struct wlr_buffer;
struct wlr_scene_buffer;
struct wlr_scene_rect;
struct wlr_scene_tree;

enum city_view_kind {
	CITY_VIEW_GUEST,
	CITY_VIEW_TILE,
};

enum city_badge_kind {
	CITY_BADGE_NONE,
	CITY_BADGE_INFO,
	CITY_BADGE_WARN,
	CITY_BADGE_ERROR,
};

/* What the owner of a view can do. Any of it may be NULL. */
struct city_view_impl {
	/* Asks for a new content size in city units. The view's size changes only when the owner
	 * calls city_view_set_size after the client has drawn it. */
	void (*configure)(struct city_view *view, int width, int height);
	void (*activate)(struct city_view *view, bool active);
	void (*close)(struct city_view *view);
	const char *(*title)(struct city_view *view);  /* may return NULL */
	const char *(*app_id)(struct city_view *view); /* may return NULL */
	/* What is shown behind the title on the map, but not in a room; may be NULL. */
	void (*note)(struct city_view *view, char *text, size_t size);
	/* Every surface that belongs to the view, popups included, in drawing order. */
	void (*for_each_surface)(
		struct city_view *view, wlr_surface_iterator_func_t iterator, void *data);
	void (*set_fullscreen)(struct city_view *view, bool fullscreen);
	void (*set_maximized)(struct city_view *view, bool maximized);
	void (*set_resizing)(struct city_view *view, bool resizing);
	/* Whether its edges are held by a part of a room. */
	void (*set_tiled)(struct city_view *view, bool tiled);
	/* Limits of the content's size; 0 is none. */
	void (*limits)(struct city_view *view, int *min_width, int *min_height, int *max_width,
		int *max_height);
	/* The view that it stays above, such as the window a dialog belongs to; may return NULL. */
	struct city_view *(*parent)(struct city_view *view);
	/* The view moved on a screen, was hidden or shown, or its zoom changed: place again what
	 * lies outside the sights' trees (popups). */
	void (*placed)(struct city_view *view);
};

/* A view as one stage shows it. */
struct city_sight {
	struct wl_list link; /* city_view.sights */
	struct city_view *view;
	struct city_stage *stage;
	bool drawn;		     /* is in view there, or nearly */
	struct wlr_scene_tree *tree; /* its node's data is the view */
	/* NULL until first drawn: */
	struct wlr_scene_tree *frame;
	struct wlr_scene_tree *content;
	struct wlr_scene_rect *bars[5]; /* top, left, right, bottom, behind the title */
	struct city_label *title_label, *close_label;
	struct city_surface_tree *surfaces; /* NULL without a surface */
	struct wlr_scene_buffer *buffer;    /* shown instead of the surfaces; NULL normally */
	struct wl_listener buffer_frame_done;
	struct wl_listener buffer_sampled;
	struct city_label *badge;
	struct wlr_box framed; /* the content that the frame was last drawn round */
};

struct city_view {
	struct wl_list link; /* city_server.views, topmost first */
	struct city_server *server;
	const struct city_view_impl *impl;
	enum city_view_kind kind;
	uint32_t id;		     /* never reused within a run */
	void *data;		     /* the owner's */
	struct city_process process; /* of a guest: its program */

	double cx, cy;	   /* of the content's top left */
	int width, height; /* of the content; 0 until first set */
	bool shown;	   /* is on the map: has a place and is drawn */
	bool minimized;
	bool framed; /* the city draws the frame */
	bool fullscreen, maximized;
	bool snapped; /* to this part of a room */
	struct city_part part;
	bool above;	 /* all that are not */
	uint64_t raised; /* it lies above all views whose number is smaller */
	bool active;
	double megapixels; /* that its surfaces have committed so far */
	char *district;	   /* name of the block that it stands on, NULL: none */
	/* While resized by its left or top edge, the other one stays where it is. */
	uint32_t anchor_edges; /* enum wlr_edges that move */
	bool resizing;
	int requested_width, requested_height; /* 0: none yet */
	struct city_box restore; /* place before it filled the screen, or a part of it */

	struct wl_list sights;	     /* city_sight.link */
	struct wlr_surface *surface; /* the content; NULL: none */
	struct wl_listener surface_destroy, surface_commit;
	struct wlr_surface
		*input_surface;	    /* gets what is meant for the content; NULL: the content */
	int offset_sx, offset_sy;   /* surface coordinates of the content's top left */
	struct wlr_buffer *picture; /* shown instead of the surfaces, locked; NULL normally */
	enum city_badge_kind badge_kind;
	char *badge_text;

	struct {
		struct wl_signal destroy; /* struct city_view */
		struct wl_signal moved;	  /* struct city_view: place or size changed */
		struct wl_signal title;	  /* struct city_view */
		struct wl_signal states;  /* struct city_view: active, fullscreen, ... */
	} events;
};

/* Makes the scene nodes; the view is in server->views but not shown. False when out of memory. */
bool city_view_init(struct city_view *view, struct city_server *server, enum city_view_kind kind,
	const struct city_view_impl *impl);
/* Emits destroy, takes the view out of focus and list, destroys its nodes. */
void city_view_finish(struct city_view *view);

/*
 * The content.
 *
 * city_view_set_surface switches which wl_surface (with its subsurfaces) is the content. The new
 * surface's current buffer is in the scene when the call returns: called from a frame_commit
 * listener it is a switch on exactly that frame. NULL shows nothing. The surface may be destroyed
 * at any time; the view is then without surface. Does not lock the old surface's buffer: to keep
 * A's last picture, wlr_buffer_lock the wlr_client_buffer of A before.
 * `offset_sx, offset_sy` is the surface coordinate of the content's top left (0, 0 for tiles).
 */
bool city_view_set_surface(struct city_view *view, struct wlr_surface *surface);
struct wlr_surface *city_view_surface(const struct city_view *view); /* may be NULL */
void city_view_set_offset(struct city_view *view, int offset_sx, int offset_sy);
/*
 * Keys and pointer events that are meant for the content's root surface go to this surface instead,
 * which need not be shown: during a handover the coming version gets them before it is seen. NULL:
 * to the content. Whoever sets it takes it away before the surface goes.
 */
void city_view_set_input_surface(struct city_view *view, struct wlr_surface *surface);
struct wlr_surface *city_view_input_surface(const struct city_view *view); /* may be NULL */
/*
 * Shows `buffer` (any wlr_buffer that the renderer takes, shm or dmabuf; locked by the view while
 * shown) stretched over the content instead of the surfaces. `damage` in buffer pixels, NULL for
 * all. Call again with each new picture. Meanwhile the surfaces are not drawn but do get frame
 * callbacks and presentation feedback from the buffer's frames, and input goes to the surfaces as
 * if they were seen. False when out of memory.
 */
bool city_view_show_buffer(
	struct city_view *view, struct wlr_buffer *buffer, const pixman_region32_t *damage);
/* Back to the surfaces; no-op when they are shown. */
void city_view_show_surface(struct city_view *view);

/* Place and size. set_place and set_size only say where the content is; they ask nothing of the
 * client. request_size asks through impl->configure, within impl->limits. */
void city_view_set_place(struct city_view *view, double cx, double cy);
void city_view_set_size(struct city_view *view, int width, int height);
void city_view_request_size(struct city_view *view, int width, int height);
struct city_box city_view_box(const struct city_view *view); /* the content */
/* Where that is, or will be when it no longer fills the screen or a part of it. */
struct city_box city_view_own_box(const struct city_view *view);
void city_view_set_own_place(struct city_view *view, double cx, double cy);
struct city_box city_view_outer_box(const struct city_view *view); /* with the frame */
/* The content in output coordinates, as that stage shows it now, in view there or not. */
struct wlr_box city_view_box_on(const struct city_view *view, const struct city_stage *stage);
/* How many of the stage's pixels are the view's content. */
long city_view_area_on(const struct city_view *view, const struct city_stage *stage);
/* How long the fastest output that shows some of the view shows a frame; CITY_FRAME_NS if none
 * does. */
int64_t city_view_frame_ns(const struct city_view *view);
/* The output that shows most of the view, NULL if none does. */
struct city_output *city_view_main_output(const struct city_view *view);
/* The stage that the user looks at it on: the focused one if it is in view there, else that of the
 * main output; the focused one where it is not in view at all. Never NULL. */
struct city_stage *city_view_main_stage(const struct city_view *view);
/* NULL if there is none. */
struct city_sight *city_view_sight(const struct city_view *view, const struct city_stage *stage);
/* True if any of the content is on an enabled output now. */
bool city_view_is_visible(const struct city_view *view);

/* Puts the view on the map. A guest without a place gets a free spot near the middle of the
 * screen: pass NULL. Does not focus. */
void city_view_show(struct city_view *view, const struct city_box *place);
/* The same for one that fills a screen, or is minimised, and has done so before: `now` is its
 * place, `restore` where it goes when it no longer fills it. Nothing is asked of the camera. */
void city_view_show_as(struct city_view *view, const struct city_box *now,
	const struct city_box *restore, bool maximized, bool fullscreen);
void city_view_hide(struct city_view *view);
/* Free ground for a content of this size, as near to the screen's middle as possible. */
struct city_box city_view_find_place(
	struct city_server *server, int width, int height, enum city_view_kind kind);

/* The keyboard's focus. Raises, activates, brings the view on screen if `reveal`. NULL: nobody. */
void city_server_focus(struct city_server *server, struct city_view *view, bool reveal);
void city_view_raise(struct city_view *view);
/* Its nodes alone, and those of its dialogs, above all others. */
void city_view_lift(struct city_view *view);
/* Those of all, so that they lie in the order of focus. */
void city_views_lift(struct city_server *server);
/* In the order of focus and on the screen, right above the other; NULL: below all. */
void city_view_stack_above(struct city_view *view, struct city_view *other);
/* The focused view goes: gives the keyboard to the last used one that can be seen, else to the last
 * used one, brought on screen if `reveal`. */
void city_server_focus_other(struct city_server *server, bool reveal);
/* The next one round in focus order, minimised ones last; step 1 or -1; NULL if there is no other.
 * While the keys of the cycle are held the order does not change, city_server_end_cycle puts the
 * chosen one first. */
struct city_view *city_view_cycle(struct city_server *server, int step);
void city_server_end_cycle(struct city_server *server);

void city_view_set_framed(struct city_view *view, bool framed);
void city_view_set_fullscreen(struct city_view *view, bool fullscreen);
/* The same on this output; NULL: the focused one. */
void city_view_set_fullscreen_on(struct city_view *view, const struct city_output *output);
void city_view_set_maximized(struct city_view *view, bool maximized);
/* As it was: on this output (NULL: the focused one), round the place that it will have after. */
void city_view_maximize_again(
	struct city_view *view, const struct city_output *output, const struct city_box *restore);
void city_view_set_minimized(struct city_view *view, bool minimized);
/* Always on top. */
void city_view_set_above(struct city_view *view, bool above);
/* Who changes a state that clients or the desk know of (arrange.c) says so. */
void city_view_states_changed(struct city_view *view);
/* By the pointer, between begin and end; edges are those that move. */
void city_view_begin_resize(struct city_view *view, uint32_t edges);
void city_view_end_resize(struct city_view *view);
/* Outputs or panels changed: what fills a screen fits it again. */
void city_views_refit(struct city_server *server);
void city_view_close(struct city_view *view);
/* The owner says so after the title changed. */
void city_view_title_changed(struct city_view *view);
const char *city_view_title(struct city_view *view);  /* never NULL */
const char *city_view_app_id(struct city_view *view); /* never NULL */

/* A legible note over the content's lower edge; several lines; NULL or NONE takes it away. The
 * text is drawn at the screen's size whatever the zoom. */
void city_view_set_badge(struct city_view *view, enum city_badge_kind kind, const char *text);

/* One for each stage; and an end of them all. For city_view_init and city_view_finish. */
bool city_view_create_sights(struct city_view *view);
void city_view_destroy_sights(struct city_view *view);
/* Draws the frame, title and badge for the current place, zoom and state (view_frame.c). */
void city_sight_update_frame(struct city_sight *sight, struct wlr_box content);
void city_sight_finish_frame(struct city_sight *sight);
/* The part of the title bar that closes the view, in output coordinates; empty without room. */
struct wlr_box city_view_close_box(const struct city_view *view, const struct city_stage *stage);

/* Which block of the map the view stands on; drawn round all views of the same name. NULL: none. */
void city_view_set_district(struct city_view *view, const char *name);

/* What is at a point of the content (tile coordinates): a surface that takes input there and the
 * point in its coordinates; NULL if none. */
struct wlr_surface *city_view_surface_at(
	struct city_view *view, double tx, double ty, double *sx, double *sy);

/* The view that owns this surface (its root, a subsurface or a popup); NULL if none. */
struct city_view *city_view_from_surface(struct city_server *server, struct wlr_surface *surface);

/* Places and scales everything of the view again, on all stages. Called by view.c after changes. */
void city_view_update(struct city_view *view);
/* The same of all views, on one stage: after every move of its camera. */
void city_views_update(struct city_stage *stage);
/* The stage comes: all views get a sight on it, and go on in their order. False when out of memory.
 */
bool city_views_enter(struct city_stage *stage);
/* The stage goes, and all sights on it. */
void city_views_leave(struct city_stage *stage);

/* The hit test, the only one there is: pointer, touch, tablet and drag all ask it. */
enum city_hit_kind {
	CITY_HIT_NONE,	/* ground */
	CITY_HIT_VIEW,	/* a view's content, or its popup */
	CITY_HIT_FRAME, /* title or border */
	CITY_HIT_MINIMAP,
	CITY_HIT_SURFACE, /* a surface that is no view's: layer-shell, lock, input method */
};
struct city_hit {
	enum city_hit_kind kind;
	struct city_view *view;	     /* for VIEW and FRAME */
	struct wlr_surface *surface; /* for VIEW and SURFACE; may be NULL for VIEW */
	double sx, sy;		     /* surface coordinates, unscaled, in surface */
	uint32_t edges;		  /* for FRAME: enum wlr_edges under the point, 0 for the title */
	bool close;		  /* for FRAME: the part of the title that closes the view */
	double zoom;		  /* output pixels per surface pixel of the surface hit */
	struct city_stage *stage; /* that the point is on; never NULL */
};
struct city_hit city_hit_test(struct city_server *server, double ox, double oy);
/* A point of the layout in the view's tile coordinates; as it is for what is no view's (NULL). What
 * lies between it and the point in a surface stays the same while something is held there. */
void city_hit_base(struct city_server *server, const struct city_view *view, double ox, double oy,
	double *x, double *y);

#endif
