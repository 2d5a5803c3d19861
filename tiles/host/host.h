/* SPDX-License-Identifier: MIT */
/*
 * source-city-tile: the process that runs one version of one tile.
 *
 * One thread. loop.c waits for the Wayland connection, the keeper, the timers and the streams that
 * the tile watches, and calls the operations of the artifact; they are never re-entered, because no
 * service that they call dispatches events.
 *
 * Life of a version: HOST_LOADING (checked, loaded, warmed beside the old version; the region is
 * mapped read-only) -> HOST_READY -> HOST_LIVE (holds the epoch, writes its cells) -> HOST_YIELDED
 * (read-only again; input is kept) -> the end, or HOST_LIVE again; or HOST_LIVE on a private copy
 * of its cells, while it is seen fading (shadow.c). HOST_FAILED waits for its end.
 *
 * It outlives the compositor: while it is HOST_LIVE or HOST_YIELDED a broken connection is put away
 * (host.display is NULL then, and so is all that came from it), streams and updates go on, and the
 * next compositor's connection comes from the keeper. SIGTERM is what ends it in good order.
 */
#ifndef SOURCE_CITY_TILE_HOST_H
#define SOURCE_CITY_TILE_HOST_H

#include <limits.h>
#include <pixman.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <wayland-client.h>
#include <xkbcommon/xkbcommon-compose.h>
#include <xkbcommon/xkbcommon.h>

#include "keeper/wire.h"
#include "recorder.h"
#include "ring.h"
#include "tile.h"
#include "tile_elf.h"
#include "vat.h"

#define HOST_NEVER UINT64_MAX
#define HOST_STREAMS_MAX 64
#define HOST_BUFFERS_MAX 3
#define HOST_TRANSFERS_MAX 32
#define HOST_CODE_MAX 16
#define HOST_PORTS_MAX 8
#define HOST_WATCHES_MAX 16
#define HOST_WHY_SIZE sizeof(((struct vat_error *)0)->text) /* for one line with a reason */

enum host_state {
	HOST_LOADING,
	HOST_READY,
	HOST_LIVE,
	HOST_YIELDED,
	HOST_FAILED,
};

/* Values of source_city_tile_v1.failure. */
enum host_step {
	HOST_STEP_LOAD = 0,
	HOST_STEP_WARM,
	HOST_STEP_QUIESCE,
	HOST_STEP_ATTACH,
	HOST_STEP_CHECK,
};

struct host_buffer {
	struct host *host;
	struct wl_buffer *wl_buffer; /* NULL: this place of the pool is empty */
	uint32_t *pixels;
	size_t size;
	int32_t width, height, stride;
	bool busy;		 /* the compositor reads it */
	pixman_region32_t stale; /* what changed since it was drawn, buffer pixels */
};

/* Of a stream that the tile has, and whose descriptor the keeper still has to send. */
#define HOST_STREAM_COMES INT_MAX

struct host_stream {
	int fd;		  /* -1: this id is not in use; HOST_STREAM_COMES */
	uint64_t claimed; /* by which request to the keeper; 0: none yet */
	bool resized;	  /* to be passed on when it comes: */
	struct tile_pty_options size;
	char name[VAT_NAME_SIZE];
	int pid;	  /* the child behind a PTY, or 0 */
	int pid_fd;	  /* of a child of our own; -1: the keeper tells of its end, or none */
	bool read, write; /* what the tile watches */
	bool file;	  /* opened by host_file_open: of this version alone */
	bool at_end;	  /* nothing more will come */
	bool child_ended;
	bool told; /* TILE_INPUT_STREAM_END was delivered */
	int status;
	uint64_t drained_at; /* child_ended, but something holds the PTY open: when to stop waiting
			      */
	/* Bytes that another version has left (journal.c); they come before those of the fd. */
	char *replay;
	size_t replay_size, replay_at;
};

struct host_input {
	struct wl_list link; /* host.input_queue */
	struct tile_input event;
	char *text; /* what event.paste.text points to; owned */
};

