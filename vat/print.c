/* SPDX-License-Identifier: MIT */
/* A region for people and for programs. Everything comes from the region itself. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "internal.h"

/* What is shown of long things unless all is asked for. */
#define ELEMENTS_SHOWN 8
#define VALUES_SHOWN 16
#define BYTES_SHOWN 64
#define TEXT_SHOWN 256

struct printer {
	const struct vat_region *region;
	FILE *file;
	bool json, all;
	const char *cell, *field; /* may be NULL */
};

static bool is_shown(const struct printer *printer, const struct vat_stored_field *field) {
	return field->type != VAT_GONE &&
		(!printer->field || strcmp(field->name, printer->field) == 0);
}

int vat_format_value(char *buffer, size_t size, uint32_t type, const void *data, bool json) {
	union {
		uint8_t u8;
		int8_t i8;
		uint16_t u16;
		int16_t i16;
		uint32_t u32;
		int32_t i32;
		uint64_t u64;
		int64_t i64;
		float f32;
		double f64;
	} v = {0};
	memcpy(&v, data, vat_type_size(type));
	switch (type) {
	case VAT_U8:
	case VAT_TEXT:
	case VAT_BYTES:
		return snprintf(buffer, size, "%" PRIu8, v.u8);
	case VAT_I8:
		return snprintf(buffer, size, "%" PRId8, v.i8);
	case VAT_U16:
		return snprintf(buffer, size, "%" PRIu16, v.u16);
	case VAT_I16:
		return snprintf(buffer, size, "%" PRId16, v.i16);
	case VAT_U32:
		return snprintf(buffer, size, "%" PRIu32, v.u32);
	case VAT_I32:
		return snprintf(buffer, size, "%" PRId32, v.i32);
	case VAT_U64:
	case VAT_LINK:
		return snprintf(buffer, size, "%" PRIu64, v.u64);
	case VAT_I64:
		return snprintf(buffer, size, "%" PRId64, v.i64);
	case VAT_BOOL:
		return snprintf(buffer, size, "%s", v.u8 ? "true" : "false");
	case VAT_F32:
	case VAT_F64: {
		double f = type == VAT_F32 ? (double)v.f32 : v.f64;
		const char *quote = json ? "\"" : "";
		if (isnan(f))
			return snprintf(buffer, size, "%snan%s", quote, quote);
		if (isinf(f))
			return snprintf(buffer, size, "%s%sinf%s", quote, f < 0 ? "-" : "", quote);
		/* The shortest form that reads back as the same value. */
		for (int digits = type == VAT_F32 ? 6 : 15;; digits++) {
			int n = snprintf(buffer, size, "%.*g", digits, f);
			bool exact = type == VAT_F32 ? strtof(buffer, NULL) == v.f32
						     : strtod(buffer, NULL) == f;
			if (exact || digits == (type == VAT_F32 ? 9 : 17) || (size_t)n >= size)
				return n;
		}
	}
	default:
		return snprintf(buffer, size, "%s", json ? "null" : "?");
	}
}

static void put_text(struct printer *printer, const char *text, size_t size) {
	FILE *file = printer->file;
	fputc('"', file);
	while (size > 0) {
		/* Decides and prints from a copy: the tile may be writing there. */
		char bytes[4];
		uint32_t code = 0;
		memcpy(bytes, text, size < sizeof(bytes) ? size : sizeof(bytes));
		size_t n =
			vat_utf8_decode(bytes, size < sizeof(bytes) ? size : sizeof(bytes), &code);
		if (n == 0 && printer->json)
			fputs("\\ufffd", file);
		else if (n == 0)
			fprintf(file, "\\x%02x", (unsigned char)bytes[0]);
		else if (code == '"' || code == '\\')
			fprintf(file, "\\%c", (int)code);
		else if (code == '\n')
			fputs("\\n", file);
		else if (code == '\t')
			fputs("\\t", file);
		else if (code < 0x20 || (code >= 0x7f && code < 0xa0) ||
			(code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069))
			fprintf(file, "\\u%04x", code);
		else
			fwrite(bytes, 1, n, file);
		n = n ? n : 1;
		text += n;
		size -= n;
	}
	fputc('"', file);
}

