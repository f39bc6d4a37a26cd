/*
 * A program as an open file: run without its path.
 */
#include "base/compat.h"

#ifdef __linux__

#include <sys/syscall.h>

#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "msg/msg.h"
#include "proc/proc.h"

void
program_exec(int fd, char *const *argv, char *const *envp)
{
	(void)syscall(SYS_execveat, fd, "", argv, envp, AT_EMPTY_PATH);
}

#endif
