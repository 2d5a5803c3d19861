/* SPDX-License-Identifier: MIT */
/* A region in a file, byte for byte. */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

/* Commits that one copy is begun again for. */
#define SAVE_TRIES 20

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

/* 1 when all of it is of one generation, 0 when a commit came between. */
static int try_save(const struct vat_region *region, int fd) {
	uint8_t header[VAT_PAGE];
	uint64_t generation = vat_region_get(region, VAT_GENERATION);
	uint64_t kept = vat_region_get(region, VAT_KEPT);
	memcpy(header, region->base, sizeof(header));
	if (ftruncate(fd, 0) < 0 || ftruncate(fd, (off_t)region->size) < 0)
		return -errno;
	int rc = vat_copy_data(region->fd, fd, VAT_PAGE, region->size);
	if (rc < 0)
		return rc;
	if (generation != region->generation ||
		vat_region_get(region, VAT_GENERATION) != generation ||
		vat_region_get(region, VAT_KEPT) != kept)
		return 0;
	rc = vat_write_all(fd, header, sizeof(header), 0);
	return rc < 0 ? rc : 1;
}

int vat_region_save(struct vat_region *region, int fd, struct vat_error *err) {
	for (int i = 0; i < SAVE_TRIES; i++) {
		int rc = vat_region_refresh(region, err);
		if (rc < 0)
			return rc;
		rc = try_save(region, fd);
		if (rc < 0)
			return vat_fail(err, -rc, "region '%s': cannot be saved: %s",
				region->info.name, strerror(-rc));
		if (rc == 1)
			return 0;
	}
	return vat_fail(
		err, EAGAIN, "region '%s' changes faster than it can be saved", region->info.name);
}

int vat_region_load(int fd, struct vat_error *err) {
	struct stat st;
	struct vat_disk_header header;
	struct vat_region_info info = {0};
	if (fstat(fd, &st) < 0)
		return vat_fail(err, errno, "region: fstat: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return vat_fail(err, EINVAL, "region: this is not a regular file");
	if (st.st_size < VAT_PAGE || (uint64_t)st.st_size > VAT_REGION_MAX || st.st_size % VAT_PAGE)
		return vat_fail(err, EBADMSG, "region: %lld bytes cannot be a region",
			(long long)st.st_size);
	int rc = vat_read_all(fd, &header, sizeof(header), 0);
	if (rc < 0)
		return vat_fail(err, -rc, "region: cannot be read: %s", strerror(-rc));
	rc = vat_identity_check(&header, &info, err);
	if (rc < 0)
		return rc;

	int copy = vat_region_create(&info, (uint64_t)st.st_size, err);
	if (copy < 0)
		return copy;
	rc = vat_copy_data(fd, copy, 0, (uint64_t)st.st_size);
	if (rc < 0) {
		close(copy);
		return vat_fail(
			err, -rc, "region '%s': cannot be read: %s", info.name, strerror(-rc));
	}
	return copy;
}
