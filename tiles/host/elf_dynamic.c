/* SPDX-License-Identifier: MIT */
#include "elf_image.h"

#include <stdlib.h>
#include <string.h>

#if defined(__x86_64__)
#define R_NONE R_X86_64_NONE
#define R_RELATIVE R_X86_64_RELATIVE
#define R_ADDRESS R_X86_64_64
#define R_GOT R_X86_64_GLOB_DAT
#define R_JUMP R_X86_64_JUMP_SLOT
#define R_INDIRECT R_X86_64_IRELATIVE
static bool is_tls(uint32_t type) {
	return (type >= R_X86_64_DTPMOD64 && type <= R_X86_64_TPOFF32) || type == R_X86_64_TLSDESC;
}
#elif defined(__aarch64__)
#define R_NONE R_AARCH64_NONE
#define R_RELATIVE R_AARCH64_RELATIVE
#define R_ADDRESS R_AARCH64_ABS64
#define R_GOT R_AARCH64_GLOB_DAT
#define R_JUMP R_AARCH64_JUMP_SLOT
#define R_INDIRECT R_AARCH64_IRELATIVE
static bool is_tls(uint32_t type) {
	return type >= R_AARCH64_TLS_DTPMOD && type <= R_AARCH64_TLSDESC;
}
#elif defined(__riscv)
#define R_NONE R_RISCV_NONE
#define R_RELATIVE R_RISCV_RELATIVE
#define R_ADDRESS R_RISCV_64
#define R_GOT R_RISCV_64
#define R_JUMP R_RISCV_JUMP_SLOT
#define R_INDIRECT R_RISCV_IRELATIVE
static bool is_tls(uint32_t type) {
	return type >= R_RISCV_TLS_DTPMOD32 && type <= R_RISCV_TLS_TPREL64;
}
#endif

#ifndef DT_RELRSZ
#define DT_RELRSZ 35
#define DT_RELR 36
#define DT_RELRENT 37
#endif

struct dynamic {
	uint64_t hash, gnu_hash;
	uint64_t symbol_size, rela_entry, relr_entry, plt_type;
	uint64_t needed[64];
	size_t needed_count;
	bool now;
};

bool elf_symbol(const struct elf_image *image, size_t index, Elf64_Sym *symbol) {
	if (index >= image->symbol_count) {
		return false;
	}
	memcpy(symbol, image->memory + image->symbols + index * sizeof(*symbol), sizeof(*symbol));
	return true;
}

static const char *dynamic_string(const struct elf_image *image, uint64_t offset) {
	if (offset >= image->strings_size) {
		return NULL;
	}
	const char *string = (const char *)image->memory + image->strings + offset;
	return memchr(string, 0, image->strings_size - offset) ? string : NULL;
}

const char *elf_symbol_name(const struct elf_image *image, const Elf64_Sym *symbol) {
	return dynamic_string(image, symbol->st_name);
}

static bool forbid(struct elf_image *image, const char *tag, const char *what) {
	return elf_fail(
		image, "%s (%s); a tile's code runs only when the host calls it", what, tag);
}