static void put_string(struct printer *printer, const char *text) {
	put_text(printer, text, strlen(text));
}

/* Text and bytes; with JSON bytes are a string of hexadecimal digits. */
static void put_octets(
	struct printer *printer, const struct vat_stored_field *field, const uint8_t *data) {
	size_t size = field->count;
	bool text = field->type == VAT_TEXT;
	while (text && size > 0 && data[size - 1] == 0)
		size--;
	size_t limit = text ? TEXT_SHOWN : BYTES_SHOWN;
	size_t shown = printer->all || size <= limit ? size : limit;
	if (text) {
		put_text(printer, (const char *)data, shown);
	} else {
		const char *quote = printer->json ? "\"" : "";
		fputs(quote, printer->file);
		for (size_t i = 0; i < shown; i++)
			fprintf(printer->file, "%02x", data[i]);
		fputs(quote, printer->file);
	}
	if (shown < size && !printer->json)
		fprintf(printer->file, " ... %zu bytes in all", size);
}

static void put_field(
	struct printer *printer, const struct vat_stored_field *field, const uint8_t *element) {
	const uint8_t *data = element + field->offset;
	if (field->type == VAT_TEXT || field->type == VAT_BYTES) {
		put_octets(printer, field, data);
		return;
	}
	size_t size = vat_type_size(field->type);
	uint32_t shown = printer->all || field->count <= VALUES_SHOWN ? field->count : VALUES_SHOWN;
	if (printer->json && field->count > 1)
		fputc('[', printer->file);
	for (uint32_t i = 0; i < shown; i++) {
		char value[64];
		vat_format_value(value, sizeof(value), field->type, data + i * size, printer->json);
		fprintf(printer->file, "%s%s", i == 0 ? "" : printer->json ? "," : " ", value);
	}
	if (printer->json && field->count > 1)
		fputc(']', printer->file);
	else if (shown < field->count)
		fprintf(printer->file, " ... %u values in all", field->count);
}

/* All fields: " x=1 y=2" or {"x":1,"y":2}. */
static void put_element(
	struct printer *printer, const struct vat_cell *cell, const uint8_t *element) {
	bool first = true;
	if (printer->json)
		fputc('{', printer->file);
	for (uint32_t i = 0; i < cell->field_count; i++) {
		const struct vat_stored_field *field = &cell->fields[i];
		if (!is_shown(printer, field))
			continue;
		if (printer->json)
			fprintf(printer->file, "%s\"%s\":", first ? "" : ",", field->name);
		else
			fprintf(printer->file, " %s=", field->name);
		put_field(printer, field, element);
		first = false;
	}
	if (printer->json)
		fputc('}', printer->file);
}

static void size_text(uint64_t bytes, char text[32]) {
	if (bytes < 10 * 1024)
		snprintf(text, 32, "%" PRIu64 " B", bytes);
	else if (bytes < 10 * 1024 * 1024)
		snprintf(text, 32, "%" PRIu64 " KiB", bytes / 1024);
	else
		snprintf(text, 32, "%" PRIu64 " MiB", bytes / 1024 / 1024);
}

static uint64_t elements_shown(const struct printer *printer, const struct vat_cell *cell) {
	return printer->all || cell->count <= ELEMENTS_SHOWN ? cell->count : ELEMENTS_SHOWN;
}

static void type_text(const struct vat_stored_field *field, char text[32]) {
	if (field->count == 1)
		snprintf(text, 32, "%s", vat_type_name(field->type));
	else
		snprintf(text, 32, "%s[%u]", vat_type_name(field->type), field->count);
}

