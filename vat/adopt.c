/* SPDX-License-Identifier: MIT */
/* Fitting a region to the declarations of the version that attaches. */
#include <stdio.h>
#include <stdlib.h>

#include "build.h"
#include "internal.h"
#include "plan.h"

const char *vat_outcome_name(enum vat_outcome outcome) {
	static const char *const names[] = {
		"same", "migrated", "fresh", "cleared", "orphaned", "refused"};
	return (size_t)outcome < sizeof(names) / sizeof(names[0]) ? names[outcome] : "unknown";
}

struct adoption {
	struct vat_region *region;
	const struct vat_cell_decl *decls;
	size_t n;
	unsigned flags;
	struct vat_terms terms;
	struct vat_adopt_report *report;
	bool changes; /* a commit is needed */
	size_t refused;
};

static struct vat_change *next_change(struct adoption *adoption) {
	return &adoption->report->changes[adoption->report->count++];
}

bool vat_adopt_clears(const struct vat_cell_decl *decl, unsigned flags) {
	if (flags & VAT_ADOPT_RESET)
		return true;
	return decl->reset == VAT_RESET && !(flags & VAT_ADOPT_RESTART);
}

unsigned vat_adopt_change_flags(unsigned flags) {
	return (flags & VAT_ADOPT_LOSSY ? VAT_ALLOW_LOSSY : 0) |
		(flags & VAT_ADOPT_MERGE ? VAT_ALLOW_ANEW : 0);
}

/* What will happen to one cell; nothing is written. */
static int examine(
	struct adoption *adoption, const struct vat_cell_decl *decl, struct vat_error *err) {
	struct vat_region *region = adoption->region;
	struct vat_change *change = next_change(adoption);
	struct vat_cell to;
	struct vat_stored_field *fields = calloc(decl->field_count, sizeof(*fields));
	if (!fields)
		return vat_fail(err, ENOMEM, "cell '%s': out of memory", decl->name);
	vat_cell_from_decl(&region->info, decl, &to, fields);

	const struct vat_cell *from =
		vat_region_find(region, decl->name, decl->scope, decl->element);
	if (!from || vat_adopt_clears(decl, adoption->flags)) {
		vat_change_init(change, from ? VAT_CLEARED : VAT_FRESH, from, &to);
		change->bytes = to.count * to.stride;
		adoption->changes = true;
		free(fields);
		return 0;
	}
	struct vat_move move;
	int rc = vat_move_init(&move, region, from, &to, &adoption->terms, change, err);
	vat_move_finish(&move);
	if (rc == -EUCLEAN) {
		adoption->refused++;
		rc = 0;
	}
	if (change->outcome != VAT_SAME || !vat_cell_same_text(from, &to))
		adoption->changes = true;
	free(fields);
	return rc;
}

static bool is_declared(const struct adoption *adoption, const struct vat_cell *cell) {
	for (size_t i = 0; i < adoption->n; i++) {
		const struct vat_cell_decl *decl = &adoption->decls[i];
		if (decl->element == cell->element && strcmp(decl->name, cell->name) == 0 &&
			strcmp(decl->scope ? decl->scope : "", cell->scope) == 0)
			return true;
	}
	return false;
}

/* All that is refused, as far as there is room for it; one cell is explained already. */
static void say_refusals(const struct adoption *adoption, struct vat_error *err) {
	if (!err || adoption->refused < 2)
		return;
	size_t have = 0, share = (sizeof(err->text) - 20) / adoption->refused;
	for (size_t i = 0; i < adoption->report->count; i++) {
		const struct vat_change *change = &adoption->report->changes[i];
		if (change->outcome != VAT_REFUSED)
			continue;
		char label[VAT_LABEL_SIZE], lost[sizeof(err->text)];
		vat_cell_label(change->name, change->scope, change->element, label, sizeof(label));
		size_t room = strlen(label) + 40;
		if (share < room + 20 || have + share > sizeof(err->text)) {
			snprintf(err->text + have, sizeof(err->text) - have, "%s",
				have ? "; and more cells" : "many cells would lose state");
			return;
		}
		vat_losses_say(lost, share - room, change->losses, change->loss_count);
		have += (size_t)snprintf(err->text + have, sizeof(err->text) - have,
			"%scell '%s' would lose state: %s", have ? "; " : "", label, lost);
	}
}

