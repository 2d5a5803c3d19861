/* SPDX-License-Identifier: MIT */
/* The check of artifacts: good ones, and all kinds of bad ones, compiled as the tests run. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "tile_elf.h"

static char folder[] = "/tmp/source-city-elf-XXXXXX";

/* A whole tile; BEFORE is put in front of it, DESCRIPTOR into its descriptor. */
static const char tile_source[] =
	"#include \"tile.h\"\n"
	"#include <stdio.h>\n"
	"#include <stdlib.h>\n"
	"#include <string.h>\n"
	"#include <math.h>\n"
	"BEFORE\n"
	"struct dot { double x[2]; unsigned char name[8]; };\n"
	"static const struct vat_field fields[] = {\n"
	"	VAT_FIELD_INIT(1, F64, struct dot, x, .f = 0.5),\n"
	"	VAT_FIELD(7, TEXT, struct dot, name),\n"
	"};\n"
	"static const struct vat_cell_decl cells[] = {\n"
	"	VAT_CELL(\"dots\", struct dot, 32, fields, .scope = \"room\", .version = 3),\n"
	"};\n"
	"static bool attach(struct tile *tile, enum tile_attach why) { return USE; }\n"
	"static void draw(struct tile *tile, const struct tile_canvas *canvas) {}\n"
	"#ifndef PORT\n"
	"#define PORT \"pty\"\n"
	"#endif\n"
	"#ifndef RENDER\n"
	"#define RENDER NULL\n"
	"#endif\n"
	"static const struct tile_port ports[] = {{.name = \"out\", .kind = PORT, .direction = "
	"TILE_PORT_OUT}};\n"
	"static const struct tile_ops ops = {.attach = attach, .draw = draw, .render = RENDER};\n"
	"TILE_EXPORT(.name = \"sample\", .role = \"example\", .summary = \"Nothing much\",\n"
	"	.cells = cells, .cell_count = 1, .ports = ports, .port_count = 1,\n"
	"	.default_width = 320, .default_height = 200, .ops = &ops DESCRIPTOR);\n";

/* An address in the file that is no code: that of a table. */
#define WRONG_RENDER "-D'RENDER=(void *)cells'"

/* Compile; the path is valid until the next call. */
static const char *compile(const char *source, const char *flags) {
	static char path[128];
	static unsigned number;
	char source_path[128], command[2048];
	snprintf(path, sizeof(path), "%s/%u.so", folder, ++number);
	snprintf(source_path, sizeof(source_path), "%s/%u.c", folder, number);
	FILE *file = fopen(source_path, "w");
	assert_non_null(file);
	fputs(source, file);
	fclose(file);
	snprintf(command, sizeof(command), "%s -w -o %s %s @%s %s %s", getenv("CITY_TEST_CC"), path,
		source_path, getenv("CITY_TILE_FLAGS"), getenv("CITY_TILE_INCLUDES"), flags);
	if (system(command) != 0) {
		fail_msg("%s", command);
	}
	return path;
}

static const char *compile_tile(
	const char *before, const char *use, const char *descriptor, const char *flags) {
	char all[2048];
	snprintf(all, sizeof(all), "-D'BEFORE=%s' -D'USE=%s' -D'DESCRIPTOR=%s' %s", before, use,
		descriptor, flags);
	return compile(tile_source, all);
}

static bool inspect(const char *path, struct elf_report *report) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	bool ok = elf_inspect(fd, report);
	close(fd);
	return ok;
}

static uint8_t *load(const char *path, size_t *size) {
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat stat;
	assert_int_equal(fstat(fd, &stat), 0);
	uint8_t *data = malloc(stat.st_size);
	assert_int_equal(read(fd, data, stat.st_size), stat.st_size);
	close(fd);
	*size = stat.st_size;
	return data;
}

/* The file is refused, with all of these words in the reason. */
#define assert_refused(path, ...) refused(path, (const char *const[]){__VA_ARGS__, NULL})
static void refused(const char *path, const char *const *words) {
	struct elf_report report;
	bool ok = inspect(path, &report) && elf_resolve(&report);
	if (ok) {
		fail_msg("accepted, in place of a reason with \"%s\"", words[0]);
	}
	for (; *words; words++) {
		if (!strstr(report.why, *words)) {
			fail_msg("\"%s\" says nothing of \"%s\"", report.why, *words);
		}
	}
	assert_null(strchr(report.why, '\n'));
	elf_report_finish(&report);
}

