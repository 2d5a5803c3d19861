/* SPDX-License-Identifier: MIT */
/* What differs between two states: cell by cell, element by element, field by field. */
#include <stdlib.h>

#include "internal.h"

/* How often a look begins again when a commit comes between. */
#define LOOK_TRIES 3

/* One cell as it was at one moment: all of it is a copy. */
struct image {
	struct vat_cell cell;
	struct vat_stored_field *fields;
	uint8_t *data;
};

struct vat_watch {
	struct vat_region *region;
	char *cell, *field; /* NULL for all */
	struct image *images;
	size_t count;
};

struct diff {
	const char *cell, *field; /* only these; NULL for all */
	vat_difference_func func;
	void *data;
	struct vat_difference now;
};

/* ---- images */

static bool same_identity(const struct vat_cell *a, const struct vat_cell *b) {
	return a->element == b->element && strcmp(a->name, b->name) == 0 &&
		strcmp(a->scope, b->scope) == 0;
}

static bool all_zero(const uint8_t *data, uint64_t size) {
	return size == 0 || (data[0] == 0 && memcmp(data, data + 1, size - 1) == 0);
}

static void image_finish(struct image *image) {
	free(image->fields);
	free(image->data);
	*image = (struct image){0};
}

/* By read, not through the mapping: holes of the region stay holes, and so do ours. */
static int image_init(const struct vat_region *region, const struct vat_cell *cell,
	struct image *image, struct vat_error *err) {
	uint8_t buffer[16 * VAT_PAGE];
	uint64_t size = cell->count * cell->stride;
	*image = (struct image){
		.cell = *cell,
		.fields = calloc(cell->field_count, sizeof(*cell->fields)),
		.data = calloc(1, size ? size : 1),
	};
	if (!image->fields || !image->data) {
		image_finish(image);
		return vat_fail(err, ENOMEM, "cell '%s': no memory for a copy of %llu bytes",
			cell->name, (unsigned long long)size);
	}
	memcpy(image->fields, cell->fields, cell->field_count * sizeof(*cell->fields));
	image->cell.fields = image->fields;
	uint64_t end = cell->offset + size, at = cell->offset;
	while ((at = vat_next_data(region->fd, at, end)) < end) {
		size_t n = end - at < sizeof(buffer) ? end - at : sizeof(buffer);
		int rc = vat_read_all(region->fd, buffer, n, at);
		if (rc < 0) {
			image_finish(image);
			return vat_fail(err, -rc, "cell '%s': cannot be read: %s", cell->name,
				strerror(-rc));
		}
		if (!all_zero(buffer, n))
			memcpy(image->data + (at - cell->offset), buffer, n);
		at += n;
	}
	return 0;
}

/* Whether the cell still is as in the image. One that cannot be read is not. */
static bool image_is(
	const struct image *image, const struct vat_region *region, const struct vat_cell *cell) {
	uint8_t buffer[16 * VAT_PAGE];
	if (image->cell.count != cell->count || !vat_cell_same_shape(&image->cell, cell) ||
		!vat_cell_same_text(&image->cell, cell))
		return false;
	uint64_t at = cell->offset, end = at + cell->count * cell->stride;
	const uint8_t *data = image->data;
	while (at < end) {
		uint64_t next = vat_next_data(region->fd, at, end);
		if (!all_zero(data, next - at))
			return false;
		data += next - at;
		at = next;
		size_t n = end - at < sizeof(buffer) ? end - at : sizeof(buffer);
		if (n > 0 &&
			(vat_read_all(region->fd, buffer, n, at) < 0 ||
				memcmp(buffer, data, n) != 0))
			return false;
		data += n;
		at += n;
	}
	return true;
}

/* ---- fields */

static void tell(struct diff *diff, enum vat_difference_kind kind) {
	diff->now.kind = kind;
	diff->func(&diff->now, diff->data);
}

