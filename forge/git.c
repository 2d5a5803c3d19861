/* SPDX-License-Identifier: MIT */
#include "forge/git.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "forge/setup.h"

#define LIMIT_MS 30000
#define OUTPUT_MAX (64u << 20)
#define WORDS_MAX 24

extern char **environ;

/* ---- running it */

struct command {
	const char *top;
	const char *index; /* NULL: the user's */
	const char *words[WORDS_MAX];
	const struct buffer *input; /* may be NULL */
	struct buffer output;
	char *said; /* first line of what it said; NULL: nothing */
	int status; /* exit status */
};

static void environment(const struct command *command, struct strings *list) {
	for (char **entry = environ; *entry != nullptr; entry++) {
		if (strncmp(*entry, "GIT_", 4) != 0 && strncmp(*entry, "LC_ALL=", 7) != 0)
			strings_add(list, *entry);
	}
	strings_add(list, "LC_ALL=C");
	strings_add(list, "GIT_TERMINAL_PROMPT=0");
	strings_add(list, "GIT_EDITOR=false");
	/* For those who have not told git who they are. */
	static const char *const names[] = {
		"GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *value = getenv(names[i]);
		if (value != nullptr)
			strings_take(list, text_format("%s=%s", names[i], value));
	}
	if (command->index != nullptr)
		strings_take(list, text_format("GIT_INDEX_FILE=%s", command->index));
}

static void first_line(int fd, char **line) {
	char text[400] = "";
	ssize_t size = pread(fd, text, sizeof(text) - 1, 0);
	if (size <= 0)
		return;
	text[strcspn(text, "\r\n")] = '\0';
	const char *at = strncmp(text, "fatal: ", 7) == 0 ? text + 7
		: strncmp(text, "error: ", 7) == 0	  ? text + 7
							  : text;
	*line = text_copy(at);
}

static bool wait_for(pid_t pid, int *status) {
	int fd = pidfd_open(pid, 0);
	struct pollfd ended = {.fd = fd, .events = POLLIN};
	bool in_time = fd < 0;
	while (fd >= 0) {
		int count = poll(&ended, 1, LIMIT_MS);
		if (count < 0 && errno == EINTR)
			continue;
		in_time = count > 0;
		break;
	}
	if (!in_time)
		kill(-pid, SIGKILL);
	if (fd >= 0)
		close(fd);
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	return in_time;
}

/* False with *why if it could not be run, or if it failed and `must`. */
static bool run(struct command *command, bool must, char **why) {
	int fds[3] = {memfd_create("git-in", MFD_CLOEXEC), memfd_create("git-out", MFD_CLOEXEC),
		memfd_create("git-err", MFD_CLOEXEC)};
	struct strings list = {};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	bool good = false;
	char *argv[WORDS_MAX + 8] = {(char *)"git", (char *)"-C", (char *)command->top,
		(char *)"-c", (char *)"core.fsmonitor=false"};
	size_t count = 5;
	for (size_t i = 0; i < WORDS_MAX && command->words[i] != nullptr; i++)
		argv[count++] = (char *)command->words[i];
	environment(command, &list);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	if (fds[0] < 0 || fds[1] < 0 || fds[2] < 0) {
		*why = text_format("no memory to run git: %s", strerror(errno));
		goto out;
	}
	const struct buffer *input = command->input;
	for (size_t done = 0; input != nullptr && done < input->size;) {
		ssize_t size = write(fds[0], input->data + done, input->size - done);
		if (size < 0) {
			*why = text_format("no memory to run git: %s", strerror(errno));
			goto out;
		}
		done += (size_t)size;
	}
	lseek(fds[0], 0, SEEK_SET);
	for (int i = 0; i < 3; i++)
		posix_spawn_file_actions_adddup2(&actions, fds[i], i);
	/* The forge ignores SIGPIPE and blocks what its event loop reads; git shall not. */
	sigset_t none, pipe;
	sigemptyset(&none);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	posix_spawnattr_setflags(&attributes,
		POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &pipe);
	pid_t pid;
	int error = posix_spawnp(&pid, "git", &actions, &attributes, argv, list.items);
	if (error != 0) {
		*why = text_format("git cannot be run: %s; %s is a git repository", strerror(error),
			command->top);
		goto out;
	}
	int status = 0;
	if (!wait_for(pid, &status)) {
		*why = text_format("git %s did not end within %d s and was stopped",
			command->words[0], LIMIT_MS / 1000);
		goto out;
	}
	command->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	first_line(fds[2], &command->said);
	char path[64];
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fds[1]);
	error = file_read(AT_FDCWD, path, OUTPUT_MAX, &command->output);
	if (error != 0) {
		*why = text_format("git %s: %s", command->words[0], strerror(error));
		goto out;
	}
	good = command->status == 0 || !must;
	if (!good)
		*why = text_format("git %s in %s refused: %s", command->words[0], command->top,
			command->said != nullptr ? command->said : "it gives no reason");
