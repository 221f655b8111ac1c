/* SPDX-License-Identifier: GPL-2.0 */
#ifndef _LINUX_WAIT_H
#define _LINUX_WAIT_H
#include <linux/kernel.h>

typedef struct wait_queue_head {
	int first;
} wait_queue_head_t;

struct completion {
	unsigned int done;
};

extern void schedule(void);
extern void wait_for_completion(struct completion *c);

#define wait_event(wq, condition) do {					\
	might_sleep();							\
	while (!(condition))						\
		schedule();						\
} while (0)

#endif
