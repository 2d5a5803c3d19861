/* SPDX-License-Identifier: MIT */
/*
 * Memory as an instruction sees it: Sv39 and physical memory protection, remembered in the TLB, and
 * loads and stores through it. Privileged Architecture, 12.3 and 12.4. The host is little-endian,
 * as the guest is.
 */
#include <string.h>

#include "csr.h"
#include "machine.h"

#define PTE_V 0x01
#define PTE_R 0x02
#define PTE_W 0x04
#define PTE_X 0x08
#define PTE_U 0x10
#define PTE_A 0x40
#define PTE_D 0x80
#define PTE_RESERVED (0x3ffull << 54) /* of extensions that are not here */
#define PTE_PPN_SHIFT 10

/* See rv_work(). */
#define WALK_NS 100
#define FLUSH_NS 300
#define SEARCH_NS 1000
#define TWO_PAGES_NS 40

#define LEVELS 3
#define LEVEL_BITS 9
#define PHYSICAL_BITS 56

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__);

static const enum rv_exception page_faults[] = {
	[RV_FETCH] = RV_FETCH_PAGE_FAULT,
	[RV_LOAD] = RV_LOAD_PAGE_FAULT,
	[RV_STORE] = RV_STORE_PAGE_FAULT,
};

static const enum rv_exception access_faults[] = {
	[RV_FETCH] = RV_FETCH_FAULT,
	[RV_LOAD] = RV_LOAD_FAULT,
	[RV_STORE] = RV_STORE_FAULT,
};

/* The mode whose rights count: MPRV lends M mode those of where it came from, for data. */
static enum rv_mode effective_mode(const struct rv_hart *hart, enum rv_access access) {
	if (access != RV_FETCH && (hart->mstatus & RV_STATUS_MPRV)) {
		return (hart->mstatus & RV_STATUS_MPP) >> RV_STATUS_MPP_SHIFT;
	}
	return hart->mode;
}

unsigned rv_tlb_context(const struct rv_hart *hart, enum rv_access access) {
	unsigned context = effective_mode(hart, access);
	if (access != RV_FETCH) {
		context |= hart->mstatus & RV_STATUS_SUM ? 4 : 0;
		context |= hart->mstatus & RV_STATUS_MXR ? 8 : 0;
	}
	return context;
}

static uint64_t ram_read64(const struct rv_machine *m, uint64_t physical) {
	uint64_t value;
	memcpy(&value, m->ram + (physical - RV_RAM_BASE), sizeof(value));
	return value;
}

static bool leaf_allows(
	const struct rv_hart *hart, enum rv_mode mode, uint64_t pte, enum rv_access access) {
	if (pte & PTE_U) {
		/* Of users' pages S mode never executes, and reads or writes only with SUM. */
		if (mode == RV_MODE_S && (access == RV_FETCH || !(hart->mstatus & RV_STATUS_SUM))) {
			return false;
		}
	} else if (mode == RV_MODE_U) {
		return false;
	}
	switch (access) {
	case RV_FETCH:
		return (pte & PTE_X) && (pte & PTE_A);
	case RV_LOAD:
		return ((pte & PTE_R) || ((pte & PTE_X) && (hart->mstatus & RV_STATUS_MXR))) &&
			(pte & PTE_A);
	default:
		return (pte & PTE_W) && (pte & PTE_A) && (pte & PTE_D);
	}
}

enum walked {
	WALK_DONE,
	WALK_PAGE_FAULT,
	WALK_ACCESS_FAULT,
};

/*
 * The page of an address: 12.3.2, without setting A and D. What is found is checked, but not if a
 * debugger asks.
 */
