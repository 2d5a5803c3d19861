/* SPDX-License-Identifier: MIT */
/*
 * The tables of what cells name by number. Numbers are handed out in order until a table is full,
 * from then on from the list of those found unused; when and what is reclaimed depends on the state
 * alone, so a handover cannot change it. Chains are followed at most once round the table and
 * indices are checked where they are used: arrays that were damaged give nonsense, not a crash.
 */
#include "vt_int.h"

static uint32_t hash_words(uint32_t hash, const uint32_t *words, uint32_t count) {
	for (uint32_t i = 0; i < count; i++) {
		hash = (hash ^ words[i]) * 0x9e3779b1u;
		hash ^= hash >> 15;
	}
	return hash;
}

static uint32_t hash_bytes(uint32_t hash, const uint8_t *bytes, size_t length) {
	for (size_t i = 0; i < length; i++) {
		hash = (hash ^ bytes[i]) * 0x01000193u;
	}
	return hash ^ hash >> 15;
}

static uint32_t ext_bucket(const struct vt *vt, uint32_t underline, uint32_t link) {
	uint32_t words[2] = {underline, link};
	return hash_words(1, words, 2) % vt->memory.count[VT_EXTS];
}

/* ---- marking what is in use ---- */

static void mark_cell(struct vt *vt, enum vt_table table, const struct vt_cell *cell) {
	if (table == VT_TABLE_CLUSTERS) {
		uint32_t number = cell->ch & VT_CH_VALUE;
		if (cell->ch & VT_CH_CLUSTER && number < vt->memory.count[VT_CLUSTERS]) {
			vt->clusters[number].mark = 1;
		}
		return;
	}
	uint32_t number = cell->at >> VT_AT_EXT_SHIFT;
	if (number < vt->memory.count[VT_EXTS]) {
		vt->exts[number].mark = 1;
	}
}

static void mark_rows(struct vt *vt, enum vt_table table) {
	const struct vt_state *s = vt->state;
	for (uint32_t screen = 0; screen < 2; screen++) {
		uint32_t lines = s->history[screen] + s->rows;
		for (uint32_t line = 0; line < lines; line++) {
			const struct vt_row *row = &vt->rows[screen][vt_slot(s, screen, line)];
			const struct vt_cell *cells =
				vt->cells[screen] + (size_t)row->store * s->cols;
			for (uint32_t col = 0; col < row->used; col++) {
				mark_cell(vt, table, &cells[col]);
			}
		}
	}
}

static void mark_pens(struct vt *vt) {
	const struct vt_state *s = vt->state;
	uint32_t pens[3] = {s->pen[3], s->saved_pen[3], s->saved_pen[7]};
	for (int i = 0; i < 3; i++) {
		struct vt_cell cell = {.at = pens[i]};
		mark_cell(vt, VT_TABLE_EXTS, &cell);
	}
}

static void mark_link(struct vt *vt, uint32_t link) {
	if (link < vt->memory.count[VT_LINKS]) {
		vt->links[link].mark = 1;
	}
}

/* ---- sweeping: the free list and the buckets are made anew ---- */

static void sweep_clusters(struct vt *vt) {
	struct vt_state *s = vt->state;
	uint32_t count = vt->memory.count[VT_CLUSTERS];
	for (uint32_t i = 0; i < count; i++) {
		vt->clusters[i].head = 0;
	}
	s->cluster_free = 0;
	s->cluster_live = 0;
	for (uint32_t i = count - 1; i > 0; i--) {
		struct vt_cluster *entry = &vt->clusters[i];
		if (entry->mark && entry->count) {
			struct vt_cluster *bucket = &vt->clusters[entry->hash % count];
			entry->next = bucket->head;
			bucket->head = i;
			s->cluster_live++;
		} else {
			entry->count = 0;
			entry->next = s->cluster_free;
			s->cluster_free = i;
		}
		entry->mark = 0;
	}
	vt->clusters[0].mark = 0;
}

