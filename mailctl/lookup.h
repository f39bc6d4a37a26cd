/*
 * mailctl: what runs here and not in maild: the verdict engine on a saved
 * message, and the records of a domain explained.
 */
#ifndef LOOKUP_H
#define LOOKUP_H

#include <stdbool.h>
#include <stddef.h>

#include "verify/verify.h"

#define LOOKUP_RRS	128	/* records of one answer */

/* ---- verify.c */

/* Is it a command of this file? */
bool	 verify_is_command(const char *);
/* Run it; the exit status: EX_TEMPFAIL when a result is "temperror".  argv[0]
 * is the command. */
int	 verify_command(int argc, char **argv, bool json);

/* ---- lookup.c */

/* The system's resolver, or a file of names if path is not NULL.  Exits with
 * a message if that cannot be read. */
struct lookup *lookup_new(const char *path);
void	 lookup_free(struct lookup *);
/* One question; *n records in rr, valid until the next one. */
enum dns_status lookup_ask(struct lookup *, const char *, enum dns_type,
	    struct rr rr[LOOKUP_RRS], size_t *n);

/* Say on standard error who gave no answer, and what to do. */
void	 lookup_complain(const struct lookup *);

/* ---- zone.c: names in a file, as regress/vectors/README.md has them */

struct zone *zone_load(const char *path);
void	 zone_free(struct zone *);
enum dns_status zone_ask(struct zone *, const char *, enum dns_type,
	    struct rr rr[LOOKUP_RRS], size_t *n);

#endif