static bool read_tag(struct elf_image *image, struct dynamic *dynamic, const Elf64_Dyn *entry) {
	uint64_t value = entry->d_un.d_val;
	switch (entry->d_tag) {
	case DT_NEEDED:
		if (dynamic->needed_count == sizeof(dynamic->needed) / sizeof(dynamic->needed[0])) {
			return elf_fail(image, "needs too many libraries");
		}
		dynamic->needed[dynamic->needed_count++] = value;
		break;
	case DT_HASH:
		dynamic->hash = value;
		break;
	case DT_GNU_HASH:
		dynamic->gnu_hash = value;
		break;
	case DT_STRTAB:
		image->strings = value;
		break;
	case DT_STRSZ:
		image->strings_size = value;
		break;
	case DT_SYMTAB:
		image->symbols = value;
		break;
	case DT_SYMENT:
		dynamic->symbol_size = value;
		break;
	case DT_RELA:
		image->rela = value;
		break;
	case DT_RELASZ:
		image->rela_size = value;
		break;
	case DT_RELAENT:
		dynamic->rela_entry = value;
		break;
	case DT_JMPREL:
		image->jmprel = value;
		break;
	case DT_PLTRELSZ:
		image->jmprel_size = value;
		break;
	case DT_PLTREL:
		dynamic->plt_type = value;
		break;
	case DT_RELR:
		image->relr = value;
		break;
	case DT_RELRSZ:
		image->relr_size = value;
		break;
	case DT_RELRENT:
		dynamic->relr_entry = value;
		break;
	case DT_FLAGS:
		if (value & DF_TEXTREL) {
			return elf_fail(image, "relocations in code; compile with -fPIC");
		}
		dynamic->now = dynamic->now || (value & DF_BIND_NOW);
		break;
	case DT_FLAGS_1:
		if (value & DF_1_PIE) {
			return elf_fail(
				image, "a program, not a shared object (link with -shared)");
		}
		dynamic->now = dynamic->now || (value & DF_1_NOW);
		break;
	case DT_BIND_NOW:
		dynamic->now = true;
		break;
	case DT_TEXTREL:
		return elf_fail(image, "relocations in code; compile with -fPIC");
	case DT_REL:
		return elf_fail(image, "relocations of a kind that this machine does not use");
	case DT_INIT:
		return forbid(image, "DT_INIT",
			"start-up code of the C runtime; link with -nostartfiles");
	case DT_FINI:
		return forbid(image, "DT_FINI",
			"start-up code of the C runtime; link with -nostartfiles");
	case DT_INIT_ARRAY:
		return forbid(image, "DT_INIT_ARRAY", "a constructor");
	case DT_PREINIT_ARRAY:
		return forbid(image, "DT_PREINIT_ARRAY", "a constructor");
	case DT_FINI_ARRAY:
		return forbid(image, "DT_FINI_ARRAY", "a destructor");
	case DT_RPATH:
	case DT_RUNPATH:
		return elf_fail(image, "a library search path of its own; link without -rpath");
	case DT_AUDIT:
	case DT_DEPAUDIT:
	case DT_FILTER:
	case DT_AUXILIARY:
		return elf_fail(
			image, "loads other code (dynamic tag 0x%lx)", (unsigned long)entry->d_tag);
	default:
		break;
	}
	return true;
}

/* Neither the dynamic section nor the symbol table says how many symbols there are; the hash
 * does. */
static bool count_symbols(struct elf_image *image, const struct dynamic *dynamic) {
	uint64_t count = 0;
	if (dynamic->hash) {
		const uint32_t *hash = elf_at(image, dynamic->hash, 8);
		if (!hash || dynamic->hash % 4) {
			return elf_fail(image, "the symbol hash is out of bounds");
		}
		count = hash[1];
	} else if (dynamic->gnu_hash) {
		const uint32_t *hash = elf_at(image, dynamic->gnu_hash, 16);
		if (!hash || dynamic->gnu_hash % 8) {
			return elf_fail(image, "the symbol hash is out of bounds");
		}
		uint32_t bucket_count = hash[0], first = hash[1], bloom = hash[2];
		uint64_t buckets_at = dynamic->gnu_hash + 16 + 8ull * bloom;
		const uint32_t *buckets = elf_at(image, buckets_at, 4ull * bucket_count);
		if (!buckets) {
			return elf_fail(image, "the symbol hash is out of bounds");
		}
		uint32_t last = 0;
		for (uint32_t i = 0; i < bucket_count; i++) {
			last = buckets[i] > last ? buckets[i] : last;
		}
		count = first;
		if (last >= first) {
			uint64_t chains = buckets_at + 4ull * bucket_count;
			for (count = last;; count++) {
				const uint32_t *chain =
					elf_at(image, chains + 4 * (count - first), 4);
				if (!chain) {
					return elf_fail(image, "the symbol hash is out of bounds");
				}
				if (*chain & 1) {
					count++;
					break;
				}
			}
		}
	}
	if (count > SIZE_MAX / sizeof(Elf64_Sym) || image->symbols % 8 ||
		!elf_at(image, image->symbols, count * sizeof(Elf64_Sym))) {
		return elf_fail(image, "the symbol table is out of bounds");
	}
	image->symbol_count = count;
	return true;
}

