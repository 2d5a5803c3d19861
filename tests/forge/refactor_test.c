/* SPDX-License-Identifier: MIT */
/*
 * Refactors on real folders and real git repositories, also when the forge is killed before any
 * step of them: then everything is as it was before, or what was asked for is done whole.
 */
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "forge/refactor.h"

struct place {
	char *base;
	struct forge_setup setup;
};

[[gnu::format(printf, 1, 2)]] static void shell(const char *format, ...) {
	char command[4096];
	va_list args;
	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	if (system(command) != 0)
		fail_msg("failed: %s", command);
}

/* What a command prints; heap. */
[[gnu::format(printf, 1, 2)]] static char *output(const char *format, ...) {
	char command[4096];
	va_list args;
	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	FILE *pipe = popen(command, "r");
	assert_non_null(pipe);
	struct buffer text = {};
	char chunk[4096];
	size_t size;
	while ((size = fread(chunk, 1, sizeof(chunk), pipe)) > 0)
		buffer_add(&text, chunk, size);
	pclose(pipe);
	return text.data != NULL ? text.data : text_copy("");
}

static void expect_output(const char *wanted, char *got) {
	assert_string_equal(got, wanted);
	free(got);
}

/* A city with tiles in two districts; they refer to each other, and the configuration to one. The
 * user has staged something, changed something, and has a file that git does not know. */
static struct place *place_create(bool git) {
	char name[] = "/tmp/forge-refactor-XXXXXX";
	assert_non_null(mkdtemp(name));
	struct place *place = allocate(1, sizeof(*place));
	place->base = text_copy(name);
	place->setup.city_dir = text_format("%s/city", name);
	place->setup.journal_dir = text_format("%s/refactors", name);
	place->setup.config_file = text_format("%s/config", name);
	shell("cd %s && mkdir -p city/home/bell city/home/drum city/work && cd city && "
	      "echo 'int bell;' >home/bell/bell.c && echo '#define BELL 1' >home/bell/bell.h && "
	      "echo '#include \"../drum/drum.h\"' >>home/bell/bell.c && "
	      "echo '#include \"../bell/bell.h\"' >home/drum/drum.h && echo keep >work/note && "
	      "printf 'tile bell {\\n\\tsource \"%s/city/home/bell\"\\n}\\n' >../config",
		name, name);
	if (git)
		shell("cd %s/city && git init -q . && git config user.name T && git config "
		      "user.email t@t && git add -A && git commit -qm first && "
		      "echo 'int staged;' >>home/bell/bell.c && git add home/bell/bell.c && "
		      "echo 'int changed;' >>home/bell/bell.c && echo new >home/bell/new.h && "
		      "echo other >>work/note",
			name);
	return place;
}

static void place_destroy(struct place *place) {
	shell("rm -rf %s", place->base);
	free(place->setup.city_dir);
	free(place->setup.journal_dir);
	free(place->setup.config_file);
	free(place->base);
	free(place);
}

/* Everything that is to be as it was. */
static char *look(const struct place *place) {
	return output("cd %s && find . -path ./city/.git -prune -o -path ./refactors -prune -o "
		      "-type f -exec sha1sum {} + | LC_ALL=C sort -k2; cat config; cd city && if "
		      "[ -d .git ]; then GIT_OPTIONAL_LOCKS=0 git status --porcelain; git "
		      "rev-parse HEAD; git diff "
		      "--cached; git ls-files -s; git ls-files -v; fi",
		place->base);
}

static const char *refactor_target = "studio", *refactor_folder_name;

static struct refactor_order order_of(
	const struct place *place, enum refactor_what what, char **folder) {
	*folder = refactor_folder_name != NULL ? text_copy(refactor_folder_name)
					       : text_format("%s/city/home/bell", place->base);
	return (struct refactor_order){
		.what = what,
		.tile = "bell",
		.uuid = "00000000-0000-4000-8000-000000000001",
		.folder = *folder,
		.target = refactor_target,
		.name = what == REFACTOR_FORK ? "bell-2" : "",
		.hash = "",
		.to_hash = "",
	};
}

static const char *refactor_note = "";

