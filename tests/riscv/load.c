/* SPDX-License-Identifier: MIT */
/* ELF files and flat images: one that is right, and every way to be wrong, each with its line. */
#include <elf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "board.h"

#define RAM (64 * 1024)
#define HOST_AT 0x800 /* of tohost and fromhost, in the first segment */

/* A small program: two segments, a table of symbols and its names. */
struct program {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	Elf64_Shdr sections[3];
	Elf64_Sym symbols[3];
	char names[24];
	uint8_t code[16];
};

static const char names[24] = "\0tohost\0fromhost\0";

static struct program right(void) {
	struct program p = {
		.header =
			{
				.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB,
					EV_CURRENT},
				.e_type = ET_EXEC,
				.e_machine = EM_RISCV,
				.e_version = EV_CURRENT,
				.e_entry = RV_RAM_BASE + 4,
				.e_phoff = offsetof(struct program, segments),
				.e_shoff = offsetof(struct program, sections),
				.e_ehsize = sizeof(Elf64_Ehdr),
				.e_phentsize = sizeof(Elf64_Phdr),
				.e_phnum = 2,
				.e_shentsize = sizeof(Elf64_Shdr),
				.e_shnum = 3,
				.e_shstrndx = 2,
			},
		.segments =
			{
				{.p_type = PT_LOAD,
					.p_offset = offsetof(struct program, code),
					.p_vaddr = RV_RAM_BASE,
					.p_paddr = RV_RAM_BASE,
					.p_filesz = sizeof(p.code),
					.p_memsz = 0x1000},
				{.p_type = PT_LOAD,
					.p_offset = offsetof(struct program, code) + 4,
					.p_vaddr = 0xffffffff80001000,
					.p_paddr = RV_RAM_BASE + 0x2000,
					.p_filesz = 4,
					.p_memsz = 8},
			},
		.sections =
			{
				{},
				{.sh_type = SHT_SYMTAB,
					.sh_offset = offsetof(struct program, symbols),
					.sh_size = sizeof(p.symbols),
					.sh_entsize = sizeof(Elf64_Sym),
					.sh_link = 2},
				{.sh_type = SHT_STRTAB,
					.sh_offset = offsetof(struct program, names),
					.sh_size = sizeof(p.names)},
			},
		.symbols =
			{
				{},
				{.st_name = 1, .st_shndx = 1, .st_value = RV_RAM_BASE + HOST_AT},
				{.st_name = 8,
					.st_shndx = 1,
					.st_value = RV_RAM_BASE + HOST_AT + 64},
			},
	};
	memcpy(p.names, names, sizeof(names));
	for (unsigned i = 0; i < sizeof(p.code); i++)
		p.code[i] = i + 1;
	return p;
}

static int setup(void **state) {
	struct rv_machine *m = board_create(1, RAM, 0);
	memset(m->ram, 0xaa, RAM);
	*state = m;
	return 0;
}

static int teardown(void **state) {
	board_destroy(*state);
	return 0;
}

static void assert_refused(struct rv_machine *m, const void *data, size_t size, const char *text) {
	char why[200] = "";
	struct rv_image image = {.entry = 1};
	/* Of its own, so that a sanitizer sees what is read behind it. */
	uint8_t *file = malloc(size ? size : 1);
	memcpy(file, data, size);
	assert_false(rv_load_image(m, file, size, RV_RAM_BASE, &image, why, sizeof(why)));
	free(file);
	if (!strstr(why, text))
		fail_msg("said \"%s\", not \"%s\"", why, text);
	assert_null(strchr(why, '\n'));
	/* Nothing was changed. */
	assert_int_equal(image.entry, 1);
	assert_int_equal(m->board->tohost, 0);
	for (unsigned i = 0; i < RAM; i++)
		assert_int_equal(m->ram[i], 0xaa);
}

