// SPDX-License-Identifier: GPL-2.0
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "stress/stress_state.h"

/* In struct stress, @fault: an enum stress_fault, and above it an index */
#define WHY_SHIFT	8

const char * const stress_fault_names[] = {
	[STRESS_OK] = "no fault",
	[STRESS_FAULT_WARNS] = "WARNs or messages are not those of the rule",
	[STRESS_FAULT_SPLAT] = "a splat that the rule does not know",
	[STRESS_FAULT_DETECTORS] = "the detectors disagree",
	[STRESS_FAULT_PAIRS] = "starts and ends do not pair up",
	[STRESS_FAULT_RESULT] = "a step had a wrong result",
	[STRESS_FAULT_HANG] = "a hang",
	[STRESS_FAULT_LOG] = "the log can't be compared",
	[STRESS_FAULT_SETUP] = "the run itself did not work",
};

const struct stress_step_world stress_world = {
	.processes = STRESS_PROCESSES,
	.threads = STRESS_THREADS,
	.ids = STRESS_IDS,
};

uint64_t stress_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

int stress_fail(struct stress *stress, enum stress_fault fault,
		const char *format, ...)
{
	unsigned int none = 0, nr;
	va_list args;

	if (stress->fault)
		return -1;
	nr = atomic_fetch_add(&stress->nr_whys, 1);
	if (nr >= sizeof(stress->whys) / sizeof(stress->whys[0]))
		return -1;
	va_start(args, format);
	vsnprintf(stress->whys[nr], sizeof(stress->whys[nr]), format, args);
	va_end(args);
	/*
	 * The text comes first: the supervisor reads it as soon as it sees the
	 * fault, and may then kill us.
	 */
	atomic_compare_exchange_strong_explicit(&stress->fault, &none,
						fault | nr << WHY_SHIFT,
						memory_order_release,
						memory_order_relaxed);
	return -1;
}

enum stress_fault stress_fault(const struct stress *stress)
{
	return stress->fault & ((1U << WHY_SHIFT) - 1);
}

const char *stress_why(const struct stress *stress)
{
	unsigned int fault = atomic_load_explicit(&stress->fault,
						  memory_order_acquire);

	return fault ? stress->whys[fault >> WHY_SHIFT] : "";
}
