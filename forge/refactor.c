/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge/folder.h"
#include "forge/refactor_internal.h"
#include "vat/log.h"

/* ---- names */

static char *parent_of(const char *path) {
	const char *slash = strrchr(path, '/');
	return slash == path ? text_copy("/") : text_format("%.*s", (int)(slash - path), path);
}

static const char *name_of(const char *path) {
	return strrchr(path, '/') + 1;
}

static bool exists(const char *path) {
	struct stat info;
	return lstat(path, &info) == 0;
}

static void take_text(char **text, char *value) {
	free(*text);
	*text = value;
}

static bool name_valid(const char *name) {
	return name[0] != '\0' && name[0] != '.' && strlen(name) < 64 &&
		strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
		strlen(name);
}

/* Beside a folder, under a name that nothing looks at. */
static char *hidden(const char *path, const char *end) {
	char *parent = parent_of(path);
	char *beside = text_format(
		"%s/.%s.%s", strcmp(parent, "/") == 0 ? "" : parent, name_of(path), end);
	free(parent);
	return beside;
}

static char *hidden_of(const struct refactor *refactor, const char *path, const char *word) {
	char end[32];
	snprintf(end, sizeof(end), "%s-%u", word, refactor->number);
	return hidden(path, end);
}

static char *undone_path(const struct refactor *refactor) {
	return hidden_of(refactor, refactor->to, "undone");
}

/* ---- plans */

static bool check_source(const char *folder, char **why) {
	struct stat info;
	if (folder[0] != '/' || lstat(folder, &info) != 0) {
		*why = text_format("its source folder %s is not there: %s", folder,
			folder[0] != '/' ? "it has none" : strerror(errno));
		return false;
	}
	if (!S_ISDIR(info.st_mode)) {
		*why = text_format("%s: a link or a file; only a folder can be taken", folder);
		return false;
	}
	if (strchr(folder, '\n') != nullptr) {
		*why = text_copy("its source folder has a line break in its path; rename it first");
		return false;
	}
	return true;
}

/* The folder that a folder is to be made in; it may be missing itself if `may_make`. */
static bool check_place(struct refactor *refactor, bool may_make, char **why) {
	char *parent = parent_of(refactor->to);
	bool good = false;
	struct stat info;
	if (exists(refactor->to)) {
		*why = text_format("%s exists already; rename one of the two", refactor->to);
	} else if (may_make && !exists(parent)) {
		char *above = parent_of(parent);
		good = access(above, W_OK) == 0;
		if (!good)
			*why = text_format(
				"%s cannot be made: %s: %s", parent, above, strerror(errno));
		else
			take_text(&refactor->made, text_copy(parent));
		free(above);
	} else if (stat(parent, &info) != 0 || !S_ISDIR(info.st_mode)) {
		*why = text_format("%s: no such folder", parent);
	} else if (access(parent, W_OK | X_OK) != 0) {
		*why = text_format("%s cannot be written: %s", parent, strerror(errno));
	} else {
		good = true;
	}
	free(parent);
	return good;
}

/* A folder is moved by its name alone, at once and whole; a copy would miss what an editor saves
 * while it is made. */
static bool elsewhere(const struct refactor *refactor, char **why) {
	*why = text_format("%s is on another file system than %s; copy it there with cp -a, then: "
			   "cityctl swap %s=%s",
		refactor->to, refactor->from, refactor->tile, refactor->to);
	return false;
}

static bool check_file_system(const struct refactor *refactor, char **why) {
	struct stat from, to;
	char *parent = parent_of(*refactor->made != '\0' ? refactor->made : refactor->to);
	bool differ = stat(refactor->from, &from) == 0 && stat(parent, &to) == 0 &&
		from.st_dev != to.st_dev;
	free(parent);
	return !differ || elsewhere(refactor, why);
}

