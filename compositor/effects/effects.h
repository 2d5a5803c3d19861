/* SPDX-License-Identifier: MIT */
/*
 * The effects engine: shows one picture turning into another (the melt of a handover) with GLSL
 * programs that users can add and edit. It has a thread and an EGL/GLES context of its own and
 * shares nothing with the renderer of wlroots, so the same shader runs on a GPU, on llvmpipe and
 * beside the pixman renderer. Where no EGL can be had, the thread does a plain crossfade instead.
 *
 * Threads: every function here is called on the main thread, returns at once and never waits for
 * the engine's thread; only city_effects_destroy does, for the frame being drawn at most.
 * Callbacks run on the main thread, from the event loop, never from within a call.
 *
 * Units: pixels of the target; progress runs from 0 (A) to 1 (B); colours are premultiplied.
 *
 * Errors: one line in the log. What concerns one transition is told to its owner by `failed`.
 *
 * The Visual Consistency Contract, as the engine keeps it whatever the program does:
 * - the frame at progress 0 is A and the frame at progress 1 is B, bit for bit;
 * - no channel of a pixel changes between two frames by more than
 *   CITY_TRANSITION_SLOPE * (difference of progress), plus CITY_TRANSITION_ROUNDING/255 for
 *   rounding: black cannot turn white in less than a quarter of the transition. A change in A's or
 *   B's own picture is theirs, and may be larger;
 * - every frame has the same size.
 * That a frame shows nothing that is neither A nor B is up to the program. What ships keeps to it.
 */
#ifndef CITY_EFFECTS_H
#define CITY_EFFECTS_H

#include <pixman.h>
#include <stdbool.h>
#include <stdint.h>

struct city_effects;
struct city_transition;
struct wl_event_loop;
struct wlr_allocator;
struct wlr_buffer;
struct wlr_renderer;

#define CITY_TRANSITION_SLOPE 4.0
#define CITY_TRANSITION_ROUNDING 1
/* What the melt is made for: 400 ms at 60 Hz. The bound is then 1/6 of full scale per frame. */
#define CITY_TRANSITION_DURATION_MS 400
#define CITY_TRANSITION_FRAMES 24

struct city_effects_options {
	struct wl_event_loop *loop;
	/* Of the compositor's renderer, -1 if it has none. Borrowed, used at once. */
	int drm_fd;
	/* Folders with NAME.frag, parted by colons, the first that has the file wins: the user's
	 * before the installed ones. */
	const char *shader_path;
	/* The context is given up after this long without a transition. 0 is the default (20 s),
	 * negative is never. */
	int idle_ms;
	/* For tests: let shaders keep the contract where frames in memory would be cheaper to hold
	 * to it there, as they do for dmabufs. */
	bool guard_in_shader;
};

enum city_effects_state {
	CITY_EFFECTS_COLD,	/* nothing started yet */
	CITY_EFFECTS_STARTING,	/* the context is being made for the first time */
	CITY_EFFECTS_READY,	/* EGL is there (the context itself may be resting) */
	CITY_EFFECTS_CROSSFADE, /* no EGL: every transition is a plain crossfade */
	CITY_EFFECTS_FAILED,	/* not even a thread */
};

/* Starts nothing yet. NULL when out of memory or descriptors. */
struct city_effects *city_effects_create(const struct city_effects_options *options);
/* NULL-safe. Transitions that still live are destroyed too, without a callback. */
void city_effects_destroy(struct city_effects *effects);
enum city_effects_state city_effects_state(const struct city_effects *effects);

/*
 * Makes thread, context and program ready in the background, so that the first frame of the
 * transition that follows comes in time: call it when a handover is being prepared. Costs nothing
 * when all is warm. A program is read again whenever its file has changed; one that does not
 * compile is reported with file and line, and the last good one is used.
 */
void city_effects_prepare(struct city_effects *effects, const char *name);

struct city_transition_impl {
	/*
	 * A frame is ready: `buffer` (valid until the next call; lock it to keep it, as a scene
	 * buffer does) shows `progress`. `damage` is what differs from the frame before, in buffer
	 * pixels. The transition may be destroyed from here.
	 */
	void (*frame)(struct city_transition *transition, struct wlr_buffer *buffer,
		const pixman_region32_t *damage, double progress, void *data);
	/* No more frames will come. Show B and destroy the transition, from here if you like. */
	void (*failed)(struct city_transition *transition, const char *reason, void *data);
};

struct city_transition_options {
	const char *name; /* of the program: "melt", "crossfade", ...; NULL is "melt" */
	/* A's last frame: any wlr_buffer, a wlr_client_buffer too. Its contents must not change
	 * before the call returns; the engine locks or copies what it needs. */
	struct wlr_buffer *from;
	int width, height; /* of every frame; 0 is the size of `from` */
	uint32_t seed;	   /* the same seed gives the same frames */
	/* Those that will show the frames; both must outlive the transition. The allocator may be
	 * NULL: the frames are then in ordinary memory. */
	struct wlr_renderer *renderer;
	struct wlr_allocator *allocator;
	const struct city_transition_impl *impl;
	void *data;
};

/* NULL if `from` cannot be read or memory is short (one line in the log): then show B at once. */
struct city_transition *city_transition_create(
	struct city_effects *effects, const struct city_transition_options *options);
/* NULL-safe. Locks on client buffers are given back as soon as the thread is done with them. */
void city_transition_destroy(struct city_transition *transition);

/*
 * B's picture, after every commit of B. `damage` (buffer pixels, NULL for all) is what changed
 * since the last call. No frame is drawn before the first call. False if it cannot be read: the
 * picture before stays.
 */
bool city_transition_set_to(
	struct city_transition *transition, struct wlr_buffer *to, const pixman_region32_t *damage);

/* A's picture, after every commit of an A that goes on while it fades. As city_transition_set_to.
 */
bool city_transition_set_from(struct city_transition *transition, struct wlr_buffer *from,
	const pixman_region32_t *damage);

/*
 * Asks for the frame at `progress` (clamped to 0..1): once per output frame. While one is being
 * drawn the newest request waits, older ones are forgotten, so a slow machine shows fewer frames
 * and is never behind. Each request that is not forgotten is answered by `frame` or `failed`.
 */
void city_transition_request(struct city_transition *transition, double progress);

#endif
