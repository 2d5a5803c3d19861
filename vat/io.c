/* SPDX-License-Identifier: MIT */
/* Whole reads and writes of files and memfds. */
#include <unistd.h>

#include "internal.h"

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