static void test_good(void **context) {
	const char *path =
		compile_tile("", "snprintf(0, 0, \"%f\", sin(tile->scale)) >= 0", "", "");
	struct elf_report report;
	if (!inspect(path, &report)) {
		fail_msg("%s", report.why);
	}
	assert_string_equal(report.why, "");
	assert_string_equal(report.tile.name, "sample");
	assert_string_equal(report.tile.role, "example");
	assert_string_equal(report.tile.summary, "Nothing much");
	assert_int_equal(report.tile.default_width, 320);
	assert_int_equal(report.tile.cell_count, 1);
	assert_string_equal(report.tile.cells[0].name, "dots");
	assert_string_equal(report.tile.cells[0].scope, "room");
	assert_int_equal(report.tile.cells[0].count, 32);
	assert_int_equal(report.tile.cells[0].version, 3);
	assert_int_equal(report.tile.cells[0].field_count, 2);
	assert_int_equal(report.tile.cells[0].fields[0].id, 1);
	assert_int_equal(report.tile.cells[0].fields[0].count, 2);
	assert_true(report.tile.cells[0].fields[0].initial.f == 0.5);
	assert_string_equal(report.tile.cells[0].fields[1].name, "name");
	assert_int_equal(report.tile.cells[0].fields[1].offset, 16);
	assert_int_equal(report.tile.port_count, 1);
	assert_string_equal(report.tile.ports[0].kind, "pty");
	assert_null(report.tile.ops);
	assert_int_equal(strlen(report.build_id), 40);
	bool found = false;
	for (size_t i = 0; i < report.import_count; i++) {
		found = found || strcmp(report.imports[i], "snprintf") == 0;
	}
	assert_true(found);
	assert_true(elf_resolve(&report));
	elf_report_finish(&report);
}

/* Packed relative relocations leave the addresses in place; linked that way the same is read. */
static void test_packed_relocations(void **context) {
	const char *path = compile_tile("", "true", "", "-Wl,-z,pack-relative-relocs");
	struct elf_report report;
	if (!inspect(path, &report)) {
		fail_msg("%s", report.why);
	}
	assert_string_equal(report.tile.cells[0].fields[1].name, "name");
	elf_report_finish(&report);
}

/* The examples of the documentation are tiles. */
static void test_document(void **context) {
	FILE *file = fopen(getenv("CITY_TILE_DOCUMENT"), "r");
	assert_non_null(file);
	static char source[16384], line[512];
	static const char *const names[] = {"hello", "timer", "tone"};
	size_t size = 0, found = 0;
	bool inside = false;
	while (fgets(line, sizeof(line), file)) {
		if (inside && strcmp(line, "```\n") == 0) {
			struct elf_report report;
			if (!inspect(compile(source, "-Werror"), &report)) {
				fail_msg("%s", report.why);
			}
			assert_true(found < sizeof(names) / sizeof(names[0]));
			assert_string_equal(report.tile.name, names[found]);
			found++;
			elf_report_finish(&report);
			inside = false;
		} else if (inside) {
			size += snprintf(source + size, sizeof(source) - size, "%s", line);
		} else if (strcmp(line, "```c\n") == 0) {
			inside = true;
			size = 0;
		}
	}
	fclose(file);
	assert_int_equal(found, sizeof(names) / sizeof(names[0]));
}

/* An artifact of the first ABI has a shorter descriptor; nothing is read behind it. */
static void test_older_abi(void **context) {
	static const char older[] = ", .abi_version = 1, .size = offsetof(struct tile_descriptor, "
				    "schemas), .edge_count = 77, .time_model = 9";
	struct elf_report report;
	if (!inspect(compile_tile("", "true", older, ""), &report)) {
		fail_msg("%s", report.why);
	}
	assert_int_equal(report.tile.abi_version, 1);
	assert_int_equal(report.tile.cell_count, 1);
	assert_int_equal(report.tile.edge_count, 0);
	assert_int_equal(report.tile.time_model, TILE_TIME_NONE);
	elf_report_finish(&report);
	/* Nor behind the operations of the second, which had no render. */
	if (!inspect(compile_tile("", "true", ", .abi_version = 2", WRONG_RENDER), &report)) {
		fail_msg("%s", report.why);
	}
	elf_report_finish(&report);
	assert_refused(compile_tile("", "true", "", WRONG_RENDER), "render", "no code");
	/* Sound that nobody makes. */
	static const char sounds[] = "-D'PORT=TILE_PORT_SOUND'";
	assert_refused(compile_tile("", "true", "", sounds), "port out", "no operation render");
	if (!inspect(compile_tile("", "true", ", .abi_version = 2", sounds), &report)) {
		fail_msg("%s", report.why);
	}
	elf_report_finish(&report);
}

