/* SPDX-License-Identifier: MIT */
#include "compositor/effects/program.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vat/log.h"

#define BUILT_IN "(built in)"
#define SOURCE_MAX (256 * 1024)

/* What every program finds before its own text; shaders/README.md documents it. */
static const char prelude[] =
	"#version 300 es\n"
	"precision highp float;\n"
	"precision highp int;\n"
	"precision highp sampler2D;\n"
	"uniform sampler2D u_from, u_to, city_from, city_to, city_before;\n"
	"uniform vec2 u_size, city_texel;\n"
	"uniform float u_progress, city_step, city_left;\n"
	"uniform uint u_seed;\n"
	"uniform vec4 u_random;\n"
	"out vec4 city_color;\n"
	"vec4 from(vec2 pos) { return texture(u_from, pos * city_texel); }\n"
	"vec4 to(vec2 pos) { return texture(u_to, pos * city_texel); }\n"
	/* llvmpipe does this for two thirds of the price of texelFetch(). */
	"vec4 from_pixel(vec2 pos) { return textureLod(city_from, pos * city_texel, 0.0); }\n"
	"vec4 to_pixel(vec2 pos) { return textureLod(city_to, pos * city_texel, 0.0); }\n"
	/* No sin(): an integer hash is the same everywhere, and faster. */
	"float hash(ivec2 cell) {\n"
	"	uint n = uint(cell.x) * 0x9e3779b1u + uint(cell.y) * 0x85ebca77u + u_seed;\n"
	"	n = (n ^ (n >> 15)) * 0x2c1b3c6du;\n"
	"	return float((n ^ (n >> 13)) & 0xffffffu) * (1.0 / 16777216.0);\n"
	"}\n"
	"float noise(float x, int row) {\n"
	"	float cell = floor(x), at = x - cell;\n"
	"	int i = int(cell);\n"
	"	return mix(hash(ivec2(i, row)), hash(ivec2(i + 1, row)), at * at * (3.0 - 2.0 * "
	"at));\n"
	"}\n"
	"float noise(vec2 pos) {\n"
	"	vec2 cell = floor(pos), at = pos - cell;\n"
	"	ivec2 i = ivec2(cell);\n"
	"	at = at * at * (3.0 - 2.0 * at);\n"
	"	return mix(mix(hash(i), hash(i + ivec2(1, 0)), at.x),\n"
	"		mix(hash(i + ivec2(0, 1)), hash(i + ivec2(1, 1)), at.x), at.y);\n"
	"}\n"
	/* Much like sin(2 pi x), for a tenth of its price. */
	"float wave(float x) {\n"
	"	float at = 2.0 * fract(x) - 1.0;\n"
	"	return 4.0 * at * (abs(at) - 1.0);\n"
	"}\n"
	"vec4 transition(vec2 pos);\n"
	"#line 1\n";

static const char plain_end[] = "\n"
				"void main() { city_color = transition(gl_FragCoord.xy); }\n";

/* Holds every program to the contract: no step larger than the bound since the frame before, and
 * never farther from B than the steps that are left can make good. */
static const char guarded_end[] =
	"\n"
	"void main() {\n"
	"	vec4 goal = to_pixel(gl_FragCoord.xy);\n"
	"	vec4 before = textureLod(city_before, gl_FragCoord.xy * city_texel, 0.0);\n"
	"	vec4 color = transition(gl_FragCoord.xy);\n"
	"	color = clamp(color, before - city_step, before + city_step);\n"
	"	city_color = clamp(color, goal - city_left, goal + city_left);\n"
	"}\n";

static const char crossfade[] =
	"vec4 transition(vec2 pos) {\n"
	"	return mix(from_pixel(pos), to_pixel(pos), smoothstep(0.0, 1.0, u_progress));\n"
	"}\n";

void fx_programs_init(struct fx_programs *programs, const char *path) {
	wl_list_init(&programs->list);
	programs->path = path;
}

void fx_programs_finish(struct fx_programs *programs) {
	struct fx_program *program, *tmp;
	wl_list_for_each_safe(program, tmp, &programs->list, link) {
		wl_list_remove(&program->link);
		free(program->good);
		free(program->path);
		free(program);
	}
}

