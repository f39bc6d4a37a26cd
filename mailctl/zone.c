/*
 * mailctl: a DNS in a file, for verifying without network.  JSON (read as the
 * YAML it is): names with "rr" lists, or with their TXT record as a string;
 * alone, or under "zone" or "txt".
 */
#include "base/compat.h"

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <yaml.h>

#include "base/slice.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"
#include "mailctl/lookup.h"

#define ZONE_DATA	65536	/* octets of one answer */
#define ZONE_CNAMES	8	/* of a chain that is followed */

struct zone {
	yaml_document_t	 doc;
	yaml_node_t	*names;		/* mapping */
	size_t		 n;		/* of data */
	char		 data[ZONE_DATA];
};

static yaml_node_t *get(struct zone *, yaml_node_t *, const char *);
static yaml_node_t *item(struct zone *, yaml_node_t *, size_t);
static struct slice text(yaml_node_t *);
static bool	 same_name(struct slice, const char *);
static bool	 has(struct zone *, yaml_node_t *, const char *);
static yaml_node_t *find(struct zone *, const char *, bool *);
static void	 add(struct zone *, yaml_node_t *, enum dns_type, struct rr *,
		    size_t *);
static struct slice put(struct zone *, struct slice);
static struct slice put_raw(struct zone *, const void *, size_t);

struct zone *
zone_load(const char *path)
{
	struct zone *z = calloc(1, sizeof(*z));
	yaml_parser_t parser;
	yaml_node_t *root, *part;
	FILE *f = fopen(path, "re");

	if (f == NULL)
		err(EX_NOINPUT, "%s", path);
	if (z == NULL || !yaml_parser_initialize(&parser))
		err(EX_OSERR, "memory");
	yaml_parser_set_input_file(&parser, f);
	if (!yaml_parser_load(&parser, &z->doc))
		errx(EX_DATAERR, "%s:%zu: %s", path,
		    parser.problem_mark.line + 1, parser.problem);
	yaml_parser_delete(&parser);
	fclose(f);
	root = yaml_document_get_root_node(&z->doc);
	if (root == NULL || root->type != YAML_MAPPING_NODE)
		errx(EX_DATAERR, "%s: no names in it", path);
	if ((part = get(z, root, "zone")) == NULL)
		part = get(z, root, "txt");
	z->names = part != NULL && part->type == YAML_MAPPING_NODE ? part :
	    root;
	return z;
}

void
zone_free(struct zone *z)
{
	if (z == NULL)
		return;
	yaml_document_delete(&z->doc);
	free(z);
}

enum dns_status
zone_ask(struct zone *z, const char *name, enum dns_type type,
    struct rr rr[LOOKUP_RRS], size_t *n)
{
	yaml_node_t *node, *list, *one;
	char target[DOMAIN_TEXT];
	bool below;
	size_t i, links;

	z->n = *n = 0;
	for (links = 0; links < ZONE_CNAMES; links++) {
		if ((node = find(z, name, &below)) == NULL)
			return below ? DNS_NODATA : DNS_NXDOMAIN;
		if (node->type == YAML_SCALAR_NODE) {
			if (type != DNS_TXT)
				return DNS_NODATA;
			rr[(*n)++].data = put(z, text(node));
			return DNS_OK;
		}
		if (has(z, get(z, node, "timeout_types"), dns_type_name(type)))
			return DNS_TEMP;
		list = get(z, node, "rr");
		target[0] = '\0';
		for (i = 0; (one = item(z, list, i)) != NULL; i++) {
			if (slice_is(text(item(z, one, 0)), "CNAME"))
				slice_cpy(text(item(z, one, 1)), target,
				    sizeof(target));
			add(z, one, type, rr, n);
		}
		if (*n > 0)
			return DNS_OK;
		if (target[0] == '\0')
			return get(z, node, "timeout") != NULL ? DNS_TEMP :
			    DNS_NODATA;
		name = target;
	}
	return DNS_TEMP;
}

/* A member of a mapping, or NULL. */
static yaml_node_t *
get(struct zone *z, yaml_node_t *map, const char *name)
{
	yaml_node_pair_t *p;

	if (map == NULL || map->type != YAML_MAPPING_NODE)
		return NULL;
	for (p = map->data.mapping.pairs.start;
	    p < map->data.mapping.pairs.top; p++)
		if (slice_is(text(yaml_document_get_node(&z->doc, p->key)),
		    name))
			return yaml_document_get_node(&z->doc, p->value);
	return NULL;
}

