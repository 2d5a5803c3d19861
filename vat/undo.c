/* SPDX-License-Identifier: MIT */
/* The undo log from the reader's side: any process, after the writer is gone. */
#include "undo.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 0x0008U
#endif

static uint64_t entries_size(uint64_t pages) {
	return (pages * sizeof(uint64_t) + VAT_PAGE - 1) & ~(uint64_t)(VAT_PAGE - 1);
}

uint64_t vat_log_size(uint64_t pages) {
	return VAT_PAGE + entries_size(pages) + pages * VAT_PAGE;
}

int vat_log_map(int fd, uint64_t pages, bool write, struct vat_log *log, struct vat_error *err) {
	uint64_t size = vat_log_size(pages);
	void *map = mmap(NULL, size, write ? PROT_READ | PROT_WRITE : PROT_READ,
		MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		return vat_fail(err, errno, "undo log: cannot map %llu bytes: %s",
			(unsigned long long)size, strerror(errno));
	uint8_t *bytes = map;
	*log = (struct vat_log){
		.map = map,
		.map_size = size,
		.header = map,
		.entries = (uint64_t *)(bytes + VAT_PAGE),
		.images = bytes + VAT_PAGE + entries_size(pages),
		.pages = pages,
	};
	return 0;
}

void vat_log_unmap(struct vat_log *log) {
	if (log->map)
		munmap(log->map, log->map_size);
	*log = (struct vat_log){0};
}

int vat_undo_create(const struct vat_region *region, struct vat_error *err) {
	int fd = memfd_create("vat-undo", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL) /* before Linux 6.3 */
		fd = memfd_create("vat-undo", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd >= 0 && ftruncate(fd, (off_t)vat_log_size(region->size / VAT_PAGE)) == 0 &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) == 0)
		return fd;
	int code = errno;
	if (fd >= 0)
		close(fd);
	return vat_fail(err, code, "undo log of region '%s': cannot be made: %s", region->info.name,
		strerror(code));
}

int vat_log_open(
	int fd, struct vat_log *log, struct vat_undo_header *header, struct vat_error *err) {
	struct stat st;
	if (fstat(fd, &st) < 0)
		return vat_fail(err, errno, "undo log: fstat: %s", strerror(errno));
	int seals = fcntl(fd, F_GET_SEALS);
	if (!S_ISREG(st.st_mode) || seals < 0 || !(seals & F_SEAL_SHRINK))
		return vat_fail(
			err, EINVAL, "undo log: not a memfd that is sealed against shrinking");
	ssize_t n = pread(fd, header, sizeof(*header), 0);
	if (n < 0 || (size_t)n < sizeof(*header) || header->magic == 0)
		return vat_fail(err, ENODATA, "undo log: it was never armed");
	if (header->magic == VAT_UNDO_ENDED)
		return vat_fail(err, EALREADY, "undo log: its probation is over");
	if (header->magic != VAT_UNDO_MAGIC || header->page != VAT_PAGE)
		return vat_fail(err, EBADMSG, "undo log: this is not an undo log (wrong magic)");
	if (header->format != VAT_FORMAT)
		return vat_fail(err, EPROTONOSUPPORT,
			"undo log: format %u; this libvat reads format %u", header->format,
			VAT_FORMAT);
	if (header->self !=
		vat_checksum(&header->format,
			offsetof(struct vat_undo_header, self) -
				offsetof(struct vat_undo_header, format)))
		return vat_fail(err, EBADMSG, "undo log: the header is damaged");
	if (header->pages == 0 || header->pages > VAT_REGION_MAX / VAT_PAGE ||
		vat_log_size(header->pages) > (uint64_t)st.st_size || header->next > header->pages)
		return vat_fail(err, EBADMSG, "undo log: impossible sizes");
	return vat_log_map(fd, header->pages, false, log, err);
}

