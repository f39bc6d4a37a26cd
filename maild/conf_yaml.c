/*
 * maild.yaml: libyaml's events into the key table of common/conf/table.c.
 * Run by maild at start, for -n, and at every reload.  Never stops at the
 * first mistake: each is told as file:line:col with the key, what is wrong
 * and what would be right.  Anchors, aliases and tags are refused, so no
 * input grows beyond its own size.
 */
#include "base/compat.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <yaml.h>

#include "base/util.h"
#include "conf/conf.h"
#include "conf/key.h"
#include "maild/conf_words.h"
#include "maild/conf_yaml.h"

#define DEPTH_MAX	16	/* nesting of a value that is skipped */
#define NAMES_MAX	64	/* keys of one mapping */
#define KEY_MAX		64	/* octets of a full key */

struct yaml {
	yaml_parser_t	 parser;
	yaml_event_t	 ev;		/* the current one */
	bool		 held;		/* ev is to be freed */
	bool		 dead;		/* the text is no YAML: give up */
	const char	*file, *text;
	size_t		 n;
	char		 key[KEY_MAX + 1]; /* the last one that was read */
	char		 listed[KEY_MAX + 1]; /* section whose keys were told */
	size_t		 listed_line;		/* 0: none was */
	struct conf	*conf;
	struct conf_errors *errors;
};

struct names {			/* keys one mapping has so far */
	size_t		 n;
	struct {
		char	 key[KEY_MAX + 1];
		size_t	 line;
	} name[NAMES_MAX];
};

static void	 yaml_error(struct yaml *, size_t, size_t, const char *, ...)
		    __attribute__((format(printf, 4, 5)));
static bool	 yaml_next(struct yaml *);
static void	 yaml_skip(struct yaml *);
static void	 yaml_document(struct yaml *);
static void	 yaml_mapping(struct yaml *, const char *, unsigned int);
static void	 yaml_value(struct yaml *, const char *, unsigned int);
static void	 yaml_rows(struct yaml *, const char *);
static void	 yaml_row(struct yaml *, const struct conf_list *,
		    unsigned int);
static void	 yaml_list(struct yaml *, const struct conf_key *);
static void	 yaml_scalar(struct yaml *, const struct conf_key *,
		    unsigned int);

/* ---- errors -------------------------------------------------------------- */

static void
errors_add(struct conf_errors *e, const char *line)
{
	size_t room = sizeof(e->text) - e->n;

	if (e->count++ < CONF_ERRORS_MAX && strlen(line) + 2 < room)
		e->n += (size_t)snprintf(e->text + e->n, room, "%s\n", line);
	else if (e->count == CONF_ERRORS_MAX + 1 && room > 40)
		e->n += (size_t)snprintf(e->text + e->n, room,
		    "and more that is not shown\n");
}

static void
yaml_error(struct yaml *y, size_t line, size_t col, const char *fmt, ...)
{
	char text[700], buf[1024];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	snprintf(buf, sizeof(buf), "%.200s:%zu:%zu: %s", y->file, line, col,
	    text);
	errors_add(y->errors, buf);
}

#define HERE(y)	(y)->ev.start_mark.line + 1, (y)->ev.start_mark.column + 1

/* What kind of thing stands where another was expected. */
static const char *
yaml_kind(const struct yaml *y)
{
	if (y->ev.type == YAML_SEQUENCE_START_EVENT)
		return "a list";
	if (y->ev.type == YAML_MAPPING_START_EVENT)
		return "a section";
	return "a single value";
}

/* libyaml's own complaint; bad octets have an offset, not a mark. */
static void
yaml_syntax(struct yaml *y)
{
	const yaml_parser_t *p = &y->parser;
	size_t line = p->problem_mark.line + 1;
	size_t col = p->problem_mark.column + 1, at = 0;

	if (p->error == YAML_READER_ERROR) {
		line = col = 1;
		for (size_t i = 0; i < p->problem_offset && i < y->n; i++) {
			col++;
			if (y->text[i] == '\n') {
				line++;
				col = 1;
				at = i + 1;
			}
		}
		words_key(slice_of(y->text + at, y->n - at), y->key,
		    sizeof(y->key));
	}
	yaml_error(y, line, col, "%s%s: %s", y->key, y->key[0] == '\0' ?
	    "no YAML" : ": no YAML here or behind it", words_syntax(p, slice_of(y->text, y->n)));
}

