/*
 * Every message of every channel, in one place.
 *
 * A channel joins two processes: side A asks or uses, side B owns the thing.
 * OWNER_VERB asks; the answer is OWNER_VERB_R; a one-way notice ends in _EV.
 * MSG_LIST names each message with its channel, its number there, the side
 * that may send it, and flags; NAME_FIELDS lists its fields.  From the two
 * come the enum, the table, the structs, and the encoder and decoder of each
 * (msg.c).  Bodies go over the wire field by field, little endian, never as
 * struct images.
 *
 * The two ends of a channel may be of adjacent releases.  So what stands here
 * is only added to: kinds, messages, fields, items and the values of enums
 * come behind the last; a number is never used for anything else, and no
 * field changes its type or its maximum.  A body may end before any field,
 * never within one: the fields it has not are zero or empty, which must mean
 * what the release without them did.  Octets behind the last field that this
 * release knows are skipped.  Items of lists follow the same rule within
 * their length.  A message that the last release does not know is for peers
 * that are known to have it: an unknown number ends a channel.
 * regress/unit/msg.golden has the list of the last release.
 */
#ifndef MSG_H
#define MSG_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"

#define MSG_MAX		16384	/* octets of one message, header included */
#define MSG_HDR		8	/* u16 kind << 8 | no, u16 zero, u32 id */
#define BODY_MAX	14336	/* octets of a message, with its facts, that
				 * goes in one of ours instead of a memfd */
#define MSG_MAXFD	3	/* descriptors one message may carry */

enum chan_kind {	/* numbers go over the wire */
	CHAN_MAIN,	/* A maild, B every process */
	CHAN_CTL,	/* A mailctl, B maild */
	CHAN_AUTH,	/* A smtpd imapd pop3d queue, B authd */
	CHAN_HASH,	/* A authd, B authd-hash */
	CHAN_QUEUE,	/* A smtpd report-out, B queue */
	CHAN_DELIVER,	/* A queue, B deliver report-in */
	CHAN_RELAY,	/* A queue, B relay */
	CHAN_REPORT,	/* A smtpd, B report-out */
	CHAN_DNS,	/* A smtpd relay signd report-out, B resolve */
	CHAN_SIGN,	/* A smtpd imapd pop3d relay queue, B signd */
	CHAN_LOG,	/* A every process, B logd; datagrams, see base/log.h */
	CHAN_SESSION,	/* A front, B session; frames, see session.h */
	CHAN_STORE,	/* A maild, B store, for one run */
	CHAN_MAX
};

enum chan_side { SIDE_A, SIDE_B };

/* flags of a message */
#define MF_ASK		0x01	/* has an id, one answer comes back */
#define MF_ANSWER	0x02	/* answers the ask before it in the list */
#define MF_EV		0x04	/* one way */
#define MF_FD		0x08	/* carries exactly one descriptor */
#define MF_FD2		0x10	/* carries exactly two */
#define MF_FDOPT	0x20	/* may carry one */
#define MF_SECRET	0x40	/* body is wiped after use */

/* fixed-size things in messages */
struct msg_mac { uint8_t b[32]; };	/* keyed hash, digest */
struct msg_id { uint8_t b[16]; };	/* random or spool identifier */
struct msg_addr {			/* network address of a peer */
	uint8_t	 family;		/* 4, 6; 0 none */
	uint8_t	 b[16];			/* v4 in the first 4 */
	uint16_t port;
};

/* M(NAME, name, channel, no, sender, flags), no from 1 to 255 in its channel;
 * bodies are bounded by their fields */
