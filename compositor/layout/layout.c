/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "compositor/layout/layout.h"

#define QUARTER_ASPECT 1.6
/* Cut trees that are deeper than this are cut anew: what goes through them does so by recursion. */
#define DEPTH_MAX 160
/* A folder is cut anew if its buildings are longer than this on the average, and would be so much
 * better. */
#define ASPECT_MAX 3.0
#define ASPECT_GAIN 1.5

/* ---- measures */

double city_layout_module_weight(uint32_t lines) {
	double side = sqrt(fmax(lines, CITY_LINES_MIN) * CITY_LINE_AREA) + CITY_STREET;
	return side * side;
}

double city_block_margin(struct city_plot block) {
	double side = fmin(block.width, block.height);
	return fmin(fmin(fmax(0.014 * side, 6), 60), 0.08 * side);
}

double city_block_head(struct city_plot block) {
	/* By its area, so that neighbours that weigh alike are named alike whatever their shape. */
	double side = sqrt(block.width * block.height);
	return fmin(fmin(fmax(0.055 * side, 18), 1200), 0.2 * fmin(block.width, block.height));
}

static struct city_plot inset(struct city_plot plot, double by) {
	return (struct city_plot){plot.x + by, plot.y + by, fmax(plot.width - 2 * by, 0),
		fmax(plot.height - 2 * by, 0)};
}

static double street_of(struct city_plot plot) {
	return fmin(CITY_STREET / 2, 0.06 * fmin(plot.width, plot.height));
}

struct city_plot city_site_block(const struct city_site *folder) {
	return folder->depth == 0 ? folder->plot : inset(folder->plot, street_of(folder->plot));
}

struct city_plot city_block_content(struct city_plot block) {
	double head = city_block_head(block);
	struct city_plot content = inset(block, city_block_margin(block));
	content.y += head;
	content.height = fmax(content.height - head, 0);
	return content;
}

double city_layout_folder_weight(double content) {
	double side = sqrt(fmax(content, city_layout_module_weight(0)));
	struct city_plot square = {.width = side, .height = side};
	double margin = 2 * city_block_margin(square) + CITY_STREET;
	return (side + margin) * (side + margin + city_block_head(square));
}

struct city_plot city_site_footprint(const struct city_site *module) {
	struct city_plot ground = inset(module->plot, street_of(module->plot));
	double area = ground.width * ground.height;
	double wanted = fmax(module->lines, CITY_LINES_MIN) * CITY_LINE_AREA;
	if (area <= wanted || area <= 0) {
		return ground;
	}
	double scale = sqrt(wanted / area);
	ground.x += ground.width * (1 - scale) / 2;
	ground.y += ground.height * (1 - scale) / 2;
	ground.width *= scale;
	ground.height *= scale;
	return ground;
}

/* ---- making one */

struct origin {
	uint32_t entry; /* of the census */
	uint32_t old;	/* site of the same folder in the old layout, CITY_NO_SITE: none */
};

struct aspect {
	double value;
	uint32_t site;
};

struct builder {
	struct city_layout *layout;
	const struct city_census *census;
	const struct city_layout *old;
	struct origin *origins; /* of each site */
	size_t origin_room;
	uint32_t *found; /* of each old site: its entry + 1; 0: gone */
	bool failed;
};

static uint32_t add_site(struct builder *b, enum city_site_kind kind) {
	struct city_layout *layout = b->layout;
	if (layout->count == layout->room) {
		size_t room = layout->room < 256 ? 256 : layout->room * 2;
		struct city_site *sites = reallocarray(layout->sites, room, sizeof(*sites));
		if (sites != NULL) {
			layout->sites = sites;
		}
		struct origin *origins =
			sites == NULL ? NULL : reallocarray(b->origins, room, sizeof(*origins));
		if (origins == NULL) {
			b->failed = true;
			return CITY_NO_SITE;
		}
		b->origins = origins;
		layout->room = room;
	}
	uint32_t at = (uint32_t)layout->count++;
	layout->sites[at] = (struct city_site){.kind = kind,
		.first = CITY_NO_SITE,
		.second = CITY_NO_SITE,
		.folder = CITY_NO_SITE};
	b->origins[at] = (struct origin){CITY_NO_SITE, CITY_NO_SITE};
	return at;
}

