// SPDX-License-Identifier: GPL-2.0
/* units DIR - tests lib/core/bounded.c and lib/core/ledger.c, with files in DIR. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/bounded.h"
#include "core/ledger.h"
#include "core/sysfile.h"

#define OTHER 12345

static const char *dir;

#define HOLDS(what) do {						\
	if (!(what))							\
		printf("%d: %s\n", __LINE__, #what);			\
} while (0)

static const char *file(const char *name)
{
	static char path[2][192];
	static int next;

	next = !next;
	snprintf(path[next], sizeof(path[next]), "%s/%s", dir, name);
	return path[next];
}

static void has(const char *name, const char *text)
{
	int fd = open(file(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	HOLDS(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static int reads(const char *name, const char *text)
{
	char now[256] = "";

	sysfile_read(file(name), now, sizeof(now));
	return !strcmp(now, text);
}

static void kills_no_group(void)
{
	HOLDS(kill_task(0, 0) == -EINVAL);
	HOLDS(kill_task(-1, 0) == -EINVAL);
	HOLDS(kill_task(-getpid(), 0) == -EINVAL);
	HOLDS(kill_task(INT_MIN, 0) == -EINVAL);
	HOLDS(kill_task(getpid(), 0) == 0);
	HOLDS(open_task(-1) == -EINVAL);
	HOLDS(open_task(0) == -EINVAL);
}

static void undoes_the_last_first(void)
{
	has("a", "one");
	HOLDS(!ledger_set(1, file("a"), "two"));
	HOLDS(!ledger_set(OTHER, file("a"), "six"));
	HOLDS(reads("a", "six"));
	ledger_undo(OTHER);
	HOLDS(reads("a", "two"));
	ledger_undo(0);
	HOLDS(reads("a", "one"));
}

static void leaves_what_others_set(void)
{
	has("a", "one");
	has("b", "one");
	HOLDS(!ledger_set(1, file("a"), "two"));
	HOLDS(!ledger_set(1, file("b"), "two"));
	has("a", "new");
	ledger_undo(0);
	HOLDS(reads("a", "new"));
	HOLDS(reads("b", "one"));
}

static void puts_back_its_own(void)
{
	has("a", "one");
	HOLDS(!ledger_set(1, file("a"), "two"));
	HOLDS(!ledger_put_back(OTHER, file("a")));
	HOLDS(reads("a", "two"));
	HOLDS(!ledger_put_back(1, file("a")));
	HOLDS(reads("a", "one"));
}

static void changes_nothing_that_it_cannot_read(void)
{
	char longest[100];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	has("a", longest);
	HOLDS(ledger_set(1, file("a"), "two") == -E2BIG);
	HOLDS(reads("a", longest));
	HOLDS(ledger_set(1, file("nowhere"), "two") == -ENOENT);
	HOLDS(access(file("nowhere"), F_OK));
}

static void takes_no_directory_of_others(void)
{
	HOLDS(!mkdir(file("theirs"), 0700));
	HOLDS(ledger_mkdir(1, file("theirs")) == -EEXIST);
	HOLDS(ledger_write(file("theirs/x"), "1", 1) == -EPERM);
	ledger_undo(0);
	HOLDS(!access(file("theirs"), F_OK));
	HOLDS(!ledger_mkdir(1, file("ours")));
	ledger_undo(0);
	HOLDS(access(file("ours"), F_OK));
	HOLDS(ledger_swapon(1, 0) == -EPERM);
	HOLDS(ledger_mount(1, 0, file("theirs")) == -EPERM);
	HOLDS(ledger_write("/dev/zram0", "1", 1) == -EPERM);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	dir = argv[1];
	kills_no_group();
	undoes_the_last_first();
	leaves_what_others_set();
	puts_back_its_own();
	changes_nothing_that_it_cannot_read();
	takes_no_directory_of_others();
	return 0;
}
