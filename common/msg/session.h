/*
 * The stream between a front (imapd, pop3d) and its session: packets over
 * SOCK_SEQPACKET, at most MSG_MAX octets: u8 type, then the payload.
 *
 *   START  front -> session  first packet: list of item_arg key, value pairs:
 *          tag, user, host, remote, tls (0/1), conn (as the log has it),
 *          account (its number), parked (1: PARK follows)
 *   DATA   both   octets of the client's stream (clear text, whole); of a
 *          session: up to the end of an answer, for it waits for a command
 *   MORE   session -> front  the same, in the midst of an answer or literal
 *   PARK   session -> front  u64, octets of DATA received so far, u8 flags,
 *          state to be kept (opaque), and maybe a descriptor that is readable
 *          when the session should look again.  If that is all the client
 *          said, the session is over: the front has its end closed, and the
 *          session sees that.  Else DATA has crossed it: the front forgets
 *          PARK, and the session goes on with that.  Nothing else comes
 *          between.
 *          front -> session  the same behind a START with "parked": what was
 *          kept, and the descriptor
 *   COMPRESS  session -> front  u64, octets of DATA received so far, and the
 *          end of the answer, as in DATA: behind both, the client's stream is
 *          DEFLATE (RFC 4978), which the front packs and unpacks; IMAP alone
 *   LEAVE  session -> front  u64, as in COMPRESS, and the end of the answer, as
 *          in DATA: the session ends, and the
 *          client is one who has not logged in (RFC 8437); IMAP alone
 *   CHANGED   never used
 *   QUOTA  maild -> session, through the front's end: the account may hold
 *          so much from now on: u64 octets, u64 messages (conf/quota.h)
 *   BYE    both   the end: front: client gone; session: close after sending,
 *          with it or before it the last octets of the stream
 */
#ifndef SESSION_H
#define SESSION_H

#include "msg/msg.h"

enum session_type {
	SESSION_START = 1, SESSION_DATA, SESSION_PARK, SESSION_COMPRESS,
	SESSION_CHANGED, SESSION_BYE, SESSION_MORE, SESSION_QUOTA,
	SESSION_LEAVE
};
#define SESSION_QUOTA_LEN	17	/* octets of that packet */
#define SESSION_PAYLOAD	(MSG_MAX - 1)
#define SESSION_LEAVE_LEN 9	/* of LEAVE */
#define SESSION_COMPRESS_LEN 9	/* of COMPRESS before its answer */
#define SESSION_PARK_HEAD 10	/* of PARK before its state */
#define SESSION_PARK_MAX 4096	/* of its state */
#define SESSION_PARK_STILL 0x01	/* it may be told that we are still here */
#endif
