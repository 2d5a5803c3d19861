/* SPDX-License-Identifier: MIT */
/* What refers to a source folder: the configuration by its path, and #include lines that lead into
 * it or out of it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge/refactor_internal.h"

#define DEPTH_MAX 6
#define FILES_MAX 10000
#define FILE_SIZE_MAX (1u << 20)

struct search {
	struct refactor *refactor;
	size_t files;
};

/* Whether path is the folder or below it; what follows then. */
static const char *below(const char *path, const char *folder) {
	size_t size = strlen(folder);
	return strncmp(path, folder, size) == 0 && (path[size] == '/' || path[size] == '\0')
		? path + size
		: nullptr;
}

/* The way from a folder to a file, both absolute. */
static char *way(const char *folder, const char *file) {
	size_t common = 0;
	for (size_t i = 0;; i++) {
		bool ends = folder[i] == '/' || folder[i] == '\0';
		if (ends && (file[i] == '/' || file[i] == '\0'))
			common = i;
		if (folder[i] != file[i] || folder[i] == '\0')
			break;
	}
	struct buffer text = {};
	for (const char *at = folder + common; *at != '\0'; at++) {
		if (*at == '/' && at[1] != '\0')
			buffer_printf(&text, "../");
	}
	buffer_printf(&text, "%s", file + common + (file[common] == '/'));
	return text.data != nullptr ? text.data : text_copy("");
}

/* Where the path is when the refactor is done; heap. */
static char *moved(const struct refactor *refactor, const char *path) {
	const char *rest = below(path, refactor->from);
	return rest != nullptr ? text_format("%s%s", refactor->to, rest) : text_copy(path);
}

/* One #include "name" in a file of a folder. */
static void look_at(struct search *search, const char *folder, const char *file, const char *name,
	size_t size) {
	struct refactor *refactor = search->refactor;
	char *joined = text_format("%s/%.*s", folder, (int)size, name);
	char *target = realpath(joined, nullptr);
	free(joined);
	if (target == nullptr)
		return;
	/* Both move, or none: the way stays. */
	if ((below(target, refactor->from) != nullptr) !=
		(below(file, refactor->from) != nullptr)) {
		char *new_folder = moved(refactor, folder), *new_target = moved(refactor, target);
		char *new_file = moved(refactor, file), *new_way = way(new_folder, new_target);
		char *old_text = text_format("\"%.*s\"", (int)size, name);
		char *new_text = text_format("\"%s\"", new_way);
		if (strcmp(old_text, new_text) != 0)
			refactor_add_edit(refactor, new_file, old_text, new_text);
		free(new_folder);
		free(new_target);
		free(new_file);
		free(new_way);
		free(old_text);
		free(new_text);
	}
	free(target);
}

static void look_into(struct search *search, const char *folder, const char *file) {
	struct buffer text = {};
	if (file_read(AT_FDCWD, file, FILE_SIZE_MAX, &text) != 0) {
		buffer_finish(&text);
		return;
	}
	static const char word[] = "include";
	for (const char *at = text.data; at != nullptr; at = strchr(at, '\n')) {
		at += strspn(at, "\n \t");
		if (*at != '#')
			continue;
		at++;
		at += strspn(at, " \t");
		if (strncmp(at, word, strlen(word)) != 0)
			continue;
		at += strlen(word);
		at += strspn(at, " \t");
		if (*at != '"')
			continue;
		at++;
		size_t size = strcspn(at, "\"\n");
		if (at[size] == '"')
			look_at(search, folder, file, at, size);
	}
	buffer_finish(&text);
}

