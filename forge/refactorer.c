/* SPDX-License-Identifier: MIT */
#include "forge/refactorer.h"

#include <stdlib.h>
#include <string.h>

#include "forge/diagnostic.h"
#include "forge/job.h"
#include "source-city-control-v1-client-protocol.h"
#include "vat/log.h"

struct refactorer {
	struct forge *forge;
	struct source_city_builder_v1 *builder;
	const struct refactorer_listener *listener;
	void *data;
	struct journal journal;

	struct refactor *current; /* planned or under way; NULL: none */
	bool begun;		  /* it is in the journal as such */
	bool waits;		  /* another forge began it */
	uint32_t job;
	enum refactor_what what; /* as asked for */
	char *note;		 /* to be kept with it; NULL: none */
	struct job *build;
	uint64_t began_ns;
};

static void sent(struct refactorer *refactorer) {
	refactorer->listener->sent(refactorer->data);
}

static void forget(struct refactorer *refactorer) {
	job_destroy(refactorer->build);
	refactorer->build = nullptr;
	bool planned = refactorer->current != nullptr && !refactorer->begun &&
		(refactorer->what != REFACTOR_UNDO && refactorer->what != REFACTOR_REDO);
	if (planned)
		refactor_destroy(refactorer->current);
	refactorer->current = nullptr;
	refactorer->begun = false;
	free(refactorer->note);
	refactorer->note = nullptr;
}

/* Takes the text. */
static void refuse(struct refactorer *refactorer, uint32_t job, char *why) {
	source_city_builder_v1_failed(refactorer->builder, job, why);
	city_log(CITY_LOG_INFO, "refactor", "not done: %s", why);
	free(why);
	sent(refactorer);
}

/* What was begun is as it was before. Takes the text. */
static void fail(struct refactorer *refactorer, char *why) {
	char *more = nullptr;
	bool entered = journal_unfinished(&refactorer->journal) == refactorer->current;
	bool again = refactorer->what == REFACTOR_UNDO || refactorer->what == REFACTOR_REDO;
	if (entered && !refactor_take_back(&refactorer->journal, refactorer->current, &more)) {
		char *both = text_format("%s; and it could not be taken back: %s", why, more);
		city_log(CITY_LOG_ERROR, "refactor", "%s", both);
		free(why);
		why = both;
	} else if (!entered && !again) {
		refactor_destroy(refactorer->current);
	}
	free(more);
	refactorer->begun = true; /* it is not ours any more */
	forget(refactorer);
	refuse(refactorer, refactorer->job, why);
}

/* ---- plans */

void refactorer_order(
	struct refactorer *refactorer, uint32_t job, const struct refactor_order *order) {
	char *why = nullptr;
	if (refactorer->current != nullptr) {
		refuse(refactorer, job, text_copy("another refactor is under way"));
		return;
	}
	const struct refactor *cut = journal_unfinished(&refactorer->journal);
	if (cut != nullptr) {
		refuse(refactorer, job,
			text_format("the one of number %u could not be taken back; mend what the "
				    "log says and start the city again",
				cut->number));
		return;
	}
	bool again = order->what == REFACTOR_UNDO || order->what == REFACTOR_REDO;
	struct refactor *refactor = nullptr;
	if (again) {
		refactor = journal_next(&refactorer->journal, order->what, &why);
		if (refactor != nullptr && !refactor_plan_again(refactor, order->what, &why))
			refactor = nullptr;
	} else if (order->what <= REFACTOR_FORK) {
		refactor = refactor_plan(&refactorer->journal, order, &why);
	} else {
		why = text_copy("the forge is older than the compositor and knows no such thing");
	}
	if (refactor == nullptr) {
		refuse(refactorer, job, why);
		return;
	}
	refactorer->current = refactor;
	refactorer->begun = false;
	refactorer->job = job;
	refactorer->what = order->what;
	if (again && refactor->note[0] != '\0')
		source_city_builder_v1_recall(refactorer->builder, job, refactor->note);
	char *text = refactor_describe(refactor, order->what);
	source_city_builder_v1_plan(refactorer->builder, job, refactor->number, refactor->what,
		refactor->tile, refactor->uuid, refactor->from, refactor->to, refactor->name,
		refactor->what == REFACTOR_REPLACE ? "" : refactor->top, text);
	free(text);
	sent(refactorer);
}

void refactorer_cancel(struct refactorer *refactorer, uint32_t job) {
	if (refactorer->current != nullptr && !refactorer->begun && refactorer->job == job)
		forget(refactorer);
}

/* ---- doing it */

static void prepared(struct refactorer *refactorer, const char *hash) {
	struct refactor *refactor = refactorer->current;
	char *why = nullptr;
	if (!refactor_commit(&refactorer->journal, refactor, &why)) {
		fail(refactorer, why);
		return;
	}
	uint64_t took = now_ns() - refactorer->began_ns;
	source_city_builder_v1_prepared(refactorer->builder, refactorer->job, refactor->number,
		hash, (uint32_t)(took >> 32), (uint32_t)took);
	sent(refactorer);
}

