/* SPDX-License-Identifier: MIT */
/*
 * Work as programs do it, to measure processors by: lists that are searched, sorted and turned
 * around, matrices of small integers, a machine of states that reads numbers, and checksums over
 * all that comes out. Freestanding; the result depends on each step.
 */
#include <stddef.h>

/* The compiler comes without <stdint.h>. */
typedef __UINT8_TYPE__ uint8_t;
typedef __INT16_TYPE__ int16_t;
typedef __UINT16_TYPE__ uint16_t;
typedef __INT32_TYPE__ int32_t;
typedef __UINT32_TYPE__ uint32_t;
typedef __UINT64_TYPE__ uint64_t;

/* ------------------------------------------------------------------ checksums */

static uint16_t crc_byte(uint8_t byte, uint16_t crc) {
	for (int i = 0; i < 8; i++) {
		const unsigned bit = (byte ^ crc) & 1;
		byte >>= 1;
		crc >>= 1;
		if (bit)
			crc ^= 0xa001;
	}
	return crc;
}

static uint16_t crc_word(uint32_t word, uint16_t crc) {
	for (int i = 0; i < 4; i++, word >>= 8)
		crc = crc_byte((uint8_t)word, crc);
	return crc;
}

/* ------------------------------------------------------------------ lists */

struct item {
	struct item *next;
	int16_t value, index;
};

#define ITEMS 64
static struct item items[ITEMS];

static struct item *make_list(uint32_t seed) {
	struct item *first = NULL;
	for (int i = 0; i < ITEMS; i++) {
		seed = seed * 1103515245 + 12345;
		items[i] = (struct item){first, (int16_t)(seed >> 16 & 0x3ff), (int16_t)i};
		first = &items[i];
	}
	return first;
}

static struct item *find(struct item *list, int value) {
	while (list && list->value != value)
		list = list->next;
	return list;
}

static struct item *reverse(struct item *list) {
	struct item *turned = NULL;
	while (list) {
		struct item *next = list->next;
		list->next = turned;
		turned = list;
		list = next;
	}
	return turned;
}

static int by_value(const struct item *a, const struct item *b) {
	return a->value - b->value;
}

static int by_index(const struct item *a, const struct item *b) {
	return a->index - b->index;
}

static struct item *sort(
	struct item *list, int (*compare)(const struct item *, const struct item *)) {
	for (int width = 1;; width *= 2) {
		struct item *rest = list, **end = &list;
		int merges = 0;
		while (rest) {
			struct item *a = rest, *b = rest;
			int a_left = 0, b_left = width;
			merges++;
			while (b && a_left < width) {
				a_left++;
				b = b->next;
			}
			while (a_left || (b_left && b)) {
				struct item *taken;
				if (a_left && (!b_left || !b || compare(a, b) <= 0)) {
					taken = a;
					a = a->next;
					a_left--;
				} else {
					taken = b;
					b = b->next;
					b_left--;
				}
				*end = taken;
				end = &taken->next;
			}
			rest = b;
		}
		*end = NULL;
		if (merges <= 1)
			return list;
	}
}

__attribute__((noinline)) static uint16_t work_on_list(uint32_t seed, uint16_t crc) {
	struct item *list = make_list(seed);
	for (int i = 0; i < 24; i++) {
		const struct item *found = find(list, (int)(seed >> i & 0x3ff));
		crc = crc_byte(found ? (uint8_t)found->index : 0xff, crc);
		list = reverse(list);
	}
	list = sort(list, by_value);
	for (const struct item *item = list; item; item = item->next)
		crc = crc_byte((uint8_t)item->value, crc);
	list = sort(list, by_index);
	return crc_byte((uint8_t)list->next->value, crc);
}

/* ------------------------------------------------------------------ matrices */

#define SIDE 12
static int16_t left[SIDE][SIDE], right[SIDE][SIDE];
static int32_t product[SIDE][SIDE];