static enum walked walk(const struct rv_machine *m, const struct rv_hart *hart, enum rv_mode mode,
	uint64_t address, enum rv_access access, bool debugger, uint64_t *page) {
	if (mode == RV_MODE_M || hart->satp >> RV_SATP_MODE_SHIFT == RV_SATP_BARE) {
		*page = address & ~(RV_PAGE - 1);
		return address >> PHYSICAL_BITS ? WALK_ACCESS_FAULT : WALK_DONE;
	}
	/* Bits 63 to 39 are all as bit 38 is. */
	if ((uint64_t)((int64_t)(address << 25) >> 25) != address) {
		return WALK_PAGE_FAULT;
	}
	uint64_t table = (hart->satp & RV_SATP_PPN) * RV_PAGE;
	for (int level = LEVELS - 1; level >= 0; level--) {
		unsigned shift = 12 + LEVEL_BITS * level;
		uint64_t at = table + (address >> shift & ((1u << LEVEL_BITS) - 1)) * 8;
		if (!rv_is_ram(m, at, 8) ||
			(!debugger && !rv_pmp_allows(hart, RV_MODE_S, at, RV_LOAD))) {
			return WALK_ACCESS_FAULT;
		}
		uint64_t pte = ram_read64(m, at);
		if (!(pte & PTE_V) || ((pte & PTE_W) && !(pte & PTE_R)) || (pte & PTE_RESERVED)) {
			return WALK_PAGE_FAULT;
		}
		uint64_t target = pte >> PTE_PPN_SHIFT << 12;
		if (!(pte & (PTE_R | PTE_X))) {
			/* A, D and U of a pointer are reserved. */
			if (pte & (PTE_A | PTE_D | PTE_U)) {
				return WALK_PAGE_FAULT;
			}
			table = target;
			continue;
		}
		uint64_t inside = (1ull << shift) - 1;
		if ((target & inside) || (!debugger && !leaf_allows(hart, mode, pte, access))) {
			return WALK_PAGE_FAULT;
		}
		*page = target | (address & inside & ~(RV_PAGE - 1));
		*page |= level == 2 ? RV_TLB_GIGAPAGE : level == 1 ? RV_TLB_MEGAPAGE : 0;
		return WALK_DONE;
	}
	return WALK_PAGE_FAULT;
}

#define GIGABYTE_SHIFT 30
#define MEGAPAGE_SHIFT 21

static void note_large(struct rv_hart *hart, uint64_t address, uint64_t page) {
	if (page & RV_TLB_GIGAPAGE) {
		memset(hart->tlb_megabytes, 0xff, sizeof(hart->tlb_megabytes));
	} else if (page & RV_TLB_MEGAPAGE) {
		uint64_t number = address >> MEGAPAGE_SHIFT;
		hart->tlb_megabytes[number / 64 % 4] |= 1ull << number % 64;
	} else {
		return;
	}
	hart->tlb_gigabytes |= 1ull << (address >> GIGABYTE_SHIFT) % 64;
}

static bool may_be_large(const struct rv_hart *hart, uint64_t address) {
	uint64_t number = address >> MEGAPAGE_SHIFT;
	return (hart->tlb_gigabytes >> (address >> GIGABYTE_SHIFT) % 64 & 1) &&
		(hart->tlb_megabytes[number / 64 % 4] >> number % 64 & 1);
}

static bool fill(struct rv_machine *m, struct rv_hart *hart, uint64_t address,
	enum rv_access access, struct rv_tlb_entry *slot, uint64_t tag) {
	enum rv_mode mode = effective_mode(hart, access);
	uint64_t page;
	rv_work(m, WALK_NS);
	enum walked walked = walk(m, hart, mode, address, access, false, &page);
	if (walked == WALK_DONE && !rv_pmp_allows(hart, mode, page & ~(RV_PAGE - 1), access)) {
		walked = WALK_ACCESS_FAULT;
	}
	if (walked != WALK_DONE) {
		rv_raise(m, hart,
			walked == WALK_PAGE_FAULT ? page_faults[access] : access_faults[access],
			address);
		return false;
	}
	*slot = (struct rv_tlb_entry){.tag = tag, .page = page};
	note_large(hart, address, page);
	if (access == RV_STORE && ++m->new_pages >= RV_NEW_PAGES) {
		m->worked = m->attention = true;
	}
	if (m->engine->tlb_changed) {
		m->engine->tlb_changed(m, hart - m->harts, access, slot);
	}
	return true;
}

bool rv_translate(struct rv_machine *m, struct rv_hart *hart, uint64_t address,
	enum rv_access access, uint64_t *physical) {
	struct rv_tlb_entry *slot = rv_tlb_slot(&m->tlbs[hart - m->harts], access, address);
	uint64_t tag = rv_tlb_tag(address, rv_tlb_context(hart, access));
	if (slot->tag != tag && !fill(m, hart, address, access, slot, tag)) {
		return false;
	}
	*physical = (slot->page & ~(RV_PAGE - 1)) | (address & (RV_PAGE - 1));
	return true;
}