out:
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	for (int i = 0; i < 3; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
	}
	strings_finish(&list);
	return good;
}

static void finish(struct command *command) {
	buffer_finish(&command->output);
	free(command->said);
	command->said = nullptr;
}

/* Without output that matters. */
static bool simply(const char *top, const char *index, const struct buffer *input, char **why,
	const char *const *words) {
	struct command command = {.top = top, .index = index, .input = input};
	for (size_t i = 0; i < WORDS_MAX && words[i] != nullptr; i++)
		command.words[i] = words[i];
	bool good = run(&command, true, why);
	finish(&command);
	return good;
}
#define SIMPLY(top, index, input, why, ...)                                                        \
	simply(top, index, input, why, (const char *const[WORDS_MAX]){__VA_ARGS__, nullptr})

/* The one word that it prints; "" when it fails and need not succeed. */
static bool ask(const char *top, const char *index, const struct buffer *input, bool must,
	char id[GIT_ID], char **why, const char *const *words) {
	struct command command = {.top = top, .index = index, .input = input};
	for (size_t i = 0; i < WORDS_MAX && words[i] != nullptr; i++)
		command.words[i] = words[i];
	bool good = run(&command, must, why);
	id[0] = '\0';
	if (good && command.status == 0 && command.output.size > 0) {
		size_t size = strcspn(command.output.data, "\n");
		snprintf(id, GIT_ID, "%.*s", (int)(size < GIT_ID ? size : 0), command.output.data);
	}
	finish(&command);
	if (good && must && id[0] == '\0') {
		*why = text_format("git %s in %s gave no answer", words[0], top);
		return false;
	}
	return good;
}
#define ASK(top, index, input, must, id, why, ...)                                                 \
	ask(top, index, input, must, id, why, (const char *const[WORDS_MAX]){__VA_ARGS__, nullptr})

/* ---- texts */

static bool ends_component(char c) {
	return c == '\0' || c == '/' || c == '"' || c == '\'' || c == '>' || c == ' ' ||
		c == '\t' || c == '\n' || c == '\r' || c == ':' || c == ';' || c == ',';
}

bool text_replace(struct buffer *text, const char *old, const char *new) {
	struct buffer result = {};
	size_t size = strlen(old), at = 0;
	bool found = false;
	/* In quotes a blank is a part of the name. */
	char quote = (old[0] == '"' || old[0] == '\'') && old[size - 1] != old[0] ? old[0] : '\0';
	while (at < text->size) {
		const char *place = memmem(text->data + at, text->size - at, old, size);
		if (place == nullptr)
			break;
		size_t start = (size_t)(place - text->data);
		char next = text->data[start + size];
		bool whole = quote != '\0' ? next == '/' || next == quote : ends_component(next);
		buffer_add(&result, text->data + at, start - at);
		buffer_add(&result, whole ? new : old, strlen(whole ? new : old));
		found |= whole;
		at = start + size;
	}
	if (found) {
		buffer_add(&result, text->data + at, text->size - at);
		buffer_finish(text);
		*text = result;
	} else {
		buffer_finish(&result);
	}
	return found;
}

/* ---- looking */

char *git_top(const char *folder) {
	char *path = text_copy(folder);
	while (true) {
		char *entry = text_format("%s/.git", path);
		bool found = access(entry, F_OK) == 0;
		free(entry);
		if (found)
			return path;
		char *slash = strrchr(path, '/');
		if (slash == nullptr || slash == path)
			break;
		*slash = '\0';
	}
	free(path);
	return nullptr;
}

