/* SPDX-License-Identifier: MIT */
/*
 * Physical memory protection: 16 entries with a granularity of a page (G = 10), so that what is
 * allowed is the same all over a page. Privileged Architecture, 3.7.
 */
#include <string.h>

#include "csr.h"
#include "machine.h"

/* pmpaddr has bits 55 to 2 of an address. */
#define ADDRESS_MASK ((1ull << 54) - 1)
#define PAGE_SHIFT 10 /* from pmpaddr to pages */
#define NAPOT_ONES ((1ull << (PAGE_SHIFT - 1)) - 1)

static bool matches(const struct rv_hart *hart, unsigned i, uint64_t page) {
	uint64_t top = hart->pmpaddr[i];
	switch (hart->pmpcfg[i] & RV_PMP_A) {
	case RV_PMP_TOR: {
		uint64_t bottom = i ? hart->pmpaddr[i - 1] >> PAGE_SHIFT : 0;
		return page >= bottom && page < top >> PAGE_SHIFT;
	}
	case RV_PMP_NAPOT: {
		uint64_t ones = top | NAPOT_ONES;
		uint64_t inside = ones ^ (ones + 1);
		return (((page << PAGE_SHIFT) ^ ones) & ~inside & ADDRESS_MASK) == 0;
	}
	default:
		return false;
	}
}

bool rv_pmp_allows(
	const struct rv_hart *hart, enum rv_mode mode, uint64_t physical, enum rv_access access) {
	static const uint8_t needed[] = {
		[RV_FETCH] = RV_PMP_X, [RV_LOAD] = RV_PMP_R, [RV_STORE] = RV_PMP_W};
	for (unsigned i = 0; i < RV_PMP_ENTRIES; i++) {
		if (matches(hart, i, physical / RV_PAGE)) {
			/* The first that matches decides; over M mode, only if it is locked. */
			return (hart->pmpcfg[i] & needed[access]) ||
				(mode == RV_MODE_M && !(hart->pmpcfg[i] & RV_PMP_L));
		}
	}
	return mode == RV_MODE_M;
}

static uint8_t legal(uint8_t config) {
	config &= RV_PMP_L | RV_PMP_A | RV_PMP_X | RV_PMP_W | RV_PMP_R;
	/* Write without read is reserved; four bytes are less than the granularity. */
	if (!(config & RV_PMP_R)) {
		config &= ~RV_PMP_W;
	}
	if ((config & RV_PMP_A) == RV_PMP_NA4) {
		config |= RV_PMP_NAPOT;
	}
	return config;
}

uint64_t rv_pmpcfg_read(const struct rv_hart *hart, unsigned first) {
	uint64_t value;
	memcpy(&value, &hart->pmpcfg[first], sizeof(value));
	return value;
}

void rv_pmpcfg_write(struct rv_machine *m, struct rv_hart *hart, unsigned first, uint64_t value) {
	for (unsigned i = 0; i < 8; i++) {
		uint8_t *config = &hart->pmpcfg[first + i];
		if (!(*config & RV_PMP_L)) {
			*config = legal(value >> (8 * i));
		}
	}
	rv_tlb_flush(m, hart);
}

/* The bits below the granularity read as the mode needs them, and are kept for when it changes. */
uint64_t rv_pmpaddr_read(const struct rv_hart *hart, unsigned i) {
	if ((hart->pmpcfg[i] & RV_PMP_A) == RV_PMP_NAPOT) {
		return hart->pmpaddr[i] | NAPOT_ONES;
	}
	return hart->pmpaddr[i] & ~((1ull << PAGE_SHIFT) - 1);
}

void rv_pmpaddr_write(struct rv_machine *m, struct rv_hart *hart, unsigned i, uint64_t value) {
	bool locked = hart->pmpcfg[i] & RV_PMP_L;
	/* A locked range locks its bottom too. */
	if (i + 1 < RV_PMP_ENTRIES && (hart->pmpcfg[i + 1] & RV_PMP_L) &&
		(hart->pmpcfg[i + 1] & RV_PMP_A) == RV_PMP_TOR) {
		locked = true;
	}
	if (!locked) {
		hart->pmpaddr[i] = value & ADDRESS_MASK;
		rv_tlb_flush(m, hart);
	}
}
