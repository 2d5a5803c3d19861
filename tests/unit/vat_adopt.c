/* SPDX-License-Identifier: MIT */
/* Fitting regions to declarations: each outcome by hand, then random schemas under random edits. */
#include "vat_common.h"

#include <math.h>
#include <stdio.h>

struct cursor {
	uint16_t row;
	int16_t column;
	float speed;
	uint8_t mode;
	char title[8];
};
static const struct vat_field cursor_fields[] = {
	VAT_FIELD(1, U16, struct cursor, row),
	VAT_FIELD(2, I16, struct cursor, column),
	VAT_FIELD(3, F32, struct cursor, speed),
	VAT_FIELD(4, U8, struct cursor, mode),
	VAT_FIELD(5, TEXT, struct cursor, title),
};

struct cursor2 {
	char title[16];
	double speed;
	double mode;
	int64_t column;
	uint32_t row;
	uint32_t extra;
};
static const struct vat_field cursor2_fields[] = {
	VAT_FIELD(5, TEXT, struct cursor2, title),
	VAT_FIELD(3, F64, struct cursor2, speed),
	VAT_FIELD(4, F64, struct cursor2, mode),
	VAT_FIELD(2, I64, struct cursor2, column),
	VAT_FIELD(1, U32, struct cursor2, row),
	VAT_FIELD_INIT(6, U32, struct cursor2, extra, .u = 12345),
};

static const struct vat_cell_decl version1[] = {
	VAT_CELL("cursor", struct cursor, 2, cursor_fields, .version = 1),
	VAT_CELL("bulk", struct cursor, 5000, cursor_fields, .version = 1),
};
static const struct vat_cell_decl version2[] = {
	VAT_CELL("cursor", struct cursor2, 2, cursor2_fields, .version = 2),
	VAT_CELL("bulk", struct cursor, 5000, cursor_fields, .version = 1),
	VAT_CELL("news", struct cursor2, 3, cursor2_fields, .version = 1),
};

static struct vat_region *attached(int *fd) {
	struct vat_error err;
	struct vat_adopt_report report;
	struct vat_region *region = test_region(fd);
	assert_ok(vat_region_adopt(region, version1, 2, 0, &report, &err), err);
	assert_int_equal(report.count, 2);
	assert_int_equal(report.changes[0].outcome, VAT_FRESH);
	assert_int_equal(report.changes[1].outcome, VAT_FRESH);
	assert_int_equal(report.generation_before, 0);
	assert_int_equal(report.generation_after, 1);
	vat_adopt_report_finish(&report);
	struct cursor *cursor = test_data(region, "cursor");
	cursor[1] = (struct cursor){65535, -32768, 1.5f, 200, "title"};
	struct cursor *bulk = test_data(region, "bulk");
	for (uint16_t i = 0; i < 5000; i++)
		bulk[i].row = i;
	return region;
}

static void test_same(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = attached(&fd);
	struct cursor *cursor = test_data(region, "cursor");
	for (int i = 0; i < 3; i++) {
		struct vat_adopt_report report;
		assert_ok(
			vat_region_adopt(region, version1, 2, VAT_ADOPT_KEEP, &report, &err), err);
		assert_int_equal(report.changes[0].outcome, VAT_SAME);
		assert_int_equal(report.changes[1].outcome, VAT_SAME);
		assert_int_equal(report.bytes, 0);
		/* Nothing to commit, and nothing was. */
		assert_int_equal(report.generation_after, 1);
		assert_false(vat_region_has_previous(region));
		vat_adopt_report_finish(&report);
	}
	assert_ptr_equal(test_data(region, "cursor"), cursor);

	/* Another name, version or policy: the directory changes, no byte moves. */
	struct vat_field fields[5];
	memcpy(fields, cursor_fields, sizeof(fields));
	fields[0].name = "line";
	struct vat_cell_decl decls[2] = {version1[0], version1[1]};
	decls[0].fields = fields;
	decls[0].version = 9;
	decls[0].reset = VAT_CROSSFADE;
	struct vat_adopt_report report;
	assert_ok(vat_region_adopt(region, decls, 2, 0, &report, &err), err);
	assert_int_equal(report.changes[0].outcome, VAT_SAME);
	assert_int_equal(report.bytes, 0);
	assert_int_equal(report.generation_after, 2);
	vat_adopt_report_finish(&report);
	const struct vat_cell *cell = vat_region_find(region, "cursor", NULL, 0);
	assert_ptr_equal(vat_cell_data(region, cell), cursor);
	assert_string_equal(vat_cell_field(cell, 1)->name, "line");
	assert_int_equal(cell->version, 9);
	assert_int_equal(cell->born, 1);
	vat_region_unmap(region);
	close(fd);
}

