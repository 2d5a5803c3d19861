/* SPDX-License-Identifier: MIT */
/* Where two sides differ, in words. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "replay.h"

/* Values shown of a difference in bytes or text. */
#define SHOWN_BYTES 16
/* A wake-up that is asked for within so much of another is the same. */
#define WAKE_NS 1000000

static struct replay_difference *add(struct replay_comparison *comparison, enum replay_kind kind) {
	struct replay_result *result = comparison->result;
	if (result->difference_count == REPLAY_DIFFERENCES_MAX) {
		return NULL;
	}
	struct replay_difference *difference = &result->differences[result->difference_count];
	*difference = (struct replay_difference){
		.kind = kind,
		.at_handover = comparison->at_handover,
		.step = result->step,
	};
	/* Whoever reads it if this process dies sees it whole. */
	__atomic_store_n(&result->difference_count, result->difference_count + 1, __ATOMIC_RELEASE);
	return difference;
}

/* ---- cells */

static bool is_known(const struct replay_comparison *comparison, uint32_t cell, uint32_t field) {
	for (size_t i = 0; i < comparison->known_count; i++) {
		const struct replay_known *known = &comparison->known[i];
		if (known->cell == cell && known->field == field) {
			return true;
		}
	}
	return false;
}

static void know(struct replay_comparison *comparison, uint32_t cell, uint32_t field) {
	if (comparison->known_count < sizeof(comparison->known) / sizeof(comparison->known[0])) {
		comparison->known[comparison->known_count++] = (struct replay_known){cell, field};
	}
}

static void format_bytes(
	char *text, size_t size, const uint8_t *bytes, uint32_t count, bool readable) {
	size_t used = 0;
	text[0] = 0;
	for (uint32_t i = 0; i < count && i < SHOWN_BYTES && used + 8 < size; i++) {
		if (readable && isprint(bytes[i])) {
			text[used++] = (char)bytes[i];
			text[used] = 0;
		} else {
			used += (size_t)snprintf(
				text + used, size - used, readable ? "\\x%02x" : "%02x ", bytes[i]);
		}
	}
}

static void format_value(char *text, size_t size, const struct vat_stored_field *field,
	const uint8_t *value, uint32_t index) {
	size_t width = vat_type_size(field->type);
	if (field->type == VAT_TEXT || field->type == VAT_BYTES) {
		format_bytes(
			text, size, value + index, field->count - index, field->type == VAT_TEXT);
	} else {
		vat_format_value(text, size, field->type, value + index * width, false);
	}
}

struct pair {
	const struct vat_cell *cells[REPLAY_SIDES];
	const uint8_t *data[REPLAY_SIDES];
	uint32_t number; /* of the cell in the left descriptor */
};

static void tell_field(struct replay_comparison *comparison, const struct pair *pair,
	const struct vat_stored_field *fields[REPLAY_SIDES], const uint8_t *values[REPLAY_SIDES],
	uint64_t element, uint32_t index) {
	struct replay_difference *difference = add(comparison, REPLAY_CELL);
	if (!difference) {
		return;
	}
	difference->element = element;
	difference->index = index;
	difference->count = fields[REPLAY_LEFT]->count;
	snprintf(difference->name, sizeof(difference->name), "%s", pair->cells[0]->name);
	snprintf(difference->scope, sizeof(difference->scope), "%s", pair->cells[0]->scope);
	snprintf(difference->field, sizeof(difference->field), "%s", fields[REPLAY_LEFT]->name);
	format_value(difference->left, sizeof(difference->left), fields[0], values[0], index);
	format_value(difference->right, sizeof(difference->right), fields[1], values[1], index);
}

/* Values of other types are the same if they read the same. */
static bool field_same(const struct vat_stored_field *fields[REPLAY_SIDES],
	const uint8_t *values[REPLAY_SIDES], uint32_t *index) {
	size_t width[REPLAY_SIDES] = {
		vat_type_size(fields[0]->type), vat_type_size(fields[1]->type)};
	uint32_t count = fields[0]->count < fields[1]->count ? fields[0]->count : fields[1]->count;
	if (fields[0]->type == fields[1]->type && fields[0]->count == fields[1]->count &&
		memcmp(values[0], values[1], width[0] * count) == 0) {
		return true;
	}
	for (*index = 0; *index < count; ++*index) {
		if (fields[0]->type == fields[1]->type) {
			if (memcmp(values[0] + *index * width[0], values[1] + *index * width[0],
				    width[0]) != 0) {
				return false;
			}
			continue;
		}
		char texts[REPLAY_SIDES][64];
		for (int i = 0; i < REPLAY_SIDES; i++) {
			format_value(texts[i], sizeof(texts[i]), fields[i], values[i], *index);
		}
		if (strcmp(texts[0], texts[1]) != 0) {
			return false;
		}
	}
	return true;
}

