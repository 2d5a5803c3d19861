/* SPDX-License-Identifier: MIT */
#include "forge/setup.h"

#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vat/log.h"

#define FLAGS_FILE_MAX 65536

static const char *const default_flags[] = {
	"-std=gnu23",
	"-O2",
	"-fPIC",
	"-fvisibility=hidden",
	"-shared",
	"-Wl,-z,now",
	"-Wl,-z,relro",
	"-Wl,-z,noexecstack",
	"-nostartfiles",
};

char *setup_find_program(const char *name) {
	if (strchr(name, '/') != nullptr)
		return access(name, X_OK) == 0 ? realpath(name, nullptr) : nullptr;
	const char *path = getenv("PATH");
	if (path == nullptr || path[0] == '\0')
		path = "/usr/local/bin:/usr/bin:/bin";
	while (true) {
		size_t size = strcspn(path, ":");
		/* Relative entries would mean something else in each folder. */
		if (path[0] == '/') {
			char *file = text_format("%.*s/%s", (int)size, path, name);
			struct stat info;
			if (stat(file, &info) == 0 && S_ISREG(info.st_mode) &&
				access(file, X_OK) == 0)
				return file;
			free(file);
		}
		if (path[size] == '\0')
			return nullptr;
		path += size + 1;
	}
}

/* $variable when it is an absolute path, else the user's home and `below`. */
static char *user_directory(const char *variable, const char *below) {
	const char *value = getenv(variable);
	if (value != nullptr && value[0] == '/')
		return text_copy(value);
	const char *home = getenv("HOME");
	if (home == nullptr || home[0] != '/') {
		const struct passwd *user = getpwuid(getuid());
		home = user != nullptr ? user->pw_dir : "/";
	}
	return text_format("%s/%s", home, below);
}

/* A folder of the installed layout: beside the executable, else where meson put it. */
static char *installed(const char *executable, const char *beside, const char *fallback) {
	const char *slash = strrchr(executable, '/');
	char *candidate = text_format("%.*s/../%s", (int)(slash - executable), executable, beside);
	char *real = realpath(candidate, nullptr);
	free(candidate);
	return real != nullptr ? real : text_copy(fallback);
}

static unsigned long number_from(const char *variable, unsigned long otherwise) {
	const char *value = getenv(variable);
	if (value == nullptr || value[0] == '\0')
		return otherwise;
	char *end;
	errno = 0;
	unsigned long number = strtoul(value, &end, 10);
	if (errno != 0 || *end != '\0' || number == 0 || value[0] == '-' || number > 1000000) {
		city_log(CITY_LOG_WARN, "forge",
			"%s=%s is not a number from 1 to 1000000; using %lu", variable, value,
			otherwise);
		return otherwise;
	}
	return number;
}

static void load_compiler(struct forge_setup *setup) {
	const char *value = getenv("SOURCE_CITY_CC");
	if (value == nullptr || value[strspn(value, " ")] == '\0')
		value = "cc";
	char *copy = text_copy(value);
	char *rest = copy;
	for (char *word; (word = strsep(&rest, " ")) != nullptr;) {
		if (word[0] != '\0')
			strings_add(&setup->compiler, word);
	}
	free(copy);
	/* A compiler that is missing now may be there at the first build. */
	char *found = setup_find_program(setup->compiler.items[0]);
	if (found == nullptr)
		return;
	free(setup->compiler.items[0]);
	setup->compiler.items[0] = found;
}