static void check_cursor2(const struct vat_region *region) {
	const struct cursor2 *cursor = test_data(region, "cursor");
	assert_int_equal(cursor[1].row, 65535);
	assert_int_equal(cursor[1].column, -32768);
	assert_true(cursor[1].speed == 1.5);
	assert_true(cursor[1].mode == 200.0);
	assert_string_equal(cursor[1].title, "title");
	assert_int_equal(cursor[1].extra, 12345);
	assert_int_equal(cursor[0].extra, 12345);
}

static void test_migrate(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = attached(&fd);
	void *bulk = test_data(region, "bulk");
	struct vat_adopt_report report;
	assert_ok(vat_region_adopt(
			  region, version2, 3, VAT_ADOPT_KEEP | VAT_ADOPT_DRY_RUN, &report, &err),
		err);
	assert_int_equal(report.changes[0].outcome, VAT_MIGRATED);
	assert_int_equal(report.generation_after, 1);
	vat_adopt_report_finish(&report);

	assert_ok(vat_region_adopt(region, version2, 3, VAT_ADOPT_KEEP, &report, &err), err);
	assert_int_equal(report.changes[0].outcome, VAT_MIGRATED);
	assert_int_equal(report.changes[0].elements, 2);
	assert_int_equal(report.changes[0].from_version, 1);
	assert_int_equal(report.changes[0].to_version, 2);
	assert_false(report.changes[0].lossy);
	assert_int_equal(report.changes[1].outcome, VAT_SAME);
	assert_int_equal(report.changes[2].outcome, VAT_FRESH);
	assert_int_equal(report.generation_after, 2);
	vat_adopt_report_finish(&report);
	check_cursor2(region);
	assert_ptr_equal(test_data(region, "bulk"), bulk);

	/* A comes back. */
	assert_ok(vat_region_rollback(region, &err), err);
	const struct cursor *cursor = test_data(region, "cursor");
	assert_int_equal(cursor[1].column, -32768);
	assert_null(vat_region_find(region, "news", NULL, 0));

	/* And B again, for good; then what A declared alone is an orphan to nobody. */
	assert_ok(vat_region_adopt(region, version2, 3, 0, NULL, &err), err);
	check_cursor2(region);
	vat_region_unmap(region);
	close(fd);
}

