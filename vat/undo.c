/* SPDX-License-Identifier: MIT */
/* The undo log from the reader's side: any process, after the writer is gone. */
#include "undo.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static uint64_t entries_size(uint64_t pages) {
	return (pages * sizeof(uint64_t) + VAT_PAGE - 1) & ~(uint64_t)(VAT_PAGE - 1);
}

/* Pages that a new version writes in its first moments: the region's header, and some cells. */
#define IMAGES_AHEAD 4

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
	int fd = vat_memfd("vat-undo");
	uint64_t pages = region->size / VAT_PAGE;
	if (fd >= 0 && ftruncate(fd, (off_t)vat_log_size(pages)) == 0 &&
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) == 0) {
		/* What every barrier needs at once is allocated before a tile waits for it. A
		 * refusal is no harm: then it is allocated when it is written. */
		fallocate(fd, 0, 0, 2 * VAT_PAGE);
		fallocate(fd, 0, (off_t)(VAT_PAGE + entries_size(pages)), IMAGES_AHEAD * VAT_PAGE);
		return fd;
	}
	int code = fd < 0 ? -fd : errno;
	if (fd >= 0)
		close(fd);
	return vat_fail(err, code, "undo log of region '%s': cannot be made: %s", region->info.name,
		strerror(code));
}

/* The undo reads the log and does not map it: whoever goes back to the old version is to need no
 * memory for that, for it may be what the new one failed of. */
#define ENTRIES_READ 512
#define IMAGES_READ 16

static int read_log(int fd, void *buffer, size_t size, uint64_t at, struct vat_error *err) {
	int rc = vat_read_all(fd, buffer, size, at);
	return rc < 0 ? vat_fail(err, -rc, "undo log: cannot be read: %s", strerror(-rc)) : 0;
}

/* *header is the copy that was checked. */
static int read_header(int fd, struct vat_undo_header *header, struct vat_error *err) {
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
	return 0;
}

int vat_log_open(
	int fd, struct vat_log *log, struct vat_undo_header *header, struct vat_error *err) {
	int rc = read_header(fd, header, err);
	return rc < 0 ? rc : vat_log_map(fd, header->pages, false, log, err);
}

int vat_undo_seed(int undo_fd, uint8_t seed[VAT_SEED], struct vat_error *err) {
	struct vat_undo_header header;
	int rc = read_header(undo_fd, &header, err);
	if (rc == 0)
		memcpy(seed, header.seed, VAT_SEED);
	return rc;
}

static uint64_t entry_at(uint64_t slot) {
	return VAT_PAGE + slot * sizeof(uint64_t);
}

static uint64_t image_at(const struct vat_undo_header *header, uint64_t slot) {
	return VAT_PAGE + entries_size(header->pages) + slot * VAT_PAGE;
}

/*
 * Goes through the pages that are saved, but for the region's header, in runs that lie together in
 * log and region.
 */
struct run {
	uint64_t page; /* in the region, from 0 */
	uint64_t pages;
	const uint8_t *images;
};
typedef int (*run_func)(const struct run *run, void *data, struct vat_error *err);

static int each_run(int fd, const struct vat_undo_header *header, run_func func, void *data,
	struct vat_error *err) {
	uint64_t entries[ENTRIES_READ];
	uint8_t images[IMAGES_READ * VAT_PAGE];
	for (uint64_t first = 0; first < header->next; first += ENTRIES_READ) {
		uint64_t count =
			header->next - first < ENTRIES_READ ? header->next - first : ENTRIES_READ;
		int rc = read_log(fd, entries, count * sizeof(*entries), entry_at(first), err);
		for (uint64_t i = 0, n = 1; i < count && rc == 0; i += n) {
			n = 1;
			if (entries[i] <= 1 || entries[i] > header->pages)
				continue; /* the header, or a page that was never written */
			while (n < IMAGES_READ && i + n < count &&
				entries[i] + n <= header->pages && entries[i + n] == entries[i] + n)
				n++;
			struct run run = {.page = entries[i] - 1, .pages = n, .images = images};
			rc = read_log(fd, images, n * VAT_PAGE, image_at(header, first + i), err);
			if (rc == 0)
				rc = func(&run, data, err);
		}
		if (rc < 0)
			return rc;
	}
	return 0;
}