/* False once something new was found in it. */
static bool compare_element(struct replay_comparison *comparison, const struct pair *pair,
	uint64_t element, bool quiet) {
	bool same = true;
	for (uint32_t i = 0; i < pair->cells[0]->field_count; i++) {
		const struct vat_stored_field *fields[REPLAY_SIDES] = {&pair->cells[0]->fields[i],
			vat_cell_field(pair->cells[1], pair->cells[0]->fields[i].id)};
		if (!fields[1] || fields[0]->type == VAT_GONE || fields[1]->type == VAT_GONE ||
			is_known(comparison, pair->number, fields[0]->id)) {
			continue;
		}
		const uint8_t *values[REPLAY_SIDES];
		for (int n = 0; n < REPLAY_SIDES; n++) {
			values[n] = pair->data[n] + element * pair->cells[n]->stride +
				fields[n]->offset;
		}
		uint32_t index = 0;
		if (!field_same(fields, values, &index)) {
			if (!quiet) {
				tell_field(comparison, pair, fields, values, element, index);
			}
			know(comparison, pair->number, fields[0]->id);
			same = false;
		}
	}
	return same;
}

static void compare_counts(
	struct replay_comparison *comparison, const struct pair *pair, bool quiet) {
	if (pair->cells[0]->count == pair->cells[1]->count ||
		is_known(comparison, pair->number, 0)) {
		return;
	}
	know(comparison, pair->number, 0);
	struct replay_difference *difference = quiet ? NULL : add(comparison, REPLAY_CELL);
	if (difference) {
		snprintf(difference->name, sizeof(difference->name), "%s", pair->cells[0]->name);
		snprintf(difference->scope, sizeof(difference->scope), "%s", pair->cells[0]->scope);
		snprintf(difference->left, sizeof(difference->left), "%lu elements",
			(unsigned long)pair->cells[0]->count);
		snprintf(difference->right, sizeof(difference->right), "%lu elements",
			(unsigned long)pair->cells[1]->count);
	}
}

static bool same_shape(const struct pair *pair) {
	const struct vat_cell *a = pair->cells[0], *b = pair->cells[1];
	if (a->stride != b->stride || a->field_count != b->field_count) {
		return false;
	}
	for (uint32_t i = 0; i < a->field_count; i++) {
		const struct vat_stored_field *x = &a->fields[i], *y = &b->fields[i];
		if (x->id != y->id || x->type != y->type || x->count != y->count ||
			x->offset != y->offset) {
			return false;
		}
	}
	return true;
}

/* Elements [from, to). */
static void compare_elements(struct replay_comparison *comparison, const struct pair *pair,
	uint64_t from, uint64_t to, bool quiet) {
	uint32_t stride = pair->cells[0]->stride;
	bool same = same_shape(pair);
	if (same &&
		memcmp(pair->data[0] + from * stride, pair->data[1] + from * stride,
			(to - from) * stride) == 0) {
		return;
	}
	for (uint64_t i = from; i < to; i++) {
		if (same &&
			memcmp(pair->data[0] + i * stride, pair->data[1] + i * stride, stride) ==
				0) {
			continue;
		}
		if (!compare_element(comparison, pair, i, quiet) && !quiet) {
			return; /* where it began is what matters */
		}
	}
}