static int examine_all(struct adoption *adoption, struct vat_error *err) {
	for (size_t i = 0; i < adoption->n; i++) {
		int rc = examine(adoption, &adoption->decls[i], err);
		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < adoption->region->directory.cell_count; i++) {
		const struct vat_cell *cell = &adoption->region->directory.cells[i];
		if (is_declared(adoption, cell))
			continue;
		vat_change_init(next_change(adoption), VAT_ORPHANED, cell, NULL);
		if (!(cell->flags & VAT_CELL_ORPHAN))
			adoption->changes = true;
	}
	say_refusals(adoption, err);
	return adoption->refused ? -EUCLEAN : 0;
}

/* What an edge refuses starts anew, if that is how it shall be. */
static int retype(struct adoption *adoption, struct vat_txn *txn, const struct vat_cell_decl *decl,
	struct vat_change *change, struct vat_error *err) {
	struct vat_error why;
	const struct vat_cell *cell =
		vat_region_find(adoption->region, decl->name, decl->scope, decl->element);
	const char *refusal = cell ? vat_build_refusal(adoption->terms.build, cell) : NULL;
	int rc = refusal ? vat_fail(&why, EUCLEAN, "%s", refusal)
			 : vat_txn_retype_by(txn, decl, &adoption->terms, &why);
	if (rc == -EUCLEAN && (adoption->flags & VAT_ADOPT_MERGE)) {
		rc = vat_txn_reset(txn, decl, err);
		change->outcome = VAT_CLEARED;
		change->elements = 0;
		change->lossy = true;
		snprintf(change->reason, sizeof(change->reason), "%.*s",
			(int)sizeof(change->reason) - 1, why.text);
		return rc;
	}
	if (rc < 0 && err)
		*err = why;
	return rc;
}

static int apply(struct adoption *adoption, struct vat_error *err) {
	struct vat_region *region = adoption->region;
	struct vat_txn *txn;
	int rc = vat_txn_begin(region, &txn, err);
	if (rc < 0)
		return rc;
	if (vat_txn_claim(txn, adoption->terms.build) < 0)
		rc = vat_fail(err, ENOMEM, "region '%s': out of memory", region->info.name);
	for (size_t i = 0; i < adoption->n && rc == 0; i++) {
		const struct vat_cell_decl *decl = &adoption->decls[i];
		switch (adoption->report->changes[i].outcome) {
		case VAT_FRESH:
			rc = vat_txn_add(txn, decl, err);
			break;
		case VAT_CLEARED:
			rc = vat_txn_reset(txn, decl, err);
			break;
		default:
			rc = retype(adoption, txn, decl, &adoption->report->changes[i], err);
			break;
		}
	}
	for (size_t i = 0; i < region->directory.cell_count && rc == 0; i++) {
		if (!is_declared(adoption, &region->directory.cells[i]))
			vat_txn_orphan(txn, &region->directory.cells[i]);
	}
	if (rc < 0) {
		vat_txn_abort(txn);
		return rc;
	}
	return vat_txn_commit(txn, adoption->flags & VAT_ADOPT_KEEP, err);
}

struct vat_cell_decl *vat_adopt_fit_counts(
	const struct vat_region *region, const struct vat_cell_decl *decls, size_t n) {
	struct vat_cell_decl *fitted = calloc(n + 1, sizeof(*fitted));
	if (!fitted)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		fitted[i] = decls[i];
		const struct vat_cell *cell =
			vat_region_find(region, decls[i].name, decls[i].scope, decls[i].element);
		if ((decls[i].flags & VAT_CELL_GROWS) && cell && cell->count > decls[i].count)
			fitted[i].count = cell->count;
	}
	return fitted;
}