static uint32_t add_cut(struct builder *b, uint32_t first, uint32_t second) {
	uint32_t at = add_site(b, CITY_SITE_CUT);
	if (at != CITY_NO_SITE) {
		struct city_site *cut = &b->layout->sites[at];
		cut->first = first;
		cut->second = second;
		cut->fresh = true;
	}
	return at;
}

static uint32_t add_leaf(struct builder *b, uint32_t entry, uint32_t folder, uint32_t old) {
	const struct city_census_entry *from = &b->census->entries[entry];
	uint32_t at = add_site(b, from->folder ? CITY_SITE_FOLDER : CITY_SITE_MODULE);
	if (at == CITY_NO_SITE) {
		return at;
	}
	struct city_site *site = &b->layout->sites[at];
	site->name = from->name;
	site->lines = from->lines;
	site->weight = from->weight;
	site->folder = folder;
	site->depth = folder == CITY_NO_SITE ? 0 : (b->layout->sites[folder].depth + 1) & 0xff;
	b->origins[at] = (struct origin){entry, old};
	*(from->folder ? &b->layout->folder_count : &b->layout->module_count) += 1;
	return at;
}

static double aspect_of(struct city_plot plot) {
	double less = fmin(plot.width, plot.height), more = fmax(plot.width, plot.height);
	return less > 0 ? more / less : 1e6;
}

/* Entries [from, to) of a list, with the weights up to each summed. */
static uint32_t cut_list(struct builder *b, const uint32_t *list, const double *sums, size_t from,
	size_t to, uint32_t folder) {
	if (to - from == 1) {
		return add_leaf(b, list[from], folder, CITY_NO_SITE);
	}
	double half = (sums[from] + sums[to]) / 2;
	size_t low = from + 1, high = to - 1;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (sums[middle] < half) {
			low = middle + 1;
		} else {
			high = middle;
		}
	}
	if (low > from + 1 && half - sums[low - 1] < sums[low] - half) {
		low--;
	}
	uint32_t first = cut_list(b, list, sums, from, low, folder);
	uint32_t second = cut_list(b, list, sums, low, to, folder);
	return b->failed ? CITY_NO_SITE : add_cut(b, first, second);
}

struct heavy {
	double weight;
	uint32_t entry; /* in the order of the names */
};

static int heavier_first(const void *a, const void *b) {
	const struct heavy *x = a, *y = b;
	return x->weight != y->weight ? (x->weight > y->weight ? -1 : 1)
				      : (x->entry > y->entry) - (x->entry < y->entry);
}

static uint32_t cut_anew(struct builder *b, const uint32_t *list, size_t count, uint32_t folder) {
	uint32_t content = CITY_NO_SITE;
	struct heavy *heavy = calloc(count, sizeof(*heavy));
	double *sums = calloc(count + 1, sizeof(*sums));
	uint32_t *sorted = calloc(count, sizeof(*sorted));
	if (heavy == NULL || sums == NULL || sorted == NULL) {
		b->failed = true;
		goto out;
	}
	for (size_t i = 0; i < count; i++) {
		heavy[i] = (struct heavy){b->census->entries[list[i]].weight, list[i]};
	}
	qsort(heavy, count, sizeof(*heavy), heavier_first);
	for (size_t i = 0; i < count; i++) {
		sorted[i] = heavy[i].entry;
		sums[i + 1] = sums[i] + heavy[i].weight;
	}
	content = cut_list(b, sorted, sums, 0, count, folder);
	b->layout->anew++;
out:
	free(heavy);
	free(sums);
	free(sorted);
	return content;
}

static double weigh(struct city_layout *layout, uint32_t at) {
	struct city_site *site = &layout->sites[at];
	if (site->kind == CITY_SITE_CUT) {
		site->weight = weigh(layout, site->first) + weigh(layout, site->second);
	}
	return site->weight;
}

