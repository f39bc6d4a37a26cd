/*
 * imap-session: the program.  maild starts it as nursery; sessions are its
 * forks (common/proc/nursery.c).
 */
#include "base/compat.h"

#include <sys/types.h>

#include "parse/imap_parse.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "proc/nursery.h"
#include "proc/proc.h"
#include "net/frames.h"
#include "store/store.h"
#include "imapd/session/imap.h"

int
main(int argc, char *argv[])
{
	return nursery_main(ROLE_IMAP_NURSERY, ROLE_IMAP_SESSION,
	    session_main, argc, argv);
}