struct host_keyboard {
	struct wl_keyboard *wl_keyboard;
	struct xkb_context *context;
	struct xkb_keymap *keymap; /* NULL until the compositor sent one */
	struct xkb_state *state;
	char *keymap_text; /* as it was received */
	struct xkb_keymap *us_keymap;
	struct xkb_compose_table *compose_table; /* NULL where the locale has none */
	struct xkb_compose_state *compose;
	xkb_mod_mask_t masks[8];	   /* of the modifiers in the order of enum tile_modifier */
	int32_t repeat_rate, repeat_delay; /* per second, ms */
	uint32_t repeat_key;		   /* evdev; 0: nothing repeats */
	uint64_t repeat_at;		   /* HOST_NEVER: not */
};

struct host_pointer {
	struct wl_pointer *wl_pointer;
	struct wp_cursor_shape_device_v1 *shape;
	bool inside;
	double tx, ty;
	uint32_t enter_serial;
	enum tile_cursor cursor;
	/* of the frame being received */
	bool moved;
	double scroll_x, scroll_y;
	int32_t step_x, step_y;
	bool scrolled;
	/* counting clicks */
	uint32_t last_button, last_time_ms, clicks;
	double last_tx, last_ty;
};

struct host_transfer; /* selection.c: a read or write of a selection under way */

/* A port that sound comes out of. */
struct host_port {
	uint32_t index; /* in the descriptor */
	int wake_fd;	/* eventfd: the ring wants more */
	struct ring ring;
	struct ring consumer; /* the other side, of a tile that runs alone */
	uint64_t next;	      /* the first frame that the state has not been through */
	uint64_t tail_at, tail_end;
};

struct host_watch; /* watch.c: a file that is followed */

struct host_role; /* how the surface is shown: as a tile of the city, or as a window */

/* Where a tile is in its period: (clock + offset) % period. Zeroed: it has none. */
struct host_phase {
	uint64_t period, offset; /* ns */
};

struct host {
	struct tile tile; /* what operations are given; first, so that it can be turned back */
	enum host_state state;
	bool running; /* the loop goes on */
	bool standalone;
	int exit_status;
	int end_fd; /* eventfd: SIGTERM has come */
	char name[KEEPER_NAME_SIZE];
	char title[1024];	       /* as the tile has set it last; empty: never */
	bool title_told;	       /* to the compositor, or there is none */
	bool attaching;		       /* while others wait: what they need not know comes later */
	struct keeper_message *assume; /* what we are; its text holds the options */
	struct tile_time time;
	const char *operation; /* being run, NULL between them; read by signal handlers */
	uint64_t operation_number, operation_watched; /* crash.c: whether it is still the same */
	bool stuck;		/* the city was told that it does not return */
	struct fcft_font *font; /* kept so that its like is at hand for the tile */
	char last_log[256]; /* the last error or warning of the tile: the reason when it fails */

	/* artifact.c */
	struct elf_report report;
	struct tile_descriptor descriptor; /* with zeros for what an older ABI does not have */
	struct elf_report older_report;	   /* of the version that ran last */
	struct tile_descriptor older;	   /* its edges are for the way back; zeros: none */
	struct tile_ops operations;	   /* with zeros for what an older ABI does not have */
	const struct tile_ops *ops;	   /* these */
	bool warm;			   /* detach is due at the end */

	/* state.c */
	struct vat_region *region;
	void **cells;
	uint64_t *cell_counts;
	bool *cell_fresh;
	struct vat_adopt_report fits; /* of the last try, if nothing has to be done; or zero */
	uint64_t found;		      /* generation that cells[] were found in; 0: none */
	int undo_fd;		      /* -1 out of probation */
	uint32_t tracker;	      /* enum host_tracker */
	uint64_t tracked_generation;
	bool told_changed; /* the keeper knows that there is something to save */
	uint64_t epoch;	   /* that it was given last */
	uint64_t clock_offset;
	uint64_t state_bytes, migrated_bytes; /* of the last attach */
	uint32_t state_mode;		      /* source_city_tile_v1.state_mode */
	bool lossy;
	char lost[HOST_WHY_SIZE]; /* by the last attach, "" for nothing */
	uint64_t yielded_at;	  /* CLOCK_MONOTONIC, of the end of the last operation before */
	uint64_t attached_at;	  /* of the end of attach, until the first update; 0: it was */
	uint64_t updated_at;	  /* of the end of the last update; 0: none */

