/* SPDX-License-Identifier: MIT */
/*
 * What is left to do for libslirp, which reads what any guest may have made up: sockets of the
 * internet, the line, memory, time, and reading resolv.conf, which it does again and again. All
 * else fails with EPERM, and the first of it is said. Files can only be read, and where the kernel
 * has Landlock only those in which the name servers stand.
 */
#include "net.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <ucontext.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define RESOLV_CONF "/etc/resolv.conf"

/* ---- files */

/* Programs of the system write resolv.conf anew, so it is their folders that are opened, and not
 * the file that is there now. */
static const char *const folders[] = {
	"/etc",
	"/run/NetworkManager",
	"/run/resolvconf",
	"/run/systemd/resolve",
};

static void allow_reading(int ruleset, const char *folder) {
	int fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		const struct landlock_path_beneath_attr attributes = {
			.allowed_access = LANDLOCK_ACCESS_FS_READ_FILE,
			.parent_fd = fd,
		};
		syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attributes, 0);
		close(fd);
	}
}

/* What the kernel does not know it does not forbid: system calls are filtered anyway. */
static void confine_files(void) {
	struct landlock_ruleset_attr attributes = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
			LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
			LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
			LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
			LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
			LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
			LANDLOCK_ACCESS_FS_MAKE_SYM,
	};
	int ruleset = (int)syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	if (ruleset < 0) {
		return;
	}
	for (size_t i = 0; i < COUNT(folders); i++) {
		allow_reading(ruleset, folders[i]);
	}
	char path[PATH_MAX];
	char *name = realpath(RESOLV_CONF, path) ? strrchr(path, '/') : NULL;
	if (name && name != path) {
		*name = '\0';
		allow_reading(ruleset, path);
	}
	syscall(SYS_landlock_restrict_self, ruleset, 0);
	close(ruleset);
}

/* ---- system calls */

static volatile sig_atomic_t refused; /* the number of the first, + 1 */

/* Where a refused call is told of by a signal it has not been made, and its result is set here. */
static void handle_refused(int number, siginfo_t *info, void *data) {
	ucontext_t *context = data;
#if defined(__x86_64__)
	context->uc_mcontext.gregs[REG_RAX] = -EPERM;
#elif defined(__aarch64__)
	context->uc_mcontext.regs[0] = (unsigned long)-EPERM;
#elif defined(__riscv)
	context->uc_mcontext.__gregs[REG_A0] = (unsigned long)-EPERM;
#endif
	if (refused == 0) {
		refused = info->si_syscall + 1;
	}
}

#if defined(__x86_64__) || defined(__aarch64__) || defined(__riscv)
#define REFUSE SCMP_ACT_TRAP
#else
#define REFUSE SCMP_ACT_ERRNO(EPERM)
#endif

/* Whatever they are asked for. */
static const int free_calls[] = {
	/* the line, and sockets that are open */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(close),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(connect),
	SCMP_SYS(bind),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(shutdown),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(sendto),
	SCMP_SYS(sendmsg),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(dup2),
	SCMP_SYS(dup3),
	/* files that may be read */
	SCMP_SYS(fstat),
	SCMP_SYS(fstat64),
	SCMP_SYS(stat),
	SCMP_SYS(stat64),
	SCMP_SYS(statx),
	SCMP_SYS(newfstatat),
	SCMP_SYS(fstatat64),
	SCMP_SYS(lseek),
	SCMP_SYS(_llseek),
	/* memory, where nothing can be executed that could not before */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	/* time, chance, and itself */
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_gettime64),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(getrandom),
	SCMP_SYS(futex),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(restart_syscall),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
};

/* libc makes processes with all signals blocked: to tell of it by one would be the end. */
static const int silent_calls[] = {
	SCMP_SYS(clone),
	SCMP_SYS(clone3),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
};

struct allowed {
	int call;
	struct scmp_arg_cmp argument;
};

/* Of open() and the like: nothing that writes. */
#define TO_READ(argument)                                                                          \
	SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, O_ACCMODE | O_CREAT | O_TRUNC, O_RDONLY)