static void sweep_exts(struct vt *vt) {
	struct vt_state *s = vt->state;
	uint32_t count = vt->memory.count[VT_EXTS];
	for (uint32_t i = 0; i < count; i++) {
		vt->exts[i].head = 0;
	}
	s->ext_free = 0;
	s->ext_live = 0;
	for (uint32_t i = count - 1; i > 0; i--) {
		struct vt_ext *entry = &vt->exts[i];
		if (entry->mark && entry->live) {
			uint32_t b = ext_bucket(vt, entry->underline, entry->link);
			entry->next = vt->exts[b].head;
			vt->exts[b].head = i;
			s->ext_live++;
		} else {
			entry->live = 0;
			entry->link = 0;
			entry->next = s->ext_free;
			s->ext_free = i;
		}
		entry->mark = 0;
	}
	vt->exts[0].mark = 0;
}

static void sweep_links(struct vt *vt) {
	struct vt_state *s = vt->state;
	uint32_t count = vt->memory.count[VT_LINKS];
	for (uint32_t i = 0; i < count; i++) {
		vt->links[i].head = 0;
	}
	s->link_free = 0;
	s->link_live = 0;
	for (uint32_t i = count - 1; i > 0; i--) {
		struct vt_link *entry = &vt->links[i];
		if (entry->mark && entry->uri_len) {
			struct vt_link *bucket = &vt->links[entry->hash % count];
			entry->next = bucket->head;
			bucket->head = i;
			s->link_live++;
		} else {
			entry->uri_len = 0;
			entry->next = s->link_free;
			s->link_free = i;
		}
		entry->mark = 0;
	}
	vt->links[0].mark = 0;
}

/*
 * The bytes of links: each record is the link's number and the length of its bytes, then they, so
 * that the heap can be walked and closed up.
 */
struct uri_record {
	uint32_t link;
	uint32_t length;
};

static void compact_uris(struct vt *vt) {
	struct vt_state *s = vt->state;
	uint32_t to = 0, at = 0;
	struct uri_record record;
	while (at + sizeof(record) <= s->uri_used) {
		memcpy(&record, vt->uris + at, sizeof(record));
		uint32_t body = at + (uint32_t)sizeof(record);
		if (record.length > s->uri_used - body) {
			break;
		}
		uint32_t size = (uint32_t)sizeof(record) + record.length;
		struct vt_link *link = record.link < vt->memory.count[VT_LINKS]
			? &vt->links[record.link]
			: &vt->links[0];
		if (link->uri_len && link->off == body) {
			memmove(vt->uris + to, vt->uris + at, size);
			link->off = to + (uint32_t)sizeof(record);
			to += size;
		}
		at += size;
	}
	s->uri_used = to;
}

static void collect(struct vt *vt, enum vt_table table) {
	const struct vt_state *s = vt->state;
	if (table == VT_TABLE_CLUSTERS) {
		mark_rows(vt, table);
		sweep_clusters(vt);
		return;
	}
	mark_rows(vt, VT_TABLE_EXTS);
	mark_pens(vt);
	sweep_exts(vt);
	if (table == VT_TABLE_LINKS) {
		for (uint32_t i = 1; i < vt->memory.count[VT_EXTS]; i++) {
			mark_link(vt, vt->exts[i].link);
		}
		mark_link(vt, s->pen_link);
		mark_link(vt, s->saved_link[0]);
		mark_link(vt, s->saved_link[1]);
		sweep_links(vt);
		compact_uris(vt);
	}
}

/* The older half of the history forgets what it had in the table. */
static void strip_history(struct vt *vt, enum vt_table table, uint32_t lines) {
	struct vt_state *s = vt->state;
	uint32_t cps[VT_CLUSTER_CPS];
	for (uint32_t line = 0; line < lines; line++) {
		const struct vt_row *row = &vt->rows[0][vt_slot(s, 0, line)];
		struct vt_cell *cells = vt->cells[0] + (size_t)row->store * s->cols;
		for (uint32_t col = 0; col < row->used; col++) {
			struct vt_cell *cell = &cells[col];
			if (table != VT_TABLE_CLUSTERS) {
				cell->at &= VT_AT_MASK;
			} else if (cell->ch & VT_CH_CLUSTER) {
				uint32_t count = vt_cell_cps(vt, cell, cps);
				cell->ch = (cell->ch & VT_CH_WIDE) | (count ? cps[0] : ' ');
			}
		}
	}
}

