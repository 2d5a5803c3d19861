/* SPDX-License-Identifier: MIT */
/* The CLINT: software interrupts, and the timer of each hart against the one mtime. */
#include <string.h>

#include "machine.h"

#define MSIP 0x0000
#define MTIMECMP 0x4000
#define MTIME 0xbff8

void rv_clint_reset(struct rv_machine *m) {
	memset(m->clint, 0, sizeof(*m->clint));
	/* The manual leaves mtimecmp open; like this no timer is due before somebody sets it. */
	for (unsigned i = 0; i < RV_HARTS_MAX; i++)
		m->clint->mtimecmp[i] = UINT64_MAX;
}

/* The registers of 64 bits may be accessed by halves. */
static uint64_t part_read(uint64_t value, uint64_t offset, unsigned size) {
	return size == 8 ? value : (uint32_t)(value >> (offset % 8 * 8));
}

static uint64_t part_write(uint64_t old, uint64_t offset, unsigned size, uint64_t value) {
	if (size == 8)
		return value;
	unsigned shift = offset % 8 * 8;
	uint64_t mask = 0xffffffffull << shift;
	return (old & ~mask) | (value << shift & mask);
}

static bool is_access(uint64_t offset, unsigned size) {
	return (size == 4 || size == 8) && offset % size == 0;
}

/* The register there, or what is no hart's: of all that are not there. */
static unsigned msip_of(const struct rv_machine *m, uint64_t offset) {
	return offset < MSIP + 4ull * m->hart_count ? (offset - MSIP) / 4 : RV_HARTS_MAX;
}

static unsigned mtimecmp_of(const struct rv_machine *m, uint64_t offset) {
	return offset >= MTIMECMP && offset < MTIMECMP + 8ull * m->hart_count
		? (offset - MTIMECMP) / 8
		: RV_HARTS_MAX;
}

bool rv_clint_read(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t *value) {
	if (!is_access(offset, size))
		return false;
	unsigned hart = msip_of(m, offset);
	*value = 0;
	if (hart < RV_HARTS_MAX) {
		*value = m->clint->msip[hart];
		if (size == 8 && hart + 1 < m->hart_count)
			*value |= (uint64_t)m->clint->msip[hart + 1] << 32;
	} else if ((hart = mtimecmp_of(m, offset)) < RV_HARTS_MAX) {
		*value = part_read(m->clint->mtimecmp[hart], offset, size);
	} else if (offset / 8 == MTIME / 8) {
		*value = part_read(rv_machine_time(m), offset, size);
	}
	return true;
}

bool rv_clint_write(struct rv_machine *m, uint64_t offset, unsigned size, uint64_t value) {
	if (!is_access(offset, size))
		return false;
	unsigned hart = msip_of(m, offset);
	if (hart < RV_HARTS_MAX) {
		m->clint->msip[hart] = value & 1;
		if (size == 8 && hart + 1 < m->hart_count)
			m->clint->msip[hart + 1] = value >> 32 & 1;
	} else if ((hart = mtimecmp_of(m, offset)) < RV_HARTS_MAX) {
		uint64_t *compare = &m->clint->mtimecmp[hart];
		*compare = part_write(*compare, offset, size, value);
	} else if (offset / 8 == MTIME / 8) {
		rv_machine_write_time(m, part_write(rv_machine_time(m), offset, size, value));
	}
	/* An interrupt may have come or gone, and the next timer be another. */
	m->attention = true;
	return true;
}
