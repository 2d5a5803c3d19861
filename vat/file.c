/* SPDX-License-Identifier: MIT */
/*
 * A region in a file: a header, the pages that are not all zero, an index of them, a trailer. The
 * file is written from its start to its end, and is worth nothing before the last byte is there.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "undo.h"

/* Commits that one copy is begun again for. */
#define SAVE_TRIES 20
#define BLOCK_PAGES 64
#define BLOCK_SIZE ((uint64_t)BLOCK_PAGES * VAT_PAGE)

/* ---- Reading the state of one moment ---- */

/* What is copied: the region, overlaid by what the log has of it. */
struct snapshot {
	const struct vat_region *region;
	uint64_t size;
	uint8_t header[VAT_PAGE]; /* page 0 */
	uint64_t generation;
	struct vat_log log; /* no map: nobody writes, or nobody minds */
	uint32_t *slots;    /* in the log, plus one, by page of the region */
	uint64_t seen;	    /* entries of the log that are in slots */
};

/* What has been logged since the last time. An entry that is still 0 belongs to a page that nobody
 * can have written yet; it is looked at again. */
static void follow_log(struct snapshot *snapshot) {
	const struct vat_log *log = &snapshot->log;
	uint64_t next = __atomic_load_n(&log->header->next, __ATOMIC_ACQUIRE);
	if (next > log->pages)
		next = log->pages;
	bool gap = false;
	for (uint64_t i = snapshot->seen; i < next; i++) {
		uint64_t entry = __atomic_load_n(&log->entries[i], __ATOMIC_ACQUIRE);
		if (entry > 0 && entry <= log->pages)
			snapshot->slots[entry - 1] = (uint32_t)(i + 1);
		gap |= entry == 0;
		if (!gap)
			snapshot->seen = i + 1;
	}
}

/* By read, not through a mapping: that would fill the holes of a memfd. */
static int snapshot_read(struct snapshot *snapshot, void *to, uint64_t size, uint64_t at) {
	uint8_t *bytes = to;
	int rc = vat_read_all(snapshot->region->fd, to, size, at);
	if (rc < 0)
		return rc;
	if (at < VAT_PAGE)
		memcpy(bytes, snapshot->header + at, size < VAT_PAGE - at ? size : VAT_PAGE - at);
	if (!snapshot->log.map)
		return 0;
	/* A page that had been written when it was read is in the log now. */
	follow_log(snapshot);
	for (uint64_t page = at / VAT_PAGE; page * VAT_PAGE < at + size; page++) {
		if (page == 0 || snapshot->slots[page] == 0)
			continue;
		uint64_t from = page * VAT_PAGE < at ? at : page * VAT_PAGE;
		uint64_t end =
			(page + 1) * VAT_PAGE < at + size ? (page + 1) * VAT_PAGE : at + size;
		memcpy(bytes + (from - at),
			snapshot->log.images + (uint64_t)(snapshot->slots[page] - 1) * VAT_PAGE +
				from % VAT_PAGE,
			end - from);
	}
	return 0;
}

static void snapshot_finish(struct snapshot *snapshot) {
	vat_log_unmap(&snapshot->log);
	free(snapshot->slots);
}

/* A log says exactly what was; without one it is what is there now, as of one generation. */
static int snapshot_init(
	struct snapshot *snapshot, struct vat_region *region, int undo_fd, struct vat_error *err) {
	const char *name = region->info.name;
	*snapshot = (struct snapshot){.region = region};
	if (undo_fd < 0) {
		int rc = vat_region_refresh(region, err);
		if (rc < 0)
			return rc;
		snapshot->size = region->size;
		snapshot->generation = region->generation;
		memcpy(snapshot->header, region->base, VAT_PAGE);
		return 0;
	}
	struct vat_undo_header header;
	int rc = vat_log_open(undo_fd, &snapshot->log, &header, err);
	if (rc == 0)
		rc = vat_region_follow(region, err);
	if (rc < 0)
		goto error;
	if (!vat_uuid_equal(&header.tile, &region->info.tile) ||
		!vat_uuid_equal(&header.city, &region->info.city) ||
		header.pages * VAT_PAGE > region->size || header.pages >= UINT32_MAX) {
		rc = vat_fail(err, EINVAL, "region '%s': the undo log belongs to another", name);
		goto error;
	}
	if (header.return_to != header.generation) {
		rc = vat_fail(
			err, EINVAL, "region '%s': the undo log is that of a probation", name);
		goto error;
	}
	snapshot->size = header.pages * VAT_PAGE;
	snapshot->generation = header.generation;
	snapshot->slots = calloc(header.pages, sizeof(*snapshot->slots));
	if (!snapshot->slots) {
		rc = vat_fail(err, ENOMEM, "region '%s': no memory to save it", name);
		goto error;
	}
	follow_log(snapshot);
	if (snapshot->slots[0] != 1) {
		rc = vat_fail(err, EBADMSG,
			"undo log: it does not begin with the header of region '%s'", name);
		goto error;
	}
	memcpy(snapshot->header, snapshot->log.images, VAT_PAGE);
	return 0;

error:
	snapshot_finish(snapshot);
	return rc;
}

