/*
 * SASL (RFC 4422) at a front: which mechanisms there are, and an exchange of
 * one, up to what authd is asked.  For SMTP, IMAP and POP3 alike; how a
 * challenge stands on the wire is the protocol's.
 */
#ifndef NET_MECH_H
#define NET_MECH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "parse/base64.h"
#include "parse/sasl.h"
#include "msg/msg.h"
#include "conf/conf.h"

struct io;
struct sasl_mech;

#define SASL_LINE_MAX	12288	/* octets of a response, in base64 (RFC 4954 4) */
#define SASL_NAME_MAX	20	/* of a mechanism's name (RFC 4422 3.1) */
#define SASL_NAMES_MAX	256	/* of all of them, printed */
#define SASL_STEP_MAX	2048	/* of a message of SCRAM */

enum sasl_next {
	SASL_CHALLENGE,		/* tell the client s->challenge, take its line */
	SASL_ASK,		/* ask authd what s->ask says */
	SASL_STOPPED,		/* the client cancelled: the exchange is over */
	SASL_BAD,		/* it said nothing of that mechanism: over */
	SASL_OTHER,		/* it wants to be somebody else: over */
	SASL_FAILED		/* it heard why authd said no: over */
};

/* Who logs in. */
struct sasl_peer {
	uint64_t	 conn;
	enum conf_protocol protocol;
	struct msg_addr	 addr;
	struct io	*io;		/* no shorter than the exchange */
};

struct sasl {
	const struct sasl_mech *mech;
	struct sasl_peer peer;
	bool		 begun;		/* authd knows of it */
	bool		 failed;	/* the client is told why */
	struct {			/* its slices are good till the next
					 * line comes */
		enum msg_type	 type;
		union {
			struct auth_login login;
			struct auth_step  step;
			struct auth_token token;
			struct auth_cert  cert;
		} body;
	} ask;
	struct sasl_cred cred;
	uint8_t		 exporter[32], endpoint[64];
	char		 challenge[BASE64_LEN(SASL_STEP_MAX) + 1];
	char		 octets[BASE64_DECODED_MAX(SASL_LINE_MAX)];
};

/* authd says what may be offered, and it may not while authd is away. */
void	 sasl_offer(const struct auth_offer_ev *);	/* NULL: authd is away */
/* The mechanisms of that connection, the strongest first, `before' in front
 * of each but the first; text has SASL_NAMES_MAX octets. */
const char *sasl_names(struct io *, const char *before, char *text);
/* NULL: there is none of that name for that connection. */
const struct sasl_mech *sasl_find(struct slice name, struct io *);

/* An exchange; NULL: out of memory. */
struct sasl *sasl_new(const struct sasl_mech *, const struct sasl_peer *);
void	 sasl_free(struct sasl *);
/* It begins: with what stands behind the mechanism's name, empty: nothing. */
enum sasl_next sasl_begin(struct sasl *, struct slice initial);
/* A line of the client. */
enum sasl_next sasl_line(struct sasl *, struct slice);
/* authd's answer, of whichever form (NULL: none came); its slices are those
 * of the message. */
void	 sasl_answer(const struct msg *, struct auth_step_r *);
/* The answer was AUTH_MORE: s->challenge is what the client is told. */
void	 sasl_more(struct sasl *, const struct auth_step_r *);
/* It was AUTH_BAD: has the mechanism a way to say so, which comes before the
 * end?  Then s->challenge is that. */
bool	 sasl_fail(struct sasl *);

#endif