/* Both folders are in the same repository, or none is in one. */
static bool check_git(struct refactor *refactor, char **why) {
	char *place = parent_of(refactor->to);
	char *top = git_top(refactor->from), *other = git_top(place);
	free(place);
	bool good = true;
	if (top != nullptr && strcmp(top, refactor->from) == 0) {
		/* A repository of its own goes where its folder goes. */
		free(top);
		top = nullptr;
	} else if (top != nullptr && (other == nullptr || strcmp(top, other) != 0)) {
		*why = text_format("%s is in the git repository %s, and %s is not; git cannot "
				   "move it there",
			refactor->from, top, refactor->to);
		good = false;
	} else if (top != nullptr) {
		good = git_ready(top, why);
	}
	take_text(&refactor->top, top != nullptr ? top : text_copy(""));
	free(other);
	return good;
}

static bool plan_move(struct journal *journal, struct refactor *refactor,
	const struct refactor_order *order, char **why) {
	const char *target = order->target;
	char *district;
	if (target[0] == '/') {
		char *real = realpath(target, nullptr);
		district = real != nullptr ? real : text_copy(target);
	} else if (name_valid(target)) {
		char *city = realpath(journal->city, nullptr);
		district = text_format("%s/%s", city != nullptr ? city : journal->city, target);
		free(city);
	} else {
		*why = text_format("\"%s\" is no name of a district: letters, digits, '.', '_' "
				   "and '-'; a folder elsewhere is given by its path",
			target);
		return false;
	}
	take_text(&refactor->to, text_format("%s/%s", district, name_of(refactor->from)));
	free(district);
	size_t size = strlen(refactor->from);
	if (strchr(refactor->to, '\n') != nullptr) {
		*why = text_copy("the district has a line break in its path; rename it first");
		return false;
	}
	if (strcmp(refactor->from, refactor->to) == 0) {
		*why = text_format("%s is there already", refactor->from);
		return false;
	}
	if (strncmp(refactor->to, refactor->from, size) == 0 && refactor->to[size] == '/') {
		*why = text_format("%s cannot move into itself", refactor->from);
		return false;
	}
	if (!check_place(refactor, true, why) || !check_file_system(refactor, why))
		return false;
	char *parent = parent_of(refactor->from);
	/* A folder that cannot be written cannot get another "..", nor its references be mended. */
	const char *locked = access(parent, W_OK | X_OK) != 0 ? parent
		: access(refactor->from, W_OK) != 0	      ? refactor->from
							      : nullptr;
	bool writable = locked == nullptr;
	if (!writable)
		*why = text_format("%s cannot be moved, as %s cannot be written: %s",
			refactor->from, locked, strerror(errno));
	struct stat here, above;
	if (writable && stat(refactor->from, &here) == 0 && stat(parent, &above) == 0 &&
		here.st_dev != above.st_dev) {
		*why = text_format("%s is where a file system is mounted; unmount it, or move what "
				   "is in it by hand",
			refactor->from);
		writable = false;
	}
	free(parent);
	if (!writable || !check_git(refactor, why))
		return false;
	reference_find(journal, refactor, order->folder);
	return true;
}

struct refactor *refactor_plan(
	struct journal *journal, const struct refactor_order *order, char **why) {
	struct refactor *refactor = refactor_create();
	refactor->what = order->what;
	take_text(&refactor->tile, text_copy(order->tile));
	take_text(&refactor->uuid, text_copy(order->uuid));
	take_text(&refactor->name, text_copy(order->name));
	take_text(&refactor->hash, text_copy(order->hash));
	take_text(&refactor->to_hash, text_copy(order->to_hash));
	bool good = check_source(order->folder, why);
	if (good) {
		char *real = realpath(order->folder, nullptr);
		take_text(&refactor->from, real != nullptr ? real : text_copy(order->folder));
	}
	if (good && order->what == REFACTOR_MOVE) {
		good = plan_move(journal, refactor, order, why);
	} else if (good && order->what == REFACTOR_FORK) {
		char *parent = parent_of(refactor->from);
		take_text(&refactor->to, text_format("%s/%s", parent, order->name));
		free(parent);
		good = name_valid(order->name) && check_place(refactor, false, why) &&
			check_git(refactor, why);
		if (!good && *why == nullptr)
			*why = text_format("\"%s\" cannot name a folder", order->name);
	} else if (good) {
		take_text(&refactor->to, text_copy(order->target));
		good = check_source(refactor->to, why);
	}
	if (good)
		return refactor;
	refactor_destroy(refactor);
	return nullptr;
}

