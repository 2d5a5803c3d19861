/* SPDX-License-Identifier: MIT */
/* Loads what the guest begins with: an ELF executable or a flat image. The file may be anything. */
#include <elf.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "machine.h"

/* Each is compared with all others; real programs have about ten. */
#define SEGMENTS_MAX 1024

struct file {
	struct rv_machine *m;
	const uint8_t *data;
	size_t size;
	Elf64_Ehdr header;
	char *why;
	size_t why_size;
};

[[gnu::format(printf, 2, 3)]] static bool refuse(const struct file *file, const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(file->why, file->why_size, format, args);
	va_end(args);
	return false;
}

/* Whether that part of the file is there; nothing of it overflows. */
static bool has(const struct file *file, uint64_t offset, uint64_t size) {
	return offset <= file->size && size <= file->size - offset;
}

static Elf64_Phdr segment(const struct file *file, unsigned index) {
	Elf64_Phdr found;
	memcpy(&found, file->data + file->header.e_phoff + index * sizeof(found), sizeof(found));
	return found;
}

static Elf64_Shdr section(const struct file *file, unsigned index) {
	Elf64_Shdr found;
	memcpy(&found, file->data + file->header.e_shoff + index * sizeof(found), sizeof(found));
	return found;
}

static bool is_loaded(const Elf64_Phdr *segment) {
	return segment->p_type == PT_LOAD && segment->p_memsz > 0;
}

static bool check_header(struct file *file) {
	Elf64_Ehdr *header = &file->header;
	const unsigned char *ident = file->data;
	/* Of another class its header is a shorter one. */
	if (file->size > EI_CLASS && ident[EI_CLASS] != ELFCLASS64)
		return refuse(file,
			"an ELF file of class %u: only 64 bit programs (class 2) can be run",
			ident[EI_CLASS]);
	if (!has(file, 0, sizeof(*header)))
		return refuse(file, "truncated: the ELF header has %zu bytes, the file %zu",
			sizeof(*header), file->size);
	memcpy(header, file->data, sizeof(*header));
	if (ident[EI_DATA] != ELFDATA2LSB)
		return refuse(file, "a big-endian ELF file: this machine is little-endian");
	if (ident[EI_VERSION] != EV_CURRENT || header->e_version != EV_CURRENT)
		return refuse(file, "an ELF file of an unknown version");
	if (header->e_machine != EM_RISCV)
		return refuse(file, "a program for machine %u: this one is RISC-V (%u)",
			header->e_machine, EM_RISCV);
	if (header->e_type != ET_EXEC)
		return refuse(file,
			"an ELF file of type %u: only executables (type 2) with fixed addresses "
			"can "
			"be run; link it with -static and without -pie",
			header->e_type);
	if (header->e_phnum == 0)
		return refuse(file, "an ELF file without segments: nothing to load");
	if (header->e_phentsize != sizeof(Elf64_Phdr))
		return refuse(file, "its program headers have %u bytes each, not %zu",
			header->e_phentsize, sizeof(Elf64_Phdr));
	if (!has(file, header->e_phoff, header->e_phnum * sizeof(Elf64_Phdr)))
		return refuse(file, "truncated: its program headers go beyond the end of the file");
	if (header->e_phnum > SEGMENTS_MAX)
		return refuse(file, "an ELF file with %u segments: at most %d can be loaded",
			header->e_phnum, SEGMENTS_MAX);
	return true;
}

static bool check_segment(struct file *file, unsigned index) {
	Elf64_Phdr one = segment(file, index);
	if (!is_loaded(&one))
		return true;
	if (one.p_filesz > one.p_memsz)
		return refuse(file, "segment %u has more bytes in the file than in memory", index);
	if (!has(file, one.p_offset, one.p_filesz))
		return refuse(file,
			"truncated: segment %u goes beyond the end of the file (%zu bytes)", index,
			file->size);
	if (!rv_is_ram(file->m, one.p_paddr, one.p_memsz))
		return refuse(file,
			"segment %u (0x%" PRIx64 ", 0x%" PRIx64 " bytes) lies outside RAM (0x%llx, "
			"0x%" PRIx64 " bytes)%s",
			index, one.p_paddr, one.p_memsz, RV_RAM_BASE, file->m->ram_size,
			one.p_offset == 0 ? ": it begins with the file's own headers; link with "
					    "-Wl,-n, or by a linker script, to leave them out"
				: one.p_paddr < RV_RAM_BASE
				? ": link it to where RAM is, as with -Wl,-Ttext=0x80000000"
				: ": give the machine more memory");
	for (unsigned i = 0; i < index; i++) {
		Elf64_Phdr other = segment(file, i);
		if (is_loaded(&other) && one.p_paddr < other.p_paddr + other.p_memsz &&
			other.p_paddr < one.p_paddr + one.p_memsz)
			return refuse(file, "segments %u and %u overlap", i, index);
	}
	return true;
}

/* Where `size` bytes at an address of the program are in RAM. */
static bool physical_of(
	const struct file *file, uint64_t address, uint64_t size, uint64_t *physical) {
	for (unsigned i = 0; i < file->header.e_phnum; i++) {
		Elf64_Phdr one = segment(file, i);
		if (!is_loaded(&one) || address < one.p_vaddr)
			continue;
		uint64_t offset = address - one.p_vaddr;
		if (offset < one.p_memsz && one.p_memsz - offset >= size) {
			*physical = one.p_paddr + offset;
			return true;
		}
	}
	return false;
}