#define MSG_LIST(M)							\
	/* maild and its children: start, reload */			\
	M(CONF_BEGIN, conf_begin, CHAN_MAIN, 1, SIDE_A, MF_EV)		\
	M(CONF_ITEM, conf_item, CHAN_MAIN, 2, SIDE_A, MF_EV)		\
	M(CONF_FILE, conf_file, CHAN_MAIN, 3, SIDE_A, MF_EV | MF_FD)	\
	M(CONF_SECRET, conf_secret, CHAN_MAIN, 4, SIDE_A, MF_EV | MF_SECRET) \
	M(CONF_END, conf_end, CHAN_MAIN, 5, SIDE_A, MF_EV)		\
	M(PROC_CHANNEL_EV, proc_channel_ev, CHAN_MAIN, 6, SIDE_A, \
	    MF_EV | MF_FD)						\
	M(PROC_LISTEN_EV, proc_listen_ev, CHAN_MAIN, 7, SIDE_A, \
	    MF_EV | MF_FD)						\
	M(PROC_READY_EV, proc_ready_ev, CHAN_MAIN, 8, SIDE_B, MF_EV)	\
	M(PROC_STOP_EV, proc_stop_ev, CHAN_MAIN, 9, SIDE_A, MF_EV)	\
	/* grants: authd tells maild, maild tells nursery and front */	\
	M(GRANT_OPEN_EV, grant_open_ev, CHAN_MAIN, 10, SIDE_B, MF_EV)	\
	M(GRANT_SESSION_EV, grant_session_ev, CHAN_MAIN, 11, SIDE_A, \
	    MF_EV | MF_FD)						\
	M(GRANT_FAIL_EV, grant_fail_ev, CHAN_MAIN, 12, SIDE_A, MF_EV)	\
	M(GRANT_AGAIN_EV, grant_again_ev, CHAN_MAIN, 13, SIDE_B, MF_EV)	\
	M(GRANT_RELEASE_EV, grant_release_ev, CHAN_MAIN, 14, SIDE_B, MF_EV) \
	M(GRANT_REVOKE_EV, grant_revoke_ev, CHAN_MAIN, 15, SIDE_B, MF_EV) \
	M(GRANT_REVOKED_EV, grant_revoked_ev, CHAN_MAIN, 16, SIDE_A, MF_EV) \
	M(NURSERY_SPAWN_EV, nursery_spawn_ev, CHAN_MAIN, 17, SIDE_A, \
	    MF_EV | MF_FD2)						\
	M(NURSERY_EXIT_EV, nursery_exit_ev, CHAN_MAIN, 18, SIDE_B, MF_EV) \
	M(DKIM_SEEN_EV, dkim_seen_ev, CHAN_MAIN, 19, SIDE_B, MF_EV)	\
	M(ACCOUNT_CREATE, account_create, CHAN_MAIN, 20, SIDE_B, MF_ASK) \
	M(ACCOUNT_CREATE_R, account_create_r, CHAN_MAIN, 21, SIDE_A, \
	    MF_ANSWER)							\
	M(ACCOUNT_HIGHEST_EV, account_highest_ev, CHAN_MAIN, 26, SIDE_A, \
	    MF_EV)							\
	/* an account is closed or open: authd tells maild, that deliver */ \
	M(ACCOUNT_STATE, account_state, CHAN_MAIN, 28, SIDE_B, MF_ASK)	\
	M(ACCOUNT_STATE_R, account_state_r, CHAN_MAIN, 29, SIDE_A, \
	    MF_ANSWER)							\
	M(ACCOUNT_CLOSED_EV, account_closed_ev, CHAN_MAIN, 30, SIDE_B, MF_EV) \
	M(ACCOUNT_CLOSE, account_close, CHAN_MAIN, 31, SIDE_A, MF_ASK)	\
	M(ACCOUNT_CLOSE_R, account_close_r, CHAN_MAIN, 32, SIDE_B, \
	    MF_ANSWER)							\
	M(ACCOUNT_OPEN_EV, account_open_ev, CHAN_MAIN, 33, SIDE_A, MF_EV) \
	/* the control socket, and maild passing its commands on */	\
	M(CTL_RUN, ctl_run, CHAN_CTL, 1, SIDE_A, \
	    MF_ASK | MF_SECRET | MF_FDOPT)				\
	M(CTL_RUN_R, ctl_run_r, CHAN_CTL, 2, SIDE_B, MF_ANSWER)		\
	M(CTL_ROW_EV, ctl_row_ev, CHAN_CTL, 3, SIDE_B, MF_EV | MF_SECRET) \
	M(CTL_HELLO_EV, ctl_hello_ev, CHAN_CTL, 4, SIDE_B, MF_EV)	\
	M(MAIN_RUN, main_run, CHAN_MAIN, 22, SIDE_A, MF_ASK | MF_SECRET) \
	M(MAIN_RUN_R, main_run_r, CHAN_MAIN, 23, SIDE_B, MF_ANSWER)	\
	M(MAIN_ROW_EV, main_row_ev, CHAN_MAIN, 24, SIDE_B, MF_EV | MF_SECRET) \
	/* authd: logins and the directory */				\
	M(AUTH_LOGIN, auth_login, CHAN_AUTH, 1, SIDE_A, MF_ASK | MF_SECRET) \
	M(AUTH_LOGIN_R, auth_login_r, CHAN_AUTH, 2, SIDE_B, MF_ANSWER)	\
	M(AUTH_CLOSE_EV, auth_close_ev, CHAN_AUTH, 3, SIDE_A, MF_EV)	\
	M(DIR_SENDER, dir_sender, CHAN_AUTH, 4, SIDE_A, MF_ASK)		\
	M(DIR_SENDER_R, dir_sender_r, CHAN_AUTH, 5, SIDE_B, MF_ANSWER)	\
	M(DIR_RCPT, dir_rcpt, CHAN_AUTH, 6, SIDE_A, MF_ASK)		\
	M(DIR_RCPT_R, dir_rcpt_r, CHAN_AUTH, 7, SIDE_B, MF_ANSWER)	\
	M(DIR_FULL_EV, dir_full_ev, CHAN_AUTH, 8, SIDE_A, MF_EV)	\
	M(AUTH_REVOKED_EV, auth_revoked_ev, CHAN_AUTH, 9, SIDE_B, MF_EV) \
	M(GUARD_SENT_EV, guard_sent_ev, CHAN_AUTH, 10, SIDE_A, MF_EV)	\
	M(DIR_QUOTA_EV, dir_quota_ev, CHAN_AUTH, 11, SIDE_B, MF_EV)	\
	/* SASL: which mechanisms there are; other ways to log in */	\
	M(AUTH_OFFER_EV, auth_offer_ev, CHAN_AUTH, 12, SIDE_B, MF_EV)	\
	M(AUTH_STEP, auth_step, CHAN_AUTH, 13, SIDE_A, MF_ASK | MF_SECRET) \
	M(AUTH_STEP_R, auth_step_r, CHAN_AUTH, 14, SIDE_B, MF_ANSWER)	\
	M(AUTH_TOKEN, auth_token, CHAN_AUTH, 15, SIDE_A, MF_ASK | MF_SECRET) \
	M(AUTH_TOKEN_R, auth_token_r, CHAN_AUTH, 16, SIDE_B, MF_ANSWER)	\
	M(AUTH_CERT, auth_cert, CHAN_AUTH, 17, SIDE_A, MF_ASK)		\
	M(AUTH_CERT_R, auth_cert_r, CHAN_AUTH, 18, SIDE_B, MF_ANSWER)	\
	M(DIR_ADDRESS, dir_address, CHAN_AUTH, 19, SIDE_A, MF_ASK)	\
	M(DIR_ADDRESS_R, dir_address_r, CHAN_AUTH, 20, SIDE_B, MF_ANSWER) \
	M(HASH_VERIFY, hash_verify, CHAN_HASH, 1, SIDE_A, MF_ASK | MF_SECRET) \
	M(HASH_VERIFY_R, hash_verify_r, CHAN_HASH, 2, SIDE_B, MF_ANSWER) \
	M(HASH_MAKE, hash_make, CHAN_HASH, 3, SIDE_A, MF_ASK | MF_SECRET) \
	M(HASH_MAKE_R, hash_make_r, CHAN_HASH, 4, SIDE_B, \
	    MF_ANSWER | MF_SECRET)					\
	M(HASH_KEYS, hash_keys, CHAN_HASH, 5, SIDE_A, MF_ASK | MF_SECRET) \
	M(HASH_KEYS_R, hash_keys_r, CHAN_HASH, 6, SIDE_B, \
	    MF_ANSWER | MF_SECRET)					\
	M(HASH_TOKEN, hash_token, CHAN_HASH, 7, SIDE_A, MF_ASK | MF_SECRET) \
	M(HASH_TOKEN_R, hash_token_r, CHAN_HASH, 8, SIDE_B, MF_ANSWER)	\
	/* queue */							\
	M(QUEUE_STATE_EV, queue_state_ev, CHAN_QUEUE, 1, SIDE_B, MF_EV)	\
	M(QUEUE_FILE, queue_file, CHAN_QUEUE, 2, SIDE_A, MF_ASK)	\
	M(QUEUE_FILE_R, queue_file_r, CHAN_QUEUE, 3, SIDE_B, \
	    MF_ANSWER | MF_FDOPT)					\
	M(QUEUE_DROP_EV, queue_drop_ev, CHAN_QUEUE, 4, SIDE_A, MF_EV)	\
	M(QUEUE_RCPT_EV, queue_rcpt_ev, CHAN_QUEUE, 5, SIDE_A, MF_EV)	\
	M(QUEUE_COMMIT, queue_commit, CHAN_QUEUE, 6, SIDE_A, \
	    MF_ASK | MF_FDOPT)						\
	M(QUEUE_COMMIT_R, queue_commit_r, CHAN_QUEUE, 7, SIDE_B, MF_ANSWER) \
	M(QUEUE_REPORT, queue_report, CHAN_QUEUE, 8, SIDE_A, MF_ASK | MF_FD) \
	M(QUEUE_REPORT_R, queue_report_r, CHAN_QUEUE, 9, SIDE_B, MF_ANSWER) \
	M(QUEUE_KNOWN, queue_known, CHAN_QUEUE, 10, SIDE_A, MF_ASK)	\
	M(QUEUE_KNOWN_R, queue_known_r, CHAN_QUEUE, 11, SIDE_B, MF_ANSWER) \
	M(QUEUE_BODY_EV, queue_body_ev, CHAN_QUEUE, 12, SIDE_A, MF_EV)	\
	/* deliver, relay */						\
	M(DELIVER_MSG, deliver_msg, CHAN_DELIVER, 1, SIDE_A, \
	    MF_ASK | MF_FDOPT)						\
	M(DELIVER_MSG_R, deliver_msg_r, CHAN_DELIVER, 2, SIDE_B, MF_ANSWER) \
	M(DELIVER_FORGET_EV, deliver_forget_ev, CHAN_DELIVER, 3, SIDE_A, \
	    MF_EV)							\
	M(DELIVER_BODY_EV, deliver_body_ev, CHAN_DELIVER, 4, SIDE_A, MF_EV) \
	M(RELAY_MSG, relay_msg, CHAN_RELAY, 1, SIDE_A, MF_ASK | MF_FD)	\
	M(RELAY_MSG_R, relay_msg_r, CHAN_RELAY, 2, SIDE_B, MF_ANSWER)	\
	M(RELAY_SAID_EV, relay_said_ev, CHAN_RELAY, 3, SIDE_B, MF_EV)	\
	/* what became of a message from outside */			\
	M(REPORT_MAIL_EV, report_mail_ev, CHAN_REPORT, 1, SIDE_A, MF_EV) \
	/* resolve, signd */						\
	M(DNS_ASK, dns_ask, CHAN_DNS, 1, SIDE_A, MF_ASK)		\
	M(DNS_ASK_R, dns_ask_r, CHAN_DNS, 2, SIDE_B, MF_ANSWER)		\
	M(DNS_OVER_EV, dns_over_ev, CHAN_DNS, 3, SIDE_A, MF_EV)		\
	M(SIGN_TLS, sign_tls, CHAN_SIGN, 1, SIDE_A, MF_ASK)		\
	M(SIGN_TLS_R, sign_tls_r, CHAN_SIGN, 2, SIDE_B, MF_ANSWER)	\
	M(SIGN_TICKET, sign_ticket, CHAN_SIGN, 3, SIDE_A, MF_ASK)	\
	M(SIGN_TICKET_R, sign_ticket_r, CHAN_SIGN, 4, SIDE_B, MF_ANSWER) \
	M(SIGN_DKIM, sign_dkim, CHAN_SIGN, 5, SIDE_A, MF_ASK | MF_FDOPT) \
	M(SIGN_DKIM_R, sign_dkim_r, CHAN_SIGN, 6, SIDE_B, MF_ANSWER)	\
	/* what impairs the service; why a process ends */		\
	M(PROC_IMPAIRED_EV, proc_impaired_ev, CHAN_MAIN, 25, SIDE_B, MF_EV) \
	M(PROC_FATAL_EV, proc_fatal_ev, CHAN_MAIN, 27, SIDE_B, MF_EV)	\
	/* is it alive? */						\
	M(PROC_PING, proc_ping, CHAN_MAIN, 34, SIDE_A, MF_ASK)		\
	M(PROC_PING_R, proc_ping_r, CHAN_MAIN, 35, SIDE_B, MF_ANSWER)	\
	/* a channel has ended, both of its processes live */		\
	M(PROC_GONE_EV, proc_gone_ev, CHAN_MAIN, 36, SIDE_B, MF_EV)	\
	/* authd: an account has another quota; its sessions hear of it */ \
	M(GRANT_QUOTA_EV, grant_quota_ev, CHAN_MAIN, 37, SIDE_B, MF_EV)	\
	/* a front has what a session knew: that one is over */		\
	M(GRANT_PARK_EV, grant_park_ev, CHAN_MAIN, 38, SIDE_B, MF_EV)	\
	/* deliver: the log of an account is long */			\
	M(STORE_WANT_EV, store_want_ev, CHAN_MAIN, 39, SIDE_B, MF_EV)	\
	/* what takes long with one account */				\
	M(STORE_RUN, store_run, CHAN_STORE, 1, SIDE_A, MF_ASK | MF_FDOPT) \
	M(STORE_RUN_R, store_run_r, CHAN_STORE, 2, SIDE_B, MF_ANSWER)	\
	M(STORE_ROW_EV, store_row_ev, CHAN_STORE, 3, SIDE_B, MF_EV)

