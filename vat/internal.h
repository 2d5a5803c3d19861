/* SPDX-License-Identifier: MIT */
/* What the files of libvat share. */
#ifndef SOURCE_CITY_VAT_INTERNAL_H
#define SOURCE_CITY_VAT_INTERNAL_H

#include <errno.h>
#include <string.h>
#include <sys/types.h>

#include "format.h"
#include "vat.h"

#define VAT_RESERVE (64ull << 30)

struct vat_barrier;
struct vat_shadow;

/* A directory: parsed, checked, on the heap. */
struct vat_directory {
	struct vat_disk_root root;
	struct vat_cell *cells;
	size_t cell_count;
	void *blob; /* what the fields of the cells point into */
};

struct vat_region {
	int fd;
	enum vat_access access;
	uint8_t *base;
	uint64_t size;	   /* mapped */
	uint64_t reserved; /* address space */
	struct vat_region_info info;
	uint64_t generation; /* that directory belongs to */
	struct vat_directory directory;
	struct vat_barrier *barrier; /* NULL when not armed */
	struct vat_barrier *ready;   /* made ahead, see vat_barrier_prepare; NULL if none is */
	struct vat_shadow *shadow;   /* NULL: what is mapped is the region itself */
	uint64_t epoch;		     /* that this handle set; 0 if none */
	bool in_txn;
};

/* Tests come between libvat and the memory through these. Not for threads. */
struct vat_hooks {
	/* Instead of memcpy for every store into a region that a commit, a rollback or an undo
	 * makes. An aligned store of 8 bytes is atomic. n 0: bulk data is about to be written. */
	void (*store)(void *to, const void *from, size_t n);
	/* Errors to inject: an errno, or 0 to go on. */
	int (*refuse)(uint64_t offset, uint64_t size);
	void (*file)(void); /* a region file is about to be written to */
	uint64_t reserve;   /* address space per region; 0: VAT_RESERVE */
};
extern struct vat_hooks vat_hooks;

