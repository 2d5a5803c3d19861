/* SPDX-License-Identifier: MIT */
/* Where source stands on the map: shapes, areas, stability; and how source is counted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compositor/layout/layout.h"
#include "compositor/layout/scan.h"

/* The same numbers on every machine. */
static uint32_t seed;

static uint32_t draw(uint32_t below) {
	seed = seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)seed * below >> 32);
}

/* As sizes of source files are: few large ones. */
static uint32_t draw_lines(void) {
	return (uint32_t)(20 * exp(draw(1000) / 1000.0 * 4.2));
}

struct module {
	char name[24];
	uint32_t lines;
	bool there;
};

static void begin_folder(struct city_census *census, const char *name) {
	assert_true(city_census_begin(census, name));
}

static struct city_layout *lay_out(
	const struct module *modules, size_t count, const struct city_layout *old) {
	struct city_census census = {0};
	begin_folder(&census, "quarter");
	for (size_t i = 0; i < count; i++) {
		if (modules[i].there) {
			assert_true(city_census_module(&census, modules[i].name, modules[i].lines));
		}
	}
	city_census_end(&census);
	city_census_weigh(&census);
	struct city_layout *layout = city_layout_create(&census, old);
	assert_non_null(layout);
	city_census_finish(&census);
	return layout;
}

static void make_modules(struct module *modules, size_t count, uint32_t from) {
	seed = from;
	for (size_t i = 0; i < count; i++) {
		snprintf(modules[i].name, sizeof(modules[i].name), "module-%05zu.c", i);
		modules[i].lines = draw_lines();
		modules[i].there = true;
	}
}

static void visit(const struct city_layout *layout, uint32_t at,
	void (*see)(const struct city_layout *, uint32_t, void *), void *data) {
	if (at == CITY_NO_SITE) {
		return;
	}
	const struct city_site *site = &layout->sites[at];
	if (site->kind == CITY_SITE_CUT) {
		visit(layout, site->first, see, data);
		visit(layout, site->second, see, data);
		return;
	}
	see(layout, at, data);
	if (site->kind == CITY_SITE_FOLDER) {
		visit(layout, site->first, see, data);
	}
}

static void visit_all(const struct city_layout *layout,
	void (*see)(const struct city_layout *, uint32_t, void *), void *data) {
	for (size_t i = 0; i < layout->quarter_count; i++) {
		visit(layout, layout->quarters[i], see, data);
	}
}

static uint32_t find(const struct city_layout *layout, const char *name) {
	for (uint32_t i = 0; i < layout->count; i++) {
		if (layout->sites[i].kind != CITY_SITE_CUT &&
			strcmp(city_site_name(layout, &layout->sites[i]), name) == 0) {
			return i;
		}
	}
	return CITY_NO_SITE;
}

struct shapes {
	double aspects, off;
	size_t count;
	struct city_plot *plots;
};

static bool within(struct city_plot inner, struct city_plot outer) {
	const double e = 1e-6;
	return inner.x >= outer.x - e && inner.y >= outer.y - e &&
		inner.x + inner.width <= outer.x + outer.width + e &&
		inner.y + inner.height <= outer.y + outer.height + e;
}

static void see_shape(const struct city_layout *layout, uint32_t at, void *data) {
	struct shapes *shapes = data;
	const struct city_site *site = &layout->sites[at];
	assert_true(site->plot.width > 0 && site->plot.height > 0);
	if (site->folder != CITY_NO_SITE) {
		const struct city_site *folder = &layout->sites[site->folder];
		assert_true(within(site->plot, city_block_content(city_site_block(folder))));
	}
	if (site->kind != CITY_SITE_MODULE) {
		return;
	}
	struct city_plot building = city_site_footprint(site);
	assert_true(within(building, site->plot));
	shapes->aspects += fmax(building.width / building.height, building.height / building.width);
	double wanted = fmax(site->lines, CITY_LINES_MIN) * CITY_LINE_AREA;
	shapes->off += fabs(building.width * building.height / wanted - 1);
	shapes->plots[shapes->count++] = building;
}