static bool find_pair(const struct replay_comparison *comparison, uint32_t number,
	uint32_t *right_number, struct pair *pair) {
	const struct tile_descriptor *left = &replay_host(comparison->sides[0])->descriptor;
	const struct tile_descriptor *right = &replay_host(comparison->sides[1])->descriptor;
	const struct vat_cell_decl *decl = &left->cells[number];
	const char *scope = decl->scope ? decl->scope : "";
	for (uint32_t i = 0; i < right->cell_count; i++) {
		const struct vat_cell_decl *other = &right->cells[i];
		if (strcmp(other->name, decl->name) != 0 || other->element != decl->element ||
			strcmp(other->scope ? other->scope : "", scope) != 0 ||
			(comparison->amnesia && decl->reset == VAT_RESET)) {
			continue;
		}
		*right_number = i;
		pair->number = number;
		for (int n = 0; n < REPLAY_SIDES; n++) {
			const struct vat_region *region = replay_host(comparison->sides[n])->region;
			pair->cells[n] =
				vat_region_find(region, decl->name, decl->scope, decl->element);
			if (!pair->cells[n]) {
				return false;
			}
			pair->data[n] = vat_cell_data(region, pair->cells[n]);
		}
		return true;
	}
	return false;
}

/* The elements that a side wrote. */
static void widen(const struct replay_side *side, uint32_t number, const struct vat_cell *cell,
	uint64_t *from, uint64_t *to) {
	uint64_t first = side->spans[number].from / cell->stride;
	uint64_t end = (side->spans[number].to + cell->stride - 1) / cell->stride;
	if (side->all_written) {
		first = 0;
		end = cell->count;
	}
	if (end > first) {
		*from = first < *from ? first : *from;
		*to = end > *to ? end : *to;
	}
}

void replay_compare_cells(struct replay_comparison *comparison, bool quiet) {
	const struct tile_descriptor *left = &replay_host(comparison->sides[0])->descriptor;
	for (uint32_t i = 0; i < left->cell_count; i++) {
		struct pair pair;
		uint32_t right_number;
		if (!find_pair(comparison, i, &right_number, &pair)) {
			continue;
		}
		compare_counts(comparison, &pair, quiet);
		uint64_t least = pair.cells[0]->count < pair.cells[1]->count ? pair.cells[0]->count
									     : pair.cells[1]->count;
		uint64_t from = UINT64_MAX, to = 0;
		widen(comparison->sides[0], i, pair.cells[0], &from, &to);
		widen(comparison->sides[1], right_number, pair.cells[1], &from, &to);
		to = to < least ? to : least;
		if (from < to) {
			compare_elements(comparison, &pair, from, to, quiet);
		}
	}
}

/* ---- sound */

void replay_compare_sound(struct replay_comparison *comparison) {
	const struct replay_side *left = comparison->sides[0], *right = comparison->sides[1];
	uint32_t frames =
		left->sound_frames < right->sound_frames ? left->sound_frames : right->sound_frames;
	uint32_t channel = 0, at = 0, differ = 0;
	for (uint32_t i = frames; i-- > 0 && !comparison->sound_differs;) {
		for (uint32_t c = TILE_SOUND_CHANNELS; c-- > 0;) {
			/* As bits: what is no number is the same as itself. */
			if (memcmp(&left->sound[c][i], &right->sound[c][i], sizeof(float)) != 0) {
				channel = c;
				at = i;
				differ++;
			}
		}
	}
	if (differ == 0) {
		return;
	}
	comparison->sound_differs = true;
	struct replay_difference *difference = add(comparison, REPLAY_SOUND);
	if (difference) {
		const struct tile_port *ports = left->instance->host.descriptor.ports;
		difference->frame = left->sound_frame + at;
		difference->element = channel;
		difference->count = differ;
		snprintf(difference->name, sizeof(difference->name), "%s",
			ports[left->sound_port].name);
		snprintf(difference->left, sizeof(difference->left), "%.9g",
			(double)left->sound[channel][at]);
		snprintf(difference->right, sizeof(difference->right), "%.9g",
			(double)right->sound[channel][at]);
	}
}

/* ---- streams and requests */

static bool said_before(struct replay_comparison *comparison, const char *what) {
	for (size_t i = 0; i < comparison->request_count; i++) {
		if (strcmp(comparison->request_differs[i], what) == 0) {
			return true;
		}
	}
	if (comparison->request_count == REPLAY_DIFFERENCES_MAX) {
		return true;
	}
	snprintf(comparison->request_differs[comparison->request_count++], VAT_NAME_SIZE, "%s",
		what);
	return false;
}