static void test_refuse(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = attached(&fd);
	struct vat_field fields[6];
	struct vat_cell_decl decls[3] = {version1[0], version1[1], version2[2]};
	struct vat_adopt_report report;
	decls[0].fields = fields;
#define REFUSED(change, name, id, words)                                                           \
	do {                                                                                       \
		memcpy(fields, cursor_fields, sizeof(cursor_fields));                              \
		decls[0] = version1[0];                                                            \
		decls[0].fields = fields;                                                          \
		change;                                                                            \
		assert_fails(vat_region_adopt(region, decls, 3, 0, &report, &err), EUCLEAN);       \
		assert_int_equal(report.count, 3);                                                 \
		assert_int_equal(report.changes[0].outcome, VAT_REFUSED);                          \
		assert_int_equal(report.changes[2].outcome, VAT_FRESH);                            \
		assert_string_equal(report.changes[0].field, name);                                \
		assert_int_equal(report.changes[0].field_id, id);                                  \
		if (!strstr(report.changes[0].reason, words) || !strstr(err.text, words))          \
			fail_msg("'%s' does not say '%s'", err.text, words);                       \
		vat_adopt_report_finish(&report);                                                  \
		assert_int_equal(vat_region_generation(region), 1);                                \
		assert_null(vat_region_find(region, "news", NULL, 0));                             \
	} while (0)
	REFUSED(fields[0].type = VAT_I16, "row", 1, "u16 into i16");
	REFUSED(fields[1].type = VAT_U16, "column", 2, "i16 into u16");
	REFUSED((fields[0].type = VAT_U8, fields[1].type = VAT_I8), "row", 1, "'column'");
	REFUSED(fields[2].type = VAT_U32, "speed", 3, "f32 into u32");
	REFUSED(fields[3].type = VAT_BOOL, "mode", 4, "u8 into bool");
	REFUSED(fields[4].count = 4, "title", 5, "8 values to 4");
	REFUSED(decls[0].field_count = 4, "title", 5, "not declared any more");
	REFUSED(fields[1].id = 7, "column", 2, "not declared any more");
	REFUSED((fields[4].type = VAT_I64, fields[4].count = 1, decls[0].stride = 24,
			fields[4].offset = 16),
		"title", 5, "cannot become i64");
	REFUSED(decls[0].count = 1, "", 0, "cut off");
#undef REFUSED

	/* Asked for, it is done and reported; a retired field needs no asking. */
	memcpy(fields, cursor_fields, sizeof(cursor_fields));
	decls[0] = version1[0];
	decls[0].fields = fields;
	fields[0].type = VAT_I16;
	fields[1].type = VAT_U16;
	fields[4] = (struct vat_field)VAT_RETIRED(5, "title");
	assert_ok(vat_region_adopt(region, decls, 3, VAT_ADOPT_LOSSY, &report, &err), err);
	assert_true(report.changes[0].lossy);
	assert_string_equal(report.changes[0].field, "row");
	assert_null(strstr(report.changes[0].reason, "title"));
	vat_adopt_report_finish(&report);
	const struct cursor *cursor = test_data(region, "cursor");
	assert_int_equal((int16_t)cursor[1].row, 32767);
	assert_int_equal(cursor[1].column, 0);
	assert_true(cursor[1].speed == 1.5f);
	assert_int_equal(cursor[1].title[0], 0);
	vat_region_unmap(region);
	close(fd);
}

static void test_orphans(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = attached(&fd);
	struct vat_adopt_report report;
	assert_ok(vat_region_adopt(region, version1 + 1, 1, 0, &report, &err), err);
	assert_int_equal(report.count, 2);
	assert_int_equal(report.changes[1].outcome, VAT_ORPHANED);
	assert_string_equal(report.changes[1].name, "cursor");
	vat_adopt_report_finish(&report);
	assert_true(vat_region_find(region, "cursor", NULL, 0)->flags & VAT_CELL_ORPHAN);
	uint64_t generation = vat_region_generation(region);
	assert_ok(vat_region_adopt(region, version1 + 1, 1, 0, NULL, &err), err);
	assert_int_equal(vat_region_generation(region), generation);
	/* Declared again, it is as it was. */
	assert_ok(vat_region_adopt(region, version1, 2, 0, NULL, &err), err);
	assert_false(vat_region_find(region, "cursor", NULL, 0)->flags & VAT_CELL_ORPHAN);
	assert_int_equal(((struct cursor *)test_data(region, "cursor"))[1].row, 65535);
	vat_region_unmap(region);
	close(fd);
}

