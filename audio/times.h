/* SPDX-License-Identifier: MIT */
/* How long something took, counted in classes an eighth of an octave wide: one writer, any number
 * of readers. */
#ifndef SOURCE_CITY_AUDIO_TIMES_H
#define SOURCE_CITY_AUDIO_TIMES_H

#include <stdatomic.h>
#include <stdint.h>

#define TIMES_CLASSES (8 * 40)

struct times {
	_Atomic uint64_t classes[TIMES_CLASSES];
	_Atomic uint64_t count, sum_ns, max_ns;
};

static inline uint32_t times_class(uint64_t ns) {
	if (ns < 8)
		return (uint32_t)ns;
	uint32_t octave = 63 - (uint32_t)__builtin_clzll(ns);
	uint32_t class = (octave - 2) * 8 + (uint32_t)(ns >> (octave - 3) & 7);
	return class < TIMES_CLASSES ? class : TIMES_CLASSES - 1;
}

/* The first ns that is above a class. */
static inline uint64_t times_above(uint32_t class) {
	if (class < 8)
		return class + 1;
	return (9ull + class % 8) << (class / 8 - 1);
}

static inline void times_raise(_Atomic uint64_t *value, uint64_t by) {
	atomic_store_explicit(value, atomic_load_explicit(value, memory_order_relaxed) + by,
		memory_order_relaxed);
}

static inline void times_add(struct times *times, uint64_t ns) {
	times_raise(&times->classes[times_class(ns)], 1);
	times_raise(&times->count, 1);
	times_raise(&times->sum_ns, ns);
	if (ns > atomic_load_explicit(&times->max_ns, memory_order_relaxed))
		atomic_store_explicit(&times->max_ns, ns, memory_order_relaxed);
}

/* The time that `of` out of `all` did not exceed, rounded up to its class. */
static inline uint64_t times_below(const struct times *times, uint64_t of, uint64_t all) {
	uint64_t count = atomic_load_explicit(&times->count, memory_order_relaxed);
	uint64_t allowed = count - count * of / all;
	uint64_t above = 0;
	for (uint32_t class = TIMES_CLASSES; class --> 0;) {
		above += atomic_load_explicit(&times->classes[class], memory_order_relaxed);
		if (above > allowed)
			return times_above(class);
	}
	return 0;
}

#endif
