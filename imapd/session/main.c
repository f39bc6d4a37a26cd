/*
 * imap-session: the program.  maild starts it as nursery; sessions are its
 * forks (common/nursery.c).
 */
#include "compat.h"

#include <sys/types.h>

#include "parse.h"
#include "imap_parse.h"
#include "msg.h"
#include "chan.h"
#include "proc.h"
#include "session.h"
#include "frames.h"
#include "nursery.h"
#include "store.h"
#include "imapd/session/imap.h"

int
main(int argc, char *argv[])
{
	return nursery_main(ROLE_IMAP_NURSERY, ROLE_IMAP_SESSION,
	    session_main, argc, argv);
}