/* All of one refactor but its end. False with *why. */
static bool perform(struct place *place, struct journal *journal, enum refactor_what what,
	struct refactor **refactor, char **why) {
	if (what == REFACTOR_UNDO || what == REFACTOR_REDO) {
		*refactor = journal_next(journal, what, why);
		if (*refactor == NULL || !refactor_plan_again(*refactor, what, why))
			return false;
	} else {
		char *folder;
		struct refactor_order order = order_of(place, what, &folder);
		*refactor = refactor_plan(journal, &order, why);
		free(folder);
		if (*refactor == NULL)
			return false;
	}
	return refactor_begin(journal, *refactor, what, refactor_note, why) &&
		refactor_commit(journal, *refactor, why);
}

static void perform_all(struct place *place, enum refactor_what what) {
	struct journal journal;
	struct refactor *refactor;
	char *why = NULL;
	journal_open(&journal, &place->setup);
	if (!perform(place, &journal, what, &refactor, &why))
		fail_msg("not done: %s", why);
	refactor_keep(&journal, refactor);
	assert_null(journal_unfinished(&journal));
	journal_close(&journal);
}

/* What the next undo or redo says that it will do. */
static void expect_words(struct place *place, enum refactor_what what, const char *wanted) {
	struct journal journal;
	char *why = NULL;
	journal_open(&journal, &place->setup);
	struct refactor *refactor = journal_next(&journal, what, &why);
	assert_non_null(refactor);
	char *text = refactor_describe(refactor, what);
	if (strstr(text, wanted) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", text, wanted);
	free(text);
	journal_close(&journal);
}

static void test_move_keeps_what_the_user_has(void **state) {
	struct place *place = place_create(true);
	char *before = look(place);
	perform_all(place, REFACTOR_MOVE);
	const char *base = place->base;
	expect_output("Move home/bell to studio/bell\n",
		output("cd %s/city && git log -1 --format=%%s", base));
	expect_output("R100\thome/bell/bell.h\tstudio/bell/bell.h\n",
		output("cd %s/city && git diff -M --name-status HEAD~ HEAD -- '*bell.h'", base));
	/* Nothing that was staged, or only changed, is in the commit. */
	expect_output("int bell;\n#include \"../../home/drum/drum.h\"\n",
		output("cd %s/city && git show HEAD:studio/bell/bell.c", base));
	expect_output("MM studio/bell/bell.c\n M work/note\n?? studio/bell/new.h\n",
		output("cd %s/city && git status --porcelain | LC_ALL=C sort -k2 | sed "
		       "'/new.h/{h;d};$G'",
			base));
	expect_output("#include \"../../studio/bell/bell.h\"\n",
		output("cat %s/city/home/drum/drum.h", base));
	expect_output("1\n", output("grep -c 'source.*/city/studio/bell\"' %s/config", base));
	expect_words(place, REFACTOR_UNDO, "/city/home/bell, as a commit");
	perform_all(place, REFACTOR_UNDO);
	expect_words(place, REFACTOR_REDO, "/city/studio/bell, as a commit");
	expect_output("Undo: Move home/bell to studio/bell\n",
		output("cd %s/city && git log -1 --format=%%s", base));
	expect_output("", output("cd %s/city && git diff HEAD~2 HEAD", base));
	/* But for HEAD. */
	shell("cd %s/city && git update-ref HEAD HEAD~2", base);
	char *after = look(place);
	assert_string_equal(after, before);
	free(after);
	free(before);
	perform_all(place, REFACTOR_REDO);
	shell("test -f %s/city/studio/bell/new.h", base);
	place_destroy(place);
}

/* What an index says of files besides what is in them. */
static void test_index_is_kept_exactly(void **state) {
	struct place *place = place_create(true);
	const char *base = place->base;
	shell("cd %s/city/home/bell && echo a >'assumed one.h' && echo s >skipped.h && "
	      "git add assumed* skipped.h && git commit -qm more -- . && "
	      "git update-index --assume-unchanged assumed* && "
	      "git update-index --skip-worktree skipped.h && echo b >assumed* && "
	      "echo later >later.h && mkdir deep && echo later >'deep/l\303\266ter.h' && "
	      "git add -N later.h deep && git rm -q --cached bell.h",
		base);
	char *before = look(place);
	struct journal journal;
	struct refactor *refactor;
	char *why = NULL;
	journal_open(&journal, &place->setup);
	if (!perform(place, &journal, REFACTOR_MOVE, &refactor, &why) ||
		!refactor_take_back(&journal, refactor, &why))
		fail_msg("%s", why);
	journal_close(&journal);
	char *after = look(place);
	assert_string_equal(after, before);
	free(after);
	perform_all(place, REFACTOR_MOVE);
	expect_output("h studio/bell/assumed one.h\nS studio/bell/skipped.h\n",
		output("cd %s/city && git ls-files -v | grep '^[a-zS]'", base));
	expect_output(" A studio/bell/deep/l\303\266ter.h\n A studio/bell/later.h\n",
		output("cd %s/city && git -c core.quotepath=off status --porcelain | grep '^ A'",
			base));
	perform_all(place, REFACTOR_UNDO);
	shell("cd %s/city && git update-ref HEAD HEAD~2", base);
	after = look(place);
	assert_string_equal(after, before);
	free(after);
	free(before);
	place_destroy(place);
}

static void expect_note(struct place *place, enum refactor_what what, const char *note) {
	struct journal journal;
	char *why = NULL;
	journal_open(&journal, &place->setup);
	struct refactor *refactor = journal_next(&journal, what, &why);
	assert_non_null(refactor);
	assert_string_equal(refactor->note, note);
	journal_close(&journal);
}

/* What the city wants to know when it is undone, or redone; of what is taken back: nothing. */
static void test_notes(void **state) {
	struct place *place = place_create(false);
	struct journal journal;
	struct refactor *refactor;
	char *why = NULL;
	refactor_note = "1 2";
	perform_all(place, REFACTOR_MOVE);
	expect_note(place, REFACTOR_UNDO, "1 2");
	refactor_note = "3 4";
	journal_open(&journal, &place->setup);
	if (!perform(place, &journal, REFACTOR_UNDO, &refactor, &why) ||
		!refactor_take_back(&journal, refactor, &why))
		fail_msg("%s", why);
	journal_close(&journal);
	expect_note(place, REFACTOR_UNDO, "1 2");
	perform_all(place, REFACTOR_UNDO);
	expect_note(place, REFACTOR_REDO, "3 4");
	refactor_note = "two\nlines";
	perform_all(place, REFACTOR_REDO);
	expect_note(place, REFACTOR_UNDO, "");
	refactor_note = "";
	place_destroy(place);
}

static void test_fork_is_a_folder_of_its_own(void **state) {
	struct place *place = place_create(true);
	perform_all(place, REFACTOR_FORK);
	const char *base = place->base;
	shell("cd %s/city/home && cmp bell/bell.c bell-2/bell.c && cmp bell/new.h bell-2/new.h",
		base);
	expect_output("Fork home/bell as home/bell-2\n",
		output("cd %s/city && git log -1 --format=%%s", base));
	/* Work in it is not lost by undoing it. */
	shell("echo 'int more;' >>%s/city/home/bell-2/bell.c", base);
	perform_all(place, REFACTOR_UNDO);
	shell("test ! -e %s/city/home/bell-2", base);
	perform_all(place, REFACTOR_REDO);
	shell("grep -q 'int more;' %s/city/home/bell-2/bell.c", base);
	place_destroy(place);
}

static int steps_left;

static void die_here(void) {
	if (steps_left-- == 0)
		kill(getpid(), SIGKILL);
}

/* Killed before each of its steps in turn, `what` is taken back whole by the next forge. */
static void kill_at_each_step(struct place *place, enum refactor_what what) {
	char *before = look(place);
	int step = 0;
	for (bool killed = true; killed; step++) {
		pid_t pid = fork();
		if (pid == 0) {
			struct journal journal;
			struct refactor *refactor;
			char *why = NULL;
			steps_left = step;
			refactor_step = die_here;
			journal_open(&journal, &place->setup);
			bool good = perform(place, &journal, what, &refactor, &why);
			if (!good)
				fprintf(stderr, "%s\n", why);
			_exit(good ? 0 : 1);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		killed = WIFSIGNALED(status);
		if (!killed)
			assert_int_equal(WEXITSTATUS(status), 0);
		struct journal journal;
		journal_open(&journal, &place->setup);
		struct refactor *cut = journal_unfinished(&journal);
		char *why = NULL;
		if (cut != NULL && !refactor_take_back(&journal, cut, &why))
			fail_msg("step %d is not taken back: %s", step, why);
		assert_null(journal_unfinished(&journal));
		journal_close(&journal);
		char *after = look(place);
		if (strcmp(after, before) != 0)
			fail_msg("step %d left\n%s\ninstead of\n%s", step, after, before);
		free(after);
	}
	assert_true(step > 3);
	free(before);
}

static void test_killed_at_each_step(void **state) {
	struct place *place = place_create(true);
	kill_at_each_step(place, REFACTOR_MOVE);
	kill_at_each_step(place, REFACTOR_FORK);
	perform_all(place, REFACTOR_MOVE);
	kill_at_each_step(place, REFACTOR_UNDO);
	perform_all(place, REFACTOR_UNDO);
	kill_at_each_step(place, REFACTOR_REDO);
	place_destroy(place);
}

/* One that fails on its way, is taken back, and says why. */
static void expect_refusal(struct place *place, enum refactor_what what, const char *wanted) {
	char *before = look(place), *why = NULL;
	struct journal journal;
	struct refactor *refactor = NULL;
	journal_open(&journal, &place->setup);
	if (perform(place, &journal, what, &refactor, &why))
		fail_msg("it was not refused: %s", wanted);
	assert_non_null(why);
	if (strstr(why, wanted) == NULL)
		fail_msg("\"%s\" does not say \"%s\"", why, wanted);
	free(why);
	why = NULL;
	struct refactor *cut = journal_unfinished(&journal);
	if (cut != NULL && !refactor_take_back(&journal, cut, &why))
		fail_msg("not taken back: %s", why);
	if (cut == NULL && what != REFACTOR_UNDO && what != REFACTOR_REDO)
		refactor_destroy(refactor); /* it did not get into the journal */
	journal_close(&journal);
	char *after = look(place);
	assert_string_equal(after, before);
	free(after);
	free(before);
}

/* A folder on another file system, or NULL where there is none. */
static char *make_elsewhere(const struct place *place) {
	static const char *const tries[] = {"/dev/shm", "/var/tmp", "/run"};
	struct stat here, there;
	assert_int_equal(stat(place->base, &here), 0);
	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]); i++) {
		char *name = text_format("%s/forge-refactor-XXXXXX", tries[i]);
		if (stat(tries[i], &there) == 0 && there.st_dev != here.st_dev &&
			mkdtemp(name) != NULL)
			return name;
		free(name);
	}
	return NULL;
}

