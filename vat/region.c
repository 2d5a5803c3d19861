/* SPDX-License-Identifier: MIT */
#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "internal.h"

struct vat_hooks vat_hooks;

struct vat_disk_header *vat_header(const struct vat_region *region) {
	return (struct vat_disk_header *)region->base;
}

void vat_put(void *to, const void *from, size_t n) {
	if (vat_hooks.store)
		vat_hooks.store(to, from, n);
	else
		memcpy(to, from, n);
}

/* All stores before it are seen by whoever sees it, and are made even if the process dies right
 * after. */
void vat_put_word(uint64_t *to, uint64_t value) {
	if (vat_hooks.store)
		vat_hooks.store(to, &value, sizeof(value));
	else
		__atomic_store_n(to, value, __ATOMIC_RELEASE);
}

void vat_cut(void) {
	if (vat_hooks.store)
		vat_hooks.store(NULL, NULL, 0);
}

static uint64_t round_growth(uint64_t size) {
	return (size + VAT_GROWTH - 1) & ~(uint64_t)(VAT_GROWTH - 1);
}

static struct vat_disk_root empty_root(void) {
	struct vat_disk_root root = {.checksum = vat_checksum(NULL, 0)};
	root.self = vat_checksum(&root, offsetof(struct vat_disk_root, self));
	return root;
}

int vat_region_create(const struct vat_region_info *info, uint64_t size, struct vat_error *err) {
	if (!memchr(info->name, 0, sizeof(info->name)) || !vat_name_valid(info->name))
		return vat_fail(err, EINVAL, "region: '%.*s' is not a valid tile name",
			VAT_NAME_SIZE, info->name);
	if (size > VAT_REGION_MAX)
		return vat_fail(err, EINVAL, "region '%s': %llu bytes are too many", info->name,
			(unsigned long long)size);
	size = round_growth(size ? size : 1);

	int fd = vat_memfd(info->name);
	if (fd < 0)
		return vat_fail(
			err, -fd, "region '%s': memfd_create: %s", info->name, strerror(-fd));

	struct vat_disk_header header = {
		.magic = VAT_MAGIC,
		.format = VAT_FORMAT,
		.page = VAT_PAGE,
		.tile = info->tile,
		.city = info->city,
	};
	memcpy(header.name, info->name, strlen(info->name));
	header.identity = vat_checksum(&header, offsetof(struct vat_disk_header, identity));
	header.roots[0] = empty_root();
	int code = 0;
	ssize_t n;
	if (ftruncate(fd, (off_t)size) < 0 || (n = pwrite(fd, &header, sizeof(header), 0)) < 0 ||
		fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_SEAL) < 0)
		code = errno;
	else if ((size_t)n != sizeof(header))
		code = ENOSPC;
	if (code) {
		close(fd);
		return vat_fail(err, code,
			"region '%s': cannot make %llu bytes of shared memory: %s", info->name,
			(unsigned long long)size, strerror(code));
	}
	return fd;
}

int vat_identity_check(
	const struct vat_disk_header *header, struct vat_region_info *info, struct vat_error *err) {
	if (header->magic != VAT_MAGIC)
		return vat_fail(err, EBADMSG, "region: this is not a region (wrong magic)");
	if (header->format != VAT_FORMAT)
		return vat_fail(err, EPROTONOSUPPORT,
			"region: format %u; this libvat reads format %u", header->format,
			VAT_FORMAT);
	if (header->identity != vat_checksum(header, offsetof(struct vat_disk_header, identity)))
		return vat_fail(err, EBADMSG, "region: the header is damaged");
	if (header->page != VAT_PAGE || !memchr(header->name, 0, sizeof(header->name)) ||
		!vat_name_valid(header->name))
		return vat_fail(err, EBADMSG, "region: the header has no valid name or page size");
	info->tile = header->tile;
	info->city = header->city;
	memcpy(info->name, header->name, sizeof(info->name));
	return 0;
}