__attribute__((noinline)) static uint16_t work_on_matrices(uint32_t seed, uint16_t crc) {
	for (int i = 0; i < SIDE; i++) {
		for (int j = 0; j < SIDE; j++) {
			seed = seed * 1103515245 + 12345;
			left[i][j] = (int16_t)(seed >> 20);
			right[i][j] = (int16_t)(seed >> 8);
		}
	}
	for (int i = 0; i < SIDE; i++) {
		for (int j = 0; j < SIDE; j++) {
			int32_t sum = 0;
			for (int k = 0; k < SIDE; k++)
				sum += left[i][k] * right[k][j];
			product[i][j] = sum;
		}
	}
	int32_t sum = 0, before = 0;
	for (int i = 0; i < SIDE; i++) {
		for (int j = 0; j < SIDE; j++) {
			const int32_t now = product[i][j];
			sum += now > before ? 10 : (now >> 3 & 15) * (now >> 5 & 63);
			before = now;
		}
	}
	return crc_word((uint32_t)sum, crc);
}

/* ------------------------------------------------------------------ states */

enum state {
	START,
	INVALID,
	SIGN,
	INTEGER,
	POINT,
	FRACTION,
	EXPONENT,
	EXPONENT_SIGN,
	SCIENTIFIC,
	STATES,
};

static const char text[] =
	"5012,-874,+122,35.54400,.1234500,-110.700,+0.64400,5.500e+3,-.123e-2,"
	"-87e+832,+0.6e-12,T0.3e-1F,-T.T++Tq,1T3.4e4z,34.0e-T^,0xff,1e,99999999,";

static int is_digit(char c) {
	return c >= '0' && c <= '9';
}

static enum state next_state(enum state state, char c) {
	switch (state) {
	case START:
		return is_digit(c)	       ? INTEGER
			: c == '+' || c == '-' ? SIGN
			: c == '.'	       ? POINT
					       : INVALID;
	case SIGN:
		return is_digit(c) ? INTEGER : c == '.' ? POINT : INVALID;
	case INTEGER:
		return is_digit(c) ? INTEGER : c == '.' ? FRACTION : c == 'e' ? EXPONENT : INVALID;
	case POINT:
	case FRACTION:
		return is_digit(c) ? FRACTION : c == 'e' ? EXPONENT : INVALID;
	case EXPONENT:
		return is_digit(c) ? SCIENTIFIC : c == '+' || c == '-' ? EXPONENT_SIGN : INVALID;
	case EXPONENT_SIGN:
	case SCIENTIFIC:
		return is_digit(c) ? SCIENTIFIC : INVALID;
	default:
		return INVALID;
	}
}

__attribute__((noinline)) static uint16_t work_on_states(uint32_t seed, uint16_t crc) {
	uint32_t ends[STATES] = {0}, steps[STATES] = {0};
	for (unsigned round = 0; round < 4; round++) {
		enum state state = START;
		for (const char *c = text; *c; c++) {
			if (*c == ',') {
				ends[state]++;
				state = START;
				continue;
			}
			const char changed = (char)(*c ^ (seed >> round & 1 && *c == '0'));
			const enum state next = next_state(state, changed);
			steps[state] += next != state;
			state = next;
		}
	}
	for (int i = 0; i < STATES; i++)
		crc = crc_word(ends[i] << 16 ^ steps[i], crc);
	return crc;
}

/* ------------------------------------------------------------------ all of it */

/* What the compiler may ask for. */
void *memset(void *to, int value, size_t size) {
	volatile uint8_t *bytes = to;
	while (size--)
		*bytes++ = (uint8_t)value;
	return to;
}

uint64_t work(uint32_t rounds);

uint64_t work(uint32_t rounds) {
	uint16_t crc = 0xffff;
	uint64_t sum = 0;
	for (uint32_t i = 0; i < rounds; i++) {
		crc = work_on_list(i ^ crc, crc);
		crc = work_on_matrices(i, crc);
		crc = work_on_states(i ^ crc, crc);
		sum = sum * 31 + crc;
	}
	return sum;
}
