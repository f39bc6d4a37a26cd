/*
 * mailctl: what its files share.
 *
 * Layers, lowest first; a file calls those before it:
 *	zone lookup table password words verify file mailctl follow
 */
#ifndef MAILCTL_H
#define MAILCTL_H

#include <stdbool.h>
#include <stdio.h>

#include "base/slice.h"
#include "msg/msg.h"

/* ---- table.c ------------------------------------------------------------- */

/* A table of rows as they come from the control socket. */
struct table *table_new(bool json);
/* Add the row of item_cell in cells.  0, -1 damaged. */
int	 table_add(struct table *, struct slice cells);
/* Print it: aligned columns, bold head on a terminal; or a JSON array.  A
 * table with one column is printed as plain lines.  Frees it. */
void	 table_print(struct table *);
/* Print its rows without a head, a line each: the values, or a JSON object.
 * Frees it. */
void	 table_lines(struct table *);
bool	 table_is_empty(const struct table *);
/* Lines of text and a newline, safe for a terminal as a table's cells are. */
void	 text_print(FILE *, struct slice);
/* Has it no controls, so that a terminal may show it as it is? */
bool	 text_is_plain(struct slice);
void	 table_free(struct table *);

/* ---- password.c: a password that is no argument ------------------------- */

#define PASSWORD_SIZE	258	/* octets of a line with CR, and a NUL */

/* Take --password-stdin out of a command's words; was it there?  The program
 * ends when it is not for that command. */
bool	 password_flag(int *argc, char **argv);
/*
 * The password for account add or passwd with no other words than the
 * address: asked for on a terminal, else the first line of standard input.
 * false: the command wants none, or standard input is a device such as
 * /dev/null (but not with --password-stdin): maild makes one up.  The program
 * ends when what came is none: 1 to 255 octets of UTF-8.  The caller wipes it.
 */
bool	 password_get(int argc, char **argv, bool flagged,
	    char buf[PASSWORD_SIZE]);

/* ---- file.c: the file of store export ------------------------------------ */

/* Take it out of a command's words and make it, into *fd: its name, or NULL
 * and -1, when there is none.  The program ends when it cannot be made, as
 * when it is there. */
const char *file_take(int *argc, char **argv, int *fd);
/* The command has ended so; path may be NULL. */
void	 file_done(const char *path, int fd, int status);

/* ---- words.c: the commands by name --------------------------------------- */

/* What a command is used like; NULL or one that is none: all of them. */
void	 words_help(FILE *, const char *name);
/* Take --json out of a command's words; was it there? */
bool	 words_json(int *argc, char **argv);
/* "help [COMMAND]" and "COMMAND ... --help": answered, true. */
bool	 words_ask_help(int argc, char *const *argv);
/* An option before the command was refused: what may have been meant, on
 * standard error. */
void	 words_option(const char *word);
/* A command was refused: say on standard error what may have been meant, if
 * its words are like others that there are. */
void	 words_suggest(int argc, char *const *argv);

/* ---- mailctl.c: asking maild; the program ends when that cannot be ------- */

/* What of standard input, output and error is closed becomes /dev/null: the
 * control socket would take its place. */
void	 stdio_open(void);
/* The control socket at path; -1 with errno.  With its maild's build told. */
int	 control_try(const char *path);
/* The same, or the program ends. */
int	 control_connect(const char *path);
/* Options of a command of reports go behind its words. */
void	 order_options(int argc, char **argv);
/* password: behind the words, NULL none; fd: goes with them, -1 none.  0, or
 * -1 with errno. */
int	 send_command(int s, int argc, char **argv, const char *password,
	    int fd);
/* Rows into the table until the end, whose text is good until the next
 * message.  1, 0 it was closed before, -1 with errno. */
int	 answer_read(int s, struct table *, struct ctl_run_r *end);
/* Prints what comes; the exit status. */
int	 answer_print(int s, bool json);
/* maild was told to stop: until it has ended. */
void	 wait_gone(int s);

/* ---- follow.c: log -f ---------------------------------------------------- */

/* Is it that?  -f may stand anywhere behind log. */
bool	 follow_is_command(int argc, char *const *argv);
/* Print lines as they come, over the end of logd and of maild, until a signal
 * or until nobody reads them; the exit status. */
int	 follow_command(const char *path, int argc, char **argv, bool json);

#endif
