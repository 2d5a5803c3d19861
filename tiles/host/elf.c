/* SPDX-License-Identifier: MIT */
#include "elf_image.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ELF_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define ELF_MACHINE EM_AARCH64
#elif defined(__riscv)
#define ELF_MACHINE EM_RISCV
#else
#error "the ELF check does not know this machine"
#endif

/* Far above what a tile needs; bounds what a garbled header can make us allocate. */
#define ELF_SPAN_MAX (256ull << 20)
#define ELF_HEADERS_MAX 4096

struct elf_chunk {
	struct elf_chunk *next;
	max_align_t data[];
};

static const struct {
	uint16_t machine;
	const char *name;
} machines[] = {
	{EM_386, "32-bit x86"},
	{EM_X86_64, "x86-64"},
	{EM_ARM, "32-bit ARM"},
	{EM_AARCH64, "AArch64"},
	{EM_RISCV, "RISC-V"},
	{EM_PPC64, "PowerPC 64"},
	{EM_S390, "S/390"},
	{EM_LOONGARCH, "LoongArch"},
};

static const char *machine_name(uint16_t machine) {
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		if (machines[i].machine == machine) {
			return machines[i].name;
		}
	}
	return "an unknown machine";
}

bool elf_fail(struct elf_image *image, const char *format, ...) {
	va_list args;
	va_start(args, format);
	vsnprintf(image->report->why, sizeof(image->report->why), format, args);
	va_end(args);
	/* Names in it come from the file. */
	for (char *c = image->report->why; *c; c++) {
		if ((unsigned char)*c < 0x20 || (unsigned char)*c >= 0x7f) {
			*c = '?';
		}
	}
	return false;
}

void *elf_report_alloc(struct elf_report *report, size_t size) {
	struct elf_chunk *chunk = calloc(1, sizeof(*chunk) + size);
	if (!chunk) {
		return NULL;
	}
	chunk->next = report->chunks;
	report->chunks = chunk;
	return chunk->data;
}

void elf_report_finish(struct elf_report *report) {
	while (report->chunks) {
		struct elf_chunk *chunk = report->chunks;
		report->chunks = chunk->next;
		free(chunk);
	}
	memset(report, 0, sizeof(*report));
}

static bool in_file(const struct elf_image *image, uint64_t offset, uint64_t size) {
	return size <= image->file_size && offset <= image->file_size - size;
}

const Elf64_Phdr *elf_segment_at(const struct elf_image *image, uint64_t address, uint64_t size) {
	for (size_t i = 0; i < image->segment_count; i++) {
		const Elf64_Phdr *segment = &image->segments[i];
		if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
			size <= segment->p_memsz &&
			address - segment->p_vaddr <= segment->p_memsz - size) {
			return segment;
		}
	}
	return NULL;
}

const void *elf_at(const struct elf_image *image, uint64_t address, uint64_t size) {
	return elf_segment_at(image, address, size) ? image->memory + address : NULL;
}

const char *elf_string_at(const struct elf_image *image, uint64_t address, size_t limit) {
	const Elf64_Phdr *segment = elf_segment_at(image, address, 1);
	if (!segment) {
		return NULL;
	}
	uint64_t room = segment->p_memsz - (address - segment->p_vaddr);
	const char *string = (const char *)image->memory + address;
	return memchr(string, 0, room < limit ? room : limit) ? string : NULL;
}

static bool read_header(struct elf_image *image) {
	Elf64_Ehdr *header = &image->header;
	if (image->file_size == 0) {
		return elf_fail(image, "the file is empty");
	}
	size_t magic = image->file_size < SELFMAG ? image->file_size : SELFMAG;
	if (memcmp(image->file, ELFMAG, magic) != 0) {
		return elf_fail(image, "not an ELF file");
	}
	if (image->file_size < sizeof(*header)) {
		return elf_fail(image, "truncated: the file ends in the ELF header");
	}
	memcpy(header, image->file, sizeof(*header));
	if (header->e_ident[EI_CLASS] != ELFCLASS64) {
		return elf_fail(image, "not a 64-bit ELF file");
	}
	const uint16_t one = 1;
	unsigned char native = *(const uint8_t *)&one ? ELFDATA2LSB : ELFDATA2MSB;
	if (header->e_ident[EI_DATA] != native || header->e_machine != ELF_MACHINE) {
		return elf_fail(image, "made for %s; this machine is %s",
			machine_name(header->e_machine), machine_name(ELF_MACHINE));
	}
	if (header->e_ident[EI_VERSION] != EV_CURRENT || header->e_version != EV_CURRENT) {
		return elf_fail(image, "an unknown version of ELF");
	}
	if (header->e_type != ET_DYN) {
		return elf_fail(image, "not a shared object (link with -shared)");
	}
	return true;
}

