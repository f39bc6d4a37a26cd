/*
 * The clock of a test (test_clock.c): what is added to the true time, in ms.
 */
#ifndef TEST_CLOCK_H
#define TEST_CLOCK_H

#include <stdint.h>

/* As in the page that a process under test maps; clock.py writes it. */
struct test_clock {
	int64_t	ahead;		/* wall time was set so far ahead */
	int64_t	passed;		/* has gone by, on every clock */
};

void	 test_clock_pass(int64_t ms);
void	 test_clock_set(int64_t ahead);
#endif