/* The fields of two cells side by side, by their ids; NULL where one has none. False at the end. */
static bool next_pair(const struct vat_cell *a, const struct vat_cell *b, uint32_t *i, uint32_t *j,
	const struct vat_stored_field **field_a, const struct vat_stored_field **field_b) {
	while (*i < a->field_count && a->fields[*i].type == VAT_GONE)
		++*i;
	while (*j < b->field_count && b->fields[*j].type == VAT_GONE)
		++*j;
	*field_a = *i < a->field_count ? &a->fields[*i] : NULL;
	*field_b = *j < b->field_count ? &b->fields[*j] : NULL;
	if (*field_a && *field_b && (*field_a)->id < (*field_b)->id)
		*field_b = NULL;
	else if (*field_a && *field_b && (*field_a)->id > (*field_b)->id)
		*field_a = NULL;
	*i += *field_a != NULL;
	*j += *field_b != NULL;
	return *field_a || *field_b;
}

static bool wanted(const struct diff *diff, const struct vat_stored_field *a,
	const struct vat_stored_field *b) {
	return !diff->field || (a && strcmp(a->name, diff->field) == 0) ||
		(b && strcmp(b->name, diff->field) == 0);
}

static bool is_octets(const struct vat_stored_field *field) {
	return field->type == VAT_TEXT || field->type == VAT_BYTES;
}

/* Without the zeros at its end, which a field of another size has more or fewer of. */
static uint32_t octets_used(const struct vat_stored_field *field, const uint8_t *data) {
	uint32_t n = field->count;
	while (n > 0 && data[n - 1] == 0)
		n--;
	return n;
}

static void diff_octets(struct diff *diff) {
	const struct vat_stored_field *a = diff->now.field_before, *b = diff->now.field_after;
	const uint8_t *old = diff->now.old + a->offset, *new = diff->now.new + b->offset;
	uint32_t old_size = octets_used(a, old), new_size = octets_used(b, new);
	uint32_t used = old_size > new_size ? old_size : new_size;
	uint32_t both = a->count < b->count ? a->count : b->count, i = 0;
	while (i < used && i < both && old[i] == new[i])
		i++;
	diff->now.index = i;
	if (i < used)
		tell(diff, VAT_VALUE_DIFFERS);
	diff->now.index = 0;
}

/* Of two types: 1 is true. */
static bool same_number(uint32_t type_a, const uint8_t *a, uint32_t type_b, const uint8_t *b) {
	char text_a[64], text_b[64];
	vat_format_value(text_a, sizeof(text_a), type_a == VAT_BOOL ? VAT_U8 : type_a, a, false);
	vat_format_value(text_b, sizeof(text_b), type_b == VAT_BOOL ? VAT_U8 : type_b, b, false);
	return strcmp(text_a, text_b) == 0;
}

static void diff_values(struct diff *diff) {
	const struct vat_stored_field *a = diff->now.field_before, *b = diff->now.field_after;
	size_t size_a = vat_type_size(a->type), size_b = vat_type_size(b->type);
	for (uint32_t i = 0; i < a->count && i < b->count; i++) {
		const uint8_t *old = diff->now.old + a->offset + i * size_a;
		const uint8_t *new = diff->now.new + b->offset + i *size_b;
		bool same = a->type == b->type ? memcmp(old, new, size_a) == 0
					       : same_number(a->type, old, b->type, new);
		diff->now.index = i;
		if (!same)
			tell(diff, VAT_VALUE_DIFFERS);
	}
	diff->now.index = 0;
}

static void diff_element(struct diff *diff) {
	struct vat_difference *now = &diff->now;
	const struct vat_cell *a = now->before, *b = now->after;
	uint32_t i = 0, j = 0;
	while (next_pair(a, b, &i, &j, &now->field_before, &now->field_after)) {
		const struct vat_stored_field *x = now->field_before, *y = now->field_after;
		if (!x || !y || !wanted(diff, x, y) || is_octets(x) != is_octets(y))
			continue;
		if (is_octets(x))
			diff_octets(diff);
		else
			diff_values(diff);
	}
	now->index = 0;
}

/* ---- cells */

static void diff_schema(struct diff *diff, const struct image *from, const struct image *to) {
	struct vat_difference *now = &diff->now;
	const struct vat_cell *a = now->before, *b = now->after;
	if (a->version != b->version && !diff->field)
		tell(diff, VAT_VERSION_DIFFERS);
	if (a->count != b->count && !diff->field)
		tell(diff, VAT_COUNT_DIFFERS);
	/* Of a single element it can be said what came and what went. */
	now->old = a->count == 1 && from ? from->data : NULL;
	now->new = b->count == 1 && to ? to->data : NULL;
	uint32_t i = 0, j = 0;
	while (next_pair(a, b, &i, &j, &now->field_before, &now->field_after)) {
		const struct vat_stored_field *x = now->field_before, *y = now->field_after;
		if (!wanted(diff, x, y))
			continue;
		if (!x || !y) {
			tell(diff, x ? VAT_FIELD_GONE : VAT_FIELD_ADDED);
			continue;
		}
		if (strcmp(x->name, y->name) != 0)
			tell(diff, VAT_FIELD_RENAMED);
		if (x->type != y->type || x->count != y->count)
			tell(diff, VAT_FIELD_RETYPED);
	}
	now->old = now->new = NULL;
}