static struct shapes get_shapes(const struct city_layout *layout) {
	struct shapes shapes = {.plots = calloc(layout->module_count + 1, sizeof(*shapes.plots))};
	visit_all(layout, see_shape, &shapes);
	assert_int_equal(shapes.count, layout->module_count);
	shapes.aspects /= (double)shapes.count;
	shapes.off /= (double)shapes.count;
	return shapes;
}

static void buildings_are_as_large_as_their_source(void **state) {
	struct module modules[400];
	make_modules(modules, 400, 1);
	struct city_layout *layout = lay_out(modules, 400, NULL);
	struct shapes shapes = get_shapes(layout);
	print_message("# aspect %.2f, area off by %.3f\n", shapes.aspects, shapes.off);
	assert_true(shapes.aspects < 1.8);
	assert_true(shapes.off < 0.03);
	for (size_t i = 0; i < shapes.count; i++) {
		for (size_t j = 0; j < i; j++) {
			struct city_plot a = shapes.plots[i], b = shapes.plots[j];
			assert_true(a.x + a.width <= b.x + 1e-6 || b.x + b.width <= a.x + 1e-6 ||
				a.y + a.height <= b.y + 1e-6 || b.y + b.height <= a.y + 1e-6);
		}
	}
	free(shapes.plots);
	city_layout_unref(layout);
}

/* ---- stability */

/*
 * How far the corners of what is in both layouts travel on the average, as a share of the diagonal
 * of the whole (the "corner travel" of E. Vernier, M. Sondag, J. Comba, B. Speckmann, A. Telea and
 * K. Verbeek, "Quantitative Comparison of Time-Dependent Treemaps", 2020).
 */
static double travel(const struct city_plot *a, const struct city_plot *b, const bool *both,
	size_t count, double diagonal) {
	double sum = 0;
	size_t seen = 0;
	for (size_t i = 0; i < count; i++) {
		if (!both[i]) {
			continue;
		}
		double left = a[i].x - b[i].x, top = a[i].y - b[i].y;
		double right = left + a[i].width - b[i].width;
		double bottom = top + a[i].height - b[i].height;
		sum += hypot(left, top) + hypot(right, top) + hypot(left, bottom) +
			hypot(right, bottom);
		seen++;
	}
	return sum / (4 * (double)seen * diagonal);
}

/* Beside it: M. Bruls, K. Huizing and J. van Wijk, "Squarified Treemaps", 2000. */
struct item {
	double area;
	size_t index;
};

static int larger_first(const void *a, const void *b) {
	const struct item *x = a, *y = b;
	return x->area > y->area ? -1 : x->area < y->area ? 1 : x->index > y->index ? 1 : -1;
}

static double worst(const struct item *items, size_t count, double side) {
	double sum = 0, most = 0, least = INFINITY;
	for (size_t i = 0; i < count; i++) {
		sum += items[i].area;
		most = fmax(most, items[i].area);
		least = fmin(least, items[i].area);
	}
	return fmax(side * side * most / (sum * sum), sum * sum / (side * side * least));
}

static void squarify(const struct module *modules, size_t count, struct city_plot ground,
	struct city_plot *plots) {
	struct item *items = calloc(count, sizeof(*items));
	size_t used = 0;
	double sum = 0;
	for (size_t i = 0; i < count; i++) {
		if (modules[i].there) {
			double weight = city_layout_module_weight(modules[i].lines);
			items[used++] = (struct item){weight, i};
			sum += weight;
		}
	}
	for (size_t i = 0; i < used; i++) {
		items[i].area *= ground.width * ground.height / sum;
	}
	qsort(items, used, sizeof(*items), larger_first);
	for (size_t from = 0, to; from < used; from = to) {
		double side = fmin(ground.width, ground.height);
		for (to = from + 1; to < used &&
			worst(items + from, to + 1 - from, side) <=
				worst(items + from, to - from, side);
			to++) {
		}
		double row = 0, at = 0;
		for (size_t i = from; i < to; i++) {
			row += items[i].area;
		}
		bool column = ground.width >= ground.height;
		double thick = row / side;
		for (size_t i = from; i < to; i++) {
			double length = items[i].area / thick;
			plots[items[i].index] = column
				? (struct city_plot){ground.x, ground.y + at, thick, length}
				: (struct city_plot){ground.x + at, ground.y, length, thick};
			at += length;
		}
		*(column ? &ground.x : &ground.y) += thick;
		*(column ? &ground.width : &ground.height) -= thick;
	}
	free(items);
}