int vat_region_adopt(struct vat_region *region, const struct vat_cell_decl *decls, size_t n,
	unsigned flags, struct vat_adopt_report *report, struct vat_error *err) {
	const struct vat_lineage lineage = {.cells = decls, .cell_count = n};
	return vat_region_adopt_by(region, &lineage, NULL, NULL, flags, report, err);
}

int vat_region_adopt_by(struct vat_region *region, const struct vat_lineage *lineage,
	const struct vat_lineage *older, struct vat_build *build, unsigned flags,
	struct vat_adopt_report *out, struct vat_error *err) {
	const struct vat_cell_decl *decls = lineage->cells;
	size_t n = lineage->cell_count;
	struct vat_adopt_report report = {0};
	if (out)
		*out = report;
	int rc = flags & VAT_ADOPT_DRY_RUN ? 0 : vat_region_check_writer(region, err);
	if (rc == 0)
		rc = vat_lineage_check(lineage, err);
	if (rc == 0 && older)
		rc = vat_lineage_check(older, err);
	if (rc == 0)
		rc = vat_region_refresh(region, err);
	if (rc < 0)
		return rc;

	/* What was built for another state is of no use. */
	if (build &&
		(flags & VAT_ADOPT_DRY_RUN || vat_build_generation(build) != region->generation))
		build = NULL;
	report.generation_before = report.generation_after = region->generation;
	report.changes = calloc(n + region->directory.cell_count + 1, sizeof(*report.changes));
	if (!report.changes)
		return vat_fail(err, ENOMEM, "region '%s': out of memory", region->info.name);
	struct vat_cell_decl *fitted = vat_adopt_fit_counts(region, decls, n);
	if (!fitted) {
		vat_adopt_report_finish(&report);
		return vat_fail(err, ENOMEM, "region '%s': out of memory", region->info.name);
	}
	struct adoption adoption = {
		.region = region,
		.decls = fitted,
		.n = n,
		.flags = flags,
		.terms =
			{
				.lineage = lineage,
				.older = older,
				.build = build,
				.flags = vat_adopt_change_flags(flags),
			},
		.report = &report,
	};
	rc = examine_all(&adoption, err);
	if (rc == 0 && build)
		rc = vat_build_catch_up(build, err);
	if (rc == 0 && adoption.changes && !(flags & VAT_ADOPT_DRY_RUN))
		rc = apply(&adoption, err);
	free(fitted);
	report.fits = rc == 0 && !adoption.changes;
	for (size_t i = 0; i < report.count; i++) {
		report.elements += report.changes[i].elements;
		report.bytes += report.changes[i].bytes;
	}
	report.generation_after = region->generation;
	if (out)
		*out = report;
	else
		vat_adopt_report_finish(&report);
	return rc;
}

void vat_adopt_report_finish(struct vat_adopt_report *report) {
	for (size_t i = 0; i < report->count; i++)
		vat_change_finish(&report->changes[i]);
	free(report->changes);
	*report = (struct vat_adopt_report){0};
}

void vat_adopt_report_say(const struct vat_adopt_report *report, char *text, size_t size) {
	size_t have = 0;
	text[0] = 0;
	for (size_t i = 0; i < report->count && have < size; i++) {
		const struct vat_change *change = &report->changes[i];
		if (!change->lossy || change->outcome == VAT_REFUSED)
			continue;
		char label[VAT_LABEL_SIZE], lost[sizeof(((struct vat_error *)0)->text)];
		vat_cell_label(change->name, change->scope, change->element, label, sizeof(label));
		if (change->loss_count > 0)
			vat_losses_say(lost, sizeof(lost), change->losses, change->loss_count);
		else
			snprintf(lost, sizeof(lost), "%s", change->reason);
		have += (size_t)snprintf(text + have, size - have, "%scell '%s'%s: %s",
			have ? "; " : "", label,
			change->outcome == VAT_CLEARED ? " starts anew" : "", lost);
	}
}
