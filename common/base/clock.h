/*
 * The clocks of the house.  Nobody else asks the system for the time, so that
 * a test that moves it (regress/lib/test_clock.c) moves all of it.
 */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

uint64_t now_ms(void);		/* monotonic, for deadlines */
uint64_t now_sec(void);		/* wall clock, seconds since 1970 UTC */
uint64_t now_us(void);		/* wall clock, microseconds since then */
/* The same as of the last tick of the system, some ms ago: for what is asked
 * with every line or packet, as this never enters the kernel. */
uint64_t now_ms_coarse(void);
uint64_t now_sec_coarse(void);
#endif
