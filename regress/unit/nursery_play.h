/* Sessions under test: see nursery_play.c. */
#ifndef NURSERY_PLAY_H
#define NURSERY_PLAY_H

#include "proc/nursery.h"

/* -1: not asked to serve; else the exit status. */
int	 nursery_play(int argc, char **argv, nursery_fn);

#endif