bool setup_load(struct forge_setup *setup) {
	*setup = (struct forge_setup){};
	setup->executable = realpath("/proc/self/exe", nullptr);
	if (setup->executable == nullptr) {
		city_log(
			CITY_LOG_ERROR, "forge", "cannot read /proc/self/exe: %s", strerror(errno));
		return false;
	}
	load_compiler(setup);

	const char *headers = getenv("SOURCE_CITY_INCLUDEDIR");
	setup->include_dir = headers != nullptr && headers[0] == '/'
		? text_copy(headers)
		: installed(setup->executable, "include/source-city", CITY_INCLUDEDIR);
	const char *data = getenv("SOURCE_CITY_DATADIR");
	char *data_dir = data != nullptr && data[0] == '/'
		? text_copy(data)
		: installed(setup->executable, "share/source-city", CITY_DATADIR);
	setup->flags_file = text_format("%s/tile-flags", data_dir);
	free(data_dir);

	char *base = user_directory("XDG_DATA_HOME", ".local/share");
	setup->store_dir = text_format("%s/source-city/store", base);
	setup->city_dir = text_format("%s/source-city/city", base);
	setup->journal_dir = text_format("%s/source-city/refactors", base);
	free(base);
	base = user_directory("XDG_CONFIG_HOME", ".config");
	setup->config_file = text_format("%s/source-city/config", base);
	free(base);
	base = user_directory("XDG_CACHE_HOME", ".cache");
	setup->object_dir = text_format("%s/source-city/objects", base);
	setup->work_dir = text_format("%s/source-city/build", base);
	free(base);

	cpu_set_t processors;
	setup->jobs = sched_getaffinity(0, sizeof(processors), &processors) == 0
		? (unsigned int)CPU_COUNT(&processors)
		: 1;
	setup->time_limit_ns = number_from("SOURCE_CITY_BUILD_SECONDS", 300) * 1000000000u;
	setup->memory_limit = number_from("SOURCE_CITY_BUILD_MEGABYTES", 2048) << 20;
	const char *sandbox = getenv("SOURCE_CITY_SANDBOX");
	setup->sandbox = sandbox == nullptr || strcmp(sandbox, "off") != 0;

	const char *const folders[] = {setup->store_dir, setup->object_dir, setup->work_dir};
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		int error = directory_make(folders[i]);
		if (error != 0) {
			city_log(CITY_LOG_ERROR, "forge", "cannot make the folder %s: %s",
				folders[i], strerror(error));
			setup_finish(setup);
			return false;
		}
	}
	return true;
}

void setup_finish(struct forge_setup *setup) {
	free(setup->executable);
	strings_finish(&setup->compiler);
	free(setup->include_dir);
	free(setup->flags_file);
	free(setup->store_dir);
	free(setup->city_dir);
	free(setup->journal_dir);
	free(setup->config_file);
	free(setup->object_dir);
	free(setup->work_dir);
	*setup = (struct forge_setup){};
}

/* Which of the two steps a flag is for. Most are for both: -O2, -fPIC, -g, -m... matter in each. */
static bool for_compile(const char *flag) {
	return strncmp(flag, "-l", 2) != 0 && strncmp(flag, "-L", 2) != 0 &&
		strncmp(flag, "-Wl,", 4) != 0 && strcmp(flag, "-shared") != 0 &&
		strcmp(flag, "-nostartfiles") != 0 && strcmp(flag, "-nostdlib") != 0;
}

static bool for_link(const char *flag) {
	return strncmp(flag, "-I", 2) != 0 && strncmp(flag, "-D", 2) != 0 &&
		strncmp(flag, "-std=", 5) != 0;
}

static void sort_flag(const char *flag, struct strings *compile, struct strings *link) {
	if (for_compile(flag))
		strings_add(compile, flag);
	if (for_link(flag))
		strings_add(link, flag);
}

bool setup_flags(const struct forge_setup *setup, struct strings *compile, struct strings *link,
	char **why) {
	struct buffer content = {};
	int error = file_read(-1, setup->flags_file, FLAGS_FILE_MAX, &content);
	if (error != 0 && error != ENOENT) {
		*why = text_format("%s: %s", setup->flags_file, strerror(error));
		buffer_finish(&content);
		return false;
	}
	if (error == ENOENT) {
		for (size_t i = 0; i < sizeof(default_flags) / sizeof(default_flags[0]); i++)
			sort_flag(default_flags[i], compile, link);
	}
	char *rest = content.data;
	for (char *line; (line = strsep(&rest, "\n")) != nullptr;) {
		line += strspn(line, " \t");
		size_t size = strlen(line);
		while (size > 0 && strchr(" \t\r", line[size - 1]) != nullptr)
			line[--size] = '\0';
		if (size > 0 && line[0] != '#')
			sort_flag(line, compile, link);
	}
	buffer_finish(&content);
	strings_take(compile, text_format("-I%s", setup->include_dir));
	return true;
}

struct digest setup_compiler_identity(const struct forge_setup *setup) {
	struct buffer identity = {};
	for (size_t i = 0; i < setup->compiler.count; i++) {
		const char *word = setup->compiler.items[i];
		buffer_add_string(&identity, word);
		char *program = i == 0 ? text_copy(word) : setup_find_program(word);
		char *real = program != nullptr ? realpath(program, nullptr) : nullptr;
		struct stat info;
		if (real != nullptr && stat(real, &info) == 0) {
			/* Not the inode: the same compiler in another copy of the system is the
			 * same. */
			buffer_printf(&identity, "%s %jd %jd.%ld", real, (intmax_t)info.st_size,
				(intmax_t)info.st_mtim.tv_sec, info.st_mtim.tv_nsec);
		}
		free(real);
		free(program);
	}
	struct digest digest = digest_of(identity.data, identity.size);
	buffer_finish(&identity);
	return digest;
}