static bool roomy(const struct vt *vt, enum vt_table table) {
	const struct vt_state *s = vt->state;
	const uint32_t *count = vt->memory.count;
	switch (table) {
	case VT_TABLE_CLUSTERS:
		return s->cluster_live < count[VT_CLUSTERS] - count[VT_CLUSTERS] / 8;
	case VT_TABLE_EXTS:
		return s->ext_live < count[VT_EXTS] - count[VT_EXTS] / 8;
	default:
		return s->link_live < count[VT_LINKS] - count[VT_LINKS] / 8 &&
			s->uri_used < count[VT_URIS] - count[VT_URIS] / 8;
	}
}

/*
 * Make room. A collection looks at the whole history, so it must bring enough for many requests;
 * where it cannot, the next ones are refused unseen for a while.
 */
static bool reclaim(struct vt *vt, enum vt_table table) {
	struct vt_state *s = vt->state;
	if (s->table_hold[table] > 0) {
		s->table_hold[table]--;
		s->table_refused[table]++;
		return false;
	}
	collect(vt, table);
	if (roomy(vt, table)) {
		return true;
	}
	if (s->history[0] > 0) {
		for (uint32_t part = 2; part > 0 && !roomy(vt, table); part--) {
			strip_history(vt, table, (s->history[0] + part - 1) / part);
			collect(vt, table);
		}
		vt_tell(vt, VT_EVENT_TABLE_FULL, table, 0);
	}
	if (!roomy(vt, table)) {
		s->table_hold[table] = 4096;
		vt_tell(vt, VT_EVENT_TABLE_FULL, table, 1);
	}
	return true;
}

/* A number from the free list, or one never used; 0 when there is none. */
static uint32_t unused(uint32_t *free_list, uint32_t next, uint32_t *live, uint32_t count) {
	uint32_t i = *free_list;
	if (i) {
		*free_list = next < count ? next : 0;
	} else if (*live + 1 < count) {
		i = *live + 1;
	} else {
		return 0;
	}
	++*live;
	return i;
}

/* ---- looking up and adding ---- */

static uint32_t find_cluster(
	const struct vt *vt, uint32_t hash, const uint32_t *cps, uint32_t count) {
	uint32_t size = vt->memory.count[VT_CLUSTERS];
	uint32_t i = vt->clusters[hash % size].head;
	for (uint32_t steps = 0; i && i < size && steps < size; steps++) {
		const struct vt_cluster *entry = &vt->clusters[i];
		if (entry->hash == hash && entry->count == count &&
			memcmp(entry->cps, cps, count * sizeof(*cps)) == 0) {
			return i;
		}
		i = entry->next;
	}
	return 0;
}

static uint32_t new_cluster(struct vt *vt) {
	struct vt_state *s = vt->state;
	return unused(&s->cluster_free, vt->clusters[s->cluster_free].next, &s->cluster_live,
		vt->memory.count[VT_CLUSTERS]);
}

/* The number of these code points, 2 to VT_CLUSTER_CPS; 0 when the table has no room. */
uint32_t vt_intern_cluster(struct vt *vt, const uint32_t *cps, uint32_t count) {
	struct vt_state *s = vt->state;
	uint32_t hash = hash_words(count, cps, count);
	uint32_t i = find_cluster(vt, hash, cps, count);
	if (i) {
		return i;
	}
	i = new_cluster(vt);
	if (!i && reclaim(vt, VT_TABLE_CLUSTERS)) {
		i = new_cluster(vt);
		if (!i) {
			s->table_refused[VT_TABLE_CLUSTERS]++;
		}
	}
	if (!i) {
		return 0;
	}
	struct vt_cluster *entry = &vt->clusters[i];
	struct vt_cluster *bucket = &vt->clusters[hash % vt->memory.count[VT_CLUSTERS]];
	entry->hash = hash;
	entry->count = (uint16_t)count;
	memset(entry->cps, 0, sizeof(entry->cps));
	memcpy(entry->cps, cps, count * sizeof(*cps));
	entry->next = bucket->head;
	bucket->head = i;
	return i;
}

static uint32_t find_ext(const struct vt *vt, uint32_t underline, uint32_t link) {
	uint32_t size = vt->memory.count[VT_EXTS];
	uint32_t i = vt->exts[ext_bucket(vt, underline, link)].head;
	for (uint32_t steps = 0; i && i < size && steps < size; steps++) {
		const struct vt_ext *entry = &vt->exts[i];
		if (entry->underline == underline && entry->link == link) {
			return i;
		}
		i = entry->next;
	}
	return 0;
}