bool refactor_plan_again(struct refactor *refactor, enum refactor_what what, char **why) {
	if (refactor->what == REFACTOR_REPLACE)
		return true;
	bool undo = what == REFACTOR_UNDO;
	char *undone = undone_path(refactor);
	const char *there = undo		  ? refactor->to
		: refactor->what == REFACTOR_FORK ? undone
						  : refactor->from;
	const char *free_place = !undo		  ? refactor->to
		: refactor->what == REFACTOR_FORK ? undone
						  : refactor->from;
	bool good = check_source(there, why);
	if (good && exists(free_place)) {
		*why = text_format("%s is in the way; move it away first", free_place);
		good = false;
	}
	char *parent = parent_of(free_place);
	if (good && exists(parent) && access(parent, W_OK | X_OK) != 0) {
		*why = text_format("%s cannot be written: %s", parent, strerror(errno));
		good = false;
	}
	free(parent);
	free(undone);
	return good && (refactor->top[0] == '\0' || git_ready(refactor->top, why));
}

char *refactor_describe(const struct refactor *refactor, enum refactor_what what) {
	const char *git = refactor->top[0] != '\0' && refactor->what != REFACTOR_REPLACE
		? ", as a commit in its git repository"
		: "";
	bool undo = what == REFACTOR_UNDO;
	const char *before = undo ? "undo: " : what == REFACTOR_REDO ? "redo: " : "";
	switch (refactor->what) {
	case REFACTOR_REPLACE:
		if (undo)
			return text_format("%s%s runs its own source again, %s, and no longer %s",
				before, refactor->tile, refactor->from, refactor->to);
		return text_format("%s%s runs the source of %s, %s, with its own state and streams",
			before, refactor->tile, refactor->name, refactor->to);
	case REFACTOR_FORK:
		if (undo)
			return text_format("%s%s is closed, the copy of %s, and its folder %s put "
					   "aside%s",
				before, refactor->name, refactor->tile, refactor->to, git);
		return text_format("%s%s becomes a copy of %s, from %s to %s, with a copy of its "
				   "state%s",
			before, refactor->name, refactor->tile, refactor->from, refactor->to, git);
	default:
		return text_format("%s%s moves from %s to %s%s, and is built and handed over",
			before, refactor->tile, undo ? refactor->to : refactor->from,
			undo ? refactor->from : refactor->to, git);
	}
}

/* ---- files */

static bool failed(char **why, const char *path, int error) {
	*why = text_format("%s: %s", path, strerror(error));
	return false;
}

static bool is_ours(const struct refactor *refactor, const char *path) {
	struct stat info;
	return lstat(path, &info) == 0 && (uint64_t)info.st_ino == refactor->inode;
}

static bool move_forward(struct refactor *refactor, char **why) {
	if (exists(refactor->from)) {
		refactor_stop();
		if (refactor->made[0] != '\0' && mkdir(refactor->made, 0755) != 0 &&
			errno != EEXIST)
			return failed(why, refactor->made, errno);
		int error = folder_rename(refactor->from, refactor->to);
		if (error != 0)
			return error == EXDEV ? elsewhere(refactor, why)
					      : failed(why, refactor->to, error);
	}
	return reference_apply(refactor, true, why);
}

static bool move_back(struct refactor *refactor, char **why) {
	if (refactor->state == REFACTOR_UNDOING && exists(refactor->from))
		return failed(why, refactor->from, EEXIST);
	if (exists(refactor->to) && !exists(refactor->from)) {
		if (!reference_apply(refactor, false, why))
			return false;
		char *parent = parent_of(refactor->from);
		refactor_stop();
		/* The district may have gone with its last tile. */
		mkdir(parent, 0755);
		free(parent);
		int error = folder_rename(refactor->to, refactor->from);
		if (error != 0)
			return failed(why, refactor->from, error);
	}
	refactor_stop();
	if (refactor->made[0] != '\0')
		rmdir(refactor->made); /* if it is empty */
	return true;
}

