/* Sessions under test: see nursery_play.c. */
#ifndef NURSERY_PLAY_H
#define NURSERY_PLAY_H

struct conf;
/* -1: not asked to serve; else the exit status. */
int	 nursery_play(int argc, char **argv, int (*)(int, const struct conf *));

#endif
