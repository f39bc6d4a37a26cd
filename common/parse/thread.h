/*
 * Threads of messages (RFC 5256 section 3).
 */
#ifndef PARSE_THREAD_H
#define PARSE_THREAD_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define THREAD_ID_MAX	1000	/* octets of a Message-ID that counts */
#define THREAD_NODES_MAX 2097152	/* messages and those they refer to */
#define THREAD_TEXT_MAX	(128U << 20)	/* octets of ids and subjects */

enum thread_how {
	THREAD_ORDEREDSUBJECT,
	THREAD_REFERENCES,
	THREAD_REFS		/* by references alone, the newest thread last */
};

struct thread_msg {
	uint32_t	 number;	/* from 1; ascending, call after call */
	int64_t		 date;		/* sent date (2.2) */
	struct slice	 id;		/* "<...>" or empty */
	struct slice	 refs;		/* "<...> <...>": of References, else
					   the first of In-Reply-To */
	struct slice	 subject;	/* base subject, case-mapped */
	int		 reply;		/* subject_base() says so */
};

struct thread;

/* key: random, so that nobody can make ids whose hashes are the same.  NULL:
 * out of memory. */
struct thread *thread_new(enum thread_how, const uint8_t key[16]);
void	 thread_free(struct thread *);
/* One more message, copied.  0, or -1: out of memory, or beyond a limit. */
int	 thread_add(struct thread *, const struct thread_msg *);
/* Make the threads, once, when all were added.  0, -1: out of memory. */
int	 thread_make(struct thread *);

enum thread_token { THREAD_END, THREAD_OPEN, THREAD_CLOSE, THREAD_NUMBER };

/* The answer, a parenthesis or a number at a time.  No recursion, however
 * deep it is. */
enum thread_token thread_next(struct thread *, uint32_t *number);

#endif