int vat_undo_stats(int undo_fd, struct vat_undo_stats *stats, struct vat_error *err) {
	struct vat_log log;
	struct vat_undo_header header;
	*stats = (struct vat_undo_stats){0};
	int rc = vat_log_open(undo_fd, &log, &header, err);
	if (rc < 0)
		return rc;
	stats->pages = header.next;
	stats->faults = header.faults;
	vat_log_unmap(&log);
	return 0;
}

int vat_undo_end(int undo_fd, struct vat_error *err) {
	const uint64_t ended = VAT_UNDO_ENDED;
	ssize_t n = pwrite(undo_fd, &ended, sizeof(ended), offsetof(struct vat_undo_header, magic));
	if (n != sizeof(ended))
		return vat_fail(err, n < 0 ? errno : EIO, "undo log: cannot be ended: %s",
			strerror(n < 0 ? errno : EIO));
	return 0;
}

/* What a version can add to a word of the header in a probation; more is a stray write. */
#define COUNT_SLACK (1ull << 32)
#define CLOCK_SLACK (1ull << 50) /* ns: 13 days */

/* A word that goes on, unless the version that failed wrote nonsense into it. */
static uint64_t word_after(const struct vat_region *region, const struct vat_disk_header *image,
	enum vat_word word, uint64_t slack) {
	uint64_t now = vat_region_get(region, word), then = image->words[word];
	return now - then <= slack ? now : then;
}

/* The smallest generation that names the root to return to, and that no reader has seen. */
static uint64_t generation_after(const struct vat_region *region,
	const struct vat_disk_header *image, const struct vat_undo_header *header) {
	uint64_t now = vat_region_get(region, VAT_GENERATION);
	uint64_t then = image->words[VAT_GENERATION];
	/* Nonsense is passed by a number that no commit has reached. */
	uint64_t next = (now - then <= COUNT_SLACK ? now : then + COUNT_SLACK) + 1;
	return next + ((next ^ header->return_to) & 1);
}

/* The header page as it was: *image gets a checked copy. */
static int check_log(const struct vat_region *region, const struct vat_log *log,
	const struct vat_undo_header *header, struct vat_disk_header *image,
	struct vat_error *err) {
	if (!vat_uuid_equal(&header->tile, &region->info.tile) ||
		!vat_uuid_equal(&header->city, &region->info.city))
		return vat_fail(err, EINVAL, "undo log: it belongs to another region than '%s'",
			region->info.name);
	if (header->pages * VAT_PAGE > region->size)
		return vat_fail(err, EBADMSG, "undo log: it covers more than region '%s' has",
			region->info.name);
	for (uint64_t i = 0; i < header->next; i++) {
		if (log->entries[i] > header->pages)
			return vat_fail(err, EBADMSG,
				"undo log: entry %llu names no page of the region",
				(unsigned long long)i);
	}
	if (header->next == 0 || log->entries[0] != 1)
		return vat_fail(
			err, EBADMSG, "undo log: it does not begin with the region's header");
	memcpy(image, log->images, sizeof(*image));
	struct vat_region_info info;
	int rc = vat_identity_check(image, &info, err);
	if (rc == 0)
		rc = vat_root_check(&image->roots[header->return_to & 1], header->return_to, err);
	if (rc == 0 &&
		(!vat_uuid_equal(&info.tile, &header->tile) ||
			image->words[VAT_GENERATION] != header->generation ||
			header->generation > UINT64_MAX / 2 ||
			header->return_to > header->generation))
		rc = vat_fail(err, EBADMSG, "undo log: the saved header of region '%s' is damaged",
			region->info.name);
	return rc;
}

