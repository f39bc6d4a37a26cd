/*
 * mailctl: its commands by name: what each is used like, and which one was
 * meant by words that are none.  maild decides what there is, it may be of
 * another release; this is asked only after it, or a command here, refused
 * the words.
 */
#include "base/compat.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/near.h"
#include "base/slice.h"
#include "mailctl/mailctl.h"

#define KNOWN_MAX	32	/* words of one command */
#define KNOWN_TEXT	256	/* octets of them */

static const struct noun {
	const char	*name;
	const char	*known;		/* verbs first, then options */
	const char	*usage;		/* "": in the text of another one */
} nouns[] = {
	{ "status", "",
	    "  status                          processes and how they do\n" },
	{ "account", "add passwd del enable disable quota cert adopt list "
	    "show "
	    "--password-stdin --force",
	    "  account add|passwd ADDRESS [PASSWORD | --password-stdin]\n"
	    "                                  a new account; another password\n"
	    "                                  (asks on a terminal, else reads\n"
	    "                                  a line)\n"
	    "  account del|enable|disable|show ADDRESS | list\n"
	    "  account quota ADDRESS [SIZE [MESSAGES] | default | none]\n"
	    "                                  what it may hold\n"
	    "  account cert ADDRESS [add|del FINGERPRINT]\n"
	    "                                  certificates it may log in by\n"
	    "  account adopt                   keep a directory that is not\n"
	    "                                  the store's\n" },
	{ "alias", "add del list show --force",
	    "  alias add ADDRESS TARGET... [--force]\n"
	    "  alias del ADDRESS [TARGET...] [--force] | list\n"
	    "  alias show ADDRESS|NAME         who gets mail for it\n" },
	{ "domain", "add del list --force",
	    "  domain add|del DOMAIN [--force] | list\n"
	    "                                  the domains mail is taken for\n"
	    },
	{ "store", "check rebuild compact undelete restored export "
	    "--mailbox --since --until",
	    "  store check|rebuild ACCOUNT     read all of an account and say\n"
	    "                                  what is wrong; make again what\n"
	    "                                  can be made again\n"
	    "  store compact ACCOUNT           space that nobody needs comes\n"
	    "                                  back at once\n"
	    "  store undelete ACCOUNT --since TIME [--until TIME]\n"
	    "                                  what was expunged then comes back\n"
	    "                                  (TIME: 3h or 2d ago, or UTC as\n"
	    "                                  2026-11-21T18:20)\n"
	    "  store restored ACCOUNT          an older copy of it was put back\n"
	    "  store export ACCOUNT FILE       all of it as a tar of a Maildir\n"
	    "        [--mailbox NAME]          one mailbox as an mbox\n"
	    },
	{ "guard", "list",
	    "  guard list                      who wrote to how many outside\n"
	    },
	{ "dkim", "create rotate show remove --all --force",
	    "  dkim create DOMAIN [SELECTOR [rsa|ed25519]] [--force] |\n"
	    "       rotate DOMAIN|--all | show [DOMAIN] |\n"
	    "       remove DOMAIN SELECTOR\n" },
	{ "queue", "list show flush hold release remove --from --to --domain "
	    "--account",
	    "  queue list [SELECT] | show ID | flush [SELECT|DOMAIN] |\n"
	    "        hold|release|remove SELECT|all\n"
	    "        SELECT: [ID ...] [--from ADDRESS] [--to ADDRESS]\n"
	    "        [--domain DOMAIN] [--account ADDRESS|NUMBER]\n" },
	{ "reports", "reject tls abuse failures list unread remove pending "
	    "--breaks --days --all",
	    "  reports [DOMAIN [--breaks]]     what others report about our\n"
	    "                                  mail\n"
	    "  reports reject DOMAIN | tls [DOMAIN] | abuse [DOMAIN] |\n"
	    "        failures [DOMAIN] | list [DOMAIN] | unread [ID] |\n"
	    "        remove ID|unread | pending  [--days N] [--all]\n" },
	{ "log", "rotate reopen",
	    "  log [-f] [-n LINES] [TEXT]      the recent log; what comes\n"
	    "  log rotate | reopen             begin a new file; go on in one\n"
	    },
	{ "why", "",
	    "  why ID|MESSAGE-ID|ADDRESS|ACCOUNT|HOST\n"
	    "                                  where a message is, and what\n"
	    "                                  became of it\n" },
	{ "reload", "",
	    "  reload                          read the configuration again\n"
	    },
	{ "stop", "",
	    "  stop                            end all processes\n" },
	{ "verify", "--from --ip --helo --dns --now --receiver --partial",
	    "  verify FILE [--from ADDRESS] [--ip IP] [--helo NAME] "
	    "[--dns FILE]\n" },
	{ "spf", "--dns",
	    "  spf DOMAIN [--dns FILE]         its record and what it includes\n"
	    },
	{ "dmarc", "--dns",
	    "  dmarc DOMAIN [--dns FILE]       the policy for its mail\n" },
};