void rv_tlb_flush(struct rv_machine *m, struct rv_hart *hart) {
	unsigned number = hart - m->harts;
	rv_work(m, FLUSH_NS);
	memset(&m->tlbs[number], 0, sizeof(m->tlbs[number]));
	hart->tlb_gigabytes = 0;
	memset(hart->tlb_megabytes, 0, sizeof(hart->tlb_megabytes));
	if (m->engine->tlb_changed) {
		m->engine->tlb_changed(m, number, RV_ACCESSES, NULL);
	}
}

static bool in_same_leaf(const struct rv_tlb_entry *entry, uint64_t address) {
	/* No leaf is larger. Most entries are far away, and all of them are looked at. */
	if ((entry->tag ^ address) >> 30) {
		return false;
	}
	uint64_t size = entry->page & RV_TLB_GIGAPAGE ? 1ull << GIGABYTE_SHIFT
		: entry->page & RV_TLB_MEGAPAGE	      ? 1ull << MEGAPAGE_SHIFT
						      : RV_PAGE;
	return entry->tag && ((entry->tag ^ address) & ~(size - 1)) == 0;
}

static void drop(struct rv_machine *m, unsigned hart, enum rv_access access,
	struct rv_tlb_entry *entry, uint64_t address) {
	if (in_same_leaf(entry, address)) {
		*entry = (struct rv_tlb_entry){};
		if (m->engine->tlb_changed) {
			m->engine->tlb_changed(m, hart, access, entry);
		}
	}
}

void rv_tlb_flush_page(struct rv_machine *m, struct rv_hart *hart, uint64_t address) {
	unsigned number = hart - m->harts;
	struct rv_tlb *tlb = &m->tlbs[number];
	rv_work(m, may_be_large(hart, address) ? SEARCH_NS : 0);
	for (enum rv_access access = 0; access < RV_ACCESSES; access++) {
		if (!may_be_large(hart, address)) {
			drop(m, number, access, rv_tlb_slot(tlb, access, address), address);
			continue;
		}
		for (unsigned i = 0; i < RV_TLB_ENTRIES; i++) {
			drop(m, number, access, &tlb->entries[access][i], address);
		}
	}
}

bool rv_peek(const struct rv_machine *m, const struct rv_hart *hart, uint64_t address, void *data,
	size_t size) {
	uint8_t *out = data;
	while (size) {
		size_t part = RV_PAGE - address % RV_PAGE;
		part = part < size ? part : size;
		uint64_t page;
		if (walk(m, hart, hart->mode, address, RV_LOAD, true, &page) != WALK_DONE) {
			return false;
		}
		uint64_t physical = (page & ~(RV_PAGE - 1)) | address % RV_PAGE;
		if (!rv_is_ram(m, physical, part)) {
			return false;
		}
		memcpy(out, m->ram + (physical - RV_RAM_BASE), part);
		address += part;
		out += part;
		size -= part;
	}
	return true;
}

/*
 * Where an access of `size` bytes is: in one piece, or in two if it crosses a page, of which the
 * first has first_size bytes. Both are translated before anything is read or written.
 */
struct place {
	uint64_t first, second;
	unsigned first_size;
};

static bool find(struct rv_machine *m, struct rv_hart *hart, uint64_t address, unsigned size,
	enum rv_access access, struct place *place) {
	unsigned left = RV_PAGE - address % RV_PAGE;
	place->first_size = left < size ? left : size;
	if (!rv_translate(m, hart, address, access, &place->first)) {
		return false;
	}
	if (place->first_size == size) {
		return true;
	}
	rv_work(m, TWO_PAGES_NS);
	/* An access that is not aligned has to be to RAM with all its bytes. */
	uint64_t rest = address + place->first_size;
	if (!rv_translate(m, hart, rest, access, &place->second)) {
		return false;
	}
	if (!rv_is_ram(m, place->first, place->first_size)) {
		rv_raise(m, hart, access_faults[access], address);
		return false;
	}
	if (!rv_is_ram(m, place->second, size - place->first_size)) {
		rv_raise(m, hart, access_faults[access], rest);
		return false;
	}
	return true;
}