/* Maps the file in place up to size, which may be what is mapped already. */
static int map_to(struct vat_region *region, uint64_t size, struct vat_error *err) {
	if (size <= region->size)
		return 0;
	if (size > region->reserved)
		return vat_fail(err, ENOMEM,
			"region: %llu bytes do not fit into the %llu bytes of address space it has",
			(unsigned long long)size, (unsigned long long)region->reserved);
	int protection = region->access == VAT_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
	void *at = mmap(region->base + region->size, size - region->size, protection,
		MAP_SHARED | MAP_FIXED, region->fd, (off_t)region->size);
	if (at == MAP_FAILED)
		return vat_fail(err, errno, "region: cannot map %llu bytes: %s",
			(unsigned long long)size, strerror(errno));
	region->size = size;
	return 0;
}

static int file_size(int fd, uint64_t *size, struct vat_error *err) {
	struct stat st;
	if (fstat(fd, &st) < 0)
		return vat_fail(err, errno, "region: fstat: %s", strerror(errno));
	int seals = fcntl(fd, F_GET_SEALS);
	if (!S_ISREG(st.st_mode) || seals < 0 || !(seals & F_SEAL_SHRINK))
		return vat_fail(err, EINVAL,
			"region: not a memfd that is sealed against shrinking; reading it could "
			"crash");
	if (st.st_size < VAT_PAGE || (uint64_t)st.st_size > VAT_REGION_MAX || st.st_size % VAT_PAGE)
		return vat_fail(err, EBADMSG, "region: %lld bytes cannot be a region",
			(long long)st.st_size);
	*size = (uint64_t)st.st_size;
	return 0;
}

int vat_region_follow(struct vat_region *region, struct vat_error *err) {
	uint64_t size;
	if (region->shadow)
		return 0; /* it stays as it was */
	int rc = file_size(region->fd, &size, err);
	return rc < 0 ? rc : map_to(region, size, err);
}

static int reserve(struct vat_region *region, uint64_t size, struct vat_error *err) {
	uint64_t want = vat_hooks.reserve ? vat_hooks.reserve : VAT_RESERVE;
	while (want < size)
		want *= 2;
	for (;; want /= 2) {
		void *base = want < size
			? MAP_FAILED
			: mmap(NULL, want, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				  -1, 0);
		if (base != MAP_FAILED) {
			region->base = base;
			region->reserved = want;
			return 0;
		}
		if (want < size || want <= VAT_GROWTH)
			return vat_fail(err, ENOMEM, "region: no address space for %llu bytes",
				(unsigned long long)size);
	}
}

/* Loads before it are done before loads after it. ThreadSanitizer does not know fences, and is told
 * nothing false by that: what is read here belongs to another process. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"
#endif
void vat_read_fence(void) {
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
}
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif

/* Against a writer that does nothing else, so that its reader gets on with its own work. */
#define LOAD_TRIES 100

/* A generation that stays current while its directory is read. The writer may be at work. */
static int load_current(struct vat_region *region, struct vat_directory *directory,
	uint64_t *generation, struct vat_error *err) {
	int rc = 0;
	for (int i = 0; i < LOAD_TRIES; i++) {
		*generation = vat_region_get(region, VAT_GENERATION);
		/* What it names is in the file by now, but maybe not in the mapping yet. */
		vat_read_fence();
		rc = vat_region_follow(region, err);
		if (rc < 0)
			return rc;
		rc = vat_directory_load(region, *generation, directory, err);
		vat_read_fence();
		if (vat_region_get(region, VAT_GENERATION) == *generation)
			return rc;
		if (rc == 0)
			vat_directory_finish(directory);
	}
	return vat_fail(
		err, EAGAIN, "region '%s' changes faster than it can be read", region->info.name);
}