static bool read_tables(struct elf_image *image) {
	const Elf64_Ehdr *header = &image->header;
	if (header->e_phnum == 0 || header->e_phentsize != sizeof(Elf64_Phdr) ||
		header->e_phnum > ELF_HEADERS_MAX) {
		return elf_fail(image, "no usable program headers");
	}
	size_t bytes = header->e_phnum * sizeof(Elf64_Phdr);
	if (!in_file(image, header->e_phoff, bytes)) {
		return elf_fail(
			image, "truncated: the program headers lie beyond the end of the file");
	}
	image->segments = malloc(bytes);
	if (!image->segments) {
		return elf_fail(image, "out of memory");
	}
	memcpy(image->segments, image->file + header->e_phoff, bytes);
	image->segment_count = header->e_phnum;
	if (header->e_shoff == 0 || header->e_shnum == 0) {
		return true;
	}
	if (header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shnum > ELF_HEADERS_MAX) {
		return elf_fail(image, "unusable section headers");
	}
	bytes = header->e_shnum * sizeof(Elf64_Shdr);
	if (!in_file(image, header->e_shoff, bytes)) {
		return elf_fail(
			image, "truncated: the section headers lie beyond the end of the file");
	}
	image->sections = malloc(bytes);
	if (!image->sections) {
		return elf_fail(image, "out of memory");
	}
	memcpy(image->sections, image->file + header->e_shoff, bytes);
	image->section_count = header->e_shnum;
	for (size_t i = 0; i < image->section_count; i++) {
		const Elf64_Shdr *section = &image->sections[i];
		if (section->sh_type != SHT_NULL && section->sh_type != SHT_NOBITS &&
			!in_file(image, section->sh_offset, section->sh_size)) {
			return elf_fail(
				image, "truncated: section %zu lies beyond the end of the file", i);
		}
	}
	return true;
}

/* A string of a string table section; "" for anything wrong, as it is for messages only. */
static const char *table_string(const struct elf_image *image, size_t table, uint64_t offset) {
	if (table >= image->section_count || image->sections[table].sh_type != SHT_STRTAB ||
		offset >= image->sections[table].sh_size) {
		return "";
	}
	const char *string = (const char *)image->file + image->sections[table].sh_offset + offset;
	return memchr(string, 0, image->sections[table].sh_size - offset) ? string : "";
}

/* The first variable of a section by the full symbol table, "" if the file is stripped. */
static const char *variable_in(const struct elf_image *image, size_t index) {
	const Elf64_Shdr *section = &image->sections[index];
	for (size_t i = 0; i < image->section_count; i++) {
		const Elf64_Shdr *table = &image->sections[i];
		if (table->sh_type != SHT_SYMTAB) {
			continue;
		}
		for (size_t n = 0; n < table->sh_size / sizeof(Elf64_Sym); n++) {
			Elf64_Sym symbol;
			memcpy(&symbol, image->file + table->sh_offset + n * sizeof(symbol),
				sizeof(symbol));
			unsigned type = ELF64_ST_TYPE(symbol.st_info);
			if ((type == STT_OBJECT || type == STT_TLS) && symbol.st_size > 0 &&
				(symbol.st_shndx == index ||
					(type == STT_OBJECT &&
						symbol.st_value >= section->sh_addr &&
						symbol.st_value - section->sh_addr <
							section->sh_size))) {
				return table_string(image, table->sh_link, symbol.st_name);
			}
		}
	}
	return "";
}