/*
 * 0 while all that was read is of that moment. With a log: whoever wrote has not stopped to log,
 * and nobody else has taken the region over; the first thing that either stores tells so. -EAGAIN
 * if not.
 */
static int snapshot_holds(const struct snapshot *snapshot, struct vat_error *err) {
	const struct vat_region *region = snapshot->region;
	const struct vat_disk_header *header = (const void *)snapshot->header;
	bool holds = vat_region_get(region, VAT_EPOCH) == header->words[VAT_EPOCH];
	if (snapshot->log.map)
		holds = holds &&
			__atomic_load_n(&snapshot->log.header->ended, __ATOMIC_ACQUIRE) == 0;
	else
		holds = holds && vat_region_get(region, VAT_GENERATION) == snapshot->generation &&
			header->words[VAT_GENERATION] == snapshot->generation &&
			vat_region_get(region, VAT_KEPT) == header->words[VAT_KEPT];
	if (holds)
		return 0;
	return vat_fail(err, EAGAIN,
		snapshot->log.map ? "region '%s' changed hands while it was saved"
				  : "region '%s' changes faster than it can be saved",
		region->info.name);
}

static int read_directory(void *data, void *to, uint64_t size, uint64_t at) {
	return snapshot_read(data, to, size, at);
}

/* Nothing is saved that could not be read again. */
static int snapshot_check(struct snapshot *snapshot, struct vat_error *err) {
	struct vat_region_info info;
	struct vat_directory directory;
	const struct vat_disk_header *header = (const void *)snapshot->header;
	int rc = vat_identity_check(header, &info, err);
	if (rc == 0)
		rc = vat_directory_read(&info, snapshot->size,
			&header->roots[snapshot->generation & 1], snapshot->generation,
			read_directory, snapshot, &directory, err);
	if (rc == 0)
		vat_directory_finish(&directory);
	return rc;
}

/* ---- Writing ---- */

struct writer {
	int fd;
	uint64_t at;
	struct vat_file_block *blocks;
	size_t count, capacity;
	uint64_t pages;
};

static int put(struct writer *writer, const void *data, size_t size) {
	if (vat_hooks.file)
		vat_hooks.file();
	int rc = vat_write_all(writer->fd, data, size, writer->at);
	writer->at += size;
	return rc;
}

static int put_block(struct writer *writer, uint64_t offset, const uint8_t *data, uint32_t pages) {
	if (writer->count == writer->capacity) {
		size_t capacity = writer->capacity ? writer->capacity * 2 : 64;
		void *blocks = realloc(writer->blocks, capacity * sizeof(*writer->blocks));
		if (!blocks)
			return -ENOMEM;
		writer->blocks = blocks;
		writer->capacity = capacity;
	}
	writer->blocks[writer->count++] = (struct vat_file_block){
		.offset = offset,
		.pages = pages,
		.checksum = vat_checksum(data, (size_t)pages * VAT_PAGE),
	};
	writer->pages += pages;
	return put(writer, data, (size_t)pages * VAT_PAGE);
}

static bool is_zero(const uint8_t *page) {
	return page[0] == 0 && memcmp(page, page + 1, VAT_PAGE - 1) == 0;
}

