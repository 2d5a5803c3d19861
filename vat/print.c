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
	const char *cell; /* may be NULL */
};

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
		if (cell->fields[i].type != VAT_GONE && n > width)
			width = n;
	}
	const uint8_t *data = vat_cell_data(printer->region, cell);
	for (uint32_t i = 0; i < cell->field_count; i++) {
		const struct vat_stored_field *field = &cell->fields[i];
		if (field->type == VAT_GONE)
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
		for (uint32_t j = 0; j < cell->field_count; j++) {
			if (cell->fields[j].type == VAT_GONE)
				continue;
			fprintf(file, " %s=", cell->fields[j].name);
			put_field(printer, &cell->fields[j], data + i * cell->stride);
		}
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
		fputs(i ? ",{" : "{", file);
		bool first = true;
		for (uint32_t j = 0; j < cell->field_count; j++) {
			if (cell->fields[j].type == VAT_GONE)
				continue;
			fprintf(file, "%s\"%s\":", first ? "" : ",", cell->fields[j].name);
			put_field(printer, &cell->fields[j], data + i * cell->stride);
			first = false;
		}
		fputc('}', file);
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

int vat_print(const struct vat_region *region, FILE *file, const struct vat_print_options *options,
	struct vat_error *err) {
	struct printer printer = {.region = region, .file = file};
	if (options) {
		printer.json = options->json;
		printer.all = options->all;
		printer.cell = options->cell;
	}
	size_t found = 0;
	for (size_t i = 0; i < region->directory.cell_count; i++) {
		if (!printer.cell || strcmp(region->directory.cells[i].name, printer.cell) == 0)
			found++;
	}
	if (printer.cell && found == 0)
		return vat_fail(err, ENOENT, "region '%s' has no cell '%s'", region->info.name,
			printer.cell);
	print_head(&printer);
	bool first = true;
	for (size_t i = 0; i < region->directory.cell_count; i++) {
		const struct vat_cell *cell = &region->directory.cells[i];
		if (printer.cell && strcmp(cell->name, printer.cell) != 0)
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
