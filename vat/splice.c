/* SPDX-License-Identifier: MIT */
/* Splice points: as people write them, and where on the transport they are. */
#include <stdio.h>
#include <stdlib.h>

#include "internal.h"
#include "transport.h"

#define BARS_MAX 1024

#define SHOWN 60

/* What was typed, in one line. */
static const char *shown(const char *text, char line[SHOWN]) {
	size_t i = 0;
	for (; text[i] && i < SHOWN - 1; i++)
		line[i] = (unsigned char)text[i] >= ' ' && text[i] != 0x7f ? text[i] : '?';
	line[i] = 0;
	return line;
}

static int unknown(const char *text, struct vat_error *err) {
	char line[SHOWN];
	return vat_fail(err, EINVAL,
		"'%s' is no splice point: there are !, @beat, @bar, @phrase, @phrase(BARS), "
		"@loop "
		"and @marker(NAME)",
		shown(text, line));
}

/* What stands in the parentheses behind a word, into inner; false where they are not as they should
 * be or it does not fit. */
static bool inside(const char *text, char *inner, size_t size) {
	size_t length = strlen(text);
	if (length < 2 || text[0] != '(' || text[length - 1] != ')' || length - 2 >= size)
		return false;
	memcpy(inner, text + 1, length - 2);
	inner[length - 2] = 0;
	return true;
}

static bool parse_bars(const char *text, uint32_t *bars) {
	size_t length = strspn(text, "0123456789");
	if (length == 0 || length > 4 || text[length])
		return false;
	*bars = (uint32_t)strtoul(text, NULL, 10);
	return *bars >= 1 && *bars <= BARS_MAX;
}

int vat_splice_parse(const char *text, struct vat_splice_point *point, struct vat_error *err) {
	static const struct {
		const char *word;
		enum vat_splice kind;
	} plain[] = {
		{"", VAT_SPLICE_NOW},
		{"!", VAT_SPLICE_NOW},
		{"@beat", VAT_SPLICE_BEAT},
		{"@bar", VAT_SPLICE_BAR},
		{"@phrase", VAT_SPLICE_PHRASE},
		{"@loop", VAT_SPLICE_LOOP},
	};
	struct vat_splice_point made = {0};
	for (size_t i = 0; i < sizeof(plain) / sizeof(*plain); i++)
		if (strcmp(text, plain[i].word) == 0) {
			made.kind = plain[i].kind;
			*point = made;
			return 0;
		}
	char inner[VAT_MARKER_SIZE], line[SHOWN];
	if (strncmp(text, "@phrase(", 8) == 0) {
		made.kind = VAT_SPLICE_PHRASE;
		if (!inside(text + 7, inner, sizeof(inner)) || !parse_bars(inner, &made.bars))
			return vat_fail(err, EINVAL,
				"'%s': a phrase has 1 to %d bars, as in @phrase(8)",
				shown(text, line), BARS_MAX);
	} else if (strncmp(text, "@marker(", 8) == 0) {
		made.kind = VAT_SPLICE_MARKER;
		if (!inside(text + 7, made.marker, sizeof(made.marker)) ||
			!vat_name_valid(made.marker))
			return vat_fail(err, EINVAL,
				"'%s': a marker's name has lower case letters, digits, '.', '_' "
				"and '-', at most %d, a letter first, as in @marker(chorus)",
				shown(text, line), VAT_MARKER_SIZE - 1);
	} else {
		return unknown(text, err);
	}
	*point = made;
	return 0;
}

void vat_splice_print(const struct vat_splice_point *point, char *text, size_t size) {
	switch (point->kind) {
	case VAT_SPLICE_NOW:
		snprintf(text, size, "!");
		return;
	case VAT_SPLICE_BEAT:
		snprintf(text, size, "@beat");
		return;
	case VAT_SPLICE_BAR:
		snprintf(text, size, "@bar");
		return;
	case VAT_SPLICE_PHRASE:
		if (point->bars)
			snprintf(text, size, "@phrase(%u)", point->bars);
		else
			snprintf(text, size, "@phrase");
		return;
	case VAT_SPLICE_LOOP:
		snprintf(text, size, "@loop");
		return;
	case VAT_SPLICE_MARKER:
		snprintf(text, size, "@marker(%.*s)", VAT_MARKER_SIZE - 1, point->marker);
		return;
	}
	snprintf(text, size, "?");
}

/* The first tick not before `from` that is `origin` plus a multiple of `step`, none before `first`.
 */