/* What others call it. */
static const struct {
	const char	*theirs, *ours;
} called[] = {
	{ "create", "add" }, { "new", "add" }, { "make", "add" },
	{ "remove", "del" }, { "rm", "del" }, { "show", "list" },
	{ "ls", "list" }, { "password", "passwd" }, { "quit", "stop" },
	{ "unhold", "release" }, { "retry", "flush" },
};

/* ---- usage --------------------------------------------------------------- */

static const struct noun *
noun_of(const char *name)
{
	size_t i;

	for (i = 0; i < NITEMS(nouns); i++)
		if (strcmp(nouns[i].name, name) == 0)
			return &nouns[i];
	return NULL;
}

void
words_help(FILE *to, const char *name)
{
	const struct noun *one = name == NULL ? NULL : noun_of(name);
	size_t i;

	if (one != NULL) {
		fprintf(to, "usage:\n%s", one->usage);
		return;
	}
	fputs("usage: mailctl [--json] [-s socket] command ...\n"
	    "       mailctl help [command]\n"
	    "       mailctl --version\n\n", to);
	for (i = 0; i < NITEMS(nouns); i++)
		fprintf(to, "%s%s", strcmp(nouns[i].name, "verify") == 0 ?
		    "\nwithout maild:\n" : "", nouns[i].usage);
}

bool
words_json(int *argc, char **argv)
{
	int i, n = 0;

	for (i = 0; i < *argc; i++)
		if (i == 0 || strcmp(argv[i], "--json") != 0)
			argv[n++] = argv[i];
	i = *argc;
	*argc = n;
	return n < i;
}

bool
words_ask_help(int argc, char *const *argv)
{
	if (argc > 0 && strcmp(argv[0], "help") == 0) {
		words_help(stdout, argc > 1 ? argv[1] : NULL);
		return true;
	}
	if (argc > 1 && strcmp(argv[argc - 1], "--help") == 0) {
		words_help(stdout, argv[0]);
		return true;
	}
	return false;
}

/* ---- which one was meant ------------------------------------------------- */

/* The word itself, when it is one of those known, or the one it was meant for;
 * NULL: neither. */
static const char *
meant(const char *word, const char *const *known, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++)
		if (strcmp(word, known[i]) == 0)
			return known[i];
	for (k = 0; k < NITEMS(called); k++)
		for (i = 0; strcmp(word, called[k].theirs) == 0 && i < n; i++)
			if (strcmp(called[k].ours, known[i]) == 0)
				return known[i];
	return near_of(slice_str(word), known, n);
}

/* The words of a command, as strings in text; how many. */
static size_t
known_split(const struct noun *noun, char text[KNOWN_TEXT],
    const char *known[KNOWN_MAX])
{
	char *p = text, *word;
	size_t n = 0;

	snprintf(text, KNOWN_TEXT, "%s --json", noun->known);
	while ((word = strsep(&p, " ")) != NULL && n < KNOWN_MAX)
		if (*word != '\0')
			known[n++] = word;
	return n;
}

/* Verbs stand behind the noun; options anywhere, and only they are told from
 * names of people. */
static const char *
word_meant(const struct noun *noun, int i, const char *word)
{
	static char text[KNOWN_TEXT];
	const char *known[KNOWN_MAX], *found;
	size_t n = known_split(noun, text, known);
	bool option = strncmp(word, "--", 2) == 0;

	if (i != 1 && !option)
		return NULL;
	found = meant(word, known, n);
	return found != NULL && (strncmp(found, "--", 2) == 0) == option ?
	    found : NULL;
}

static const struct noun *
noun_meant(const char *word)
{
	const char *name[NITEMS(nouns)], *found;
	size_t i;

	for (i = 0; i < NITEMS(nouns); i++)
		name[i] = nouns[i].name;
	found = meant(word, name, NITEMS(nouns));
	return found == NULL ? NULL : noun_of(found);
}

void
words_option(const char *word)
{
	static const char *const known[] = { "--json", "--help",
	    "--version" };
	const char *near = word == NULL ? NULL : near_of(slice_str(word), known,
	    NITEMS(known));

	if (near != NULL)
		fprintf(stderr, "mailctl: did you mean %s?\n", near);
	fputs("mailctl: the commands are listed by: mailctl help\n", stderr);
}

/* Only words of the tables are printed: one of the others may be a password. */
void
words_suggest(int argc, char *const *argv)
{
	const struct noun *noun = noun_meant(argv[0]);
	const char *verb, *option;
	int i;

	if (noun == NULL)
		return;
	verb = argc > 1 && strncmp(argv[1], "--", 2) != 0 ?
	    word_meant(noun, 1, argv[1]) : NULL;
	if (strcmp(noun->name, argv[0]) != 0 ||
	    (verb != NULL && strcmp(verb, argv[1]) != 0))
		fprintf(stderr, "mailctl: did you mean %s%s%s?\n", noun->name,
		    verb == NULL ? "" : " ", verb == NULL ? "" : verb);
	for (i = 1; i < argc; i++)
		if (strncmp(argv[i], "--", 2) == 0 && (option =
		    word_meant(noun, i, argv[i])) != NULL &&
		    strcmp(option, argv[i]) != 0)
			fprintf(stderr, "mailctl: did you mean %s?\n", option);
}