static void print_cell_plain(struct printer *printer, const struct vat_cell *cell) {
	FILE *file = printer->file;
	char label[VAT_LABEL_SIZE], size[32], type[32];
	vat_cell_label(cell->name, cell->scope, cell->element, label, sizeof(label));
	size_text(cell->count * cell->stride, size);
	fprintf(file, "\n%s  %" PRIu64 " x %u B = %s  version %u  %s%s\n", label, cell->count,
		cell->stride, size, cell->version, vat_reset_policy_name(cell->reset),
		cell->flags & VAT_CELL_ORPHAN ? "  orphaned" : "");
	int width = 0;
	for (uint32_t i = 0; i < cell->field_count; i++) {
		int n = (int)strlen(cell->fields[i].name);
		if (is_shown(printer, &cell->fields[i]) && n > width)
			width = n;
	}
	const uint8_t *data = vat_cell_data(printer->region, cell);
	for (uint32_t i = 0; i < cell->field_count; i++) {
		const struct vat_stored_field *field = &cell->fields[i];
		if (!is_shown(printer, field))
			continue;
		type_text(field, type);
		fprintf(file, "  %-*s  %s", width, field->name, type);
		if (cell->count == 1) {
			fputs(" = ", file);
			put_field(printer, field, data);
		}
		fputc('\n', file);
	}
	if (cell->count == 1)
		return;
	uint64_t shown = elements_shown(printer, cell);
	for (uint64_t i = 0; i < shown; i++) {
		fprintf(file, "  [%" PRIu64 "]", i);
		put_element(printer, cell, data + i * cell->stride);
		fputc('\n', file);
	}
	if (shown < cell->count)
		fprintf(file, "  ... %" PRIu64 " elements more\n", cell->count - shown);
}

static void print_cell_json(struct printer *printer, const struct vat_cell *cell) {
	FILE *file = printer->file;
	fputs("{\"name\":", file);
	put_string(printer, cell->name);
	fputs(",\"scope\":", file);
	put_string(printer, cell->scope);
	fprintf(file, ",\"element\":%" PRIu64 ",\"key\":\"", cell->element);
	for (size_t i = 0; i < sizeof(cell->key.bytes); i++)
		fprintf(file, "%02x", cell->key.bytes[i]);
	fprintf(file,
		"\",\"version\":%u,\"count\":%" PRIu64 ",\"stride\":%u,\"offset\":%" PRIu64
		",\"born\":%" PRIu64
		",\"reset\":\"%s\",\"orphan\":%s,\"key_field\":%u,\"fields\":[",
		cell->version, cell->count, cell->stride, cell->offset, cell->born,
		vat_reset_policy_name(cell->reset),
		cell->flags & VAT_CELL_ORPHAN ? "true" : "false", cell->key_field);
	for (uint32_t i = 0; i < cell->field_count; i++) {
		const struct vat_stored_field *field = &cell->fields[i];
		fprintf(file, "%s{\"id\":%u,\"name\":\"%s\",\"type\":\"%s\",\"count\":%u}",
			i ? "," : "", field->id, field->name, vat_type_name(field->type),
			field->count);
	}
	fputs("],\"values\":[", file);
	const uint8_t *data = vat_cell_data(printer->region, cell);
	uint64_t shown = elements_shown(printer, cell);
	for (uint64_t i = 0; i < shown; i++) {
		fputs(i ? "," : "", file);
		put_element(printer, cell, data + i * cell->stride);
	}
	fprintf(file, "],\"elided\":%" PRIu64 "}", cell->count - shown);
}