struct entry {
	uint64_t id, place;
};

static uint64_t read_id(const struct vat_stored_field *key, const uint8_t *element) {
	char text[64];
	vat_format_value(text, sizeof(text), key->type, element + key->offset, false);
	return text[0] == '-' ? (uint64_t)strtoll(text, NULL, 10) : strtoull(text, NULL, 10);
}

static int entry_order(const void *a, const void *b) {
	const struct entry *x = a, *y = b;
	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	return (x->place > y->place) - (x->place < y->place);
}

/* The elements in use by their ids; NULL without memory. */
static struct entry *list_entries(
	const struct image *image, const struct vat_stored_field *key, size_t *count) {
	const struct vat_cell *cell = &image->cell;
	struct entry *entries = calloc(cell->count + 1, sizeof(*entries));
	*count = 0;
	for (uint64_t i = 0; entries && i < cell->count; i++) {
		const uint8_t *element = image->data + i * cell->stride;
		if (!all_zero(element + key->offset, vat_type_size(key->type)))
			entries[(*count)++] = (struct entry){read_id(key, element), i};
	}
	if (entries)
		qsort(entries, *count, sizeof(*entries), entry_order);
	return entries;
}

static void diff_pair(struct diff *diff, const struct image *from, const struct image *to,
	uint64_t place_a, uint64_t place_b) {
	diff->now.place = place_b;
	diff->now.old = from->data + place_a * from->cell.stride;
	diff->now.new = to->data + place_b * to->cell.stride;
	diff_element(diff);
}

static void tell_element(struct diff *diff, const struct image *image, const struct entry *entry,
	enum vat_difference_kind kind) {
	const uint8_t *element = image->data + entry->place * image->cell.stride;
	diff->now.id = entry->id;
	diff->now.place = entry->place;
	diff->now.field_before = diff->now.field_after = NULL;
	diff->now.old = kind == VAT_ELEMENT_GONE ? element : NULL;
	diff->now.new = kind == VAT_ELEMENT_GONE ? NULL : element;
	tell(diff, kind);
}

static int diff_keyed(struct diff *diff, const struct image *from, const struct image *to,
	const struct vat_stored_field *key_a, const struct vat_stored_field *key_b,
	struct vat_error *err) {
	size_t n = 0, m = 0;
	struct entry *a = list_entries(from, key_a, &n), *b = list_entries(to, key_b, &m);
	if (!a || !b) {
		free(a);
		free(b);
		return vat_fail(err, ENOMEM, "cell '%s': no memory to compare it", from->cell.name);
	}
	diff->now.keyed = true;
	for (size_t i = 0, j = 0; i < n || j < m;) {
		if (j == m || (i < n && a[i].id < b[j].id)) {
			tell_element(diff, from, &a[i++], VAT_ELEMENT_GONE);
		} else if (i == n || b[j].id < a[i].id) {
			tell_element(diff, to, &b[j++], VAT_ELEMENT_ADDED);
		} else {
			diff->now.id = a[i].id;
			diff_pair(diff, from, to, a[i++].place, b[j++].place);
		}
	}
	free(a);
	free(b);
	return 0;
}

static int diff_images(struct diff *diff, const struct image *from, const struct image *to,
	struct vat_error *err) {
	const struct vat_cell *a = &from->cell, *b = &to->cell;
	diff->now = (struct vat_difference){.before = a, .after = b};
	diff_schema(diff, from, to);
	if (a->key_field && a->key_field == b->key_field)
		return diff_keyed(diff, from, to, vat_cell_field(a, a->key_field),
			vat_cell_field(b, b->key_field), err);
	bool same = vat_cell_same_shape(a, b);
	for (uint64_t i = 0; i < a->count && i < b->count; i++) {
		if (same &&
			memcmp(from->data + i * a->stride, to->data + i * b->stride, a->stride) ==
				0)
			continue;
		diff_pair(diff, from, to, i, i);
	}
	return 0;
}

