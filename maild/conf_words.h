/*
 * The words in which maild.yaml's loader tells what is wrong.
 */
#ifndef CONF_WORDS_H
#define CONF_WORDS_H

#include <stddef.h>

#include <yaml.h>

#include "base/slice.h"

struct conf_key;

/* All of these answer in memory of their own, till the next call of the
 * same. */

/* What somebody wrote, for a message: one line, short. */
const char *words_shown(const char *, size_t n);
/* What would be right in the place of that value: want, or the name in ASCII
 * that stands for one that is not. */
const char *words_right(const struct conf_key *, const char *value,
	    const char *want);
/* libyaml's complaint, and what would be right. */
const char *words_syntax(const yaml_parser_t *, struct slice text);
/* The key that the line seems to begin with, else "". */
void	 words_key(struct slice line, char *key, size_t size);
/* ", in quotes" where the character at that place (counted in characters)
 * was meant as text. */
const char *words_quoted(struct slice text, size_t at);

#endif
