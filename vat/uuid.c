/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <sys/random.h>

#include "internal.h"

int vat_uuid_generate(struct vat_uuid *uuid) {
	size_t have = 0;
	while (have < sizeof(uuid->bytes)) {
		ssize_t n = getrandom(uuid->bytes + have, sizeof(uuid->bytes) - have, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		have += (size_t)n;
	}
	uuid->bytes[6] = (uuid->bytes[6] & 0x0f) | 0x40;
	uuid->bytes[8] = (uuid->bytes[8] & 0x3f) | 0x80;
	return 0;
}

static int hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool vat_uuid_parse(const char *text, struct vat_uuid *uuid) {
	struct vat_uuid out;
	const char *p = text;
	for (size_t i = 0; i < sizeof(out.bytes); i++) {
		if ((i == 4 || i == 6 || i == 8 || i == 10) && *p++ != '-')
			return false;
		int high = hex_digit(p[0]);
		int low = high < 0 ? -1 : hex_digit(p[1]);
		if (low < 0)
			return false;
		out.bytes[i] = (uint8_t)(high << 4 | low);
		p += 2;
	}
	if (*p)
		return false;
	*uuid = out;
	return true;
}

void vat_uuid_format(const struct vat_uuid *uuid, char text[VAT_UUID_TEXT]) {
	static const char digits[] = "0123456789abcdef";
	char *p = text;
	for (size_t i = 0; i < sizeof(uuid->bytes); i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*p++ = '-';
		*p++ = digits[uuid->bytes[i] >> 4];
		*p++ = digits[uuid->bytes[i] & 15];
	}
	*p = 0;
}

bool vat_uuid_equal(const struct vat_uuid *a, const struct vat_uuid *b) {
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

bool vat_uuid_is_nil(const struct vat_uuid *uuid) {
	return vat_uuid_equal(uuid, &(struct vat_uuid){0});
}