/*
 * Fields: F(type, name, max).  Types: u8 u16 u32 u64 (max 0), mac, id, addr
 * (fixed), str (octets, no NUL, at most max), blob (any octets, at most max).
 * A list in a blob is made of ITEM_LIST structs below.
 */
#define CONF_BEGIN_FIELDS(F)	/* first message a child reads */	\
	F(u32, generation, 0) F(u8, role, 0) F(u16, instance, 0)	\
	F(u32, uid, 0) F(u32, gid, 0) F(str, root, 1024)		\
	F(u8, reload, 0)	/* 1: this is a reload, not the start */
#define CONF_ITEM_FIELDS(F)	/* one value of the child's share */	\
	F(str, key, 64) F(u16, index, 0) F(str, value, 8192)
#define CONF_FILE_FIELDS(F)	/* a descriptor the child reads now */	\
	F(u8, what, 0)		/* enum conf_file_kind */		\
	F(u16, index, 0) F(str, name, 512)
#define CONF_SECRET_FIELDS(F)						\
	F(u8, what, 0)		/* enum conf_secret_kind */		\
	F(mac, key, 0)
#define CONF_END_FIELDS(F)						\
	F(u32, generation, 0)
#define PROC_CHANNEL_EV_FIELDS(F)					\
	F(u8, kind, 0) F(u8, side, 0) F(u8, peer, 0) F(u16, instance, 0)