/* A cell that grows as the tile runs keeps its count over a handover. */
static void test_grows(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = attached(&fd);
	struct vat_cell_decl decls[2] = {version1[0], version1[1]};
	decls[1].flags = VAT_CELL_GROWS;
	decls[1].count = 10;
	assert_ok(vat_region_adopt(region, decls, 2, 0, NULL, &err), err);
	assert_int_equal(vat_region_find(region, "bulk", NULL, 0)->count, 5000);
	struct vat_txn *txn;
	assert_ok(vat_txn_begin(region, &txn, &err), err);
	assert_ok(vat_txn_resize(txn, "bulk", NULL, 0, 7000, 0, &err), err);
	assert_ok(vat_txn_commit(txn, false, &err), err);
	uint64_t generation = vat_region_generation(region);
	assert_ok(vat_region_adopt(region, decls, 2, 0, NULL, &err), err);
	assert_int_equal(vat_region_generation(region), generation);
	assert_int_equal(vat_region_find(region, "bulk", NULL, 0)->count, 7000);
	assert_int_equal(((struct cursor *)test_data(region, "bulk"))[4999].row, 4999);
	/* A version that declares more gets more. */
	decls[1].count = 8000;
	assert_ok(vat_region_adopt(region, decls, 2, 0, NULL, &err), err);
	assert_int_equal(vat_region_find(region, "bulk", NULL, 0)->count, 8000);
	vat_region_unmap(region);
	close(fd);
}

static void test_reset(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = attached(&fd);
	struct vat_cell_decl decls[2] = {version1[0], version1[1]};
	decls[0].reset = VAT_RESET;
	struct vat_adopt_report report;
	assert_ok(vat_region_adopt(region, decls, 2, VAT_ADOPT_RESTART, &report, &err), err);
	assert_int_equal(report.changes[0].outcome, VAT_SAME);
	vat_adopt_report_finish(&report);
	assert_int_equal(((struct cursor *)test_data(region, "cursor"))[1].row, 65535);
	assert_ok(vat_region_adopt(region, decls, 2, VAT_ADOPT_KEEP, &report, &err), err);
	assert_int_equal(report.changes[0].outcome, VAT_CLEARED);
	assert_int_equal(report.changes[1].outcome, VAT_SAME);
	vat_adopt_report_finish(&report);
	assert_int_equal(((struct cursor *)test_data(region, "cursor"))[1].row, 0);
	assert_ok(vat_region_rollback(region, &err), err);
	assert_int_equal(((struct cursor *)test_data(region, "cursor"))[1].row, 65535);
	assert_ok(vat_region_adopt(region, decls, 2, VAT_ADOPT_RESET, &report, &err), err);
	assert_int_equal(report.changes[1].outcome, VAT_CLEARED);
	vat_adopt_report_finish(&report);
	assert_int_equal(((struct cursor *)test_data(region, "bulk"))[7].row, 0);
	vat_region_unmap(region);
	close(fd);
}

static void test_adopt_refuses(void **state) {
	struct vat_error err;
	int fd;
	struct vat_region *region = attached(&fd), *reader;
	struct vat_cell_decl twice[2] = {version1[0], version1[0]};
	assert_fails(vat_region_adopt(region, twice, 2, 0, NULL, &err), EINVAL);
	assert_ok(vat_region_map(fd, VAT_READ, &reader, &err), err);
	assert_fails(vat_region_adopt(reader, version2, 3, 0, NULL, &err), EACCES);
	struct vat_adopt_report report;
	assert_ok(vat_region_adopt(reader, version2, 3, VAT_ADOPT_DRY_RUN, &report, &err), err);
	assert_int_equal(report.changes[0].outcome, VAT_MIGRATED);
	assert_false(report.fits);
	vat_adopt_report_finish(&report);
	vat_adopt_report_finish(&report);
	/* As it is declared it fits, and what fits is not stored again. */
	assert_ok(vat_region_adopt(reader, version1, 2, VAT_ADOPT_DRY_RUN, &report, &err), err);
	assert_true(report.fits);
	assert_int_equal(report.generation_before, vat_region_generation(region));
	vat_adopt_report_finish(&report);
	assert_ok(vat_region_adopt(region, version1, 2, 0, &report, &err), err);
	assert_true(report.fits);
	assert_int_equal(report.generation_before, report.generation_after);
	vat_adopt_report_finish(&report);
	assert_ok(vat_region_adopt(
			  reader, version1, 2, VAT_ADOPT_DRY_RUN | VAT_ADOPT_RESET, &report, &err),
		err);
	assert_false(report.fits);
	vat_adopt_report_finish(&report);
	assert_ok(vat_region_adopt(region, version2, 3, VAT_ADOPT_KEEP, NULL, &err), err);
	assert_fails(vat_region_adopt(region, version1, 2, VAT_ADOPT_LOSSY, NULL, &err), EBUSY);
	vat_region_unmap(reader);
	vat_region_unmap(region);
	close(fd);
}

