/* SPDX-License-Identifier: MIT */
/* Memory for generated code, mapped twice, so that no page can be both written and executed. */
#include "host.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "log.h"

#define CODE_MAX (256ull << 20)

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

static struct host_code *free_place(struct host *host) {
	for (size_t i = 0; i < HOST_CODE_MAX; i++) {
		if (!host->code[i].writable) {
			return &host->code[i];
		}
	}
	return NULL;
}

/* Old kernels do not know the flag; to them every memfd may be executed. */
static int code_fd(void) {
	int fd = memfd_create("tile code", MFD_CLOEXEC | MFD_EXEC);
	return fd < 0 && errno == EINVAL ? memfd_create("tile code", MFD_CLOEXEC) : fd;
}

static bool map_twice(struct host_code *code, size_t size) {
	int fd = code_fd();
	if (fd < 0) {
		return false;
	}
	void *writable = MAP_FAILED, *executable = MAP_FAILED;
	if (ftruncate(fd, (off_t)size) == 0) {
		writable = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		executable = mmap(NULL, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	}
	int error = errno;
	close(fd);
	if (writable != MAP_FAILED && executable != MAP_FAILED) {
		*code = (struct host_code){writable, executable, size};
		return true;
	}
	if (writable != MAP_FAILED) {
		munmap(writable, size);
	}
	if (executable != MAP_FAILED) {
		munmap(executable, size);
	}
	errno = error;
	return false;
}

bool host_code_memory(struct host *host, size_t size, void **writable, void **executable) {
	struct host_code *code = free_place(host);
	uint64_t total = 0;
	for (size_t i = 0; i < HOST_CODE_MAX; i++) {
		total += host->code[i].writable ? host->code[i].size : 0;
	}
	if (!code || size == 0 || size > CODE_MAX - total) {
		host_log(host, CITY_LOG_WARN,
			"no memory for code: %zu bytes asked for, %u pieces and %llu MiB are the "
			"limit",
			size, HOST_CODE_MAX, CODE_MAX >> 20);
		return false;
	}
	size = (size + VAT_PAGE - 1) & ~(size_t)(VAT_PAGE - 1);
	if (!map_twice(code, size)) {
		host_log(host, CITY_LOG_WARN, "no memory for code: %s", strerror(errno));
		return false;
	}
	*writable = code->writable;
	*executable = code->executable;
	return true;
}

void host_code_free(struct host *host, void *writable) {
	for (size_t i = 0; i < HOST_CODE_MAX && writable; i++) {
		struct host_code *code = &host->code[i];
		if (code->writable == writable) {
			munmap(code->writable, code->size);
			munmap(code->executable, code->size);
			*code = (struct host_code){0};
		}
	}
}

void host_code_finish(struct host *host) {
	for (size_t i = 0; i < HOST_CODE_MAX; i++) {
		host_code_free(host, host->code[i].writable);
	}
}
