/* SPDX-License-Identifier: MIT */
#include "net.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
	"usage: source-city-net [OPTION...]\n"
	"\n"
	"A network for one machine, whose Ethernet frames come by stdin and go by stdout.\n"
	"\n"
	"  --forward PROTOCOL:[127.0.0.1:]PORT:GUESTPORT\n"
	"                what connects to PORT of this computer's loopback reaches GUESTPORT of\n"
	"                the machine; PROTOCOL is tcp or udp. May be given again\n"
	"  --terminal    stdin and stdout are a terminal: it is made raw, and shows bytes\n"
	"  --help, --version\n"
	"\n"
	"The machine gets 10.0.2.15 by DHCP; 10.0.2.2 is this computer, 10.0.2.3 asks its DNS.\n";

void net_say(const char *format, ...) {
	char text[512];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "source-city-net: %s\n", text);
}

static bool parse_port(const char *text, size_t size, uint16_t *port) {
	unsigned long number = 0;
	for (size_t i = 0; i < size && number <= UINT16_MAX; i++) {
		if (text[i] < '0' || text[i] > '9') {
			return false;
		}
		number = number * 10 + (unsigned long)(text[i] - '0');
	}
	*port = (uint16_t)number;
	return number > 0 && number <= UINT16_MAX;
}

static bool parse_forward(const char *text, struct net_forward *forward) {
	static const char loopback[] = "127.0.0.1:";
	const char *at = text;
	forward->udp = strncmp(at, "udp:", 4) == 0;
	if (!forward->udp && strncmp(at, "tcp:", 4) != 0) {
		net_say("--forward %s: it begins with tcp: or udp:", text);
		return false;
	}
	at += 4;
	if (strncmp(at, loopback, strlen(loopback)) == 0) {
		at += strlen(loopback);
	} else if (strchr(at, ':') != strrchr(at, ':')) {
		net_say("--forward %s: it can only listen on 127.0.0.1", text);
		return false;
	}
	const char *colon = strchr(at, ':');
	if (!colon || !parse_port(at, (size_t)(colon - at), &forward->port) ||
		!parse_port(colon + 1, strlen(colon + 1), &forward->guest_port)) {
		net_say("--forward %s: two ports of 1 to 65535 are wanted, as in tcp:2222:22",
			text);
		return false;
	}
	return true;
}

enum {
	FORWARD = 1,
	TERMINAL,
	HELP,
	VERSION,
};

static const struct option longs[] = {
	{"forward", required_argument, NULL, FORWARD},
	{"terminal", no_argument, NULL, TERMINAL},
	{"help", no_argument, NULL, HELP},
	{"version", no_argument, NULL, VERSION},
	{},
};

static bool add_forward(struct net_options *options, const char *text) {
	if (options->forward_count == NET_FORWARDS_MAX) {
		net_say("--forward %s: %d of them are the most", text, NET_FORWARDS_MAX);
		return false;
	}
	return parse_forward(text, &options->forwards[options->forward_count++]);
}

bool net_options_parse(struct net_options *options, int argc, char **argv, int *status) {
	*options = (struct net_options){};
	*status = 2;
	int option;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		switch (option) {
		case FORWARD:
			if (!add_forward(options, optarg)) {
				return false;
			}
			break;
		case TERMINAL:
			options->terminal = true;
			break;
		case HELP:
		case VERSION:
			fputs(option == HELP ? usage : "source-city-net " CITY_VERSION "\n",
				stdout);
			*status = 0;
			return false;
		default:
			net_say("%s: no such option, or its value is missing; see source-city-net "
				"--help",
				argv[optind - 1]);
			return false;
		}
	}
	if (optind < argc) {
		net_say("%s: there are only options; see source-city-net --help", argv[optind]);
		return false;
	}
	if (!options->terminal && (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO))) {
		net_say("it speaks Ethernet, with a machine: stdin or stdout is a terminal, and "
			"--terminal was not asked for");
		return false;
	}
	return true;
}
