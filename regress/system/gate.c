/*
 * Stands in place of a program of the house and runs it, unless a file says
 * that this one is broken now: GATE/broken/NAME.  Used by t_absent.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int
main(int argc, char *argv[], char *envp[])
{
	const char *name = strrchr(argv[0], '/');
	char path[1000];

	name = name == NULL ? argv[0] : name + 1;
	snprintf(path, sizeof(path), "%s/broken/%s%s%s", GATE, name,
	    argc > 1 && strcmp(name, "signd") == 0 ? "-" : "",
	    argc > 1 && strcmp(name, "signd") == 0 ? argv[1] : "");
	if (access(path, F_OK) == 0)
		return 1;
	snprintf(path, sizeof(path), "%s/%s", PROGRAMS, name);
	execve(path, argv, envp);
	return 127;
}