#define NOT_EXECUTED(argument) SCMP_CMP(argument, SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)
#define IS(argument, value) SCMP_CMP(argument, SCMP_CMP_EQ, (scmp_datum_t)(value))

static bool rule(
	scmp_filter_ctx filter, uint32_t action, const struct allowed *what, unsigned arguments) {
	int error = seccomp_rule_add_array(filter, action, what->call, arguments, &what->argument);
	/* A call that there is not for this processor, or an action that is the usual one. */
	return error == 0 || error == -EDOM || error == -EACCES;
}

static bool rules(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count) {
	bool good = true;
	for (size_t i = 0; i < count; i++) {
		good = good && rule(filter, action, &(struct allowed){.call = calls[i]}, 0);
	}
	return good;
}

static bool allow(scmp_filter_ctx filter) {
	const struct allowed some[] = {
		/* No sockets of this computer's own: the desktop listens on these. */
		{SCMP_SYS(socket), IS(0, AF_INET)},
		{SCMP_SYS(socket), IS(0, AF_INET6)},
		{SCMP_SYS(open), TO_READ(1)},
		{SCMP_SYS(openat), TO_READ(2)},
		{SCMP_SYS(mmap), NOT_EXECUTED(2)},
		{SCMP_SYS(mmap2), NOT_EXECUTED(2)},
		{SCMP_SYS(mprotect), NOT_EXECUTED(2)},
		{SCMP_SYS(fcntl), IS(1, F_GETFL)},
		{SCMP_SYS(fcntl), IS(1, F_SETFL)},
		{SCMP_SYS(fcntl), IS(1, F_GETFD)},
		{SCMP_SYS(fcntl), IS(1, F_SETFD)},
		{SCMP_SYS(fcntl64), IS(1, F_GETFL)},
		{SCMP_SYS(fcntl64), IS(1, F_SETFL)},
		{SCMP_SYS(fcntl64), IS(1, F_GETFD)},
		{SCMP_SYS(fcntl64), IS(1, F_SETFD)},
		{SCMP_SYS(ioctl), IS(1, FIONREAD)},
		{SCMP_SYS(ioctl), IS(1, FIONBIO)},
		/* abort() */
		{SCMP_SYS(tgkill), IS(0, getpid())},
	};
	bool good = rules(filter, SCMP_ACT_ALLOW, free_calls, COUNT(free_calls)) &&
		rules(filter, SCMP_ACT_ERRNO(EPERM), silent_calls, COUNT(silent_calls));
	for (size_t i = 0; i < COUNT(some); i++) {
		good = good && rule(filter, SCMP_ACT_ALLOW, &some[i], 1);
	}
	return good;
}

static bool confine_calls(void) {
	scmp_filter_ctx filter = seccomp_init(REFUSE);
	bool done = filter && allow(filter) && seccomp_load(filter) == 0;
	if (filter) {
		seccomp_release(filter);
	}
	return done;
}

/* At their end sanitizers look for leaks, by what is refused here. */
#ifdef __SANITIZE_ADDRESS__
static const bool sanitized = true;
#else
static const bool sanitized = false;
#endif

bool net_confine(void) {
	if (sanitized) {
		return true;
	}
	const struct sigaction action = {
		.sa_sigaction = handle_refused, .sa_flags = SA_SIGINFO | SA_NODEFER};
	sigaction(SIGSYS, &action, NULL);
	/* What comes from the machine, and from the world, may be anything. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) {
		confine_files();
		if (confine_calls()) {
			return true;
		}
	}
	net_say("it runs without a sandbox: this kernel has no seccomp filters "
		"(CONFIG_SECCOMP_FILTER)");
	return false;
}

bool net_confine_refused(char *text, size_t size) {
	static bool told;
	if (refused == 0 || told) {
		return false;
	}
	told = true;
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, refused - 1);
	snprintf(text, size,
		"its sandbox refused the system call %s: the machine may have attacked it, or "
		"libslirp is newer than it knows",
		name ? name : "that has no name");
	free(name);
	return true;
}