static int put_pages(struct writer *writer, uint64_t offset, const uint8_t *data, uint32_t pages) {
	for (uint32_t first = 0; first < pages;) {
		if (is_zero(data + (size_t)first * VAT_PAGE)) {
			first++;
			continue;
		}
		uint32_t end = first + 1;
		while (end < pages && !is_zero(data + (size_t)end * VAT_PAGE))
			end++;
		int rc = put_block(writer, offset + (uint64_t)first * VAT_PAGE,
			data + (size_t)first * VAT_PAGE, end - first);
		if (rc < 0)
			return rc;
		first = end;
	}
	return 0;
}

static int put_region(struct writer *writer, struct snapshot *snapshot) {
	uint8_t *buffer = malloc(BLOCK_SIZE);
	if (!buffer)
		return -ENOMEM;
	int rc = 0;
	uint64_t at = 0;
	/* A system with larger pages has larger pieces of data: rounded down to ours all the same.
	 */
	while (rc == 0 &&
		(at = vat_next_data(snapshot->region->fd, at, snapshot->size) &
				~(uint64_t)(VAT_PAGE - 1)) < snapshot->size) {
		uint64_t end = (at / BLOCK_SIZE + 1) * BLOCK_SIZE;
		if (end > snapshot->size)
			end = snapshot->size;
		rc = snapshot_read(snapshot, buffer, end - at, at);
		if (rc == 0)
			rc = put_pages(writer, at, buffer, (uint32_t)((end - at) / VAT_PAGE));
		at = end;
	}
	free(buffer);
	return rc;
}

static int put_all(struct writer *writer, struct snapshot *snapshot) {
	const struct vat_region_info *info = &snapshot->region->info;
	struct vat_file_header *header = calloc(1, sizeof(*header));
	if (!header)
		return -ENOMEM;
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	*header = (struct vat_file_header){
		.magic = VAT_FILE_MAGIC,
		.format = VAT_FILE_FORMAT,
		.page = VAT_PAGE,
		.tile = info->tile,
		.city = info->city,
		.region_size = snapshot->size,
		.generation = snapshot->generation,
		.saved = (uint64_t)now.tv_sec,
	};
	memcpy(header->name, info->name, sizeof(header->name));
	header->self = vat_checksum(header, offsetof(struct vat_file_header, self));
	struct vat_file_trailer trailer = {
		.magic = VAT_FILE_TRAILER_MAGIC,
		.header = header->self,
	};
	int rc = put(writer, header, sizeof(*header));
	free(header);
	if (rc == 0)
		rc = put_region(writer, snapshot);
	if (rc < 0)
		return rc;
	size_t index_size = writer->count * sizeof(*writer->blocks);
	trailer.blocks = writer->count;
	trailer.pages = writer->pages;
	trailer.index = vat_checksum(writer->blocks, index_size);
	rc = put(writer, writer->blocks, index_size);
	trailer.size = writer->at + sizeof(trailer);
	trailer.self = vat_checksum(&trailer, offsetof(struct vat_file_trailer, self));
	return rc < 0 ? rc : put(writer, &trailer, sizeof(trailer));
}

static int try_save(struct vat_region *region, int undo_fd, int fd, struct vat_error *err) {
	struct snapshot snapshot;
	struct writer writer = {.fd = fd};
	int rc = snapshot_init(&snapshot, region, undo_fd, err);
	if (rc < 0)
		return rc;
	/* What does not hold may well be unreadable: told as that. */
	int check = snapshot_check(&snapshot, err);
	if (check == 0) {
		rc = ftruncate(fd, 0) < 0 ? -errno : put_all(&writer, &snapshot);
		if (rc < 0)
			vat_say(err, "region '%s': cannot be saved: %s", region->info.name,
				strerror(-rc));
	}
	struct vat_error change;
	if (rc == 0 && snapshot_holds(&snapshot, &change) < 0) {
		rc = -EAGAIN;
		if (err)
			*err = change;
	} else if (check < 0) {
		rc = check;
	}
	free(writer.blocks);
	snapshot_finish(&snapshot);
	return rc;
}