static bool check_sections(struct file *file) {
	const Elf64_Ehdr *header = &file->header;
	if (header->e_shoff == 0 || header->e_shnum == 0)
		return true;
	if (header->e_shentsize != sizeof(Elf64_Shdr))
		return refuse(file, "its section headers have %u bytes each, not %zu",
			header->e_shentsize, sizeof(Elf64_Shdr));
	if (!has(file, header->e_shoff, header->e_shnum * sizeof(Elf64_Shdr)))
		return refuse(file, "truncated: its section headers go beyond the end of the file");
	return true;
}

static bool is_named(
	const struct file *file, const Elf64_Shdr *names, uint32_t offset, const char *name) {
	size_t size = strlen(name) + 1;
	return offset <= names->sh_size && size <= names->sh_size - offset &&
		memcmp(file->data + names->sh_offset + offset, name, size) == 0;
}

/* HTIF's two words, if the program has them. */
static bool find_htif(
	struct file *file, const Elf64_Shdr *symbols, uint64_t *tohost, uint64_t *fromhost) {
	const Elf64_Ehdr *header = &file->header;
	if (symbols->sh_link >= header->e_shnum || symbols->sh_entsize != sizeof(Elf64_Sym))
		return refuse(file, "its symbol table is damaged");
	Elf64_Shdr names = section(file, symbols->sh_link);
	if (!has(file, symbols->sh_offset, symbols->sh_size) ||
		!has(file, names.sh_offset, names.sh_size))
		return refuse(file, "truncated: its symbols go beyond the end of the file");
	for (uint64_t i = 0; i < symbols->sh_size / sizeof(Elf64_Sym); i++) {
		Elf64_Sym symbol;
		memcpy(&symbol, file->data + symbols->sh_offset + i * sizeof(symbol),
			sizeof(symbol));
		bool is_tohost = is_named(file, &names, symbol.st_name, "tohost");
		if (symbol.st_shndx == SHN_UNDEF ||
			(!is_tohost && !is_named(file, &names, symbol.st_name, "fromhost")))
			continue;
		uint64_t physical;
		if (!physical_of(file, symbol.st_value, 8, &physical) || physical % 8 != 0)
			return refuse(file,
				"its symbol %s (0x%" PRIx64 ") is not 8 aligned bytes of a segment",
				is_tohost ? "tohost" : "fromhost", symbol.st_value);
		*(is_tohost ? tohost : fromhost) = physical;
	}
	return true;
}

static void load(
	struct file *file, uint64_t address, const uint8_t *data, uint64_t size, uint64_t memory) {
	uint8_t *to = file->m->ram + (address - RV_RAM_BASE);
	memcpy(to, data, size);
	memset(to + size, 0, memory - size);
	if (file->m->page_flags)
		rv_machine_written(file->m, address, memory);
}

static bool load_elf(struct file *file, struct rv_image *image) {
	uint64_t tohost = 0, fromhost = 0, start;
	if (!check_header(file) || !check_sections(file))
		return false;
	for (unsigned i = 0; i < file->header.e_phnum; i++)
		if (!check_segment(file, i))
			return false;
	if (!physical_of(file, file->header.e_entry, 2, &start) || start % 2 != 0)
		return refuse(file, "its entry 0x%" PRIx64 " is in none of its segments",
			file->header.e_entry);
	for (unsigned i = 0; file->header.e_shoff && i < file->header.e_shnum; i++) {
		Elf64_Shdr one = section(file, i);
		if (one.sh_type != SHT_SYMTAB)
			continue;
		if (!find_htif(file, &one, &tohost, &fromhost))
			return false;
		/* There is one at most; more would only be the same one again and again. */
		break;
	}
	/* Nothing was changed up to here. */
	*image = (struct rv_image){.start = UINT64_MAX, .entry = start};
	for (unsigned i = 0; i < file->header.e_phnum; i++) {
		Elf64_Phdr one = segment(file, i);
		if (!is_loaded(&one))
			continue;
		load(file, one.p_paddr, file->data + one.p_offset, one.p_filesz, one.p_memsz);
		if (one.p_paddr < image->start)
			image->start = one.p_paddr;
		if (one.p_paddr + one.p_memsz > image->end)
			image->end = one.p_paddr + one.p_memsz;
	}
	file->m->board->tohost = tohost;
	file->m->board->fromhost = fromhost;
	if (tohost && file->m->page_flags)
		file->m->page_flags[(tohost - RV_RAM_BASE) / RV_PAGE] |= RV_PAGE_WATCHED;
	return true;
}

bool rv_load_image(struct rv_machine *m, const void *data, size_t size, uint64_t address,
	struct rv_image *image, char *why, size_t why_size) {
	struct file file = {.m = m, .data = data, .size = size, .why = why, .why_size = why_size};
	if (size == 0)
		return refuse(&file, "an empty file");
	if (size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0)
		return load_elf(&file, image);
	if (!rv_is_ram(m, address, size))
		return refuse(&file,
			"a flat image of %zu bytes at 0x%" PRIx64 " does not fit into RAM (0x%llx, "
			"0x%" PRIx64 " bytes)",
			size, address, RV_RAM_BASE, m->ram_size);
	load(&file, address, data, size, size);
	*image = (struct rv_image){.start = address, .end = address + size, .entry = address};
	return true;
}
