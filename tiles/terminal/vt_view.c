/* SPDX-License-Identifier: MIT */
/* Reading the screen: lines, damage, cells, colours, marks. */
#include "vt_int.h"

/* ---- lines ---- */

uint64_t vt_line_first(const struct vt *vt) {
	return vt->state->first[vt->state->alt];
}

uint64_t vt_line_screen(const struct vt *vt) {
	return vt_row_line(vt->state, 0);
}

uint64_t vt_line_end(const struct vt *vt) {
	return vt_row_line(vt->state, vt->state->rows);
}

const struct vt_row *vt_line_row(const struct vt *vt, uint64_t line) {
	const struct vt_state *s = vt->state;
	if (line < vt_line_first(vt) || line >= vt_line_end(vt)) {
		return NULL;
	}
	return &vt->rows[s->alt][vt_slot(s, s->alt, (uint32_t)(line - s->first[s->alt]))];
}

const struct vt_cell *vt_line_cells(const struct vt *vt, uint64_t line) {
	const struct vt_row *row = vt_line_row(vt, line);
	return row ? vt_row_cells(vt, row) : NULL;
}

/* ---- damage ---- */

bool vt_line_dirty(const struct vt *vt, uint64_t line) {
	uint64_t bit = line % VT_DIRTY_BITS;
	return vt->dirty_all || vt->dirty[bit / 64] >> (bit % 64) & 1;
}

bool vt_damaged(const struct vt *vt) {
	for (uint64_t line = vt_line_screen(vt); line < vt_line_end(vt); line++) {
		if (vt_line_dirty(vt, line)) {
			return true;
		}
	}
	return false;
}

void vt_damage_all(struct vt *vt) {
	vt->dirty_all = true;
}

void vt_damage_clear(struct vt *vt) {
	vt->dirty_all = false;
	memset(vt->dirty, 0, sizeof(vt->dirty));
}

/* ---- cells ---- */

uint32_t vt_cell_cps(const struct vt *vt, const struct vt_cell *cell, uint32_t *cps) {
	uint32_t value = cell->ch & VT_CH_VALUE;
	if (value == 0) {
		return 0;
	}
	if (!(cell->ch & VT_CH_CLUSTER)) {
		cps[0] = value;
		return 1;
	}
	if (value >= vt->memory.count[VT_CLUSTERS]) {
		return 0;
	}
	const struct vt_cluster *cluster = &vt->clusters[value];
	uint32_t count = vt_min(cluster->count, VT_CLUSTER_CPS);
	memcpy(cps, cluster->cps, count * sizeof(*cps));
	return count;
}

static size_t put_utf8(uint32_t cp, char *out) {
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	if (cp < 0x800) {
		out[0] = (char)(0xc0 | cp >> 6);
		out[1] = (char)(0x80 | (cp & 0x3f));
		return 2;
	}
	if (cp < 0x10000) {
		out[0] = (char)(0xe0 | cp >> 12);
		out[1] = (char)(0x80 | (cp >> 6 & 0x3f));
		out[2] = (char)(0x80 | (cp & 0x3f));
		return 3;
	}
	out[0] = (char)(0xf0 | (cp >> 18 & 7));
	out[1] = (char)(0x80 | (cp >> 12 & 0x3f));
	out[2] = (char)(0x80 | (cp >> 6 & 0x3f));
	out[3] = (char)(0x80 | (cp & 0x3f));
	return 4;
}

size_t vt_cell_utf8(const struct vt *vt, const struct vt_cell *cell, char *out) {
	uint32_t cps[VT_CLUSTER_CPS];
	uint32_t count = vt_cell_cps(vt, cell, cps);
	size_t length = 0;
	for (uint32_t i = 0; i < count; i++) {
		length += put_utf8(cps[i], out + length);
	}
	return length;
}

static const struct vt_ext *cell_ext(const struct vt *vt, const struct vt_cell *cell) {
	uint32_t number = cell->at >> VT_AT_EXT_SHIFT;
	return number < vt->memory.count[VT_EXTS] ? &vt->exts[number] : &vt->exts[0];
}

uint32_t vt_cell_underline(const struct vt *vt, const struct vt_cell *cell) {
	return cell_ext(vt, cell)->underline;
}