static void get_plots(const struct city_layout *layout, const struct module *modules, size_t count,
	struct city_plot *plots) {
	for (uint32_t i = 0; i < layout->count; i++) {
		const struct city_site *site = &layout->sites[i];
		if (site->kind == CITY_SITE_MODULE) {
			size_t index = strtoul(city_site_name(layout, site) + 7, NULL, 10);
			assert_true(index < count && modules[index].there);
			plots[index] = site->plot;
		}
	}
}

/* A day's work, again and again: most files stay, some grow a little, a few come and go. */
static void little_moves_when_little_changes(void **state) {
	enum { COUNT = 500, ROUNDS = 40 };
	struct module modules[COUNT];
	make_modules(modules, COUNT, 7);
	for (size_t i = 0; i < COUNT; i++) {
		modules[i].there = draw(10) > 0;
	}
	struct city_plot *plots = calloc(COUNT, sizeof(*plots)),
			 *before = calloc(COUNT, sizeof(*plots));
	struct city_plot *square = calloc(COUNT, sizeof(*plots)),
			 *square_before = calloc(COUNT, sizeof(*plots));
	struct city_layout *layout = lay_out(modules, COUNT, NULL);
	struct city_plot all = layout->sites[layout->quarters[0]].plot;
	get_plots(layout, modules, COUNT, before);
	squarify(modules, COUNT, city_block_content(all), square_before);
	double ours = 0, squarified = 0, most = 0;
	for (int round = 0; round < ROUNDS; round++) {
		bool both[COUNT];
		for (size_t i = 0; i < COUNT; i++) {
			both[i] = modules[i].there;
			if (draw(100) < 5) {
				modules[i].lines += modules[i].lines / 10 + 1;
			}
			if (draw(1000) < 4) {
				modules[i].there = !modules[i].there;
			}
			both[i] = both[i] && modules[i].there;
		}
		struct city_layout *next = lay_out(modules, COUNT, layout);
		city_layout_unref(layout);
		layout = next;
		assert_int_equal(layout->anew, 0);
		all = layout->sites[layout->quarters[0]].plot;
		get_plots(layout, modules, COUNT, plots);
		squarify(modules, COUNT, city_block_content(all), square);
		double diagonal = hypot(all.width, all.height);
		double far = travel(plots, before, both, COUNT, diagonal);
		ours += far / ROUNDS;
		most = fmax(most, far);
		squarified += travel(square, square_before, both, COUNT, diagonal) / ROUNDS;
		memcpy(before, plots, COUNT * sizeof(*plots));
		memcpy(square_before, square, COUNT * sizeof(*plots));
	}
	struct shapes shapes = get_shapes(layout);
	print_message(
		"corners travel %.2f %% of the diagonal (at most %.2f %%), squarified %.2f %%; "
		"aspect after it %.2f\n",
		100 * ours, 100 * most, 100 * squarified, shapes.aspects);
	assert_true(ours < 0.006);
	assert_true(most < 0.02);
	assert_true(squarified > 5 * ours);
	assert_true(shapes.aspects < 2.8);
	free(shapes.plots);
	free(plots);
	free(before);
	free(square);
	free(square_before);
	city_layout_unref(layout);
}