#define PROC_LISTEN_EV_FIELDS(F)					\
	F(u16, index, 0)	/* of conf->listen */
#define PROC_READY_EV_FIELDS(F)	/* build, release: see base/build.h */	\
	F(u32, generation, 0) F(str, build, 64) F(u32, release, 0)
#define PROC_STOP_EV_FIELDS(F)						\
	F(u8, why, 0)
#define PROC_IMPAIRED_EV_FIELDS(F)	/* text "": it is over */	\
	F(str, id, 64) F(str, text, 512)				\
	F(u8, mild, 0)		/* 1: a warning, the service is whole */
#define PROC_FATAL_EV_FIELDS(F)						\
	F(str, text, 512)
#define PROC_PING_FIELDS(F)						\
	F(u8, why, 0)
#define PROC_PING_R_FIELDS(F)						\
	F(u8, ok, 0)
#define PROC_GONE_EV_FIELDS(F)	/* as PROC_CHANNEL_EV named it */	\
	F(u8, kind, 0) F(u8, peer, 0) F(u16, instance, 0)

#define GRANT_OPEN_EV_FIELDS(F)	/* authd: this connection proved it */	\
	F(u8, front, 0) F(u16, instance, 0) F(u64, conn, 0) F(u32, account, 0) \
	F(u64, octets, 0) F(u64, messages, 0)	/* its quota, conf/quota.h */
#define GRANT_SESSION_EV_FIELDS(F)					\
	F(u64, conn, 0) F(u64, grant, 0) F(u32, account, 0)
#define GRANT_FAIL_EV_FIELDS(F)						\
	F(u64, conn, 0) F(u64, grant, 0)
#define GRANT_AGAIN_EV_FIELDS(F)	/* parked: the session once more */ \
	F(u64, conn, 0) F(u64, grant, 0)
#define GRANT_RELEASE_EV_FIELDS(F)					\
	F(u64, grant, 0)
#define STORE_WANT_EV_FIELDS(F)						\
	F(u32, account, 0)
#define GRANT_PARK_EV_FIELDS(F)						\
	F(u64, grant, 0)
#define GRANT_REVOKE_EV_FIELDS(F)	/* authd: account changed or gone */ \
	F(u32, account, 0)
#define GRANT_QUOTA_EV_FIELDS(F)	/* see conf/quota.h */		\
	F(u32, account, 0) F(u64, octets, 0) F(u64, messages, 0)
#define GRANT_REVOKED_EV_FIELDS(F)					\
	F(u64, conn, 0) F(u64, grant, 0)
#define NURSERY_SPAWN_EV_FIELDS(F)	/* fds: account directory, channel */ \
	F(u64, grant, 0) F(u32, uid, 0) F(u32, gid, 0)			\
	F(u64, octets, 0) F(u64, messages, 0)	/* its quota, conf/quota.h */
#define NURSERY_EXIT_EV_FIELDS(F)					\
	F(u64, grant, 0) F(u32, status, 0)	/* as of wait(2) */
#define DKIM_SEEN_EV_FIELDS(F)	/* signd dkim: what the DNS has of that key */ \
	F(str, name, 512)	/* as in its FILE_DKIM_NEXT */		\
	F(u8, seen, 0)		/* enum dkim_seen */
#define ACCOUNT_CREATE_FIELDS(F)	/* authd: make the directory */	\
	F(u32, account, 0)
#define ACCOUNT_CREATE_R_FIELDS(F)					\
	F(u8, ok, 0) F(str, error, 256)
#define ACCOUNT_HIGHEST_EV_FIELDS(F)	/* to authd: of the store's numbers */ \
	F(u8, known, 0)		/* 0: the store cannot be read */	\
	F(u32, account, 0)	/* 0: it is empty */

#define CTL_HELLO_EV_FIELDS(F)	/* the first message to mailctl */	\
	F(str, build, 64) F(u32, release, 0)

#define ACCOUNT_STATE_FIELDS(F)	/* authd: it was disabled, deleted, enabled */ \
	F(u32, account, 0) F(u8, closed, 0)
#define ACCOUNT_STATE_R_FIELDS(F) /* 0: deliver did not answer in time */ \
	F(u8, ok, 0)
#define ACCOUNT_CLOSED_EV_FIELDS(F) /* all that are closed, in parts */	\
	F(u8, first, 0) F(u8, last, 0)					\
	F(blob, accounts, 14336)	/* list of item_account */
#define ACCOUNT_CLOSE_FIELDS(F)	/* let go of them, defer their mail */	\
	F(u8, first, 0)		/* and no others are closed so far */	\
	F(blob, accounts, 14336)	/* list of item_account */
#define ACCOUNT_CLOSE_R_FIELDS(F)					\
	F(u8, ok, 0)
#define ACCOUNT_OPEN_EV_FIELDS(F)					\
	F(u32, account, 0)

#define CTL_RUN_FIELDS(F)	/* args: list of item_arg; fd: the file of */ \
	/* store export */						\
	F(blob, args, 12288)
#define CTL_RUN_R_FIELDS(F)	/* code: sysexits */			\
	F(u8, code, 0) F(str, text, 4096)
#define CTL_ROW_EV_FIELDS(F)	/* cells: list of item_cell */		\
	F(u32, ask, 0) F(blob, cells, 14336)
#define MAIN_RUN_FIELDS(F)						\
	F(u32, uid, 0) F(blob, args, 12288)
#define MAIN_RUN_R_FIELDS(F)						\
	F(u8, code, 0) F(str, text, 4096)
#define MAIN_ROW_EV_FIELDS(F)						\
	F(u32, ask, 0) F(blob, cells, 14336)

#define AUTH_LOGIN_FIELDS(F)						\
	F(u64, conn, 0) F(u8, protocol, 0) F(addr, peer, 0)		\
	F(str, user, 512) F(str, password, 1024)
#define AUTH_LOGIN_R_FIELDS(F)	/* result: enum auth_result */		\
	F(u8, result, 0) F(u32, account, 0) F(str, user, 512)		\
	F(u32, wait_ms, 0)	/* answer the client after so long */
