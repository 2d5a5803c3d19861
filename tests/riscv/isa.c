/* SPDX-License-Identifier: MIT */
/*
 * The decoder and the disassembler: all 65,536 encodings of 16 bits and random ones of every
 * instruction of 32 bits, and of none, as the GNU disassembler reads them. What it and the manual
 * see differently is named in ours_alone().
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "isa.h"
#include "machine.h"
#include "random.h"

static const char gnu[] = "riscv64-unknown-elf-objdump";

static void decoded_by_table(void **state) {
	/* No two lines of the table mean the same word, and the decoder finds each. */
	const size_t count = PATTERNS;
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < i; j++) {
			const uint32_t both = patterns[i].mask & patterns[j].mask;
			assert_int_not_equal(patterns[i].match & both, patterns[j].match & both);
		}
		for (unsigned n = 0; n < 100; n++) {
			const uint32_t raw =
				patterns[i].match | ((uint32_t)next_random() & ~patterns[i].mask);
			struct rv_insn insn;
			rv_decode(raw, &insn);
			assert_int_equal(insn.op, i + 1);
			assert_int_equal(insn.length, 4);
			assert_int_equal(insn.raw, raw);
		}
	}
	for (unsigned n = 0; n < 1000000; n++) {
		const uint32_t raw = (uint32_t)next_random() | 3;
		unsigned op = RV_OP_ILLEGAL;
		for (size_t i = 0; i < count && op == RV_OP_ILLEGAL; i++) {
			if ((raw & patterns[i].mask) == patterns[i].match)
				op = (unsigned)i + 1;
		}
		struct rv_insn insn;
		rv_decode(raw, &insn);
		assert_int_equal(insn.op, op);
	}
}

/* Of compressed ones the upper half is not looked at. */
static void upper_half_ignored(void **state) {
	for (uint32_t raw = 0; raw < 0x10000; raw++) {
		if ((raw & 3) == 3)
			continue;
		struct rv_insn a, b;
		rv_decode(raw, &a);
		rv_decode(raw | 0xa5a50000, &b);
		assert_memory_equal(&a, &b, sizeof a);
		assert_int_equal(a.length, 2);
	}
}

struct listing {
	uint8_t *code;
	size_t size, room;
};

static void put(struct listing *listing, uint32_t raw) {
	const size_t length = (raw & 3) == 3 ? 4 : 2;
	if (listing->size + length > listing->room) {
		listing->room = listing->room ? listing->room * 2 : 1 << 16;
		listing->code = realloc(listing->code, listing->room);
		assert_non_null(listing->code);
	}
	memcpy(listing->code + listing->size, &raw, length);
	listing->size += length;
}

/* Instructions that GNU does not know or writes differently, with the reason. */
static bool ours_alone(const struct rv_insn *insn, const char *theirs) {
	const bool unknown = strncmp(theirs, ".insn", 5) == 0;
	switch (insn->op) {
	case RV_OP_FENCE:
		/* Its reserved bits are ignored, as the manual wants it. */
		return insn->raw & 0xf00fff80;
	case RV_OP_FENCE_I:
		return insn->raw & 0xffffff80;
	case RV_OP_FCVT_D_S:
	case RV_OP_FCVT_D_W:
	case RV_OP_FCVT_D_WU:
		/* Any rounding mode is one, if it makes no difference. */
		return unknown && insn->rm != 0;
	case RV_OP_CSRRW:
	case RV_OP_CSRRS:
	case RV_OP_CSRRC:
	case RV_OP_CSRRWI:
	case RV_OP_CSRRSI:
	case RV_OP_CSRRCI:
		/* CSRs that this machine does not have. */
		return !rv_csr_name((unsigned)insn->imm);
	case RV_OP_ILLEGAL:
		/* All zeros is illegal with a name; an adjustment of the stack by 0 is reserved;
		 * debug mode is no part of this machine. */
		return unknown || insn->raw == 0 || (insn->length == 2 && insn->raw == 0x6101) ||
			insn->raw == 0x7b200073;
	default:
		return false;
	}
}