static void place(struct city_layout *layout, uint32_t at, struct city_plot plot) {
	struct city_site *site = &layout->sites[at];
	site->plot = plot;
	if (site->kind != CITY_SITE_CUT) {
		return;
	}
	if (site->fresh) {
		site->across = plot.height > plot.width;
		site->fresh = false;
	}
	double share = site->weight > 0 ? layout->sites[site->first].weight / site->weight : 0.5;
	struct city_plot first = plot, second = plot;
	if (site->across) {
		first.height *= share;
		second.y += first.height;
		second.height -= first.height;
	} else {
		first.width *= share;
		second.x += first.width;
		second.width -= first.width;
	}
	place(layout, site->first, first);
	place(layout, site->second, second);
}

/* What stays of old cuts; CITY_NO_SITE: nothing. */
static uint32_t keep(struct builder *b, uint32_t old_at, uint32_t folder) {
	const struct city_site *site = &b->old->sites[old_at];
	if (site->kind != CITY_SITE_CUT) {
		uint32_t found = b->found[old_at];
		return found == 0 ? CITY_NO_SITE
				  : add_leaf(b, found - 1, folder,
					    site->kind == CITY_SITE_FOLDER ? old_at : CITY_NO_SITE);
	}
	uint32_t first = keep(b, site->first, folder);
	uint32_t second = keep(b, site->second, folder);
	if (first == CITY_NO_SITE || second == CITY_NO_SITE || b->failed) {
		return first == CITY_NO_SITE ? second : first;
	}
	uint32_t cut = add_cut(b, first, second);
	if (cut != CITY_NO_SITE) {
		b->layout->sites[cut].across = site->across;
		b->layout->sites[cut].fresh = site->fresh;
	}
	return cut;
}

/* Leaves of a cut tree, and how deep it is. */
static unsigned leaves_of(const struct city_layout *layout, uint32_t at, unsigned depth,
	uint32_t *leaves, size_t *count) {
	const struct city_site *site = &layout->sites[at];
	if (site->kind != CITY_SITE_CUT) {
		if (leaves != NULL) {
			leaves[*count] = at;
		}
		++*count;
		return depth;
	}
	unsigned a = leaves_of(layout, site->first, depth + 1, leaves, count);
	unsigned c = leaves_of(layout, site->second, depth + 1, leaves, count);
	return a > c ? a : c;
}

static double mean_aspect(const struct city_layout *layout, uint32_t at, size_t *count) {
	const struct city_site *site = &layout->sites[at];
	if (site->kind != CITY_SITE_CUT) {
		++*count;
		return aspect_of(site->plot);
	}
	return mean_aspect(layout, site->first, count) + mean_aspect(layout, site->second, count);
}

static double shape(const struct city_layout *layout, uint32_t content) {
	size_t count = 0;
	double sum = mean_aspect(layout, content, &count);
	return sum / (double)count;
}

/* The worst shape on top. */
static void sift_up(struct aspect *heap, size_t at) {
	while (at > 0 && heap[(at - 1) / 2].value < heap[at].value) {
		struct aspect other = heap[(at - 1) / 2];
		heap[(at - 1) / 2] = heap[at];
		heap[at] = other;
		at = (at - 1) / 2;
	}
}

static void sift_down(struct aspect *heap, size_t count, size_t at) {
	for (;;) {
		size_t most = at, left = 2 * at + 1;
		for (size_t i = left; i < count && i <= left + 1; i++) {
			most = heap[i].value > heap[most].value ? i : most;
		}
		if (most == at) {
			return;
		}
		struct aspect other = heap[most];
		heap[most] = heap[at];
		heap[at] = other;
		at = most;
	}
}