/* Refused before anything is done, with the way to do it by hand. */
static void test_to_another_file_system(void **state) {
	struct place *place = place_create(false);
	char *elsewhere = make_elsewhere(place);
	if (elsewhere == NULL) {
		place_destroy(place);
		skip();
	}
	shell("head -c 3000000 /dev/urandom >%s/city/home/bell/large", place->base);
	char *before = look(place);
	char *new_district = text_format("%s/new", elsewhere);
	for (int i = 0; i < 2; i++) {
		refactor_target = i == 0 ? elsewhere : new_district;
		expect_refusal(place, REFACTOR_MOVE, "is on another file system than");
		expect_output("", output("ls -A %s", elsewhere));
	}
	char *after = look(place);
	assert_string_equal(after, before);
	/* A fork copies, however large. */
	refactor_target = "studio";
	perform_all(place, REFACTOR_FORK);
	shell("cd %s/city/home && cmp bell/large bell-2/large", place->base);
	free(after);
	free(before);
	shell("rm -rf %s", elsewhere);
	free(new_district);
	free(elsewhere);
	place_destroy(place);
}

static void write_text(const char *path, const char *content) {
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(content, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

/* The configuration names folders in all ways that it allows. */
static void test_configurations(void **state) {
	struct place *place = place_create(false);
	const char *base = place->base;
	setenv("HOME", base, 1);
	shell("mkdir -p %s/conf && ln -s ../city/home %s/conf/link", base, base);
	free(place->setup.config_file);
	place->setup.config_file = text_format("%s/conf/config", base);
	write_text(place->setup.config_file,
		"tile a {\n\tsource ~/city/home/bell\n\tartifact ../city/home/bell/bell.c\n}\n"
		"tile b {\n\tsource  'link/bell' \n}\ntile c {\n\tsource ~/city/home/bell-2\n}\n"
		"tile d {\n\tsource \"~/conf/link/b\\ell/\"\n}\nsources ../city/home\n"
		"# source nowhere\nsource \"~/city\nsource\nsource ../city/home/bell");
	char *before = output("cat %s/conf/config", base);
	perform_all(place, REFACTOR_MOVE);
	expect_output("tile a {\n\tsource ~/city/studio/bell\n"
		      "\tartifact ../city/studio/bell/bell.c\n}\n"
		      "tile b {\n\tsource  \"../city/studio/bell\" \n}\n"
		      "tile c {\n\tsource ~/city/home/bell-2\n}\n"
		      "tile d {\n\tsource \"~/city/studio/bell\"\n}\nsources ../city/home\n"
		      "# source nowhere\nsource \"~/city\nsource\nsource ../city/studio/bell",
		output("cat %s/conf/config", base));
	perform_all(place, REFACTOR_UNDO);
	char *after = output("cat %s/conf/config", base);
	assert_string_equal(after, before);
	free(after);
	/* A place that needs quotes. */
	write_text(place->setup.config_file,
		"source ~/city/home/bell\nsource ~/city/home/bell/bell.c\n");
	char *target = text_format("%s/city/di st", base);
	refactor_target = target;
	perform_all(place, REFACTOR_MOVE);
	expect_output("source \"~/city/di st/bell\"\nsource \"~/city/di st/bell/bell.c\"\n",
		output("cat %s/conf/config", base));
	refactor_target = "studio";
	free(target);
	free(before);
	setenv("HOME", "/nowhere", 1);
	place_destroy(place);
}

/* Blanks, quotes, what is no UTF-8: in the city's path, the tile's, the district's and in names of
 * files; and another tile whose folder begins like this one. */
static void test_odd_names(void **state) {
	struct place *place = place_create(true);
	const char *base = place->base;
	char *odd = text_format("%s/city/my \"own\" \xff's", base);
	char *bell = text_format("%s/bell", odd), *two = text_format("%s/bell two", odd);
	for (int i = 0; i < 3; i++)
		assert_int_equal(mkdir((char *[]){odd, bell, two}[i], 0755), 0);
	char *names[] = {text_format("%s/bell.c", bell), text_format("%s/line\nbreak \xfe.h", bell),
		text_format("%s/ -x'\".h", bell), text_format("%s/bell.c", two)};
	for (int i = 0; i < 4; i++)
		write_text(names[i], i == 3 ? "#include \"../bell/bell.c\"\n" : "int odd;\n");
	shell("cd %s/city && ln -s . loop && (cd my*/bell && ln -s ../.. loop) && git add -A my* "
	      "&& "
	      "git commit -qm odd -- my* && "
	      "for f in my*/bell/*break*; do echo more >>\"$f\"; done",
		base);
	char *before_config = text_format("source \"%s/city/my \\\"own\\\" \xff's/bell\"\n"
					  "source \"%s/city/my \\\"own\\\" \xff's/bell two\"\n",
		base, base);
	char *after_config = text_format("source \"%s/city/di st/bell\"\n"
					 "source \"%s/city/my \\\"own\\\" \xff's/bell two\"\n",
		base, base);
	char *target = text_format("%s/city/di st", base);
	write_text(place->setup.config_file, before_config);
	char *before = look(place);
	refactor_folder_name = bell;
	refactor_target = target;
	perform_all(place, REFACTOR_MOVE);
	expect_output(after_config, output("cat %s/config", base));
	expect_output("#include \"../../di st/bell/bell.c\"\n",
		output("cat %s/city/my*/'bell two/bell.c'", base));
	expect_output("3\n", output("ls -Q '%s/bell' | grep -c '\\.[ch]\"$'", target));
	perform_all(place, REFACTOR_UNDO);
	shell("cd %s/city && git update-ref HEAD HEAD~2", base);
	char *after = look(place);
	assert_string_equal(after, before);
	/* One whose name the journal cannot hold. */
	refactor_target = text_format("%s/city/di\nst", base);
	expect_refusal(place, REFACTOR_MOVE, "line break");
	free((char *)refactor_target);
	refactor_target = "studio";
	refactor_folder_name = NULL;
	for (int i = 0; i < 4; i++)
		free(names[i]);
	free(before);
	free(after);
	free(before_config);
	free(after_config);
	free(target);
	free(bell);
	free(two);
	free(odd);
	place_destroy(place);
}

static void test_taking_back_is_repeated_when_killed(void **state) {
	struct place *place = place_create(true);
	char *before = look(place);
	bool killed = true;
	for (int step = 0; killed; step++) {
		struct journal journal;
		struct refactor *refactor;
		char *why = NULL;
		journal_open(&journal, &place->setup);
		if (!perform(place, &journal, REFACTOR_MOVE, &refactor, &why))
			fail_msg("%s", why);
		pid_t pid = fork();
		if (pid == 0) {
			steps_left = step;
			refactor_step = die_here;
			_exit(refactor_take_back(&journal, refactor, &why) ? 0 : 1);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		killed = WIFSIGNALED(status);
		journal_close(&journal);
		journal_open(&journal, &place->setup);
		struct refactor *cut = journal_unfinished(&journal);
		if (cut != NULL && !refactor_take_back(&journal, cut, &why))
			fail_msg("step %d: %s", step, why);
		journal_close(&journal);
		char *after = look(place);
		assert_string_equal(after, before);
		free(after);
	}
	free(before);
	place_destroy(place);
}

static void test_refusals(void **state) {
	struct place *place = place_create(true);
	const char *base = place->base;
	shell("mkdir -p %s/city/studio/bell", base);
	expect_refusal(place, REFACTOR_MOVE, "exists already");
	shell("rmdir %s/city/studio/bell %s/city/studio", base, base);
	shell("touch %s/city/.git/index.lock", base);
	expect_refusal(place, REFACTOR_MOVE, "another git is at work");
	shell("rm %s/city/.git/index.lock && touch %s/city/.git/MERGE_HEAD", base, base);
	expect_refusal(place, REFACTOR_FORK, "a merge is not finished");
	shell("rm %s/city/.git/MERGE_HEAD", base);
	/* Git itself says no, after the files have moved. */
	shell("cd %s/city/.git/hooks && printf '#!/bin/sh\\nif [ $1 = prepared ]; then echo no "
	      "such "
	      "day >&2; exit 1; fi\\n' >reference-transaction && chmod +x reference-transaction",
		base);
	expect_refusal(place, REFACTOR_MOVE, "refused: ");
	expect_refusal(place, REFACTOR_FORK, "refused: ");
	shell("rm %s/city/.git/hooks/reference-transaction", base);
	/* A district that cannot be made. */
	shell("echo file >%s/city/studio", base);
	expect_refusal(place, REFACTOR_MOVE, "no such folder");
	shell("rm %s/city/studio", base);
	expect_refusal(place, REFACTOR_UNDO, "nothing to undo");
	expect_refusal(place, REFACTOR_REDO, "nothing to redo");
	perform_all(place, REFACTOR_MOVE);
	shell("mkdir -p %s/city/home/bell", base);
	expect_refusal(place, REFACTOR_UNDO, "is in the way");
	place_destroy(place);
}

/* As somebody who may do less than this test. */
static void test_read_only(void **state) {
	if (geteuid() != 0)
		skip();
	struct place *place = place_create(true);
	const char *base = place->base;
	shell("chmod -R a+rwX %s && chown -R 65534:65534 %s", base, base);
	static const struct {
		const char *locked, *wanted;
		enum refactor_what what;
	} cases[] = {
		{"city/home/bell", "city/home/bell cannot be written: Permission denied",
			REFACTOR_MOVE},
		{"city/home", "city/home cannot be written: Permission denied", REFACTOR_MOVE},
		{"city/home", "city/home cannot be written: Permission denied", REFACTOR_FORK},
		{"city", "city/studio cannot be made", REFACTOR_MOVE},
		{"city/home/drum/drum.h", "refers to the folder and cannot be changed",
			REFACTOR_MOVE},
		{"refactors", "refactors: Permission denied", REFACTOR_MOVE},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		shell("mkdir -p %s/refactors && chown 65534:65534 %s/refactors && chmod a-w %s/%s",
			base, base, base, cases[i].locked);
		pid_t pid = fork();
		if (pid == 0) {
			if (setgid(65534) != 0 || setuid(65534) != 0)
				_exit(2);
			struct journal journal;
			struct refactor *refactor = NULL;
			char *why = NULL;
			journal_open(&journal, &place->setup);
			bool refused = !perform(place, &journal, cases[i].what, &refactor, &why);
			struct refactor *cut = journal_unfinished(&journal);
			char *more = NULL;
			bool back = cut == NULL || refactor_take_back(&journal, cut, &more);
			bool said = why != NULL && strstr(why, cases[i].wanted) != NULL;
			if (!refused || !back || !said)
				fprintf(stderr, "%s: %s, %s\n", cases[i].locked, why, more);
			_exit(refused && back && said ? 0 : 1);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
		shell("chmod u+w %s/%s && test -f %s/city/home/bell/new.h && test ! -e "
		      "%s/city/studio && test ! -e %s/city/home/bell-2",
			base, cases[i].locked, base, base, base);
	}
	expect_output("MM home/bell/bell.c\n M work/note\n?? home/bell/new.h\n",
		output("cd %s/city && git -c safe.directory='*' status --porcelain", base));
	place_destroy(place);
}

/* Files cannot grow beyond a size, wherever that strikes. */
static void test_full_disk(void **state) {
	struct place *place = place_create(true);
	struct rlimit before;
	getrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_IGN);
	for (rlim_t size = 64; size <= 256; size *= 4) {
		struct rlimit limit = {.rlim_cur = size, .rlim_max = before.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
		expect_refusal(place, REFACTOR_MOVE, size == 64 ? "File too large" : "");
		expect_refusal(place, REFACTOR_FORK, size == 64 ? "File too large" : "");
	}
	setrlimit(RLIMIT_FSIZE, &before);
	signal(SIGXFSZ, SIG_DFL);
	place_destroy(place);
}

static void test_without_git(void **state) {
	struct place *place = place_create(false);
	char *before = look(place);
	perform_all(place, REFACTOR_MOVE);
	shell("test -f %s/city/studio/bell/bell.c && test ! -e %s/city/home/bell", place->base,
		place->base);
	perform_all(place, REFACTOR_UNDO);
	char *after = look(place);
	assert_string_equal(after, before);
	shell("test ! -e %s/city/studio", place->base);
	free(after);
	free(before);
	/* The user committed on top of what is taken back: that stays. */
	place_destroy(place);
}

static void test_taken_back_below_a_commit(void **state) {
	struct place *place = place_create(true);
	struct journal journal;
	struct refactor *refactor;
	char *why = NULL;
	journal_open(&journal, &place->setup);
	if (!perform(place, &journal, REFACTOR_MOVE, &refactor, &why))
		fail_msg("%s", why);
	shell("cd %s/city && git commit -qm mine -- work/note", place->base);
	if (!refactor_take_back(&journal, refactor, &why))
		fail_msg("%s", why);
	journal_close(&journal);
	expect_output("Undo: Move home/bell to studio/bell\nmine\nMove home/bell to studio/bell\n",
		output("cd %s/city && git log -3 --format=%%s", place->base));
	shell("cd %s/city && test -f home/bell/bell.c && git diff --quiet HEAD~3 HEAD -- home "
	      "studio",
		place->base);
	place_destroy(place);
}

static void test_a_damaged_entry_is_set_aside(void **state) {
	struct place *place = place_create(false);
	perform_all(place, REFACTOR_MOVE);
	shell("echo what >%s/refactors/000001", place->base);
	expect_refusal(place, REFACTOR_UNDO, "nothing to undo");
	shell("test -f %s/refactors/000001.damaged", place->base);
	place_destroy(place);
}

int main(void) {
	if (sodium_init() < 0)
		return 1;
	unsetenv("GIT_DIR");
	setenv("HOME", "/nowhere", 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_move_keeps_what_the_user_has),
		cmocka_unit_test(test_index_is_kept_exactly),
		cmocka_unit_test(test_configurations),
		cmocka_unit_test(test_notes),
		cmocka_unit_test(test_fork_is_a_folder_of_its_own),
		cmocka_unit_test(test_killed_at_each_step),
		cmocka_unit_test(test_to_another_file_system),
		cmocka_unit_test(test_odd_names),
		cmocka_unit_test(test_taking_back_is_repeated_when_killed),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_full_disk),
		cmocka_unit_test(test_without_git),
		cmocka_unit_test(test_taken_back_below_a_commit),
		cmocka_unit_test(test_a_damaged_entry_is_set_aside),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
