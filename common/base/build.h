/*
 * Which build a program is of.  All programs of a build have the same id, a
 * digest of its sources; maild takes no process of another one, as the
 * channels it makes for them are between any two.  The release is a number
 * that grows by one: adjacent ones understand each other's messages
 * (msg/msg.h).
 */
#ifndef BUILD_H
#define BUILD_H

#include <stdbool.h>

#include "base/slice.h"

#define BUILD_ID_LEN	64	/* hex digits of a SHA-256 */
#define BUILD_TEXT_MAX	64

extern const char build_id[BUILD_ID_LEN + 1];
extern const unsigned int build_release;

/* Is it this very build? */
bool	 build_same(struct slice id);
/* May its messages be understood? */
bool	 build_adjacent(unsigned int release);
/* "release 1 (build 0123456789ab)" for the log and for people; what is no id
 * is not shown. */
const char *build_text(unsigned int release, struct slice id,
	    char text[BUILD_TEXT_MAX]);
/* -V or --version alone: say what this program is, and exit. */
void	 build_version(const char *program, int argc, char *const *argv);
/* The same for a program that maild alone starts, and -h or --help. */
void	 build_inner(const char *program, int argc, char *const *argv);
/* Somebody else has started it: say what it is, and exit with EX_USAGE. */
void	 build_by_hand(const char *program) __attribute__((noreturn));

#endif