static void print_head(struct printer *printer) {
	const struct vat_region *region = printer->region;
	FILE *file = printer->file;
	char tile[VAT_UUID_TEXT], city[VAT_UUID_TEXT];
	vat_uuid_format(&region->info.tile, tile);
	vat_uuid_format(&region->info.city, city);
	uint64_t used = 0;
	for (size_t i = 0; i < region->directory.cell_count; i++)
		used += region->directory.cells[i].size;
	if (printer->json) {
		fprintf(file,
			"{\"region\":\"%s\",\"tile\":\"%s\",\"city\":\"%s\",\"format\":%u"
			",\"epoch\":%" PRIu64 ",\"generation\":%" PRIu64
			",\"previous_kept\":%s,\"updates\":%" PRIu64 ",\"frames\":%" PRIu64
			",\"clock_ns\":%" PRIu64 ",\"bytes\":%" PRIu64 ",\"used\":%" PRIu64
			",\"cells\":[",
			region->info.name, tile, city, VAT_FORMAT, vat_region_epoch(region),
			region->generation, vat_region_has_previous(region) ? "true" : "false",
			vat_region_get(region, VAT_UPDATES), vat_region_get(region, VAT_FRAMES),
			vat_region_get(region, VAT_CLOCK), region->size, used);
		return;
	}
	char size[32], in_use[32];
	size_text(region->size, size);
	size_text(used, in_use);
	fprintf(file,
		"%s  tile %s\nepoch %" PRIu64 "  generation %" PRIu64 "%s  updates %" PRIu64
		"  frames %" PRIu64 "\n%zu cells, %s of %s\n",
		region->info.name, tile, vat_region_epoch(region), region->generation,
		vat_region_has_previous(region) ? " (the one before is kept)" : "",
		vat_region_get(region, VAT_UPDATES), vat_region_get(region, VAT_FRAMES),
		region->directory.cell_count, in_use, size);
}

static bool is_printed(const struct printer *printer, const struct vat_cell *cell) {
	if (printer->cell && strcmp(cell->name, printer->cell) != 0)
		return false;
	bool any = !printer->field;
	for (uint32_t i = 0; i < cell->field_count && !any; i++)
		any = is_shown(printer, &cell->fields[i]);
	return any;
}

static bool has_any(const struct printer *printer) {
	const struct vat_directory *directory = &printer->region->directory;
	for (size_t i = 0; i < directory->cell_count; i++) {
		if (is_printed(printer, &directory->cells[i]))
			return true;
	}
	return false;
}

int vat_print(const struct vat_region *region, FILE *file, const struct vat_print_options *options,
	struct vat_error *err) {
	struct printer printer = {.region = region, .file = file};
	if (options) {
		printer.json = options->json;
		printer.all = options->all;
		printer.cell = options->cell;
		printer.field = options->field;
	}
	if ((printer.cell || printer.field) && !has_any(&printer))
		return vat_fail(err, ENOENT, "region '%s' has no %s '%s%s%s'", region->info.name,
			printer.field ? "field" : "cell", printer.cell ? printer.cell : "",
			printer.field ? "." : "", printer.field ? printer.field : "");
	print_head(&printer);
	bool first = true;
	for (size_t i = 0; i < region->directory.cell_count; i++) {
		const struct vat_cell *cell = &region->directory.cells[i];
		if (!is_printed(&printer, cell))
			continue;
		if (printer.json) {
			fputs(first ? "" : ",", file);
			print_cell_json(&printer, cell);
		} else {
			print_cell_plain(&printer, cell);
		}
		first = false;
	}
	if (printer.json)
		fputs("]}\n", file);
	if (fflush(file) != 0 || ferror(file))
		return vat_fail(err, EIO, "region '%s': cannot be printed: %s", region->info.name,
			strerror(errno));
	return 0;
}

/* ---- differences */

/* Of text and bytes that are too long to be shown whole: where what differs begins. It is inside
 * the shorter of the two, or its end. */
static uint32_t octets_start(
	const struct printer *printer, const struct vat_difference *difference) {
	const struct vat_stored_field *a = difference->field_before, *b = difference->field_after;
	uint32_t limit = a->type == VAT_TEXT && b->type == VAT_TEXT ? TEXT_SHOWN : BYTES_SHOWN;
	if (printer->all || (a->count <= limit && b->count <= limit))
		return 0;
	const uint8_t *old = difference->old + a->offset, *new = difference->new + b->offset;
	uint32_t start = difference->index;
	/* Not from the middle of a character. */
	while (a->type == VAT_TEXT && start > 0 &&
		((start < a->count && (old[start] & 0xc0) == 0x80) ||
			(start < b->count && (new[start] & 0xc0) == 0x80)))
		start--;
	return start;
}

