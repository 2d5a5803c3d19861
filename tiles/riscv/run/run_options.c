/* SPDX-License-Identifier: MIT */
/* What riscv-run is asked for. */
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run.h"

#define MEMORY_LEAST (1ull << 20)
#define MEMORY_MOST (64ull << 30)
#define MEMORY_USUAL (128ull << 20)

void run_say(const char *format, ...) {
	va_list args;
	fputs("riscv-run: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

static const char usage[] =
	"usage: riscv-run [OPTION...] FILE.elf\n"
	"       riscv-run [OPTION...] --flat FILE\n"
	"       riscv-run [OPTION...] [--firmware FILE] --kernel FILE [--initrd FILE]\n"
	"\n"
	"Runs an ELF executable, a flat image or an operating system on a RISC-V machine.\n"
	"\n"
	"  --flat                 FILE is no ELF file, but what is at the start of RAM\n"
	"  --firmware FILE        what runs first, in M mode (OpenSBI's fw_dynamic)\n"
	"  --kernel FILE          what the firmware starts\n"
	"  --initrd FILE          the kernel's first file system\n"
	"  --append TEXT          the kernel's command line (console=ttyS0)\n"
	"  --disk FILE            a disk\n"
	"  --network              a network card, with a network of its own behind it\n"
	"  --forward tcp:PORT:GUESTPORT  a port of 127.0.0.1 that reaches the guest's (or udp)\n"
	"  --memory SIZE          of RAM, with K, M or G (128M)\n"
	"  --harts N              1 to 4 processors (1)\n"
	"  --console FILE         type what is in FILE, not what comes from stdin\n"
	"  --await TEXT           type a line each time that the guest has written TEXT\n"
	"  --implementation NAME  plain, fast or fast-nojit (fast)\n"
	"  --swap-every N         hand over between plain and fast every N instructions\n"
	"  --max-instructions N   stop after N instructions, with status 124\n"
	"  --deterministic        time passes by instructions alone\n"
	"  --hash                 at the end, a line on stderr with a hash of the machine\n"
	"  --trace                every instruction on stderr, before it is executed\n"
	"  --help, --version\n"
	"\n"
	"The status is what the guest ends with. On a terminal Ctrl-A x ends the machine.\n";

/* A whole number, in decimal or 0x...; with K, M or G where units are allowed. */
static bool parse_number(const char *option, const char *text, bool units, uint64_t least,
	uint64_t most, uint64_t *value) {
	char *end;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 0);
	bool good = end != text && errno == 0 && *text >= '0' && *text <= '9';
	unsigned shift = 0;
	if (units && *end != '\0' && strchr("KMG", *end))
		shift = *end == 'K' ? 10 : *end == 'M' ? 20 : 30, end++;
	good = good && *end == '\0' && number <= UINT64_MAX >> shift;
	number <<= shift;
	if (!good || number < least || number > most) {
		run_say("--%s %s: must be a number of %llu to %llu%s", option, text,
			(unsigned long long)least, (unsigned long long)most,
			units ? ", K, M or G may follow" : "");
		return false;
	}
	*value = number;
	return true;
}

enum {
	FLAT = 1,
	FIRMWARE,
	KERNEL,
	INITRD,
	APPEND,
	DISK,
	NETWORK,
	FORWARD,
	MEMORY,
	HARTS,
	CONSOLE,
	AWAIT,
	IMPLEMENTATION,
	SWAP_EVERY,
	MAX_INSTRUCTIONS,
	DETERMINISTIC,
	HASH,
	TRACE,
	HELP,
	VERSION,
};

static const struct option longs[] = {
	{"flat", no_argument, NULL, FLAT},
	{"firmware", required_argument, NULL, FIRMWARE},
	{"kernel", required_argument, NULL, KERNEL},
	{"initrd", required_argument, NULL, INITRD},
	{"append", required_argument, NULL, APPEND},
	{"disk", required_argument, NULL, DISK},
	{"network", no_argument, NULL, NETWORK},
	{"forward", required_argument, NULL, FORWARD},
	{"memory", required_argument, NULL, MEMORY},
	{"harts", required_argument, NULL, HARTS},
	{"console", required_argument, NULL, CONSOLE},
	{"await", required_argument, NULL, AWAIT},
	{"implementation", required_argument, NULL, IMPLEMENTATION},
	{"swap-every", required_argument, NULL, SWAP_EVERY},
	{"max-instructions", required_argument, NULL, MAX_INSTRUCTIONS},
	{"deterministic", no_argument, NULL, DETERMINISTIC},
	{"hash", no_argument, NULL, HASH},
	{"trace", no_argument, NULL, TRACE},
	{"help", no_argument, NULL, HELP},
	{"version", no_argument, NULL, VERSION},
	{},
};

static bool parse_engine(struct run_options *options, const char *name) {
	static const struct {
		const char *name;
		const struct rv_engine *engine;
		bool native;
	} implementations[] = {
		{"plain", &rv_engine_plain, true}, /* what it swaps with is as fast as can be */
		{"fast", &rv_engine_fast, true},
		{"fast-nojit", &rv_engine_fast, false},
	};
	for (unsigned i = 0; i < sizeof(implementations) / sizeof(implementations[0]); i++) {
		if (strcmp(implementations[i].name, name) == 0) {
			options->engine = implementations[i].engine;
			options->native = implementations[i].native;
			return true;
		}
	}
	run_say("--implementation %s: there are plain, fast and fast-nojit", name);
	return false;
}

/* One option; false: it is wrong, and was said so. */
static bool parse_one(struct run_options *options, int option, const char *name) {
	uint64_t number;
	switch (option) {
	case FLAT:
		options->flat = true;
		return true;
	case FIRMWARE:
		options->firmware = optarg;
		return true;
	case KERNEL:
		options->kernel = optarg;
		return true;
	case INITRD:
		options->initrd = optarg;
		return true;
	case APPEND:
		options->append = optarg;
		return true;
	case DISK:
		options->disk = optarg;
		return true;
	case NETWORK:
		options->network = true;
		return true;
	case FORWARD:
		if (options->forward_count == RUN_FORWARDS_MAX) {
			run_say("--forward %s: %d of them are the most", optarg, RUN_FORWARDS_MAX);
			return false;
		}
		options->forwards[options->forward_count++] = optarg;
		return true;
	case MEMORY:
		if (!parse_number(name, optarg, true, MEMORY_LEAST, MEMORY_MOST, &options->memory))
			return false;
		options->memory &= ~(RV_PAGE - 1);
		return true;
	case HARTS:
		if (!parse_number(name, optarg, false, 1, RV_HARTS_MAX, &number))
			return false;
		options->harts = number;
		return true;
	case CONSOLE:
		options->console = optarg;
		return true;
	case AWAIT:
		options->await = optarg;
		if (*optarg == '\0')
			run_say("--await: needs a text that is not empty");
		return *optarg != '\0';
	case IMPLEMENTATION:
		return parse_engine(options, optarg);
	case SWAP_EVERY:
		return parse_number(name, optarg, false, 1, UINT64_MAX, &options->swap_every);
	case MAX_INSTRUCTIONS:
		return parse_number(name, optarg, false, 1, UINT64_MAX, &options->max_instructions);
	case DETERMINISTIC:
		options->deterministic = true;
		return true;
	case HASH:
		options->hash = true;
		return true;
	case TRACE:
		options->trace = true;
		return true;
	default:
		return false;
	}
}

/* What does not go together. */
static bool check(const struct run_options *options) {
	if (options->trace && (options->engine != &rv_engine_plain || options->swap_every)) {
		run_say("--trace: only the plain implementation can say what it does");
		return false;
	}
	if (options->program && (options->firmware || options->kernel || options->initrd)) {
		run_say("%s: either a program or --firmware and --kernel", options->program);
		return false;
	}
	if (!options->program && !options->firmware && !options->kernel) {
		run_say("needs a file to run; see riscv-run --help");
		return false;
	}
	if (options->network && options->deterministic) {
		run_say("--network: what comes by it does not come at the same time again; not "
			"with "
			"--deterministic");
		return false;
	}
	if (options->forward_count > 0 && !options->network) {
		run_say("--forward: without --network there is nobody to forward to");
		return false;
	}
	if (options->initrd && !options->kernel) {
		run_say("--initrd: without --kernel nobody reads it");
		return false;
	}
	return true;
}

bool run_options_parse(struct run_options *options, int argc, char **argv, int *status) {
	*options = (struct run_options){
		.append = "console=ttyS0",
		.memory = MEMORY_USUAL,
		.harts = 1,
		.native = true,
	};
	*status = RUN_FAILED;
	int option, index = 0;
	opterr = 0;
	while ((option = getopt_long(argc, argv, "", longs, &index)) != -1) {
		if (option == HELP || option == VERSION) {
			fputs(option == HELP ? usage : "riscv-run " CITY_VERSION "\n", stdout);
			*status = fflush(stdout) == 0 ? 0 : RUN_FAILED;
			if (*status != 0)
				run_say("stdout: %s", strerror(errno));
			return false;
		}
		if (option == '?') {
			run_say("%s: no such option, or its value is missing; see riscv-run --help",
				argv[optind - 1]);
			return false;
		}
		if (!parse_one(options, option, longs[index].name))
			return false;
	}
	if (optind < argc)
		options->program = argv[optind++];
	if (optind < argc) {
		run_say("%s: only one program can be run", argv[optind]);
		return false;
	}
	if (!options->engine)
		options->engine = options->trace ? &rv_engine_plain : &rv_engine_fast;
	return check(options);
}