static void tell_cell(
	struct diff *diff, const struct vat_cell *before, const struct vat_cell *after) {
	diff->now = (struct vat_difference){.before = before, .after = after};
	tell(diff, after ? VAT_CELL_ADDED : VAT_CELL_GONE);
}

/* ---- two states */

static const struct vat_cell *find(
	const struct vat_directory *directory, const struct vat_cell *cell) {
	for (size_t i = 0; i < directory->cell_count; i++) {
		if (same_identity(&directory->cells[i], cell))
			return &directory->cells[i];
	}
	return NULL;
}

static bool selected(const char *name, const struct vat_cell *cell) {
	return !name || strcmp(cell->name, name) == 0;
}

/* Whether what was read of it until now belongs to the generation that the handle shows. */
static bool is_current(const struct vat_region *region) {
	return vat_region_get(region, VAT_GENERATION) == region->generation;
}

static int diff_cells(struct diff *diff, const struct vat_region *region_a,
	const struct vat_cell *a, const struct vat_region *region_b, const struct vat_cell *b,
	bool previous, struct vat_error *err) {
	struct image from = {0}, to = {0};
	/* Both generations have the same bytes: nothing but what is said of them can differ. */
	if (previous && a->offset == b->offset) {
		diff->now = (struct vat_difference){.before = a, .after = b};
		diff_schema(diff, NULL, NULL);
		return 0;
	}
	int rc = image_init(region_a, a, &from, err);
	if (rc == 0)
		rc = image_init(region_b, b, &to, err);
	if (rc == 0 &&
		(!is_current(region_a) || !is_current(region_b) ||
			(previous && !vat_region_has_previous(region_a))))
		rc = vat_fail(err, EAGAIN, "region '%s' was committed while it was read",
			region_b->info.name);
	if (rc == 0)
		rc = diff_images(diff, &from, &to, err);
	image_finish(&from);
	image_finish(&to);
	return rc;
}

static int diff_directories(struct diff *diff, const struct vat_region *region_a,
	const struct vat_directory *a, const struct vat_region *region_b,
	const struct vat_directory *b, bool previous, struct vat_error *err) {
	for (size_t i = 0; i < a->cell_count; i++) {
		if (selected(diff->cell, &a->cells[i]) && !find(b, &a->cells[i]))
			tell_cell(diff, &a->cells[i], NULL);
	}
	int rc = 0;
	for (size_t i = 0; i < b->cell_count && rc == 0; i++) {
		const struct vat_cell *to = &b->cells[i], *from = find(a, to);
		if (!selected(diff->cell, to))
			continue;
		if (from)
			rc = diff_cells(diff, region_a, from, region_b, to, previous, err);
		else
			tell_cell(diff, NULL, to);
	}
	return rc;
}

int vat_diff(const struct vat_region *before, const struct vat_region *after, const char *cell,
	const char *field, vat_difference_func func, void *data, struct vat_error *err) {
	struct diff diff = {.cell = cell, .field = field, .func = func, .data = data};
	return diff_directories(
		&diff, before, &before->directory, after, &after->directory, false, err);
}

int vat_diff_previous(const struct vat_region *region, const char *cell, const char *field,
	vat_difference_func func, void *data, struct vat_error *err) {
	struct diff diff = {.cell = cell, .field = field, .func = func, .data = data};
	struct vat_directory previous;
	if (!vat_region_has_previous(region))
		return vat_fail(err, ENOENT, "region '%s': the generation before is not kept",
			region->info.name);
	int rc = vat_region_load_previous(region, &previous, err);
	if (!is_current(region) || !vat_region_has_previous(region)) {
		vat_directory_finish(&previous);
		return vat_fail(err, EAGAIN, "region '%s' was committed while it was read",
			region->info.name);
	}
	if (rc < 0)
		return rc;
	rc = diff_directories(&diff, region, &previous, region, &region->directory, true, err);
	vat_directory_finish(&previous);
	return rc;
}

/* ---- watching */

static void free_images(struct image *images, size_t count) {
	for (size_t i = 0; images && i < count; i++)
		image_finish(&images[i]);
	free(images);
}