/* FIRST is put into the one edge after what makes it a good one. */
static const char edge_source[] =
	"#include \"tile.h\"\n"
	"struct dot { double x[2]; unsigned char name[8]; };\n"
	"struct dot1 { float x[2]; };\n"
	"static const struct vat_field fields[] = {\n"
	"	VAT_FIELD(1, F64, struct dot, x), VAT_FIELD(7, TEXT, struct dot, name)};\n"
	"static const struct vat_field fields1[] = {VAT_FIELD(1, F32, struct dot1, x)};\n"
	"static const struct vat_cell_decl cells[] = {\n"
	"	VAT_CELL(\"dots\", struct dot, 32, fields, .version = 3)};\n"
	"static const struct vat_cell_decl schemas[] = {\n"
	"	VAT_CELL(\"dots\", struct dot1, 1, fields1, .version = 1),\n"
	"	VAT_CELL(\"dots\", struct dot, 1, fields, .version = SECOND)};\n"
	"static bool forth(const void *from, void *to, uint64_t n) { return true; }\n"
	"static bool back(const void *from, void *to, uint64_t n) { return n > 0; }\n"
	"static const uint32_t lost[] = {7, 1};\n"
	"static const struct vat_edge edges[] = {\n"
	"	{.cell = \"dots\", .from = 1, .to = 3, .kind = VAT_EDGE_LOSSLESS, .forth = forth,\n"
	"		.back = back, .lost = lost, .lost_count = 2 EDGE},\n"
	"	{.cell = \"dots\", .from = 3, .to = SECOND, .kind = VAT_EDGE_LOSSY,\n"
	"		.forth = forth}};\n"
	"static bool attach(struct tile *tile, enum tile_attach why) { return true; }\n"
	"static void draw(struct tile *tile, const struct tile_canvas *canvas) {}\n"
	"static const struct tile_ops ops = {.attach = attach, .draw = draw};\n"
	"TILE_EXPORT(.name = \"sample\", .cells = cells, .cell_count = 1, .schemas = schemas,\n"
	"	.schema_count = 2, .edges = edges, .edge_count = 2,\n"
	"	.time_model = TILE_TIME_PHASE, .time_period_ns = 5, .ops = &ops DESCRIPTOR);\n";

static const char *compile_edges(const char *second, const char *edge, const char *descriptor) {
	char flags[1024];
	snprintf(flags, sizeof(flags), "-D'SECOND=%s' -D'EDGE=%s' -D'DESCRIPTOR=%s'", second, edge,
		descriptor);
	return compile(edge_source, flags);
}