static void walk(struct search *search, const char *folder, int depth) {
	DIR *entries = depth > 0 ? opendir(folder) : nullptr;
	struct dirent *entry;
	while (entries != nullptr && (entry = readdir(entries)) != nullptr) {
		struct stat info;
		if (entry->d_name[0] == '.' || search->files >= FILES_MAX ||
			strchr(entry->d_name, '\n') != nullptr ||
			fstatat(dirfd(entries), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0)
			continue;
		char *path = text_format("%s/%s", folder, entry->d_name);
		const char *end = strrchr(entry->d_name, '.');
		if (S_ISDIR(info.st_mode)) {
			walk(search, path, depth - 1);
		} else if (S_ISREG(info.st_mode) && end != nullptr &&
			(strcmp(end, ".c") == 0 || strcmp(end, ".h") == 0)) {
			search->files++;
			look_into(search, folder, path);
		}
		free(path);
	}
	if (entries != nullptr)
		closedir(entries);
}

/* ---- the configuration */

static char *escaped(const char *path) {
	struct buffer text = {};
	for (; *path != '\0'; path++)
		buffer_printf(&text, "%s%c", *path == '"' || *path == '\\' ? "\\" : "", *path);
	return text.data != nullptr ? text.data : text_copy("");
}

/* Takes the texts. */
static void try_edit(
	struct refactor *refactor, const char *path, struct buffer *config, char *old, char *new) {
	if (text_replace(config, old, new))
		refactor_add_edit(refactor, path, old, new);
	free(old);
	free(new);
}

/* A word of it that is the folder, or a path below, in each way in which it can be written. */
static void look_into_config(
	struct refactor *refactor, const char *path, struct buffer *config, const char *from) {
	static const char need_quotes[] = " \t\"'{}";
	const char *to = refactor->to;
	char *quoted_from = escaped(from), *quoted_to = escaped(to);
	try_edit(refactor, path, config, text_format("\"%s", quoted_from),
		text_format("\"%s", quoted_to));
	if (strchr(from, '\'') == nullptr && strchr(to, '\'') == nullptr)
		try_edit(refactor, path, config, text_format("'%s", from), text_format("'%s", to));
	if (strpbrk(from, need_quotes) == nullptr && strpbrk(to, need_quotes) == nullptr) {
		try_edit(refactor, path, config, text_format(" %s", from), text_format(" %s", to));
		try_edit(
			refactor, path, config, text_format("\t%s", from), text_format("\t%s", to));
	} else if (strpbrk(from, need_quotes) == nullptr) {
		/* Only as a whole word it can get quotes. */
		char *below_it = text_format("source %s/", from);
		if (config->size > 0 && strstr(config->data, below_it) == nullptr)
			try_edit(refactor, path, config, text_format("source %s", from),
				text_format("source \"%s\"", quoted_to));
		free(below_it);
	}
	free(quoted_from);
	free(quoted_to);
}

/* The word that begins there, as scfg reads it; what follows it. NULL: there is none. */
static const char *read_word(const char *at, struct buffer *word) {
	char quote = *at == '"' || *at == '\'' ? *at : '\0';
	at += quote != '\0';
	while (*at != '\0' && *at != '\n' &&
		(quote != '\0' ? *at != quote : strchr(" \t\r\"'{}", *at) == nullptr)) {
		at += *at == '\\' && quote != '\'' && at[1] != '\0' && at[1] != '\n';
		buffer_add(word, at++, 1);
	}
	if (word->size == 0 || (quote != '\0' && *at != quote))
		return nullptr;
	return at + (quote != '\0');
}

/* A path of the configuration, which begins at the home or at the configuration's folder, when it
 * leads to what moves: how it is written afterwards, beginning where it did. NULL: as before. */
static char *moved_word(const struct refactor *refactor, const char *folder, const char *word) {
	const char *home = getenv("HOME");
	bool at_home = word[0] == '~' && (word[1] == '/' || word[1] == '\0');
	if (at_home && (home == nullptr || home[0] != '/'))
		return nullptr;
	char *path = word[0] == '/' ? text_copy(word)
		: at_home	    ? text_format("%s%s", home, word + 1)
				    : text_format("%s/%s", folder, word);
	char *target = realpath(path, nullptr), *result = nullptr;
	free(path);
	if (target != nullptr && below(target, refactor->from) != nullptr) {
		char *now = moved(refactor, target);
		char *real_home = at_home ? realpath(home, nullptr) : nullptr;
		const char *rest = real_home != nullptr ? below(now, real_home) : nullptr;
		if (rest != nullptr && real_home[1] != '\0')
			result = text_format("~%s", rest);
		else if (at_home || word[0] == '/')
			result = text_copy(now);
		else
			result = way(folder, now);
		free(real_home);
		free(now);
	}
	free(target);
	return result;
}

/* What is below another comes first: that could get a quote in the middle. */
static int compare_edits(const void *a, const void *b) {
	const struct refactor_edit *first = a, *second = b;
	size_t one = strlen(first->old), two = strlen(second->old);
	return one < two ? 1 : one > two ? -1 : 0;
}

/* What names a folder in another way than by its path: with the home, from the configuration's
 * folder, by way of links. */
static void look_at_words(struct refactor *refactor, const char *path, const char *folder,
	const struct buffer *config) {
	static const char *const names[] = {"source", "sources", "artifact"};
	size_t before = refactor->edit_count;
	for (const char *line = config->data; line != nullptr; line = strchr(line, '\n')) {
		line += strspn(line, "\n \t");
		size_t size = strcspn(line, " \t\r\n"), gap = strspn(line + size, " \t");
		bool names_it = false;
		for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
			names_it |= strlen(names[i]) == size && strncmp(line, names[i], size) == 0;
		struct buffer word = {};
		const char *end =
			names_it && gap > 0 ? read_word(line + size + gap, &word) : nullptr;
		char *to = end != nullptr ? moved_word(refactor, folder, word.data) : nullptr;
		if (to != nullptr) {
			bool quotes = line[size + gap] == '"' || line[size + gap] == '\'' ||
				strpbrk(to, " \t\"'{}\\") != nullptr;
			char *quoted = quotes ? escaped(to) : text_copy(to);
			const char *quote = quotes ? "\"" : "";
			char *old = text_format("%.*s", (int)(end - line), line);
			char *new = text_format(
				"%.*s%s%s%s", (int)(size + gap), line, quote, quoted, quote);
			refactor_add_edit(refactor, path, old, new);
			free(quoted);
			free(old);
			free(new);
		}
		free(to);
		buffer_finish(&word);
	}
	if (refactor->edit_count > before)
		qsort(refactor->edits + before, refactor->edit_count - before,
			sizeof(*refactor->edits), compare_edits);
}

/* Where relative paths begin; heap. NULL if it is not there. */
static char *config_folder(const char *path) {
	const char *slash = strrchr(path, '/');
	char *folder = slash != nullptr ? text_format("%.*s", (int)(slash - path + 1), path)
					: text_copy(".");
	char *real = realpath(folder, nullptr);
	free(folder);
	return real;
}

void reference_find(const struct journal *journal, struct refactor *refactor, const char *spelled) {
	struct search search = {.refactor = refactor};
	struct buffer config = {};
	char *path = realpath(journal->config, nullptr);
	if (path != nullptr && file_read(AT_FDCWD, path, FILE_SIZE_MAX, &config) == 0 &&
		config.size > 0) {
		look_into_config(refactor, path, &config, refactor->from);
		if (strcmp(spelled, refactor->from) != 0)
			look_into_config(refactor, path, &config, spelled);
		char *folder = config_folder(journal->config);
		if (folder != nullptr)
			look_at_words(refactor, path, folder, &config);
		free(folder);
	}
	buffer_finish(&config);
	free(path);
	char *city = realpath(journal->city, nullptr);
	if (city != nullptr)
		walk(&search, city, DEPTH_MAX);
	/* One that lies elsewhere is looked at, too. */
	if (city == nullptr || below(refactor->from, city) == nullptr)
		walk(&search, refactor->from, DEPTH_MAX);
	free(city);
}

bool reference_apply(const struct refactor *refactor, bool forward, char **why) {
	for (size_t i = 0; i < refactor->edit_count; i++) {
		const struct refactor_edit *edit = &refactor->edits[i];
		struct buffer text = {};
		struct stat info;
		int error = file_read(AT_FDCWD, edit->path, FILE_SIZE_MAX, &text);
		/* The user may have done away with it meanwhile. */
		if (error == 0 && text.size > 0 &&
			text_replace(&text, forward ? edit->old : edit->new,
				forward ? edit->new : edit->old)) {
			error = stat(edit->path, &info) == 0 ? 0 : errno;
			/* A folder that we may write in would let us replace it all the same. */
			if (error == 0 && access(edit->path, W_OK) != 0)
				error = errno;
			refactor_stop();
			if (error == 0)
				error = file_replace(edit->path, text.data, text.size);
			if (error == 0 && chmod(edit->path, info.st_mode & 07777) != 0)
				error = errno;
		}
		buffer_finish(&text);
		if (error != 0 && error != ENOENT) {
			*why = text_format("%s refers to the folder and cannot be changed: %s",
				edit->path, strerror(error));
			return false;
		}
	}
	return true;
}
