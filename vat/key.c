/* SPDX-License-Identifier: MIT */
#include "internal.h"

/*
 * StateKeys are FNV-1a with 128 bits; offset basis and prime are those of "The FNV
 * Non-Cryptographic Hash Algorithm" (IETF, draft-eastlake-fnv). Every part is preceded by its
 * length, so that no two lists of parts give the same input.
 */
typedef unsigned __int128 u128;

#define FNV_BASIS ((u128)0x6c62272e07bb0142ull << 64 | 0x62b821756295c58dull)
#define FNV_PRIME ((u128)0x0000000001000000ull << 64 | 0x000000000000013bull)

static u128 fnv_add(u128 hash, const void *data, size_t size) {
	const uint8_t *p = data;
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ p[i]) * FNV_PRIME;
	return hash;
}

static u128 fnv_part(u128 hash, const void *data, size_t size) {
	uint8_t length[4] = {
		(uint8_t)size, (uint8_t)(size >> 8), (uint8_t)(size >> 16), (uint8_t)(size >> 24)};
	return fnv_add(fnv_add(hash, length, sizeof(length)), data, size);
}

struct vat_key vat_state_key(const struct vat_uuid *city, const struct vat_uuid *tile,
	const char *name, const char *scope, uint64_t element) {
	u128 hash = FNV_BASIS;
	hash = fnv_part(hash, city->bytes, sizeof(city->bytes));
	hash = fnv_part(hash, tile->bytes, sizeof(tile->bytes));
	hash = fnv_part(hash, name, strlen(name));
	hash = fnv_part(hash, scope ? scope : "", scope ? strlen(scope) : 0);
	uint8_t number[8];
	for (int i = 0; i < 8; i++)
		number[i] = (uint8_t)(element >> (8 * i));
	hash = fnv_part(hash, number, sizeof(number));

	/* Most significant byte first, as FNV hashes are written. */
	struct vat_key key;
	for (int i = 0; i < 16; i++)
		key.bytes[i] = (uint8_t)(hash >> (8 * (15 - i)));
	return key;
}

bool vat_key_equal(const struct vat_key *a, const struct vat_key *b) {
	return memcmp(a->bytes, b->bytes, sizeof(a->bytes)) == 0;
}

/*
 * Against accidents, not attacks: each step is a bijection of the state for a given word, and of
 * the word for a given state, so no change of a single word goes unseen. A word at a time, for it
 * is in the pause of every handover. The multiplier is 2^64 divided by the golden ratio, made odd.
 */
uint64_t vat_checksum(const void *data, size_t size) {
	const uint8_t *p = data;
	uint64_t hash = 0x5643u ^ size;
	while (size > 0) {
		uint64_t word = 0;
		size_t n = size < sizeof(word) ? size : sizeof(word);
		memcpy(&word, p, n);
		hash = (hash ^ word) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 32;
		p += n;
		size -= n;
	}
	return hash;
}