static uint32_t new_ext(struct vt *vt) {
	struct vt_state *s = vt->state;
	return unused(
		&s->ext_free, vt->exts[s->ext_free].next, &s->ext_live, vt->memory.count[VT_EXTS]);
}

uint32_t vt_intern_ext(struct vt *vt, uint32_t underline, uint32_t link) {
	struct vt_state *s = vt->state;
	if (underline == 0 && link == 0) {
		return 0;
	}
	uint32_t i = find_ext(vt, underline, link);
	if (i) {
		return i;
	}
	i = new_ext(vt);
	if (!i && reclaim(vt, VT_TABLE_EXTS)) {
		i = new_ext(vt);
		if (!i) {
			s->table_refused[VT_TABLE_EXTS]++;
		}
	}
	if (!i) {
		return 0;
	}
	struct vt_ext *entry = &vt->exts[i];
	struct vt_ext *bucket = &vt->exts[ext_bucket(vt, underline, link)];
	entry->underline = underline;
	entry->link = link;
	entry->live = 1;
	entry->next = bucket->head;
	bucket->head = i;
	return i;
}

/* The pen's number follows what it is made of. */
void vt_pen_ext(struct vt *vt) {
	struct vt_state *s = vt->state;
	uint32_t ext = vt_intern_ext(vt, s->pen_underline, s->pen_link);
	s->pen[3] = (s->pen[3] & VT_AT_MASK) | ext << VT_AT_EXT_SHIFT;
}

static uint32_t find_link(const struct vt *vt, uint32_t hash, const uint8_t *id, size_t id_len,
	const uint8_t *uri, size_t uri_len) {
	uint32_t size = vt->memory.count[VT_LINKS];
	uint32_t i = vt->links[hash % size].head;
	for (uint32_t steps = 0; i && i < size && steps < size; steps++) {
		const struct vt_link *entry = &vt->links[i];
		size_t length;
		const char *old = vt_link_uri(vt, i, &length);
		if (old && entry->hash == hash && entry->id_len == id_len && length == uri_len &&
			memcmp(old - id_len, id, id_len) == 0 && memcmp(old, uri, uri_len) == 0) {
			return i;
		}
		i = entry->next;
	}
	return 0;
}

static uint32_t new_link(struct vt *vt, uint32_t size) {
	struct vt_state *s = vt->state;
	if (size > vt->memory.count[VT_URIS] - s->uri_used) {
		return 0;
	}
	return unused(&s->link_free, vt->links[s->link_free].next, &s->link_live,
		vt->memory.count[VT_LINKS]);
}

/* Links without an id are each their own, even to the same place; those with one are told by it. */
uint32_t vt_intern_link(
	struct vt *vt, const uint8_t *id, size_t id_len, const uint8_t *uri, size_t uri_len) {
	struct vt_state *s = vt->state;
	uint32_t hash = hash_bytes(hash_bytes(0x811c9dc5u, id, id_len), uri, uri_len);
	if (id_len > 0) {
		uint32_t i = find_link(vt, hash, id, id_len, uri, uri_len);
		if (i) {
			return i;
		}
	}
	uint32_t size = (uint32_t)(sizeof(struct uri_record) + id_len + uri_len);
	uint32_t i = new_link(vt, size);
	if (!i && reclaim(vt, VT_TABLE_LINKS)) {
		i = new_link(vt, size);
		if (!i) {
			s->table_refused[VT_TABLE_LINKS]++;
		}
	}
	if (!i) {
		return 0;
	}
	struct uri_record record = {.link = i, .length = (uint32_t)(id_len + uri_len)};
	uint8_t *to = vt->uris + s->uri_used;
	memcpy(to, &record, sizeof(record));
	memcpy(to + sizeof(record), id, id_len);
	memcpy(to + sizeof(record) + id_len, uri, uri_len);
	struct vt_link *entry = &vt->links[i];
	struct vt_link *bucket = &vt->links[hash % vt->memory.count[VT_LINKS]];
	entry->hash = hash;
	entry->off = s->uri_used + (uint32_t)sizeof(record);
	entry->id_len = (uint16_t)id_len;
	entry->uri_len = (uint16_t)uri_len;
	entry->next = bucket->head;
	bucket->head = i;
	s->uri_used += size;
	return i;
}