/* ---- events -------------------------------------------------------------- */

/* Anchors, aliases and tags: false after telling. */
static bool
yaml_plain(struct yaml *y)
{
	const yaml_event_t *e = &y->ev;
	const unsigned char *anchor = NULL, *tag = NULL;

	if (e->type == YAML_SCALAR_EVENT) {
		anchor = e->data.scalar.anchor;
		tag = e->data.scalar.tag;
	} else if (e->type == YAML_SEQUENCE_START_EVENT) {
		anchor = e->data.sequence_start.anchor;
		tag = e->data.sequence_start.tag;
	} else if (e->type == YAML_MAPPING_START_EVENT) {
		anchor = e->data.mapping_start.anchor;
		tag = e->data.mapping_start.tag;
	}
	if (e->type == YAML_ALIAS_EVENT || anchor != NULL || tag != NULL) {
		yaml_error(y, HERE(y), "%s%sanchors, aliases and tags are "
		    "not taken here; would be right: the value itself%s",
		    y->key, y->key[0] == '\0' ? "" : ": ",
		    words_quoted(slice_of(y->text, y->n),
		    e->start_mark.index));
		return false;
	}
	return true;
}

static void
yaml_drop(struct yaml *y)
{
	if (y->held)
		yaml_event_delete(&y->ev);
	y->held = false;
}

static bool
yaml_next(struct yaml *y)
{
	yaml_drop(y);
	if (y->dead)
		return false;
	if (!yaml_parser_parse(&y->parser, &y->ev)) {
		yaml_syntax(y);
		y->dead = true;
		return false;
	}
	y->held = true;
	if (!yaml_plain(y))
		y->dead = true;
	return !y->dead;
}

/* Over the current value with all that is in it. */
static void
yaml_skip(struct yaml *y)
{
	int depth = 0;

	do {
		switch (y->ev.type) {
		case YAML_SEQUENCE_START_EVENT:
		case YAML_MAPPING_START_EVENT:
			depth++;
			break;
		case YAML_SEQUENCE_END_EVENT:
		case YAML_MAPPING_END_EVENT:
			depth--;
			break;
		case YAML_NO_EVENT:
		case YAML_STREAM_START_EVENT:
		case YAML_STREAM_END_EVENT:
		case YAML_DOCUMENT_START_EVENT:
		case YAML_DOCUMENT_END_EVENT:
		case YAML_ALIAS_EVENT:
		case YAML_SCALAR_EVENT:
			break;
		}
		if (depth > DEPTH_MAX) {
			yaml_error(y, HERE(y), "%s: nested too deeply; would "
			    "be right: what maild.yaml(5) tells of it",
			    y->key);
			y->dead = true;
		}
	} while (depth > 0 && yaml_next(y));
}

/* Nothing was written behind the key. */
static bool
yaml_null(const struct yaml *y)
{
	const char *s = (const char *)y->ev.data.scalar.value;

	return y->ev.type == YAML_SCALAR_EVENT &&
	    y->ev.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	    (*s == '\0' || strcmp(s, "~") == 0 || strcmp(s, "null") == 0);
}

/* ---- the file ------------------------------------------------------------ */