int vat_undo_apply(struct vat_region *region, int undo_fd, struct vat_error *err) {
	int rc = vat_region_check_writer(region, err);
	if (rc < 0)
		return rc;
	if (region->barrier || region->in_txn)
		return vat_fail(err, EBUSY,
			"region '%s' is under a barrier or in a transaction of this process",
			region->info.name);
	struct vat_log log;
	struct vat_undo_header header;
	struct vat_disk_header image;
	rc = vat_log_open(undo_fd, &log, &header, err);
	if (rc < 0)
		return rc;
	/* Only growth counts here: after a death in here the roots say nothing yet. */
	rc = vat_region_follow(region, err);
	if (rc == 0)
		rc = check_log(region, &log, &header, &image, err);
	if (rc != 0)
		goto out;

	uint64_t first = 0;
	while (first < header.next) {
		uint64_t page = __atomic_load_n(&log.entries[first], __ATOMIC_RELAXED);
		if (page <= 1 || page > header.pages) {
			first++; /* the header, or a page that was never written */
			continue;
		}
		uint64_t n = 1;
		while (first + n < header.next && page + n <= header.pages &&
			log.entries[first + n] == page + n)
			n++;
		vat_put(region->base + (page - 1) * VAT_PAGE, log.images + first * VAT_PAGE,
			n * VAT_PAGE);
		first += n;
	}

	/* The header: what the versions wrote goes back; epoch and clock never do. All of it may
	 * have been written by mistake. */
	struct vat_disk_header *now = vat_header(region);
	vat_put(now, &image, offsetof(struct vat_disk_header, words));
	vat_put_word(&now->words[VAT_EPOCH], word_after(region, &image, VAT_EPOCH, COUNT_SLACK));
	vat_put_word(&now->words[VAT_CLOCK], word_after(region, &image, VAT_CLOCK, CLOCK_SLACK));
	vat_put_word(&now->words[VAT_UPDATES], image.words[VAT_UPDATES]);
	vat_put_word(&now->words[VAT_FRAMES], image.words[VAT_FRAMES]);
	vat_put_word(&now->words[VAT_KEPT], 0);
	vat_put(now->roots, image.roots, sizeof(now->roots));
	vat_put_word(&now->words[VAT_GENERATION], generation_after(region, &image, &header));
	rc = vat_region_refresh(region, err);
	if (rc == 0) {
		vat_region_release(region);
		uint64_t one = 1;
		ssize_t n = pwrite(
			undo_fd, &one, sizeof(one), offsetof(struct vat_undo_header, applied));
		(void)n; /* for people only */
	}
out:
	vat_log_unmap(&log);
	return rc;
}

/* Everything that was written before `copy` was taken has its entry by now. */
static int put_images(const struct vat_log *log, const struct vat_undo_header *header, int copy) {
	for (uint64_t i = 0; i < header->next; i++) {
		uint64_t page = __atomic_load_n(&log->entries[i], __ATOMIC_ACQUIRE);
		if (page <= 1 || page > header->pages)
			continue;
		int rc = vat_write_all(
			copy, log->images + i * VAT_PAGE, VAT_PAGE, (page - 1) * VAT_PAGE);
		if (rc < 0)
			return rc;
	}
	return 0;
}

int vat_undo_view(const struct vat_region *region, int undo_fd, struct vat_error *err) {
	struct vat_log log = {0};
	struct vat_undo_header header;
	struct vat_disk_header image;
	uint64_t size = region->size;
	int copy = vat_region_create(&region->info, size, err);
	if (copy < 0)
		return copy;
	int rc = vat_copy_data(region->fd, copy, VAT_PAGE, size);
	if (rc < 0) {
		rc = vat_fail(err, -rc, "region '%s': cannot be copied: %s", region->info.name,
			strerror(-rc));
		goto error;
	}
	rc = vat_log_open(undo_fd, &log, &header, err);
	if (rc == 0)
		rc = check_log(region, &log, &header, &image, err);
	if (rc < 0)
		goto error;
	image.words[VAT_GENERATION] = header.return_to;
	image.words[VAT_KEPT] = 0;
	rc = put_images(&log, &header, copy);
	if (rc == 0)
		rc = vat_write_all(copy, &image, sizeof(image), 0);
	if (rc < 0) {
		rc = vat_fail(err, -rc, "region '%s': cannot be copied: %s", region->info.name,
			strerror(-rc));
		goto error;
	}
	vat_log_unmap(&log);
	return copy;

error:
	vat_log_unmap(&log);
	close(copy);
	return rc;
}