/* trusted: what it is, whatever is written in it; NULL: as is written in it, checked. */
static int map_region(int fd, enum vat_access access, const struct vat_region_info *trusted,
	struct vat_region **out, struct vat_error *err) {
	struct vat_region *region = calloc(1, sizeof(*region));
	if (!region)
		return vat_fail(err, ENOMEM, "region: out of memory");
	region->access = access;
	int rc = 0;
	region->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (region->fd < 0) {
		rc = vat_fail(err, errno, "region: cannot duplicate descriptor %d: %s", fd,
			strerror(errno));
		goto error;
	}
	uint64_t size;
	rc = file_size(region->fd, &size, err);
	if (rc == 0)
		rc = reserve(region, size, err);
	if (rc == 0)
		rc = map_to(region, size, err);
	if (rc < 0)
		goto error;
	if (trusted) {
		region->info = *trusted;
		*out = region;
		return 0;
	}
	struct vat_disk_header header;
	memcpy(&header, region->base, sizeof(header));
	rc = vat_identity_check(&header, &region->info, err);
	if (rc == 0)
		rc = load_current(region, &region->directory, &region->generation, err);
	if (rc < 0)
		goto error;
	*out = region;
	return 0;

error:
	vat_region_unmap(region);
	return rc;
}

int vat_region_map(int fd, enum vat_access access, struct vat_region **out, struct vat_error *err) {
	return map_region(fd, access, NULL, out, err);
}

int vat_region_map_trusted(int fd, const struct vat_region_info *info, struct vat_region **out,
	struct vat_error *err) {
	return map_region(fd, VAT_READ, info, out, err);
}

void vat_region_unmap(struct vat_region *region) {
	if (!region)
		return;
	assert(!region->in_txn);
	vat_barrier_drop(region);
	vat_barrier_drop_ready(region);
	vat_shadow_drop(region);
	vat_directory_finish(&region->directory);
	if (region->base)
		munmap(region->base, region->reserved);
	if (region->fd >= 0)
		close(region->fd);
	free(region);
}

int vat_region_protect(struct vat_region *region, enum vat_access access, struct vat_error *err) {
	if (region->access == access)
		return 0;
	if ((region->barrier && access == VAT_WRITE) || region->in_txn || region->shadow)
		return vat_fail(err, EBUSY,
			"region '%s': access cannot change under a barrier or in a transaction",
			region->info.name);
	vat_barrier_stop(region);
	int protection = access == VAT_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
	if (mprotect(region->base, region->size, protection) < 0)
		return vat_fail(err, errno, "region '%s': cannot be mapped %s: %s",
			region->info.name, access == VAT_WRITE ? "for writing" : "read-only",
			strerror(errno));
	region->access = access;
	vat_barrier_drop(region);
	return 0;
}

int vat_region_refresh(struct vat_region *region, struct vat_error *err) {
	if (region->in_txn)
		return vat_fail(
			err, EBUSY, "region '%s': a transaction is open", region->info.name);
	int rc = vat_region_follow(region, err);
	if (rc < 0)
		return rc;
	if (vat_region_get(region, VAT_GENERATION) == region->generation)
		return 0;
	struct vat_directory directory;
	uint64_t generation;
	rc = load_current(region, &directory, &generation, err);
	if (rc < 0)
		return rc;
	vat_directory_finish(&region->directory);
	region->directory = directory;
	region->generation = generation;
	return 0;
}

int vat_region_grow(struct vat_region *region, uint64_t size, struct vat_error *err) {
	size = round_growth(size);
	if (size <= region->size)
		return 0;
	if (region->shadow)
		return vat_shadow_grow(region, size, err);
	uint64_t have;
	int rc = file_size(region->fd, &have, err);
	if (rc < 0)
		return rc;
	if (size > region->reserved)
		return map_to(region, size, err); /* says why not */
	int code = vat_hooks.refuse ? vat_hooks.refuse(region->size, size - region->size) : 0;
	if (code == 0 && have < size && ftruncate(region->fd, (off_t)size) < 0)
		code = errno;
	if (code)
		return vat_fail(err, code, "region '%s': cannot grow to %llu bytes: %s",
			region->info.name, (unsigned long long)size, strerror(code));
	return map_to(region, have > size ? have : size, err);
}

const struct vat_region_info *vat_region_info(const struct vat_region *region) {
	return &region->info;
}

int vat_region_fd(const struct vat_region *region) {
	return region->fd;
}

uint64_t vat_region_size(const struct vat_region *region) {
	return region->size;
}