static void
yaml_document(struct yaml *y)
{
	if (!yaml_next(y) || !yaml_next(y))	/* stream start, what is in it */
		return;
	if (y->ev.type == YAML_STREAM_END_EVENT) {
		yaml_error(y, 1, 1, "hostname: missing, for the file is "
		    "empty; would be right: hostname: mail.example.org, and "
		    "below it domains: [example.org]");
		return;
	}
	if (!yaml_next(y))
		return;
	if (y->ev.type != YAML_MAPPING_START_EVENT) {
		yaml_error(y, HERE(y), "hostname: missing, for the file is "
		    "%s; would be right: keys with a colon and a blank behind "
		    "each, such as hostname: mail.example.org", yaml_kind(y));
		return;
	}
	yaml_mapping(y, "", 0);
	if (yaml_next(y) && yaml_next(y) &&
	    y->ev.type != YAML_STREAM_END_EVENT)
		yaml_error(y, HERE(y), "%s: a second document begins behind "
		    "it; would be right: one for all, without ---", y->key);
}

/* Whether this key stands in the mapping for the first time. */
static bool
names_add(struct yaml *y, struct names *names, const char *full)
{
	for (size_t i = 0; i < names->n; i++)
		if (strcmp(names->name[i].key, full) == 0) {
			yaml_error(y, HERE(y), "%s: is given twice, first in "
			    "line %zu; one must go", full,
			    names->name[i].line);
			return false;
		}
	if (names->n == NAMES_MAX) {
		yaml_error(y, HERE(y), "%s: too many keys; would be right: "
		    "at most %d in a section", full, NAMES_MAX);
		y->dead = true;
		return false;
	}
	strlcpy(names->name[names->n].key, full, KEY_MAX + 1);
	names->name[names->n++].line = y->ev.start_mark.line + 1;
	return true;
}

/* Keys and values up to the end of the current mapping. */
static void
yaml_mapping(struct yaml *y, const char *prefix, unsigned int index)
{
	struct names *names = xcalloc(1, sizeof(*names));
	char full[KEY_MAX + 1];
	bool ok;

	while (yaml_next(y) && y->ev.type != YAML_MAPPING_END_EVENT) {
		const char *s = (const char *)y->ev.data.scalar.value;

		if (y->ev.type != YAML_SCALAR_EVENT) {
			yaml_error(y, HERE(y), "%s: behind it is %s where a "
			    "key was expected; would be right: KEY: VALUE",
			    y->key, yaml_kind(y));
			y->dead = true;
			break;
		}
		ok = strlen(s) == y->ev.data.scalar.length &&
		    (size_t)snprintf(full, sizeof(full), "%s%s%s", prefix,
		    *prefix == '\0' ? "" : ".", s) < sizeof(full) &&
		    strchr(s, '.') == NULL;
		if (!ok)
			yaml_error(y, HERE(y), "%s: unknown key; see "
			    "maild.yaml(5) for those that would be right",
			    words_shown(s, y->ev.data.scalar.length));
		else {
			strlcpy(y->key, full, sizeof(y->key));
			ok = names_add(y, names, full);
		}
		if (ok)
			yaml_value(y, full, index);
		else if (yaml_next(y))
			yaml_skip(y);
	}
	free(names);
}

/* Nothing is near to it: all that it can be, once for a section. */
static void
yaml_strange(struct yaml *y, const char *full, int n)
{
	char known[400], section[KEY_MAX + 1];

	snprintf(section, sizeof(section), "%.*s", n, full);
	if (y->listed_line != 0 && strcmp(section, y->listed) == 0) {
		yaml_error(y, HERE(y), "%s: unknown key; would be right: one "
		    "of those told of line %zu", full, y->listed_line);
		return;
	}
	conf_known(section, known, sizeof(known));
	yaml_error(y, HERE(y), "%s: unknown key; would be right: one of %s",
	    full, known);
	strlcpy(y->listed, section, sizeof(y->listed));
	y->listed_line = y->ev.start_mark.line + 1;
}

