/* SPDX-License-Identifier: MIT */
/* The file that a survey keeps, see survey.h. Reading is for the survey's thread. */
#ifndef CITY_SURVEY_FILE_H
#define CITY_SURVEY_FILE_H

#include "compositor/survey.h"

struct city_survey_place {
	char *name;
	double cx, cy;
	bool hand;
};

struct city_survey_places {
	struct city_survey_place *list;
	size_t count;
};
void city_survey_places_finish(struct city_survey_places *places);

/* NULL if there is no file; or if it was set aside, after one line in the log that says why. home:
 * what the file must be about. */
struct city_layout *city_survey_file_read(
	const char *path, const char *home, struct city_survey_places *places);
/* The caller's; NULL when out of memory. */
char *city_survey_file_write(const struct city_layout *layout, const char *home,
	const struct city_quarter *quarters, size_t count, size_t *size);

#endif