static void positions_are_continuous_in_the_sizes(void **state) {
	struct module modules[200];
	make_modules(modules, 200, 3);
	struct city_layout *layout = lay_out(modules, 200, NULL);
	struct city_plot before[200], after[200];
	bool both[200];
	memset(both, true, sizeof(both));
	get_plots(layout, modules, 200, before);
	/* One line more in each of them in turn moves nothing by more than a few units. */
	for (size_t i = 0; i < 200; i += 7) {
		modules[i].lines++;
		struct city_layout *next = lay_out(modules, 200, layout);
		get_plots(next, modules, 200, after);
		for (size_t j = 0; j < 200; j++) {
			assert_true(fabs(after[j].x - before[j].x) < 4);
			assert_true(fabs(after[j].y - before[j].y) < 4);
		}
		modules[i].lines--;
		city_layout_unref(next);
	}
	city_layout_unref(layout);
}

static void what_has_become_bad_is_cut_anew(void **state) {
	struct module modules[64];
	make_modules(modules, 64, 5);
	struct city_layout *layout = lay_out(modules, 64, NULL);
	assert_int_equal(layout->anew, 1);
	for (size_t i = 0; i < 64; i++) {
		modules[i].lines = i % 8 == 0 ? 90000 : 1;
	}
	struct city_layout *next = lay_out(modules, 64, layout);
	struct shapes shapes = get_shapes(next);
	print_message("# aspect %.2f\n", shapes.aspects);
	assert_true(shapes.aspects < 5);
	free(shapes.plots);
	city_layout_unref(next);
	/* More that is new than old. */
	for (size_t i = 0; i < 40; i++) {
		modules[i].there = false;
	}
	struct city_layout *few = lay_out(modules, 64, NULL);
	for (size_t i = 0; i < 40; i++) {
		modules[i].there = true;
	}
	next = lay_out(modules, 64, few);
	assert_int_equal(next->anew, 1);
	city_layout_unref(next);
	city_layout_unref(few);
	city_layout_unref(layout);
}

static void odd_sizes_have_places_too(void **state) {
	struct module modules[] = {
		{"module-00000.c", 0, true},
		{"module-00001.c", UINT32_MAX, true},
		{"module-00002.c", 1, true},
	};
	struct city_layout *layout = lay_out(modules, 3, NULL);
	for (int i = 0; i < 3; i++) {
		struct city_plot plot = layout->sites[find(layout, modules[i].name)].plot;
		assert_true(plot.width > 0 && plot.height > 0 && isfinite(plot.x + plot.y));
	}
	city_layout_unref(layout);

	/* Nothing at all, folders without anything, and folders in folders. */
	struct city_census census = {0};
	city_census_weigh(&census);
	layout = city_layout_create(&census, NULL);
	assert_int_equal(layout->quarter_count, 0);
	city_layout_unref(layout);
	begin_folder(&census, "a");
	begin_folder(&census, "empty");
	city_census_end(&census);
	char name[16] = "folder";
	for (int i = 0; i < 40; i++) {
		begin_folder(&census, name);
	}
	assert_true(city_census_module(&census, "x", 10));
	city_census_weigh(&census);
	layout = city_layout_create(&census, NULL);
	assert_int_equal(layout->module_count, 1);
	assert_int_equal(layout->folder_count, 42);
	uint32_t x = find(layout, "x");
	assert_true(layout->sites[x].plot.width > 0);
	char path[64];
	assert_true(city_site_path(layout, x, path, sizeof(path)) == 40 * 7 + 1);
	assert_int_equal(strlen(path), sizeof(path) - 1);
	city_layout_unref(layout);
	city_census_finish(&census);
}

static void names_that_are_out_of_order_are_refused(void **state) {
	struct city_census census = {0};
	begin_folder(&census, "b");
	assert_true(city_census_module(&census, "m", 1));
	assert_false(city_census_module(&census, "m", 1));
	assert_false(city_census_begin(&census, "a"));
	begin_folder(&census, "n");
	assert_true(city_census_module(&census, "a", 3));
	city_census_end(&census);
	assert_false(city_census_module(&census, "n", 1));
	assert_true(city_census_module(&census, "o", 4));
	city_census_end(&census);
	assert_false(city_census_begin(&census, "b"));
	assert_false(city_census_module(&census, "z", 1));
	begin_folder(&census, "c");
	city_census_weigh(&census);
	assert_int_equal(census.entries[0].lines, 8);
	assert_false(census.failed);
	city_census_finish(&census);
}