static void tell_request(struct replay_comparison *comparison, enum replay_kind kind,
	const char *name, const char *left, const char *right) {
	char key[VAT_NAME_SIZE];
	snprintf(key, sizeof(key), "%u%.*s", kind, VAT_NAME_SIZE - 3, name);
	if (said_before(comparison, key)) {
		return;
	}
	struct replay_difference *difference = add(comparison, kind);
	if (difference) {
		snprintf(difference->name, sizeof(difference->name), "%s", name);
		snprintf(difference->left, sizeof(difference->left), "%s", left);
		snprintf(difference->right, sizeof(difference->right), "%s", right);
	}
}

static void describe_written(const struct replay_stream *stream, char *text, size_t size) {
	char bytes[64];
	format_bytes(bytes, sizeof(bytes), (const uint8_t *)stream->last,
		(uint32_t)stream->last_size, true);
	snprintf(text, size, "%lu bytes, now \"%s\"", (unsigned long)stream->written, bytes);
}

static void describe_watch(const struct replay_stream *stream, char *text, size_t size) {
	snprintf(text, size, "%s",
		stream->followed			? "followed"
			: !stream->there		? "closed"
			: stream->read && stream->write ? "watched for reading and writing"
			: stream->read			? "watched for reading"
			: stream->write			? "watched for writing"
							: "not watched");
}

static void compare_stream(struct replay_comparison *comparison, const struct replay_stream *left) {
	char texts[REPLAY_SIDES][112];
	const struct replay_stream *right = replay_stream(comparison->sides[1], left->name);
	if (!right) {
		return;
	}
	const struct replay_stream *both[REPLAY_SIDES] = {left, right};
	if (left->written != right->written || left->written_sum != right->written_sum) {
		for (int i = 0; i < REPLAY_SIDES; i++) {
			describe_written(both[i], texts[i], sizeof(texts[i]));
		}
		tell_request(comparison, REPLAY_STREAM, left->name, texts[0], texts[1]);
	}
	char what[2 * VAT_NAME_SIZE];
	if (left->there != right->there || left->read != right->read ||
		left->write != right->write || left->followed != right->followed) {
		for (int i = 0; i < REPLAY_SIDES; i++) {
			describe_watch(both[i], texts[i], sizeof(texts[i]));
		}
		snprintf(what, sizeof(what), "stream %s", left->name);
		tell_request(comparison, REPLAY_REQUEST, what, texts[0], texts[1]);
	}
	if (left->columns != right->columns || left->rows != right->rows) {
		for (int i = 0; i < REPLAY_SIDES; i++) {
			snprintf(texts[i], sizeof(texts[i]), "%u by %u", both[i]->columns,
				both[i]->rows);
		}
		snprintf(what, sizeof(what), "size of %s", left->name);
		tell_request(comparison, REPLAY_REQUEST, what, texts[0], texts[1]);
	}
}

static void describe_wake(const struct replay_side *side, uint64_t at, char *text, size_t size) {
	if (at == HOST_NEVER) {
		snprintf(text, size, "not at all");
	} else if (at <= side->at.time.now_ns) {
		snprintf(text, size, "at once");
	} else {
		snprintf(text, size, "in %.3f ms", (double)(at - side->at.time.now_ns) / 1e6);
	}
}

static void compare_wake(struct replay_comparison *comparison) {
	uint64_t at[REPLAY_SIDES];
	for (int i = 0; i < REPLAY_SIDES; i++) {
		const struct replay_side *side = comparison->sides[i];
		at[i] = side->instance->host.wake_at;
		at[i] = at[i] < side->at.time.now_ns ? side->at.time.now_ns : at[i];
	}
	/* Once too often does no harm; once too late, or never, is a tile that stands still. What
	 * is computed from the time of day differs a little from operation to operation. */
	bool later = at[1] > at[0] && at[1] - at[0] > WAKE_NS;
	bool sooner = at[0] > at[1] && at[0] - at[1] > WAKE_NS;
	bool differs = later || (sooner && !comparison->amnesia);
	if (differs) {
		char texts[REPLAY_SIDES][112];
		for (int i = 0; i < REPLAY_SIDES; i++) {
			describe_wake(comparison->sides[i], at[i], texts[i], sizeof(texts[i]));
		}
		tell_request(comparison, REPLAY_REQUEST, "wake_at", texts[0], texts[1]);
	}
}