/* ---- Random schemas under random edits ---- */

/*
 * The model holds what each field of each element must be, as a number or as bytes, and knows
 * nothing of offsets, strides or the code under test.
 */
#define FIELDS 12
#define ELEMENTS 40
#define VALUES 5

struct model_field {
	uint32_t id, type, count;
	bool live, retired;
	double number[ELEMENTS][VALUES]; /* exact: all test values are small enough */
	uint8_t bytes[ELEMENTS][VALUES];
};

struct model {
	struct model_field fields[FIELDS];
	size_t used;
	uint64_t count;
	uint32_t next_id;
};

static bool is_bytes(uint32_t type) {
	return type == VAT_TEXT || type == VAT_BYTES;
}

/* The range of whole numbers that a type holds exactly, and within what doubles do. */
static void range(uint32_t type, double *low, double *high) {
	static const double top[] = {[VAT_U8] = 255,
		[VAT_U16] = 65535,
		[VAT_U32] = 4294967295.0,
		[VAT_U64] = 9007199254740992.0,
		[VAT_I8] = 127,
		[VAT_I16] = 32767,
		[VAT_I32] = 2147483647.0,
		[VAT_I64] = 9007199254740992.0,
		[VAT_F32] = 16777216.0,
		[VAT_F64] = 9007199254740992.0,
		[VAT_BOOL] = 1};
	bool has_sign = type == VAT_I8 || type == VAT_I16 || type == VAT_I32 || type == VAT_I64 ||
		type == VAT_F32 || type == VAT_F64;
	*high = top[type];
	*low = has_sign ? -top[type] : 0;
}

/* Whether every value of one type is one of the other: by the ranges alone. */
static bool widens(uint32_t from, uint32_t to) {
	double low, high, to_low, to_high;
	if (is_bytes(from) || is_bytes(to))
		return (is_bytes(from) || from == VAT_U8) && (is_bytes(to) || to == VAT_U8);
	if (from == to)
		return true;
	bool from_float = from == VAT_F32 || from == VAT_F64;
	bool to_float = to == VAT_F32 || to == VAT_F64;
	if (from_float)
		return to == VAT_F64;
	if ((from == VAT_U64 || from == VAT_I64) && (to_float || to == VAT_U64 || to == VAT_I64))
		return false;
	range(from, &low, &high);
	range(to, &to_low, &to_high);
	return to_low <= low && high <= to_high;
}

static double random_number(uint64_t *seed, uint32_t type) {
	double low, high;
	range(type, &low, &high);
	switch (test_below(seed, 4)) {
	case 0:
		return low;
	case 1:
		return high;
	case 2:
		return 0;
	default:
		return low + floor((double)test_below(seed, 1u << 20) / (1 << 20) * (high - low));
	}
}

struct layout {
	struct vat_field fields[FIELDS + 8];
	char names[FIELDS + 8][16];
	struct vat_cell_decl decl;
};