#define AUTH_OFFER_EV_FIELDS(F)	/* 1: it may be offered */		\
	F(u8, scram, 0)							\
	F(u8, token, 0)		/* OAUTHBEARER, XOAUTH2 */
#define AUTH_STEP_FIELDS(F)	/* a response of SCRAM-SHA-256; first: it */ \
	/* begins an exchange, with what binds it to conn's TLS ("": not, and */ \
	/* then no -PLUS was offered) */				\
	F(u64, conn, 0) F(u8, protocol, 0) F(addr, peer, 0)		\
	F(u8, first, 0)							\
	F(u8, plus, 0)		/* 1: of SCRAM-SHA-256-PLUS */		\
	F(blob, response, 2048)						\
	F(blob, exporter, 64)	/* tls-exporter (RFC 9266) */		\
	F(blob, endpoint, 64)	/* tls-server-end-point (RFC 5929) */
#define AUTH_STEP_R_FIELDS(F)	/* AUTH_MORE: say the challenge, and ask */ \
	/* again with what the client answers */			\
	F(u8, result, 0) F(u32, account, 0) F(str, user, 512)		\
	F(u32, wait_ms, 0) F(blob, challenge, 2048)
#define AUTH_TOKEN_FIELDS(F)	/* user "": whom the token names */	\
	F(u64, conn, 0) F(u8, protocol, 0) F(addr, peer, 0)		\
	F(str, user, 512) F(str, token, 9216)
#define AUTH_TOKEN_R_FIELDS(F)						\
	F(u8, result, 0) F(u32, account, 0) F(str, user, 512)		\
	F(u32, wait_ms, 0)
#define AUTH_CERT_FIELDS(F)	/* the client proved its key in TLS; user */ \
	/* "": whose certificate it is */				\
	F(u64, conn, 0) F(u8, protocol, 0) F(addr, peer, 0)		\
	F(str, user, 512)						\
	F(mac, fingerprint, 0)	/* SHA-256 of the certificate */
#define AUTH_CERT_R_FIELDS(F)						\
	F(u8, result, 0) F(u32, account, 0) F(str, user, 512)		\
	F(u32, wait_ms, 0)
#define AUTH_CLOSE_EV_FIELDS(F)	/* forget what conn proved */		\
	F(u64, conn, 0)
#define DIR_SENDER_FIELDS(F)	/* may conn send as this address? */	\
	/* DIR_UNKNOWN: it is not of our domains */			\
	F(u64, conn, 0) F(str, address, 330)
#define DIR_SENDER_R_FIELDS(F)	/* token: mac for signd, see cap.h */	\
	F(u8, result, 0) F(u32, account, 0) F(str, domain, 255)		\
	F(u64, expires, 0) F(mac, token, 0)
#define DIR_RCPT_FIELDS(F)						\
	F(u64, conn, 0) F(addr, peer, 0) F(str, address, 330)		\
	F(u64, size, 0)		/* declared by SIZE=, or 0 */
#define DIR_RCPT_R_FIELDS(F)	/* routes: list of item_route */	\
	F(u8, result, 0) F(str, address, 330) F(blob, routes, 12288)	\
	F(mac, cap, 0)
#define DIR_FULL_EV_FIELDS(F)	/* queue: deliver found it (almost) full */ \
	F(u32, account, 0)						\
	F(u64, size, 0)		/* with a message of so many octets; 0: */ \
	F(u8, percent, 0)	/* so much of it is used, see conf/quota.h */
#define DIR_ADDRESS_FIELDS(F)	/* queue: the address of an account */	\
	F(u32, account, 0)
#define DIR_ADDRESS_R_FIELDS(F)	/* DIR_OK, DIR_UNKNOWN, DIR_TEMP */	\
	F(u8, result, 0) F(str, address, 330)
#define DIR_QUOTA_EV_FIELDS(F)	/* to queue: of an account, conf/quota.h; */ \
	/* account 0: here come all that have not the default */	\
	F(u32, account, 0) F(u64, octets, 0) F(u64, messages, 0)
#define AUTH_REVOKED_EV_FIELDS(F)	/* its logins are over; a new */ \
	/* queue hears first of all that may not send */		\
	F(u32, account, 0) F(u8, why, 0)	/* enum auth_revoked */
#define GUARD_SENT_EV_FIELDS(F)	/* queue: a message of conn is on disk */ \
	F(u64, conn, 0) F(u32, account, 0)				\
	F(u32, recipients, 0)	/* that are outside themselves */
#define HASH_VERIFY_FIELDS(F)						\
	F(str, password, 1024) F(str, hash, 256)
#define HASH_VERIFY_R_FIELDS(F)						\
	F(u8, ok, 0)
#define HASH_MAKE_FIELDS(F)	/* salt "": no keys of SCRAM */		\
	F(str, password, 1024) F(blob, salt, 64) F(u32, count, 0)
#define HASH_MAKE_R_FIELDS(F)	/* keys: 1, stored and server are there */ \
	F(u8, ok, 0) F(str, hash, 256)					\
	F(u8, keys, 0) F(mac, stored, 0) F(mac, server, 0)
#define HASH_KEYS_FIELDS(F)	/* of SCRAM-SHA-256 */			\
	F(str, password, 1024) F(blob, salt, 64) F(u32, count, 0)
#define HASH_KEYS_R_FIELDS(F)						\
	F(u8, ok, 0) F(mac, stored, 0) F(mac, server, 0)
#define HASH_TOKEN_FIELDS(F)						\
	F(str, token, 9216)
#define HASH_TOKEN_R_FIELDS(F)	/* ok: user is whom it names; else why not */ \
	F(u8, ok, 0) F(str, user, 512) F(str, why, 128)

#define QUEUE_STATE_EV_FIELDS(F)	/* tells before MAIL: 452 or not */ \
	F(u8, accepting, 0) F(u64, free_bytes, 0)
#define QUEUE_FILE_FIELDS(F)	/* a spool file for a large message */	\
	F(u64, conn, 0)
#define QUEUE_FILE_R_FIELDS(F)						\
	F(u8, result, 0) F(u64, file, 0)
#define QUEUE_DROP_EV_FIELDS(F)	/* that file will not be committed */	\
	F(u64, file, 0)
#define QUEUE_RCPT_EV_FIELDS(F)	/* more recipients than COMMIT holds */	\
	F(id, commit, 0) F(blob, rcpts, 14336)