static void variants_delete(struct fx_variant variants[2]) {
	for (int i = 0; i < 2; i++) {
		glDeleteProgram(variants[i].id);
		variants[i].id = 0;
	}
}

void fx_programs_forget(struct fx_programs *programs) {
	struct fx_program *program;
	wl_list_for_each(program, &programs->list, link) {
		variants_delete(program->variants);
	}
}

/* The line number and what follows, of "0:12(5): error: TEXT" or "0(12) : error C0000: TEXT", as
 * drivers write it. */
static const char *parse_complaint(const char *line, long *number) {
	char *at;
	strtol(line, &at, 10);
	if (at == line || (*at != ':' && *at != '(')) {
		return NULL;
	}
	bool column = *at == ':';
	line = at + 1;
	*number = strtol(line, &at, 10);
	if (at == line || *at != (column ? '(' : ')')) {
		return NULL;
	}
	at += strcspn(at, ")");
	return *at == ')' ? at + 1 : NULL;
}

/* Logs the compiler's first complaint as FILE:LINE: TEXT. */
static void log_compile_error(const char *path, char *text, const char *instead) {
	for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
		long number;
		const char *message = parse_complaint(line, &number);
		if (message == NULL) {
			continue;
		}
		while (*message == ':' || isspace((unsigned char)*message)) {
			message++;
		}
		if (strncmp(message, "warning", 7) == 0) {
			continue;
		}
		city_log(CITY_LOG_ERROR, FX_SUBJECT, "%s:%ld: %s; %s", path, number, message,
			instead);
		return;
	}
	city_log(CITY_LOG_ERROR, FX_SUBJECT, "%s does not compile; %s", path, instead);
}

static bool variant_compile(
	struct fx_variant *variant, const char *source, const char *end, char *log, size_t size) {
	const char *const parts[] = {prelude, source, end};
	GLuint id = fx_gl_link(parts, 3, log, size);
	if (id == 0) {
		return false;
	}
	*variant = (struct fx_variant){
		.id = id,
		.progress = glGetUniformLocation(id, "u_progress"),
		.size = glGetUniformLocation(id, "u_size"),
		.texel = glGetUniformLocation(id, "city_texel"),
		.seed = glGetUniformLocation(id, "u_seed"),
		.random = glGetUniformLocation(id, "u_random"),
		.step = glGetUniformLocation(id, "city_step"),
		.left = glGetUniformLocation(id, "city_left"),
	};
	glUseProgram(id);
	glUniform1i(glGetUniformLocation(id, "u_from"), FX_UNIT_FROM);
	glUniform1i(glGetUniformLocation(id, "u_to"), FX_UNIT_TO);
	glUniform1i(glGetUniformLocation(id, "city_from"), FX_UNIT_FROM_NEAREST);
	glUniform1i(glGetUniformLocation(id, "city_to"), FX_UNIT_TO_NEAREST);
	glUniform1i(glGetUniformLocation(id, "city_before"), FX_UNIT_BEFORE_NEAREST);
	return true;
}

static bool program_compile(
	struct fx_program *program, const char *source, char *log, size_t size) {
	struct fx_variant variants[2] = {0};
	if (!variant_compile(&variants[0], source, plain_end, log, size) ||
		!variant_compile(&variants[1], source, guarded_end, log, size)) {
		variants_delete(variants);
		return false;
	}
	variants_delete(program->variants);
	memcpy(program->variants, variants, sizeof(variants));
	program->warm = false;
	return true;
}

static bool program_is_compiled(const struct fx_program *program) {
	return program->variants[0].id != 0;
}

static struct fx_program *program_find(struct fx_programs *programs, const char *name) {
	struct fx_program *program;
	wl_list_for_each(program, &programs->list, link) {
		if (strcmp(program->name, name) == 0) {
			return program;
		}
	}
	program = calloc(1, sizeof(*program));
	if (program != NULL) {
		snprintf(program->name, sizeof(program->name), "%s", name);
		wl_list_insert(&programs->list, &program->link);
	}
	return program;
}