	/* build.c */
	struct vat_build *build; /* cells that attach will need; NULL: none */
	enum {
		HOST_SNAPSHOT_NONE,
		HOST_SNAPSHOT_ASKED,
		HOST_SNAPSHOT_REFUSED,
		HOST_SNAPSHOT_TAKEN,
	} snapshot;
	int snapshot_fd; /* the log of the version that runs; -1: none */

	/* phase.c */
	struct host_phase phase;
	uint32_t phase_error; /* of the last attach, in millionths of the period */
	/* of the last attach */
	int64_t gap_ns;			/* of the clock; below 0: it went back */
	uint64_t bytes_had, bytes_kept; /* of state */

	/* shadow.c */
	struct {
		bool on;
		bool tail;		       /* for its sound alone: it is not seen */
		uint64_t journal_at;	       /* read up to here */
		uint64_t follow_at;	       /* CLOCK_MONOTONIC: when to look there again */
		struct host_recorder recorder; /* as it was */
	} shadow;

	/* random.c */
	struct {
		bool follows;
		uint32_t state[16]; /* key and counter */
		uint64_t numbers[8];
		unsigned left; /* of them */
	} random;

	/* journal.c */
	int journal_fd; /* -1: none */
	bool journaling;
	char *journal; /* what this version took over from the last one; NULL: nothing */
	size_t journal_size;

	struct host_recorder recorder;
	/* Replay: what operations are told the time is; NULL: as it is. */
	const struct recording_moment *told;

	/* transport.c */
	struct vat_transport_page *transport_page; /* NULL: there is none */
	struct vat_transport transport;		   /* as the operation being run is told */
	int transport_fd;			   /* to the audio process; -1: none */

	/* loop.c */
	uint64_t turn_began; /* processor time of this thread */
	uint64_t wake_at;    /* HOST_NEVER: not */
	int timer_fd;	     /* CLOCK_BOOTTIME, for wake_at alone */
	uint64_t timer_armed;

	/* stream.c */
	int keeper_fd;	  /* -1: none */
	int reconnect_fd; /* a new compositor's connection, to be used by the loop; -1: none */
	uint64_t keeper_request;
	uint64_t streams_asked; /* request for the names of all streams; 0: not asked */
	struct keeper_message *streams_there; /* its answer; NULL: not known */
	struct host_stream streams[HOST_STREAMS_MAX];
	char *stream_scratch; /* system calls write here, never into cells */

	/* code.c */
	struct host_code {
		void *writable, *executable; /* NULL: this place is empty */
		size_t size;
	} code[HOST_CODE_MAX];

	/* sound.c */
	struct {
		struct host_port ports[HOST_PORTS_MAX];
		size_t count;
		float buffers[TILE_SOUND_CHANNELS][TILE_SOUND_FRAMES_MAX];
		bool look;  /* a ring may want something */
		bool began; /* the compositor has been told of the first sound */
		/* Asked to end at a frame; has come to it, and renders no more. */
		bool ending, ended;
		uint32_t serial, ahead, fade;
		uint64_t end;
	} sound;
	/* pump.c */
	struct {
		int timer_fd;	/* -1: there is nothing to take */
		uint64_t began; /* CLOCK_MONOTONIC of frame 0 */
		uint64_t frame; /* that is taken next */
	} pump;
	struct vat_shadow *tail_copy; /* what the tail is rendered from; NULL: none */

	/* watch.c */
	int watch_fd; /* inotify; -1: none */
	struct host_watch *watches[HOST_WATCHES_MAX];
	size_t watch_count;

	/* surface.c */
	struct wl_display *display; /* NULL: there is no compositor just now */
	struct wl_registry *registry;
	struct wl_callback *connecting; /* outstanding: to another compositor */
	struct wl_compositor *compositor;
	struct wl_shm *shm;
	struct wp_viewporter *viewporter;
	struct wp_fractional_scale_manager_v1 *scale_manager;
	struct wl_surface *surface;
	struct wp_viewport *viewport;			 /* may be NULL */
	struct wp_fractional_scale_v1 *fractional_scale; /* may be NULL */
	const struct host_role *role;
	struct wl_callback *frame; /* outstanding: the last frame has not been shown yet */
	bool configured;
	bool acknowledge; /* the next commit acknowledges configure_serial */
	uint32_t configure_serial;
	int32_t width, height; /* as configured last; the tile's follow at the next update point */
	double scale;
	struct host_buffer buffers[HOST_BUFFERS_MAX];
	pixman_region32_t damage; /* to be drawn, buffer pixels */
	bool commit_needed; /* an empty commit: to acknowledge a configure that changed nothing */