static int64_t next_multiple(int64_t from, int64_t origin, int64_t step, int64_t first) {
	if (from < first)
		from = first;
	__int128 over = (__int128)from - origin;
	__int128 rest = over % step;
	if (rest < 0)
		rest += step;
	__int128 tick = rest == 0 ? from : (__int128)from + (step - rest);
	return tick > INT64_MAX ? INT64_MAX : (int64_t)tick;
}

static int64_t next_marker(const struct vat_transport *transport, const char *name, int64_t from) {
	for (uint32_t i = 0; i < transport->marker_count; i++)
		if (transport->markers[i].tick >= from &&
			strcmp(transport->markers[i].name, name) == 0)
			return transport->markers[i].tick;
	return INT64_MAX;
}

static bool marker_known(const struct vat_transport *transport, const char *name) {
	return next_marker(transport, name, INT64_MIN) != INT64_MAX;
}

/* The first tick not before `from` where the point is met; INT64_MAX: there is none. */
static int64_t next_tick(const struct vat_transport *transport,
	const struct vat_transport_part *part, const struct vat_splice_point *point, int64_t from,
	int64_t loop_tick, int64_t loop_ticks) {
	int64_t bar = (int64_t)part->beats_a_bar * VAT_PPQ;
	switch (point->kind) {
	case VAT_SPLICE_NOW:
		return from;
	case VAT_SPLICE_BEAT:
		return next_multiple(from, 0, VAT_PPQ, INT64_MIN);
	case VAT_SPLICE_PHRASE:
		bar *= point->bars ? point->bars : part->bars_a_phrase;
		return next_multiple(from, part->bar_zero, bar, INT64_MIN);
	case VAT_SPLICE_LOOP:
		if (loop_ticks > 0) {
			__int128 end = (__int128)loop_tick + loop_ticks;
			if (end > INT64_MAX)
				return INT64_MAX;
			return next_multiple(from, (int64_t)end, loop_ticks, (int64_t)end);
		}
		return next_multiple(from, part->bar_zero, bar, INT64_MIN);
	case VAT_SPLICE_BAR:
		return next_multiple(from, part->bar_zero, bar, INT64_MIN);
	case VAT_SPLICE_MARKER:
		return next_marker(transport, point->marker, from);
	}
	return INT64_MAX;
}

/* Of one part, that holds for [from, end). */
static bool next_in_part(const struct vat_transport *transport,
	const struct vat_transport_part *part, const struct vat_splice_point *point, uint64_t from,
	uint64_t end, int64_t loop_tick, int64_t loop_ticks, uint64_t *frame, int64_t *tick) {
	if (from < part->frame)
		from = part->frame;
	if (!part->playing || from >= end)
		return false;
	int64_t first = vat_part_tick(part, transport->rate, from);
	if (vat_part_frame(part, transport->rate, first) < from)
		first++;
	int64_t met = next_tick(transport, part, point, first, loop_tick, loop_ticks);
	if (met == INT64_MAX)
		return false;
	uint64_t at = vat_part_frame(part, transport->rate, met);
	if (at >= end)
		return false;
	*frame = at;
	*tick = met;
	return true;
}

int vat_splice_next(const struct vat_transport *transport, const struct vat_splice_point *point,
	uint64_t from, int64_t loop_tick, int64_t loop_ticks, uint64_t *frame, int64_t *tick,
	struct vat_error *err) {
	if (point->kind == VAT_SPLICE_NOW) {
		*frame = from;
		*tick = vat_transport_tick(transport, from);
		return 0;
	}
	if (point->kind == VAT_SPLICE_MARKER && !marker_known(transport, point->marker))
		return vat_fail(err, ENOENT,
			"there is no marker '%s': set it with cityctl transport mark %s",
			point->marker, point->marker);
	const struct vat_transport_part *first = &transport->parts[0], *then = &transport->parts[1];
	if (next_in_part(transport, first, point, from, then->frame, loop_tick, loop_ticks, frame,
		    tick) ||
		next_in_part(transport, then, point, from < then->frame ? then->frame : from,
			UINT64_MAX, loop_tick, loop_ticks, frame, tick))
		return 0;
	if (!then->playing)
		return vat_fail(err, EAGAIN,
			"the transport stands still: start it with cityctl transport play");
	char text[VAT_MARKER_SIZE + 16];
	vat_splice_print(point, text, sizeof(text));
	return vat_fail(err, ENOENT, "%s is passed, or too far away to be reached", text);
}