static void test_loads(void **state) {
	struct rv_machine *m = *state;
	struct program p = right();
	char why[200];
	struct rv_image loaded;
	assert_true(rv_load_image(m, &p, sizeof(p), 0, &loaded, why, sizeof(why)));
	assert_int_equal(loaded.entry, RV_RAM_BASE + 4);
	assert_int_equal(loaded.start, RV_RAM_BASE);
	assert_int_equal(loaded.end, RV_RAM_BASE + 0x2008);
	assert_memory_equal(m->ram, p.code, sizeof(p.code));
	for (unsigned i = sizeof(p.code); i < 0x1000; i++)
		assert_int_equal(m->ram[i], 0);
	assert_int_equal(m->ram[0x1000], 0xaa);
	assert_memory_equal(m->ram + 0x2000, p.code + 4, 4);
	assert_int_equal(m->ram[0x2007], 0);
	assert_int_equal(m->ram[0x2008], 0xaa);
	assert_int_equal(m->board->tohost, RV_RAM_BASE + HOST_AT);
	assert_int_equal(m->board->fromhost, RV_RAM_BASE + HOST_AT + 64);
}

static void test_entry_of_virtual_address(void **state) {
	struct rv_machine *m = *state;
	struct program p = right();
	char why[200];
	struct rv_image loaded;
	p.header.e_entry = 0xffffffff80001002;
	assert_true(rv_load_image(m, &p, sizeof(p), 0, &loaded, why, sizeof(why)));
	assert_int_equal(loaded.entry, RV_RAM_BASE + 0x2002);
}

static void test_stripped(void **state) {
	struct rv_machine *m = *state;
	struct program p = right();
	char why[200];
	struct rv_image loaded;
	p.header.e_shoff = p.header.e_shnum = 0;
	assert_true(rv_load_image(m, &p, sizeof(p), 0, &loaded, why, sizeof(why)));
	assert_int_equal(m->board->tohost, 0);
}

static void test_flat(void **state) {
	struct rv_machine *m = *state;
	static const uint8_t image[100] = {1, 2, 3};
	char why[200];
	struct rv_image loaded;
	assert_true(rv_load_image(
		m, image, sizeof(image), RV_RAM_BASE + RAM - 100, &loaded, why, sizeof(why)));
	assert_int_equal(loaded.entry, RV_RAM_BASE + RAM - 100);
	assert_memory_equal(m->ram + RAM - 100, image, sizeof(image));
	assert_int_equal(m->ram[RAM - 101], 0xaa);
	assert_false(rv_load_image(
		m, image, sizeof(image), RV_RAM_BASE + RAM - 99, &loaded, why, sizeof(why)));
	assert_non_null(strstr(why, "does not fit"));
	assert_false(rv_load_image(m, image, sizeof(image), 0, &loaded, why, sizeof(why)));
	assert_false(
		rv_load_image(m, image, sizeof(image), UINT64_MAX - 9, &loaded, why, sizeof(why)));
	assert_false(rv_load_image(m, image, 0, RV_RAM_BASE, &loaded, why, sizeof(why)));
	assert_non_null(strstr(why, "empty"));
}

/* As many headers as there can be, each of which would have to be compared with all others. */
static void test_many_segments(void **state) {
	struct rv_machine *m = *state;
	struct program p = right();
	const size_t size = sizeof(p) + 65535 * sizeof(Elf64_Phdr);
	uint8_t *file = calloc(1, size);
	p.header.e_phoff = sizeof(p);
	for (unsigned count = 1025; count <= 65535; count += 64510) {
		char text[40];
		snprintf(text, sizeof(text), "%u segments", count);
		p.header.e_phnum = (uint16_t)count;
		memcpy(file, &p, sizeof(p));
		assert_refused(m, file, size, text);
	}
	/* So many are looked at. */
	p.header.e_phnum = 1024;
	memcpy(file, &p, sizeof(p));
	assert_refused(m, file, size, "its entry");
	free(file);
}

#define WRONG(field, value, text)                                                                  \
	do {                                                                                       \
		struct program p = right();                                                        \
		p.field = (value);                                                                 \
		assert_refused(m, &p, sizeof(p), text);                                            \
	} while (0)