/* Tell an unknown key and the one that was meant. */
static void
yaml_unknown(struct yaml *y, const char *full)
{
	const char *near = conf_nearest(full), *dot = strrchr(full, '.');
	size_t n = dot == NULL ? 0 : (size_t)(dot - full) + 1;

	if (near == NULL)
		yaml_strange(y, full, n == 0 ? 0 : (int)n - 1);
	else if (strncmp(near, full, n) == 0 && strchr(near + n, '.') == NULL)
		yaml_error(y, HERE(y), "%s: unknown key; did you mean %s?",
		    full, near + n);
	else if (strchr(near, '.') == NULL)
		yaml_error(y, HERE(y), "%s: unknown key; did you mean %s at "
		    "the left margin?", full, near);
	else
		yaml_error(y, HERE(y), "%s: unknown key; did you mean %s in "
		    "section %.*s?", full, strchr(near, '.') + 1,
		    (int)strcspn(near, "."), near);
}

/* The key, or then its value, stands at the current event. */
static void
yaml_place(struct yaml *y, const char *full, unsigned int index)
{
	const struct conf_place p = {
	    (unsigned int)y->ev.start_mark.line + 1,
	    (unsigned int)y->ev.start_mark.column + 1 };

	conf_place_set(y->conf, full, index, p);
}

/* The value of a key; the key is the current event. */
static void
yaml_value(struct yaml *y, const char *full, unsigned int index)
{
	const struct conf_key *k = conf_find(full);

	if (k == NULL && !conf_section(full)) {
		yaml_unknown(y, full);
		if (yaml_next(y))
			yaml_skip(y);
		return;
	}
	if (k != NULL)
		yaml_place(y, full, index);
	if (!yaml_next(y))
		return;
	if (k == NULL && conf_rows(full) != NULL)
		yaml_rows(y, full);
	else if (k == NULL && y->ev.type == YAML_MAPPING_START_EVENT)
		yaml_mapping(y, full, 0);
	else if (k == NULL && !yaml_null(y)) {
		yaml_error(y, HERE(y), "%s: is %s; would be right: a section "
		    "with keys below it", full, yaml_kind(y));
		yaml_skip(y);
	} else if (k != NULL && k->list != NULL && !k->list->rows)
		yaml_list(y, k);
	else if (k != NULL)
		yaml_scalar(y, k, index);
}

/* A list of mappings; one alone is a list of one. */
static void
yaml_rows(struct yaml *y, const char *name)
{
	const struct conf_list *l = conf_rows(name);
	unsigned int index = 0;

	if (yaml_null(y))
		return;
	if (y->ev.type == YAML_MAPPING_START_EVENT) {
		yaml_row(y, l, 0);
		return;
	}
	if (y->ev.type != YAML_SEQUENCE_START_EVENT) {
		yaml_error(y, HERE(y), "%s: is %s; would be right: a list, "
		    "each entry with keys", name, yaml_kind(y));
		return;
	}
	while (yaml_next(y) && y->ev.type != YAML_SEQUENCE_END_EVENT) {
		if (y->ev.type == YAML_MAPPING_START_EVENT && index < l->max) {
			yaml_row(y, l, index++);
			continue;
		}
		if (index == l->max)
			yaml_error(y, HERE(y), "%s: too long; would be right: "
			    "at most %u entries", name, l->max);
		else
			yaml_error(y, HERE(y), "%s: entry is %s; would be "
			    "right: keys and values", name, yaml_kind(y));
		yaml_skip(y);
	}
}

static void
yaml_row(struct yaml *y, const struct conf_list *l, unsigned int index)
{
	size_t line = y->ev.start_mark.line + 1;
	size_t col = y->ev.start_mark.column + 1;
	unsigned int before = y->errors->count;

	yaml_mapping(y, l->name, index);
	if (y->errors->count == before && conf_count(y->conf, l) <= index)
		yaml_error(y, line, col, "%s: entry without keys; would be "
		    "right: keys and values", l->name);
}

/* A list of values; one alone is a list of one. */
static void
yaml_list(struct yaml *y, const struct conf_key *k)
{
	unsigned int index = 0;
	size_t have;

	if (yaml_null(y))
		return;
	if (y->ev.type != YAML_SEQUENCE_START_EVENT) {
		yaml_scalar(y, k, 0);
		return;
	}
	while (yaml_next(y) && y->ev.type != YAML_SEQUENCE_END_EVENT) {
		have = conf_count(y->conf, k->list);
		yaml_scalar(y, k, index);
		if (conf_count(y->conf, k->list) > have)
			index++;
	}
}

