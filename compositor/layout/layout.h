/* SPDX-License-Identifier: MIT */
/*
 * The layout of the city: where on the map the source stands. Folders are districts, modules are
 * buildings; each top-level folder is a quarter of its own, which the user may put anywhere.
 *
 * It is a treemap of nested cuts. A folder that is new is cut by "Split" (B. Engdahl, "Ordered and
 * unordered treemap algorithms and their applications on handheld devices", 2005): the modules, the
 * largest first, are parted where the two sides weigh most alike, across the longer side of the
 * ground, and so on, which gives shapes that are nearly square. From then on the cuts are kept,
 * after E. Vernier, J. Comba and A. Telea, "A stable greedy insertion treemap algorithm for
 * software evolution visualization" (SIBGRAPI 2018): other sizes only shift the cuts, so that every
 * position is a continuous function of the sizes; what is removed leaves its ground to the other
 * side of its cut; what is added shares the ground of the building that has the worst shape, along
 * its longer side. A folder whose buildings have become long and thin on the whole, or of which
 * more is new than was there, is cut anew, it alone.
 *
 * A module asks for LINE_AREA square city units a line, a minimum, and a street round it. Its
 * building (city_site_footprint) has exactly the area of its lines; streets take up what is left.
 *
 * A layout is never changed once it is made, and is counted: any thread may read it. Positions are
 * in city units from the top left of the quarter; the quarter's own place is apart from that.
 */
#ifndef CITY_LAYOUT_H
#define CITY_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "compositor/layout/census.h"

#define CITY_LINE_AREA 64.0 /* square city units a line of source: 8 by 8 */
#define CITY_LINES_MIN 4    /* what has fewer lines is shown as if it had these */
#define CITY_STREET 10.0    /* city units between two buildings, as far as there is room */
#define CITY_NO_SITE UINT32_MAX

enum city_site_kind {
	CITY_SITE_CUT,	  /* parts its ground between two others */
	CITY_SITE_MODULE, /* a building */
	CITY_SITE_FOLDER, /* a district */
};

/* A rectangle, in city units. */
struct city_plot {
	double x, y, width, height;
};

struct city_site {
	struct city_plot plot;
	double weight;
	uint32_t first, second; /* of a cut; of a folder first is its content, or CITY_NO_SITE */
	uint32_t folder;	/* that it is in, CITY_NO_SITE for a quarter */
	uint32_t name;		/* in city_layout.names; not of a cut */
	uint32_t lines;		/* of a folder: all below it */
	enum city_site_kind kind : 8;
	bool across : 1;    /* of a cut: the second lies below the first, not right of it */
	bool fresh : 1;	    /* of a cut: which way is still to be decided */
	unsigned depth : 8; /* of folders it is in */
};

struct city_layout {
	unsigned references;
	struct city_site *sites;
	size_t count, room;
	char *names;
	size_t names_size;
	bool sorted;	    /* names of one folder lie in their order */
	uint32_t *quarters; /* sites of the top-level folders, in the order of their names */
	size_t quarter_count;
	size_t module_count, folder_count;
	uint64_t lines;
	uint32_t anew; /* folders that were cut anew, or for the first time, when it was made */
};

double city_layout_module_weight(uint32_t lines);
double city_layout_folder_weight(double content);

/* Lays a weighed census out. `old` is what was there before, NULL: nothing. NULL when out of
 * memory. The caller has the only reference. */
struct city_layout *city_layout_create(
	const struct city_census *census, const struct city_layout *old);
struct city_layout *city_layout_ref(struct city_layout *layout);
void city_layout_unref(struct city_layout *layout); /* NULL-safe */
/* Whether one is the other, to the last bit of each place. */
bool city_layout_same(const struct city_layout *a, const struct city_layout *b);

const char *city_site_name(const struct city_layout *layout, const struct city_site *site);
/* "compositor/view.c": with the folders that it is in, below its quarter. Returns its length as
 * snprintf does. */
size_t city_site_path(const struct city_layout *layout, uint32_t site, char *path, size_t size);
/* The block of a folder: its ground without the street round it. */
struct city_plot city_site_block(const struct city_site *folder);
/* What of a block is for its content: not its margins, nor its head, where its name stands. */
struct city_plot city_block_content(struct city_plot block);
double city_block_head(struct city_plot block);
double city_block_margin(struct city_plot block);
/* The building on a module's ground. */
struct city_plot city_site_footprint(const struct city_site *module);
/* The site of a quarter of this name; CITY_NO_SITE if there is none. */
uint32_t city_layout_quarter(const struct city_layout *layout, const char *name);

/*
 * A layout as text, in preorder, one site a line: "quarter NAME", "folder NAME", "module LINES
 * NAME", "beside" and "above" for cuts, "empty" for the content of an empty folder. Names have
 * blanks, '%' and controls as %XX.
 */
void city_layout_write(const struct city_layout *layout, FILE *file);
/* Reads that from `text` up to `size` bytes; NULL, with the number of the bad line in *line, if it
 * is not whole. */
struct city_layout *city_layout_read(const char *text, size_t size, unsigned *line);
/* A name as it stands in that text: at most 3 bytes for each of it, and a zero byte. */
void city_layout_escape(const char *name, char *to, size_t size);
bool city_layout_unescape(char *name);

/* Where something begins that keeps the gap, a whole number, to what ends at `end`. It is a whole
 * number too: rounding would let the two overlap again, and they would be moved apart for ever. */
double city_layout_beyond(double end, double gap);

#endif
