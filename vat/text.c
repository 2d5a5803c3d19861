/* SPDX-License-Identifier: MIT */

#include "internal.h"

static bool is_lower(char c) {
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

bool vat_name_valid(const char *name) {
	if (!name || !is_lower(name[0]))
		return false;
	size_t n = 1;
	for (; name[n]; n++) {
		if (n == VAT_NAME_SIZE - 1)
			return false;
		char c = name[n];
		if (!is_lower(c) && !is_digit(c) && c != '.' && c != '_' && c != '-')
			return false;
	}
	return true;
}

bool vat_field_name_valid(const char *name) {
	if (!name || is_digit(name[0]) || !name[0])
		return false;
	for (size_t n = 0; name[n]; n++) {
		if (n == VAT_FIELD_SIZE - 1)
			return false;
		char c = name[n];
		if (!is_lower(c) && !is_digit(c) && c != '_' && !(c >= 'A' && c <= 'Z'))
			return false;
	}
	return true;
}

size_t vat_utf8_decode(const char *text, size_t size, uint32_t *code) {
	const uint8_t *p = (const uint8_t *)text;
	if (size == 0)
		return 0;
	if (p[0] < 0x80) {
		*code = p[0];
		return 1;
	}
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || size < n)
		return 0;
	uint32_t value = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (p[i] & 0x3f);
	}
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	if (value < least[n] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 0;
	*code = value;
	return n;
}
