/* SPDX-License-Identifier: MIT */
/*
 * libvat: memory that outlives code.
 *
 * A *region* is one sealed memfd that belongs to one tile. It holds *cells*: named, typed,
 * versioned arrays of elements, each with its schema stored beside it, so that any program can read
 * any region from the region alone. vat/FORMAT.md has the bytes.
 *
 * The first part of this header is declarations only: what a tile puts into its constant tables. A
 * tile never calls libvat; its host does, with the second part.
 *
 * Rules for all functions
 *  - They return 0 (or a file descriptor) on success and a negative errno on failure, and then put
 *    one line into *err, which says what was wrong and where; err may be NULL.
 *  - A struct vat_region belongs to one thread at a time. Only the words of vat_region_get/_set and
 *    vat_barrier_handle_fault may be used from any thread.
 *  - Sizes and offsets are bytes, counts are elements.
 *  - A garbled region, hostile or torn, gives an error and never a crash: the directory is
 *    copied out of the shared memory before it is checked, and only the copy is used.
 */
#ifndef SOURCE_CITY_VAT_H
#define SOURCE_CITY_VAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/* ---- Declarations: plain constant data, also read out of ELF files by the host ---- */

/* The limits include the terminating zero byte. */
#define VAT_NAME_SIZE 64  /* of a cell, a tile, a stream: [a-z][a-z0-9._-]* */
#define VAT_SCOPE_SIZE 32 /* as a name; empty is the tile as a whole */
#define VAT_FIELD_SIZE 40 /* of a field: a C identifier */
#define VAT_CELLS_MAX 4096
#define VAT_FIELDS_MAX 1024 /* in one cell */
#define VAT_PAGE 4096

/* The numbers are part of the format. All values are in the byte order of the machine. */
enum vat_type {
	VAT_U8 = 1,
	VAT_I8 = 2,
	VAT_U16 = 3,
	VAT_I16 = 4,
	VAT_U32 = 5,
	VAT_I32 = 6,
	VAT_U64 = 7,
	VAT_I64 = 8,
	VAT_F32 = 9,
	VAT_F64 = 10,
	VAT_BOOL = 11,	/* one byte, 0 or 1 */
	VAT_TEXT = 12,	/* bytes, UTF-8, filled up with zero bytes */
	VAT_BYTES = 13, /* bytes without meaning to anybody but the tile */
	/* u64: the place of an element, counted in elements from 1; 0 is none. Whose element is the
	 * tile's business. It survives every move of every cell, as no address and no byte offset
	 * would. */
	VAT_LINK = 14,
	/* No data: the id of a field that is gone on purpose. See VAT_RETIRED. */
	VAT_GONE = 15,
};
#define VAT_TYPE_MAX 15

/* What the elements of one field start with when the field is new: .u for the unsigned types, bool
 * and links, .i for the signed ones, .f for both floating point types. Text and bytes start as
 * zeros. */
union vat_value {
	uint64_t u;
	int64_t i;
	double f;
};

struct vat_field {
	uint32_t id;	 /* above 0, unique in its cell; permanent: never given to another field */
	uint32_t type;	 /* enum vat_type */
	uint32_t count;	 /* array length; 1 for a single value */
	uint32_t offset; /* from the start of the element */
	union vat_value initial;
	const char *name; /* may change freely; the id is what identifies the field */
};

enum vat_reset_policy {
	VAT_PRESERVE = 0,  /* carry the state over a handover */
	VAT_CROSSFADE = 1, /* as preserve; a hint that old and new should be blended */
	VAT_RESET = 2,	   /* start anew with each version */
};

enum vat_cell_flags {
	/* Memory comes when a page is first written, not when the cell is made: for a cell that is
	 * seldom full. When there is none left then, the tile is killed by SIGBUS. */
	VAT_CELL_SPARSE = 1 << 0,
	/* The tile resizes the cell as it runs: the declared count is what it begins with and the
	 * least that it has; a larger count in the region is kept by whoever attaches. */
	VAT_CELL_GROWS = 1 << 1,
	VAT_CELL_DECLARED = VAT_CELL_SPARSE | VAT_CELL_GROWS, /* the flags of a declaration */
	/* Set in a region only: the version that ran last does not declare this cell. It is
	 * kept until evicted. */
	VAT_CELL_ORPHAN = 1 << 8,
};

/* One cell: count elements of stride bytes. Name, scope and element make its identity. */
struct vat_cell_decl {
	const char *name;
	const char *scope; /* may be NULL, which is "" */
	const struct vat_field *fields;
	uint64_t element; /* for a cell that belongs to one element of something; else 0 */
	uint64_t count;
	uint32_t field_count;
	uint32_t stride;
	uint32_t align;	  /* of the first element; a power of two up to VAT_PAGE; 0 is 64 */
	uint32_t version; /* of the schema, for people and migration edges */
	uint32_t reset;	  /* enum vat_reset_policy */
	uint32_t flags;	  /* VAT_CELL_SPARSE, VAT_CELL_GROWS */
	/* Id of the integer field that holds the id of the element, 0 if the elements are told
	 * apart by their place. An element whose id is 0 is an empty slot. */
	uint32_t key_field;
	uint32_t reserved; /* 0 */
};