static bool library_allowed(const char *name) {
	static const char *const allowed[] = {"libc", "libm", "libfcft", "libpixman-1",
		"libutf8proc", "libxkbcommon", "ld-linux-x86-64", "ld-linux-aarch64",
		"ld-linux-riscv64-lp64d", "libc.musl-x86_64", "libc.musl-aarch64"};
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		size_t length = strlen(allowed[i]);
		if (strncmp(name, allowed[i], length) == 0 &&
			strncmp(name + length, ".so", 3) == 0 && !strchr(name, '/')) {
			return true;
		}
	}
	return false;
}

static bool check_needed(struct elf_image *image, const struct dynamic *dynamic) {
	for (size_t i = 0; i < dynamic->needed_count; i++) {
		const char *name = dynamic_string(image, dynamic->needed[i]);
		if (!name) {
			return elf_fail(image, "the name of a needed library is out of bounds");
		}
		if (!library_allowed(name)) {
			return elf_fail(image,
				"needs the library %s; tiles use libc, libm, fcft, pixman, "
				"utf8proc and "
				"xkbcommon",
				name);
		}
	}
	return true;
}

static bool check_symbols(struct elf_image *image) {
	size_t undefined = 0;
	for (size_t i = 1; i < image->symbol_count; i++) {
		Elf64_Sym symbol;
		elf_symbol(image, i, &symbol);
		const char *name = elf_symbol_name(image, &symbol);
		if (!name) {
			return elf_fail(image, "the name of symbol %zu is out of bounds", i);
		}
		unsigned type = ELF64_ST_TYPE(symbol.st_info);
		if (type == STT_GNU_IFUNC) {
			return elf_fail(image,
				"%s is chosen by code that runs while loading (ifunc)", name);
		}
		if (type == STT_TLS) {
			return elf_fail(image,
				"a thread-local variable: %s; make it a cell or scratch memory",
				name);
		}
		if (symbol.st_shndx != SHN_UNDEF) {
			continue;
		}
		if (*name && !elf_import_allowed(name)) {
			return elf_fail(image,
				"uses %s, which is not on the list of what tiles may use "
				"(tiles/host/imports.txt)",
				name);
		}
		undefined += *name != 0;
	}
	image->report->imports = elf_report_alloc(image->report, (undefined + 1) * sizeof(char *));
	if (!image->report->imports) {
		return elf_fail(image, "out of memory");
	}
	for (size_t i = 1; i < image->symbol_count; i++) {
		Elf64_Sym symbol;
		elf_symbol(image, i, &symbol);
		const char *name = elf_symbol_name(image, &symbol);
		if (symbol.st_shndx != SHN_UNDEF || !*name) {
			continue;
		}
		char *copy = elf_report_alloc(image->report, strlen(name) + 1);
		if (!copy) {
			return elf_fail(image, "out of memory");
		}
		strcpy(copy, name);
		image->report->imports[image->report->import_count++] = copy;
	}
	return true;
}

static bool relocate(struct elf_image *image, const Elf64_Rela *rela) {
	uint32_t type = ELF64_R_TYPE(rela->r_info);
	if (type == R_NONE) {
		return true;
	}
	if (type == R_INDIRECT) {
		return elf_fail(
			image, "a symbol that is chosen by code that runs while loading (ifunc)");
	}
	if (is_tls(type)) {
		return elf_fail(image, "a thread-local variable; make it a cell or scratch memory");
	}
	if (type != R_RELATIVE && type != R_ADDRESS && type != R_GOT && type != R_JUMP) {
		return elf_fail(image, "a relocation of type %u; compile with -fPIC", type);
	}
	const Elf64_Phdr *segment = elf_segment_at(image, rela->r_offset, 8);
	if (!segment || !(segment->p_flags & PF_W)) {
		return elf_fail(image, "a relocation at 0x%lx, which is not writable data",
			(unsigned long)rela->r_offset);
	}
	uint64_t value = rela->r_addend;
	if (type != R_RELATIVE) {
		Elf64_Sym symbol;
		if (!elf_symbol(image, ELF64_R_SYM(rela->r_info), &symbol)) {
			return elf_fail(image, "a relocation refers to a symbol that is not there");
		}
		/* An import has no address yet; 0 is what the descriptor's reader refuses. */
		value = symbol.st_shndx == SHN_UNDEF ? 0 : symbol.st_value + rela->r_addend;
	}
	memcpy(image->memory + rela->r_offset, &value, sizeof(value));
	return true;
}

