// SPDX-License-Identifier: GPL-2.0
/*
 * changer DIR HOW - changes DIR/one, DIR/two and DIR/both by lib/core/machine_state.c as
 * the programs of selftests/ do, a child for a test. HOW is what ends it: the child
 * says "ready" when all is changed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/bounded.h"
#include "core/ledger.h"
#include "core/machine_state.h"

static const char *dir;

static const char *in_dir(const char *name)
{
	static char path[192];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static int make(pid_t program)
{
	return ledger_mkdir(program, in_dir("made"));
}

static void check(int err)
{
	if (err) {
		printf("%s\n", strerror(-err));
		fflush(stdout);
		_exit(1);
	}
}

static void test(const char *how)
{
	check(machine_set(in_dir("one"), "ours"));
	check(machine_once(make));
	check(machine_once(make));
	check(machine_set(in_dir("both"), "ours"));
	check(machine_set_for_now(in_dir("both"), "test"));
	check(machine_set_for_now(in_dir("two"), "test"));
	check(machine_make_group(in_dir("group")));
	if (!strcmp(how, "returns")) {
		check(machine_put_back(in_dir("group")));
		check(machine_put_back(in_dir("two")));
		check(machine_put_back(in_dir("both")));
	}
	printf("ready\n");
	fflush(stdout);
	if (!strcmp(how, "waits") || !strcmp(how, "child") || !strcmp(how, "orphan"))
		sleep(120);
	_exit(0);
}

int main(int argc, char **argv)
{
	pid_t pid;

	if (argc != 3)
		return 2;
	dir = argv[1];
	pid = fork();
	/* The harness of some tests has another process in between. */
	if (!pid && !strcmp(argv[2], "orphan") && fork())
		pause();
	if (!pid)
		test(argv[2]);
	printf("%d\n", pid);
	fflush(stdout);
	if (!strcmp(argv[2], "aborts"))
		sleep(1);
	else
		waitpid(pid, NULL, 0);
	/* Its own is back before the next test; what is left is the program's. */
	if (!strcmp(argv[2], "child") || !strcmp(argv[2], "orphan")) {
		printf("over\n");
		fflush(stdout);
		getchar();
	}
	if (!strcmp(argv[2], "aborts"))
		abort();
	return 0;
}