uint32_t vt_cell_link(const struct vt *vt, const struct vt_cell *cell) {
	uint32_t link = cell_ext(vt, cell)->link;
	return link < vt->memory.count[VT_LINKS] ? link : 0;
}

const char *vt_link_uri(const struct vt *vt, uint32_t link, size_t *length) {
	*length = 0;
	if (link == 0 || link >= vt->memory.count[VT_LINKS]) {
		return NULL;
	}
	const struct vt_link *entry = &vt->links[link];
	uint32_t size = (uint32_t)entry->id_len + entry->uri_len;
	if (entry->uri_len == 0 || entry->off > vt->memory.count[VT_URIS] ||
		size > vt->memory.count[VT_URIS] - entry->off) {
		return NULL;
	}
	*length = entry->uri_len;
	return (const char *)vt->uris + entry->off + entry->id_len;
}

/* ---- colours ---- */

uint32_t vt_rgb(const struct vt *vt, uint32_t color, enum vt_color role) {
	switch (color & VT_COLOR_TAG) {
	case VT_COLOR_INDEXED:
		return vt->state->colors[color & 0xff] & 0xffffff;
	case VT_COLOR_RGB:
		return color & 0xffffff;
	default:
		return vt->state->colors[role == VT_COLOR_BG ? VT_COLOR_BG : VT_COLOR_FG] &
			0xffffff;
	}
}

void vt_set_colors(struct vt *vt, const uint32_t colors[VT_COLORS]) {
	struct vt_state *s = vt->state;
	for (uint32_t i = 0; i < VT_COLORS; i++) {
		/* What is as it was is not written: right after a handover that would cost. */
		if (s->base_colors[i] == colors[i]) {
			continue;
		}
		if (s->colors[i] == s->base_colors[i]) {
			s->colors[i] = colors[i];
		}
		s->base_colors[i] = colors[i];
	}
	vt_damage_all(vt);
}

void vt_default_colors(uint32_t colors[VT_COLORS]) {
	static const uint32_t ansi[16] = {0x000000, 0xcd0000, 0x00cd00, 0xcdcd00, 0x0000ee,
		0xcd00cd, 0x00cdcd, 0xe5e5e5, 0x7f7f7f, 0xff0000, 0x00ff00, 0xffff00, 0x5c5cff,
		0xff00ff, 0x00ffff, 0xffffff};
	memcpy(colors, ansi, sizeof(ansi));
	for (uint32_t i = 0; i < 216; i++) {
		uint32_t r = i / 36, g = i / 6 % 6, b = i % 6;
		colors[16 + i] = (r ? 55 + r * 40 : 0) << 16 | (g ? 55 + g * 40 : 0) << 8 |
			(b ? 55 + b * 40 : 0);
	}
	for (uint32_t i = 0; i < 24; i++) {
		colors[232 + i] = (8 + i * 10) * 0x010101u;
	}
	for (uint32_t i = 256; i < VT_COLORS; i++) {
		colors[i] = VT_COLOR_UNSET;
	}
	colors[VT_COLOR_FG] = 0xe5e5e5;
	colors[VT_COLOR_BG] = 0x000000;
}

/* ---- marks ---- */

void vt_mark_set(struct vt *vt, uint32_t mark, uint64_t line, uint32_t col) {
	struct vt_state *s = vt->state;
	s->mark_line[mark] = line;
	s->mark_col[mark] = col;
	s->mark_screen[mark] = (uint8_t)s->alt;
}

void vt_mark_clear(struct vt *vt, uint32_t mark) {
	vt->state->mark_line[mark] = UINT64_MAX;
}

bool vt_mark_get(const struct vt *vt, uint32_t mark, uint64_t *line, uint32_t *col) {
	const struct vt_state *s = vt->state;
	if (s->mark_screen[mark] != s->alt || s->mark_line[mark] < vt_line_first(vt) ||
		s->mark_line[mark] >= vt_line_end(vt)) {
		return false;
	}
	*line = s->mark_line[mark];
	*col = vt_min(s->mark_col[mark], s->cols - 1);
	return true;
}

/* ---- history ---- */

void vt_clear_history(struct vt *vt) {
	struct vt_state *s = vt->state;
	s->zero[0] = vt_slot(s, 0, s->history[0]);
	s->first[0] += s->history[0];
	s->history[0] = 0;
}
