/* SPDX-License-Identifier: MIT */
/* What it costs to lay out 100,000 modules, in folders of 50 and in one, anew and after a change.
 * One JSON object per line. */
#include <math.h>

#include "compositor/layout/layout.h"
#include "measure.h"

#define MODULES 100000
#define ROUNDS 15

/* Sizes as source files have; one in a hundred differs in the second census. */
static void take_census(struct city_census *census, unsigned per_folder, uint32_t changed) {
	uint32_t seed = 1;
	city_census_begin(census, "quarter");
	for (unsigned i = 0; i < MODULES; i++) {
		char name[32];
		if (i % per_folder == 0) {
			snprintf(name, sizeof(name), "folder-%06u", i / per_folder);
			city_census_begin(census, name);
		}
		seed = seed * 1664525u + 1013904223u;
		uint32_t lines = (uint32_t)(20 * exp((seed >> 16) / 65536.0 * 4.2));
		snprintf(name, sizeof(name), "module-%06u.c", i);
		city_census_module(census, name, i % 100 == 0 ? lines + changed : lines);
		if (i % per_folder == per_folder - 1) {
			city_census_end(census);
		}
	}
	city_census_weigh(census);
}

static struct city_layout *measure(
	const struct city_census *census, const struct city_layout *old) {
	struct city_layout *layout = NULL;
	for (int i = 0; i < ROUNDS; i++) {
		city_layout_unref(layout);
		double begin = now_us();
		layout = city_layout_create(census, old);
		add_sample(now_us() - begin);
		if (layout == NULL || layout->module_count != MODULES) {
			fprintf(stderr, "bench: the layout is not whole\n");
			exit(1);
		}
	}
	return layout;
}

int main(void) {
	static const struct {
		const char *name;
		unsigned per_folder;
	} cases[] = {{"100k", 50}, {"100k.flat", MODULES}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct city_census census = {0}, changed = {0};
		char name[64];
		take_census(&census, cases[i].per_folder, 0);
		take_census(&changed, cases[i].per_folder, 7);
		struct city_layout *layout = measure(&census, NULL);
		snprintf(name, sizeof(name), "map.layout.%s", cases[i].name);
		print_beside(name, "ms", 1e-3, "");
		struct city_layout *next = measure(&changed, layout);
		snprintf(name, sizeof(name), "map.layout.%s.again", cases[i].name);
		print_beside(name, "ms", 1e-3, "");
		city_layout_unref(next);
		city_layout_unref(layout);
		city_census_finish(&census);
		city_census_finish(&changed);
	}
	return 0;
}
