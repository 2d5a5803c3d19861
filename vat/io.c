/* SPDX-License-Identifier: MIT */
/* New memfds, and whole reads and writes of them and of files. */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

int vat_memfd(const char *name) {
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	return fd < 0 ? vat_code(errno) : fd;
}

int vat_memfd_fixed(const char *name, uint64_t size) {
	int fd = vat_memfd(name);
	if (fd < 0 ||
		(ftruncate(fd, (off_t)size) == 0 &&
			fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0))
		return fd;
	int code = vat_code(errno);
	close(fd);
	return code;
}

int vat_write_all(int fd, const void *data, size_t size, uint64_t at) {
	const uint8_t *from = data;
	while (size > 0) {
		ssize_t n = pwrite(fd, from, size, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENOSPC;
		from += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

uint64_t vat_next_data(int fd, uint64_t at, uint64_t end) {
	off_t data = lseek(fd, (off_t)at, SEEK_DATA);
	if (data < 0)
		return errno == ENXIO ? end : at; /* where holes are unknown all is data */
	return (uint64_t)data < end ? (uint64_t)data : end;
}

int vat_read_all(int fd, void *buffer, size_t size, uint64_t at) {
	uint8_t *to = buffer;
	while (size > 0) {
		ssize_t n = pread(fd, to, size, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -ENODATA;
		to += n;
		at += (uint64_t)n;
		size -= (size_t)n;
	}
	return 0;
}

int vat_copy_data(int from, int to, uint64_t at, uint64_t end) {
	uint8_t buffer[16 * VAT_PAGE];
	while ((at = vat_next_data(from, at, end)) < end) {
		size_t size = end - at < sizeof(buffer) ? end - at : sizeof(buffer);
		int rc = vat_read_all(from, buffer, size, at);
		if (rc == 0)
			rc = vat_write_all(to, buffer, size, at);
		if (rc < 0)
			return rc;
		at += size;
	}
	return 0;
}