static void test_wrong_headers(void **state) {
	struct rv_machine *m = *state;
	WRONG(header.e_ident[EI_CLASS], ELFCLASS32, "class 1");
	WRONG(header.e_ident[EI_CLASS], 0, "class 0");
	WRONG(header.e_ident[EI_DATA], ELFDATA2MSB, "big-endian");
	WRONG(header.e_ident[EI_VERSION], 2, "version");
	WRONG(header.e_version, 0, "version");
	WRONG(header.e_machine, EM_X86_64, "machine 62");
	WRONG(header.e_type, ET_REL, "type 1");
	WRONG(header.e_type, ET_DYN, "type 3");
	WRONG(header.e_phnum, 0, "without segments");
	WRONG(header.e_phentsize, 32, "program headers have 32 bytes");
	WRONG(header.e_shentsize, 40, "section headers have 40 bytes");
	WRONG(header.e_phoff, sizeof(struct program) - 10, "program headers go beyond");
	WRONG(header.e_phoff, UINT64_MAX - 10, "program headers go beyond");
	WRONG(header.e_shoff, sizeof(struct program), "section headers go beyond");
	WRONG(header.e_shoff, UINT64_MAX, "section headers go beyond");
	WRONG(header.e_phnum, 0xffff, "program headers go beyond");
	WRONG(header.e_entry, RV_RAM_BASE - 4, "entry");
	WRONG(header.e_entry, RV_RAM_BASE + 0x1000, "entry");
	WRONG(header.e_entry, RV_RAM_BASE + 0xfff, "entry");
	WRONG(header.e_entry, RV_RAM_BASE + 1, "entry");
	WRONG(header.e_entry, UINT64_MAX, "entry");
}

static void test_wrong_segments(void **state) {
	struct rv_machine *m = *state;
	WRONG(segments[0].p_filesz, 0x1001, "more bytes in the file");
	WRONG(segments[1].p_offset, sizeof(struct program) - 3, "truncated: segment 1");
	WRONG(segments[1].p_offset, UINT64_MAX - 1, "truncated: segment 1");
	WRONG(segments[1].p_paddr, RV_RAM_BASE - 1, "outside RAM");
	WRONG(segments[1].p_paddr, RV_RAM_BASE + RAM - 7, "outside RAM");
	WRONG(segments[1].p_paddr, UINT64_MAX - 3, "outside RAM");
	WRONG(segments[1].p_paddr, 0, "outside RAM");
	WRONG(segments[0].p_memsz, RAM + 1, "outside RAM");
	WRONG(segments[0].p_memsz, UINT64_MAX, "outside RAM");
	WRONG(segments[0].p_memsz, 0x2001, "segments 0 and 1 overlap");
	WRONG(segments[1].p_paddr, RV_RAM_BASE + 0xfff, "segments 0 and 1 overlap");
	WRONG(segments[1].p_paddr, RV_RAM_BASE, "segments 0 and 1 overlap");
}

static void test_wrong_symbols(void **state) {
	struct rv_machine *m = *state;
	WRONG(sections[1].sh_link, 3, "symbol table");
	WRONG(sections[1].sh_entsize, 0, "symbol table");
	WRONG(sections[1].sh_size, sizeof(struct program), "symbols go beyond");
	WRONG(sections[1].sh_offset, UINT64_MAX, "symbols go beyond");
	WRONG(sections[2].sh_size, UINT64_MAX, "symbols go beyond");
	WRONG(symbols[1].st_value, RV_RAM_BASE + 4, "tohost");
	WRONG(symbols[1].st_value, RV_RAM_BASE + 0x1000, "tohost");
	WRONG(symbols[1].st_value, 0, "tohost");
	WRONG(symbols[2].st_value, UINT64_MAX, "fromhost");
}

static void test_truncated(void **state) {
	struct rv_machine *m = *state;
	struct program p = right();
	for (size_t size = SELFMAG; size < sizeof(p); size++)
		assert_refused(m, &p, size, size == SELFMAG ? "truncated" : "");
	assert_refused(m, &p, 40, "truncated: the ELF header has 64 bytes, the file 40");
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_loads),
		TEST(test_entry_of_virtual_address),
		TEST(test_stripped),
		TEST(test_flat),
		TEST(test_many_segments),
		TEST(test_wrong_headers),
		TEST(test_wrong_segments),
		TEST(test_wrong_symbols),
		TEST(test_truncated),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
