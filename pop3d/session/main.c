/*
 * pop3-session: the program.  maild starts it as nursery; sessions are its
 * forks (common/proc/nursery.c).
 */
#include "base/compat.h"

#include <sys/types.h>

#include "msg/chan.h"
#include "msg/msg.h"
#include "msg/session.h"
#include "proc/nursery.h"
#include "proc/proc.h"
#include "net/frames.h"
#include "store/store.h"
#include "pop3d/session/pop3.h"

int
main(int argc, char *argv[])
{
	return nursery_main(ROLE_POP3_NURSERY, ROLE_POP3_SESSION,
	    session_main, argc, argv);
}
