/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "replay.h"

/* Everything that changes files, which nothing is then granted. What is open stays usable. */
static void no_writing(void) {
	const struct landlock_ruleset_attr attributes = {
		.handled_access_fs = LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_EXECUTE |
			LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
			LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
			LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
			LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
			LANDLOCK_ACCESS_FS_MAKE_SYM,
	};
	long fd = syscall(SYS_landlock_create_ruleset, &attributes, sizeof(attributes), 0);
	if (fd >= 0) {
		syscall(SYS_landlock_restrict_self, (int)fd, 0);
		close((int)fd);
	}
}

/* Calls that reach beyond this process fail as if they were not allowed to the user. */
static void no_reaching(void) {
#if defined(__x86_64__) || defined(__aarch64__)
#ifdef __x86_64__
	const unsigned architecture = AUDIT_ARCH_X86_64;
#else
	const unsigned architecture = AUDIT_ARCH_AARCH64;
#endif
	static const unsigned calls[] = {
		SYS_socket,
		SYS_connect,
		SYS_bind,
		SYS_sendto,
		SYS_sendmsg,
		SYS_execve,
		SYS_execveat,
		SYS_clone3,
		SYS_kill,
		SYS_tkill,
		SYS_rt_sigqueueinfo,
		SYS_pidfd_send_signal,
		SYS_pidfd_open,
		SYS_pidfd_getfd,
		SYS_ptrace,
		SYS_process_vm_readv,
		SYS_process_vm_writev,
		SYS_mount,
		SYS_unshare,
		SYS_setns,
		SYS_io_uring_setup,
		SYS_perf_event_open,
		SYS_bpf,
		SYS_keyctl,
		SYS_add_key,
		SYS_request_key,
		SYS_userfaultfd,
	};
	enum { CALLS = sizeof(calls) / sizeof(calls[0]) };
	struct sock_filter program[CALLS + 6];
	unsigned short n = 0;
	program[n++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
	program[n++] =
		(struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, architecture, 0, CALLS + 2);
	program[n++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (unsigned i = 0; i < CALLS; i++) {
		program[n++] = (struct sock_filter)BPF_JUMP(
			BPF_JMP | BPF_JEQ | BPF_K, calls[i], (unsigned char)(CALLS - i), 0);
	}
	program[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	program[n++] = (struct sock_filter)BPF_STMT(
		BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (EPERM & SECCOMP_RET_DATA));
	const struct sock_fprog filter = {.len = n, .filter = program};
	prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter);
#endif
}

void host_confine(void) {
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0) {
		no_writing();
		no_reaching();
	}
}
