/*
 * mailctl: the program.  What its command line says; mailctl.c asks maild,
 * verify.c has the commands that need none.
 */
#include "base/compat.h"

#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "base/build.h"
#include "verify/verify.h"
#include "mailctl/lookup.h"
#include "mailctl/mailctl.h"

int
main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	const char *path = MAILD_RUNDIR "/maild.sock";
	char password[PASSWORD_SIZE];
	bool json = false, flagged;
	int ch, s, status;

	stdio_open();
	build_version("mailctl", argc, argv);
	while ((ch = getopt_long(argc, argv, "+s:jh", options, NULL)) != -1)
		switch (ch) {
		case 's':
			path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'h':
			usage(stdout, 0);
		default:
			usage(stderr, EX_USAGE);
		}
	argc -= optind;
	argv += optind;
	/* --json may stand behind the command too */
	if (argc > 1 && strcmp(argv[argc - 1], "--json") == 0) {
		json = true;
		argc--;
	}
	if (argc == 0)
		usage(stderr, EX_USAGE);
	if (verify_is_command(argv[0]))
		return verify_command(argc, argv, json);
	if (strcmp(argv[0], "reports") == 0)
		order_options(argc, argv);
	flagged = password_flag(&argc, argv);
	s = control_connect(path);
	read_hello(s);
	send_command(s, argc, argv, password_get(argc, argv, flagged,
	    password) ? password : NULL);
	explicit_bzero(password, sizeof(password));
	status = read_answer(s, json);
	if (status == 0 && strcmp(argv[0], "stop") == 0)
		wait_gone(s);
	return status;
}