static void compare(const struct listing *listing) {
	char name[] = "/tmp/riscv-isa-XXXXXX";
	const int fd = mkstemp(name);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, listing->code, listing->size), listing->size);
	close(fd);
	char command[256];
	snprintf(command, sizeof command, "%s -D -b binary -m riscv:rv64 -M no-aliases -z %s", gnu,
		name);
	FILE *gnu_says = popen(command, "r");
	assert_non_null(gnu_says);
	char line[256];
	size_t compared = 0, different = 0;
	uint64_t at = 0;
	while (fgets(line, sizeof line, gnu_says)) {
		uint64_t address;
		uint32_t raw;
		int text;
		if (sscanf(line, "%" SCNx64 ": %" SCNx32 " %n", &address, &raw, &text) != 2)
			continue;
		assert_int_equal(address, at);
		char *theirs = line + text;
		theirs[strcspn(theirs, "\n")] = '\0';
		/* What it remarks about an address. */
		char *remark = strstr(theirs, " # ");
		if (remark)
			*remark = '\0';
		struct rv_insn insn;
		rv_decode(raw, &insn);
		char ours[80];
		const size_t length = rv_disassemble(&insn, address, ours, sizeof ours);
		assert_int_equal(length, strlen(ours));
		at += insn.length;
		compared++;
		if (strcmp(ours, theirs) == 0 || ours_alone(&insn, theirs))
			continue;
		if (different++ < 20)
			print_error("%08" PRIx32 ": '%s', GNU '%s'\n", raw, ours, theirs);
	}
	assert_int_equal(pclose(gnu_says), 0);
	unlink(name);
	assert_int_equal(at, listing->size);
	assert_int_equal(different, 0);
	print_message("# %zu compared\n", compared);
	free(listing->code);
}

static bool no_gnu(void) {
	char command[64];
	snprintf(command, sizeof command, "command -v %s >/dev/null", gnu);
	return system(command) != 0;
}

static void compressed_as_gnu(void **state) {
	if (no_gnu())
		skip();
	struct listing listing = {};
	for (uint32_t raw = 0; raw < 0x10000; raw++) {
		if ((raw & 3) != 3)
			put(&listing, raw);
	}
	compare(&listing);
}

static void full_as_gnu(void **state) {
	if (no_gnu())
		skip();
	struct listing listing = {};
	for (size_t i = 0; i < PATTERNS; i++) {
		for (unsigned n = 0; n < 300; n++)
			put(&listing,
				patterns[i].match | ((uint32_t)next_random() & ~patterns[i].mask));
	}
	/* All numbers of CSRs, and words that are no instruction of any length but this. */
	for (uint32_t csr = 0; csr < 4096; csr++)
		put(&listing, 0x00001573 | csr << 20);
	for (unsigned n = 0; n < 50000; n++) {
		const uint32_t raw = (uint32_t)next_random() | 3;
		if ((raw & 0x1c) != 0x1c)
			put(&listing, raw);
	}
	compare(&listing);
}

/* As snprintf: cut, ended, and the length that there would be. */
static void cut_short(void **state) {
	struct rv_insn insn;
	rv_decode(0xff813503, &insn);
	char whole[64], text[64];
	const size_t length = rv_disassemble(&insn, 0, whole, sizeof whole);
	assert_string_equal(whole, "ld\ta0,-8(sp)");
	for (size_t size = 0; size < length + 2; size++) {
		memset(text, 'x', sizeof text);
		assert_int_equal(rv_disassemble(&insn, 0, text, size), length);
		if (size)
			assert_int_equal(strlen(text), size - 1 < length ? size - 1 : length);
		if (size)
			assert_memory_equal(text, whole, strlen(text));
		for (size_t i = size; i < sizeof text; i++)
			assert_int_equal(text[i], 'x');
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decoded_by_table),
		cmocka_unit_test(upper_half_ignored),
		cmocka_unit_test(compressed_as_gnu),
		cmocka_unit_test(full_as_gnu),
		cmocka_unit_test(cut_short),
	};
	return cmocka_run_group_tests_name("riscv isa", tests, NULL, NULL);
}