/* The leaf becomes a cut between itself and a new one; it moves to another number. */
static uint32_t share_ground(struct builder *b, uint32_t leaf, uint32_t entry) {
	uint32_t folder = b->layout->sites[leaf].folder;
	uint32_t moved = add_site(b, CITY_SITE_CUT);
	uint32_t added =
		moved == CITY_NO_SITE ? CITY_NO_SITE : add_leaf(b, entry, folder, CITY_NO_SITE);
	if (added == CITY_NO_SITE) {
		return CITY_NO_SITE;
	}
	struct city_site *sites = b->layout->sites;
	sites[moved] = sites[leaf];
	b->origins[moved] = b->origins[leaf];
	sites[leaf] = (struct city_site){.kind = CITY_SITE_CUT,
		.plot = sites[moved].plot,
		.first = moved,
		.second = added,
		.folder = CITY_NO_SITE,
		.fresh = true};
	weigh(b->layout, leaf);
	place(b->layout, leaf, sites[leaf].plot);
	/* Not decided for good: its ground will still change. */
	sites[leaf].fresh = true;
	return moved;
}

static void insert(struct builder *b, uint32_t content, const uint32_t *list, size_t count) {
	size_t leaf_count = 0;
	leaves_of(b->layout, content, 0, NULL, &leaf_count);
	uint32_t *leaves = calloc(leaf_count, sizeof(*leaves));
	struct aspect *heap = calloc(leaf_count + count, sizeof(*heap));
	if (leaves == NULL || heap == NULL) {
		b->failed = true;
		goto out;
	}
	size_t used = 0;
	leaves_of(b->layout, content, 0, leaves, &used);
	for (size_t i = 0; i < leaf_count; i++) {
		heap[i] = (struct aspect){aspect_of(b->layout->sites[leaves[i]].plot), leaves[i]};
		sift_up(heap, i);
	}
	for (size_t i = 0; i < count && !b->failed; i++) {
		uint32_t worst = heap[0].site;
		uint32_t moved = share_ground(b, worst, list[i]);
		if (moved == CITY_NO_SITE) {
			break;
		}
		const struct city_site *sites = b->layout->sites;
		uint32_t added = sites[worst].second;
		heap[0] = (struct aspect){aspect_of(sites[moved].plot), moved};
		sift_down(heap, leaf_count + i, 0);
		heap[leaf_count + i] = (struct aspect){aspect_of(sites[added].plot), added};
		sift_up(heap, leaf_count + i);
	}
out:
	free(leaves);
	free(heap);
}

struct named {
	const char *name;
	uint32_t site;
};

