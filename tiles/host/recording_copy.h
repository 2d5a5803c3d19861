/* SPDX-License-Identifier: MIT */
/* The one thing about recordings that does not take the tile ABI to be known: see recording.h. */
#ifndef SOURCE_CITY_RECORDING_COPY_H
#define SOURCE_CITY_RECORDING_COPY_H

#include "vat.h"

/* Takes what is in the memory of a live recording and writes it as a file, from the descriptor's
 * offset on. 0, or a negative errno with one line in err. */
int recording_copy(int memory, int file, struct vat_error *err);

#endif