/* ---- as text */

static char *write_text(const struct city_layout *layout, size_t *size) {
	char *text = NULL;
	FILE *file = open_memstream(&text, size);
	city_layout_write(layout, file);
	assert_int_equal(fclose(file), 0);
	return text;
}

static void a_layout_survives_as_text(void **state) {
	struct module modules[300];
	make_modules(modules, 300, 11);
	strcpy(modules[299].name, "z 100%\n\x01.c");
	struct city_layout *layout = lay_out(modules, 300, NULL);
	size_t size;
	char *text = write_text(layout, &size);
	unsigned line = 0;
	struct city_layout *back = city_layout_read(text, size, &line);
	assert_non_null(back);
	/* Laid out with what was read before it, all is where it was. */
	struct city_layout *again = lay_out(modules, 300, back);
	assert_int_equal(again->anew, 0);
	for (int i = 0; i < 300; i++) {
		struct city_plot a = layout->sites[find(layout, modules[i].name)].plot;
		struct city_plot b = again->sites[find(again, modules[i].name)].plot;
		assert_true(fabs(a.x - b.x) < 1e-6 && fabs(a.y - b.y) < 1e-6);
		assert_true(fabs(a.width - b.width) < 1e-6);
	}
	/* Cut off anywhere it is no layout, and nothing is read beyond its end. */
	for (size_t cut = 1; cut < size; cut += 1 + size / 997) {
		char *part = malloc(cut);
		memcpy(part, text, cut);
		assert_null(city_layout_read(part, cut, &line));
		free(part);
	}
	static const char *const bad[] = {"quarter\n", "quarter a\nmodule x y\n",
		"quarter a\nbeside\nempty\nmodule 1 x\n", "quarter %0\nempty\n",
		"quarter %00\nempty\n", "folder a\nempty\n", "quarter a\nfolder \nempty\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(city_layout_read(bad[i], strlen(bad[i]), &line));
	}
	free(text);
	city_layout_unref(again);
	city_layout_unref(back);
	city_layout_unref(layout);
}

/* ---- scanning */

static char folder[64];

static void put(const char *path, const char *text, size_t size) {
	char full[256];
	snprintf(full, sizeof(full), "%s/%s", folder, path);
	int fd = open(full, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), (ssize_t)size);
	close(fd);
}

static void make(const char *path) {
	char full[256];
	snprintf(full, sizeof(full), "%s/%s", folder, path);
	assert_int_equal(mkdir(full, 0755), 0);
}

static void put_link(const char *path, const char *target) {
	char full[256];
	snprintf(full, sizeof(full), "%s/%s", folder, path);
	assert_int_equal(symlink(target, full), 0);
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk) {
	return remove(path);
}

static uint32_t lines_of(const struct city_census *census, const char *name) {
	for (size_t i = 0; i < census->count; i++) {
		if (strcmp(city_census_name(census, &census->entries[i]), name) == 0) {
			return census->entries[i].lines;
		}
	}
	return UINT32_MAX;
}