#define QUEUE_COMMIT_FIELDS(F)	/* fd: sealed memfd, message then facts; */ \
	/* without fd: file, or, 0, the QUEUE_BODY_EV that came just before */ \
	/* with this commit.  rcpts: list of item_rcpt */		\
	F(id, commit, 0) F(u64, conn, 0) F(u64, file, 0)		\
	F(str, sid, 32)		/* id of the message in the log */	\
	F(str, sender, 330) F(u8, flags, 0)	/* QF_ */		\
	F(u32, account, 0)	/* who submitted it, 0 from outside */	\
	F(u64, size, 0) F(u32, facts, 0)	/* octets of each there */ \
	F(blob, trace, 4096)	/* Received, Authentication-Results */	\
	F(blob, ticket, 512)	/* of signd, empty: not to be signed */	\
	F(str, folder, 255)	/* mailbox for local copies, "" INBOX */ \
	F(blob, rcpts, 8192)						\
	F(u32, crc, 0)		/* CRC-32C of all that is in file */	\
	F(u64, sent, 0)		/* now_ms() of then: see COMMIT_LATE; or 0 */
#define QUEUE_COMMIT_R_FIELDS(F)	/* result: enum queue_result */	\
	F(u8, result, 0) F(str, id, 32) F(str, text, 256)
#define QUEUE_REPORT_FIELDS(F)	/* a report on its way; fd: sealed memfd, */ \
	/* message then facts.  queue asks authd for the route and signd for */ \
	/* the ticket itself, as for its own reports; reports.from sends it */ \
	F(id, commit, 0) F(str, sid, 32) F(str, rcpt, 330)		\
	F(u64, size, 0) F(u32, facts, 0)	/* octets of each in fd */ \
	F(mac, bodyhash, 0) F(mac, fromhash, 0)	/* as in SIGN_TICKET */
#define QUEUE_REPORT_R_FIELDS(F)	/* result: enum queue_result; */ \
	/* QUEUE_REFUSED: nobody may be told there; else try again */	\
	F(u8, result, 0) F(str, id, 32) F(str, text, 256)
#define QUEUE_KNOWN_FIELDS(F)	/* after a restart: is it on disk? */	\
	F(id, commit, 0)
#define QUEUE_KNOWN_R_FIELDS(F)						\
	F(u8, known, 0) F(str, id, 32)

#define QUEUE_BODY_EV_FIELDS(F)	/* a small message, facts behind it */	\
	F(id, commit, 0) F(blob, body, 14336)
#define DELIVER_BODY_EV_FIELDS(F)	/* as in QUEUE_BODY_EV */	\
	F(blob, body, 14336)
#define DELIVER_MSG_FIELDS(F)	/* fd: message at 0, facts behind it; */ \
	/* without: the DELIVER_BODY_EV just before has both.  Never */	\
	/* without to report-in */					\
	F(str, sid, 32) F(str, sender, 330)				\
	F(u64, offset, 0) F(u64, size, 0) F(u32, facts, 0)		\
	F(u64, received, 0)	/* seconds UTC, becomes INTERNALDATE */	\
	F(u8, maybe_done, 0)	/* look the delivery id up first */	\
	F(str, folder, 255) F(blob, trace, 4096)			\
	F(blob, targets, 10240)	/* list of item_target */
#define DELIVER_MSG_R_FIELDS(F)	/* list of item_result */		\
	F(blob, results, 14336)
#define DELIVER_FORGET_EV_FIELDS(F)	/* list of item_target */	\
	F(blob, targets, 14336)
/* ms in which a RELAY_MSG of so many octets is answered; relay sends no end
 * of a message that could be answered for later. */
#define RELAY_MS(size)	(3600000 + ((size) < INT32_MAX / 2 ? (size) :	\
    INT32_MAX / 2))
#define RELAY_MSG_FIELDS(F)	/* fd: message at offset */		\
	F(str, sid, 32) F(str, sender, 330) F(str, domain, 255)		\
	F(u64, offset, 0) F(u64, size, 0) F(u8, flags, 0)	/* QF_ */ \
	F(blob, trace, 4096) F(blob, ticket, 512)			\
	F(blob, targets, 9216)	/* list of item_rcptto */		\
	F(u32, facts, 0)	/* octets of them behind the message */
#define RELAY_MSG_R_FIELDS(F)	/* list of item_result */		\
	F(blob, results, 14336)
/* What is certain of a RELAY_MSG (its id) while others of it are asked for at
 * the next host; the answer has it again. */
#define RELAY_SAID_EV_FIELDS(F)						\
	F(u32, ask, 0) F(blob, results, 14336)	/* list of item_result */

/*
 * One message from outside that was judged, and has a DMARC record with rua
 * or ruf, or failed while reports.failure-copy is set.
 */
#define REPORT_MAIL_EV_FIELDS(F)					\
	F(str, sid, 32) F(addr, peer, 0)				\
	F(str, sender, 330)	/* MAIL FROM, "" the null sender */	\
	F(str, rcpt, 330)	/* the first one */			\
	F(str, author, 253)	/* domain of From: */			\
	F(str, at, 253)		/* domain of the DMARC record */	\
	F(str, record, 2048)	/* its text, "" none */			\
	F(u8, policy, 0)	/* enum dmarc_policy, before t= */	\
	F(u8, dmarc, 0)		/* enum dmarc_result */			\
	F(u8, spf_aligned, 0) F(u8, dkim_aligned, 0)			\
	F(u8, disposition, 0)	/* enum report_disposition */		\
	F(u8, override, 0)	/* enum report_override */		\
	F(str, comment, 128)	/* to the override, "" none */		\
	F(u8, spf, 0)		/* enum spf_result */			\
	F(u8, spf_helo, 0)	/* of HELO, not of MAIL FROM */		\
	F(str, spf_domain, 253)						\
	F(blob, dkim, 2048)	/* list of item_dkim */			\
	F(blob, header, 7168)	/* for a failure report; "" none wanted */

#define DNS_ASK_FIELDS(F)						\
	F(str, name, 255) F(u16, type, 0)				\
	F(u64, whom, 0)		/* the connection or message it is for */
#define DNS_OVER_EV_FIELDS(F)	/* nobody waits any more for whom */	\
	F(u64, whom, 0)
#define DNS_ASK_R_FIELDS(F)	/* status: enum dns_status (parse/rr.h) */	\
	F(u8, status, 0) F(u8, secure, 0) F(u32, ttl, 0)		\
	F(str, cname, 255) F(blob, rrs, 15360)	/* list of item_rr */