static struct image *find_image(const struct vat_watch *watch, const struct vat_cell *cell) {
	for (size_t i = 0; i < watch->count; i++) {
		if (same_identity(&watch->images[i].cell, cell))
			return &watch->images[i];
	}
	return NULL;
}

/* The cells that are watched as they are now. Those that are as they were have no data. */
static int take_images(
	struct vat_watch *watch, struct image **out, size_t *count, struct vat_error *err) {
	const struct vat_region *region = watch->region;
	const struct vat_directory *directory = &region->directory;
	struct image *images = calloc(directory->cell_count + 1, sizeof(*images));
	*count = 0;
	if (!images)
		return vat_fail(err, ENOMEM, "region '%s': out of memory", region->info.name);
	for (size_t i = 0; i < directory->cell_count; i++) {
		const struct vat_cell *cell = &directory->cells[i];
		if (!selected(watch->cell, cell))
			continue;
		const struct image *known = find_image(watch, cell);
		struct image *image = &images[(*count)++];
		image->cell = *cell;
		if (known && image_is(known, region, cell))
			continue;
		int rc = image_init(region, cell, image, err);
		if (rc < 0) {
			free_images(images, *count);
			return rc;
		}
	}
	*out = images;
	return 0;
}

/* As take_images, of one generation. 1 when there is none that stays for so long. */
static int take_whole(
	struct vat_watch *watch, struct image **images, size_t *count, struct vat_error *err) {
	for (int i = 0; i < LOOK_TRIES; i++) {
		int rc = vat_region_refresh(watch->region, err);
		if (rc == 0)
			rc = take_images(watch, images, count, err);
		if (rc < 0)
			return rc == -EAGAIN ? 1 : rc;
		if (is_current(watch->region))
			return 0;
		free_images(*images, *count);
	}
	return 1;
}

static bool is_gone(const struct image *known, const struct image *images, size_t count) {
	for (size_t i = 0; i < count; i++) {
		if (same_identity(&known->cell, &images[i].cell))
			return false;
	}
	return true;
}

int vat_watch_look(
	struct vat_watch *watch, vat_difference_func func, void *data, struct vat_error *err) {
	struct diff diff = {.field = watch->field, .func = func, .data = data};
	struct image *images = NULL;
	size_t count = 0;
	int rc = take_whole(watch, &images, &count, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	for (size_t i = 0; i < watch->count; i++) {
		if (is_gone(&watch->images[i], images, count))
			tell_cell(&diff, &watch->images[i].cell, NULL);
	}
	for (size_t i = 0; i < count; i++) {
		struct image *known = find_image(watch, &images[i].cell);
		if (!images[i].data) {
			images[i] = *known;
			*known = (struct image){0};
		} else if (!known) {
			tell_cell(&diff, NULL, &images[i].cell);
		} else if (rc == 0) {
			rc = diff_images(&diff, known, &images[i], err);
		}
	}
	free_images(watch->images, watch->count);
	watch->images = images;
	watch->count = count;
	return rc;
}

int vat_watch_create(struct vat_region *region, const char *cell, const char *field,
	struct vat_watch **out, struct vat_error *err) {
	struct vat_watch *watch = calloc(1, sizeof(*watch));
	if (!watch)
		return vat_fail(err, ENOMEM, "region '%s': out of memory", region->info.name);
	watch->region = region;
	watch->cell = cell ? strdup(cell) : NULL;
	watch->field = field ? strdup(field) : NULL;
	struct image *images = NULL;
	size_t count = 0;
	int rc = 0;
	if ((cell && !watch->cell) || (field && !watch->field))
		rc = vat_fail(err, ENOMEM, "region '%s': out of memory", region->info.name);
	else
		rc = take_whole(watch, &images, &count, err);
	if (rc == 0) {
		watch->images = images;
		watch->count = count;
	} else if (rc > 0)
		rc = vat_fail(err, EAGAIN, "region '%s' changes faster than it can be read",
			region->info.name);
	if (rc < 0) {
		vat_watch_destroy(watch);
		return rc;
	}
	*out = watch;
	return 0;
}

void vat_watch_destroy(struct vat_watch *watch) {
	if (!watch)
		return;
	free_images(watch->images, watch->count);
	free(watch->cell);
	free(watch->field);
	free(watch);
}