int vat_undo_stats(int undo_fd, struct vat_undo_stats *stats, struct vat_error *err) {
	struct vat_undo_header header;
	*stats = (struct vat_undo_stats){0};
	int rc = read_header(undo_fd, &header, err);
	if (rc < 0)
		return rc;
	stats->pages = header.next;
	stats->faults = header.faults;
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

/* No entry may name what is no page; the first is the region's header. */
static int check_entries(int fd, const struct vat_undo_header *header, struct vat_error *err) {
	uint64_t entries[ENTRIES_READ];
	if (header->next == 0)
		return vat_fail(
			err, EBADMSG, "undo log: it does not begin with the region's header");
	for (uint64_t first = 0; first < header->next; first += ENTRIES_READ) {
		uint64_t count =
			header->next - first < ENTRIES_READ ? header->next - first : ENTRIES_READ;
		int rc = read_log(fd, entries, count * sizeof(*entries), entry_at(first), err);
		if (rc < 0)
			return rc;
		if (first == 0 && entries[0] != 1)
			return vat_fail(err, EBADMSG,
				"undo log: it does not begin with the region's header");
		for (uint64_t i = 0; i < count; i++) {
			if (entries[i] > header->pages)
				return vat_fail(err, EBADMSG,
					"undo log: entry %llu names no page of the region",
					(unsigned long long)(first + i));
		}
	}
	return 0;
}

/* The header page as it was: *image gets a checked copy. */
static int check_log(const struct vat_region *region, int fd, const struct vat_undo_header *header,
	struct vat_disk_header *image, struct vat_error *err) {
	if (!vat_uuid_equal(&header->tile, &region->info.tile) ||
		!vat_uuid_equal(&header->city, &region->info.city))
		return vat_fail(err, EINVAL, "undo log: it belongs to another region than '%s'",
			region->info.name);
	if (header->pages * VAT_PAGE > region->size)
		return vat_fail(err, EBADMSG, "undo log: it covers more than region '%s' has",
			region->info.name);
	int rc = check_entries(fd, header, err);
	if (rc == 0)
		rc = read_log(fd, image, sizeof(*image), image_at(header, 0), err);
	struct vat_region_info info;
	if (rc == 0)
		rc = vat_identity_check(image, &info, err);
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

static int put_back(const struct run *run, void *data, struct vat_error *err) {
	const struct vat_region *region = data;
	vat_put(region->base + run->page * VAT_PAGE, run->images, run->pages * VAT_PAGE);
	return 0;
}

int vat_undo_map(int region_fd, const struct vat_uuid *tile, int undo_fd, struct vat_region **out,
	struct vat_error *err) {
	struct vat_undo_header header;
	int rc = read_header(undo_fd, &header, err);
	if (rc < 0)
		return rc;
	if (!vat_uuid_equal(&header.tile, tile))
		return vat_fail(err, EINVAL, "undo log: it belongs to another region");
	const struct vat_region_info info = {
		.tile = header.tile, .city = header.city, .name = "damaged"};
	return vat_region_map_trusted(region_fd, &info, out, err);
}

int vat_undo_apply(struct vat_region *region, int undo_fd, struct vat_error *err) {
	int rc = vat_region_check_writer(region, err);
	if (rc < 0)
		return rc;
	if (region->barrier || region->in_txn)
		return vat_fail(err, EBUSY,
			"region '%s' is under a barrier or in a transaction of this process",
			region->info.name);
	struct vat_undo_header header;
	struct vat_disk_header image;
	rc = read_header(undo_fd, &header, err);
	/* Only growth counts here: after a death in here the roots say nothing yet. */
	if (rc == 0)
		rc = vat_region_follow(region, err);
	if (rc == 0)
		rc = check_log(region, undo_fd, &header, &image, err);
	if (rc == 0)
		rc = each_run(undo_fd, &header, put_back, region, err);
	if (rc < 0)
		return rc;

	/* The header: what the versions wrote goes back; epoch and clock never do. All of it may
	 * have been written by mistake. */
	struct vat_disk_header *now = vat_header(region);
	vat_put(now, &image, offsetof(struct vat_disk_header, words));
	vat_put_word(&now->words[VAT_EPOCH], word_after(region, &image, VAT_EPOCH, COUNT_SLACK));
	vat_put_word(&now->words[VAT_CLOCK], word_after(region, &image, VAT_CLOCK, CLOCK_SLACK));
	vat_put_word(&now->words[VAT_UPDATES], image.words[VAT_UPDATES]);
	vat_put_word(&now->words[VAT_FRAMES], image.words[VAT_FRAMES]);
	vat_put_word(&now->words[VAT_PERIOD], image.words[VAT_PERIOD]);
	vat_put_word(&now->words[VAT_PHASE], image.words[VAT_PHASE]);
	vat_put_word(&now->words[VAT_KEPT], 0);
	vat_put(now->roots, image.roots, sizeof(now->roots));
	vat_put_word(&now->words[VAT_GENERATION], generation_after(region, &image, &header));
	rc = vat_region_refresh(region, err);
	if (rc < 0)
		return rc;
	vat_region_release(region);
	uint64_t one = 1;
	ssize_t n = pwrite(undo_fd, &one, sizeof(one), offsetof(struct vat_undo_header, applied));
	(void)n; /* for people only */
	return 0;
}

static int put_image(const struct run *run, void *data, struct vat_error *err) {
	const int *copy = data;
	int rc = vat_write_all(*copy, run->images, run->pages * VAT_PAGE, run->page * VAT_PAGE);
	return rc < 0 ? vat_fail(err, -rc, "region: cannot be copied: %s", strerror(-rc)) : 0;
}

int vat_undo_view(const struct vat_region *region, int undo_fd, struct vat_error *err) {
	struct vat_undo_header header;
	struct vat_disk_header image;
	uint64_t size = region->size;
	int copy = vat_region_create(&region->info, size, err);
	if (copy < 0)
		return copy;
	int rc = vat_copy_data(region->fd, copy, VAT_PAGE, size);
	if (rc < 0)
		rc = vat_fail(err, -rc, "region '%s': cannot be copied: %s", region->info.name,
			strerror(-rc));
	/* Everything that was written before the copy was taken has its entry by now. */
	if (rc == 0)
		rc = read_header(undo_fd, &header, err);
	if (rc == 0)
		rc = check_log(region, undo_fd, &header, &image, err);
	if (rc == 0)
		rc = each_run(undo_fd, &header, put_image, &copy, err);
	if (rc == 0) {
		image.words[VAT_GENERATION] = header.return_to;
		image.words[VAT_KEPT] = 0;
		rc = vat_write_all(copy, &image, sizeof(image), 0);
		if (rc < 0)
			rc = vat_fail(err, -rc, "region '%s': cannot be copied: %s",
				region->info.name, strerror(-rc));
	}
	if (rc < 0) {
		close(copy);
		return rc;
	}
	return copy;
}
