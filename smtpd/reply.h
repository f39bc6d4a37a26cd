/*
 * All that smtpd says to its clients: a row for each reply.  The code, the
 * enhanced status (RFC 3463) and the text stand here and nowhere else; what a
 * reply names, a host or a message, is behind the text of the row.
 */
#ifndef REPLY_H
#define REPLY_H

#include <stddef.h>

#include "base/slice.h"

struct session;

/* R: name, code, status, text.  B: the same of a reply without a status (RFC
 * 2034 4). */
#define REPLIES(R, B)							\
	R(REPLY_HELP, 214, "2.0.0", "")					\
	B(REPLY_GREETING, 220, "")					\
	R(REPLY_TLS, 220, "2.0.0", "go ahead")				\
	R(REPLY_BYE, 221, "2.0.0", "bye")				\
	R(REPLY_WELCOME, 235, "2.7.0", "welcome")			\
	B(REPLY_HELLO, 250, "")						\
	R(REPLY_OK, 250, "2.0.0", "ok")					\
	R(REPLY_QUEUED, 250, "2.0.0", "ok, queued as ")			\
	R(REPLY_SENDER, 250, "2.1.0", "sender ok")			\
	R(REPLY_RCPT, 250, "2.1.5", "recipient ok")			\
	R(REPLY_VRFY, 252, "2.5.0",					\
	    "send some mail, I will try my best")			\
	B(REPLY_SASL, 334, "")						\
	B(REPLY_GO_ON, 354, "go on, end with a line of one dot")	\
	/* the session ends, or does not begin */			\
	R(REPLY_STOPPING, 421, "4.3.2", "going down, try later")	\
	R(REPLY_BUSY, 421, "4.3.2", "too many connections")		\
	R(REPLY_FULL, 421, "4.3.2", "too many connections, try later")	\
	R(REPLY_LOGIN_LOST, 421, "4.3.2",				\
	    "your login is lost, log in again")				\
	R(REPLY_TIMEOUT, 421, "4.4.2", "took too long")			\
	R(REPLY_NEW_PASSWORD, 421, "4.7.0",				\
	    "the password was changed, log in again")			\
	R(REPLY_WEB, 421, "4.7.0", "this is SMTP")			\
	R(REPLY_COMMANDS, 421, "4.7.0", "too many commands")		\
	R(REPLY_SOURCE, 421, "4.7.0", "too many connections from you")	\
	R(REPLY_ERRORS, 421, "4.7.0", "too many errors")		\
	R(REPLY_PENALTY, 421, "4.7.0",					\
	    "too many errors from you, try later")			\
	R(REPLY_DISABLED, 421, "4.7.13", "this account is disabled")	\
	/* not now */							\
	R(REPLY_NO_QUEUE, 451, "4.3.0",					\
	    "the queue is not there, try later")			\
	R(REPLY_LATER, 451, "4.3.0", "try later")			\
	R(REPLY_JUDGES, 451, "4.3.2", "too busy, try later")		\
	R(REPLY_NO_SIGNER, 451, "4.7.0",				\
	    "cannot be signed now, try later")				\
	R(REPLY_NO_DNS, 451, "4.7.0", "the sender cannot be verified "	\
	    "now, the DNS does not answer; try later")			\
	R(REPLY_MAILBOX_FULL, 452, "4.2.2", "mailbox full")		\
	R(REPLY_NO_SPACE, 452, "4.3.1", "not enough space, try later")	\
	R(REPLY_NO_MEMORY, 452, "4.3.1", "out of memory, try later")	\
	R(REPLY_RCPTS, 452, "4.5.3", "too many recipients")		\
	R(REPLY_ACCOUNT_RCPTS, 452, "4.7.1", "this account has "	\
	    "written to too many recipients for now, try later")	\
	R(REPLY_WAITING_RCPTS, 452, "4.7.28",				\
	    "too many recipients of yours wait already, try later")	\
	R(REPLY_NO_TLS, 454, "4.7.0", "TLS not available")		\
	R(REPLY_TLS_LATER, 454, "4.7.0",				\
	    "TLS not available now, try later")				\
	R(REPLY_LOGIN_LATER, 454, "4.7.0", "try later")			\
	/* no command, or not such a one */				\
	R(REPLY_VERB, 500, "5.5.1", "command not known")		\
	R(REPLY_LINE_LONG, 500, "5.5.2", "line too long")		\
	R(REPLY_LINE_END, 500, "5.5.2", "lines end with CR LF only")	\
	R(REPLY_LINE, 500, "5.5.2", "not a command")			\
	R(REPLY_SASL_LINE, 500, "5.5.6",				\
	    "login ended, that line is too long or no line")		\
	R(REPLY_SASL_BAD, 501, "5.5.2", "bad response")			\
	R(REPLY_ARG, 501, "5.5.4", "an argument is missing")		\
	R(REPLY_PARAM, 501, "5.5.4", "bad parameter")			\
	R(REPLY_NOARG, 501, "5.5.4", "no argument here")		\
	R(REPLY_MAIL_SYNTAX, 501, "5.5.4", "say MAIL FROM:<address>")	\
	R(REPLY_RCPT_SYNTAX, 501, "5.5.4", "say RCPT TO:<address>")	\
	R(REPLY_HOST, 501, "5.5.4", "that is no host name")		\
	R(REPLY_SASL_STOP, 501, "5.7.0", "as you like")			\
	R(REPLY_ABSENT, 502, "5.5.1", "command not implemented")	\
	R(REPLY_TLS_ON, 503, "5.5.1", "TLS is on already")		\
	R(REPLY_NO_LOGINS, 503, "5.5.1", "no logins here")		\
	R(REPLY_IN_MAIL, 503, "5.5.1", "not during a mail transaction")	\
	R(REPLY_HELLO_FIRST, 503, "5.5.1", "say HELO or EHLO first")	\
	R(REPLY_MAIL_FIRST, 503, "5.5.1", "say MAIL first")		\
	R(REPLY_MAIL_TWICE, 503, "5.5.1", "there is a MAIL already")	\
	R(REPLY_LOGGED_IN, 503, "5.5.1", "you are logged in already")	\
	R(REPLY_MECHANISM, 504, "5.5.4", "mechanism not known")		\
	/* no login */							\
	R(REPLY_LOGIN_FIRST, 530, "5.7.0", "log in first")		\
	R(REPLY_TLS_FIRST, 530, "5.7.0", "say STARTTLS first")		\
	R(REPLY_LOGIN_BAD, 535, "5.7.8", "user or password is wrong")	\
	R(REPLY_LOGIN_OTHER, 535, "5.7.8", "you are yourself only")	\
	R(REPLY_LOGIN_TLS, 538, "5.7.11", "say STARTTLS first")		\
	/* not this mail */						\
	R(REPLY_NO_USER, 550, "5.1.1", "no such user")			\
	R(REPLY_BARE, 550, "5.5.2", "message has a bare CR or LF")	\
	R(REPLY_NUL, 550, "5.6.0", "message has a NUL octet")		\
	R(REPLY_DMARC, 550, "5.7.1", "")				\
	R(REPLY_FROM_FORM, 550, "5.7.1",				\
	    "From must be your address, as in: Name <user@domain>")	\
	R(REPLY_FROM_NONE, 550, "5.7.1",				\
	    "a From field with your address is missing")		\
	R(REPLY_FROM_MANY, 550, "5.7.1", "more than one From field: "	\
	    "leave one, with your address")				\
	R(REPLY_RELAYING, 550, "5.7.1", "no relaying")			\
	R(REPLY_NOT_YOU, 550, "5.7.1", "that sender is not you")	\
	R(REPLY_FROM_LONG, 550, "5.7.1", "the From field is too long")	\
	R(REPLY_FROM_OTHER, 550, "5.7.1", "the address in From is not "	\
	    "yours: use one of your account or its aliases")		\
	R(REPLY_FROM_DOMAINS, 550, "5.7.1",				\
	    "the addresses in From are not of one domain")		\
	R(REPLY_SPF, 550, "5.7.23", "SPF: this host may not send for ")	\
	R(REPLY_SPF_BROKEN, 550, "5.7.24", "the SPF record of ")	\
	R(REPLY_MAILBOX_FULL_ALWAYS, 552, "5.2.2", "mailbox full")	\
	R(REPLY_MAILBOX_SMALL, 552, "5.2.3",				\
	    "that mailbox never holds so large a message")		\
	R(REPLY_HEADER, 552, "5.3.4", "header too large")		\
	R(REPLY_SIZE, 552, "5.3.4", "message too large")		\
	R(REPLY_FIELDS, 552, "5.3.4", "too many header fields")		\
	R(REPLY_NO_RCPT_ADDRESS, 553, "5.1.3", "that is no address")	\
	R(REPLY_NO_ADDRESS, 553, "5.1.7", "that is no address")		\
	R(REPLY_HOPS, 554, "5.4.6", "too many hops, is this a loop?")	\
	R(REPLY_NO_RCPT, 554, "5.5.1", "no valid recipients")		\
	R(REPLY_TLS_BEHIND, 554, "5.5.1",				\
	    "nothing may follow STARTTLS")				\
	R(REPLY_BINARYMIME, 555, "5.5.4", "BINARYMIME not offered")	\
	R(REPLY_PARAM_UNKNOWN, 555, "5.5.4", "parameter not known")	\
	R(REPLY_PARAM_ABSENT, 555, "5.5.4", "parameter not offered")

