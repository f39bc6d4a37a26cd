/* Sessions under test: see serve.c. */
#ifndef SERVE_H
#define SERVE_H

struct conf;
/* -1: not asked to serve; else the exit status. */
int	 serve(int argc, char **argv, int (*)(int, const struct conf *));

#endif