static bool fork_forward(struct journal *journal, struct refactor *refactor, char **why) {
	char *draft = hidden(refactor->to, "new"), *undone = undone_path(refactor);
	const char *from = refactor->state == REFACTOR_DOING ? draft : undone;
	int error = 0;
	struct stat info;
	if (refactor->state == REFACTOR_DOING) {
		directory_remove(draft);
		error = folder_copy(refactor->from, draft);
		if (error == 0 && lstat(draft, &info) == 0) {
			refactor->inode = (uint64_t)info.st_ino;
			error = journal_write(journal, refactor);
		}
	}
	if (error == 0 && !is_ours(refactor, refactor->to))
		error = folder_rename(from, refactor->to);
	if (error != 0)
		failed(why, refactor->to, error);
	free(draft);
	free(undone);
	return error == 0;
}

static bool fork_back(struct refactor *refactor, char **why) {
	char *draft = hidden(refactor->to, "new"), *undone = undone_path(refactor);
	int error = 0;
	refactor_stop();
	if (refactor->state == REFACTOR_DOING) {
		directory_remove(draft);
		if (refactor->inode != 0 && is_ours(refactor, refactor->to)) {
			/* Gone at once, or not at all. */
			error = folder_rename(refactor->to, draft);
			if (error == 0)
				directory_remove(draft);
		}
	} else if (is_ours(refactor, refactor->to)) {
		error = folder_rename(refactor->to, undone);
	}
	if (error != 0)
		failed(why, refactor->to, error);
	free(draft);
	free(undone);
	return error == 0;
}

static bool put_files(
	struct journal *journal, struct refactor *refactor, bool forward, char **why) {
	if (refactor->what == REFACTOR_MOVE)
		return forward ? move_forward(refactor, why) : move_back(refactor, why);
	if (refactor->what == REFACTOR_FORK)
		return forward ? fork_forward(journal, refactor, why) : fork_back(refactor, why);
	return true;
}

/* ---- git */

struct change {
	struct git_change git;
	struct git_edit *edits;
	struct strings paths;
	char *from, *to, *message, *index;
};

static char *within(const struct refactor *refactor, const char *path) {
	size_t size = strlen(refactor->top);
	return strncmp(path, refactor->top, size) == 0 && path[size] == '/'
		? text_copy(path + size + 1)
		: nullptr;
}

static void change_begin(struct change *change, const struct journal *journal,
	const struct refactor *refactor, bool forward, bool undo) {
	*change = (struct change){};
	bool fork = refactor->what == REFACTOR_FORK;
	change->from = within(refactor, refactor->from);
	change->to = within(refactor, refactor->to);
	const char *from = change->from != nullptr ? change->from : "";
	const char *to = change->to != nullptr ? change->to : "";
	change->message = fork ? text_format("%sFork %s as %s", undo ? "Undo: " : "", from, to)
			       : text_format("%sMove %s to %s", undo ? "Undo: " : "", from, to);
	change->index = text_format("%s/%06u.index", journal->folder, refactor->number);
	change->edits = allocate(refactor->edit_count + 1, sizeof(*change->edits));
	size_t count = 0;
	for (size_t i = 0; i < refactor->edit_count; i++) {
		const struct refactor_edit *edit = &refactor->edits[i];
		char *path = within(refactor, edit->path);
		size_t size = strlen(to);
		if (path == nullptr)
			continue;
		if (!forward && size > 0 && strncmp(path, to, size) == 0 && path[size] == '/') {
			char *before = text_format("%s%s", from, path + size);
			free(path);
			path = before;
		}
		strings_take(&change->paths, path);
		change->edits[count++] = (struct git_edit){.path = path,
			.old = forward ? edit->old : edit->new,
			.new = forward ? edit->new : edit->old};
	}
	change->git = (struct git_change){
		.top = refactor->top,
		.from = forward ? from
			: fork	? ""
				: to,
		.to = forward  ? to
			: fork ? to
			       : from,
		.keep = forward && fork,
		.edits = change->edits,
		.edit_count = count,
		.message = change->message,
		.index = change->index,
	};
}