static bool relocate_table(struct elf_image *image, uint64_t address, uint64_t size) {
	if (size == 0) {
		return true;
	}
	if (size % sizeof(Elf64_Rela) || !elf_at(image, address, size)) {
		return elf_fail(image, "the relocations are out of bounds");
	}
	for (uint64_t i = 0; i < size; i += sizeof(Elf64_Rela)) {
		Elf64_Rela rela;
		memcpy(&rela, image->memory + address + i, sizeof(rela));
		if (!relocate(image, &rela)) {
			return false;
		}
	}
	return true;
}

/* Packed relative relocations add the load address in place: with 0 they change nothing, so only
 * their places need a check. */
static bool check_relr(struct elf_image *image) {
	if (image->relr_size == 0) {
		return true;
	}
	if (image->relr_size % 8 || !elf_at(image, image->relr, image->relr_size)) {
		return elf_fail(image, "the relocations are out of bounds");
	}
	uint64_t base = 0;
	for (uint64_t i = 0; i < image->relr_size; i += 8) {
		uint64_t entry;
		memcpy(&entry, image->memory + image->relr + i, 8);
		uint64_t first = entry & 1 ? base : entry;
		uint64_t bits = entry & 1 ? entry >> 1 : 1;
		for (uint64_t n = 0; bits; n++, bits >>= 1) {
			uint64_t place = first + 8 * n;
			const Elf64_Phdr *segment = elf_segment_at(image, place, 8);
			if ((bits & 1) && (!segment || !(segment->p_flags & PF_W))) {
				return elf_fail(image,
					"a relocation at 0x%lx, which is not writable data",
					(unsigned long)place);
			}
		}
		base = entry & 1 ? base + 63 * 8 : entry + 8;
	}
	return true;
}

bool elf_read_dynamic(struct elf_image *image) {
	struct dynamic dynamic = {0};
	const Elf64_Phdr *segment = NULL;
	for (size_t i = 0; i < image->segment_count; i++) {
		if (image->segments[i].p_type == PT_DYNAMIC) {
			segment = &image->segments[i];
		}
	}
	if (!elf_at(image, segment->p_vaddr, segment->p_memsz)) {
		return elf_fail(image, "the dynamic section is out of bounds");
	}
	bool ended = false;
	for (uint64_t i = 0; i + sizeof(Elf64_Dyn) <= segment->p_memsz && !ended;
		i += sizeof(Elf64_Dyn)) {
		Elf64_Dyn entry;
		memcpy(&entry, image->memory + segment->p_vaddr + i, sizeof(entry));
		ended = entry.d_tag == DT_NULL;
		if (!read_tag(image, &dynamic, &entry)) {
			return false;
		}
	}
	if (!ended) {
		return elf_fail(image, "the dynamic section has no end");
	}
	if (!elf_at(image, image->strings, image->strings_size) || image->strings_size == 0 ||
		dynamic.symbol_size != sizeof(Elf64_Sym)) {
		return elf_fail(image, "the dynamic symbols are out of bounds");
	}
	if ((image->rela_size && dynamic.rela_entry != sizeof(Elf64_Rela)) ||
		(image->relr_size && dynamic.relr_entry != 8) ||
		(image->jmprel_size && dynamic.plt_type != DT_RELA)) {
		return elf_fail(image, "relocations of an unknown size");
	}
	if (!dynamic.now) {
		return elf_fail(image, "binds symbols lazily; link with -Wl,-z,now");
	}
	return count_symbols(image, &dynamic) && check_needed(image, &dynamic) &&
		check_symbols(image) && check_relr(image) &&
		relocate_table(image, image->rela, image->rela_size) &&
		relocate_table(image, image->jmprel, image->jmprel_size);
}
