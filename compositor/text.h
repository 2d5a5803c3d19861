/* SPDX-License-Identifier: MIT */
/* Text from elsewhere (tiles, windows, paths) made fit for logs, wires and JSON. Any thread. */
#ifndef CITY_TEXT_H
#define CITY_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* As one line of valid UTF-8: control characters become spaces, what is no character U+FFFD. What
 * does not fit is cut off between two characters. */
void city_text_copy(char *to, size_t size, const char *from);

/* In double quotes, as a word of an scfg file. Lines must not end in it. */
void city_text_quote(FILE *file, const char *text);

#endif
