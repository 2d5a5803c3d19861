/* SPDX-License-Identifier: MIT */
/* The undo log, as the barrier fills it and the undo reads it. */
#ifndef SOURCE_CITY_VAT_UNDO_H
#define SOURCE_CITY_VAT_UNDO_H

#include "internal.h"

/*
 * In the log: a header page, then an entry of 8 bytes per page of the region, filled up to a page,
 * then as many pages. Slot i is entry i and page i; the entry is the page's number in the region
 * plus one, stored when the image is whole, 0 until then.
 */
struct vat_log {
	void *map;
	uint64_t map_size;
	struct vat_undo_header *header;
	uint64_t *entries;
	uint8_t *images;
	uint64_t pages; /* slots */
};

uint64_t vat_log_size(uint64_t pages);
int vat_log_map(int fd, uint64_t pages, bool write, struct vat_log *log, struct vat_error *err);
/* Maps a log for reading after checking its header; *header is the copy that was checked. */
int vat_log_open(
	int fd, struct vat_log *log, struct vat_undo_header *header, struct vat_error *err);
void vat_log_unmap(struct vat_log *log);

#endif
