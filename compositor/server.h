/* SPDX-License-Identifier: MIT */
/*
 * The server: one struct that owns everything the compositor is made of. Members are created by
 * city_server_create in the order of its text and destroyed in reverse by city_server_destroy.
 * Everything here is used on the main thread only; the effects engine has its own thread and
 * speaks to the main loop through an eventfd.
 */
#ifndef CITY_SERVER_H
#define CITY_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <wayland-server-core.h>
#include <wlr/types/wlr_keyboard.h>

#include "compositor/frames.h"
#include "compositor/map.h"

struct city_bookmarks;
struct city_config;
struct city_control;
struct city_desk;
struct city_foreign;
struct city_idle;
struct city_input_method;
struct city_keeper;
struct city_label;
struct city_layers_shell;
struct city_lock;
struct city_output_manager;
struct city_outputs;
struct city_protocols;
struct city_scape;
struct city_seat;
struct city_stage;
struct city_tiles;
struct city_view;
struct city_xdg;
struct wlr_allocator;
struct wlr_backend;
struct wlr_compositor;
struct wlr_output;
struct wlr_output_event_present;
struct wlr_output_layout;
struct wlr_renderer;
struct wlr_scene;
struct wlr_scene_output;
struct wlr_session;
struct wlr_surface;

/* server.events.frame_commit: an output is about to build and commit a frame. Whatever a listener
 * does to the scene is part of exactly this frame and of no earlier one. */
struct city_frame_event {
	struct city_output *output;
	int64_t when_ns;     /* predicted presentation, CLOCK_MONOTONIC */
	uint32_t commit_seq; /* wlr_output.commit_seq that this frame will have */
};

/* server.events.frame_presented: a frame reached the screen (or failed to). */
struct city_presented_event {
	struct city_output *output;
	const struct wlr_output_event_present *present; /* presented, when, seq, refresh, flags */
	uint32_t commit_seq;				/* matches city_frame_event.commit_seq */
	int64_t when_ns;
	/* Refresh cycles between the previous presentation and this one in which nothing new was
	 * shown although city_server_busy_begin was in force the whole time. */
	uint32_t missed;
};

/* server.events.input: a key, button or scroll was sent to a client. */
struct city_input_event {
	enum {
		CITY_INPUT_KEY,
		CITY_INPUT_MODIFIERS,
		CITY_INPUT_BUTTON,
		CITY_INPUT_SCROLL,
	} kind;
	struct wlr_surface *surface; /* that got it, NULL: nobody */
	uint32_t time_msec;
	uint32_t code;	/* evdev */
	uint32_t state; /* 1: pressed */
	struct wlr_keyboard_modifiers modifiers;
	struct xkb_keymap *keymap;		     /* for keys: what the code means; borrowed */
	const struct wlr_pointer_axis_event *scroll; /* borrowed */
};

struct city_output {
	struct wl_list link; /* city_server.outputs */
	struct city_server *server;
	struct wlr_output *wlr_output;
	struct wlr_scene_output *scene_output;
	struct city_stage *stage;      /* what it shows */
	struct wlr_box usable;	       /* layout coordinates, less exclusive zones */
	struct wl_list layer_surfaces; /* city_layer.link */

	/* The pace, for counting missed frames. */
	int64_t last_presented_ns;
	bool last_busy;		   /* the city was busy then */
	uint64_t last_busy_serial; /* city_server.busy_serial then */
	uint64_t frames, missed;   /* totals since the output appeared */
	struct city_frames costs;
	bool shows_lock;   /* a frame with nothing but the lock was presented */
	uint32_t lock_seq; /* commit_seq when the lock began */

	struct wl_listener frame;
	struct wl_listener present;
	struct wl_listener request_state;
	struct wl_listener destroy;
};

struct city_server {
	struct wl_display *display;
	struct wl_event_loop *loop;
	struct wlr_session *session; /* NULL when headless or nested */
	struct wlr_backend *backend;
	struct wlr_renderer *renderer;
	struct wlr_allocator *allocator;
	struct wlr_compositor *compositor;

	struct wlr_scene *scene;
	struct wl_list stages; /* city_stage.link */
	unsigned int minimaps; /* that are shown */
	struct wl_event_source *minimap_idle;
	struct city_stage *nowhere; /* keeps what no output shows; is never drawn */

	struct wlr_output_layout *output_layout;
	struct wl_list outputs; /* city_output.link */
	struct city_outputs *output_listeners;
	struct city_output_manager *output_manager; /* wlr-output-management and power */

	/* city_view.link; the topmost first. Includes views that are minimised or not yet mapped
	 * onto the map (see city_view.shown). */
	struct wl_list views;
	struct city_view *focused; /* has the keyboard, may be NULL */
	bool cycling;		   /* between the first Tab and the release of its modifier */
	uint32_t last_view_id;
	uint64_t raises; /* of views, so far */