#define VAT_SIZE_U8 1
#define VAT_SIZE_I8 1
#define VAT_SIZE_U16 2
#define VAT_SIZE_I16 2
#define VAT_SIZE_U32 4
#define VAT_SIZE_I32 4
#define VAT_SIZE_U64 8
#define VAT_SIZE_I64 8
#define VAT_SIZE_F32 4
#define VAT_SIZE_F64 8
#define VAT_SIZE_BOOL 1
#define VAT_SIZE_TEXT 1
#define VAT_SIZE_BYTES 1
#define VAT_SIZE_LINK 8

#define VAT_MEMBER_SIZE_(structure, member) sizeof(((structure *)0)->member)
/* An array length; does not compile unless the member is a whole number of values. */
#define VAT_MEMBER_COUNT_(type_, structure, member)                                                \
	(VAT_MEMBER_SIZE_(structure, member) / VAT_SIZE_##type_ /                                  \
		sizeof(char[VAT_MEMBER_SIZE_(structure, member) % VAT_SIZE_##type_ == 0 ? 1        \
											: -1]))

/*
 * A field of a C structure. The type is the name without VAT_; an array member gives the count.
 *
 *	struct cursor {
 *		uint32_t row, column;
 *		float colour[4];
 *	};
 *	static const struct vat_field cursor_fields[] = {
 *		VAT_FIELD(1, U32, struct cursor, row),
 *		VAT_FIELD(2, U32, struct cursor, column),
 *		VAT_FIELD_INIT(3, F32, struct cursor, colour, .f = 1.0),
 *	};
 *	static const struct vat_cell_decl cells[] = {
 *		VAT_CELL("cursor", struct cursor, 1, cursor_fields, .version = 1),
 *	};
 */