/* A declaration of the model's fields in a random order, with random holes. */
static void lay_out(const struct model *model, uint64_t *seed, struct layout *layout) {
	size_t order[FIELDS], n = 0;
	for (size_t i = 0; i < model->used; i++) {
		if (model->fields[i].live || model->fields[i].retired)
			order[n++] = i;
	}
	for (size_t i = n; i > 1; i--) {
		size_t j = test_below(seed, i), swap = order[j];
		order[j] = order[i - 1];
		order[i - 1] = swap;
	}
	uint32_t at = 0;
	for (size_t i = 0; i < n; i++) {
		const struct model_field *field = &model->fields[order[i]];
		struct vat_field *out = &layout->fields[i];
		snprintf(layout->names[i], sizeof(layout->names[i]), "f%u_%u", field->id,
			(unsigned)test_below(seed, 3));
		*out = (struct vat_field){
			.id = field->id, .type = VAT_GONE, .name = layout->names[i]};
		if (field->retired)
			continue;
		uint32_t size = (uint32_t)vat_type_size(field->type);
		at += (uint32_t)test_below(seed, 3) * size;
		at = (at + size - 1) / size * size;
		out->type = field->type;
		out->count = field->count;
		out->offset = at;
		out->initial.u = is_bytes(field->type) ? 0 : 1;
		if (field->type == VAT_F32 || field->type == VAT_F64)
			out->initial.f = 1;
		at += size * field->count;
	}
	layout->decl = (struct vat_cell_decl){
		.name = "cell",
		.fields = layout->fields,
		.field_count = (uint32_t)n,
		.count = model->count,
		.stride = (at + 8) / 8 * 8,
		.version = (uint32_t)test_below(seed, 3),
	};
}

static void put_number(uint8_t *at, uint32_t type, double value) {
#define PUT(name, ctype)                                                                           \
	case name: {                                                                               \
		ctype v = (ctype)value;                                                            \
		memcpy(at, &v, sizeof(v));                                                         \
		break;                                                                             \
	}
	switch (type) {
		PUT(VAT_U8, uint8_t)
		PUT(VAT_U16, uint16_t)
		PUT(VAT_U32, uint32_t)
		PUT(VAT_U64, uint64_t)
		PUT(VAT_I8, int8_t)
		PUT(VAT_I16, int16_t)
		PUT(VAT_I32, int32_t)
		PUT(VAT_I64, int64_t)
		PUT(VAT_F32, float)
		PUT(VAT_F64, double)
		PUT(VAT_BOOL, uint8_t)
	default:
		break;
	}
#undef PUT
}

static double get_number(const uint8_t *at, uint32_t type) {
#define GET(name, ctype)                                                                           \
	case name: {                                                                               \
		ctype v;                                                                           \
		memcpy(&v, at, sizeof(v));                                                         \
		return (double)v;                                                                  \
	}
	switch (type) {
		GET(VAT_U8, uint8_t)
		GET(VAT_U16, uint16_t)
		GET(VAT_U32, uint32_t)
		GET(VAT_U64, uint64_t)
		GET(VAT_I8, int8_t)
		GET(VAT_I16, int16_t)
		GET(VAT_I32, int32_t)
		GET(VAT_I64, int64_t)
		GET(VAT_F32, float)
		GET(VAT_F64, double)
		GET(VAT_BOOL, uint8_t)
	default:
		break;
	}
#undef GET
	return -1;
}

static void add_field(struct model *model, uint64_t *seed) {
	if (model->used == FIELDS)
		return;
	struct model_field *field = &model->fields[model->used++];
	memset(field, 0, sizeof(*field));
	field->id = model->next_id;
	model->next_id += 1 + (uint32_t)test_below(seed, 3);
	field->type = 1 + (uint32_t)test_below(seed, VAT_BYTES);
	field->count = 1 + (uint32_t)test_below(seed, VALUES);
	field->live = true;
	for (size_t i = 0; i < ELEMENTS; i++) {
		for (size_t j = 0; j < VALUES; j++)
			field->number[i][j] = 1; /* the initial value */
	}
}