static void handle_started(void *data, struct job *job) {
	struct refactorer *refactorer = data;
	source_city_builder_v1_started(refactorer->builder, refactorer->job);
	sent(refactorer);
}

static void handle_sources(void *data, struct job *job, const char *sources) {
	struct refactorer *refactorer = data;
	source_city_builder_v1_sources(refactorer->builder, refactorer->job, sources);
	sent(refactorer);
}

static void handle_done(void *data, struct job *job, struct build_result *result) {
	struct refactorer *refactorer = data;
	diagnostic_send(&result->output, refactorer->builder, refactorer->job,
		source_city_builder_v1_output);
	if (result->good) {
		char hash[DIGEST_TEXT];
		memcpy(hash, result->hash, sizeof(hash));
		prepared(refactorer, hash);
	} else {
		fail(refactorer, text_copy(result->reason));
	}
	/* It may be gone with what failed. */
	if (refactorer->build == job) {
		refactorer->build = nullptr;
		job_destroy(job);
	}
}

static const struct job_listener job_listener = {
	.started = handle_started,
	.sources = handle_sources,
	.done = handle_done,
};

void refactorer_remember(struct refactorer *refactorer, uint32_t job, const char *text) {
	if (refactorer->current == nullptr || refactorer->begun || refactorer->job != job)
		return;
	free(refactorer->note);
	refactorer->note = text_copy(text);
}

void refactorer_proceed(struct refactorer *refactorer, uint32_t job) {
	struct refactor *refactor = refactorer->current;
	char *why = nullptr;
	if (refactor == nullptr || refactorer->begun || refactorer->job != job)
		return;
	refactorer->began_ns = now_ns();
	if (!refactor_begin(&refactorer->journal, refactor, refactorer->what,
		    refactorer->note != nullptr ? refactorer->note : "", &why)) {
		fail(refactorer, why);
		return;
	}
	refactorer->begun = true;
	if (refactor_builds(refactor))
		refactorer->build = job_create(refactorer->forge, job, refactor->tile,
			refactor_folder(refactor), false, nullptr, &job_listener, refactorer);
	else if (refactor->what == REFACTOR_REPLACE)
		prepared(refactorer,
			refactor->state == REFACTOR_UNDOING ? refactor->hash : refactor->to_hash);
	else
		prepared(refactorer, "");
}

void refactorer_conclude(struct refactorer *refactorer, uint32_t number, bool keep) {
	struct refactor *refactor = refactorer->current;
	if (refactor == nullptr || !refactorer->begun || refactor->number != number)
		return;
	char *why = nullptr;
	if (keep) {
		refactor_keep(&refactorer->journal, refactor);
	} else if (!refactor_take_back(&refactorer->journal, refactor, &why)) {
		city_log(CITY_LOG_ERROR, "refactor",
			"number %u cannot be taken back: %s; mend it and start the city again",
			number, why);
	}
	forget(refactorer);
	source_city_builder_v1_concluded(refactorer->builder, number, why != nullptr ? why : "");
	free(why);
	sent(refactorer);
	if (refactorer->waits) {
		refactorer->waits = false;
		refactorer->listener->settled(refactorer->data);
	}
}

/* ---- life */

bool refactorer_waits(const struct refactorer *refactorer) {
	return refactorer != nullptr && refactorer->waits;
}

struct refactorer *refactorer_create(struct forge *forge, struct source_city_builder_v1 *builder,
	const struct refactorer_listener *listener, void *data) {
	struct refactorer *refactorer = allocate(1, sizeof(*refactorer));
	refactorer->forge = forge;
	refactorer->builder = builder;
	refactorer->listener = listener;
	refactorer->data = data;
	journal_open(&refactorer->journal, &forge->setup);
	struct refactor *cut = journal_unfinished(&refactorer->journal);
	if (cut == nullptr)
		return refactorer;
	char *why = nullptr;
	if (source_city_builder_v1_get_version(builder) <
		SOURCE_CITY_BUILDER_V1_UNFINISHED_SINCE_VERSION) {
		/* A city that knows of no refactors runs none. */
		if (!refactor_take_back(&refactorer->journal, cut, &why))
			city_log(CITY_LOG_ERROR, "refactor", "cannot be taken back: %s", why);
		free(why);
		return refactorer;
	}
	refactorer->current = cut;
	refactorer->begun = refactorer->waits = true;
	source_city_builder_v1_unfinished(builder, cut->number, cut->what,
		cut->state == REFACTOR_UNDOING, cut->uuid, cut->from, cut->to, cut->name);
	return refactorer;
}

void refactorer_destroy(struct refactorer *refactorer) {
	if (refactorer == nullptr)
		return;
	forget(refactorer);
	journal_close(&refactorer->journal);
	free(refactorer);
}
