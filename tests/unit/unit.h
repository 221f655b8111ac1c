/* SPDX-License-Identifier: GPL-2.0 */
/*
 * For programs that test a part of lib/ on the host: the first check that fails
 * ends the program.
 */
#ifndef HMM_NOTIFIER_UNIT_H
#define HMM_NOTIFIER_UNIT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECK(cond, ...) do {						\
	if (!(cond)) {							\
		printf("%s:%d: %s is false", __func__, __LINE__, #cond); \
		printf(": " __VA_ARGS__);				\
		putchar('\n');						\
		exit(1);						\
	}								\
} while (0)

struct unit_test {
	const char *name;
	void (*run)(void);
};

/* Without a name, prints those that there are. */
static inline int unit_main(int argc, char **argv, const struct unit_test *tests,
			    size_t nr)
{
	size_t i;

	for (i = 0; i < nr; i++) {
		if (argc < 2)
			puts(tests[i].name);
		else if (!strcmp(tests[i].name, argv[1]))
			return tests[i].run(), 0;
	}
	return argc < 2 ? 0 : 2;
}

#define UNIT_MAIN(tests)						\
int main(int argc, char **argv)						\
{									\
	return unit_main(argc, argv, tests, sizeof(tests) / sizeof(tests[0])); \
}

#endif
