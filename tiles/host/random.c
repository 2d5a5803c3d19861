/* SPDX-License-Identifier: MIT */
/*
 * While two versions are seen side by side what they do by chance must be the same: then both take
 * their numbers from one secret, the seed in the undo log, by ChaCha20 (RFC 8439).
 */
#include "host.h"

#include <stdlib.h>
#include <string.h>

#include "log.h"

static uint32_t rotate(uint32_t x, int n) {
	return x << n | x >> (32 - n);
}

static void quarter(uint32_t *s, int a, int b, int c, int d) {
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 7);
}

/* The next 64 bytes of the key stream. */
static void fill(struct host *host) {
	uint32_t *state = host->random.state, block[16];
	memcpy(block, state, sizeof(block));
	for (int round = 0; round < 10; round++) {
		for (int i = 0; i < 4; i++) {
			quarter(block, i, 4 + i, 8 + i, 12 + i);
		}
		for (int i = 0; i < 4; i++) {
			quarter(block, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
		}
	}
	for (int i = 0; i < 16; i++) {
		block[i] += state[i];
	}
	memcpy(host->random.numbers, block, sizeof(block));
	state[13] += ++state[12] == 0;
	host->random.left = sizeof(block) / sizeof(host->random.numbers[0]);
}

uint64_t host_random_next(struct host *host) {
	uint64_t value;
	if (!host->random.follows) {
		arc4random_buf(&value, sizeof(value));
		return value;
	}
	if (host->random.left == 0) {
		fill(host);
	}
	return host->random.numbers[--host->random.left];
}

void host_random_follow(struct host *host, int undo_fd) {
	static const uint32_t constants[] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
	struct vat_error error;
	uint8_t seed[VAT_SEED];
	if (vat_undo_seed(undo_fd, seed, &error) < 0) {
		city_log(CITY_LOG_WARN, host->name, "%s", error.text);
		return;
	}
	memset(&host->random, 0, sizeof(host->random));
	memcpy(host->random.state, constants, sizeof(constants));
	memcpy(host->random.state + 4, seed, sizeof(seed));
	host->random.follows = true;
}

void host_random_unfollow(struct host *host) {
	memset(&host->random, 0, sizeof(host->random));
}
