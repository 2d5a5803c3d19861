/* SPDX-License-Identifier: MIT */
/* How wide a character is, and what belongs to one. */
#include "vt_int.h"

#include <utf8proc.h>

int vt_width(uint32_t cp) {
	if (cp < 0x20 || (cp >= 0x7f && cp < 0xa0)) {
		return -1;
	}
	if (cp < 0x300) {
		return 1;
	}
	if (cp >= 0x1160 && cp <= 0x11ff) {
		return 0; /* the vowels and finals that Hangul syllables are made with */
	}
	const utf8proc_property_t *property = utf8proc_get_property((utf8proc_int32_t)cp);
	switch (property->category) {
	case UTF8PROC_CATEGORY_MN:
	case UTF8PROC_CATEGORY_ME:
	case UTF8PROC_CATEGORY_CF:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
		return 0;
	default:
		return property->charwidth == 2 ? 2 : 1;
	}
}

/* Is there no boundary between a cluster and `cp`? (Prepending characters do not count: they are
 * printed before what they belong to is known.) */
bool vt_joins(const uint32_t *cps, uint32_t count, uint32_t cp) {
	utf8proc_int32_t state = 0;
	for (uint32_t i = 1; i < count; i++) {
		utf8proc_grapheme_break_stateful(
			(utf8proc_int32_t)cps[i - 1], (utf8proc_int32_t)cps[i], &state);
	}
	return !utf8proc_grapheme_break_stateful(
		(utf8proc_int32_t)cps[count - 1], (utf8proc_int32_t)cp, &state);
}
