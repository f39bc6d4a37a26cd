/*
 * store: the program.  maild starts it as store-nursery; runs are its forks
 * (common/proc/nursery.c), one for each job, beneath all else that wants the
 * processor.
 */
#include "base/compat.h"

#include <sys/resource.h>
#include <sys/types.h>

#include "base/log.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "proc/nursery.h"
#include "proc/proc.h"
#include "store/store.h"
#include "maild/store/room.h"

#define NICE	10

int
main(int argc, char *argv[])
{
	if (setpriority(PRIO_PROCESS, 0, NICE) == -1)
		log_warn("setpriority");
	return nursery_main(ROLE_STORE_NURSERY, ROLE_STORE, room_main, argc,
	    argv);
}
