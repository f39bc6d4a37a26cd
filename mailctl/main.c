/*
 * mailctl: the program.  What its command line says; mailctl.c asks maild,
 * verify.c has the commands that need none.
 */
#include "base/compat.h"

#include <err.h>
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
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	static char alone[] = "-V", *const version[] = { alone, alone };
	const char *path = MAILD_RUNDIR "/maild.sock";
	char password[PASSWORD_SIZE];
	bool json = false, flagged;
	const char *name;
	int ch, s, status, file;

	stdio_open();
	while ((ch = getopt_long(argc, argv, "+s:jhV", options, NULL)) != -1)
		switch (ch) {
		case 's':
			path = optarg;
			break;
		case 'j':
			json = true;
			break;
		case 'V':
			build_version("mailctl", 2, version);
			return EX_SOFTWARE;
		case 'h':
			words_help(stdout, NULL);
			return EX_OK;
		default:
			words_option(argv[optind - 1]);
			return EX_USAGE;
		}
	argc -= optind;
	argv += optind;
	json = words_json(&argc, argv) || json;
	if (argc == 0) {
		words_help(stderr, NULL);
		return EX_USAGE;
	}
	if (words_ask_help(argc, argv))
		return EX_OK;
	if (verify_is_command(argv[0]))
		return verify_command(argc, argv, json);
	if (strcmp(argv[0], "reports") == 0)
		order_options(argc, argv);
	if (follow_is_command(argc, argv))
		return follow_command(path, argc, argv, json);
	flagged = password_flag(&argc, argv);
	name = file_take(&argc, argv, &file);
	s = control_connect(path);
	if (send_command(s, argc, argv, password_get(argc, argv, flagged,
	    password) ? password : NULL, file) == -1)
		err(EX_UNAVAILABLE, "asking maild");
	explicit_bzero(password, sizeof(password));
	status = answer_print(s, json);
	file_done(name, file, status);
	if (status == EX_USAGE || status == EX_DATAERR)
		words_suggest(argc, argv);
	if (status == 0 && strcmp(argv[0], "stop") == 0)
		wait_gone(s);
	return status;
}