/* Writes random values into the region and the model. */
static void write_values(struct vat_region *region, struct model *model,
	const struct layout *layout, uint64_t *seed) {
	uint8_t *data = test_data(region, "cell");
	for (size_t f = 0; f < layout->decl.field_count; f++) {
		const struct vat_field *declared = &layout->fields[f];
		struct model_field *field = model->fields;
		while (field->id != declared->id)
			field++;
		if (declared->type == VAT_GONE)
			continue;
		for (size_t i = 0; i < model->count; i++) {
			for (size_t j = 0; j < field->count; j++) {
				uint8_t *at = data + i * layout->decl.stride + declared->offset +
					j * vat_type_size(field->type);
				if (is_bytes(field->type)) {
					*at = field->bytes[i][j] = (uint8_t)test_random(seed);
				} else {
					field->number[i][j] = random_number(seed, field->type);
					put_number(at, field->type, field->number[i][j]);
				}
			}
		}
	}
}

static void check_values(struct vat_region *region, const struct model *model) {
	const struct vat_cell *cell = vat_region_find(region, "cell", NULL, 0);
	assert_int_equal(cell->count, model->count);
	const uint8_t *data = vat_cell_data(region, cell);
	for (size_t f = 0; f < model->used; f++) {
		const struct model_field *field = &model->fields[f];
		if (!field->live)
			continue;
		const struct vat_stored_field *stored = vat_cell_field(cell, field->id);
		assert_non_null(stored);
		assert_int_equal(stored->type, field->type);
		for (size_t i = 0; i < model->count; i++) {
			for (size_t j = 0; j < field->count; j++) {
				const uint8_t *at = data + i * cell->stride + stored->offset +
					j * vat_type_size(stored->type);
				if (is_bytes(field->type) ? *at != field->bytes[i][j]
							  : get_number(at, field->type) !=
							field->number[i][j])
					fail_msg(
						"field %u (%s), element %zu, value %zu: %g, not %g",
						field->id, vat_type_name(field->type), i, j,
						get_number(at, field->type), field->number[i][j]);
			}
		}
	}
}

static double clamp(double value, uint32_t from, uint32_t to) {
	double low, high;
	if (to == VAT_BOOL)
		return value != 0;
	range(to, &low, &high);
	if (to == VAT_F32)
		return (float)value;
	if (to == VAT_F64)
		return value;
	if (to == VAT_I8 || to == VAT_I16 || to == VAT_I32)
		low -= 1;
	(void)from;
	return value < low ? low : value > high ? high : value;
}

/* Changes one field; whether that may lose something. */
static bool edit_field(struct model *model, uint64_t *seed) {
	struct model_field *field = &model->fields[test_below(seed, model->used)];
	if (!field->live)
		return false;
	switch (test_below(seed, 4)) {
	case 0: { /* another length */
		uint32_t count = 1 + (uint32_t)test_below(seed, VALUES);
		bool lossy = count < field->count;
		for (size_t i = 0; i < ELEMENTS; i++) {
			for (size_t j = field->count; j < count; j++) {
				field->number[i][j] = 1;
				field->bytes[i][j] = 0;
			}
		}
		field->count = count;
		return lossy;
	}
	case 1: { /* another type */
		uint32_t type = 1 + (uint32_t)test_below(seed, VAT_BYTES);
		uint32_t from = field->type;
		bool lossy = !widens(from, type);
		bool carried = (!is_bytes(from) && !is_bytes(type)) || widens(from, type);
		for (size_t i = 0; i < ELEMENTS; i++) {
			for (size_t j = 0; j < field->count; j++) {
				if (!carried) {
					field->number[i][j] = 1;
					field->bytes[i][j] = 0;
				} else if (is_bytes(from) && !is_bytes(type)) {
					field->number[i][j] = field->bytes[i][j];
				} else if (!is_bytes(from) && is_bytes(type)) {
					field->bytes[i][j] = (uint8_t)field->number[i][j];
				} else if (!is_bytes(type)) {
					field->number[i][j] =
						clamp(field->number[i][j], from, type);
				}
			}
		}
		field->type = type;
		return lossy;
	}
	case 2:
		field->live = false;
		field->retired = true;
		return false;
	default:
		field->live = false;
		return true;
	}
}