static bool fail_writable(
	struct elf_image *image, const Elf64_Phdr *load, const Elf64_Phdr *relro) {
	uint64_t start = relro ? relro->p_vaddr : 0;
	uint64_t end = relro ? relro->p_vaddr + relro->p_memsz : 0;
	for (size_t i = 0; i < image->section_count; i++) {
		const Elf64_Shdr *section = &image->sections[i];
		bool writable = (section->sh_flags & (SHF_WRITE | SHF_ALLOC | SHF_TLS)) ==
			(SHF_WRITE | SHF_ALLOC);
		if (!writable || section->sh_size == 0 ||
			(section->sh_addr >= start && section->sh_addr < end)) {
			continue;
		}
		const char *name = table_string(image, image->header.e_shstrndx, section->sh_name);
		const char *variable = variable_in(image, i);
		return elf_fail(image,
			"writable data: %s%s%s (%lu bytes); make it const, or a cell, or scratch "
			"memory",
			variable, *variable ? " in " : "", *name ? name : "a section",
			(unsigned long)section->sh_size);
	}
	return elf_fail(image, "writable data at address 0x%lx; link with -Wl,-z,relro,-z,now",
		(unsigned long)load->p_vaddr);
}

static bool check_segments(struct elf_image *image) {
	const Elf64_Phdr *relro = NULL, *tls = NULL, *stack = NULL, *dynamic = NULL;
	for (size_t i = 0; i < image->segment_count; i++) {
		const Elf64_Phdr *segment = &image->segments[i];
		const Elf64_Phdr **seen = segment->p_type == PT_GNU_RELRO ? &relro
			: segment->p_type == PT_TLS			  ? &tls
			: segment->p_type == PT_GNU_STACK		  ? &stack
			: segment->p_type == PT_DYNAMIC			  ? &dynamic
									  : NULL;
		if (seen && *seen) {
			return elf_fail(image, "two program headers of type 0x%x", segment->p_type);
		}
		if (seen) {
			*seen = segment;
		}
		if (segment->p_type == PT_INTERP) {
			return elf_fail(
				image, "a program, not a shared object (link with -shared)");
		}
	}
	uint64_t end = 0;
	for (size_t i = 0; i < image->segment_count; i++) {
		const Elf64_Phdr *segment = &image->segments[i];
		if (segment->p_type != PT_LOAD) {
			continue;
		}
		if (!in_file(image, segment->p_offset, segment->p_filesz)) {
			return elf_fail(
				image, "truncated: segment %zu lies beyond the end of the file", i);
		}
		if (segment->p_filesz > segment->p_memsz || segment->p_vaddr < end ||
			segment->p_vaddr > ELF_SPAN_MAX || segment->p_memsz > ELF_SPAN_MAX ||
			(segment->p_vaddr & 0xfff) != (segment->p_offset & 0xfff)) {
			return elf_fail(image, "segment %zu has an impossible place or size", i);
		}
		if ((segment->p_flags & PF_W) && (segment->p_flags & PF_X)) {
			return elf_fail(image, "segment %zu is both writable and executable", i);
		}
		/* The loader maps whole pages: the next segment starts on another one. */
		end = (segment->p_vaddr + segment->p_memsz + 0xfff) & ~0xfffull;
		if ((segment->p_flags & PF_W) && segment->p_memsz > 0) {
			bool covered = relro && segment->p_vaddr >= relro->p_vaddr &&
				relro->p_memsz <= ELF_SPAN_MAX && relro->p_vaddr <= ELF_SPAN_MAX &&
				segment->p_vaddr + segment->p_memsz <=
					relro->p_vaddr + relro->p_memsz;
			if (!covered) {
				return fail_writable(image, segment, relro);
			}
		}
	}
	if (end == 0) {
		return elf_fail(image, "nothing in it to load");
	}
	if (tls) {
		const char *name = "";
		for (size_t i = 0; i < image->section_count && !*name; i++) {
			if (image->sections[i].sh_flags & SHF_TLS) {
				name = variable_in(image, i);
			}
		}
		return elf_fail(image,
			"a thread-local variable%s%s; make it a cell or scratch memory",
			*name ? ": " : "", name);
	}
	if (!stack || (stack->p_flags & PF_X)) {
		return elf_fail(image, "an executable stack; link with -Wl,-z,noexecstack");
	}
	if (!dynamic) {
		return elf_fail(image, "no dynamic section");
	}
	image->span = end;
	image->memory = calloc(1, end);
	if (!image->memory) {
		return elf_fail(image, "out of memory");
	}
	for (size_t i = 0; i < image->segment_count; i++) {
		const Elf64_Phdr *segment = &image->segments[i];
		if (segment->p_type == PT_LOAD && segment->p_filesz > 0) {
			memcpy(image->memory + segment->p_vaddr, image->file + segment->p_offset,
				segment->p_filesz);
		}
	}
	return true;
}