	/* tile_role.c */
	int baton_fd; /* to whoever takes the cells over from this version; -1: nobody stands by */
	struct {
		int baton_fd; /* -1: it does not stand by */
		int undo_fd;
		uint32_t serial;
		uint64_t epoch;
		uint64_t awake_until;	 /* CLOCK_MONOTONIC: it does not sleep before; */
		uint64_t awake_at;	 /* and was seen not to */
		bool taken;		 /* attach has run, and was not told of: */
		uint64_t first_ns;	 /* CLOCK_MONOTONIC, when it had; 0: it has failed */
		char why[HOST_WHY_SIZE]; /* then */
	} stand_by;

	/* tile_role.c, standalone.c */
	struct source_city_tile_manager_v1 *tile_manager;
	struct source_city_tile_v1 *wl_tile;
	bool migrating; /* asked to yield; a paste that is on its way comes first */
	uint32_t migrate_serial;
	uint64_t migrate_refuse_at, migrate_deadline; /* CLOCK_MONOTONIC */
	int lineage_fd; /* artifact of the version that ran last; -1: none */
	struct xdg_wm_base *wm_base;
	struct xdg_surface *xdg_surface;
	struct xdg_toplevel *toplevel;
	struct zxdg_decoration_manager_v1 *decoration_manager;
	struct zxdg_toplevel_decoration_v1 *decoration; /* may be NULL */

	/* input.c, keyboard.c, pointer.c */
	struct wl_list input_queue; /* host_input.link */
	size_t input_queued;
	struct wl_seat *seat;
	struct host_keyboard keyboard;
	struct host_pointer pointer;
	struct wp_cursor_shape_manager_v1 *shape_manager;
	uint32_t input_serial; /* of the last event that a selection may be set for */

	/* selection.c */
	struct wl_data_device_manager *data_manager;
	struct wl_data_device *data_device;
	struct zwp_primary_selection_device_manager_v1 *primary_manager;
	struct zwp_primary_selection_device_v1 *primary_device;
	bool selection_told[2];	  /* by this compositor: what is offered; [1]: primary */
	struct wl_list offers;	  /* host_offer.link */
	struct wl_list sources;	  /* host_source.link */
	struct wl_list transfers; /* host_transfer.link */
};

/* How the surface is shown. */
struct host_role {
	void (*ack_configure)(struct host *host, uint32_t serial);
	void (*set_title)(struct host *host, const char *title);
	void (*bell)(struct host *host);
	void (*open_uri)(struct host *host, const char *uri);
};

static inline struct host *host_of(struct tile *tile) {
	return (struct host *)tile;
}

/* ---- main.c */
/* Put a host with nothing in it into a usable state. */
void host_init(struct host *host);
/* End everything in order: the tile's detach where it is due, then all that the host holds. */
void host_finish(struct host *host);
/* Map what every tile needs (fonts, keymaps), so that a spare is warm. In time that nobody else
 * wants, until there is something from the keeper. */
void host_prewarm(struct host *host);
__attribute__((format(printf, 3, 4))) void host_log(
	struct host *host, int level, const char *format, ...);

/* ---- artifact.c */
/* Check and load. False with one line in why. */
bool host_load(struct host *host, int artifact_fd, char *why, size_t why_size);
/* The version that ran last, for its edges; without it only this one's are known. */
void host_load_older(struct host *host, int artifact_fd);
bool host_warm(struct host *host, char *why, size_t why_size);
int host_check_file(const char *path, bool json); /* --check; the exit status */
void host_print_json(const char *string);	  /* as a JSON string, on stdout */

/* ---- describe.c */
/* The state, ports and time model of this version; report: what attaching it would do. */
void host_describe_state(struct host *host, const struct vat_adopt_report *report);

/* ---- state.c */
/* Map the region and try, without writing, whether the descriptor's cells fit it. */
bool host_state_open(struct host *host, int region_fd, char *why, size_t why_size);
/* Take the epoch and run attach. undo_fd (owned from here on) or -1. */
bool host_state_attach(struct host *host, enum tile_attach reason, uint64_t epoch, int undo_fd,
	char *why, size_t why_size);