bool git_ready(const char *top, char **why) {
	struct command command = {.top = top, .words = {"rev-parse", "--absolute-git-dir"}};
	bool good = run(&command, true, why);
	if (good)
		command.output.data[strcspn(command.output.data, "\n")] = '\0';
	static const struct {
		const char *name, *what;
	} marks[] = {
		{"index.lock", "another git is at work there"},
		{"MERGE_HEAD", "a merge is not finished there"},
		{"CHERRY_PICK_HEAD", "a cherry-pick is not finished there"},
		{"REVERT_HEAD", "a revert is not finished there"},
		{"rebase-merge", "a rebase is not finished there"},
		{"rebase-apply", "a rebase is not finished there"},
	};
	for (size_t i = 0; good && i < sizeof(marks) / sizeof(marks[0]); i++) {
		char *path = text_format("%s/%s", command.output.data, marks[i].name);
		if (access(path, F_OK) == 0) {
			*why = text_format("%s: %s (%s)", top, marks[i].what, path);
			good = false;
		}
		free(path);
	}
	finish(&command);
	return good;
}

/* ---- what an index holds of its files besides their contents */

struct marks {
	struct strings later;	/* meant to be added: git add -N */
	struct strings assumed; /* unchanged */
	struct strings skipped; /* not in the work tree */
};

static void marks_finish(struct marks *marks) {
	strings_finish(&marks->later);
	strings_finish(&marks->assumed);
	strings_finish(&marks->skipped);
}

static bool added_names(const struct git_change *change, const char *tree, const char *path,
	const char *how, struct strings *names, char **why) {
	struct command command = {
		.top = change->top,
		.words = {"--literal-pathspecs", "diff-index", "--cached", "--no-renames", "-z",
			"--name-only", "--diff-filter=A", how, tree, "--", path},
	};
	bool good = run(&command, true, why);
	for (size_t at = 0; good && at < command.output.size;) {
		strings_add(names, command.output.data + at);
		at += strlen(command.output.data + at) + 1;
	}
	finish(&command);
	return good;
}

/* Of the user's index, below a path. */
static bool marks_read(
	const struct git_change *change, const char *path, struct marks *marks, char **why) {
	struct command command = {
		.top = change->top,
		.words = {"--literal-pathspecs", "ls-files", "-v", "-z", "--", path},
	};
	bool good = run(&command, true, why);
	for (size_t at = 0; good && at + 2 < command.output.size;) {
		const char *entry = command.output.data + at;
		if (entry[0] >= 'a' && entry[0] <= 'z')
			strings_add(&marks->assumed, entry + 2);
		if (entry[0] == 'S' || entry[0] == 's')
			strings_add(&marks->skipped, entry + 2);
		at += strlen(entry) + 1;
	}
	finish(&command);
	/* Those that are in the index for one way of looking and not for the other. */
	char tree[GIT_ID];
	struct strings all = {}, real = {};
	good = good &&
		ASK(change->top, nullptr, nullptr, false, tree, why, "rev-parse", "-q", "--verify",
			"HEAD^{tree}") &&
		(tree[0] != '\0' ||
			ASK(change->top, nullptr, nullptr, true, tree, why, "hash-object", "-t",
				"tree", "--stdin")) &&
		added_names(change, tree, path, "--ita-visible-in-index", &all, why) &&
		added_names(change, tree, path, "--ita-invisible-in-index", &real, why);
	for (size_t i = 0; good && i < all.count; i++) {
		if (!strings_has(&real, all.items[i]))
			strings_add(&marks->later, all.items[i]);
	}
	strings_finish(&all);
	strings_finish(&real);
	return good;
}

/* The names as input, where they are after the change. */
static void new_names(
	const struct git_change *change, const struct strings *names, struct buffer *input) {
	for (size_t i = 0; i < names->count; i++) {
		buffer_printf(input, "%s%s", change->to, names->items[i] + strlen(change->from));
		buffer_add(input, "", 1);
	}
}

/* git takes only names of files that it sees, and the files are perhaps not there yet, or not any
 * more: it is shown empty ones. */
