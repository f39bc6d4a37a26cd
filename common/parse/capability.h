/*
 * What a server of IMAP or POP3 says that it can: a table of capability and
 * state, which the front and the session of a protocol share.
 */
#ifndef CAPABILITY_H
#define CAPABILITY_H

#include <stdbool.h>
#include <stddef.h>

/* When one is told: in any of these. */
#define CAP_SESSION	0x01	/* after the login */
#define CAP_FRONT	0x02	/* before it */
#define CAP_TLS		0x04	/* before it, where TLS can begin */
#define CAP_LOGIN	0x08	/* where a password may be sent */
#define CAP_NOLOGIN	0x10	/* where it may not */

#define CAP_ALWAYS	(CAP_SESSION | CAP_FRONT)

struct capability {
	const char	*name;
	unsigned int	 when;
};

#define CAPABILITY_MAX	2048	/* octets of all of them, printed */

/* Those of a front whose connection may do this now. */
unsigned int capability_front(bool starttls, bool login);
/* The names of those that are told when so, each but the first behind sep, a
 * blank or CRLF, without those that are hidden (NULL: none).  Returns text,
 * which has CAPABILITY_MAX octets. */
const char *capability_print(const struct capability *, size_t n,
	    unsigned int when, const char *hidden, const char *sep,
	    char *text);
/* Is name among words with blanks between them?  Case is ignored; a word that
 * ends in "*" is all names that begin so. */
bool	 capability_among(const char *words, const char *name);
/* May words be told as capabilities: atoms with single blanks between? */
bool	 capability_words(const char *);

#endif
