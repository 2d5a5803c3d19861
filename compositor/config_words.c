/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compositor/config_internal.h"
#include "vat/log.h"

[[gnu::format(printf, 3, 4)]]
void config_complain(struct config_parser *parser, const struct scfg_directive *directive,
	const char *format, ...) {
	char text[640];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	city_log(CITY_LOG_ERROR, "config", "%s:%d: %s", parser->path, directive->lineno, text);
	parser->errors++;
}

void config_run_block(struct config_parser *parser, const struct scfg_block *block,
	const struct config_rule *rules, size_t rule_count, void *target) {
	for (size_t i = 0; i < block->directives_len; i++) {
		const struct scfg_directive *directive = &block->directives[i];
		const struct config_rule *rule = NULL;
		for (size_t j = 0; j < rule_count; j++) {
			if (strcmp(rules[j].name, directive->name) == 0) {
				rule = &rules[j];
			}
		}
		if (rule == NULL) {
			char allowed[400] = "";
			size_t used = 0;
			for (size_t j = 0; j < rule_count && used < sizeof(allowed); j++) {
				used += (size_t)snprintf(allowed + used, sizeof(allowed) - used,
					"%s%s", j == 0 ? "" : ", ", rules[j].name);
			}
			config_complain(parser, directive, "unknown directive \"%s\"; allowed: %s",
				directive->name, allowed);
			continue;
		}
		bool has_block = directive->children.directives_len > 0;
		if (directive->params_len < rule->min || directive->params_len > rule->max ||
			(has_block && !rule->block)) {
			config_complain(parser, directive,
				"\"%s\" is not written like that; allowed: %s", directive->name,
				rule->usage);
			continue;
		}
		rule->run(parser, directive, target);
	}
}
void config_set_string(char **string, const char *value) {
	char *copy = strdup(value);
	if (copy != NULL) {
		free(*string);
		*string = copy;
	}
}

/* Makes room for one more element in a heap array; returns it zeroed, NULL when out of memory. */
void *config_append(void *array_pointer, size_t *count, size_t size) {
	void **array = array_pointer;
	char *grown = reallocarray(*array, *count + 1, size);
	if (grown == NULL) {
		return NULL;
	}
	*array = grown;
	void *element = grown + *count * size;
	memset(element, 0, size);
	(*count)++;
	return element;
}

bool config_get_int(struct config_parser *parser, const struct scfg_directive *directive,
	const char *word, int min, int max, int *value) {
	char *end;
	errno = 0;
	long number = strtol(word, &end, 10);
	if (errno != 0 || end == word || *end != '\0' || number < min || number > max) {
		config_complain(parser, directive,
			"\"%s\" must be a whole number from %d to %d, not \"%s\"", directive->name,
			min, max, word);
		return false;
	}
	*value = (int)number;
	return true;
}

bool config_get_double(struct config_parser *parser, const struct scfg_directive *directive,
	const char *word, double min, double max, double *value) {
	char *end;
	double number = strtod(word, &end);
	if (end == word || *end != '\0' || !(number >= min && number <= max)) {
		config_complain(parser, directive,
			"\"%s\" must be a number from %g to %g, not \"%s\"", directive->name, min,
			max, word);
		return false;
	}
	*value = number;
	return true;
}

void config_get_switch(
	struct config_parser *parser, const struct scfg_directive *directive, bool *value) {
	const char *word = directive->params[0];
	if (strcmp(word, "on") == 0) {
		*value = true;
	} else if (strcmp(word, "off") == 0) {
		*value = false;
	} else {
		config_complain(parser, directive, "\"%s\" must be on or off, not \"%s\"",
			directive->name, word);
	}
}

/* WIDTHxHEIGHT at the beginning of a word; NULL, or what follows it. */
const char *config_parse_size(const char *word, int *width, int *height) {
	long values[2];
	for (int i = 0; i < 2; i++) {
		char *end;
		values[i] = strtol(word, &end, 10);
		if (end == word || values[i] < 1 || values[i] > 16384 || (i == 0 && *end != 'x')) {
			return NULL;
		}
		word = i == 0 ? end + 1 : end;
	}
	*width = (int)values[0];
	*height = (int)values[1];
	return word;
}

void config_get_size(struct config_parser *parser, const struct scfg_directive *directive,
	const char *word, int *width, int *height) {
	int w, h;
	const char *rest = config_parse_size(word, &w, &h);
	if (rest == NULL || *rest != '\0') {
		config_complain(parser, directive, "\"%s\" must be WIDTHxHEIGHT, not \"%s\"",
			directive->name, word);
		return;
	}
	*width = w;
	*height = h;
}

void config_get_color(
	struct config_parser *parser, const struct scfg_directive *directive, uint32_t *value) {
	const char *word = directive->params[0];
	if (word[0] != '#' || strlen(word) != 7 ||
		strspn(word + 1, "0123456789abcdefABCDEF") != 6) {
		config_complain(parser, directive,
			"\"%s\" must be a colour like \"#14171c\", not \"%s\"", directive->name,
			word);
		return;
	}
	*value = (uint32_t)strtoul(word + 1, NULL, 16) << 8 | 0xff;
}

void config_get_strategy(
	struct config_parser *p, const struct scfg_directive *d, enum city_strategy *strategy) {
	if (!city_strategy_parse(d->params[0], strategy) || *strategy == CITY_STRATEGY_RESET) {
		*strategy = CITY_STRATEGY_AUTO;
		config_complain(p, d,
			"\"%s\" is no way to hand over; allowed: auto, instant, crossfade, "
			"freeze-and-fade or melt",
			d->params[0]);
	}
}

/* The words from the given one on, joined by blanks. */
bool config_join(const struct scfg_directive *d, size_t from, char *line, size_t size) {
	size_t used = 0;
	line[0] = '\0';
	for (size_t i = from; i < d->params_len; i++) {
		used += (size_t)snprintf(
			line + used, size - used, "%s%s", i == from ? "" : " ", d->params[i]);
		if (used >= size) {
			return false;
		}
	}
	return true;
}