static void test_edges(void **context) {
	struct elf_report report;
	if (!inspect(compile_edges("2", "", ""), &report)) {
		fail_msg("%s", report.why);
	}
	assert_int_equal(report.tile.schema_count, 2);
	assert_int_equal(report.tile.schemas[0].version, 1);
	assert_int_equal(report.tile.schemas[0].fields[0].type, VAT_F32);
	assert_int_equal(report.tile.edge_count, 2);
	assert_string_equal(report.tile.edges[0].cell, "dots");
	assert_int_equal(report.tile.edges[0].kind, VAT_EDGE_LOSSLESS);
	assert_true(report.tile.edges[0].back != NULL);
	assert_int_equal(report.tile.edges[0].lost[0], 7);
	assert_true(report.tile.edges[1].forth != NULL && !report.tile.edges[1].back);
	assert_int_equal(report.tile.time_model, TILE_TIME_PHASE);
	assert_int_equal(report.tile.time_period_ns, 5);
	elf_report_finish(&report);

	assert_refused(compile_edges("2", ", .cell = 0", ""), "cell of an edge");
	assert_refused(compile_edges("2", ", .cell = \"dogs\"", ""), "dogs", "not declared");
	assert_refused(compile_edges("2", ", .to = 1", ""), "to itself");
	assert_refused(compile_edges("2", ", .from = 9", ""), "version 9 is not declared");
	assert_refused(compile_edges("2", ", .kind = 4", ""), "kind 4");
	assert_refused(compile_edges("2", ", .kind = 3, .back = 0", ""), "no function back");
	assert_refused(compile_edges("2", ", .forth = 0", ""), "no function forth");
	assert_refused(
		compile_edges("2", ", .forth = (const void *)lost", ""), "1 to 3", "no code");
	assert_refused(compile_edges("2", ", .lost = (const void *)-1", ""), "out of bounds");
	assert_refused(compile_edges("2", ", .lost_count = 1u << 30", ""), "loses 1073741824");
	assert_refused(compile_edges("2", ", .lost = (const uint32_t[]){4}, .lost_count = 1", ""),
		"field 4");
	assert_refused(compile_edges("1", "", ""), "version 1", "twice");
	assert_refused(compile_edges("2", ", .from = 2, .to = 3", ""), "two edges");
	assert_refused(compile_edges("2", "", ", .edge_count = 4000000"), "edges");
	assert_refused(compile_edges("2", "", ", .schemas = (const void *)-1"), "out of bounds");
	assert_refused(compile_edges("2", "", ", .schema_count = 0"), "version 1 is not declared");
	assert_refused(compile_edges("2", "", ", .time_model = 8"), "time model");
	assert_refused(compile_edges("2", "", ", .time_period_ns = 0"), "time model");
	assert_refused(compile_edges("2", "", ", .warm_up_ms = 10001"), "warm-up");
	assert_refused(compile_tile("", "true",
			       ", .ports = (const struct tile_port[]){{\"a\", \"b\", 1, 4}, "
			       "{\"c\", \"b\", 1, 4}}, .port_count = 2",
			       ""),
		"same id");
}

static void test_not_elf(void **context) {
	struct elf_report report;
	assert_false(elf_inspect_bytes("", 0, &report));
	assert_non_null(strstr(report.why, "empty"));
	assert_false(elf_inspect_bytes("#!/bin/sh\n", 10, &report));
	assert_non_null(strstr(report.why, "not an ELF file"));
	assert_false(elf_inspect_bytes("\177EL", 3, &report));
	assert_non_null(strstr(report.why, "truncated"));
	int fd = open("/", O_RDONLY | O_DIRECTORY);
	assert_false(elf_inspect(fd, &report));
	assert_non_null(strstr(report.why, "regular"));
	close(fd);
	assert_refused("/proc/self/exe", "program");
}

static void test_truncated(void **context) {
	size_t size;
	uint8_t *data = load(compile_tile("", "true", "", "-Wl,-s"), &size);
	struct elf_report report;
	assert_true(elf_inspect_bytes(data, size, &report));
	elf_report_finish(&report);
	for (size_t length = 0; length < size; length++) {
		/* Of exactly that size, so that reading beyond is noticed. */
		uint8_t *part = malloc(length ? length : 1);
		memcpy(part, data, length);
		assert_false(elf_inspect_bytes(part, length, &report));
		assert_true(*report.why);
		elf_report_finish(&report);
		free(part);
	}
	free(data);
}

static void test_garbled(void **context) {
	size_t size;
	uint8_t *data = load(compile_tile("", "true", "", "-Wl,-s"), &size);
	uint8_t *copy = malloc(size);
	uint64_t random = 88172645463325252ull;
	for (int round = 0; round < 20000; round++) {
		memcpy(copy, data, size);
		for (int n = 0; n <= round % 8; n++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			/* Mostly in the headers and tables, which are what matters. */
			size_t at = random % 3 ? random % 1024 : random % size;
			copy[at] = random >> 32;
		}
		struct elf_report report;
		elf_inspect_bytes(copy, size, &report);
		elf_report_finish(&report);
	}
	free(copy);
	free(data);
}