void replay_compare_rest(struct replay_comparison *comparison) {
	const struct replay_requests *left = &comparison->sides[0]->requests;
	const struct replay_requests *right = &comparison->sides[1]->requests;
	for (size_t i = 0; i < comparison->sides[0]->stream_count; i++) {
		compare_stream(comparison, &comparison->sides[0]->streams[i]);
	}
	compare_wake(comparison);
	if (strcmp(left->title, right->title) != 0) {
		tell_request(comparison, REPLAY_REQUEST, "set_title", left->title, right->title);
	}
	if (left->count != right->count || left->sum != right->sum) {
		tell_request(comparison, REPLAY_REQUEST, "requests",
			left->last[0] ? left->last : "nothing",
			right->last[0] ? right->last : "nothing");
	}
}

/* ---- pictures */

static void save_picture(int fd, const uint32_t *pixels, int32_t width, int32_t height) {
	FILE *file = fd >= 0 ? fdopen(dup(fd), "w") : NULL;
	if (!file) {
		return;
	}
	fprintf(file, "P6\n%d %d\n255\n", width, height);
	for (size_t i = 0; i < (size_t)width * (size_t)height; i++) {
		const unsigned char rgb[3] = {(unsigned char)(pixels[i] >> 16),
			(unsigned char)(pixels[i] >> 8), (unsigned char)pixels[i]};
		fwrite(rgb, sizeof(rgb), 1, file);
	}
	fclose(file);
}

/* What is the same is dark, what is not is as bright as it differs, however little that is. */
static void save_difference(
	int fd, const struct replay_side *left, const struct replay_side *right) {
	size_t count = (size_t)left->width * (size_t)left->height;
	uint32_t *pixels = fd >= 0 ? malloc(count * sizeof(*pixels)) : NULL;
	for (size_t i = 0; i < count && pixels; i++) {
		uint32_t a = left->pixels[i], b = right->pixels[i];
		int most = 0;
		for (int shift = 0; shift < 32; shift += 8) {
			int by = abs((int)(a >> shift & 255) - (int)(b >> shift & 255));
			most = by > most ? by : most;
		}
		uint32_t level = 128 + (uint32_t)most / 2;
		pixels[i] = most > 0 ? level << 16 | level << 8 | level : (a >> 3 & 0x1f1f1f);
	}
	if (pixels) {
		save_picture(fd, pixels, left->width, left->height);
	}
	free(pixels);
}

static void keep_before(struct replay_comparison *comparison) {
	const struct replay_side *left = comparison->sides[0];
	size_t size = (size_t)left->width * (size_t)left->height * sizeof(*left->pixels);
	uint32_t *copy = realloc(comparison->before, size ? size : 1);
	if (copy) {
		memcpy(copy, left->pixels, size);
		comparison->before = copy;
		comparison->before_width = left->width;
		comparison->before_height = left->height;
	}
}

void replay_compare_frame(struct replay_comparison *comparison) {
	const struct replay_side *left = comparison->sides[0], *right = comparison->sides[1];
	if (comparison->frame_differs || !left->pixels || !right->pixels ||
		left->width != right->width || left->height != right->height) {
		return;
	}
	size_t count = (size_t)left->width * (size_t)left->height, first = count;
	uint32_t differ = 0;
	bool keep = comparison->frames[0] >= 0;
	if (memcmp(left->pixels, right->pixels, count * sizeof(*left->pixels)) == 0) {
		if (keep) {
			keep_before(comparison);
		}
		return;
	}
	for (size_t i = count; i-- > 0;) {
		if (left->pixels[i] != right->pixels[i]) {
			first = i;
			differ++;
		}
	}
	comparison->frame_differs = true;
	struct replay_difference *difference = add(comparison, REPLAY_FRAME);
	if (difference) {
		difference->frame = comparison->result->frames;
		difference->count = differ;
		snprintf(difference->field, sizeof(difference->field), "%zu,%zu",
			first % (size_t)left->width, first / (size_t)left->width);
		snprintf(difference->left, sizeof(difference->left), "%08x", left->pixels[first]);
		snprintf(
			difference->right, sizeof(difference->right), "%08x", right->pixels[first]);
	}
	if (keep) {
		save_picture(comparison->frames[0], comparison->before, comparison->before_width,
			comparison->before ? comparison->before_height : 0);
		save_picture(comparison->frames[1], left->pixels, left->width, left->height);
		save_picture(comparison->frames[2], right->pixels, right->width, right->height);
		save_difference(comparison->frames[3], left, right);
	}
}
