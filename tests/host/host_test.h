/* SPDX-License-Identifier: MIT */
/* What the tests of the tile host with the probe (probe.c) share. */
#ifndef TESTS_HOST_HOST_TEST_H
#define TESTS_HOST_HOST_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake.h"
#include "tile.h"

/* Its two versions, by have_probes. */
static const char *probe, *probe2;

/* Its cell "state", of the first version. */
struct state {
	uint32_t value, attaches, reason, updates, text_size;
	int32_t end_status;
	uint64_t time_ns;
	uint32_t focused;
};

static inline bool have_probes(void) {
	probe = getenv("SOURCE_CITY_PROBE");
	probe2 = getenv("SOURCE_CITY_PROBE2");
	if (!probe || !probe2 || !getenv("SOURCE_CITY_TILE")) {
		fprintf(stderr, "run by meson: it names the host and the probes\n");
		return false;
	}
	return true;
}

static inline void assert_pixels(const struct fake_version *version, uint32_t colour) {
	for (int32_t i = 0; i < version->width * version->height; i++) {
		assert_int_equal(version->pixels[i], 0xff000000 | colour);
	}
}

static inline void write_text(int fd, const char *text) {
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

/* The cell "text" holds so much. */
static inline void wait_text(struct fake_city *city, size_t size) {
	FAKE_WAIT(city, ((const struct state *)fake_cell(city, "state"))->text_size >= size);
}

/* B ends, and what it wrote is undone. */
static inline void undo_writes(struct fake_city *city, struct fake_version *b, int undo_fd) {
	fake_kill(b);
	struct vat_region *region;
	assert_int_equal(vat_region_map(city->region_fd, VAT_WRITE, &region, NULL), 0);
	struct vat_error error;
	if (vat_undo_apply(region, undo_fd, &error) < 0) {
		fail_msg("%s", error.text);
	}
	vat_region_unmap(region);
}

/* And A goes on. */
static inline void undo_and_resume(
	struct fake_city *city, struct fake_version *a, struct fake_version *b, int undo_fd) {
	undo_writes(city, b, undo_fd);
	unsigned commits = a->commits;
	fake_send_resume(a);
	FAKE_WAIT(city, a->commits > commits);
}

#endif
