/* SPDX-License-Identifier: MIT */
/*
 * The transport: where the music is, one for the whole city.
 *
 * Time in the city's sound is counted in *frames*: samples of a channel at one rate, which never
 * changes while the city lives. The audio process says how frames pass (from the sound card's clock
 * while sound runs, otherwise from CLOCK_MONOTONIC) and writes the transport into a page that the
 * keeper owns; everybody else maps that page read-only. Positions in music are *ticks*, 96 to a
 * quarter note; tick 0 is the start of bar 0.
 *
 * The frame of a tick is always computed from an origin, never summed up: so it is the same for
 * everybody, in every version, after any number of handovers.
 *
 * The page: one writer, any number of readers in any process, no locks. The writer's real-time
 * thread writes the clock, its main thread the music; each lies there twice, and a writer that is
 * killed leaves what it had written last. Reading never blocks the writer, and garbage in the page
 * gives false, never a crash.
 */
#ifndef SOURCE_CITY_TRANSPORT_H
#define SOURCE_CITY_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VAT_PPQ 96		/* ticks of a quarter note, which is a beat */
#define VAT_TRANSPORT_SIZE 8192 /* bytes of the page's memfd */
#define VAT_MARKERS_MAX 64
#define VAT_MARKER_SIZE 32 /* of a marker's name, as VAT_NAME_SIZE */
#define VAT_RATE 48000	   /* frames a second; a sound server at another rate resamples */
/* Tempo in thousandths of a beat a minute: a whole number, so that all sums are exact. */
#define VAT_TEMPO_MIN 1000    /* 1 a minute */
#define VAT_TEMPO_MAX 1000000 /* 1,000 a minute */
#define VAT_TEMPO 120000
#define VAT_BEATS_MAX 64	 /* of a bar */
#define VAT_PHRASE_MAX 1024	 /* bars */
#define VAT_TICK_MAX (1ll << 40) /* that can be asked for: 20 years at the greatest tempo */

/* How ticks and frames belong together from `frame` on. While it does not play, every frame from
 * there on is at `tick`. */
struct vat_transport_part {
	uint64_t frame; /* the first frame at or behind `tick` */
	int64_t tick;
	uint32_t tempo;		/* beats a minute, times 1,000 */
	uint32_t beats_a_bar;	/* 1 to 64 */
	uint32_t bars_a_phrase; /* 1 to 1,024; for phrases that nobody gives a length */
	uint32_t playing;
	/* The tick at which bar 0 begins, or would have, were the meter always as it is here: a
	 * meter that changes begins a bar of its own, and bars go on being counted. */
	int64_t bar_zero;
};

struct vat_marker {
	int64_t tick;
	char name[VAT_MARKER_SIZE]; /* vat_name_valid; "" where there is none */
};

/* A consistent copy of what the page says. */
struct vat_transport {
	uint32_t rate; /* frames a second */
	/* The second part holds from its frame on, the first one before that; while nothing is to
	 * change they are equal. A change is always made behind what has been rendered already. One
	 * that is to come at a certain tick stands here long before, and may be taken back. */
	struct vat_transport_part parts[2];
	uint32_t marker_count;
	struct vat_marker markers[VAT_MARKERS_MAX]; /* by tick */
};

/* Frame `frame` is heard (goes to the sound server) at CLOCK_MONOTONIC time `ns`. ns 0: nobody has
 * said so yet, and frame 0 is what is heard. */
struct vat_transport_clock {
	uint64_t frame;
	uint64_t ns;
	bool sound; /* the frames come from a sound server's cycles */
};

/* The part that holds at a frame. */
static inline const struct vat_transport_part *vat_transport_at(
	const struct vat_transport *transport, uint64_t frame) {
	return &transport->parts[frame >= transport->parts[1].frame];
}

/* The last tick at or before a frame, in a part. */
static inline int64_t vat_part_tick(
	const struct vat_transport_part *part, uint32_t rate, uint64_t frame) {
	if (!part->playing || frame < part->frame) {
		return part->tick;
	}
	unsigned __int128 scaled = (unsigned __int128)(frame - part->frame) * part->tempo * VAT_PPQ;
	return part->tick + (int64_t)(scaled / ((uint64_t)rate * 60000));
}

/* The first frame at or behind a tick, in a part; UINT64_MAX: never, as it does not play or the
 * tick is too far away. A tick before the part's own is at its first frame. */
static inline uint64_t vat_part_frame(
	const struct vat_transport_part *part, uint32_t rate, int64_t tick) {
	if (tick <= part->tick) {
		return part->frame;
	}
	if (!part->playing) {
		return UINT64_MAX;
	}
	uint64_t a_tick = (uint64_t)part->tempo * VAT_PPQ;
	unsigned __int128 scaled = (unsigned __int128)((uint64_t)tick - (uint64_t)part->tick) *
		((uint64_t)rate * 60000);
	unsigned __int128 frames = (scaled + a_tick - 1) / a_tick;
	return frames > UINT64_MAX / 2 - part->frame ? UINT64_MAX : part->frame + (uint64_t)frames;
}

/* The bar that a tick is in, counted from 0 (before that: from -1 down), and how many ticks behind
 * its bar line. */