/* The i-th of a list, or NULL. */
static yaml_node_t *
item(struct zone *z, yaml_node_t *list, size_t i)
{
	yaml_node_item_t *at;

	if (list == NULL || list->type != YAML_SEQUENCE_NODE)
		return NULL;
	at = list->data.sequence.items.start + i;
	return at < list->data.sequence.items.top ?
	    yaml_document_get_node(&z->doc, *at) : NULL;
}

static struct slice
text(yaml_node_t *node)
{
	if (node == NULL || node->type != YAML_SCALAR_NODE)
		return slice_of("", 0);
	return slice_of((char *)node->data.scalar.value,
	    node->data.scalar.length);
}

static bool
same_name(struct slice s, const char *name)
{
	size_t n = strlen(name);

	if (s.n > 0 && s.p[s.n - 1] == '.')
		s.n--;
	if (n > 0 && name[n - 1] == '.')
		n--;
	return slice_caseeq(s, slice_of(name, n));
}

static bool
has(struct zone *z, yaml_node_t *list, const char *word)
{
	yaml_node_t *one;
	size_t i;

	for (i = 0; (one = item(z, list, i)) != NULL; i++)
		if (slice_is(text(one), word))
			return true;
	return false;
}

/* *below: there are names below it. */
static yaml_node_t *
find(struct zone *z, const char *name, bool *below)
{
	yaml_node_pair_t *p;
	struct slice key;
	size_t n = strlen(name);

	*below = false;
	for (p = z->names->data.mapping.pairs.start;
	    p < z->names->data.mapping.pairs.top; p++) {
		key = text(yaml_document_get_node(&z->doc, p->key));
		if (same_name(key, name))
			return yaml_document_get_node(&z->doc, p->value);
		if (key.n > n + 1 && key.p[key.n - n - 1] == '.' &&
		    same_name(slice_of(key.p + key.n - n, n), name))
			*below = true;
	}
	return NULL;
}

static void
add(struct zone *z, yaml_node_t *one, enum dns_type type, struct rr *rr,
    size_t *n)
{
	yaml_node_t *value = item(z, one, type == DNS_MX ? 2 : 1), *chunk;
	struct slice data = text(value), piece;
	struct ipaddr ip;
	uint64_t pref = 0;
	size_t i;

	if (*n == LOOKUP_RRS ||
	    !slice_is(text(item(z, one, 0)), dns_type_name(type)))
		return;
	if (type == DNS_A || type == DNS_AAAA) {
		if (ipaddr_parse(data, &ip) == -1)
			return;
		data = put_raw(z, ip.b, type == DNS_A ? 4 : 16);
	} else if (type == DNS_TXT && value != NULL &&
	    value->type == YAML_SEQUENCE_NODE) {
		data = slice_of(z->data + z->n, 0);
		for (i = 0; (chunk = item(z, value, i)) != NULL; i++) {
			piece = put(z, text(chunk));
			data.n += piece.n;
		}
	} else
		data = put(z, data);
	if (type == DNS_MX)
		slice_number(text(item(z, one, 1)), UINT16_MAX, &pref);
	rr[(*n)++] = (struct rr){ (uint16_t)pref, data };
}

/* Code points U+0000..U+00FF are octets; nothing else is in such a file. */
static struct slice
put(struct zone *z, struct slice s)
{
	char *start = z->data + z->n;
	size_t i;
	int c;

	for (i = 0; i < s.n && z->n < sizeof(z->data); i++) {
		c = (unsigned char)s.p[i];
		if ((c == 0xc2 || c == 0xc3) && i + 1 < s.n)
			c = (c & 3) << 6 | (s.p[++i] & 0x3f);
		z->data[z->n++] = (char)c;
	}
	return slice_of(start, (size_t)(z->data + z->n - start));
}

static struct slice
put_raw(struct zone *z, const void *p, size_t n)
{
	char *start = z->data + z->n;

	if (n > sizeof(z->data) - z->n)
		return slice_of(start, 0);
	memcpy(start, p, n);
	z->n += n;
	return slice_of(start, n);
}
