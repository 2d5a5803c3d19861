/* SPDX-License-Identifier: MIT */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge/refactor_internal.h"
#include "vat/log.h"

#define ENTRIES_MAX 200
#define ENTRY_SIZE_MAX (1u << 20)

static const char *const what_names[] = {"move", "replace", "fork"};
static const char *const state_names[] = {"doing", "done", "undoing", "undone", "redoing"};

void (*refactor_step)(void);

void refactor_stop(void) {
	if (refactor_step != nullptr)
		refactor_step();
}

void refactor_destroy(struct refactor *refactor) {
	if (refactor == nullptr)
		return;
	for (size_t i = 0; i < refactor->edit_count; i++) {
		free(refactor->edits[i].path);
		free(refactor->edits[i].old);
		free(refactor->edits[i].new);
	}
	free(refactor->edits);
	char *const texts[] = {refactor->tile, refactor->uuid, refactor->from, refactor->to,
		refactor->name, refactor->hash, refactor->to_hash, refactor->made, refactor->top,
		refactor->note, refactor->next_note};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	free(refactor);
}

struct refactor *refactor_create(void) {
	struct refactor *refactor = allocate(1, sizeof(*refactor));
	char **const texts[] = {&refactor->tile, &refactor->uuid, &refactor->from, &refactor->to,
		&refactor->name, &refactor->hash, &refactor->to_hash, &refactor->made,
		&refactor->top, &refactor->note, &refactor->next_note};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		*texts[i] = text_copy("");
	return refactor;
}

void refactor_add_edit(
	struct refactor *refactor, const char *path, const char *old, const char *new) {
	for (size_t i = 0; i < refactor->edit_count; i++) {
		if (strcmp(refactor->edits[i].path, path) == 0 &&
			strcmp(refactor->edits[i].old, old) == 0)
			return;
	}
	struct refactor_edit *edits = allocate(refactor->edit_count + 1, sizeof(*edits));
	if (refactor->edit_count > 0)
		memcpy(edits, refactor->edits, refactor->edit_count * sizeof(*edits));
	free(refactor->edits);
	refactor->edits = edits;
	edits[refactor->edit_count++] = (struct refactor_edit){
		.path = text_copy(path), .old = text_copy(old), .new = text_copy(new)};
}

/* ---- one entry as a file: lines of a word, a space and a value */

static char *entry_path(const struct journal *journal, uint32_t number) {
	return text_format("%s/%06u", journal->folder, number);
}

static struct text_member {
	const char *word;
	size_t offset;
} const members[] = {
	{"tile", offsetof(struct refactor, tile)},
	{"uuid", offsetof(struct refactor, uuid)},
	{"from", offsetof(struct refactor, from)},
	{"to", offsetof(struct refactor, to)},
	{"name", offsetof(struct refactor, name)},
	{"hash", offsetof(struct refactor, hash)},
	{"to-hash", offsetof(struct refactor, to_hash)},
	{"made", offsetof(struct refactor, made)},
	{"top", offsetof(struct refactor, top)},
	{"note", offsetof(struct refactor, note)},
	{"next-note", offsetof(struct refactor, next_note)},
};
#define MEMBERS (sizeof(members) / sizeof(members[0]))

static char **member_of(struct refactor *refactor, const struct text_member *member) {
	return (char **)((char *)refactor + member->offset);
}