#define SIGN_TLS_FIELDS(F)	/* TLS server handshake text, net/tlskey.h */ \
	F(mac, spki, 0) F(u8, version, 0) F(u8, padding, 0)		\
	F(u16, digest, 0) F(blob, text, 1024)
#define SIGN_TLS_R_FIELDS(F)						\
	F(u8, ok, 0) F(blob, sig, 1024)
#define SIGN_TICKET_FIELDS(F)	/* token: authd's DIR_SENDER_R */	\
	F(u64, conn, 0) F(str, domain, 255) F(u32, account, 0)		\
	F(u64, expires, 0) F(mac, token, 0)				\
	F(mac, bodyhash, 0)	/* SHA-256, relaxed body */		\
	F(mac, fromhash, 0)	/* SHA-256, relaxed From: field */	\
	F(u8, has7, 0)							\
	F(mac, bodyhash7, 0)	/* as bodyhash, of what parse/downgrade.h makes */
#define SIGN_TICKET_R_FIELDS(F)						\
	F(u8, result, 0) F(blob, ticket, 512)
#define SIGN_DKIM_FIELDS(F)	/* headers: raw fields, in order; or fd: */ \
	/* a file that has them at offset, size octets */		\
	F(blob, ticket, 512) F(blob, headers, 14336)			\
	F(u64, offset, 0) F(u32, size, 0)				\
	F(u8, form, 0)		/* enum sign_form */
#define SIGN_DKIM_R_FIELDS(F)	/* signature: whole fields with CRLF */	\
	F(u8, result, 0) F(blob, signature, 8192)

#define STORE_RUN_FIELDS(F)	/* fd: what is written to or read from */ \
	F(u8, job, 0)		/* enum store_job */			\
	F(u64, from, 0) F(u64, to, 0)	/* seconds UTC, 0: open */	\
	F(str, arg, 512)
#define STORE_RUN_R_FIELDS(F)	/* code: sysexits */		\
	F(u8, code, 0) F(str, text, 4096)				\
	F(u8, due, 0)		/* enum store_job, what should follow */
#define STORE_ROW_EV_FIELDS(F)	/* cells: list of item_cell */		\
	F(blob, cells, 14336)

/* Items of lists in blobs, a u16 with the length of its fields before each:
 * I(NAME, name) with NAME_FIELDS */
#define ITEM_LIST(I)							\
	I(ITEM_ARG, item_arg)						\
	I(ITEM_CELL, item_cell)						\
	I(ITEM_ROUTE, item_route)					\
	I(ITEM_RCPT, item_rcpt)						\
	I(ITEM_TARGET, item_target)					\
	I(ITEM_RCPTTO, item_rcptto)					\
	I(ITEM_RESULT, item_result)					\
	I(ITEM_RR, item_rr)						\
	I(ITEM_DKIM, item_dkim)						\
	I(ITEM_ACCOUNT, item_account)

#define ITEM_ARG_FIELDS(F)						\
	F(str, text, 8192)
#define ITEM_CELL_FIELDS(F)	/* type: 's' string, 'b' bool, 't' as 's', */ \
	/* but no column, 'n' number ("": none); 'p' alone in a row: how far */ \
	/* it is, shown while it lasts and not kept */			\
	F(u8, type, 0) F(str, name, 64) F(str, value, 8192)
#define ITEM_ROUTE_FIELDS(F)	/* type: enum route_type */		\
	F(u8, type, 0) F(u32, account, 0) F(str, address, 330)
#define ITEM_RCPT_FIELDS(F)	/* one RCPT with authd's answer */	\
	F(str, address, 330) F(blob, routes, 8192) F(mac, cap, 0)
#define ITEM_TARGET_FIELDS(F)	/* id: delivery id */			\
	F(u32, index, 0) F(id, id, 0) F(u32, account, 0) F(str, address, 330) \
	F(u64, octets, 0) F(u64, messages, 0)	/* its quota, conf/quota.h */
#define ITEM_RCPTTO_FIELDS(F)						\
	F(u32, index, 0) F(str, address, 330)
#define ITEM_RESULT_FIELDS(F)	/* result: enum delivery_result */	\
	F(u32, index, 0) F(u8, result, 0) F(str, status, 12)		\
	F(str, mta, 255) F(str, text, 512)				\
	F(u8, percent, 0)	/* of its quota that is used, after that */ \
	F(u8, warn, 0)		/* its owner is to be told, of so many; 0 no */
#define ITEM_RR_FIELDS(F)	/* data: in the form parse/rr.h says */	\
	F(u16, type, 0) F(u16, pref, 0) F(blob, data, 8192)
#define ITEM_DKIM_FIELDS(F)	/* enum dkim_result, verify/verify.h */	\
	F(u8, result, 0) F(str, domain, 253)				\
	F(str, selector, 253) F(str, algorithm, 15)

#define ITEM_ACCOUNT_FIELDS(F)						\
	F(u32, account, 0)