static void random_edits(uint64_t seed, int rounds) {
	struct vat_error err;
	static struct model model, edited;
	memset(&model, 0, sizeof(model));
	model.next_id = 1;
	model.count = 1 + test_below(&seed, ELEMENTS);
	add_field(&model, &seed);
	add_field(&model, &seed);
	struct layout layout;
	lay_out(&model, &seed, &layout);
	int fd;
	struct vat_region *region = test_region(&fd);
	assert_ok(vat_region_adopt(region, &layout.decl, 1, 0, NULL, &err), err);
	write_values(region, &model, &layout, &seed);
	for (int round = 0; round < rounds; round++) {
		edited = model;
		bool lossy = false;
		uint64_t edits = test_below(&seed, 4);
		/* One edit a field: two in a row are not what the vat sees. */
		if (edits == 1)
			lossy = edit_field(&edited, &seed);
		else if (edits == 2)
			add_field(&edited, &seed);
		else if (edits == 3)
			edited.count = model.count + test_below(&seed, ELEMENTS - model.count + 1);
		for (size_t f = 0; f < edited.used; f++) {
			for (uint64_t i = model.count; i < edited.count; i++) {
				for (size_t j = 0; j < VALUES; j++) {
					edited.fields[f].number[i][j] = 1;
					edited.fields[f].bytes[i][j] = 0;
				}
			}
		}
		size_t live = 0;
		for (size_t f = 0; f < edited.used; f++)
			live += edited.fields[f].live;
		if (live == 0)
			continue;
		struct layout next;
		lay_out(&edited, &seed, &next);
		bool keep = test_below(&seed, 2);
		unsigned flags = keep ? VAT_ADOPT_KEEP : 0;
		struct vat_adopt_report report;
		int rc = vat_region_adopt(region, &next.decl, 1, flags, &report, &err);
		if (lossy) {
			assert_int_equal(rc, -EUCLEAN);
			assert_int_equal(report.changes[0].outcome, VAT_REFUSED);
			assert_true(report.changes[0].field_id != 0);
			vat_adopt_report_finish(&report);
			check_values(region, &model);
			if (test_below(&seed, 2))
				continue;
			rc = vat_region_adopt(
				region, &next.decl, 1, flags | VAT_ADOPT_LOSSY, &report, &err);
			assert_true(report.changes[0].lossy);
		}
		if (rc < 0)
			fail_msg("%s", err.text);
		vat_adopt_report_finish(&report);
		check_values(region, &edited);
		if (vat_region_has_previous(region)) {
			if (test_below(&seed, 2)) {
				assert_ok(vat_region_rollback(region, &err), err);
				check_values(region, &model);
				continue;
			}
			assert_ok(vat_region_forget_previous(region, &err), err);
		}
		model = edited;
		/* Room for new fields: forget those that are gone. */
		if (model.used == FIELDS) {
			size_t used = 0;
			for (size_t f = 0; f < model.used; f++) {
				if (model.fields[f].live)
					model.fields[used++] = model.fields[f];
			}
			model.used = used;
			lay_out(&model, &seed, &next);
			assert_ok(vat_region_adopt(region, &next.decl, 1, 0, NULL, &err), err);
		}
		check_values(region, &model);
		write_values(region, &model, &next, &seed);
		check_values(region, &model);
	}
	vat_region_unmap(region);
	close(fd);
}

static void test_random_edits(void **state) {
	const char *given = getenv("VAT_TEST_SEED");
	uint64_t first = given ? strtoull(given, NULL, 0) : 1;
	for (uint64_t seed = first; seed < first + (given ? 1 : 60); seed++) {
		print_message("# seed %llu\n", (unsigned long long)seed);
		random_edits(seed * 0x9e3779b97f4a7c15ull, 60);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_migrate),
		cmocka_unit_test(test_refuse),
		cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_adopt_refuses),
		cmocka_unit_test(test_random_edits),
	};
	return cmocka_run_group_tests_name("vat_adopt", tests, NULL, NULL);
}
