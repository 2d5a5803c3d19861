/* SPDX-License-Identifier: MIT */
/* What wire_child tells the test when it starts; its wire comes beside it. */
#ifndef SOURCE_CITY_TESTS_WIRE_CHILD_H
#define SOURCE_CITY_TESTS_WIRE_CHILD_H

#include <sys/types.h>

struct wire_child_hello {
	pid_t pid;
	int argc;
	char program[64];
};

#endif
