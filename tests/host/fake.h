/* SPDX-License-Identifier: MIT */
/*
 * A compositor and a keeper small enough for a test: enough Wayland for the tile host, and the
 * tile's half of the keeper's wire. One city, one tile, any number of versions of it. Everything
 * waits for events, with a generous limit, and fails the test when that passes.
 */
#ifndef TESTS_HOST_FAKE_H
#define TESTS_HOST_FAKE_H

#include <linux/input-event-codes.h> /* the keycodes of fake_key */
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <wayland-server-core.h>

#include "ring.h"
#include "transport.h"
#include "vat.h"

struct fake_stream {
	char name[VAT_NAME_SIZE];
	int fd;
	pid_t pid;
};

/* A ring, of which the test is the consumer. */
struct fake_ring {
	char name[VAT_NAME_SIZE];
	int fd, wake_fd;
	struct ring ring;
	uint64_t position; /* the city's frame that is taken next */
};

struct fake_city {
	struct wl_display *display;
	struct wl_event_loop *loop;
	int region_fd;
	struct vat_region *region; /* mapped read-only */
	struct vat_uuid uuid;
	uint64_t epoch;
	uint32_t serial;
	struct fake_stream streams[8];
	size_t stream_count;
	struct fake_ring rings[4];
	size_t ring_count;
	int transport_fd, audio_fd; /* the test's end of the last connection; -1: none */
	struct vat_transport_page *transport;
	bool no_audio;		 /* nobody gets a connection */
	bool hold_claims;	 /* do not answer them */
	size_t claims;		 /* asked for so far */
	struct wl_list versions; /* fake_version.link */
};

struct fake_version {
	struct wl_list link;
	struct fake_city *city;
	struct wl_client *client; /* NULL once it has disconnected */
	struct wl_listener client_destroy;
	struct wl_resource *surface, *tile, *keyboard, *pointer, *data_device;
	pid_t pid;
	int status; /* as waitpid gives it, once ended */
	bool ended;
	int keeper_fd;
	struct wl_event_source *keeper_source;
	uint64_t held_claim; /* of the stream of this name */
	char held_name[VAT_NAME_SIZE];

	bool hold_frames;  /* do not answer frame callbacks */
	bool hold_buffers; /* do not release the last buffer */
	struct wl_resource *pending_buffer, *held_buffer;
	struct wl_resource *frame_callbacks[16];
	size_t frame_callback_count;
	int32_t viewport_width, viewport_height;
	int32_t damage_x1, damage_y1, damage_x2, damage_y2; /* extents, of the last commit */

	bool described, ready;
	int standing; /* as it rejoined; -1: it has not */
	uint64_t rejoined_epoch;
	char role[64];
	int default_width, default_height;
	int failed_step;  /* -1: has not failed */
	char reason[512]; /* of failed, refused, checked */
	bool yielded, refused, checked, check_ok, attached;
	uint64_t state_bytes, migrated_bytes;
	uint64_t last_update, first_update;
	uint32_t acked;
	char title[256];
	char trouble[64];    /* the operation in which something was wrong; empty: none */
	int trouble_status;  /* as in KEEPER_TROUBLE */
	unsigned changes;    /* times that it told the keeper of */
	bool settled_change; /* the last was that of a probation's end */
	bool prepared;	     /* has answered fake_send_prepare */
	uint32_t stand_by_serial;
	uint64_t stand_by_epoch;
	bool tracked; /* has answered fake_send_track */
	int track_status;
	unsigned commits;      /* with a buffer */
	int32_t width, height; /* of the last buffer */
	uint32_t *pixels;      /* a copy of it */
	bool attached_before_frame;
	/* What it said of its sound; 0: nothing. */
	uint32_t sound_ended, sound_missed; /* serials */
	uint64_t sound_frame;
	unsigned sound_begins;
	uint64_t sound_began;
	uint32_t sound_skipped;
	int paste_fd; /* where it waits for the text that it asked for, -1: it has not asked */
	struct wl_resource *source; /* what it offers, NULL: nothing */
};

