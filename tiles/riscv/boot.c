/* SPDX-License-Identifier: MIT */
/*
 * How what was loaded is started: the device tree, and for firmware with a next stage what OpenSBI
 * calls "fw_dynamic" (struct fw_dynamic_info, docs/firmware/fw_dynamic.md), are put into the last
 * pages of RAM, with the few instructions that a boot ROM would have.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "machine.h"

#define NEXT_STAGE 0x200000ull /* from the start of RAM: below is the firmware's */
#define INFO_MAGIC 0x4942534full
#define INFO_VERSION 2
#define INFO_MODE_S 1

struct info {
	uint64_t magic, version, next_address, next_mode, options, boot_hart;
};

/* a0 and a1 are set by the machine; a2 is the address of the information. */
struct vector {
	uint32_t code[6];
	uint64_t entry, reserved;
	struct info info;
};

static uint64_t area(const struct rv_machine *m) {
	return RV_RAM_BASE + m->ram_size - RV_BOOT_AREA;
}

uint64_t rv_boot_next_stage(const struct rv_machine *m) {
	return RV_RAM_BASE + NEXT_STAGE;
}

uint64_t rv_boot_initrd(const struct rv_machine *m, uint64_t size) {
	if (m->ram_size < RV_BOOT_AREA || size > m->ram_size - RV_BOOT_AREA) {
		return 0;
	}
	return (area(m) - size) & ~(RV_PAGE - 1);
}

/* Whether nothing that was loaded lies on anything else. */
static bool lie_apart(
	const struct rv_machine *m, const struct rv_boot_plan *plan, char *why, size_t why_size) {
	const struct {
		const char *name;
		uint64_t start, end;
	} parts[] = {
		{plan->next.end > 0 ? "the firmware" : "the program", plan->program.start,
			plan->program.end},
		{"the kernel", plan->next.start, plan->next.end},
		{"the initrd", plan->boot.initrd, plan->boot.initrd_end},
		{"the device tree", area(m), area(m) + RV_BOOT_AREA},
	};
	enum { PARTS = sizeof(parts) / sizeof(*parts) };
	for (unsigned i = 0; i < PARTS; i++) {
		for (unsigned j = i + 1; j < PARTS; j++) {
			if (parts[i].start < parts[j].end && parts[j].start < parts[i].end) {
				snprintf(why, why_size,
					"%s (up to 0x%" PRIx64 ") and %s (from 0x%" PRIx64
					") overlap: more memory, or another address",
					parts[i].name, parts[i].end, parts[j].name, parts[j].start);
				return false;
			}
		}
	}
	return true;
}

bool rv_boot_prepare(
	struct rv_machine *m, const struct rv_boot_plan *plan, char *why, size_t why_size) {
	if (m->ram_size < RV_BOOT_AREA) {
		snprintf(why, why_size, "%" PRIu64 " bytes of memory are too few to start anything",
			m->ram_size);
		return false;
	}
	if (!lie_apart(m, plan, why, why_size)) {
		return false;
	}
	uint8_t *at = m->ram + (area(m) - RV_RAM_BASE);
	if (rv_fdt(m, &plan->boot, at + RV_PAGE, RV_BOOT_AREA - RV_PAGE) == 0) {
		snprintf(why, why_size,
			"the device tree does not fit: the kernel's command line is too long");
		return false;
	}
	const struct vector vector = {
		.code =
			{
				0x00000297, /* auipc t0, 0 */
				0x02828613, /* addi a2, t0, 40 */
				0x0182b283, /* ld t0, 24(t0) */
				0x00028067, /* jr t0 */
			},
		.entry = plan->program.entry,
		.info = {INFO_MAGIC, INFO_VERSION, plan->next.entry, INFO_MODE_S, 0, 0},
	};
	static_assert(offsetof(struct vector, entry) == 24 && offsetof(struct vector, info) == 40);
	memcpy(at, &vector, sizeof(vector));
	m->board->boot_pc = plan->next.end > 0 ? area(m) : plan->program.entry;
	m->board->boot_fdt = area(m) + RV_PAGE;
	return true;
}