/* Where the value that differs begins, in values; the same for both sides. */
static uint32_t value_start(
	const struct printer *printer, const struct vat_difference *difference) {
	const struct vat_stored_field *field = difference->field_after;
	if (field->type == VAT_TEXT || field->type == VAT_BYTES)
		return octets_start(printer, difference);
	return difference->index;
}

/* The one value of a field that differs; of text and bytes as much as is shown. */
static struct vat_stored_field value_part(const struct printer *printer,
	const struct vat_stored_field *field, const struct vat_difference *difference) {
	struct vat_stored_field part = *field;
	uint32_t start = value_start(printer, difference);
	part.offset += start * (uint32_t)vat_type_size(field->type);
	part.count = field->type == VAT_TEXT || field->type == VAT_BYTES ? field->count - start : 1;
	return part;
}

/* Where in the field: "[3]", or nothing. */
static bool has_index(
	const struct printer *printer, const struct vat_difference *difference, uint32_t *index) {
	const struct vat_stored_field *from = difference->field_before,
				      *to = difference->field_after;
	if (difference->kind != VAT_VALUE_DIFFERS || (from->count == 1 && to->count == 1))
		return false;
	*index = value_start(printer, difference);
	return *index > 0 || (to->type != VAT_TEXT && to->type != VAT_BYTES);
}

static void put_place(struct printer *printer, const struct vat_difference *difference) {
	const struct vat_cell *cell = difference->after ? difference->after : difference->before;
	const struct vat_stored_field *field =
		difference->field_after ? difference->field_after : difference->field_before;
	char label[VAT_LABEL_SIZE];
	uint32_t index;
	vat_cell_label(cell->name, cell->scope, cell->element, label, sizeof(label));
	fputs(label, printer->file);
	bool element = difference->kind >= VAT_ELEMENT_ADDED;
	if (element && difference->keyed)
		fprintf(printer->file, "[id %" PRId64 "]", (int64_t)difference->id);
	else if (element && cell->count != 1)
		fprintf(printer->file, "[%" PRIu64 "]", difference->place);
	if (field)
		fprintf(printer->file, ".%s", field->name);
	if (has_index(printer, difference, &index))
		fprintf(printer->file, "[%u]", index);
	fputs(": ", printer->file);
}

static void put_field_come_or_gone(struct printer *printer, const char *what,
	const struct vat_stored_field *field, const uint8_t *element) {
	char type[32];
	type_text(field, type);
	fprintf(printer->file, "%s, %s", what, type);
	if (element) {
		fputs(" = ", printer->file);
		put_field(printer, field, element);
	}
}

static void print_difference_plain(
	struct printer *printer, const struct vat_difference *difference) {
	FILE *file = printer->file;
	const struct vat_cell *before = difference->before, *after = difference->after;
	const struct vat_stored_field *from = difference->field_before,
				      *to = difference->field_after;
	struct vat_stored_field part;
	char old[32], new[32];
	put_place(printer, difference);
	switch (difference->kind) {
	case VAT_CELL_ADDED:
		fprintf(file, "added, %" PRIu64 " x %u B", after->count, after->stride);
		break;
	case VAT_CELL_GONE:
		fprintf(file, "gone, %" PRIu64 " x %u B", before->count, before->stride);
		break;
	case VAT_VERSION_DIFFERS:
		fprintf(file, "version %u -> %u", before->version, after->version);
		break;
	case VAT_COUNT_DIFFERS:
		fprintf(file, "%" PRIu64 " elements -> %" PRIu64, before->count, after->count);
		break;
	case VAT_FIELD_ADDED:
		put_field_come_or_gone(printer, "added", to, difference->new);
		break;
	case VAT_FIELD_GONE:
		put_field_come_or_gone(printer, "gone", from, difference->old);
		break;
	case VAT_FIELD_RENAMED:
		fprintf(file, "was called %s", from->name);
		break;
	case VAT_FIELD_RETYPED:
		type_text(from, old);
		type_text(to, new);
		fprintf(file, "%s -> %s", old, new);
		break;
	case VAT_ELEMENT_ADDED:
		fputs("added ", file);
		put_element(printer, after, difference->new);
		break;
	case VAT_ELEMENT_GONE:
		fputs("gone ", file);
		put_element(printer, before, difference->old);
		break;
	case VAT_VALUE_DIFFERS:
		part = value_part(printer, from, difference);
		put_field(printer, &part, difference->old);
		fputs(" -> ", file);
		part = value_part(printer, to, difference);
		put_field(printer, &part, difference->new);
		break;
	}
	fputc('\n', file);
}

