/* SPDX-License-Identifier: MIT */
#include "compositor/witness.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "compositor/handover_internal.h"
#include "witness_wire.h"

int city_witness_open(void) {
	char *text = NULL;
	size_t size = 0;
	FILE *file = open_memstream(&text, &size);
	if (!file) {
		return -1;
	}
	fprintf(file, "{\"compositor\":%d,\"steps\":[", getpid());
	for (int i = 0; i < CITY_STEP_COUNT; i++) {
		const struct city_step_info *step = &city_steps[i];
		fprintf(file, "%s{\"name\":\"%s\",\"replaceable\":%s,\"shown\":%s,\"needs_b\":%s}",
			i > 0 ? "," : "", step->name, step->replaceable ? "true" : "false",
			step->shown ? "true" : "false", step->needs_b ? "true" : "false");
	}
	fputs("]}", file);
	int witness = fclose(file) == 0 ? city_witness_connect(text) : -1;
	free(text);
	return witness;
}

void city_witness_close(int witness) {
	if (witness >= 0) {
		close(witness);
	}
}

void city_witness_tell(int *witness, const struct city_handover *handover) {
	if (*witness < 0) {
		return;
	}
	const struct city_tile *tile = handover->tile;
	const struct city_tile_version *a = handover->a ? handover->a : tile->live;
	char text[512];
	snprintf(text, sizeof(text),
		"{\"tile\":\"%s\",\"id\":%llu,\"step\":\"%s\",\"start\":%s,\"a\":%d,\"b\":%d}",
		tile->name, (unsigned long long)handover->record.id,
		city_steps[handover->step].name, handover->start ? "true" : "false",
		a && a != handover->b ? (int)a->pid : 0, handover->b ? (int)handover->b->pid : 0);
	city_witness_say(witness, text);
}
