/*
 * authd-hash's own header.
 */
#ifndef PWHASH_H
#define PWHASH_H

#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/sasl.h"
#include "msg/msg.h"
#include "proc/proc.h"

/* ---- hash.c: passwords; the functions of its role, as struct role has them */

void	 pwhash_load(const struct conf *);
void	 pwhash_file(enum conf_file_kind, uint16_t index, struct slice name,
	    int fd);
void	 pwhash_reload(const struct conf *);
/* An authd, in place of the one there was. */
void	 pwhash_channel(enum chan_kind, enum proc_role peer,
	    uint16_t instance, int fd);

/* ---- tokenkey.c: keys of who makes tokens -------------------------------- */

enum token_alg { TOKEN_RS256, TOKEN_ES256 };

struct token_key {
	enum token_alg	 alg;
	char		 kid[128];	/* "": it has no name */
	struct evp_pkey_st *pkey;	/* EVP_PKEY */
};

/* Those of the file, in place of those there were; fd stays the caller's. */
void	 token_keys(struct slice name, int fd);
const struct token_key *token_key(size_t);	/* NULL at the end */

/* ---- token.c: tokens ----------------------------------------------------- */

/* Is it good at that time (seconds UTC)?  NULL, and user is whom it names;
 * else why not, in words for the log. */
const char *token_check(struct slice, uint64_t now,
	    char user[SASL_FIELD_MAX + 1]);

#endif