enum vat_access vat_region_access(const struct vat_region *region) {
	return region->access;
}

uint64_t vat_region_generation(const struct vat_region *region) {
	return region->generation;
}

uint64_t vat_region_get(const struct vat_region *region, enum vat_word word) {
	return __atomic_load_n(&vat_header(region)->words[word], __ATOMIC_ACQUIRE);
}

void vat_region_set(struct vat_region *region, enum vat_word word, uint64_t value) {
	assert(word != VAT_GENERATION && word != VAT_KEPT);
	assert(region->access == VAT_WRITE);
	__atomic_store_n(&vat_header(region)->words[word], value, __ATOMIC_RELEASE);
}

uint64_t vat_region_add(struct vat_region *region, enum vat_word word, uint64_t value) {
	assert(word != VAT_GENERATION && word != VAT_KEPT);
	assert(region->access == VAT_WRITE);
	return __atomic_add_fetch(&vat_header(region)->words[word], value, __ATOMIC_ACQ_REL);
}

uint64_t vat_region_epoch(const struct vat_region *region) {
	return vat_region_get(region, VAT_EPOCH);
}

int vat_region_set_epoch(struct vat_region *region, uint64_t epoch, struct vat_error *err) {
	if (region->access != VAT_WRITE)
		return vat_fail(err, EACCES, "region '%s' is mapped read-only", region->info.name);
	uint64_t *word = &vat_header(region)->words[VAT_EPOCH];
	uint64_t now = __atomic_load_n(word, __ATOMIC_ACQUIRE);
	do {
		if (now >= epoch)
			return vat_fail(err, ESTALE, "region '%s': epoch %llu is over; it is %llu",
				region->info.name, (unsigned long long)epoch,
				(unsigned long long)now);
	} while (!__atomic_compare_exchange_n(
		word, &now, epoch, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
	region->epoch = epoch;
	return 0;
}

int vat_region_check_writer(const struct vat_region *region, struct vat_error *err) {
	if (region->access != VAT_WRITE)
		return vat_fail(err, EACCES, "region '%s' is mapped read-only", region->info.name);
	uint64_t now = vat_region_epoch(region);
	if (region->epoch && now != region->epoch)
		return vat_fail(err, ESTALE, "region '%s': epoch %llu is over; it is %llu",
			region->info.name, (unsigned long long)region->epoch,
			(unsigned long long)now);
	return 0;
}

size_t vat_region_cell_count(const struct vat_region *region) {
	return region->directory.cell_count;
}

const struct vat_cell *vat_region_cell(const struct vat_region *region, size_t index) {
	return index < region->directory.cell_count ? &region->directory.cells[index] : NULL;
}

const struct vat_cell *vat_region_find(
	const struct vat_region *region, const char *name, const char *scope, uint64_t element) {
	for (size_t i = 0; i < region->directory.cell_count; i++) {
		const struct vat_cell *cell = &region->directory.cells[i];
		if (cell->element == element && strcmp(cell->name, name) == 0 &&
			strcmp(cell->scope, scope ? scope : "") == 0)
			return cell;
	}
	return NULL;
}

const struct vat_cell *vat_region_find_key(
	const struct vat_region *region, const struct vat_key *key) {
	for (size_t i = 0; i < region->directory.cell_count; i++) {
		if (vat_key_equal(&region->directory.cells[i].key, key))
			return &region->directory.cells[i];
	}
	return NULL;
}

void *vat_cell_data(const struct vat_region *region, const struct vat_cell *cell) {
	return region->base + cell->offset;
}

bool vat_region_has_previous(const struct vat_region *region) {
	uint64_t generation = vat_region_get(region, VAT_GENERATION);
	return generation > 0 && vat_region_get(region, VAT_KEPT) == generation;
}

int vat_region_load_previous(
	const struct vat_region *region, struct vat_directory *directory, struct vat_error *err) {
	*directory = (struct vat_directory){0};
	if (!vat_region_has_previous(region))
		return 0;
	return vat_directory_load(
		region, vat_region_get(region, VAT_GENERATION) - 1, directory, err);
}