static inline int64_t vat_part_bar(
	const struct vat_transport_part *part, int64_t tick, int64_t *behind) {
	int64_t bar = (int64_t)part->beats_a_bar * VAT_PPQ, from_zero = tick - part->bar_zero;
	int64_t rest = from_zero % bar;
	*behind = rest < 0 ? rest + bar : rest;
	return (from_zero - *behind) / bar;
}

/* The last tick at or before a frame. */
static inline int64_t vat_transport_tick(const struct vat_transport *transport, uint64_t frame) {
	return vat_part_tick(vat_transport_at(transport, frame), transport->rate, frame);
}

/* ---- Splice points: when something new may begin. Same words everywhere. */

enum vat_splice {
	VAT_SPLICE_NOW = 0, /* "!": at once, which for sound is the next quantum */
	VAT_SPLICE_BEAT,    /* "@beat" */
	VAT_SPLICE_BAR,	    /* "@bar" */
	VAT_SPLICE_PHRASE,  /* "@phrase(n)": the next bar whose number n divides */
	VAT_SPLICE_LOOP,    /* "@loop": the end of a loop, which only its owner knows */
	VAT_SPLICE_MARKER,  /* "@marker(name)": the next place of that name */
};

struct vat_splice_point {
	enum vat_splice kind;
	uint32_t bars; /* of a phrase; 0: as the transport says */
	char marker[VAT_MARKER_SIZE];
};

/* ---- Functions of libvat; not for tiles, which get a copy with every operation */

struct vat_error;

/* Read a splice point as people write it; "" gives VAT_SPLICE_NOW. 0, or -EINVAL with a line that
 * says what is wrong and which there are. */
int vat_splice_parse(const char *text, struct vat_splice_point *point, struct vat_error *err);
/* As people write it, NUL-terminated. */
void vat_splice_print(const struct vat_splice_point *point, char *text, size_t size);
/*
 * The first frame not before `from` where the splice point is met, and its tick; for LOOP the end
 * of the loop [loop_tick, loop_tick + loop_ticks) that comes first (loop_ticks 0: there is no loop,
 * and a bar is meant). 0, or -EAGAIN with a line: the transport stands still; -ENOENT: there is no
 * such marker, or it is passed. NOW is met at `from`.
 */
int vat_splice_next(const struct vat_transport *transport, const struct vat_splice_point *point,
	uint64_t from, int64_t loop_tick, int64_t loop_ticks, uint64_t *frame, int64_t *tick,
	struct vat_error *err);

/* What may be asked of the transport: the numbers of tile.h, of the control protocol and of the
 * audio process's wire. */
enum vat_ask {
	VAT_ASK_PLAY = 1,
	VAT_ASK_STOP,
	VAT_ASK_TEMPO,	/* value; tick: from there on, if above 0 */
	VAT_ASK_METER,	/* the same */
	VAT_ASK_PHRASE, /* value */
	VAT_ASK_LOCATE, /* tick */
	VAT_ASK_MARK,	/* tick, name */
	VAT_ASK_UNMARK, /* name */
};

/* Whether that makes sense, whatever the transport is at: 0, or -EINVAL with a line that says what
 * would. Name NULL is "". Everybody who takes such a request asks here. */
int vat_transport_check(
	uint32_t what, uint32_t value, int64_t tick, const char *name, struct vat_error *err);

/* Whether all of it is within bounds: for what others wrote. */
bool vat_transport_valid(const struct vat_transport *transport);

/* The page as it is mapped. Opaque. */
struct vat_transport_page;

/* A new page in a memfd that nobody can grow or shrink: stands at frame 0, bar 0, 4/4, VAT_TEMPO,
 * and does not play. The descriptor, or a negative errno. */
int vat_transport_create(uint32_t rate, struct vat_error *err);
/* Map it; NULL with a reason. Checks that it is one. `writer`: to be its one writer. */
struct vat_transport_page *vat_transport_map(int fd, bool writer, struct vat_error *err);
void vat_transport_unmap(struct vat_transport_page *page);
/* A consistent copy; false when the page makes no sense (what *transport holds is then as before).
 * From any thread; does not block. */
bool vat_transport_read(const struct vat_transport_page *page, struct vat_transport *transport);
bool vat_transport_read_clock(
	const struct vat_transport_page *page, struct vat_transport_clock *clock);
/* The frame that is heard at a time, by the clock: continued at the rate, from the last that it
 * said. */
uint64_t vat_transport_frame_at(
	const struct vat_transport_clock *clock, uint32_t rate, uint64_t now_ns);
/* The writer's side: the music from its main thread, the clock from one thread. */
void vat_transport_write(struct vat_transport_page *page, const struct vat_transport *transport);
void vat_transport_write_clock(
	struct vat_transport_page *page, const struct vat_transport_clock *clock);

/* A change that is to come at a tick and that nobody else sees before it is the next one: kept in
 * the page for a writer that comes after this one. */
struct vat_planned {
	uint32_t what, value; /* VAT_ASK_TEMPO or VAT_ASK_METER */
	int64_t tick;	      /* above 0 */
};
#define VAT_PLANNED_MAX 64

/* From the writer's main thread; at most VAT_PLANNED_MAX. */
void vat_transport_write_planned(
	struct vat_transport_page *page, const struct vat_planned *planned, uint32_t count);
/* How many make sense. */
uint32_t vat_transport_read_planned(
	const struct vat_transport_page *page, struct vat_planned planned[VAT_PLANNED_MAX]);

#endif