static void source_is_counted_whatever_lies_there(void **state) {
	strcpy(folder, "/tmp/layout-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	put("a.c", "one\ntwo\n", 8);
	put("unended", "one\ntwo", 7);
	put("nothing", "", 0);
	put("binary",
		"\x7f"
		"ELF\0\n\n",
		7);
	put(".hidden", "one\n", 4);
	put("odd \n name \xff", "1\n2\n3\n", 6);
	make("below");
	put("below/deep.c", "1\n2\n3\n4\n", 8);
	make("closed");
	put("closed/x.c", "1\n", 2);
	make("out");
	put("out/y.c", "1\n", 2);
	put_link("below/loop", "..");
	put_link("to-file", "a.c");
	put_link("dangling", "nowhere");
	char path[128];
	snprintf(path, sizeof(path), "%s/pipe", folder);
	assert_int_equal(mkfifo(path, 0644), 0);
	snprintf(path, sizeof(path), "%s/closed", folder);
	assert_int_equal(chmod(path, 0), 0);

	char without_path[128];
	snprintf(without_path, sizeof(without_path), "%s/out", folder);
	const char *without[] = {without_path};
	struct city_census census = {0};
	struct city_scan scan = {.census = &census, .without = without, .without_count = 1};
	assert_true(city_scan_folder(&scan, folder, "quarter"));
	city_census_weigh(&census);
	assert_int_equal(lines_of(&census, "a.c"), 2);
	assert_int_equal(lines_of(&census, "unended"), 2);
	assert_int_equal(lines_of(&census, "nothing"), 0);
	assert_int_equal(lines_of(&census, "odd \n name \xff"), 3);
	assert_int_equal(lines_of(&census, "below"), 4);
	static const char *const absent[] = {
		"binary", ".hidden", "loop", "to-file", "dangling", "pipe", "out"};
	for (size_t i = 0; i < sizeof(absent) / sizeof(absent[0]); i++) {
		assert_int_equal(lines_of(&census, absent[i]), UINT32_MAX);
	}
	assert_int_equal(scan.links, 3);
	/* Nothing is closed to root. */
	if (geteuid() != 0) {
		assert_int_equal(lines_of(&census, "closed"), 0);
		assert_int_equal(scan.unreadable, 1);
		assert_non_null(strstr(scan.first, "closed: "));
	}
	assert_true(city_scan_lines(&scan, folder) >= 12);
	assert_false(city_scan_folder(&scan, "/nowhere/at/all", "r"));
	assert_int_equal(chmod(path, 0755), 0);
	city_census_finish(&census);
	nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void a_scan_can_be_stopped(void **state) {
	strcpy(folder, "/tmp/layout-test-XXXXXX");
	assert_non_null(mkdtemp(folder));
	put("a.c", "one\ntwo\n", 8);
	atomic_bool stop = true;
	struct city_census census = {0};
	struct city_scan scan = {.census = &census, .stop = &stop};
	assert_true(city_scan_folder(&scan, folder, "quarter"));
	assert_int_equal(census.count, 1);
	city_census_finish(&census);
	nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

/* What was moved beside something does not overlap it, gap and all, whatever is rounded. */
static void what_is_moved_apart_stays_apart(void **state) {
	seed = 4;
	unsigned naive = 0;
	for (int i = 0; i < 100000; i++) {
		double end = draw(1u << 31) / 1048576.0 + draw(1u << 31) / 1e12;
		double gap = 1 + draw(400);
		double place = city_layout_beyond(end, gap);
		assert_true(place - gap >= end && place - gap < end + 1);
		naive += end + gap - gap < end;
	}
	assert_true(naive > 0);
	assert_true(city_layout_beyond(-1e9 + 0.3, 240) - 240 >= -1e9 + 0.3);
	/* One that three small folders came upon. */
	assert_true(city_layout_beyond(272.70619791050291, 240) == 513);
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buildings_are_as_large_as_their_source),
		cmocka_unit_test(little_moves_when_little_changes),
		cmocka_unit_test(positions_are_continuous_in_the_sizes),
		cmocka_unit_test(what_has_become_bad_is_cut_anew),
		cmocka_unit_test(odd_sizes_have_places_too),
		cmocka_unit_test(names_that_are_out_of_order_are_refused),
		cmocka_unit_test(a_layout_survives_as_text),
		cmocka_unit_test(source_is_counted_whatever_lies_there),
		cmocka_unit_test(a_scan_can_be_stopped),
		cmocka_unit_test(what_is_moved_apart_stays_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