	struct city_seat *seat;
	struct city_config *config;
	struct city_lock *lock;
	struct city_protocols *protocols; /* the globals that need no file of their own */
	struct city_xdg *xdg;
	struct city_scape *scape;
	struct city_layers_shell *layer_shell;
	struct city_foreign *foreign;
	struct city_idle *idle;
	struct city_input_method *input_method;
	struct city_bookmarks *bookmarks; /* NULL until asked for, see bookmarks.h */

	/* Written by others, opaque here; NULL where they are not in use. */
	struct city_keeper *keeper;
	struct city_desk *desk;
	struct city_tiles *tiles;
	struct city_control *control;
	struct city_audio *audio;

	/* The listening socket. city_keeper_create may set both before the server would make a
	 * socket of its own: it then belongs to the server, which closes it. */
	int listen_fd;	   /* -1: make one */
	char *socket_name; /* "wayland-1", heap */

	/* Clients that a listening socket did not bring in: the tile workers. Returns true for
	 * clients that may see the tile protocol; set by tiles, NULL until then. */
	bool (*is_tile_client)(struct city_server *server, const struct wl_client *client);

	/* Sandboxed clients are those connected through a security context; see globals.c. A
	 * module that makes a privileged global of its own registers it here so that sandboxed
	 * clients never see it. With tiles_only, only clients for which is_tile_client says yes
	 * see it. */
	struct wl_array privileged; /* struct city_privileged_global */

	struct {
		struct wl_signal frame_commit;	  /* struct city_frame_event */
		struct wl_signal frame_presented; /* struct city_presented_event */
		struct wl_signal view_mapped;	  /* struct city_view: appeared on the map */
		struct wl_signal view_unmapped;	  /* struct city_view: about to go */
		struct wl_signal focus;		  /* struct city_view, may be NULL */
		struct wl_signal input;		  /* struct city_input_event */
		struct wl_signal camera;	  /* struct city_stage: its camera moved */
		struct wl_signal config;	  /* struct city_config: loaded again */
		struct wl_signal renderer_lost;	  /* renderer was replaced: drop textures */
	} events;

	unsigned int busy;    /* city_server_busy_begin minus _end */
	uint64_t busy_serial; /* counts the times busy fell to 0 */

	bool running;
	bool restarting; /* ends to be started again: tiles run on */
	int exit_code;
	char *safe; /* safe mode, and why; NULL: not. Heap */
	struct city_label *safe_label;
	rlim_t programs_files; /* limit on files that programs are started with; 0: as it is */

	struct wl_listener backend_destroy;
	struct wl_listener renderer_lost;
	struct wl_event_source *sigint, *sigterm, *sighup;
	struct wl_event_source *recover_idle; /* replaces a lost renderer outside its signal */
};

/*
 * Builds the whole server and binds its socket; nothing is shown and no client is accepted yet.
 * Takes the config. Returns NULL after one line in the log that says what failed.
 */
struct city_server *city_server_create(struct city_config *config);
/* Starts the backend; false after one line in the log. */
bool city_server_start(struct city_server *server);
/* NULL-safe. Clients first, then everything in reverse order of creation. */
void city_server_destroy(struct city_server *server);
/* Reads the config file again. On an error the old one stays in force and false is returned. */
bool city_server_reload(struct city_server *server);
/* Ends the loop; `code` is the exit status of the process. */
void city_server_quit(struct city_server *server, int code);

/* Ends this compositor, and has the keeper start another that goes on with the tiles. False without
 * a keeper. */
bool city_server_restart(struct city_server *server);
/* Says on the screen that this is safe mode, and how to leave it. */
void city_server_show_safe(struct city_server *server);

/* Hides a global from sandboxed clients, or from everybody but tile workers. */
void city_server_hide_global(struct city_server *server, struct wl_global *global, bool tiles_only);

/*
 * Asks every enabled output for a frame, so that frame_commit is emitted soon even if nothing was
 * damaged. One call, one frame.
 */
void city_server_schedule_frame(struct city_server *server);
/*
 * Between these two the outputs draw without pause and a refresh cycle without a new frame counts
 * as missed. Calls nest. Without them the city draws only damage and sleeps otherwise.
 */
void city_server_busy_begin(struct city_server *server);
void city_server_busy_end(struct city_server *server);

/* The output that has the focus: the one under the cursor, else the first. NULL without outputs. */
struct city_output *city_server_focused_output(struct city_server *server);

/* Starts a program of the user's with the city's environment, detached. */
bool city_server_spawn(struct city_server *server, const char *command);

#endif