static void patched(size_t offset, const void *bytes, size_t count, const char *word) {
	size_t size;
	uint8_t *data = load(compile_tile("", "true", "", ""), &size);
	memcpy(data + offset, bytes, count);
	struct elf_report report;
	assert_false(elf_inspect_bytes(data, size, &report));
	if (!strstr(report.why, word)) {
		fail_msg("\"%s\" says nothing of \"%s\"", report.why, word);
	}
	elf_report_finish(&report);
	free(data);
}

static void test_other_machine(void **context) {
	Elf64_Half machine = EM_S390;
	patched(offsetof(Elf64_Ehdr, e_machine), &machine, sizeof(machine), "S/390");
	patched(EI_CLASS, &(uint8_t){ELFCLASS32}, 1, "64-bit");
	patched(EI_DATA, &(uint8_t){ELFDATA2MSB}, 1, "made for");
	Elf64_Half type = ET_REL;
	patched(offsetof(Elf64_Ehdr, e_type), &type, sizeof(type), "shared object");
}

static void test_executable_and_writable(void **context) {
	size_t size;
	uint8_t *data = load(compile_tile("", "true", "", ""), &size);
	Elf64_Ehdr header;
	memcpy(&header, data, sizeof(header));
	for (int i = 0; i < header.e_phnum; i++) {
		Elf64_Phdr *segment = (Elf64_Phdr *)(data + header.e_phoff) + i;
		if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X)) {
			segment->p_flags |= PF_W;
		}
	}
	struct elf_report report;
	assert_false(elf_inspect_bytes(data, size, &report));
	assert_non_null(strstr(report.why, "both writable and executable"));
	elf_report_finish(&report);
	free(data);
}

static void test_descriptor(void **context) {
	assert_refused(compile_tile("", "true", ", .abi_version = 99", ""), "99", "version 3");
	assert_refused(compile_tile("", "true", ", .capabilities = TILE_CAP_AUDIO << 1", ""),
		"capabilities 0x100", "newer");
	assert_refused(compile_tile("", "true", ", .magic = 5", ""), "magic");
	assert_refused(compile_tile("", "true", ", .size = 8", ""), "8 bytes");
	assert_refused(compile_tile("", "true", ", .ops = 0", ""), "operations");
	assert_refused(compile_tile("", "true", ", .ops = (const void *)&fields", ""), "no code");
	assert_refused(compile_tile("", "true", ", .name = 0", ""), "no name");
	assert_refused(compile_tile("", "true", ", .name = \"No Name\"", ""), "valid name");
	assert_refused(compile_tile("", "true", ", .cell_count = 4000000", ""), "cells");
	assert_refused(compile_tile("", "true", ", .cell_count = 2000", ""), "out of bounds");
	assert_refused(compile_tile("", "true", ", .cells = (const void *)0x7000000", ""),
		"out of bounds");
	assert_refused(compile_tile("", "true", ", .summary = (const char *)-1", ""), "summary");
	assert_refused(compile_tile("", "true", ", .default_width = -1", ""), "size");
	assert_refused(compile("int other(void) { return 1; }\n", "-fvisibility=default"),
		"no tile", "source_city_tile");
}

static void test_bad_cells(void **context) {
	static const char source[] =
		"#include \"tile.h\"\n"
		"static const struct vat_field fields[] = {{.id = 1, .type = TYPE, .count = 1, "
		".offset = OFFSET, .name = \"x\"}};\n"
		"static const struct vat_cell_decl cells[] = {{.name = NAME, .fields = fields, "
		".field_count = 1, .stride = 8, .count = 1}};\n"
		"static bool attach(struct tile *tile, enum tile_attach why) { return true; }\n"
		"static void draw(struct tile *tile, const struct tile_canvas *canvas) {}\n"
		"static const struct tile_ops ops = {.attach = attach, .draw = draw};\n"
		"TILE_EXPORT(.name = \"sample\", .cells = cells, .cell_count = 1, .ops = &ops);\n";
	struct elf_report report;
	assert_true(
		inspect(compile(source, "-DTYPE=VAT_U64 -DOFFSET=0 -D'NAME=\"good\"'"), &report));
	elf_report_finish(&report);
	assert_refused(compile(source, "-DTYPE=77 -DOFFSET=0 -D'NAME=\"state\"'"), "state");
	assert_refused(compile(source, "-DTYPE=VAT_U64 -DOFFSET=4 -D'NAME=\"state\"'"), "state");
	assert_refused(
		compile(source, "-DTYPE=VAT_U64 -DOFFSET=0 -D'NAME=\"Bad name\"'"), "Bad name");
	assert_refused(compile(source, "-DTYPE=VAT_U64 -DOFFSET=0 -DNAME=0"), "name of a cell");
}

