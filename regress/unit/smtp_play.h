/*
 * Sessions of smtpd under test: see smtp_play.c.
 */
#ifndef SMTP_PLAY_H
#define SMTP_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msg/chan.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "smtpd/smtpd.h"

#define KEEP	8		/* messages remembered */

/* As alice@localdomain, with the right password. */
#define LOGIN	"AUTH PLAIN AGFsaWNlQGxvY2FsZG9tYWluAHNlY3JldA==\r\n"

struct kept {
	char	*text;		/* message, then facts */
	size_t	 n, facts;
	char	 mid[SMTP_MID], sender[400], rcpts[4000], trace[2048];
	unsigned int nrcpt, flags, ticket;
	struct msg_id commit;
	bool	 octets;	/* it came as such */
};

struct play {
	struct smtpd	 h;
	struct conf	*conf;
	struct chan	*authd, *queue, *signd;	/* the neighbours' ends */
	uint32_t	 held;		/* an ask that waits */
	enum { NORMAL, HOLD, FULL } mood;
	struct kept	 kept[KEEP];
	unsigned int	 nkept, commits, drops, files, closes, known, senders;
	char		*pieces;	/* QUEUE_RCPT_EV */
	size_t		 npieces;
	struct queue_body_ev body;	/* the last QUEUE_BODY_EV, octets: */
	char		 octets[BODY_MAX];
	bool		 crowded;	/* much waits for queue */
	int		 sessions;
	bool		 has7;		/* of the last SIGN_TICKET */
	struct msg_mac	 bodyhash7;
	uint64_t	 login;
	int		 filefd;
	struct tls	*tls;
};

struct play_client {
	int		 fd;
	char		 out[65536];
	size_t		 n;
	bool		 eof;
};

extern struct play t;
extern struct play_client client;
/* A client's words up to DATA, for one recipient that is known. */
extern const char whole[];

/* The neighbours; a group's setup. */
int	 setup(void **);
/* Another queue in place of one that is gone. */
void	 join_queue(void);

/* A client connects. */
void	 begin(enum conf_protocol, bool plaintext);
/* Lets smtpd and its neighbours run, and reads what the client is told. */
void	 turn(void);
void	 say_n(const char *, size_t);
void	 say(const char *);
/* The codes of all replies since the last call: "220 250 354". */
const char *codes(void);
/* Was the client told this, with an id behind it if it refuses? */
bool	 told(enum reply);
/* Says in and wants those codes. */
void	 expect(const char *in, const char *want);
/* The client is gone; nothing is left of its session. */
void	 finish(void);
/* The same, after so many turns. */
void	 finish_turns(unsigned int);

#endif
