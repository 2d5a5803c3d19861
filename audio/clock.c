/* SPDX-License-Identifier: MIT */
#include "clock.h"

#include <sched.h>

/* What a server says about the time is believed as long as it is near. */
#define NEAR_NS 1000000000u
/* A leader whose next cycle is so late, or three cycles, gives way to another. */
#define LATE_NS 20000000u

static uint64_t max(uint64_t a, uint64_t b) {
	return a > b ? a : b;
}

static uint64_t apart(uint64_t a, uint64_t b) {
	return a > b ? a - b : b - a;
}

static uint64_t load(const _Atomic uint64_t *value) {
	return atomic_load_explicit(value, memory_order_relaxed);
}

static void store(_Atomic uint64_t *value, uint64_t to) {
	atomic_store_explicit(value, to, memory_order_relaxed);
}

static bool take(struct clock *clock) {
	return !atomic_flag_test_and_set_explicit(&clock->moving, memory_order_acquire);
}

static void leave(struct clock *clock) {
	atomic_flag_clear_explicit(&clock->moving, memory_order_release);
}

/* The main thread's: the other one is through in less than a microsecond, unless it was preempted.
 */
static void take_waiting(struct clock *clock) {
	while (!take(clock))
		sched_yield();
}

static void say(struct clock *clock, uint64_t frame, uint64_t ns, bool sound) {
	clock->line = (struct vat_transport_clock){.frame = frame, .ns = ns, .sound = sound};
	if (clock->page)
		vat_transport_write_clock(clock->page, &clock->line);
}

void clock_init(struct clock *clock) {
	*clock = (struct clock){};
	atomic_flag_clear(&clock->moving);
}

void clock_begin(struct clock *clock, struct vat_transport_page *page, uint64_t now) {
	struct vat_transport_clock was = {};
	vat_transport_read_clock(page, &was);
	take_waiting(clock);
	clock->page = page;
	uint64_t frame = max(load(&clock->next), vat_transport_frame_at(&was, VAT_RATE, now));
	store(&clock->next, frame);
	say(clock, frame, now, false);
	leave(clock);
}

void clock_reach(struct clock *clock, uint64_t frame, uint64_t now) {
	take_waiting(clock);
	if (!atomic_load(&clock->sound)) {
		uint64_t at = max(
			load(&clock->next), vat_transport_frame_at(&clock->line, VAT_RATE, now));
		if (frame > at) {
			store(&clock->next, frame);
			say(clock, frame, now, false);
		}
	}
	leave(clock);
}

/* ---- groups */

static struct clock_group *find_group(struct clock *clock, uint32_t driver) {
	for (int i = 0; i < CLOCK_GROUPS; i++) {
		if (clock->groups[i].last_ns && clock->groups[i].driver == driver)
			return &clock->groups[i];
	}
	return NULL;
}

/* Where a group that does not lead belongs, and is at `from`: at the frame that the leader has come
 * to in its cycle, which may be longer than many of the group's; anywhere in that where there is
 * no time. */
static uint64_t belongs(const struct clock *clock, uint64_t from, uint64_t now) {
	uint64_t next = load(&clock->next), begin = next;
	if (atomic_load_explicit(&clock->sound, memory_order_relaxed) && clock->leader &&
		clock->leader->frame < next)
		begin = clock->leader->frame;
	if (!atomic_load_explicit(&clock->freewheel, memory_order_relaxed))
		from = vat_transport_frame_at(&clock->line, VAT_RATE, now);
	return from < begin ? begin : from > next ? next : from;
}

/* In place of the one that nobody has heard of for longest. What goes on goes on from where it is.
 */
static struct clock_group *make_group(
	struct clock *clock, const struct clock_place *place, uint64_t now) {
	struct clock_group *group = NULL;
	for (int i = 0; i < CLOCK_GROUPS; i++) {
		struct clock_group *other = &clock->groups[i];
		if (other != clock->leader && (!group || other->last_ns < group->last_ns))
			group = other;
	}
	uint64_t next = belongs(clock, place->heard ? place->next : load(&clock->next), now);
	bool near = place->heard && apart(place->next, next) < CLOCK_NEAR;
	*group = (struct clock_group){.driver = place->driver, .next = near ? place->next : next};
	return group;
}

/* Whether a group is to lead. */
static bool leads(const struct clock *clock, const struct clock_group *group, uint64_t now) {
	if (group == clock->leader || !clock->lead)
		return true;
	/* One that waits for its streams may take as long as it likes. */
	if (atomic_load_explicit(&clock->freewheel, memory_order_relaxed))
		return false;
	uint64_t late = (uint64_t)atomic_load_explicit(&clock->quantum, memory_order_relaxed) *
		3000000000u / VAT_RATE;
	return now > load(&clock->last_ns) + max(late, LATE_NS);
}