static void read_build_id(struct elf_image *image) {
	for (size_t i = 0; i < image->segment_count; i++) {
		const Elf64_Phdr *segment = &image->segments[i];
		if (segment->p_type != PT_NOTE ||
			!in_file(image, segment->p_offset, segment->p_filesz)) {
			continue;
		}
		const uint8_t *note = image->file + segment->p_offset;
		uint64_t left = segment->p_filesz;
		while (left >= sizeof(Elf64_Nhdr)) {
			Elf64_Nhdr header;
			memcpy(&header, note, sizeof(header));
			uint64_t name = (header.n_namesz + 3ull) & ~3ull;
			uint64_t bytes = (header.n_descsz + 3ull) & ~3ull;
			if (name + bytes > left - sizeof(header)) {
				break;
			}
			const uint8_t *id = note + sizeof(header) + name;
			if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == 4 &&
				memcmp(note + sizeof(header), "GNU", 4) == 0 &&
				header.n_descsz * 2 < sizeof(image->report->build_id)) {
				for (uint32_t n = 0; n < header.n_descsz; n++) {
					sprintf(image->report->build_id + 2 * n, "%02x", id[n]);
				}
				return;
			}
			note += sizeof(header) + name + bytes;
			left -= sizeof(header) + name + bytes;
		}
	}
}

bool elf_inspect_bytes(const void *data, size_t size, struct elf_report *report) {
	memset(report, 0, sizeof(*report));
	report->size = size;
	struct elf_image image = {.report = report, .file = data, .file_size = size};
	bool ok = read_header(&image) && read_tables(&image) && check_segments(&image) &&
		elf_read_dynamic(&image) && elf_read_descriptor(&image);
	if (ok) {
		read_build_id(&image);
	}
	free(image.segments);
	free(image.sections);
	free(image.memory);
	return ok;
}

bool elf_inspect(int fd, struct elf_report *report) {
	memset(report, 0, sizeof(*report));
	struct elf_image image = {.report = report};
	struct stat stat;
	if (fstat(fd, &stat) < 0) {
		return elf_fail(&image, "cannot be read: %s", strerror(errno));
	}
	if (!S_ISREG(stat.st_mode)) {
		return elf_fail(&image, "not a regular file");
	}
	if (stat.st_size > ELF_FILE_MAX) {
		return elf_fail(&image, "larger than %u MiB", ELF_FILE_MAX >> 20);
	}
	size_t size = stat.st_size;
	uint8_t *data = malloc(size ? size : 1);
	if (!data) {
		return elf_fail(&image, "out of memory");
	}
	size_t done = 0;
	while (done < size) {
		ssize_t got = pread(fd, data + done, size - done, done);
		if (got < 0 && errno == EINTR) {
			continue;
		}
		if (got < 0) {
			elf_fail(&image, "cannot be read: %s", strerror(errno));
			free(data);
			return false;
		}
		if (got == 0) {
			break;
		}
		done += got;
	}
	bool ok = elf_inspect_bytes(data, done, report);
	free(data);
	return ok;
}

bool elf_resolve(struct elf_report *report) {
	struct elf_image image = {.report = report};
	char missing[200] = "";
	size_t used = 0, count = 0;
	for (size_t i = 0; i < report->import_count; i++) {
		if (dlsym(RTLD_DEFAULT, report->imports[i])) {
			continue;
		}
		count++;
		if (used < sizeof(missing) - 1) {
			used += snprintf(missing + used, sizeof(missing) - used, "%s%s",
				used ? ", " : "", report->imports[i]);
		}
	}
	if (count > 0) {
		return elf_fail(&image, "unresolved import%s: %s", count > 1 ? "s" : "", missing);
	}
	return true;
}