int vat_file_save(struct vat_region *region, int undo_fd, int fd, struct vat_error *err) {
	int rc = 0;
	for (int i = 0; i < (undo_fd < 0 ? SAVE_TRIES : 1); i++) {
		rc = try_save(region, undo_fd, fd, err);
		if (rc != -EAGAIN)
			break;
	}
	return rc;
}

/* ---- Reading ---- */

static int damaged(struct vat_error *err, const char *what) {
	return vat_fail(err, EBADMSG, "region file: %s", what);
}

static int load_header(int fd, struct vat_file_header *header, struct vat_error *err) {
	struct stat st;
	if (fstat(fd, &st) < 0)
		return vat_fail(err, errno, "region file: fstat: %s", strerror(errno));
	if (!S_ISREG(st.st_mode))
		return vat_fail(err, EINVAL, "region file: this is not a regular file");
	ssize_t got = pread(fd, header, sizeof(*header), 0);
	if (got < 0)
		return vat_fail(err, errno, "region file: cannot be read: %s", strerror(errno));
	if (got >= (ssize_t)sizeof(header->magic) && header->magic == VAT_MAGIC)
		return vat_fail(err, EPROTONOSUPPORT,
			"region file: a bare copy without checksums, as cityctl 0.1 wrote it; save "
			"the tile again");
	if (got < (ssize_t)offsetof(struct vat_file_header, page) ||
		header->magic != VAT_FILE_MAGIC)
		return damaged(err, "this is not a region file (wrong magic)");
	if (header->format != VAT_FILE_FORMAT)
		return vat_fail(err, EPROTONOSUPPORT,
			"region file: format %u; this version of Source City reads format %u",
			header->format, VAT_FILE_FORMAT);
	if (got < (ssize_t)sizeof(*header))
		return damaged(err, "it ends in its header");
	if (header->self != vat_checksum(header, offsetof(struct vat_file_header, self)))
		return damaged(err, "its header is damaged");
	if (header->page != VAT_PAGE || !memchr(header->name, 0, sizeof(header->name)) ||
		!vat_name_valid(header->name) || header->region_size < VAT_PAGE ||
		header->region_size > VAT_REGION_MAX || header->region_size % VAT_PAGE)
		return damaged(err, "its header makes no sense");
	return 0;
}

static int load_trailer(int fd, const struct vat_file_header *header,
	struct vat_file_trailer *trailer, struct vat_error *err) {
	struct stat st;
	if (fstat(fd, &st) < 0)
		return vat_fail(err, errno, "region file: fstat: %s", strerror(errno));
	uint64_t size = (uint64_t)st.st_size;
	if (size < sizeof(*header) + sizeof(*trailer))
		return damaged(err, "it ends too early: it was not written to its end");
	int rc = vat_read_all(fd, trailer, sizeof(*trailer), size - sizeof(*trailer));
	if (rc < 0)
		return vat_fail(err, -rc, "region file: cannot be read: %s", strerror(-rc));
	if (trailer->magic != VAT_FILE_TRAILER_MAGIC ||
		trailer->self != vat_checksum(trailer, offsetof(struct vat_file_trailer, self)))
		return damaged(err, "its end is missing or damaged: it was cut off");
	uint64_t pages = header->region_size / VAT_PAGE;
	if (trailer->size != size || trailer->header != header->self || trailer->pages > pages ||
		trailer->blocks > trailer->pages ||
		sizeof(*header) + trailer->pages * VAT_PAGE +
				trailer->blocks * sizeof(struct vat_file_block) +
				sizeof(*trailer) !=
			size)
		return damaged(err, "its beginning and its end do not belong together");
	return 0;
}

/* In order, apart from each other, inside the region, and all of the pages. */
static int check_blocks(const struct vat_file_header *header,
	const struct vat_file_trailer *trailer, const struct vat_file_block *blocks,
	struct vat_error *err) {
	uint64_t at = 0, pages = 0;
	for (uint64_t i = 0; i < trailer->blocks; i++) {
		const struct vat_file_block *block = &blocks[i];
		uint64_t size = (uint64_t)block->pages * VAT_PAGE;
		if (block->pages == 0 || block->pages > BLOCK_PAGES || block->offset % VAT_PAGE ||
			block->offset < at || block->offset > header->region_size ||
			size > header->region_size - block->offset)
			return damaged(err, "its index makes no sense");
		at = block->offset + size;
		pages += block->pages;
	}
	return pages == trailer->pages ? 0 : damaged(err, "its index makes no sense");
}