static void test_imports(void **context) {
	assert_refused(compile_tile("", "system(\"x\") == 0", "", ""), "uses system", "list");
	assert_refused(
		compile_tile("int pixman_no_such(void);", "pixman_no_such()", "", "-Wl,-z,undefs"),
		"unresolved import", "pixman_no_such");
	assert_refused(compile_tile("", "true", "", "-Wl,--no-as-needed -lexpat"), "libexpat");
	assert_refused(compile_tile("", "true", "", "-Wl,-rpath,/tmp"), "search path");
}

static void test_code_at_load(void **context) {
	assert_refused(
		compile_tile("__attribute__((constructor)) static void f(void) { puts(\"\"); }",
			"true", "", "-Wl,-z,undefs"),
		"constructor", "DT_INIT_ARRAY");
	assert_refused(compile_tile("__attribute__((destructor)) static void f(void) { abort(); }",
			       "true", "", ""),
		"destructor", "DT_FINI_ARRAY");
	assert_refused(compile_tile("void begin(void) { abort(); }", "true", "", "-Wl,-init,begin"),
		"DT_INIT");
	assert_refused(
		compile_tile(
			"static int f(void) { return 1; } static void *pick(void) { return f; } "
			"int g(void) __attribute__((ifunc(\"pick\")));",
			"g()", "", ""),
		"ifunc");
}

static void test_writable(void **context) {
	assert_refused(compile_tile("static int counter = 5;", "++counter > 7", "", ""),
		"writable data", "counter", ".data");
	assert_refused(compile_tile("static int counter;", "++counter > 7", "", ""),
		"writable data", "counter", ".bss");
	/* Stripped, so the variable has no name any more. */
	assert_refused(compile_tile("static int counter;", "++counter > 7", "", "-Wl,-s"),
		"writable data", ".bss");
	assert_refused(compile_tile("", "true", "", "-Wl,-z,norelro"), "writable data");
	assert_refused(compile_tile("static _Thread_local int counter;", "++counter > 7", "", ""),
		"thread-local", "counter");
}

static void test_link_flags(void **context) {
	assert_refused(compile_tile("", "abs(tile->width) > 0 && strlen(tile->scratch)", "",
			       "-Wl,-z,lazy -fplt"),
		"lazily");
	assert_refused(compile_tile("", "true", "", "-Wl,-z,execstack"), "executable stack");
}

static void test_allow_list(void **context) {
	assert_true(elf_import_allowed("memcpy"));
	assert_true(elf_import_allowed("fcft_from_name"));
	assert_true(elf_import_allowed("tan"));
	assert_false(elf_import_allowed("memcpyx"));
	assert_false(elf_import_allowed("memcp"));
	assert_false(elf_import_allowed(""));
	assert_false(elf_import_allowed("fopen"));
	assert_false(elf_import_allowed("open"));
	assert_false(elf_import_allowed("clock_gettime"));
	assert_false(elf_import_allowed("pthread_create"));
	assert_false(elf_import_allowed("login"));
}

static int make_folder(void **context) {
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **context) {
	char command[128];
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

int main(void) {
	if (!getenv("CITY_TEST_CC") || !getenv("CITY_TILE_DOCUMENT") ||
		!getenv("CITY_TILE_FLAGS") || !getenv("CITY_TILE_INCLUDES")) {
		fprintf(stderr, "run by meson: it names the compiler\n");
		return 77;
	}
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_packed_relocations),
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_older_abi),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_not_elf),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_garbled),
		cmocka_unit_test(test_other_machine),
		cmocka_unit_test(test_executable_and_writable),
		cmocka_unit_test(test_descriptor),
		cmocka_unit_test(test_bad_cells),
		cmocka_unit_test(test_imports),
		cmocka_unit_test(test_code_at_load),
		cmocka_unit_test(test_writable),
		cmocka_unit_test(test_link_flags),
		cmocka_unit_test(test_allow_list),
	};
	return cmocka_run_group_tests_name("elf", tests, make_folder, remove_folder);
}