/* Give the cells up. False: the tile goes on. */
bool host_state_yield(struct host *host, uint64_t deadline_ns, char *why, size_t why_size);
/* Once the others know: make sure of it. */
void host_state_leave(struct host *host);
bool host_state_resume(struct host *host, uint64_t epoch, char *why, size_t why_size);
/* Before ready, and as attach comes near: what attaching can find out ahead. */
void host_state_prepare(struct host *host);
/* The places of the cells, again. */
bool host_state_find(struct host *host, char *why, size_t why_size);
/* Attach again, to the cells as they are mapped; for shadow.c. */
bool host_state_go_on(struct host *host, char *why, size_t why_size);
void host_state_settle(struct host *host);
bool host_state_check(struct host *host, char *why, size_t why_size);
bool host_cell_resize(struct host *host, uint32_t cell, uint64_t count);
bool host_cell_written(const struct host *host, uint32_t cell, uint64_t *from, uint64_t *to);
void host_state_close(struct host *host);

/* ---- build.c: cells in another shape, built before the old version stops */
/* Before ready. False when this version cannot have the state, with a reason. */
bool host_build_ahead(struct host *host, char *why, size_t why_size);
/* In attach: what was built is of use, or it is built now if edges of the tile's have to run. */
bool host_build_finish(struct host *host, char *why, size_t why_size);
void host_build_tell(const struct host *host); /* into the log, after it */
void host_build_drop(struct host *host);
/* What libvat is told about this version and how it takes the state over. */
unsigned host_adopt_flags(const struct host *host);

/* ---- track.c: the state as it is at one moment, while the tile goes on */
/* What it is wanted for. A handover takes it from a checkpoint, which is then tried again. */
enum host_tracker {
	HOST_TRACK_NONE,
	HOST_TRACK_CHECKPOINT,
	HOST_TRACK_HANDOVER,
};
/*
 * Arm the write barrier on the live version. From then on the region, overlaid by the images of
 * the log, is the state as it is now; the log's entries are the pages that the tile has written
 * since. Called between operations only. undo_fd stays the caller's. False, with one line in why
 * and an errno in *error, when the tile is not live, on probation, or tracked for somebody else.
 */
bool host_track_begin(struct host *host, enum host_tracker tracker, int undo_fd, int *error,
	char *why, size_t why_size);
/* Disarm, if it is this one's (NONE: whoever's): the log is marked as ended before anything is
 * written that it does not see. Giving up the cells does it too. */
void host_track_end(struct host *host, enum host_tracker tracker);
/* For a successor that builds its cells ahead, in a gap of that size. */
bool host_track_for_successor(struct host *host, uint64_t room, int undo_fd);
/* KEEPER_TRACK, KEEPER_TRACK_END: for checkpoints. */
void host_track_handle(struct host *host, const struct keeper_message *message, int undo_fd);
/* An operation has run, or the probation has ended (settled): the keeper hears of the first that
 * may have changed something since the last checkpoint. */
void host_track_changed(struct host *host, bool settled);
/* The cells have been given up, perhaps at the end of the city and in a probation, of which nobody
 * has said so. */
void host_track_left(struct host *host);

/* ---- operation.c: calls into the tile */
uint64_t host_monotonic(void);		    /* CLOCK_MONOTONIC, ns */
uint64_t host_now(const struct host *host); /* the tile's clock */
void host_begin(struct host *host, const char *operation);
void host_end(struct host *host);
/* Run update if it is due. */
void host_update_if_due(struct host *host);
/* Whether a due update waits until the tile is seen again. */
bool host_held_back(const struct host *host);

/* ---- transport.c: where the music is */
/* It stands still at 0 until a page is mapped. */
void host_transport_init(struct host *host);
/* Borrowed; -1: there is none. */
void host_transport_open(struct host *host, int page_fd);
/* What the next operation is told. */
void host_transport_look(struct host *host);
bool host_transport_ask(struct host *host, enum tile_transport_ask what, uint32_t value,
	int64_t tick, const char *name);
void host_transport_finish(struct host *host);

