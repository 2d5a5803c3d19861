/* SPDX-License-Identifier: MIT */
/* The machine's memory, and what is in it at the start. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "run.h"

#define OPENSBI "/usr/lib/riscv64-linux-gnu/opensbi/generic/fw_dynamic.bin"
#define SECTOR 512
/* Of a file that is read whole: what goes into RAM, and with it what a debugger wants. */
#define FILE_MOST (4ull << 30)

/* Steps to a tick of the clock. By instructions alone the machine has 100 MHz; otherwise the host's
 * clock leads, and they only fill the time between two looks at it. */
#define STEPS_PER_TICK 10
#define STEPS_PER_TICK_BETWEEN 1000

static bool read_file(const char *path, uint8_t **data, size_t *size) {
	struct stat stat;
	/* A FIFO is not waited for. */
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) != 0) {
		run_say("%s: %s", path, strerror(errno));
		goto error;
	}
	if (!S_ISREG(stat.st_mode)) {
		run_say("%s: not a file", path);
		goto error;
	}
	if ((uint64_t)stat.st_size > FILE_MOST) {
		run_say("%s: it has %llu MiB; at most %llu can be loaded", path,
			(unsigned long long)stat.st_size >> 20, FILE_MOST >> 20);
		goto error;
	}
	*size = stat.st_size;
	*data = malloc(*size + 1);
	if (!*data) {
		run_say("%s: no memory for its %zu bytes", path, *size);
		goto error;
	}
	for (size_t done = 0; done < *size;) {
		ssize_t got = read(fd, *data + done, *size - done);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0) {
			run_say("%s: %s", path, got < 0 ? strerror(errno) : "it became shorter");
			free(*data);
			goto error;
		}
		done += got;
	}
	close(fd);
	return true;

error:
	if (fd >= 0)
		close(fd);
	return false;
}

static bool load_image(struct rv_machine *m, const char *path, bool flat, uint64_t address,
	struct rv_image *image) {
	uint8_t *data;
	size_t size;
	char why[256];
	if (!read_file(path, &data, &size))
		return false;
	bool good = flat || (size >= SELFMAG && memcmp(data, ELFMAG, SELFMAG) == 0);
	if (!good)
		run_say("%s: not an ELF file; with --flat it is run as it is", path);
	else if (!(good = rv_load_image(m, data, size, address, image, why, sizeof(why))))
		run_say("%s: %s", path, why);
	free(data);
	return good;
}

static bool load_initrd(struct rv_machine *m, const char *path, struct rv_boot *boot) {
	uint8_t *data;
	size_t size;
	if (!read_file(path, &data, &size))
		return false;
	uint64_t address = rv_boot_initrd(m, size);
	if (address != 0) {
		memcpy(m->ram + (address - RV_RAM_BASE), data, size);
		boot->initrd = address;
		boot->initrd_end = address + size;
	} else {
		run_say("%s: does not fit into RAM; --memory gives more", path);
	}
	free(data);
	return address != 0;
}

static bool load_system(
	struct rv_machine *m, const struct run_options *options, struct rv_boot_plan *plan) {
	const char *firmware = options->firmware ? options->firmware : OPENSBI;
	if (!options->firmware && access(OPENSBI, R_OK) != 0) {
		run_say("--kernel: needs --firmware, OpenSBI's fw_dynamic.bin (Debian: package "
			"opensbi)");
		return false;
	}
	if (!load_image(m, firmware, true, RV_RAM_BASE, &plan->program))
		return false;
	if (!options->kernel)
		return true;
	return load_image(m, options->kernel, true, rv_boot_next_stage(m), &plan->next) &&
		(!options->initrd || load_initrd(m, options->initrd, &plan->boot));
}

bool run_guest_load(struct rv_machine *m, const struct run_options *options) {
	struct rv_boot_plan plan = {.boot.bootargs = options->append};
	char why[256];
	/* Empty again, and what was touched is given back. */
	if (m->board->resets > 0 && madvise(m->ram, m->ram_size, MADV_DONTNEED) != 0)
		memset(m->ram, 0, m->ram_size);
	if (options->program ? !load_image(m, options->program, options->flat, RV_RAM_BASE,
				       &plan.program)
			     : !load_system(m, options, &plan))
		return false;
	if (!options->deterministic &&
		getrandom(plan.boot.seed, sizeof(plan.boot.seed), 0) != sizeof(plan.boot.seed)) {
		run_say("no random numbers from the system: %s", strerror(errno));
		return false;
	}
	if (!rv_boot_prepare(m, &plan, why, sizeof(why))) {
		run_say("%s", why);
		return false;
	}
	rv_machine_written(m, RV_RAM_BASE, m->ram_size);
	rv_machine_reset(m);
	return true;
}