enum auth_result { AUTH_OK, AUTH_BAD, AUTH_TEMP,
	AUTH_MORE		/* of AUTH_STEP alone: not yet */
};
/* Why what an account proved is over. */
enum auth_revoked {
	REVOKED_DISABLED,	/* queue holds what it still has of it */
	REVOKED_DELETED,	/* so here */
	REVOKED_PASSWORD,	/* a new one; not for queue */
	REVOKED_OVER,		/* enabled again; for queue alone */
	REVOKED_BEGIN,		/* account 0, for queue: here come all, */
	REVOKED_END		/* and who was not named is enabled */
};
enum dir_result {
	DIR_OK, DIR_UNKNOWN,	/* 550 5.1.1 */
	DIR_DENIED,		/* 550 5.7.1 relaying, or not your address */
	DIR_FULL,		/* 452 4.2.2 */
	DIR_TEMP,		/* 451 4.3.0 */
	DIR_LIMIT,		/* 452 4.7.1: too many outside for now */
	DIR_SMALL		/* 552 5.2.3: no mailbox there ever holds it */
};
enum route_type { ROUTE_LOCAL, ROUTE_REMOTE,
	ROUTE_REPORT		/* to report-in; account 0 */
};
enum queue_result {
	QUEUE_OK, QUEUE_IO,	/* 451 4.3.0 */
	QUEUE_FULL,		/* 452 4.3.1 */
	QUEUE_REFUSED,		/* a recipient without a capability */
	QUEUE_LIMIT		/* 452 4.7.28: its account's too many wait */
};
/* What became of it (RFC 9990 3.1.1.8), and why not what the policy says. */
enum report_disposition { REPORT_NONE, REPORT_QUARANTINE, REPORT_REJECT };
enum report_override {
	OVERRIDE_NONE,
	OVERRIDE_LOCAL_POLICY, OVERRIDE_TRUSTED_FORWARDER,
	OVERRIDE_POLICY_TEST_MODE
};
/* What store is to do with an account. */
enum store_job {
	JOB_NONE,
	JOB_CHECK,		/* read all, say what is wrong */
	JOB_REBUILD,		/* make index and facts again */
	JOB_RESTORED,		/* numbers leap, an older copy was put back */
	JOB_EXPORT,		/* to fd; arg: of that mailbox alone, as mbox */
	JOB_COMPACT,		/* give back what space can be given back */
	JOB_UNDELETE,		/* bring back what went from from to to */
	JOB_ROUND		/* of each day: what is due, as a rule nothing */
};
/* Of which form of the message a signature is. */
enum sign_form { SIGN_AS_IT_CAME, SIGN_7BIT };
enum delivery_result { DELIVERY_OK, DELIVERY_TEMP, DELIVERY_PERM };
enum conf_file_kind {
	FILE_TLS_CHAIN,		/* PEM chain of conf->cert[index] */
	FILE_TLS_KEY,		/* its private key (signd tls) */
	FILE_DKIM_KEY,		/* name "DOMAIN/SELECTOR" (signd dkim) */
	FILE_CA,		/* PEM bundle (relay) */
	FILE_PASSWORD,		/* smarthost password (relay) */
	FILE_SOURCES,		/* memory that a front's processes share
				 * (net/conn.h) */
	FILE_DKIM_NEXT,		/* a FILE_DKIM_KEY not yet to sign with */
	FILE_STORE,		/* directories.store, the nursery's bounds */
	FILE_TOKEN_KEYS		/* JWK set (authd-hash) */
};
enum conf_secret_kind {
	SECRET_RCPT,		/* authd and queue: recipients */
	SECRET_SENDER,		/* authd and signd dkim: sender tokens */
	SECRET_TICKET,		/* signd dkim: tickets; kept over restarts */
	SECRET_TLS		/* a front: session tickets, of its service;
				 * again when there is a new one
				 * (net/tlsticket.h) */
};
/* What the DNS has where the record of a waiting key belongs. */
enum dkim_seen {
	SEEN_NONE,		/* nothing */
	SEEN_OTHER,		/* not the record of this key */
	SEEN_MANY,		/* several records */
	SEEN_TEMP,		/* it gives no answer */
	SEEN_KEY		/* the record */
};
#define QF_8BIT		0x01	/* the message has octets > 127 */
#define QF_SUBMITTED	0x02	/* came by submission */
#define QF_DSN		0x04	/* made by queue itself */

enum msg_type {		/* within one program: never on the wire */
#define M(NAME, name, chan, no, side, flags) NAME,
	MSG_LIST(M)
#undef M
	MSG_TYPE_MAX
};

#define FT_u8 uint8_t
#define FT_u16 uint16_t
#define FT_u32 uint32_t
#define FT_u64 uint64_t
#define FT_mac struct msg_mac
#define FT_id struct msg_id
#define FT_addr struct msg_addr
#define FT_str struct slice
#define FT_blob struct slice
#define F(type, name, max) FT_##type name;
#define M(NAME, name, chan, no, side, flags) struct name { NAME##_FIELDS(F) };
MSG_LIST(M)
#undef M
#define I(NAME, name) struct name { NAME##_FIELDS(F) };
ITEM_LIST(I)
#undef I
#undef F

/* A decoded body of any message; slices point into the receive buffer and
 * are good until the handler returns. */
union msg_body {
#define M(NAME, name, chan, no, side, flags) struct name name;
	MSG_LIST(M)
#undef M
};

struct msghdr;

struct msg {			/* one message as received */
	enum msg_type	 type;
	uint32_t	 id;		/* of an ask and its answer, else 0 */
	int		 fd[MSG_MAXFD];	/* -1: none; taken by setting to -1 */
	union msg_body	*body;
};

struct msg_info {
	const char	*name;
	enum chan_kind	 chan;
	enum chan_side	 sender;
	uint16_t	 number;	/* on the wire */
	unsigned int	 flags;
	ssize_t		(*put)(uint8_t *, size_t, const void *);
	int		(*get)(const uint8_t *, size_t, void *);
};
extern const struct msg_info msg_info[MSG_TYPE_MAX];

/* Encode a message with its header into buf of MSG_MAX octets.  Returns the
 * length, or -1 when a field is longer than its maximum. */
ssize_t	 msg_encode(uint8_t *buf, enum msg_type, uint32_t id,
	    const void *body);
/* Check and decode a packet of n octets that side `from' of a channel of
 * that kind sent with nfd descriptors.  Fills type, id and *body (m->body
 * must point to one).  Returns 0, or -1 with *why saying what was wrong. */
int	 msg_decode(const uint8_t *buf, size_t n, enum chan_kind,
	    enum chan_side from, int nfd, struct msg *m, const char **why);

/* Blocking send and receive of one message, for programs without an event
 * loop and for start-up.  msg_recv: buf has MSG_MAX octets and backs the
 * slices of m; timeout_ms -1 waits for ever.  Return 1, 0 at end of file,
 * -1 with errno (EBADMSG: not permitted; ETIMEDOUT).  Descriptors received
 * are close-on-exec. */
int	 msg_send(int sock, enum msg_type, uint32_t id, const void *body,
	    const int *fds, int nfd);
int	 msg_recv(int sock, enum chan_kind, enum chan_side from, uint8_t *buf,
	    struct msg *m, int timeout_ms);
/* The descriptors of a received packet into m->fd; returns how many came.
 * The control buffer of MSG_MAXFD has room for one more, for alignment: what
 * is too much is closed. */
int	 msg_take_fds(struct msghdr *, struct msg *m);
void	 msg_close_fds(struct msg *);

/* Lists in blobs.  put: append an item at *off of buf (size bytes), returns
 * 0 or -1 when it does not fit.  get: read the item at *off of the slice,
 * returns 1, 0 at the end, -1 when damaged; one without any field is. */
#define I(NAME, name)							\
int	 name##_put(uint8_t *buf, size_t size, size_t *off, const struct name *); \
int	 name##_get(struct slice, size_t *off, struct name *);
ITEM_LIST(I)
#undef I

#endif
