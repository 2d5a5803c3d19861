/* SPDX-License-Identifier: MIT */
/*
 * How the city's frames pass. While a sound server takes sound they are its cycles: all streams
 * that it asks in one cycle are asked for the same frames. Otherwise they follow CLOCK_MONOTONIC:
 * the *pump*. They go on from one to the other without a gap; nothing is left out where a server
 * that took sound is gone all at once.
 *
 * The streams that one driver of the server's graph asks are a *group*, and one group leads: its
 * cycles are the clock. Devices that are not joined in one graph have clocks of their own, so the
 * other groups drift. They are left alone until they are too far away; then they leave frames out,
 * or wait until their frame has come. No stream is ever asked for a frame twice.
 */
#ifndef SOURCE_CITY_AUDIO_CLOCK_H
#define SOURCE_CITY_AUDIO_CLOCK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "transport.h"

/* Without a cycle for so long, the sound server has stopped taking sound. */
#define CLOCK_STALE_NS 500000000u
/* How far a group may be away from the clock before it comes to where that is. */
#define CLOCK_APART 4096
/* How far a stream may be away from its group: a resampler asks for some more, or fewer. */
#define CLOCK_NEAR 1024
#define CLOCK_GROUPS 8

/* Where a stream is. Belongs to whoever reads its ring at the moment. */
struct clock_place {
	uint64_t next;		/* the frame to go on with */
	bool heard;		/* what was before it went to the server */
	uint32_t driver, cycle; /* of the last cycle */
};

struct clock_group {
	uint32_t driver, cycle; /* of the cycle that `frame` begins */
	uint64_t frame;
	uint64_t next; /* the first frame behind all that it was asked for */
	uint64_t last_ns;
};

struct clock {
	struct vat_transport_page *page; /* NULL: the keeper has not sent it yet */
	/* Who moves the clock on: the real-time thread with a cycle, or the pump. */
	atomic_flag moving;
	/* Under `moving`. */
	struct vat_transport_clock line; /* as the page has it */
	struct clock_group groups[CLOCK_GROUPS];
	struct clock_group *leader;
	/* The stream that came first in the leader's cycle; NULL: whoever comes leads. */
	const struct clock_place *lead;

	_Atomic uint64_t next;		/* the first frame behind all that the leader asked for */
	_Atomic uint64_t last_ns;	/* when its last cycle came */
	_Atomic bool sound;		/* cycles of a sound server move it on */
	_Atomic bool freewheel;		/* they are not in real time */
	_Atomic uint32_t rate, quantum; /* of the sound server's graph; 0: not known */
};

/* A cycle of the sound server, as its streams see it. */
struct clock_cycle {
	uint32_t driver, number; /* whose, and which */
	uint32_t rate, quantum;
	uint64_t ns; /* when it began; 0: not known */
	bool freewheel;
};

void clock_init(struct clock *clock);
/* Go on from what the page says, or from `frame` if that is later. Main thread. */
void clock_begin(struct clock *clock, struct vat_transport_page *page, uint64_t now);
/* All that comes is at or behind `frame`: a ring is there that had come so far. Main thread. */
void clock_reach(struct clock *clock, uint64_t frame, uint64_t now);
/*
 * The frame that a cycle begins with, for a stream that is asked for sound in it; place->heard then
 * says whether its sound goes on from what it gave in the cycle before. Where place->next is later,
 * it has to wait until that has come; where it is earlier, what is between is left out. False: the
 * clock is being moved by the pump just now. Real time.
 */
bool clock_join(struct clock *clock, struct clock_place *place, const struct clock_cycle *cycle,
	uint64_t now, uint64_t *frame);
/* The stream's cycle has come to `to`: it has played up to there, or waited. Real time. */
void clock_passed(struct clock *clock, const struct clock_place *place, uint64_t to);
/* The stream has no cycles any more. Main thread. */
void clock_leave(struct clock *clock, const struct clock_place *place);
/* Move the clock on if no cycles do: `running` says whether any stream is there that could have
 * them. Returns the frame that has come. Main thread. */
uint64_t clock_pump(struct clock *clock, bool running, uint64_t now);

#endif