static bool add_later(const struct git_change *change, const struct strings *names, char **why) {
	if (names->count == 0)
		return true;
	struct buffer input = {};
	char *tree = text_format("%s.tree", change->index);
	bool good = true;
	new_names(change, names, &input);
	for (size_t at = 0; good && at < input.size; at += strlen(input.data + at) + 1) {
		char *path = text_format("%s/%s", tree, input.data + at);
		*strrchr(path, '/') = '\0';
		int error = directory_make(path);
		path[strlen(path)] = '/';
		int fd = error == 0 ? open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600) : -1;
		good = fd >= 0;
		if (!good)
			*why = text_format("%s: %s", path, strerror(error != 0 ? error : errno));
		else
			close(fd);
		free(path);
	}
	char *option = text_format("--work-tree=%s", tree);
	good = good &&
		SIMPLY(change->top, nullptr, &input, why, option, "--literal-pathspecs", "add",
			"-N", "-f", "--pathspec-from-file=-", "--pathspec-file-nul");
	directory_remove(tree);
	free(option);
	free(tree);
	buffer_finish(&input);
	return good;
}

static bool set_flag(const struct git_change *change, const struct strings *names, const char *flag,
	char **why) {
	struct buffer input = {};
	new_names(change, names, &input);
	bool good = input.size == 0 ||
		SIMPLY(change->top, nullptr, &input, why, "update-index", flag, "-z", "--stdin");
	buffer_finish(&input);
	return good;
}

/* ---- changing */

/* Entries of the index below `from`, as input for update-index that puts them below `to`. */
static bool move_entries(const struct git_change *change, const char *index,
	const struct marks *marks, struct buffer *input, char **why) {
	const char *listed = change->from[0] != '\0' ? change->from : change->to;
	struct command command = {
		.top = change->top,
		.index = index,
		.words = {"--literal-pathspecs", "ls-files", "-s", "-z", "--", listed},
	};
	bool good = run(&command, true, why);
	size_t prefix = strlen(listed);
	for (size_t at = 0; good && at < command.output.size;) {
		const char *entry = command.output.data + at;
		const char *path = strchr(entry, '\t');
		at += strlen(entry) + 1;
		if (path == nullptr || strncmp(path + 1, listed, prefix) != 0)
			continue;
		path++;
		int head = (int)(path - 1 - entry);
		if (!change->keep) {
			/* A mode of 0 takes all stages of it out. */
			const char *id = memchr(entry, ' ', (size_t)head);
			size_t length = id != nullptr ? strcspn(id + 1, " ") : 40;
			buffer_printf(input, "0 ");
			for (size_t i = 0; i < length; i++)
				buffer_add(input, "0", 1);
			buffer_printf(input, "\t%s", path);
			buffer_add(input, "", 1);
		}
		if (change->from[0] != '\0' && !strings_has(&marks->later, path)) {
			buffer_printf(input, "%.*s\t%s%s", head, entry, change->to, path + prefix);
			buffer_add(input, "", 1);
		}
	}
	finish(&command);
	return good;
}

/* The files that refer to the folder, as they are in this index. */
static bool edit_entries(const struct git_change *change, const char *index, char **why) {
	for (size_t i = 0; i < change->edit_count; i++) {
		const struct git_edit *edit = &change->edits[i];
		struct command list = {
			.top = change->top,
			.index = index,
			.words = {"--literal-pathspecs", "ls-files", "-s", "-z", "--", edit->path},
		};
		if (!run(&list, true, why)) {
			finish(&list);
			return false;
		}
		char mode[16] = "", id[GIT_ID] = "";
		bool known = list.output.size > 0 &&
			sscanf(list.output.data, "%15s %79s", mode, id) == 2;
		finish(&list);
		if (!known)
			continue;
		struct command blob = {.top = change->top, .words = {"cat-file", "blob", id}};
		struct buffer input = {};
		bool good = run(&blob, true, why);
		bool changed = good && text_replace(&blob.output, edit->old, edit->new);
		if (changed)
			good = ASK(change->top, nullptr, &blob.output, true, id, why, "hash-object",
				"-w", "--stdin");
		finish(&blob);
		if (good && changed) {
			buffer_printf(&input, "%s %s\t%s", mode, id, edit->path);
			buffer_add(&input, "", 1);
			good = SIMPLY(change->top, index, &input, why, "update-index", "-z",
				"--index-info");
		}
		buffer_finish(&input);
		if (!good)
			return false;
	}
	return true;
}