int journal_write(struct journal *journal, struct refactor *refactor) {
	struct buffer text = {};
	buffer_printf(&text, "what %s\nstate %s\n", what_names[refactor->what],
		state_names[refactor->state]);
	for (size_t i = 0; i < MEMBERS; i++)
		buffer_printf(&text, "%s %s\n", members[i].word, *member_of(refactor, &members[i]));
	buffer_printf(&text, "inode %ju\nhead %s\ncommit %s\n", (uintmax_t)refactor->inode,
		refactor->head, refactor->commit);
	for (size_t i = 0; i < refactor->edit_count; i++) {
		const struct refactor_edit *edit = &refactor->edits[i];
		buffer_printf(&text, "edit %s\nold %s\nnew %s\n", edit->path, edit->old, edit->new);
	}
	buffer_printf(&text, "end \n");
	char *path = entry_path(journal, refactor->number);
	char *draft = text_format("%s.new", path);
	refactor_stop();
	int error = 0;
	int fd = open(draft, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
	if (fd < 0)
		error = errno;
	for (size_t done = 0; error == 0 && done < text.size;) {
		ssize_t size = write(fd, text.data + done, text.size - done);
		if (size < 0 && errno != EINTR)
			error = errno;
		done += size > 0 ? (size_t)size : 0;
	}
	if (error == 0 && fsync(fd) != 0)
		error = errno;
	if (fd >= 0)
		close(fd);
	if (error == 0 && rename(draft, path) != 0)
		error = errno;
	if (error != 0)
		unlink(draft);
	int folder = open(journal->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder >= 0) {
		fsync(folder);
		close(folder);
	}
	free(draft);
	free(path);
	buffer_finish(&text);
	return error;
}

static int find_name(const char *const *names, size_t count, const char *name) {
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return (int)i;
	}
	return -1;
}

static bool read_line(struct refactor *refactor, const char *word, const char *value) {
	for (size_t i = 0; i < MEMBERS; i++) {
		if (strcmp(members[i].word, word) == 0) {
			char **member = member_of(refactor, &members[i]);
			free(*member);
			*member = text_copy(value);
			return true;
		}
	}
	struct refactor_edit *edit =
		refactor->edit_count > 0 ? &refactor->edits[refactor->edit_count - 1] : nullptr;
	int number;
	if (strcmp(word, "what") == 0) {
		number = find_name(what_names, 3, value);
		refactor->what = (enum refactor_what)number;
		return number >= 0;
	} else if (strcmp(word, "state") == 0) {
		number = find_name(state_names, 5, value);
		refactor->state = (enum refactor_state)number;
		return number >= 0;
	} else if (strcmp(word, "inode") == 0) {
		refactor->inode = strtoull(value, nullptr, 10);
	} else if (strcmp(word, "head") == 0) {
		snprintf(refactor->head, GIT_ID, "%s", value);
	} else if (strcmp(word, "commit") == 0) {
		snprintf(refactor->commit, GIT_ID, "%s", value);
	} else if (strcmp(word, "edit") == 0) {
		refactor_add_edit(refactor, value, "", "");
	} else if (strcmp(word, "old") == 0 && edit != nullptr) {
		free(edit->old);
		edit->old = text_copy(value);
	} else if (strcmp(word, "new") == 0 && edit != nullptr) {
		free(edit->new);
		edit->new = text_copy(value);
	}
	return true;
}

static struct refactor *read_entry(const char *path) {
	struct buffer text = {};
	struct refactor *refactor = refactor_create();
	bool good = file_read(AT_FDCWD, path, ENTRY_SIZE_MAX, &text) == 0, ended = false;
	for (char *rest = text.data, *line; good && rest != nullptr && *rest != '\0';) {
		line = strsep(&rest, "\n");
		char *value = strchr(line, ' ');
		good = value != nullptr && !ended;
		if (!good)
			break;
		*value++ = '\0';
		ended = strcmp(line, "end") == 0;
		good = read_line(refactor, line, value);
	}
	buffer_finish(&text);
	if (good && ended && refactor->from[0] == '/' && refactor->to[0] == '/')
		return refactor;
	refactor_destroy(refactor);
	return nullptr;
}

/* ---- all of them */

static int by_number(const void *a, const void *b) {
	const struct refactor *const *x = a, *const *y = b;
	return ((*x)->number > (*y)->number) - ((*x)->number < (*y)->number);
}