static int by_name(const void *a, const void *b) {
	return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static int by_address(const void *a, const void *b) {
	const char *x = ((const struct named *)a)->name, *y = ((const struct named *)b)->name;
	return (x > y) - (x < y);
}

/* Which of the entries stand in the old folder already; the others go to `added`. */
static size_t match(struct builder *b, uint32_t old_content, const uint32_t *list, size_t count,
	uint32_t *added) {
	size_t old_count = 0, used = 0, added_count = 0;
	leaves_of(b->old, old_content, 0, NULL, &old_count);
	uint32_t *leaves = calloc(old_count, sizeof(*leaves));
	struct named *names = calloc(old_count, sizeof(*names));
	if (leaves == NULL || names == NULL) {
		b->failed = true;
		goto out;
	}
	leaves_of(b->old, old_content, 0, leaves, &used);
	for (size_t i = 0; i < old_count; i++) {
		names[i] = (struct named){
			city_site_name(b->old, &b->old->sites[leaves[i]]), leaves[i]};
	}
	qsort(names, old_count, sizeof(*names), b->old->sorted ? by_address : by_name);
	for (size_t i = 0, j = 0; i < count; i++) {
		const struct city_census_entry *entry = &b->census->entries[list[i]];
		const char *name = city_census_name(b->census, entry);
		while (j < old_count && strcmp(names[j].name, name) < 0) {
			j++;
		}
		bool same = j < old_count && strcmp(names[j].name, name) == 0 &&
			(b->old->sites[names[j].site].kind == CITY_SITE_FOLDER) == entry->folder;
		if (same) {
			b->found[names[j].site] = list[i] + 1;
		} else {
			added[added_count++] = list[i];
		}
	}
out:
	free(leaves);
	free(names);
	return added_count;
}

static void settle(struct builder *b, uint32_t content, struct city_plot plot) {
	if (!b->failed) {
		weigh(b->layout, content);
		place(b->layout, content, plot);
	}
}

/* The content of a folder, on this ground. */
static uint32_t make_content(struct builder *b, uint32_t folder, const uint32_t *list, size_t count,
	struct city_plot plot) {
	uint32_t old = b->origins[folder].old, kept = CITY_NO_SITE;
	uint32_t old_content = old == CITY_NO_SITE ? CITY_NO_SITE : b->old->sites[old].first;
	if (old_content != CITY_NO_SITE) {
		uint32_t *added = calloc(count, sizeof(*added));
		size_t added_count = added == NULL ? 0 : match(b, old_content, list, count, added);
		b->failed = b->failed || added == NULL;
		if (!b->failed && added_count <= count / 2) {
			kept = keep(b, old_content, folder);
			settle(b, kept, plot);
			if (added_count > 0 && !b->failed) {
				insert(b, kept, added, added_count);
				settle(b, kept, plot);
			}
		}
		free(added);
	}
	if (b->failed) {
		return CITY_NO_SITE;
	}
	double old_shape = kept == CITY_NO_SITE ? 0 : shape(b->layout, kept);
	size_t ignored = 0;
	bool too_deep =
		kept != CITY_NO_SITE && leaves_of(b->layout, kept, 0, NULL, &ignored) > DEPTH_MAX;
	if (kept != CITY_NO_SITE && !too_deep && old_shape <= ASPECT_MAX) {
		return kept;
	}
	size_t modules = b->layout->module_count, folders = b->layout->folder_count;
	uint32_t fresh = cut_anew(b, list, count, folder);
	settle(b, fresh, plot);
	if (b->failed || kept == CITY_NO_SITE) {
		return fresh;
	}
	/* One of both is not used; its sites stay behind unseen. */
	b->layout->module_count = modules;
	b->layout->folder_count = folders;
	if (too_deep || old_shape > ASPECT_GAIN * shape(b->layout, fresh)) {
		return fresh;
	}
	b->layout->anew--;
	return kept;
}

static void fill_folder(struct builder *b, uint32_t folder);

static void fill_leaves(struct builder *b, uint32_t at) {
	struct city_site site = b->layout->sites[at];
	if (site.kind == CITY_SITE_CUT) {
		fill_leaves(b, site.first);
		fill_leaves(b, site.second);
	} else if (site.kind == CITY_SITE_FOLDER && !b->failed) {
		fill_folder(b, at);
	}
}

static void fill_folder(struct builder *b, uint32_t folder) {
	uint32_t from = b->origins[folder].entry;
	const struct city_census_entry *entries = b->census->entries;
	size_t count = 0;
	for (uint32_t i = from + 1; i < entries[from].end; i = entries[i].end) {
		count++;
	}
	if (count == 0) {
		return;
	}
	uint32_t *list = calloc(count, sizeof(*list));
	if (list == NULL) {
		b->failed = true;
		return;
	}
	count = 0;
	for (uint32_t i = from + 1; i < entries[from].end; i = entries[i].end) {
		list[count++] = i;
	}
	struct city_plot plot = city_block_content(city_site_block(&b->layout->sites[folder]));
	uint32_t content = make_content(b, folder, list, count, plot);
	free(list);
	if (!b->failed) {
		b->layout->sites[folder].first = content;
		fill_leaves(b, content);
	}
}

static struct city_plot quarter_plot(double weight) {
	double width = sqrt(weight * QUARTER_ASPECT);
	return (struct city_plot){0, 0, width, weight / width};
}

static bool add_quarter(struct city_layout *layout, uint32_t site) {
	uint32_t *quarters = reallocarray(
		layout->quarters, layout->quarter_count + 1, sizeof(*layout->quarters));
	if (quarters == NULL) {
		return false;
	}
	layout->quarters = quarters;
	quarters[layout->quarter_count++] = site;
	layout->lines += layout->sites[site].lines;
	return true;
}

struct city_layout *city_layout_create(
	const struct city_census *census, const struct city_layout *old) {
	struct city_layout *layout = calloc(1, sizeof(*layout));
	struct builder b = {.layout = layout, .census = census, .old = old};
	if (layout == NULL || census->failed) {
		free(layout);
		return NULL;
	}
	layout->references = 1;
	layout->sorted = true;
	layout->names = malloc(census->names_size + 1);
	b.found = old == NULL ? NULL : calloc(old->count + 1, sizeof(*b.found));
	if (layout->names == NULL || (old != NULL && b.found == NULL)) {
		goto error;
	}
	if (census->names_size > 0) {
		memcpy(layout->names, census->names, census->names_size);
	}
	layout->names_size = census->names_size;
	for (uint32_t i = 0; i < census->count; i = census->entries[i].end) {
		uint32_t before = old == NULL
			? CITY_NO_SITE
			: city_layout_quarter(old, city_census_name(census, &census->entries[i]));
		uint32_t site = add_leaf(&b, i, CITY_NO_SITE, before);
		if (site == CITY_NO_SITE || !add_quarter(layout, site)) {
			goto error;
		}
		layout->sites[site].plot = quarter_plot(layout->sites[site].weight);
		fill_folder(&b, site);
	}
	if (b.failed) {
		goto error;
	}
	free(b.origins);
	free(b.found);
	return layout;

error:
	free(b.origins);
	free(b.found);
	city_layout_unref(layout);
	return NULL;
}

struct city_layout *city_layout_ref(struct city_layout *layout) {
	__atomic_add_fetch(&layout->references, 1, __ATOMIC_RELAXED);
	return layout;
}

void city_layout_unref(struct city_layout *layout) {
	if (layout == NULL || __atomic_sub_fetch(&layout->references, 1, __ATOMIC_ACQ_REL) > 0) {
		return;
	}
	free(layout->sites);
	free(layout->names);
	free(layout->quarters);
	free(layout);
}

/* With all that is on them. Sites that nothing leads to do not count. */
static bool sites_same(
	const struct city_layout *a, uint32_t at_a, const struct city_layout *b, uint32_t at_b) {
	if (at_a == CITY_NO_SITE || at_b == CITY_NO_SITE) {
		return at_a == at_b;
	}
	const struct city_site *x = &a->sites[at_a], *y = &b->sites[at_b];
	if (x->kind != y->kind || memcmp(&x->plot, &y->plot, sizeof(x->plot)) != 0) {
		return false;
	}
	if (x->kind == CITY_SITE_CUT) {
		return sites_same(a, x->first, b, y->first) &&
			sites_same(a, x->second, b, y->second);
	}
	return x->lines == y->lines && strcmp(city_site_name(a, x), city_site_name(b, y)) == 0 &&
		(x->kind == CITY_SITE_MODULE || sites_same(a, x->first, b, y->first));
}

bool city_layout_same(const struct city_layout *a, const struct city_layout *b) {
	bool same = a->quarter_count == b->quarter_count && a->lines == b->lines;
	for (size_t i = 0; same && i < a->quarter_count; i++) {
		same = sites_same(a, a->quarters[i], b, b->quarters[i]);
	}
	return same;
}

/* ---- looking at one */

const char *city_site_name(const struct city_layout *layout, const struct city_site *site) {
	return layout->names + site->name;
}

size_t city_site_path(const struct city_layout *layout, uint32_t at, char *path, size_t size) {
	const struct city_site *site = &layout->sites[at];
	size_t used = 0;
	if (site->folder != CITY_NO_SITE && layout->sites[site->folder].folder != CITY_NO_SITE) {
		used = city_site_path(layout, site->folder, path, size);
		used += (size_t)snprintf(
			path + (used < size ? used : size), used < size ? size - used : 0, "/");
	}
	return used +
		(size_t)snprintf(path + (used < size ? used : size), used < size ? size - used : 0,
			"%s", city_site_name(layout, site));
}

uint32_t city_layout_quarter(const struct city_layout *layout, const char *name) {
	for (size_t i = 0; i < layout->quarter_count; i++) {
		const struct city_site *site = &layout->sites[layout->quarters[i]];
		if (strcmp(city_site_name(layout, site), name) == 0) {
			return layout->quarters[i];
		}
	}
	return CITY_NO_SITE;
}

double city_layout_beyond(double end, double gap) {
	return ceil(end) + gap;
}
