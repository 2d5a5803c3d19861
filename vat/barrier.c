/* SPDX-License-Identifier: MIT */
/*
 * The write barrier: pages are read-only until their first write, which saves them.
 *
 * A page goes through four states. Whoever moves it from CLEAN to SAVING saves it and opens it; a
 * thread that faults on it meanwhile goes back to its instruction, and faults again until the page
 * is open. No page is opened before its image and its entry are in the log.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "undo.h"

#define BARRIERS_MAX 32
/* Pages saved for one fault, when writes go along the region. */
#define RUN_MAX 64
/* Mappings that scattered writes may split the region into; the system has 65530 by default. */
#define SPLITS_MAX 24000
/* Faults in a row on pages that are open: this is not a write that the barrier stops. */
#define IDLE_MAX 100000

enum {
	CLEAN,
	SAVING,
	SAVED,
	OPEN,
};

struct vat_barrier {
	uint8_t *base;
	uint64_t pages; /* of the system, armed */
	uint64_t unit;	/* VAT_PAGEs in one of the system's */
	struct vat_log log;
	int log_fd;
	_Atomic uint8_t *states;
	_Atomic uint64_t run_end;  /* page after the last run */
	_Atomic uint64_t run_size; /* its pages */
	_Atomic uint64_t runs;
	_Atomic uint64_t idle;
	bool may_lose; /* see vat_barrier_begin_live */
	uint64_t runs_per_doubling;
	uint8_t *parked; /* see park(); NULL if they are in their place */
	void *park;	 /* the address space around it */
};

static _Atomic(struct vat_barrier *) barriers[BARRIERS_MAX];

static uint64_t system_page(void) {
	long size = sysconf(_SC_PAGESIZE);
	return size > VAT_PAGE ? (uint64_t)size : VAT_PAGE;
}

/* ---- In the signal handler ---- */