/* The index follows the change. `changed`: there was something to follow. */
static bool follow(const struct git_change *change, const char *index, bool *changed, char **why) {
	struct buffer input = {};
	struct marks marks = {};
	*changed = false;
	bool good = true;
	if (index == nullptr && change->from[0] != '\0' && change->to[0] != '\0')
		good = marks_read(change, change->from, &marks, why);
	if (good && change->to[0] != '\0')
		good = move_entries(change, index, &marks, &input, why);
	*changed = input.size > 0;
	if (good && *changed)
		good = add_later(change, &marks.later, why) &&
			SIMPLY(change->top, index, &input, why, "update-index", "-z",
				"--index-info") &&
			set_flag(change, &marks.assumed, "--assume-unchanged", why) &&
			set_flag(change, &marks.skipped, "--skip-worktree", why);
	buffer_finish(&input);
	marks_finish(&marks);
	return good && edit_entries(change, index, why);
}

bool git_prepare(
	const struct git_change *change, char head[GIT_ID], char commit[GIT_ID], char **why) {
	commit[0] = '\0';
	if (!ASK(change->top, nullptr, nullptr, false, head, why, "rev-parse", "-q", "--verify",
		    "HEAD^{commit}"))
		return false;
	if (head[0] == '\0')
		return true;
	char tree[GIT_ID], before[GIT_ID];
	const char *index = change->index;
	bool changed;
	unlink(index);
	struct command name = {.top = change->top, .words = {"config", "user.name"}};
	bool good = SIMPLY(change->top, index, nullptr, why, "read-tree", "HEAD") &&
		follow(change, index, &changed, why) &&
		ASK(change->top, index, nullptr, true, tree, why, "write-tree") &&
		ASK(change->top, nullptr, nullptr, true, before, why, "rev-parse", "HEAD^{tree}") &&
		run(&name, false, why);
	if (good && strcmp(tree, before) != 0) {
		bool known = name.status == 0 || getenv("GIT_AUTHOR_NAME") != nullptr;
		good = ASK(change->top, nullptr, nullptr, true, commit, why, "-c",
			known ? "core.pager=cat" : "user.name=Source City", "-c",
			known ? "core.pager=cat" : "user.email=source-city@localhost",
			"commit-tree", tree, "-p", head, "-m", change->message);
	} else {
		head[0] = '\0';
	}
	finish(&name);
	unlink(index);
	return good;
}

static void refresh(const char *top) {
	char *why = nullptr;
	struct command command = {.top = top, .words = {"update-index", "-q", "--refresh"}};
	/* Gives 1 where files are modified. */
	run(&command, false, &why);
	free(why);
	finish(&command);
}

bool git_apply(const struct git_change *change, const char *head, const char *commit, char **why) {
	bool changed;
	if (!follow(change, nullptr, &changed, why))
		return false;
	if (changed)
		refresh(change->top);
	return commit[0] == '\0' ||
		SIMPLY(change->top, nullptr, nullptr, why, "update-ref", "-m", change->message,
			"HEAD", commit, head);
}

bool git_withdraw(const struct git_change *back, const char *head, const char *commit, char **why) {
	char now[GIT_ID];
	bool changed;
	if (!ASK(back->top, nullptr, nullptr, false, now, why, "rev-parse", "-q", "--verify",
		    "HEAD^{commit}"))
		return false;
	if (commit[0] != '\0' && strcmp(now, commit) == 0) {
		if (!SIMPLY(back->top, nullptr, nullptr, why, "update-ref", "-m",
			    "taken back: it could not be finished", "HEAD", head, commit))
			return false;
	} else if (commit[0] != '\0' && now[0] != '\0' && strcmp(now, head) != 0) {
		struct command above = {
			.top = back->top, .words = {"merge-base", "--is-ancestor", commit, now}};
		bool good = run(&above, false, why);
		bool on_top = good && above.status == 0;
		finish(&above);
		char head_now[GIT_ID], reverse[GIT_ID];
		if (!good || (on_top && !git_prepare(back, head_now, reverse, why)))
			return false;
		if (on_top && reverse[0] != '\0' &&
			!SIMPLY(back->top, nullptr, nullptr, why, "update-ref", "-m", back->message,
				"HEAD", reverse, head_now))
			return false;
	}
	if (!follow(back, nullptr, &changed, why))
		return false;
	if (changed)
		refresh(back->top);
	return true;
}
