/*
 * The calls by which the store reaches files, in place of the C library's: a
 * test is asked before each of them (store_calls.c).
 */
#ifndef STORE_CALLS_H
#define STORE_CALLS_H

#include <stddef.h>

enum call {
	CALL_PREAD, CALL_PWRITEV, CALL_FSTAT, CALL_FSTATAT, CALL_FTRUNCATE,
	CALL_FDATASYNC, CALL_FSYNC, CALL_LINKAT, CALL_RENAMEAT,
	CALL_UNLINKAT,		/* arg: the name */
	CALL_MKDIRAT, CALL_MMAP,
	CALL_LOCK,		/* fcntl, F_OFD_SETLK; arg: its struct flock */
	CALL_FCNTL,
	CALL_OPENAT2
};

enum call_way {
	CALL_GOES,		/* on to the true one */
	CALL_FAILS,		/* with the errno that was set */
	CALL_EMPTY		/* pread: gives nothing */
};

/* Each call asks fn from now on; NULL: none does. */
void	 calls_ask(enum call_way (*fn)(enum call, const void *arg));

#endif