/* Of one side, by the name of its key. */
static void put_side_json(struct printer *printer, enum vat_difference_kind kind, const char *key,
	const struct vat_cell *cell, const struct vat_stored_field *field, const uint8_t *element) {
	FILE *file = printer->file;
	char type[32];
	fprintf(file, ",\"%s\":", key);
	if (cell && (kind == VAT_CELL_ADDED || kind == VAT_CELL_GONE || kind == VAT_COUNT_DIFFERS))
		fprintf(file, "%" PRIu64, cell->count);
	else if (cell && kind == VAT_VERSION_DIFFERS)
		fprintf(file, "%u", cell->version);
	else if (field && kind == VAT_FIELD_RENAMED)
		put_string(printer, field->name);
	else if (field && kind == VAT_FIELD_RETYPED) {
		type_text(field, type);
		put_string(printer, type);
	} else if (element && (kind == VAT_ELEMENT_ADDED || kind == VAT_ELEMENT_GONE))
		put_element(printer, cell, element);
	else if (element && field)
		put_field(printer, field, element);
	else
		fputs("null", file);
}

static void print_difference_json(
	struct printer *printer, const struct vat_difference *difference, const char *time) {
	static const char *const events[] = {"cell-added", "cell-gone", "version", "count",
		"field-added", "field-gone", "field-renamed", "field-type", "element-added",
		"element-gone", "value"};
	FILE *file = printer->file;
	enum vat_difference_kind kind = difference->kind;
	const struct vat_cell *cell = difference->after ? difference->after : difference->before;
	const struct vat_stored_field *from = difference->field_before,
				      *to = difference->field_after;
	char label[VAT_LABEL_SIZE];
	uint32_t index;
	vat_cell_label(cell->name, cell->scope, cell->element, label, sizeof(label));
	fprintf(file, "{\"event\":\"%s\"", events[kind]);
	if (time)
		fprintf(file, ",\"time\":\"%s\"", time);
	fprintf(file, ",\"cell\":\"%s\"", label);
	if (kind >= VAT_ELEMENT_ADDED)
		fprintf(file, ",\"element\":%" PRIu64, difference->place);
	if (kind >= VAT_ELEMENT_ADDED && difference->keyed)
		fprintf(file, ",\"id\":%" PRId64, (int64_t)difference->id);
	if (from || to)
		fprintf(file, ",\"field\":\"%s\"", (to ? to : from)->name);
	if (has_index(printer, difference, &index))
		fprintf(file, ",\"index\":%u", index);
	struct vat_stored_field old = {0}, new = {0};
	if (kind == VAT_VALUE_DIFFERS) {
		old = value_part(printer, from, difference);
		new = value_part(printer, to, difference);
		from = &old;
		to = &new;
	}
	put_side_json(printer, kind, "old", difference->before, from, difference->old);
	put_side_json(printer, kind, "new", difference->after, to, difference->new);
	fputs("}\n", file);
}

void vat_print_difference(const struct vat_difference *difference, FILE *file,
	const struct vat_print_options *options, const char *time) {
	struct printer printer = {.file = file};
	if (options) {
		printer.json = options->json;
		printer.all = options->all;
	}
	if (printer.json) {
		print_difference_json(&printer, difference, time);
		return;
	}
	if (time)
		fprintf(file, "%s  ", time);
	print_difference_plain(&printer, difference);
}
