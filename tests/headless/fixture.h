/* SPDX-License-Identifier: MIT */
/* What every test of the desktop begins with: includes in the order cmocka wants, a city, a client.
 */
#ifndef TEST_FIXTURE_H
#define TEST_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <linux/input-event-codes.h>

#include "city.h"
#include "client.h"

#define SUPER 64
#define SHIFT 1
#define CTRL 4
#define ALT 8
#define RED 0xff0000
#define GREEN 0x00ff00
#define BLUE 0x0000ff
#define YELLOW 0xffff00

/* Cameras on the keys 1 to 6; nothing moves by itself. */
#define CONFIG_TEXT                                                                                \
	"animations off\n"                                                                         \
	"headless {\n size 1280x720\n}\n"                                                          \
	"bind Super+1 camera 0 0 1\n"                                                              \
	"bind Super+2 camera 0 0 0.5\n"                                                            \
	"bind Super+3 camera 400 200 2\n"                                                          \
	"bind Super+4 camera 100.5 50.25 0.75\n"                                                   \
	"bind Super+5 camera 0 0 0.25\n"                                                           \
	"bind Super+6 camera -10000 0 1\n"                                                         \
	"bind Super+7 zoom room\n"                                                                 \
	"bind Super+8 move 100 80\n"                                                               \
	"bind Super+9 resize 333 222\n"

struct fixture {
	struct test_city city;
	struct client *client;
};

static inline int fixture_start(void **state) {
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	test_city_start(&fixture->city, CONFIG_TEXT);
	fixture->client = client_create(&fixture->city);
	*state = fixture;
	return 0;
}

static inline int fixture_stop(void **state) {
	struct fixture *fixture = *state;
	client_destroy(fixture->client);
	test_city_stop(&fixture->city);
	free(fixture);
	return 0;
}

#define DESK_TEST(name) cmocka_unit_test_setup_teardown(name, fixture_start, fixture_stop)

/* The first window of 200 by 100 is placed here: with its frame in the middle of 1280x720. */
#define FIRST_X 540
#define FIRST_Y 321

#endif
