/* SPDX-License-Identifier: MIT */
/* What the files that read the config (config.c and config_*.c) share; nobody else's. */
#ifndef CITY_CONFIG_INTERNAL_H
#define CITY_CONFIG_INTERNAL_H

#include <scfg.h>

#include "compositor/config.h"

struct config_parser {
	struct city_config *config;
	const char *path;
	int errors;
};

/* One directive that may stand in a block; `run` gets it with its number of words checked. */
struct config_rule {
	const char *name;
	const char *usage;
	size_t min, max; /* words after the name */
	bool block;	 /* has children */
	void (*run)(
		struct config_parser *parser, const struct scfg_directive *directive, void *target);
};

/* config_words.c */

/* Logs an error of this directive, with its line, and counts it. */
[[gnu::format(printf, 3, 4)]]
void config_complain(struct config_parser *parser, const struct scfg_directive *directive,
	const char *format, ...);
void config_run_block(struct config_parser *parser, const struct scfg_block *block,
	const struct config_rule *rules, size_t rule_count, void *target);
#define RUN_BLOCK(parser, block, rules, target)                                                    \
	config_run_block((parser), (block), (rules), sizeof(rules) / sizeof((rules)[0]), (target))

/* A copy in place of what was there; without memory that stays. */
void config_set_string(char **string, const char *value);
/* Makes room for one more element in a heap array; returns it zeroed, NULL when out of memory. */
void *config_append(void *array_pointer, size_t *count, size_t size);

/* Each complains and leaves the value alone when the word is not what it must be. */
bool config_get_int(struct config_parser *parser, const struct scfg_directive *directive,
	const char *word, int min, int max, int *value);
bool config_get_double(struct config_parser *parser, const struct scfg_directive *directive,
	const char *word, double min, double max, double *value);
void config_get_switch(
	struct config_parser *parser, const struct scfg_directive *directive, bool *value);
void config_get_size(struct config_parser *parser, const struct scfg_directive *directive,
	const char *word, int *width, int *height);
void config_get_color(
	struct config_parser *parser, const struct scfg_directive *directive, uint32_t *value);
void config_get_strategy(
	struct config_parser *p, const struct scfg_directive *d, enum city_strategy *strategy);
/* WIDTHxHEIGHT at the beginning of a word; NULL, or what follows it. */
const char *config_parse_size(const char *word, int *width, int *height);
/* The words from the given one on, joined by blanks; false: they are too many. */
bool config_join(const struct scfg_directive *d, size_t from, char *line, size_t size);

/* The blocks, each in the file of its name; `target` is not used. */
void config_keyboard(struct config_parser *p, const struct scfg_directive *d, void *target);
void config_pointer(struct config_parser *p, const struct scfg_directive *d, void *target);
void config_output(struct config_parser *p, const struct scfg_directive *d, void *target);
void config_headless(struct config_parser *p, const struct scfg_directive *d, void *target);
void config_tile(struct config_parser *p, const struct scfg_directive *d, void *target);
void config_bind(struct config_parser *p, const struct scfg_directive *d, void *target);

/* The bindings that there are without any config. */
void config_default_binds(struct city_config *config);

#endif
