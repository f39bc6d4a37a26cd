/*
 * pop3-session: the program.  maild starts it as nursery; sessions are its
 * forks (common/nursery.c).
 */
#include "compat.h"

#include <sys/types.h>

#include "parse.h"
#include "msg.h"
#include "chan.h"
#include "proc.h"
#include "session.h"
#include "frames.h"
#include "nursery.h"
#include "store.h"
#include "pop3d/session/pop3.h"

int
main(int argc, char *argv[])
{
	return nursery_main(ROLE_POP3_NURSERY, ROLE_POP3_SESSION,
	    session_main, argc, argv);
}