/* By pwrite, not by a mapping: the kernel then neither clears the new pages nor faults on each. */
static bool write_images(
	const struct vat_barrier *barrier, uint64_t slot, const uint8_t *from, uint64_t size) {
	uint64_t at =
		(uint64_t)(barrier->log.images - (uint8_t *)barrier->log.map) + slot * VAT_PAGE;
	while (size > 0) {
		ssize_t n = pwrite(barrier->log_fd, from, size, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		from += n;
		at += (uint64_t)n;
		size -= (uint64_t)n;
	}
	return true;
}

/* Slots of the log; false when there are no more. */
static bool take_slots(struct vat_undo_header *header, uint64_t n, uint64_t *slot) {
	*slot = __atomic_load_n(&header->next, __ATOMIC_RELAXED);
	do {
		if (*slot > header->pages || n > header->pages - *slot)
			return false;
	} while (!__atomic_compare_exchange_n(
		&header->next, slot, *slot + n, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return true;
}

/* Nothing is in them. They stay without a page if others were taken meanwhile. */
static void give_slots_back(struct vat_undo_header *header, uint64_t slot, uint64_t n) {
	uint64_t end = slot + n;
	__atomic_compare_exchange_n(
		&header->next, &end, slot, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static bool save_pages(struct vat_barrier *barrier, uint64_t first, uint64_t n) {
	struct vat_log *log = &barrier->log;
	uint64_t unit = barrier->unit, slot;
	bool taken = take_slots(log->header, n * unit, &slot);
	bool saved = taken &&
		write_images(barrier, slot, barrier->base + first * unit * VAT_PAGE,
			n * unit * VAT_PAGE);
	if (taken && !saved)
		give_slots_back(log->header, slot, n * unit);
	for (uint64_t i = 0; saved && i < n * unit; i++)
		__atomic_store_n(&log->entries[slot + i], first * unit + i + 1, __ATOMIC_RELEASE);
	for (uint64_t i = 0; i < n; i++)
		atomic_store(&barrier->states[first + i], saved ? SAVED : CLEAN);
	return saved;
}

/* Saves what is clean in [first, end), waits for pages that another thread is saving, and opens
 * all. */
static bool open_pages(struct vat_barrier *barrier, uint64_t first, uint64_t end) {
	for (uint64_t i = first; i < end;) {
		uint64_t n = 0;
		while (i + n < end && n < RUN_MAX) {
			uint8_t clean = CLEAN;
			if (!atomic_compare_exchange_strong(
				    &barrier->states[i + n], &clean, SAVING))
				break;
			n++;
		}
		if (n > 0 && !save_pages(barrier, i, n))
			return false;
		i += n ? n : 1;
	}
	for (uint64_t i = first; i < end; i++) {
		uint8_t state;
		while ((state = atomic_load(&barrier->states[i])) == SAVING)
			continue;
		if (state == CLEAN) /* another thread could not save it */
			return false;
	}
	uint64_t size = barrier->unit * VAT_PAGE;
	if (mprotect(barrier->base + first * size, (end - first) * size, PROT_READ | PROT_WRITE) <
		0)
		return false;
	for (uint64_t i = first; i < end; i++)
		atomic_store(&barrier->states[i], OPEN);
	return true;
}

/*
 * How many pages to open at a fault. Writes that go along double the run, so that they fault
 * seldom. Scattered writes split the mapping, which the system limits: they are opened in blocks
 * that double in size each time a share of the splits is used up.
 */
static void choose_run(struct vat_barrier *barrier, uint64_t page, uint64_t *first, uint64_t *end) {
	uint64_t size = 1;
	if (atomic_load(&barrier->run_end) == page) {
		size = atomic_load(&barrier->run_size) * 2;
		if (size > RUN_MAX)
			size = RUN_MAX;
	} else {
		atomic_fetch_add(&barrier->runs, 1);
	}
	uint64_t doublings = atomic_load(&barrier->runs) / barrier->runs_per_doubling;
	uint64_t block = 1ull << (doublings < 32 ? doublings : 32);
	*first = page & ~(block - 1);
	*end = page + size;
	if (*end < *first + block)
		*end = *first + block;
	if (*end > barrier->pages)
		*end = barrier->pages;
	atomic_store(&barrier->run_end, *end);
	atomic_store(&barrier->run_size, size);
}

/* The writer is more than its log, which is marked as lost before anything is opened. */
static bool lose_log(struct vat_barrier *barrier) {
	if (!barrier->may_lose)
		return false;
	__atomic_store_n(&barrier->log.header->ended, VAT_LOG_LOST, __ATOMIC_SEQ_CST);
	if (mprotect(barrier->base, barrier->pages * barrier->unit * VAT_PAGE,
		    PROT_READ | PROT_WRITE) < 0)
		return false;
	for (uint64_t i = 0; i < barrier->pages; i++)
		atomic_store(&barrier->states[i], OPEN);
	return true;
}

static bool handle(struct vat_barrier *barrier, uint64_t page) {
	uint8_t state = atomic_load(&barrier->states[page]);
	if (state == OPEN)
		return atomic_fetch_add(&barrier->idle, 1) < IDLE_MAX;
	if (state != CLEAN)
		return true;
	atomic_store(&barrier->idle, 0);
	__atomic_fetch_add(&barrier->log.header->faults, 1, __ATOMIC_RELAXED);
	uint64_t first, end;
	choose_run(barrier, page, &first, &end);
	/*
	 * When the system refuses to split the mapping further, the whole of it is saved. When it
	 * refuses memory for that as well, the fault is a real one: the process dies with the page
	 * as it was.
	 */
	return open_pages(barrier, first, end) || open_pages(barrier, 0, barrier->pages) ||
		lose_log(barrier);
}

bool vat_barrier_handle_fault(void *address) {
	int saved_errno = errno;
	bool handled = false;
	for (size_t i = 0; i < BARRIERS_MAX && !handled; i++) {
		struct vat_barrier *barrier = atomic_load(&barriers[i]);
		if (!barrier)
			continue;
		uintptr_t offset = (uintptr_t)address - (uintptr_t)barrier->base;
		uint64_t page = offset / (barrier->unit * VAT_PAGE);
		if ((uintptr_t)address >= (uintptr_t)barrier->base && page < barrier->pages)
			handled = handle(barrier, page);
	}
	handled = handled || vat_shadow_handle_fault(address);
	errno = saved_errno;
	return handled;
}

/* ---- Outside of it ---- */

/* Nothing was ever saved in it: what is allocated can stay. */
static bool is_new(int fd) {
	struct vat_undo_header header;
	return pread(fd, &header, sizeof(header), 0) == sizeof(header) && header.magic == 0 &&
		header.next == 0;
}

/*
 * To make a mapping read-only costs a walk over every page that it has touched, and a live version
 * may have touched all of them. So its page tables are moved away, which is done by the table, and
 * nothing is left to walk over; the mapping stays, and gets those pages back that are touched. When
 * the barrier ends the tables are moved back. They stay writable meanwhile, at an address that is
 * given to nobody.
 */
/* Below this the walk is shorter. */
#define PARK_MIN (4ull << 20)
/* Between places that are the same modulo this, tables of all sizes move whole. */
#define PARK_ALIGN (1ull << 30)

static void park(struct vat_barrier *barrier) {
	uint64_t size = barrier->pages * barrier->unit * VAT_PAGE;
	if (size < PARK_MIN)
		return;
	uint8_t *space = mmap(NULL, size + PARK_ALIGN, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (space == MAP_FAILED)
		return;
	uint8_t *place = space + ((uintptr_t)barrier->base - (uintptr_t)space) % PARK_ALIGN;
	if (mremap(barrier->base, size, size, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP,
		    place) == MAP_FAILED) {
		munmap(space, size + PARK_ALIGN);
		return;
	}
	barrier->park = space;
	barrier->parked = place;
}

/* Back over what the barrier has split into pieces. When it cannot be, the pieces go on. */
static void unpark(struct vat_barrier *barrier) {
	uint64_t size = barrier->pages * barrier->unit * VAT_PAGE;
	if (barrier->parked)
		mremap(barrier->parked, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, barrier->base);
	barrier->parked = NULL;
}

static int empty_log(int fd, uint64_t size, const char *name, struct vat_error *err) {
	struct stat st;
	int seals = fcntl(fd, F_GET_SEALS);
	if (fstat(fd, &st) < 0 || seals < 0 || !(seals & F_SEAL_SHRINK))
		return vat_fail(err, EINVAL, "region '%s': this is not an undo log", name);
	if ((uint64_t)st.st_size < size && ftruncate(fd, (off_t)size) < 0)
		return vat_fail(err, errno, "region '%s': the undo log cannot grow: %s", name,
			strerror(errno));
	if (is_new(fd))
		return 0;
	if ((uint64_t)st.st_size > size)
		size = (uint64_t)st.st_size;
	int rc;
	do {
		rc = fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, (off_t)size);
	} while (rc < 0 && errno == EINTR);
	if (rc < 0)
		return vat_fail(err, errno, "region '%s': the undo log cannot be emptied: %s", name,
			strerror(errno));
	return 0;
}

static uint64_t runs_per_doubling(uint64_t pages) {
	uint64_t doublings = 2;
	for (uint64_t n = pages / 4096; n > 0; n /= 2)
		doublings++;
	return SPLITS_MAX / doublings;
}

static void write_header(const struct vat_region *region, struct vat_undo_header *header,
	uint64_t pages, uint64_t return_to) {
	*header = (struct vat_undo_header){
		.format = VAT_FORMAT,
		.page = VAT_PAGE,
		.tile = region->info.tile,
		.city = region->info.city,
		.pages = pages,
		.generation = region->generation,
		.return_to = return_to,
	};
	header->self = vat_checksum(&header->format,
		offsetof(struct vat_undo_header, self) - offsetof(struct vat_undo_header, format));
	arc4random_buf(header->seed, sizeof(header->seed));
}

static void discard(struct vat_barrier *barrier) {
	if (barrier->log_fd >= 0)
		close(barrier->log_fd);
	vat_log_unmap(&barrier->log);
	if (barrier->park)
		munmap(barrier->park, barrier->pages * barrier->unit * VAT_PAGE + PARK_ALIGN);
	munmap(barrier, sizeof(*barrier) + barrier->pages);
}

static int make(const struct vat_region *region, int undo_fd, struct vat_barrier **out,
	struct vat_error *err) {
	const char *name = region->info.name;
	uint64_t page = system_page();
	uint64_t pages = region->size / page;
	struct vat_barrier *barrier = mmap(NULL, sizeof(*barrier) + pages, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (barrier == MAP_FAILED)
		return vat_fail(err, ENOMEM, "region '%s': no memory for a barrier", name);
	barrier->base = region->base;
	barrier->pages = pages;
	barrier->unit = page / VAT_PAGE;
	barrier->log_fd = -1;
	barrier->states = (_Atomic uint8_t *)(barrier + 1);
	barrier->run_end = UINT64_MAX;
	barrier->runs_per_doubling = runs_per_doubling(pages);
	int rc = empty_log(undo_fd, vat_log_size(pages * barrier->unit), name, err);
	if (rc == 0)
		rc = vat_log_map(undo_fd, pages * barrier->unit, true, &barrier->log, err);
	if (rc < 0)
		goto error;
	barrier->log_fd = fcntl(undo_fd, F_DUPFD_CLOEXEC, 3);
	if (barrier->log_fd < 0) {
		rc = vat_fail(err, errno, "region '%s': the undo log cannot be kept open: %s", name,
			strerror(errno));
		goto error;
	}
	*out = barrier;
	return 0;

error:
	discard(barrier);
	return rc;
}

static bool same_file(int a, int b) {
	struct stat one, other;
	return fstat(a, &one) == 0 && fstat(b, &other) == 0 && one.st_dev == other.st_dev &&
		one.st_ino == other.st_ino;
}

void vat_barrier_drop_ready(struct vat_region *region) {
	if (region->ready)
		discard(region->ready);
	region->ready = NULL;
}

static bool is_ready(const struct vat_region *region, int undo_fd) {
	const struct vat_barrier *ready = region->ready;
	return ready && ready->base == region->base &&
		ready->pages == region->size / system_page() && same_file(undo_fd, ready->log_fd);
}

int vat_barrier_prepare(struct vat_region *region, int undo_fd, struct vat_error *err) {
	if (is_ready(region, undo_fd))
		return 0;
	vat_barrier_drop_ready(region);
	int rc = make(region, undo_fd, &region->ready, err);
	if (rc < 0)
		return rc;
	/* What arming writes, it writes without a fault. */
	struct vat_log *log = &region->ready->log;
	*(volatile uint64_t *)&log->header->magic = 0;
	*(volatile uint64_t *)&log->entries[0] = 0;
	*(volatile uint8_t *)&region->ready->states[0] = 0;
	struct vat_barrier *none = NULL;
	atomic_compare_exchange_strong(&barriers[0], &none, NULL);
	return 0;
}

/* The one that was made ahead, if it fits. */
static struct vat_barrier *take_ready(struct vat_region *region, int undo_fd) {
	if (!is_ready(region, undo_fd)) {
		vat_barrier_drop_ready(region);
		return NULL;
	}
	struct vat_barrier *ready = region->ready;
	region->ready = NULL;
	return ready;
}

enum how {
	FRESH,	/* this mapping has touched little */
	CLOSED, /* all of it is read-only already, but for the header */
	LIVE,	/* it may have touched all */
};

static int begin(struct vat_region *region, int undo_fd, uint64_t return_to, enum how how,
	struct vat_error *err) {
	const char *name = region->info.name;
	int rc = vat_region_check_writer(region, err);
	if (rc < 0)
		return rc;
	if (region->barrier || region->in_txn || region->shadow)
		return vat_fail(err, EBUSY,
			"region '%s' is under a barrier already, or in a transaction", name);
	rc = vat_region_refresh(region, err);
	if (rc < 0)
		return rc;
	if (return_to != region->generation &&
		!(vat_region_has_previous(region) && return_to + 1 == region->generation))
		return vat_fail(err, EINVAL,
			"region '%s': generation %llu cannot be returned to; it is %llu%s", name,
			(unsigned long long)return_to, (unsigned long long)region->generation,
			vat_region_has_previous(region) ? ", and the one before is kept" : "");

	struct vat_barrier *barrier = take_ready(region, undo_fd);
	if (!barrier) {
		rc = make(region, undo_fd, &barrier, err);
		if (rc < 0)
			return rc;
	}
	barrier->may_lose = how == LIVE;
	write_header(region, barrier->log.header, barrier->log.pages, return_to);

	size_t slot = 0;
	struct vat_barrier *none = NULL;
	while (!atomic_compare_exchange_strong(&barriers[slot], &none, barrier)) {
		none = NULL;
		if (++slot == BARRIERS_MAX) {
			discard(barrier);
			return vat_fail(err, ENOSPC, "region '%s': %d barriers are up already",
				name, BARRIERS_MAX);
		}
	}
	region->barrier = barrier;
	if (how == LIVE)
		park(barrier);
	uint64_t size = barrier->pages * system_page();
	if (how != CLOSED && mprotect(region->base, size, PROT_READ) < 0) {
		rc = vat_fail(err, errno, "region '%s': cannot be made read-only: %s", name,
			strerror(errno));
		vat_barrier_end(region, NULL);
		return rc;
	}
	/* The header is written with every update: saved now, open from the start. */
	if (!open_pages(barrier, 0, 1)) {
		rc = vat_fail(err, errno, "region '%s': its header cannot be saved: %s", name,
			strerror(errno));
		vat_barrier_end(region, NULL);
		return rc;
	}
	__atomic_store_n(&barrier->log.header->magic, VAT_UNDO_MAGIC, __ATOMIC_RELEASE);
	return 0;
}

int vat_barrier_begin(
	struct vat_region *region, int undo_fd, uint64_t return_to, struct vat_error *err) {
	return begin(region, undo_fd, return_to, FRESH, err);
}

static int open_header(struct vat_region *region, struct vat_error *err) {
	if (mprotect(region->base, system_page(), PROT_READ | PROT_WRITE) < 0)
		return vat_fail(err, errno, "region '%s': its header cannot be written: %s",
			region->info.name, strerror(errno));
	region->access = VAT_WRITE;
	return 0;
}

int vat_barrier_take(struct vat_region *region, int undo_fd, uint64_t epoch, uint64_t return_to,
	struct vat_error *err) {
	int rc = vat_region_refresh(region, err);
	if (rc < 0)
		return rc;
	bool closed = region->access == VAT_READ && is_ready(region, undo_fd);
	rc = closed ? open_header(region, err) : vat_region_protect(region, VAT_WRITE, err);
	if (rc == 0)
		rc = vat_region_set_epoch(region, epoch, err);
	if (rc == 0)
		rc = begin(region, undo_fd, return_to, closed ? CLOSED : FRESH, err);
	if (rc < 0)
		vat_region_protect(region, VAT_READ, NULL);
	return rc;
}

int vat_barrier_begin_live(struct vat_region *region, int undo_fd, struct vat_error *err) {
	return begin(region, undo_fd, vat_region_generation(region), LIVE, err);
}

void vat_barrier_drop(struct vat_region *region) {
	struct vat_barrier *barrier = region->barrier;
	if (!barrier)
		return;
	for (size_t i = 0; i < BARRIERS_MAX; i++) {
		struct vat_barrier *mine = barrier;
		atomic_compare_exchange_strong(&barriers[i], &mine, NULL);
	}
	region->barrier = NULL;
	discard(barrier);
}

void vat_barrier_stop(struct vat_region *region) {
	struct vat_barrier *barrier = region->barrier;
	uint64_t not_yet = 0;
	if (barrier)
		__atomic_compare_exchange_n(&barrier->log.header->ended, &not_yet, VAT_LOG_ENDED,
			false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

int vat_barrier_end(struct vat_region *region, struct vat_error *err) {
	if (!region->barrier)
		return 0;
	vat_barrier_stop(region);
	unpark(region->barrier);
	if (mprotect(region->base, region->size, PROT_READ | PROT_WRITE) < 0)
		return vat_fail(err, errno, "region '%s': cannot be made writable: %s",
			region->info.name, strerror(errno));
	vat_barrier_drop(region);
	return 0;
}

bool vat_barrier_armed(const struct vat_region *region) {
	return region->barrier != NULL;
}

uint64_t vat_barrier_limit(const struct vat_region *region) {
	const struct vat_barrier *barrier = region->barrier;
	return barrier ? barrier->pages * barrier->unit * VAT_PAGE : 0;
}