static void insert(struct journal *journal, struct refactor *refactor) {
	struct refactor **entries = allocate(journal->count + 1, sizeof(struct refactor *));
	if (journal->count > 0)
		memcpy(entries, journal->entries, journal->count * sizeof(struct refactor *));
	free(journal->entries);
	journal->entries = entries;
	entries[journal->count++] = refactor;
}

void journal_remove(struct journal *journal, struct refactor *refactor) {
	char *path = entry_path(journal, refactor->number);
	refactor_stop();
	unlink(path);
	free(path);
	for (size_t i = 0; i < journal->count; i++) {
		if (journal->entries[i] == refactor) {
			memmove(journal->entries + i, journal->entries + i + 1,
				(journal->count - i - 1) * sizeof(struct refactor *));
			journal->count--;
			break;
		}
	}
	refactor_destroy(refactor);
}

int journal_add(struct journal *journal, struct refactor *refactor) {
	refactor->number =
		journal->count > 0 ? journal->entries[journal->count - 1]->number + 1 : 1;
	int error = directory_make(journal->folder);
	if (error == 0)
		error = journal_write(journal, refactor);
	if (error == 0)
		insert(journal, refactor);
	return error;
}

void journal_forget_undone(struct journal *journal) {
	for (size_t i = journal->count; i-- > 0;) {
		if (journal->entries[i]->state == REFACTOR_UNDONE)
			journal_remove(journal, journal->entries[i]);
	}
	while (journal->count > ENTRIES_MAX)
		journal_remove(journal, journal->entries[0]);
}

void journal_open(struct journal *journal, const struct forge_setup *setup) {
	*journal = (struct journal){
		.folder = text_copy(setup->journal_dir),
		.city = text_copy(setup->city_dir),
		.config = text_copy(setup->config_file),
	};
	DIR *entries = opendir(journal->folder);
	struct dirent *entry;
	while (entries != nullptr && (entry = readdir(entries)) != nullptr) {
		char *end;
		unsigned long number = strtoul(entry->d_name, &end, 10);
		if (number == 0 || number > UINT32_MAX || *end != '\0')
			continue;
		char *path = text_format("%s/%s", journal->folder, entry->d_name);
		struct refactor *refactor = read_entry(path);
		if (refactor != nullptr) {
			refactor->number = (uint32_t)number;
			insert(journal, refactor);
		} else {
			char *aside = text_format("%s.damaged", path);
			bool moved = rename(path, aside) == 0;
			city_log(CITY_LOG_ERROR, "forge",
				"%s: this record of a refactor cannot be used; %s %s", path,
				moved ? "it is kept as" : "it is still", moved ? aside : path);
			free(aside);
		}
		free(path);
	}
	if (entries != nullptr)
		closedir(entries);
	if (journal->count > 1)
		qsort(journal->entries, journal->count, sizeof(struct refactor *), by_number);
}

void journal_close(struct journal *journal) {
	for (size_t i = 0; i < journal->count; i++)
		refactor_destroy(journal->entries[i]);
	free(journal->entries);
	free(journal->folder);
	free(journal->city);
	free(journal->config);
	*journal = (struct journal){};
}

struct refactor *journal_unfinished(struct journal *journal) {
	for (size_t i = journal->count; i-- > 0;) {
		struct refactor *entry = journal->entries[i];
		if (entry->state != REFACTOR_DONE && entry->state != REFACTOR_UNDONE)
			return entry;
	}
	return nullptr;
}

struct refactor *journal_next(struct journal *journal, enum refactor_what what, char **why) {
	bool undo = what == REFACTOR_UNDO;
	struct refactor *next = nullptr;
	for (size_t i = 0; i < journal->count; i++) {
		struct refactor *entry = journal->entries[i];
		if (undo && entry->state == REFACTOR_DONE)
			next = entry; /* the newest */
		else if (!undo && entry->state == REFACTOR_UNDONE && next == nullptr)
			next = entry;
	}
	if (next == nullptr)
		*why = text_format("there is nothing to %s", undo ? "undo" : "redo");
	return next;
}