enum reply {
	REPLY_NONE,		/* nothing is said, nothing is wrong */
#define REPLY_NAME(name, ...)	name,
	REPLIES(REPLY_NAME, REPLY_NAME)
#undef REPLY_NAME
};

#define REPLY_MAX	1024	/* octets of a reply with what it names */

unsigned int reply_code(enum reply);
/* "250 2.0.0 ok", as the log has it; and with CRLF and a NUL. */
struct slice reply_line(enum reply);
const char *reply_wire(enum reply);
/* The line with a tail (NULL: none), cut where there is no room.  buf. */
const char *reply_print(enum reply, const char *tail, char *buf, size_t size);

/* What the log calls what the client does now: the message's id from MAIL to
 * the end of its transaction, else the session's.  It stands behind each
 * refusal, so that who was refused can be looked up. */
const char *session_mid(const struct session *);
/* Send a reply; behind RCPTs that wait for theirs. */
void	 reply(struct session *, enum reply);
/* The same, with what it names behind its text. */
void	 replyf(struct session *, enum reply, const char *, ...)
	    __attribute__((format(printf, 3, 4)));
/* The same for a refusal: counts, and ends a session that has too many. */
void	 reply_error(struct session *, enum reply);
/* Count a refusal that was sent. */
void	 error_count(struct session *);
/* The replies to RCPTs that are due; nobody waits for them any more. */
void	 rcpt_flush(struct session *);
void	 rcpt_forget(struct session *);
/* The last reply. */
void	 session_end(struct session *, enum reply);

#endif