/* ---- sound.c: what comes out of ports of kind TILE_PORT_SOUND */
/* Before the version is ready: get the rings. Without them it runs as well, unheard. */
void host_sound_open(struct host *host);
void host_sound_finish(struct host *host);
/* In attach: it goes on, or not, with what the rings hold. */
void host_sound_attached(struct host *host, enum tile_attach reason);
/* Call the tile's render; nothing else of the host's is done. */
void host_render(struct host *host, const struct tile_sound *sound);
/* Render what is wanted, if anything may be. */
void host_sound_run(struct host *host);
size_t host_sound_poll(struct host *host, struct pollfd *fds, size_t count, size_t size);
void host_sound_dispatch(struct host *host, const struct pollfd *fds, size_t count);
/* Whether somebody takes what is rendered, and does not wait for it. */
bool host_sound_is_urgent(const struct host *host);
/* Whether there is more to render without being woken for it. */
bool host_sound_wants(const struct host *host);
bool host_sound_status(struct host *host, uint32_t port, struct tile_sound_status *status);
/* The sound_end and sound_go_on of the tile protocol. */
void host_sound_end(
	struct host *host, uint32_t serial, uint64_t frame, uint32_t ahead, uint32_t fade);
void host_sound_go_on(struct host *host);
/* When the cells are to be given up, first: where nobody has settled an end, it is now. */
void host_tail_prepare(struct host *host);
/* When they have been, before anybody else may write them. */
void host_tail_begin(struct host *host);
/* When others have been told; _step then does a part of it, _finish all. */
void host_tail_start(struct host *host);
void host_tail_step(struct host *host);
void host_tail_finish(struct host *host);

/* ---- pump.c: for a tile that runs alone */
void host_pump_open(struct host *host);
/* A ring with its eventfd (the caller's), taken from by a timer from now on. */
bool host_pump_ring(struct host *host, struct ring *consumer, int fds[2]);
/* The timer has come. */
void host_pump_run(struct host *host);

/* ---- crash.c: says in which operation it crashes or does not return */
void host_crash_install(struct host *host);
/* Several hosts in one process, as in a replay: this one is about to call its tile. */
void host_crash_watch(struct host *host);
/* Status of a replay whose tile does not return from an operation. */
#define HOST_EXIT_STUCK 86
void host_no_longer_stuck(struct host *host); /* the operation that was told has returned */

/* ---- loop.c */
void host_run(struct host *host);
void host_quit(struct host *host, int status);
/* What was done until now is not counted as a frame that was missed. */
void host_turn_begin(struct host *host);
/* From here on SIGTERM ends the loop; an operation that does not return gets two seconds. */
void host_end_install(struct host *host);

/* ---- surface.c */
bool host_connect(struct host *host, int wayland_fd, char *why, size_t why_size);
/* Take up what a new compositor gave; returns at once, the rest follows from events. */
void host_reconnect(struct host *host, int wayland_fd);
/* Put away the connection and all that came from it. */
void host_disconnect(struct host *host);
void host_surface_configure(struct host *host, uint32_t serial, int32_t width, int32_t height);
/* Make buffers of the current size beforehand, their pages touched. */
void host_surface_prepare(struct host *host);
/* The configured size becomes the tile's; tells it when it runs. */
void host_surface_apply_size(struct host *host);
/* Draw and commit what is damaged, unless the last frame still waits to be shown. */
void host_surface_draw(struct host *host, bool first);
void host_surface_damage_all(struct host *host);
void host_surface_finish(struct host *host);

/* ---- buffer.c */
/* A buffer of that size which the compositor does not read; NULL: none now. */
struct host_buffer *host_buffer_get(struct host *host, int32_t width, int32_t height);
void host_buffers_finish(struct host *host);

/* ---- tile_role.c, standalone.c */
extern const struct host_role host_tile_role;
extern const struct host_role host_window_role;
void host_tile_role_init(struct host *host);
void host_tile_role_describe(struct host *host);
void host_tile_role_ready(struct host *host);
/* Instead of ready: it was running before this compositor. */
void host_tile_role_rejoin(struct host *host);
void host_tile_role_failed(struct host *host, enum host_step step, const char *reason);
/* Yield or refuse, if that waits and can be done now. */
void host_tile_role_advance(struct host *host);
/* It was busy for so long (processor time) without a pause. */
void host_tile_role_late(struct host *host, uint64_t busy_ns);
/* When it has to be called at the latest; HOST_NEVER: not. */
uint64_t host_tile_role_deadline(const struct host *host);
/* The descriptor that says when the version before has given the cells up; -1: nobody waits. */
int host_tile_role_baton(const struct host *host);
/* Whether that is so near that going to sleep would take longer. */
bool host_tile_role_stays_awake(struct host *host);
/* It can be read. */
void host_tile_role_take(struct host *host);
void host_tile_role_finish(struct host *host);
void host_window_role_init(struct host *host);
void host_window_role_finish(struct host *host);
/* options: `count` strings "key=value" */
int host_standalone(const char *path, char *const *options, int count);
/* A shell on a PTY of our own, for where there is no keeper. The master, or -1. */
int host_private_pty(const struct keeper_message *request, int *pid);