/* Written back as the guest writes, unless the file may only be read. */
static bool map_disk(struct rv_machine *m, const char *path, int *disk_fd) {
	struct stat stat;
	int fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
	bool read_only = fd < 0 && (errno == EACCES || errno == EROFS);
	if (read_only)
		fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &stat) != 0) {
		run_say("%s: %s", path, strerror(errno));
		goto error;
	}
	if (!S_ISREG(stat.st_mode) || stat.st_size == 0 || stat.st_size % SECTOR != 0) {
		run_say("%s: not a file of whole sectors of %d bytes", path, SECTOR);
		goto error;
	}
	/* Two that write would spoil each other's file system. Some file systems have no locks. */
	if (flock(fd, (read_only ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
		run_say("%s: another machine has it as its disk; end that one, or give this one a "
			"copy",
			path);
		goto error;
	}
	void *disk = mmap(NULL, stat.st_size, read_only ? PROT_READ : PROT_READ | PROT_WRITE,
		MAP_SHARED, fd, 0);
	if (disk == MAP_FAILED) {
		run_say("%s: cannot be mapped: %s", path, strerror(errno));
		goto error;
	}
	*disk_fd = fd;
	m->disk = disk;
	m->disk_size = stat.st_size;
	m->virtio->read_only = read_only;
	return true;

error:
	if (fd >= 0)
		close(fd);
	return false;
}

/* The same memory twice: what is written through the one is executed through the other. */
static bool code_memory(void *data, size_t size, uint8_t **writable, uint8_t **executable) {
	int fd = memfd_create("riscv-code", MFD_CLOEXEC);
	if (fd < 0)
		return false;
	void *to_write = MAP_FAILED, *to_execute = MAP_FAILED;
	if (ftruncate(fd, size) == 0) {
		to_write = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		to_execute = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	}
	close(fd);
	if (to_write != MAP_FAILED && to_execute != MAP_FAILED) {
		*writable = to_write;
		*executable = to_execute;
		return true;
	}
	if (to_write != MAP_FAILED)
		munmap(to_write, size);
	if (to_execute != MAP_FAILED)
		munmap(to_execute, size);
	return false;
}

static void code_memory_free(void *data, size_t size, uint8_t *writable, uint8_t *executable) {
	munmap(writable, size);
	munmap(executable, size);
}

bool run_guest_create(struct rv_machine *m, const struct run_options *options, int *disk) {
	*m = (struct rv_machine){
		.board = calloc(1, sizeof(*m->board)),
		.harts = calloc(options->harts, sizeof(*m->harts)),
		.tlbs = calloc(options->harts, sizeof(*m->tlbs)),
		.clint = calloc(1, sizeof(*m->clint)),
		.plic = calloc(1, sizeof(*m->plic)),
		.uart = calloc(1, sizeof(*m->uart)),
		.virtio = calloc(1, sizeof(*m->virtio)),
		.ram_size = options->memory,
		.hart_count = options->harts,
		.semihosting = options->program,
		.code_memory = options->native ? code_memory : NULL,
		.code_memory_free = code_memory_free,
	};
	void *ram = mmap(NULL, m->ram_size, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ram != MAP_FAILED)
		m->ram = ram;
	if (!m->board || !m->harts || !m->tlbs || !m->clint || !m->plic || !m->uart || !m->virtio ||
		!m->ram) {
		run_say("no memory for a machine with %llu bytes",
			(unsigned long long)options->memory);
		return false;
	}
	m->board->deterministic = options->deterministic;
	m->board->steps_per_tick = options->deterministic ? STEPS_PER_TICK : STEPS_PER_TICK_BETWEEN;
	return !options->disk || map_disk(m, options->disk, disk);
}

void run_guest_destroy(struct rv_machine *m) {
	if (m->ram)
		munmap(m->ram, m->ram_size);
	if (m->disk)
		munmap(m->disk, m->disk_size);
	free(m->virtio);
	free(m->uart);
	free(m->plic);
	free(m->clint);
	free(m->tlbs);
	free(m->harts);
	free(m->board);
}