void fake_city_init(struct fake_city *city);
/* Ends what still runs, and fails the test if a version left anything behind. */
void fake_city_finish(struct fake_city *city);

/* Options of a version: "key=value". */
#define OPTIONS(...) ((const char *const[]){__VA_ARGS__, NULL})
/* Start a version. options: "key=value" strings, ended by NULL; may be NULL. Waits for nothing. */
struct fake_version *fake_start(
	struct fake_city *city, const char *artifact, const char *const *options);
/* As above; waits until it is ready. */
struct fake_version *fake_start_ready(
	struct fake_city *city, const char *artifact, const char *const *options);
/* Give it the epoch and wait for the first frame. */
void fake_attach(struct fake_version *version, uint32_t reason, int undo_fd);
void fake_send_attach(struct fake_version *version, uint32_t reason, int undo_fd);
void fake_send_prepare(struct fake_version *version, int undo_fd);
/* It stands by: the other end of the baton. With the serial and epoch of fake_send_attach_to it. */
int fake_send_stand_by(struct fake_version *version, int undo_fd);
void fake_send_attach_to(struct fake_version *version, int undo_fd);
/* It is to yield to one that stands by: the other end of the baton. */
int fake_send_baton(struct fake_version *version);
void fake_send_migrate(struct fake_version *version);
void fake_send_resume(struct fake_version *version);
/* The serial; frame 0: as soon as `ahead` is met. */
uint32_t fake_send_sound_end(
	struct fake_version *version, uint64_t frame, uint32_t ahead, uint32_t fade);
void fake_send_sound_go_on(struct fake_version *version);
void fake_send_settle(struct fake_version *version);
void fake_send_check(struct fake_version *version);
void fake_send_retire(struct fake_version *version);
void fake_send_configure(struct fake_version *version, int32_t width, int32_t height);
void fake_focus(struct fake_version *version);
void fake_key(struct fake_version *version, uint32_t keycode); /* press and release */
void fake_click(struct fake_version *version, double tx, double ty);
void fake_send_frames(struct fake_version *version); /* the held callbacks */
/* There is text in the clipboard; asked for it, paste_fd is set. */
void fake_offer(struct fake_version *version);
/* As the keeper tells that the child behind a stream has ended. */
void fake_send_stream_ended(struct fake_version *version, const char *name, int status);
/* Ask for the barrier as the keeper does for a checkpoint; the answer comes into ->tracked. */
void fake_send_track(struct fake_version *version, int undo_fd);
void fake_send_track_end(struct fake_version *version);
void fake_kill(struct fake_version *version);
/* The connection ends; fake_reconnect then gives another, as the keeper does, and waits until the
 * version has rejoined. */
void fake_disconnect(struct fake_version *version);
void fake_reconnect(struct fake_version *version);

/* Handle what is there, waiting at most so long for something to come. */
void fake_dispatch(struct fake_city *city, int timeout_ms);
bool fake_time_left(uint64_t *limit); /* limit starts as 0 */
#define FAKE_WAIT(city_, condition_)                                                               \
	do {                                                                                       \
		uint64_t limit_ = 0;                                                               \
		while (!(condition_) && fake_time_left(&limit_)) {                                 \
			fake_dispatch(city_, 20);                                                  \
		}                                                                                  \
		assert_true(condition_);                                                           \
	} while (0)
void fake_wait_exit(struct fake_version *version);
/* Answer the claim that was held. */
void fake_send_claimed(struct fake_version *version);
/* The stream that the keeper has under this name; fails the test when there is none. */
struct fake_stream *fake_stream(struct fake_city *city, const char *name);
/* The ring that the keeper has under this name, wanting that many frames ahead; fails the test when
 * there is none. */
struct fake_ring *fake_ring(struct fake_city *city, const char *name, uint32_t want);
/* Take the next frames, as soon as they are there. */
void fake_pull(struct fake_city *city, struct fake_ring *ring, uint32_t frames, float left[],
	float right[]);
/* Look at the region afresh and return the data of a cell. */
const void *fake_cell(struct fake_city *city, const char *name);

#endif