static void
yaml_scalar(struct yaml *y, const struct conf_key *k, unsigned int index)
{
	const char *s = (const char *)y->ev.data.scalar.value, *want;

	if (y->ev.type != YAML_SCALAR_EVENT) {
		yaml_error(y, HERE(y), "%s: is %s; would be right: %s",
		    k->key, yaml_kind(y), conf_want(k));
		yaml_skip(y);
		return;
	}
	if (strlen(s) != y->ev.data.scalar.length) {
		yaml_error(y, HERE(y), "%s: has a NUL in it; would be right: "
		    "%s", k->key, conf_want(k));
		return;
	}
	if (yaml_null(y) && k->empty)
		s = "";
	if (conf_set(y->conf, k->key, index, s, &want) == -1)
		yaml_error(y, HERE(y), "%s: \"%s\" is not right; would be "
		    "right: %s", k->key, words_shown(s, strlen(s)),
		    words_right(k, s, want));
	else
		yaml_place(y, k->key, index);
}

/* ---- in and out ---------------------------------------------------------- */

/* A fault of the whole, at the key that it is told of. */
static void
yaml_fault(const char *key, unsigned int index, const char *text, void *arg)
{
	struct yaml *y = arg;
	struct conf_place p = conf_place(y->conf, key, index);

	yaml_error(y, p.line == 0 ? 1 : p.line, p.line == 0 ? 1 : p.col,
	    "%s: %s", key, text);
}

/* Some editors put a mark at the beginning: of UTF-8 it says nothing. */
static bool
yaml_begin(struct yaml *y)
{
	if (y->n >= 3 && memcmp(y->text, "\xef\xbb\xbf", 3) == 0) {
		y->text += 3;
		y->n -= 3;
	}
	if (y->n >= 2 && (memcmp(y->text, "\xff\xfe", 2) == 0 ||
	    memcmp(y->text, "\xfe\xff", 2) == 0)) {
		yaml_error(y, 1, 1, "hostname: cannot be read, for the file "
		    "is in UTF-16; would be right: UTF-8");
		return false;
	}
	return true;
}

struct conf *
conf_yaml_parse(const char *name, const char *text, size_t n,
    struct conf_errors *errors)
{
	struct yaml y = { .file = name, .text = text, .n = n,
	    .errors = errors };

	if (!yaml_begin(&y))
		return NULL;
	y.conf = conf_new();
	if (!yaml_parser_initialize(&y.parser)) {
		errors_add(errors, "out of memory");
		conf_free(y.conf);
		return NULL;
	}
	yaml_parser_set_encoding(&y.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&y.parser, (const unsigned char *)y.text,
	    y.n);
	yaml_document(&y);
	yaml_drop(&y);
	yaml_parser_delete(&y.parser);
	if (errors->count == 0)
		(void)conf_finish(y.conf, yaml_fault, &y);
	if (errors->count == 0)
		return y.conf;
	conf_free(y.conf);
	return NULL;
}

struct conf *
conf_yaml_load(const char *path, struct conf_errors *errors)
{
	struct conf *conf = NULL;
	char line[512], *text = NULL;
	struct stat st;
	size_t n;
	int fd;

	if ((fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) != -1 &&
	    fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		errno = EISDIR;
	else if (fd != -1)
		text = read_fd(fd, CONF_FILE_MAX, &n);
	if (text == NULL) {
		snprintf(line, sizeof(line), "%.300s: cannot be read: %s; "
		    "would be right: a file with hostname and domains, see "
		    "maild.yaml(5), or -f FILE", path, strerror(errno));
		errors_add(errors, line);
	} else
		conf = conf_yaml_parse(path, text, n, errors);
	if (fd != -1)
		close(fd);
	free(text);
	return conf;
}