static int load_index(int fd, const struct vat_file_header *header,
	const struct vat_file_trailer *trailer, struct vat_file_block **out,
	struct vat_error *err) {
	size_t size = trailer->blocks * sizeof(struct vat_file_block);
	struct vat_file_block *blocks = malloc(size ? size : 1);
	if (!blocks)
		return vat_fail(err, ENOMEM, "region file: no memory for its index");
	int rc = vat_read_all(fd, blocks, size, sizeof(*header) + trailer->pages * VAT_PAGE);
	if (rc < 0)
		rc = vat_fail(err, -rc, "region file: cannot be read: %s", strerror(-rc));
	else if (vat_checksum(blocks, size) != trailer->index)
		rc = damaged(err, "its index is damaged");
	else
		rc = check_blocks(header, trailer, blocks, err);
	if (rc < 0)
		free(blocks);
	else
		*out = blocks;
	return rc;
}

static int load_blocks(int fd, const struct vat_file_trailer *trailer,
	const struct vat_file_block *blocks, int memfd, struct vat_error *err) {
	uint8_t *buffer = malloc(BLOCK_SIZE);
	if (!buffer)
		return vat_fail(err, ENOMEM, "region file: no memory to read it");
	uint64_t from = sizeof(struct vat_file_header);
	int rc = 0;
	for (uint64_t i = 0; rc == 0 && i < trailer->blocks; i++) {
		size_t size = (size_t)blocks[i].pages * VAT_PAGE;
		rc = vat_read_all(fd, buffer, size, from);
		if (rc < 0) {
			rc = vat_fail(err, -rc, "region file: cannot be read: %s", strerror(-rc));
			break;
		}
		if (vat_checksum(buffer, size) != blocks[i].checksum) {
			rc = vat_fail(err, EBADMSG,
				"region file: the block at byte %llu (of the region: %llu) is "
				"damaged",
				(unsigned long long)from, (unsigned long long)blocks[i].offset);
			break;
		}
		from += size;
		rc = vat_write_all(memfd, buffer, size, blocks[i].offset);
		if (rc < 0)
			rc = vat_fail(err, -rc, "region file: no memory for the region: %s",
				strerror(-rc));
	}
	free(buffer);
	return rc;
}

/* The region itself must be one, and the one that the header names. */
static int check_region(const struct vat_file_header *header, int memfd, struct vat_error *err) {
	struct vat_region *region;
	int rc = vat_region_map(memfd, VAT_READ, &region, err);
	if (rc < 0)
		return rc;
	if (!vat_uuid_equal(&region->info.tile, &header->tile) ||
		!vat_uuid_equal(&region->info.city, &header->city) ||
		strcmp(region->info.name, header->name) != 0 ||
		region->generation != header->generation)
		rc = damaged(err, "its header belongs to another region");
	vat_region_unmap(region);
	return rc;
}

int vat_file_load(int fd, struct vat_error *err) {
	struct vat_file_header *header = malloc(sizeof(*header));
	struct vat_file_trailer trailer;
	struct vat_file_block *blocks = NULL;
	int memfd = -1;
	int rc = header ? load_header(fd, header, err)
			: vat_fail(err, ENOMEM, "region file: no memory to read it");
	if (rc == 0)
		rc = load_trailer(fd, header, &trailer, err);
	if (rc == 0)
		rc = load_index(fd, header, &trailer, &blocks, err);
	if (rc == 0) {
		struct vat_region_info info = {.tile = header->tile, .city = header->city};
		memcpy(info.name, header->name, sizeof(info.name));
		memfd = rc = vat_region_create(&info, header->region_size, err);
	}
	if (rc >= 0)
		rc = load_blocks(fd, &trailer, blocks, memfd, err);
	if (rc == 0)
		rc = check_region(header, memfd, err);
	if (rc < 0 && memfd >= 0)
		close(memfd);
	free(blocks);
	free(header);
	return rc < 0 ? rc : memfd;
}