/* A cycle of the clock. */
static void begin_leading(struct clock *clock, struct clock_group *group,
	const struct clock_place *place, const struct clock_cycle *cycle, uint64_t now) {
	uint64_t ns = cycle->ns;
	if (cycle->freewheel || ns + NEAR_NS < now || ns > now + NEAR_NS)
		ns = now;
	uint64_t next = load(&clock->next);
	if (!atomic_load_explicit(&clock->sound, memory_order_relaxed)) {
		next = max(next, vat_transport_frame_at(&clock->line, VAT_RATE, ns));
		atomic_store_explicit(&clock->sound, true, memory_order_relaxed);
	} else if (apart(group->next, next) < CLOCK_APART) {
		next = max(next, group->next);
	}
	clock->leader = group;
	clock->lead = place;
	group->frame = group->next = next;
	store(&clock->next, next);
	store(&clock->last_ns, now);
	atomic_store_explicit(&clock->freewheel, cycle->freewheel, memory_order_relaxed);
	atomic_store_explicit(&clock->rate, cycle->rate, memory_order_relaxed);
	atomic_store_explicit(&clock->quantum, cycle->quantum, memory_order_relaxed);
	say(clock, next, ns, true);
}

/* The frame that the cycle begins with for all streams of its group. */
static uint64_t cycle_frame(struct clock *clock, const struct clock_place *place,
	const struct clock_cycle *cycle, bool again, uint64_t now) {
	struct clock_group *group = find_group(clock, cycle->driver);
	bool begins = !group || again || group->cycle != cycle->number ||
		!atomic_load_explicit(&clock->sound, memory_order_relaxed);
	if (!group)
		group = make_group(clock, place, now);
	/* Its group may have gone with it. */
	if (clock->lead == place && group != clock->leader)
		clock->lead = NULL;
	if (begins) {
		group->cycle = cycle->number;
		group->last_ns = now;
		if (leads(clock, group, now)) {
			begin_leading(clock, group, place, cycle, now);
		} else {
			uint64_t frame = belongs(clock, group->next, now);
			if (apart(group->next, frame) >= CLOCK_APART)
				group->next = frame;
			group->frame = group->next;
		}
	}
	return group->frame;
}

bool clock_join(struct clock *clock, struct clock_place *place, const struct clock_cycle *cycle,
	uint64_t now, uint64_t *frame) {
	bool moved = place->driver != cycle->driver;
	/* For the driver may not count any more: as it ends, or where it is an old one. */
	bool again = !moved && cycle->number == place->cycle;
	bool missed = !moved && cycle->number - place->cycle > 1;
	place->driver = cycle->driver;
	place->cycle = cycle->number;
	if (!take(clock)) {
		*frame = place->next;
		return place->heard;
	}
	*frame = cycle_frame(clock, place, cycle, again, now);
	leave(clock);
	if (place->heard && !moved && !missed && apart(*frame, place->next) < CLOCK_NEAR)
		*frame = place->next;
	/* What came out in between was silence; unless nothing is left out, it comes out of that.
	 */
	if (missed && *frame != place->next)
		place->heard = false;
	return true;
}

void clock_passed(struct clock *clock, const struct clock_place *place, uint64_t to) {
	if (!take(clock))
		return;
	struct clock_group *group = find_group(clock, place->driver);
	if (group) {
		group->next = max(group->next, to);
		if (group == clock->leader)
			store(&clock->next, max(load(&clock->next), to));
	}
	leave(clock);
}

void clock_leave(struct clock *clock, const struct clock_place *place) {
	take_waiting(clock);
	if (clock->lead == place) {
		clock->lead = NULL;
		atomic_store_explicit(&clock->freewheel, false, memory_order_relaxed);
	}
	leave(clock);
}

/* ---- the pump */

static bool cycles_come(const struct clock *clock, bool running, uint64_t now) {
	return running && atomic_load(&clock->sound) &&
		(atomic_load(&clock->freewheel) || now < load(&clock->last_ns) + CLOCK_STALE_NS);
}

uint64_t clock_pump(struct clock *clock, bool running, uint64_t now) {
	/* As long as cycles come the real-time thread finds nobody at the clock. */
	if (cycles_come(clock, running, now))
		return load(&clock->next);
	take_waiting(clock);
	uint64_t next = load(&clock->next);
	if (atomic_load(&clock->sound) && !cycles_come(clock, running, now)) {
		/* Time stood still meanwhile. */
		clock->lead = NULL;
		atomic_store(&clock->sound, false);
		atomic_store(&clock->freewheel, false);
		atomic_store(&clock->quantum, 0);
		say(clock, next, now, false);
	}
	if (!atomic_load(&clock->sound)) {
		next = max(next, vat_transport_frame_at(&clock->line, VAT_RATE, now));
		store(&clock->next, next);
		/* By whole seconds, so that nothing is rounded. */
		uint64_t seconds = (now - clock->line.ns) / 1000000000u;
		if (now > clock->line.ns && seconds > 0)
			say(clock, clock->line.frame + seconds * VAT_RATE,
				clock->line.ns + seconds * 1000000000u, false);
	}
	leave(clock);
	return next;
}