/* ---- input.c */
void host_seat_bind(struct host *host, uint32_t name, uint32_t version);
/* The connection has broken: the tile sees focus and pointer leave. */
void host_seat_lost(struct host *host);
void host_seat_release(struct host *host);
void host_seat_finish(struct host *host);
/* Hand an event to the tile, or keep it until there is one. A paste's text is copied if kept. */
void host_input(struct host *host, const struct tile_input *event);
void host_input_flush(struct host *host);
uint32_t host_modifiers(const struct host *host);

/* ---- keyboard.c */
void host_keyboard_prewarm(struct host_keyboard *keyboard);
void host_keyboard_bind(struct host *host);
void host_keyboard_repeat(struct host *host); /* repeat_at has come */
void host_keyboard_lost(struct host *host);
void host_keyboard_release(struct host *host);
void host_keyboard_finish(struct host *host);

/* ---- pointer.c */
void host_pointer_bind(struct host *host);
void host_pointer_set_cursor(struct host *host, enum tile_cursor cursor);
void host_pointer_lost(struct host *host);
void host_pointer_release(struct host *host);

/* ---- selection.c */
void host_selection_bind(struct host *host); /* once seat and managers are there */
void host_selection_set(struct host *host, bool primary, const char *text, size_t size);
void host_selection_request(struct host *host, bool primary);
/* The descriptors of transfers, from fds[count] on; handled by _dispatch. Returns the new count. */
size_t host_selection_poll(struct host *host, struct pollfd *fds, size_t count, size_t size);
void host_selection_dispatch(struct host *host, const struct pollfd *fds, size_t count);
/* Whether text is on its way to the tile. */
bool host_selection_receiving(const struct host *host);
/* When dispatch has to be called even if no descriptor says so; HOST_NEVER: not. */
uint64_t host_selection_deadline(const struct host *host);
void host_selection_offer_again(struct host *host);
/* The connection ends. What is offered stays, to be offered again on the next one. */
void host_selection_disconnect(struct host *host);
/* Others that are pasting from us get half a second to finish. */
void host_selection_finish(struct host *host);

/* ---- stream.c */
int host_stream_claim(struct host *host, const char *name);
/* Attach is near: which streams there are is asked for, so that the tile need not wait for the
 * keeper when it claims one. The streams themselves follow when host_streams_fetch() has asked for
 * them; until then they give nothing and take nothing. */
void host_streams_look(struct host *host);
void host_streams_fetch(struct host *host);
/* The keeper's answer to either; fds as for any message. False: it is to something else. */
bool host_streams_answer(
	struct host *host, const struct keeper_message *answer, int fds[KEEPER_FDS_MAX]);
/* The keeper is gone. */
void host_streams_lost(struct host *host);
int host_stream_pty(struct host *host, const char *name, const struct tile_pty_options *options);
long host_stream_read(struct host *host, int stream, void *data, size_t size);
long host_stream_write(struct host *host, int stream, const void *data, size_t size);
/* A connection to the audio process, kept like a PTY. The id, or -1. */
int host_stream_audio(struct host *host, const char *name);
/* A descriptor (owned from here on) as a stream of this version alone. The id, or -1. */
int host_stream_add_file(struct host *host, const char *name, int fd);
void host_stream_watch(struct host *host, int stream, bool readable, bool writable);
void host_stream_resize(struct host *host, int stream, const struct tile_pty_options *size);
void host_stream_close(struct host *host, int stream);
size_t host_stream_poll(struct host *host, struct pollfd *fds, size_t count, size_t size);
void host_stream_dispatch(struct host *host, const struct pollfd *fds, size_t count);
/* When a stream wants to be looked at again without its fd saying so; HOST_NEVER: not. */
uint64_t host_stream_deadline(const struct host *host);
void host_streams_finish(struct host *host);

