/*
 * mailctl: the password of account add and account passwd, where no argument
 * gives it: asked for on a terminal without being shown, read as one line
 * where standard input is a pipe, a file or a socket.  Nobody else sees it:
 * it is in no argument, no environment, no file.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "base/slice.h"
#include "parse/sasl.h"
#include "mailctl/mailctl.h"

#define LINE_SIZE	(SASL_FIELD_MAX + 2)	/* with a CR, and NUL */

static const char flag[] = "--password-stdin", force[] = "--force";

static int words(int, char **);

static bool
wants(int argc, char **argv)
{
	return argc >= 2 && strcmp(argv[0], "account") == 0 &&
	    (strcmp(argv[1], "add") == 0 || strcmp(argv[1], "passwd") == 0);
}

bool
password_flag(int *argc, char **argv)
{
	bool found = false;
	int i, n = 0;

	for (i = 0; i < *argc; i++)
		if (i > 0 && strcmp(argv[i], flag) == 0)
			found = true;
		else
			argv[n++] = argv[i];
	if (found && !wants(n, argv))
		errx(EX_USAGE, "%s is for account add and account passwd",
		    flag);
	if (found && words(n, argv) > 3)
		errx(EX_USAGE, "a password as an argument, and %s: one of "
		    "them", flag);
	*argc = n;
	return found;
}

/*
 * The octets before the next LF, or before the end, without the CR of a CRLF;
 * not one octet behind it is taken, it may be for who reads next.  Their
 * number, size when there are more than fit, -1 with errno.
 */
static ssize_t
line_read(char *buf, size_t size)
{
	size_t n = 0;
	ssize_t r;

	while ((r = read(STDIN_FILENO, &buf[n], 1)) == 1 && buf[n] != '\n')
		if (++n == size)
			return (ssize_t)size;
	if (r == -1)
		return -1;
	if (r == 1 && n > 0 && buf[n - 1] == '\r')
		n--;
	return (ssize_t)n;
}

/* One line as a password, NUL-terminated, or the program ends. */
static void
password_read(char *buf, const char *empty)
{
	ssize_t n = line_read(buf, LINE_SIZE);

	if (n == -1)
		err(EX_NOINPUT, "standard input");
	if (n == 0)
		errx(EX_DATAERR, "%s", empty);
	if (n > SASL_FIELD_MAX)
		errx(EX_DATAERR, "a password has at most %d octets",
		    SASL_FIELD_MAX);
	if (!sasl_field_valid(slice_of(buf, (size_t)n)))
		errx(EX_DATAERR, "a password is UTF-8 without NUL or CR");
	buf[n] = '\0';
}

/* ---- a terminal ---------------------------------------------------------- */

static struct termios shown;		/* as the terminal was */

static void
terminal_restore(void)
{
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
	signal(SIGTSTP, SIG_DFL);
}

/* A terminal that shows nothing more would be all that is left of us. */
static void
on_signal(int sig)
{
	terminal_restore();
	signal(sig, SIG_DFL);
	raise(sig);
}

static void
terminal_hide(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct termios hidden;
	size_t i;

	if (tcgetattr(STDIN_FILENO, &shown) == -1)
		err(EX_OSERR, "terminal");
	for (i = 0; i < NITEMS(signals); i++)
		signal(signals[i], on_signal);
	signal(SIGTSTP, SIG_IGN);
	hidden = shown;
	hidden.c_lflag &= ~(tcflag_t)ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
}

/* A line that is not shown; the program ends when it is no password. */
static void
ask(const char *prompt, char *buf)
{
	ssize_t n;

	fputs(prompt, stderr);
	n = line_read(buf, LINE_SIZE);
	fputc('\n', stderr);
	if (n > 0 && n <= SASL_FIELD_MAX &&
	    sasl_field_valid(slice_of(buf, (size_t)n))) {
		buf[n] = '\0';
		return;
	}
	terminal_restore();
	if (n == 0)
		errx(EX_DATAERR, "an empty password is refused");
	errx(EX_DATAERR, "a password has at most %d octets of UTF-8",
	    SASL_FIELD_MAX);
}

static void
password_ask(char *buf)
{
	char again[LINE_SIZE];

	terminal_hide();
	ask("Password: ", buf);
	ask("Again: ", again);
	terminal_restore();
	if (strcmp(buf, again) != 0)
		errx(EX_DATAERR, "the two differ");
	explicit_bzero(again, sizeof(again));
}

/* -------------------------------------------------------------------------- */

/* Without options, how many words are there? */
static int
words(int argc, char **argv)
{
	int i, n = 0;

	for (i = 0; i < argc; i++)
		n += strcmp(argv[i], force) != 0;
	return n;
}

static bool
password_come(bool flagged, char *buf)
{
	struct stat st;

	if (isatty(STDIN_FILENO)) {
		password_ask(buf);
		return true;
	}
	if (fstat(STDIN_FILENO, &st) == -1)
		err(EX_NOINPUT, "standard input");
	if (!flagged && S_ISCHR(st.st_mode))
		return false;		/* /dev/null */
	password_read(buf, flagged ? "an empty password is refused: the first "
	    "line of standard input is to be the password" : "an empty "
	    "password is refused: standard input is no terminal, and its "
	    "first line is to be the password; to have one made up: "
	    "</dev/null");
	return true;
}

bool
password_get(int argc, char **argv, bool flagged, char buf[PASSWORD_SIZE])
{
	_Static_assert(PASSWORD_SIZE >= LINE_SIZE, "a line fits");
	if (!wants(argc, argv) || words(argc, argv) != 3 ||
	    !password_come(flagged, buf))
		return false;
	if (strcmp(buf, force) == 0)
		errx(EX_DATAERR, "%s is an option and no password", force);
	return true;
}