bool rv_load(struct rv_machine *m, struct rv_hart *hart, uint64_t address, unsigned size,
	uint64_t *value) {
	struct place place;
	if (!find(m, hart, address, size, RV_LOAD, &place)) {
		return false;
	}
	uint8_t bytes[8] = {};
	if (place.first_size < size) {
		memcpy(bytes, m->ram + (place.first - RV_RAM_BASE), place.first_size);
		memcpy(bytes + place.first_size, m->ram + (place.second - RV_RAM_BASE),
			size - place.first_size);
	} else if (rv_is_ram(m, place.first, size)) {
		memcpy(bytes, m->ram + (place.first - RV_RAM_BASE), size);
	} else {
		/* What a device does may be anything: interrupts, the end of the machine. */
		m->attention = true;
		if (address % size || !rv_bus_read(m, place.first, size, value)) {
			rv_raise(m, hart, RV_LOAD_FAULT, address);
			return false;
		}
		return true;
	}
	memcpy(value, bytes, sizeof(*value));
	return true;
}

void rv_stored(struct rv_machine *m, uint64_t physical, uint64_t size) {
	uint8_t flags = m->page_flags[(physical - RV_RAM_BASE) / RV_PAGE];
	if ((flags & RV_PAGE_CODE) && m->engine->written) {
		m->engine->written(m, physical, size);
	}
	if (flags & RV_PAGE_WATCHED) {
		rv_htif_written(m, physical, size);
	}
}

static void ram_write(struct rv_machine *m, uint64_t physical, const void *bytes, unsigned size) {
	memcpy(m->ram + (physical - RV_RAM_BASE), bytes, size);
	if (m->page_flags[(physical - RV_RAM_BASE) / RV_PAGE]) {
		rv_stored(m, physical, size);
	}
}

bool rv_store(struct rv_machine *m, struct rv_hart *hart, uint64_t address, unsigned size,
	uint64_t value) {
	struct place place;
	if (!find(m, hart, address, size, RV_STORE, &place)) {
		return false;
	}
	uint8_t bytes[8];
	memcpy(bytes, &value, sizeof(bytes));
	if (place.first_size < size) {
		ram_write(m, place.first, bytes, place.first_size);
		ram_write(m, place.second, bytes + place.first_size, size - place.first_size);
	} else if (rv_is_ram(m, place.first, size)) {
		ram_write(m, place.first, bytes, size);
	} else {
		m->attention = true;
		uint64_t mask = size == 8 ? UINT64_MAX : (1ull << 8 * size) - 1;
		if (address % size || !rv_bus_write(m, place.first, size, value & mask)) {
			rv_raise(m, hart, RV_STORE_FAULT, address);
			return false;
		}
	}
	return true;
}

static bool fetch16(
	struct rv_machine *m, struct rv_hart *hart, uint64_t address, uint32_t *parcel) {
	uint64_t physical;
	if (!rv_translate(m, hart, address, RV_FETCH, &physical)) {
		return false;
	}
	if (!rv_is_ram(m, physical, 2)) {
		rv_raise(m, hart, RV_FETCH_FAULT, address);
		return false;
	}
	uint16_t value;
	memcpy(&value, m->ram + (physical - RV_RAM_BASE), sizeof(value));
	*parcel = value;
	return true;
}

bool rv_fetch(struct rv_machine *m, struct rv_hart *hart, uint32_t *instruction) {
	uint32_t low, high;
	if (!fetch16(m, hart, hart->pc, &low)) {
		return false;
	}
	if ((low & 3) != 3) {
		*instruction = low;
		return true;
	}
	if (!fetch16(m, hart, hart->pc + 2, &high)) {
		return false;
	}
	*instruction = high << 16 | low;
	return true;
}

bool rv_translate_amo(struct rv_machine *m, struct rv_hart *hart, uint64_t address, unsigned size,
	enum rv_access access, uint64_t *physical) {
	if (address % size) {
		rv_raise(m, hart, access == RV_LOAD ? RV_LOAD_MISALIGNED : RV_STORE_MISALIGNED,
			address);
		return false;
	}
	if (!rv_translate(m, hart, address, access, physical)) {
		return false;
	}
	if (!rv_is_ram(m, *physical, size)) {
		rv_raise(m, hart, access_faults[access], address);
		return false;
	}
	return true;
}