/* Opens NAME.frag in the first folder that has it. The path is for the caller to free. */
static int open_file(const char *folders, const char *name, char **path) {
	*path = NULL;
	if (strchr(name, '/') != NULL) {
		return -1;
	}
	for (const char *folder = folders; folder != NULL && *folder != '\0';) {
		size_t length = strcspn(folder, ":");
		if (length > 0 && asprintf(path, "%.*s/%s.frag", (int)length, folder, name) >= 0) {
			int fd = open(*path, O_RDONLY | O_CLOEXEC);
			if (fd >= 0) {
				return fd;
			}
			free(*path);
		}
		*path = NULL;
		folder += length + (folder[length] == ':');
	}
	return -1;
}

static char *read_source(int fd, const struct stat *st) {
	if (!S_ISREG(st->st_mode) || st->st_size > SOURCE_MAX) {
		errno = EFBIG;
		return NULL;
	}
	char *source = calloc(1, (size_t)st->st_size + 1);
	if (source == NULL) {
		return NULL;
	}
	for (off_t at = 0; at < st->st_size;) {
		ssize_t n = read(fd, source + at, (size_t)(st->st_size - at));
		if (n < 0 && errno != EINTR) {
			free(source);
			return NULL;
		}
		if (n == 0) {
			break;
		}
		at += n > 0 ? n : 0;
	}
	return source;
}

static bool is_same_file(
	const struct fx_program *program, const char *path, const struct stat *st) {
	return program->path != NULL && strcmp(program->path, path) == 0 &&
		program->device == st->st_dev && program->inode == st->st_ino &&
		program->length == st->st_size && program->modified.tv_sec == st->st_mtim.tv_sec &&
		program->modified.tv_nsec == st->st_mtim.tv_nsec;
}

/* Looks at the program's file, and compiles it if it is new or has changed. */
static void program_refresh(struct fx_programs *programs, struct fx_program *program) {
	const char *instead = program->good != NULL ? "using the last good version"
						    : "using the built-in crossfade";
	char *path;
	int fd = open_file(programs->path, program->name, &path);
	if (fd < 0) {
		if (program->path == NULL && program->good == NULL) {
			city_log(CITY_LOG_ERROR, FX_SUBJECT, "no file %s.frag in %s; %s",
				program->name, programs->path, instead);
			program->path = strdup("");
		}
		return;
	}
	struct stat st;
	if (fstat(fd, &st) != 0 || is_same_file(program, path, &st)) {
		goto out;
	}
	char *source = read_source(fd, &st);
	if (source == NULL) {
		city_log(CITY_LOG_ERROR, FX_SUBJECT, "cannot read %s: %s; %s", path,
			strerror(errno), instead);
		goto out;
	}
	free(program->path);
	program->path = path;
	path = NULL;
	program->device = st.st_dev;
	program->inode = st.st_ino;
	program->length = st.st_size;
	program->modified = st.st_mtim;

	char log[4096];
	if (program_compile(program, source, log, sizeof(log))) {
		if (program->good != NULL) {
			city_log(CITY_LOG_INFO, FX_SUBJECT,
				"%s was changed and is used from now on", program->path);
		}
		free(program->good);
		program->good = source;
	} else {
		log_compile_error(program->path, log, instead);
		free(source);
	}

out:
	free(path);
	close(fd);
}

struct fx_program *fx_programs_get(struct fx_programs *programs, const char *name) {
	struct fx_program *program = program_find(programs, name);
	if (program == NULL) {
		return NULL;
	}
	program_refresh(programs, program);
	return fx_programs_find(programs, name);
}

struct fx_program *fx_programs_find(struct fx_programs *programs, const char *name) {
	char log[4096];
	struct fx_program *program = program_find(programs, name);
	if (program == NULL) {
		return NULL;
	}
	if (!program_is_compiled(program) && program->good != NULL &&
		!program_compile(program, program->good, log, sizeof(log))) {
		log_compile_error(program->path, log, "using the built-in crossfade");
	}
	if (program_is_compiled(program)) {
		return program;
	}
	program = program_find(programs, BUILT_IN);
	if (program == NULL) {
		return NULL;
	}
	if (!program_is_compiled(program) &&
		!program_compile(program, crossfade, log, sizeof(log))) {
		log_compile_error(BUILT_IN, log, "no transitions");
		return NULL;
	}
	return program;
}