static void change_end(struct change *change) {
	free(change->edits);
	strings_finish(&change->paths);
	free(change->from);
	free(change->to);
	free(change->message);
	free(change->index);
}

static bool goes_forward(const struct refactor *refactor) {
	return refactor->state != REFACTOR_UNDOING;
}

static bool has_git(const struct refactor *refactor) {
	return refactor->top[0] != '\0' && refactor->what != REFACTOR_REPLACE;
}

/* ---- what the forge does */

bool refactor_begin(struct journal *journal, struct refactor *refactor, enum refactor_what what,
	const char *note, char **why) {
	refactor->head[0] = refactor->commit[0] = '\0';
	if (refactor->what == REFACTOR_MOVE)
		refactor->inode = 0; /* nothing is copied yet */
	take_text(&refactor->next_note, text_copy(strchr(note, '\n') == nullptr ? note : ""));
	int error;
	if (what == REFACTOR_UNDO || what == REFACTOR_REDO) {
		enum refactor_state before = refactor->state;
		refactor->state = what == REFACTOR_UNDO ? REFACTOR_UNDOING : REFACTOR_REDOING;
		error = journal_write(journal, refactor);
		if (error != 0)
			refactor->state = before;
	} else {
		refactor->state = REFACTOR_DOING;
		error = journal_add(journal, refactor);
	}
	if (error != 0)
		return failed(why, journal->folder, error);
	return put_files(journal, refactor, goes_forward(refactor), why);
}

const char *refactor_folder(const struct refactor *refactor) {
	return goes_forward(refactor) ? refactor->to : refactor->from;
}

bool refactor_builds(const struct refactor *refactor) {
	return refactor->what == REFACTOR_MOVE ||
		(refactor->what == REFACTOR_FORK && goes_forward(refactor));
}

bool refactor_commit(struct journal *journal, struct refactor *refactor, char **why) {
	if (!has_git(refactor))
		return true;
	struct change change;
	change_begin(&change, journal, refactor, goes_forward(refactor),
		refactor->state == REFACTOR_UNDOING);
	refactor_stop();
	bool good = git_prepare(&change.git, refactor->head, refactor->commit, why);
	if (good) {
		int error = journal_write(journal, refactor);
		good = error == 0 || failed(why, journal->folder, error);
	}
	refactor_stop();
	good = good && git_apply(&change.git, refactor->head, refactor->commit, why);
	change_end(&change);
	return good;
}

void refactor_keep(struct journal *journal, struct refactor *refactor) {
	bool new = refactor->state == REFACTOR_DOING;
	refactor->state = goes_forward(refactor) ? REFACTOR_DONE : REFACTOR_UNDONE;
	take_text(&refactor->note, refactor->next_note);
	refactor->next_note = text_copy("");
	refactor->head[0] = refactor->commit[0] = '\0';
	int error = journal_write(journal, refactor);
	if (error != 0)
		/* Taken for unfinished by the next forge, which asks the city again. */
		city_log(CITY_LOG_ERROR, "forge", "%s: %s", journal->folder, strerror(error));
	if (new)
		journal_forget_undone(journal);
}

bool refactor_take_back(struct journal *journal, struct refactor *refactor, char **why) {
	bool forward = goes_forward(refactor), good = true;
	if (has_git(refactor)) {
		struct change change;
		change_begin(&change, journal, refactor, !forward, forward);
		refactor_stop();
		good = git_withdraw(&change.git, refactor->head, refactor->commit, why);
		change_end(&change);
	}
	good = good && put_files(journal, refactor, !forward, why);
	if (!good)
		return false;
	if (refactor->state == REFACTOR_DOING) {
		journal_remove(journal, refactor);
		return true;
	}
	refactor->state = forward ? REFACTOR_UNDONE : REFACTOR_DONE;
	take_text(&refactor->next_note, text_copy(""));
	refactor->head[0] = refactor->commit[0] = '\0';
	int error = journal_write(journal, refactor);
	return error == 0 || failed(why, journal->folder, error);
}