/* error.c */
void vat_say(struct vat_error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A failure is below 0 whatever errno says. */
static inline int vat_code(int code) {
	return code > 0 ? -code : -EIO;
}
/* Fills err and gives -code. */
#define vat_fail(err, code, ...)                                                                   \
	({                                                                                         \
		int vat_code_ = vat_code(code); /* before anything touches errno */                \
		vat_say(err, __VA_ARGS__);                                                         \
		vat_code_;                                                                         \
	})

/* text.c */
/* Bytes of the valid UTF-8 sequence at text, at most size; 0 if there is none. Sets *code. */
size_t vat_utf8_decode(const char *text, size_t size, uint32_t *code);

/* key.c */
uint64_t vat_checksum(const void *data, size_t size);

/* schema.c */
/* Fills cell but for its place, and fields sorted by id. The declaration has been checked. */
void vat_cell_from_decl(const struct vat_region_info *info, const struct vat_cell_decl *decl,
	struct vat_cell *cell, struct vat_stored_field *fields);
bool vat_cell_same_shape(const struct vat_cell *a, const struct vat_cell *b);
/* fields sorted by id, of one cell; label names it in errors. */
int vat_fields_check(const struct vat_stored_field *fields, uint32_t n, uint32_t stride,
	uint32_t key_field, const char *label, struct vat_error *err);
/* "name" or "name@scope" or "name@scope#element" */
void vat_cell_label(
	const char *name, const char *scope, uint64_t element, char *label, size_t size);
#define VAT_LABEL_SIZE (VAT_NAME_SIZE + VAT_SCOPE_SIZE + 24)
/* The bytes of the initial value, and whether they are not all zero. */
bool vat_initial_bytes(const struct vat_stored_field *field, uint8_t bytes[8]);

/* lineage.c */
/* The schema of that version of the cells of that name; NULL if it is not known. */
const struct vat_cell_decl *vat_lineage_find(
	const struct vat_lineage *lineage, const char *name, uint32_t version);

/* directory.c */
int vat_directory_parse(const struct vat_region_info *info, uint64_t region_size,
	const struct vat_disk_root *root, void *blob, struct vat_directory *directory,
	struct vat_error *err); /* takes blob when it succeeds */
int vat_directory_load(const struct vat_region *region, uint64_t generation,
	struct vat_directory *directory, struct vat_error *err);
/* A directory from anywhere. read gives 0 or a negative errno. */
int vat_directory_read(const struct vat_region_info *info, uint64_t region_size,
	const struct vat_disk_root *root, uint64_t generation,
	int (*read)(void *data, void *to, uint64_t size, uint64_t at), void *data,
	struct vat_directory *directory, struct vat_error *err);
void vat_directory_finish(struct vat_directory *directory);
int vat_root_check(const struct vat_disk_root *root, uint64_t generation, struct vat_error *err);

/* region.c */
struct vat_disk_header *vat_header(const struct vat_region *region);
/* Maps what other processes made the region grow by. */
int vat_region_follow(struct vat_region *region, struct vat_error *err);
int vat_region_grow(struct vat_region *region, uint64_t size, struct vat_error *err);
/* For undoing: nothing in it is looked at. To be read, until vat_region_protect. */
int vat_region_map_trusted(
	int fd, const struct vat_region_info *info, struct vat_region **out, struct vat_error *err);
void vat_put(void *to, const void *from, size_t n);
void vat_put_word(uint64_t *to, uint64_t value);
void vat_cut(void);
/* Loads before it are done before loads after it. */
void vat_read_fence(void);
/* The directory of the kept generation; empty when none is kept. */
int vat_region_load_previous(
	const struct vat_region *region, struct vat_directory *directory, struct vat_error *err);
int vat_identity_check(
	const struct vat_disk_header *header, struct vat_region_info *info, struct vat_error *err);

/* io.c */
/* A new memfd that can be sealed and not executed; below 0: -errno. */
int vat_memfd(const char *name);
/* One that nobody can grow or shrink: what maps it finds it all. */
int vat_memfd_fixed(const char *name, uint64_t size);
/* The first byte from at on that is not in a hole, or end. Moves the file's offset. */
uint64_t vat_next_data(int fd, uint64_t at, uint64_t end);
/* -ENODATA where the file ends too early. */
int vat_read_all(int fd, void *buffer, size_t size, uint64_t at);
int vat_write_all(int fd, const void *data, size_t size, uint64_t at);
/* What is no hole. By read, not through a mapping: that would fill the holes of a memfd. */
int vat_copy_data(int from, int to, uint64_t at, uint64_t end);

/* space.c: where things are */
struct vat_extent {
	uint64_t start, end;
};
struct vat_space {
	struct vat_extent *used; /* sorted after vat_space_sort */
	size_t count, capacity;
	uint64_t floor; /* nothing is placed below */
};
int vat_space_add(struct vat_space *space, uint64_t start, uint64_t size);
int vat_space_add_directory(struct vat_space *space, const struct vat_directory *directory);
int vat_space_take(struct vat_space *space, struct vat_region *region, uint64_t size,
	uint64_t align, bool populate, uint64_t *offset, struct vat_error *err);
/* Whole pages below limit (0: anywhere), for somebody who maps them: the region's own mapping need
 * not be writable. */
int vat_space_reserve(struct vat_space *space, struct vat_region *region, uint64_t size,
	uint64_t limit, bool populate, uint64_t *offset, struct vat_error *err);
/* Gives the memory of all gaps back to the system. */
void vat_space_release(struct vat_space *space, struct vat_region *region);
void vat_space_finish(struct vat_space *space);
/* Bytes that a cell or directory of this size takes, and how it is aligned. */
uint64_t vat_space_round(uint64_t size);

/* plan.c: what a change loses */
struct vat_losses {
	struct vat_loss *items;
	size_t count;
};
/* field may be NULL: whole elements. -ENOMEM is the only error of both. */
int vat_losses_add(struct vat_losses *losses, const struct vat_stored_field *field,
	const char *format, ...) __attribute__((format(printf, 3, 4)));
int vat_losses_append(struct vat_losses *losses, const struct vat_losses *more);
void vat_losses_finish(struct vat_losses *losses);

/* change.c */
struct vat_plan;
struct vat_route;
/* How one cell gets from what it is to what it shall be. */
struct vat_move {
	enum { VAT_MOVE_NONE, VAT_MOVE_ALONG, VAT_MOVE_COMPACT } way;
	uint64_t elements;
	struct vat_route *route; /* NULL for VAT_MOVE_NONE, as is fresh */
	struct vat_plan *fresh;	 /* of elements that are new */
};
/* What decides about it. */
struct vat_terms {
	const struct vat_lineage *lineage, *older; /* may be NULL */
	const struct vat_build *build;		   /* may be NULL */
	unsigned flags;				   /* enum vat_change_flags */
};
/* Decides, and says so in change, to be finished. -EUCLEAN with VAT_REFUSED if it loses something
 * that flags do not allow; there is then no move. from and to are used as long as the move is. */
int vat_move_init(struct vat_move *move, const struct vat_region *region,
	const struct vat_cell *from, const struct vat_cell *to, const struct vat_terms *terms,
	struct vat_change *change, struct vat_error *err);
/* Fails where an edge refuses. */
int vat_move_run(const struct vat_move *move, const struct vat_region *region,
	const struct vat_cell *from, const struct vat_cell *to, struct vat_error *err);
int vat_move_run_at(const struct vat_move *move, const uint8_t *old, uint8_t *new,
	const struct vat_cell *from, const struct vat_cell *to, struct vat_error *err);
void vat_move_finish(struct vat_move *move);
void vat_change_finish(struct vat_change *change);
void vat_change_init(struct vat_change *change, enum vat_outcome outcome,
	const struct vat_cell *from, const struct vat_cell *to); /* either may be NULL */
/* Whether a cell that keeps its bytes also keeps what is said about it. */
bool vat_cell_same_text(const struct vat_cell *a, const struct vat_cell *b);

/* adopt.c */
/* The declarations with the counts that their cells have grown to. Owned by the caller; NULL when
 * out of memory. */
struct vat_cell_decl *vat_adopt_fit_counts(
	const struct vat_region *region, const struct vat_cell_decl *decls, size_t n);
bool vat_adopt_clears(const struct vat_cell_decl *decl, unsigned flags);
unsigned vat_adopt_change_flags(unsigned flags);

/* txn.c */
/* All that is in use now: what both roots refer to. */
int vat_region_used_space(
	struct vat_region *region, struct vat_space *space, struct vat_error *err);
int vat_txn_claim(struct vat_txn *txn, const struct vat_build *build);
int vat_txn_retype_by(struct vat_txn *txn, const struct vat_cell_decl *decl,
	const struct vat_terms *terms, struct vat_error *err);
int vat_txn_reset(struct vat_txn *txn, const struct vat_cell_decl *decl, struct vat_error *err);
void vat_txn_orphan(struct vat_txn *txn, const struct vat_cell *cell);
/* Gives memory that no root refers to back; under a barrier only what lies behind it. */
void vat_region_release(struct vat_region *region);
int vat_region_check_writer(const struct vat_region *region, struct vat_error *err);

/* barrier.c */
uint64_t vat_barrier_limit(const struct vat_region *region); /* bytes covered; 0 if not armed */
void vat_barrier_drop(struct vat_region *region);
void vat_barrier_drop_ready(struct vat_region *region); /* what was made ahead */

/* shadow.c */
void vat_shadow_drop(struct vat_region *region);
/* Takes the directory if it is the one to go back to. */
bool vat_shadow_keep(struct vat_region *region, const struct vat_directory *directory);
int vat_shadow_grow(struct vat_region *region, uint64_t size, struct vat_error *err);
bool vat_shadow_handle_fault(void *address);

#endif
