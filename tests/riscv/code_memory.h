/* SPDX-License-Identifier: MIT */
/* Memory for native code, as struct rv_machine wants it: one memory, mapped twice. */
#ifndef TEST_RISCV_CODE_MEMORY_H
#define TEST_RISCV_CODE_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

static inline bool code_memory(void *data, size_t size, uint8_t **writable, uint8_t **executable) {
	(void)data;
	const int fd = memfd_create("code", MFD_CLOEXEC);
	if (fd < 0)
		return false;
	void *w = MAP_FAILED, *x = MAP_FAILED;
	if (!ftruncate(fd, (off_t)size)) {
		w = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		x = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	}
	close(fd);
	if (w == MAP_FAILED || x == MAP_FAILED) {
		if (w != MAP_FAILED)
			munmap(w, size);
		if (x != MAP_FAILED)
			munmap(x, size);
		return false;
	}
	*writable = w;
	*executable = x;
	return true;
}

static inline void code_memory_free(
	void *data, size_t size, uint8_t *writable, uint8_t *executable) {
	(void)data;
	munmap(writable, size);
	munmap(executable, size);
}

#endif