#define VAT_FIELD(id_, type_, structure, member)                                                   \
	{.id = (id_),                                                                              \
		.type = VAT_##type_,                                                               \
		.count = VAT_MEMBER_COUNT_(type_, structure, member),                              \
		.offset = offsetof(structure, member),                                             \
		.name = #member}
#define VAT_FIELD_INIT(id_, type_, structure, member, ...)                                         \
	{.id = (id_),                                                                              \
		.type = VAT_##type_,                                                               \
		.count = VAT_MEMBER_COUNT_(type_, structure, member),                              \
		.offset = offsetof(structure, member),                                             \
		.initial = {__VA_ARGS__},                                                          \
		.name = #member}
/* The field with this id is gone, and what it held may be lost: without this line a version that no
 * longer has the field is refused, for it would lose it by mistake. */
#define VAT_RETIRED(id_, name_) {.id = (id_), .type = VAT_GONE, .name = (name_)}
#define VAT_CELL(name_, structure, count_, fields_, ...)                                           \
	{.name = (name_),                                                                          \
		.fields = (fields_),                                                               \
		.count = (count_),                                                                 \
		.field_count = sizeof(fields_) / sizeof((fields_)[0]),                             \
		.stride = sizeof(structure),                                                       \
		.align = _Alignof(structure),                                                      \
		##__VA_ARGS__}
/* Padding inside an element needs no field; every byte that matters does. */

enum vat_edge_kind {
	/* Forth loses nothing. Back, where it is given, may. */
	VAT_EDGE_LOSSLESS = 1,
	/* May lose something, both ways. */
	VAT_EDGE_LOSSY = 2,
	/* Loses nothing either way, and each way takes back what the other did. That is tried on
	 * the state itself, in scratch memory, before it is relied on. */
	VAT_EDGE_INVERTIBLE = 3,
};

/*
 * One way of an edge: carries n elements of one version of the schema over into the next. What
 * matching by field ids gives is in `to` already, with initial values where it gives nothing, so
 * only what differs from that is written. The bytes of `from` are those of the tile's memory as
 * some version left them: check what is used as an index. False refuses the migration.
 */
typedef bool (*vat_edge_run)(const void *from, void *to, uint64_t n);

/*
 * A migration edge: between two versions of the schema of the cells of one name, whatever their
 * scope and element, where matching by field ids does not say it all. Both versions have to be
 * known: as a cell, or as one of the older (or newer) schemas that are given with the edges.
 */
struct vat_edge {
	const char *cell;  /* its name */
	uint32_t from, to; /* versions: vat_cell_decl.version */
	uint32_t kind;	   /* enum vat_edge_kind */
	uint32_t lost_count;
	/* Ids of fields that may not come over, where something may be lost: of `from` forth, of
	 * `to` back. None: those that matching by ids would lose. What the other version declares
	 * as VAT_RETIRED may go. */
	const uint32_t *lost;
	vat_edge_run forth;
	vat_edge_run back; /* NULL: there is no way back; needed by VAT_EDGE_INVERTIBLE */
};
#define VAT_SCHEMAS_MAX 1024
#define VAT_EDGES_MAX 1024

/* All that one version of a tile says about its state. */
struct vat_lineage {
	const struct vat_cell_decl *cells; /* that it works in */
	/* Other versions of their schemas, for the edges: name, version, fields and stride count,
	 * nothing else. */
	const struct vat_cell_decl *schemas;
	const struct vat_edge *edges;
	size_t cell_count, schema_count, edge_count;
};

/* ---- Names, UUIDs, errors ---- */

struct vat_error {
	char text[1024];
};

struct vat_uuid {
	uint8_t bytes[16];
};
#define VAT_UUID_TEXT 37

int vat_uuid_generate(struct vat_uuid *uuid); /* version 4, from getrandom */
/* Accepts the 36 character form in either case. */
bool vat_uuid_parse(const char *text, struct vat_uuid *uuid);
void vat_uuid_format(const struct vat_uuid *uuid, char text[VAT_UUID_TEXT]);
bool vat_uuid_equal(const struct vat_uuid *a, const struct vat_uuid *b);
bool vat_uuid_is_nil(const struct vat_uuid *uuid);

/* Whether this can name a cell, a tile, a stream or a scope: 1 to VAT_NAME_SIZE - 1 characters, a
 * letter first, then letters, digits, '.', '_' and '-'; all lower case. */
bool vat_name_valid(const char *name);
/* Whether this can name a field: a C identifier that is short enough. */
bool vat_field_name_valid(const char *name);

size_t vat_type_size(uint32_t type);	  /* of one value; 0 for VAT_GONE and unknown types */
const char *vat_type_name(uint32_t type); /* "u32"; NULL for unknown types */
const char *vat_reset_policy_name(uint32_t policy); /* "preserve"; NULL for unknown ones */

/* A StateKey: the identity of a cell, or of one element, in all cities and for all time. Moving or
 * renaming source code does not change it. */
struct vat_key {
	uint8_t bytes[16];
};
struct vat_key vat_state_key(const struct vat_uuid *city, const struct vat_uuid *tile,
	const char *name, const char *scope, uint64_t element);
bool vat_key_equal(const struct vat_key *a, const struct vat_key *b);

/* Checks a declaration: names, limits, types, bounds, overlap and alignment of the fields. */
int vat_decl_check(const struct vat_cell_decl *decl, struct vat_error *err);
int vat_decls_check(const struct vat_cell_decl *decls, size_t n, struct vat_error *err);
/* Checks all of it: the cells, the schemas, and that the edges are between known versions. Runs
 * none of them. */
int vat_lineage_check(const struct vat_lineage *lineage, struct vat_error *err);
const char *vat_edge_kind_name(uint32_t kind); /* "lossless"; NULL for unknown ones */
/* Whether both have the same elements: stride, and ids, types, counts and offsets of all fields. */
bool vat_decl_same_shape(const struct vat_cell_decl *a, const struct vat_cell_decl *b);

/* ---- Regions ---- */

struct vat_region; /* one mapping of one region in this process */

struct vat_region_info {
	char name[VAT_NAME_SIZE]; /* the tile's when the region was made; for people */
	struct vat_uuid tile;
	struct vat_uuid city;
};

/* Words in the header that change while the region is in use. Each is atomic. */
enum vat_word {
	VAT_GENERATION, /* which root is current; only libvat writes it */
	VAT_KEPT,  /* equal to the generation while the one before is kept; only libvat writes it */
	VAT_EPOCH, /* number of the handover; see vat_region_set_epoch */
	VAT_CLOCK, /* the tile's monotonic clock, ns, as of its last update; never goes back */
	VAT_UPDATES, /* updates of the tile */
	VAT_FRAMES,  /* frames the tile drew */
	VAT_PERIOD,  /* of the tile's cycle, ns; 0: it never had one */
	VAT_PHASE,   /* ns to add to the clock for where it is in that period */
};

enum vat_access {
	VAT_READ,
	VAT_WRITE,
};

/*
 * Makes a region and returns its memfd, sealed against shrinking (it may grow) and against further
 * seals. size: bytes to begin with, 0 for a default; it is only address space until something is
 * written. Where the size of files is limited (RLIMIT_FSIZE), so are regions and undo logs, and
 * SIGXFSZ should be ignored.
 */
int vat_region_create(const struct vat_region_info *info, uint64_t size, struct vat_error *err);

/*
 * Maps and checks a region. The fd stays the caller's. Address space for 64 GiB is reserved where
 * the system grants it, so that cells never move when the region grows. VAT_WRITE is for the holder
 * of the epoch alone, and needs an fd open for writing.
 */
int vat_region_map(
	int fd, enum vat_access access, struct vat_region **region, struct vat_error *err);
void vat_region_unmap(struct vat_region *region); /* may be NULL */
/* Makes the mapping writable or read-only: A gives up the epoch, gets it back. Read-only ends a
 * barrier. */
int vat_region_protect(struct vat_region *region, enum vat_access access, struct vat_error *err);
/*
 * Looks at the region afresh after another process changed it: growth, new generation. On failure
 * the handle goes on showing what it showed. Invalidates all struct vat_cell of this handle; data
 * of cells that are in both generations stays where it is.
 */
int vat_region_refresh(struct vat_region *region, struct vat_error *err);

const struct vat_region_info *vat_region_info(const struct vat_region *region);
int vat_region_fd(const struct vat_region *region);	   /* the handle's own; for reading */
uint64_t vat_region_size(const struct vat_region *region); /* mapped bytes */
enum vat_access vat_region_access(const struct vat_region *region);
/* The generation that this handle shows, as of map, refresh or commit. */
uint64_t vat_region_generation(const struct vat_region *region);

uint64_t vat_region_get(const struct vat_region *region, enum vat_word word);
/* Needs VAT_WRITE. Not for VAT_GENERATION and VAT_KEPT. */
void vat_region_set(struct vat_region *region, enum vat_word word, uint64_t value);
uint64_t vat_region_add(struct vat_region *region, enum vat_word word, uint64_t value);
uint64_t vat_region_epoch(const struct vat_region *region);
/* Written by the new holder as its first store; whoever holds a smaller number must not write any
 * more. -ESTALE unless it grows. */
int vat_region_set_epoch(struct vat_region *region, uint64_t epoch, struct vat_error *err);

/* ---- Cells ---- */

struct vat_stored_field {
	uint32_t id;
	uint32_t type;
	uint32_t count;
	uint32_t offset;
	union vat_value initial;
	char name[VAT_FIELD_SIZE];
};

/* A cell as its region describes it: a checked copy. Valid until the next refresh, commit, adopt,
 * rollback or unmap of its handle. */
struct vat_cell {
	struct vat_key key;
	char name[VAT_NAME_SIZE];
	char scope[VAT_SCOPE_SIZE];
	uint64_t element;
	uint64_t count;
	uint64_t offset; /* in the region */
	uint64_t size;	 /* in the region; at least count * stride */
	uint64_t born;	 /* generation in which these bytes were placed */
	uint32_t stride;
	uint32_t align;
	uint32_t version;
	uint32_t reset;
	uint32_t flags;
	uint32_t key_field;
	uint32_t field_count;
	const struct vat_stored_field *fields; /* by id */
};

size_t vat_region_cell_count(const struct vat_region *region);
const struct vat_cell *vat_region_cell(const struct vat_region *region, size_t index);
/* scope may be NULL, which is "". NULL if there is no such cell. */
const struct vat_cell *vat_region_find(
	const struct vat_region *region, const char *name, const char *scope, uint64_t element);
const struct vat_cell *vat_region_find_key(
	const struct vat_region *region, const struct vat_key *key);
/* The elements, in the mapping: writable only if that is. Stays where it is while the cell keeps
 * its shape, count and place in the region, whatever happens to the rest. */
void *vat_cell_data(const struct vat_region *region, const struct vat_cell *cell);
const struct vat_stored_field *vat_cell_field(const struct vat_cell *cell, uint32_t id);

/* ---- Transactions ---- */

/*
 * New cells are built in memory that no root refers to; cells that do not change are shared by the
 * old and the new root, and move no bytes. The commit is one store: dying at any instruction before
 * it leaves the old generation, after it the new one.
 *
 * With keep the old generation stays whole until vat_region_forget_previous, for a rollback. Until
 * then another transaction is refused (-EBUSY), unless the region is under a write barrier, whose
 * log then holds what is needed to go back.
 *
 * Cells that are shared belong to both generations: a write to them is seen by both. Undoing that
 * is the barrier's work.
 */
struct vat_txn;

enum vat_change_flags {
	/* Values may be lost: narrowed, cut off, or dropped where there is no conversion. */
	VAT_ALLOW_LOSSY = 1 << 0,
	/* Instead: what cannot be carried over whole starts anew, a field or the cell. */
	VAT_ALLOW_ANEW = 1 << 1,
};

int vat_txn_begin(struct vat_region *region, struct vat_txn **txn, struct vat_error *err);
/* A new cell with initial values; -EEXIST if there is one of this identity. */
int vat_txn_add(struct vat_txn *txn, const struct vat_cell_decl *decl, struct vat_error *err);
/* An existing cell gets this declaration; the state is carried over by field id. */
int vat_txn_retype(struct vat_txn *txn, const struct vat_cell_decl *decl, unsigned flags,
	struct vat_error *err);
/* The same elements, another number of them. Shrinking is lossy unless what goes is all zero, or
 * the cell is keyed and the elements in use fit: they are then moved together. */
int vat_txn_resize(struct vat_txn *txn, const char *name, const char *scope, uint64_t element,
	uint64_t count, unsigned flags, struct vat_error *err);
int vat_txn_drop(struct vat_txn *txn, const char *name, const char *scope, uint64_t element,
	struct vat_error *err);
/* The elements as they will be after the commit, to be filled; NULL if there is no such cell. For a
 * cell that the transaction does not replace that is the live data. */
void *vat_txn_data(struct vat_txn *txn, const char *name, const char *scope, uint64_t element);
/* Both end the transaction and free txn; a failed commit has changed nothing. */
int vat_txn_commit(struct vat_txn *txn, bool keep, struct vat_error *err);
void vat_txn_abort(struct vat_txn *txn); /* may be NULL */

bool vat_region_has_previous(const struct vat_region *region);
/* The kept generation is given up and its memory returned. */
int vat_region_forget_previous(struct vat_region *region, struct vat_error *err);
/* Back to the kept generation with one store (the number still goes up). Undoes the roots only: see
 * vat_undo_apply for what was written since. */
int vat_region_rollback(struct vat_region *region, struct vat_error *err);

/* ---- Attaching a version ---- */

struct vat_build; /* cells that were built beforehand */

enum vat_adopt_flags {
	VAT_ADOPT_LOSSY = 1 << 0,   /* as VAT_ALLOW_LOSSY, for all cells */
	VAT_ADOPT_KEEP = 1 << 1,    /* keep the generation before, for a rollback */
	VAT_ADOPT_RESET = 1 << 2,   /* all declared cells start anew */
	VAT_ADOPT_DRY_RUN = 1 << 3, /* report only; the region may be mapped read-only */
	VAT_ADOPT_RESTART = 1 << 4, /* the same version again: policy reset does not apply */
	VAT_ADOPT_MERGE = 1 << 5,   /* as VAT_ALLOW_ANEW, for all cells */
};

enum vat_outcome {
	VAT_SAME,     /* shared with the generation before; no byte moved */
	VAT_MIGRATED, /* built beside, carried over by field id */
	VAT_FRESH,    /* did not exist: initial values; the tile fills it in */
	VAT_CLEARED,  /* existed, and starts anew: policy reset, or asked for */
	VAT_ORPHANED, /* not declared by this version; kept as it is */
	VAT_REFUSED,  /* would lose something, or is not possible: see reason */
};

struct vat_loss {
	uint32_t field_id;	    /* 0: whole elements */
	char field[VAT_FIELD_SIZE]; /* "" for those */
	char reason[96];	    /* as in "field 'x' REASON" */
};

struct vat_change {
	enum vat_outcome outcome;
	char name[VAT_NAME_SIZE];
	char scope[VAT_SCOPE_SIZE];
	uint64_t element;
	uint64_t elements; /* carried over by VAT_MIGRATED */
	uint64_t bytes;	   /* written into the new cell */
	uint32_t from_version, to_version;
	uint32_t hops; /* VAT_MIGRATED: schemas that it went through, the last one included */
	/* VAT_REFUSED, and VAT_MIGRATED with a loss: the first field concerned, "" if it is the
	 * cell */
	uint32_t field_id;
	char field[VAT_FIELD_SIZE];
	bool lossy;
	char reason[200]; /* one line; "" if there is nothing to explain */
	/* All that is lost, or would be. */
	struct vat_loss *losses;
	size_t loss_count;
};

struct vat_adopt_report {
	struct vat_change *changes; /* one per declaration in their order, then the orphans */
	size_t count;
	uint64_t generation_before, generation_after; /* equal when nothing had to change */
	uint64_t elements, bytes;
	/* The region is as declared: as long as its generation is this one, adopting with the same
	 * arguments does nothing and reports this. */
	bool fits;
};

/*
 * Fits the region to the declarations of the version that attaches. All or nothing: when a cell is
 * refused the region is as before, the report says which and why, and the result is -EUCLEAN; err
 * names all cells and fields that would be lost, as far as there is room. Nothing is stored at all,
 * and the generation stays, when the declarations are those of last time. report may be NULL;
 * finish it in every case.
 *
 * The declarations are lineage->cells. older is what the version that ran says, whose edges serve
 * the way back to an older one; it may be NULL. State goes the shortest way over the edges of both
 * that loses nothing, or else the one that loses in the fewest steps; see struct vat_edge. Their
 * functions are called, except for a VAT_ADOPT_DRY_RUN.
 *
 * build (may be NULL) has cells that were built beforehand from the same arguments; it must have
 * been current when the writer stopped, and is of no use afterwards.
 */
int vat_region_adopt_by(struct vat_region *region, const struct vat_lineage *lineage,
	const struct vat_lineage *older, struct vat_build *build, unsigned flags,
	struct vat_adopt_report *report, struct vat_error *err);
/* The same for a version without edges. */
int vat_region_adopt(struct vat_region *region, const struct vat_cell_decl *decls, size_t n,
	unsigned flags, struct vat_adopt_report *report, struct vat_error *err);
void vat_adopt_report_finish(struct vat_adopt_report *report);
/* One line that names what was lost, or starts anew because it could not be carried over; "" if
 * that is nothing. */
void vat_adopt_report_say(const struct vat_adopt_report *report, char *text, size_t size);
const char *vat_outcome_name(enum vat_outcome outcome);

/*
 * The cells that a version gets in another shape, built before it attaches, in memory of the region
 * that nobody uses. The region's mapping may be, and for a version with edges had better be,
 * read-only: the new cells are mapped on their own, so that an edge that writes where it should not
 * harms nothing. Its descriptor must be open for writing.
 *
 * log_fd is -1 when nobody writes. Otherwise the version that runs goes on meanwhile, under a
 * barrier with this log, and is to stay under it until it has given the region up: cells are built
 * from the state at the moment at which the barrier was armed, and the elements on pages that were
 * written since are converted again when the region is adopted. They need a place below what the
 * barrier covers; see vat_region_make_room. Cells that get fewer elements are left to the adopting.
 *
 * *build is NULL if there is nothing to build. -EUCLEAN as vat_region_adopt_by, -ESTALE when the
 * log is not one of the state as it is.
 */
int vat_build_begin(struct vat_region *region, const struct vat_lineage *lineage,
	const struct vat_lineage *older, unsigned flags, int log_fd, struct vat_build **build,
	struct vat_error *err);
/* Whether the region still is what it was built for: no other epoch, no other generation, and the
 * log has all that was written since. */
bool vat_build_is_current(const struct vat_build *build);
/* Bytes that were built, and of these, bytes that had to be converted again. */
void vat_build_stats(const struct vat_build *build, uint64_t *bytes, uint64_t *again);
void vat_build_destroy(
	struct vat_build *build); /* may be NULL; its cells are lost if not adopted */
/* Makes the region so large that there is a gap of this size, before it comes under a barrier. */
int vat_region_make_room(struct vat_region *region, uint64_t size, struct vat_error *err);

/* ---- Write barrier and undo log ---- */

/*
 * Probation: B writes, and A must be able to come back. Under the barrier all of the mapping is
 * read-only; the first write to a page faults, the handler saves the page as it was into the log,
 * and lets the write through. The cost grows with what is written, not with the region.
 *
 * The log is a memfd of its own, filled so that another process can use it when this one has died
 * at any instruction. When memory for it is refused, the fault is not handled and the process dies
 * of it, with the page not yet written: to the city that is B failing in probation.
 *
 * What a system call writes into a page that has not been written before is not caught: the call
 * fails with EFAULT. Read into a buffer of your own, then copy.
 */

/* Makes an empty log for the region as large as it now is, with the memory that a barrier needs at
 * once allocated; returns the memfd. */
int vat_undo_create(const struct vat_region *region, struct vat_error *err);
/*
 * Does ahead what arming with this log needs and what changes nothing for whoever writes meanwhile:
 * to arm is then one change of the mapping. For a region mapped either way. Should the region have
 * grown by then, or the log be another, it is done again; otherwise another call does nothing. Ends
 * with the mapping.
 */
int vat_barrier_prepare(struct vat_region *region, int undo_fd, struct vat_error *err);
/*
 * Arms the barrier; the log is emptied first. Costs the less the fewer pages this mapping has
 * touched: a fresh mapping of any size is armed in microseconds. return_to is the generation that A
 * left: the current one, or the one before it if adopting kept that.
 */
int vat_barrier_begin(
	struct vat_region *region, int undo_fd, uint64_t return_to, struct vat_error *err);
/*
 * Takes over a region that is mapped read-only and arms the barrier in one: as making it writable,
 * reading its directory anew, vat_region_set_epoch and vat_barrier_begin. With a barrier that was
 * prepared only the header's page changes. When it fails the mapping is read-only as before.
 */
int vat_barrier_take(struct vat_region *region, int undo_fd, uint64_t epoch, uint64_t return_to,
	struct vat_error *err);
/*
 * Arms it on a version that is not on probation, for somebody else who wants the state of this
 * moment. Arming and disarming take a fraction of a millisecond however many pages the mapping has
 * touched; those that are used meanwhile are mapped anew. When memory for the log is refused, it is
 * marked as lost and the writer goes on, instead of dying.
 */
int vat_barrier_begin_live(struct vat_region *region, int undo_fd, struct vat_error *err);
/*
 * For the handler of SIGSEGV, which must block all signals while it runs. Async-signal-safe. True
 * when the address lies in a page under a barrier, which is now writable, so that the instruction
 * may run again. False: a real fault.
 */
bool vat_barrier_handle_fault(void *address);
/* Disarms: the log is marked as ended and left as it is, then all of the mapping is writable again.
 */
int vat_barrier_end(struct vat_region *region, struct vat_error *err);
/* The writer is done: the log is marked as ended. What is left is to make the mapping read-only,
 * with vat_region_protect, which ends the barrier and may come later. */
void vat_barrier_stop(struct vat_region *region);
bool vat_barrier_armed(const struct vat_region *region);

struct vat_undo_stats {
	uint64_t pages;	 /* saved, or about to be */
	uint64_t faults; /* taken for them */
};
int vat_undo_stats(int undo_fd, struct vat_undo_stats *stats, struct vat_error *err);
/* The probation is over: the log can no longer be applied (-EALREADY), whoever holds it. To be
 * called before the barrier ends. */
int vat_undo_end(int undo_fd, struct vat_error *err);
/*
 * Restores the region as it was when the barrier was armed, and makes the generation return_to
 * current again under a new number; epoch and clock go on. The writer must be dead or have ended
 * its barrier. Needs VAT_WRITE, and should have a handle that was mapped before the writer began:
 * after a stray write the region may be one that cannot be mapped, until this has mended it. Can be
 * repeated after a death in the middle: until it has returned 0 the region is in neither state. The
 * log is checked in full before the first store.
 */
int vat_undo_apply(struct vat_region *region, int undo_fd, struct vat_error *err);
/* Maps a region that cannot be mapped as it is, for nothing but vat_undo_apply; after that it is a
 * region like others. `tile`: whose it is. */
int vat_undo_map(int region_fd, const struct vat_uuid *tile, int undo_fd, struct vat_region **out,
	struct vat_error *err);
/*
 * The region as it was when the barrier was armed, as a new memfd to be mapped, while its writer
 * goes on: the generation return_to is current in it. Costs a copy of what is not a hole. -ENODATA
 * when the log was never armed.
 */
int vat_undo_view(const struct vat_region *region, int undo_fd, struct vat_error *err);

/* 32 bytes of chance, the same for all who have the log: new whenever it is armed. -ENODATA when it
 * was never. */
#define VAT_SEED 32
int vat_undo_seed(int undo_fd, uint8_t seed[VAT_SEED], struct vat_error *err);

/*
 * A private copy: the version that gave the region up goes on working, while another writes it
 * under a barrier. In the place of the mapping (pointers into it stay good) there is the region as
 * it was when the log was armed; each part is copied when it is first touched, whoever has written
 * it since, and what is written there goes nowhere. Costs what is touched, not the size of the
 * region.
 *
 * Needs a mapping for reading only, and gives VAT_WRITE, until vat_shadow_end, which has to come
 * before the barrier ends: from then on it is the region again, for reading only, and cells are
 * where they were; what transactions made of the copy is gone, with the memory that it took. The
 * first of them finds the generation that was given up. vat_barrier_handle_fault serves the copy,
 * too; system calls cannot be given parts that have not been touched.
 */
int vat_shadow_begin(struct vat_region *region, int undo_fd, struct vat_error *err);
int vat_shadow_end(struct vat_region *region, struct vat_error *err);
bool vat_shadow_active(const struct vat_region *region);
/*
 * The same of a moment that nobody has armed a barrier for: what is not a hole of the region is
 * copied at once; -EFBIG when that is more than `limit` bytes. For the version that holds the
 * epoch, just before it gives it up. Later vat_shadow_begin_copied puts it in the mapping's place
 * and takes it over, whether or not that succeeds; vat_shadow_end ends it.
 */
struct vat_shadow;
int vat_shadow_copy(
	struct vat_region *region, uint64_t limit, struct vat_shadow **copy, struct vat_error *err);
int vat_shadow_begin_copied(
	struct vat_region *region, struct vat_shadow *copy, struct vat_error *err);
void vat_shadow_drop_copy(struct vat_shadow *copy); /* NULL: nothing */

/* ---- Files ---- */

/*
 * Writes the region to a file, over whatever is in it: checksums everywhere, nothing for what is
 * zero. After a failure the file is no region file; fsync and rename are the caller's. A region
 * that could not be read again is not written: -EBADMSG.
 *
 * With the undo log of a barrier that is armed on the region (undo_fd): the state of the moment in
 * which that was done, to the bit, whatever the tile writes meanwhile. -EAGAIN when the barrier
 * ended before all was read. With undo_fd -1: the state as it is. If the tile is at work, both
 * roots are those of one generation, and what it writes meanwhile may be in the file or not;
 * -EAGAIN when commits or handovers follow each other too fast.
 */
int vat_file_save(struct vat_region *region, int undo_fd, int fd, struct vat_error *err);
/*
 * A saved region as a new memfd that can be mapped. Every byte is checked: a file that was cut off,
 * damaged or mixed up gives -EBADMSG, one of another format -EPROTONOSUPPORT.
 */
int vat_file_load(int fd, struct vat_error *err);

/*
 * Makes a region that nobody else has mapped the region of another tile, for a copy: identity and
 * the keys of all cells. What was current stays so; what was before it is gone. 0, or a negative
 * errno; the region is then of no use.
 */
int vat_region_rename(int fd, const struct vat_region_info *info, struct vat_error *err);

/* ---- Comparing ---- */

enum vat_difference_kind {
	VAT_CELL_ADDED,
	VAT_CELL_GONE,
	VAT_VERSION_DIFFERS, /* of the schema */
	VAT_COUNT_DIFFERS,   /* of elements */
	VAT_FIELD_ADDED,
	VAT_FIELD_GONE,
	VAT_FIELD_RENAMED,
	VAT_FIELD_RETYPED,
	VAT_ELEMENT_ADDED, /* these two only in cells with a key field */
	VAT_ELEMENT_GONE,
	VAT_VALUE_DIFFERS,
};

/* Valid during the call that gets it. */
struct vat_difference {
	enum vat_difference_kind kind;
	const struct vat_cell *before, *after; /* NULL where the cell is not there */
	/* VAT_FIELD_* and VAT_VALUE_DIFFERS; NULL where it is not there. */
	const struct vat_stored_field *field_before, *field_after;
	/* VAT_ELEMENT_* and VAT_VALUE_DIFFERS: where the element now is, or was if it is gone. */
	uint64_t place;
	uint64_t id; /* its id, if keyed */
	bool keyed;
	uint32_t index; /* of the value in its field; of the first byte in text and bytes */
	/* The element as it was and is: copies. Also of VAT_FIELD_ADDED and _GONE where there is
	 * but one. Otherwise NULL. */
	const uint8_t *old, *new;
};
typedef void (*vat_difference_func)(const struct vat_difference *difference, void *data);

/*
 * Tells what differs: cells known by name, scope and element, elements by their ids where the cell
 * has a key field and by place where it has none, fields by id. cell and field (NULL for all) are
 * the names of what is compared. The regions may be in use, also of different tiles. -EAGAIN when
 * one has a newer generation than its handle, or a commit came between: refresh and ask again.
 */
int vat_diff(const struct vat_region *before, const struct vat_region *after, const char *cell,
	const char *field, vat_difference_func func, void *data, struct vat_error *err);
/* The generation before, which is kept, and the current one; -ENOENT when it is not kept. Cells
 * that both share have the same values, whatever was written to them since. */
int vat_diff_previous(const struct vat_region *region, const char *cell, const char *field,
	vat_difference_func func, void *data, struct vat_error *err);

/* A region watched by looking at it now and then: costs a copy of what is watched, and its writer
 * nothing. The region stays the caller's; looking refreshes it. */
struct vat_watch;
int vat_watch_create(struct vat_region *region, const char *cell, const char *field,
	struct vat_watch **watch, struct vat_error *err);
/* Tells what is different from the last look. When commits follow each other too fast to see
 * one whole generation, that is nothing yet. */
int vat_watch_look(
	struct vat_watch *watch, vat_difference_func func, void *data, struct vat_error *err);
void vat_watch_destroy(struct vat_watch *watch); /* may be NULL */

/* ---- Printing ---- */

struct vat_print_options {
	bool json;
	bool all;	   /* every element, not only the first ones */
	const char *cell;  /* only cells of this name; may be NULL */
	const char *field; /* only fields of this name; may be NULL */
};
/* All of a region for people, or as one JSON object on one line. options may be NULL. -EIO if
 * writing failed, -ENOENT if options->cell is not there, or has no such field. */
int vat_print(const struct vat_region *region, FILE *file, const struct vat_print_options *options,
	struct vat_error *err);
/* One difference on one line, or as one JSON object. time stands in front; may be NULL. Without
 * options->all long text, bytes and elements are cut short, also in JSON. */
void vat_print_difference(const struct vat_difference *difference, FILE *file,
	const struct vat_print_options *options, const char *time);
/* One value of a type other than text and bytes; returns the length as snprintf does. data need not
 * be aligned. */
int vat_format_value(char *buffer, size_t size, uint32_t type, const void *data, bool json);

#endif