/* ---- file.c: files that options name */
int host_file_open(struct host *host, const char *option, uint64_t offset, struct tile_file *file);
/* The path of the file that an option names; false with one line in why. */
bool host_file_path(
	struct host *host, const char *option, char path[4096], char *why, size_t why_size);

/* ---- watch.c: the same files, followed */
bool host_file_watch(struct host *host, const char *option);
/* Something may have happened; tells the tile what matters, if it runs. */
void host_watch_read(struct host *host);
/* Of all: the version that asked for it gave its cells up, or is about to be attached again. */
void host_watch_end(struct host *host);

/* ---- code.c: memory for generated code */
bool host_code_memory(struct host *host, size_t size, void **writable, void **executable);
void host_code_free(struct host *host, void *writable);
void host_code_finish(struct host *host);

/* ---- journal.c: bytes of streams that one version leaves to the next */
void host_journal_open(struct host *host);
/* Before attach: take what there is and give it to the streams that are open. On probation all
 * stays in the journal as well, and what is read is added to it. */
void host_journal_take(struct host *host, bool probation);
/* A stream was claimed: it gets its part. */
void host_journal_give(struct host *host, struct host_stream *stream);
/* On probation: these bytes were read. */
void host_journal_add(struct host *host, const char *stream, const void *data, size_t size);
/* The probation is over. */
void host_journal_end(struct host *host);
/* The cells are given up: leave what the tile has not read yet. */
void host_journal_leave(struct host *host);
void host_journal_finish(struct host *host);

/* For a shadow: what was added after the first `at` bytes is given to the streams. The new `at`. */
size_t host_journal_follow(struct host *host, size_t at);

/* ---- phase.c */
/* The phase goes on, aligned if the period has changed; reset: it begins at 0. */
void host_phase_take(struct host *host, bool reset);
/* As it is kept in the region. */
void host_phase_load(struct host *host);
uint64_t host_phase_at(const struct host *host, uint64_t now);
/* For a period, so that at that moment the same part of it has passed as of the old one. */
uint64_t host_phase_offset(uint64_t now, const struct host_phase *old, uint64_t period);
/* How far both are apart at that moment, in millionths of a period. */
uint32_t host_phase_error(
	uint64_t now, const struct host_phase *old, const struct host_phase *phase);

/* ---- random.c: numbers by chance. A version on probation, and the one before it on its private
 * copy, get the same: the first that is asked for after attach, the second, and so on. */

uint64_t host_random_next(struct host *host);
void host_random_follow(struct host *host, int undo_fd);
void host_random_unfollow(struct host *host);

/* ---- shadow.c: after it yielded, on a private copy of the state */
/* undo_fd: the log of the version that writes the state; borrowed. False: yielded as before. */
bool host_shadow_begin(struct host *host, int undo_fd, char *why, size_t why_size);
/* For its sound alone, on a copy (owned from here on) of what it gave up: HOST_YIELDED all the
 * while. False: as before. */
bool host_shadow_begin_copied(
	struct host *host, struct vat_shadow *copy, char *why, size_t why_size);
/* Yielded as before; nothing happens if it is no shadow. */
void host_shadow_end(struct host *host);
/* Streams get what the other version has read. */
void host_shadow_follow(struct host *host);
uint64_t host_shadow_deadline(const struct host *host); /* CLOCK_MONOTONIC; HOST_NEVER: none */

/* ---- keeper.c */
/* Send a request, whose answer comes to host_streams_answer(). 0, or -1 with errno. */
int host_keeper_send(struct host *host, struct keeper_message *request);
/* Wait (bounded) until the streams that there are are known. */
void host_keeper_wait_streams(struct host *host);
/* Send a request and wait (bounded) for its answer. 0, or -1 with one line in why. */
int host_keeper_call(struct host *host, struct keeper_message *request, const int *request_fds,
	size_t request_fd_count, struct keeper_message *answer, int fds[KEEPER_FDS_MAX], char *why,
	size_t why_size);
void host_keeper_dispatch(struct host *host);
/* A memfd that the tile has under this name; an empty one if it had none. -1 after a line in the
 * log. */
int host_keeper_memory(struct host *host, const char *stream);

/* ---- services.c */
extern const struct tile_host host_services;

#endif
