/*
 * What a verdict says in a message: Authentication-Results (RFC 8601),
 * Received-SPF (RFC 7208 9.1); and which fields of others pretend to be ours.
 * Nothing a stranger wrote gets out but as a domain, a token or a quoted
 * string.
 */
#include "base/compat.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "parse/address.h"
#include "parse/header.h"
#include "parse/ipaddr.h"
#include "verify/arc_priv.h"
#include "verify/digest.h"
#include "verify/dkim_priv.h"
#include "verify/fields.h"
#include "verify/verdict_priv.h"
#include "verify/verify.h"

/* A field in the making. */
struct out {
	char		*p;
	size_t		 n, size;
	int		 cut;
};

static void	 put_octets(struct out *, const char *, size_t);
static void	 put_value(struct out *, const char *, size_t);
static void	 put_word(struct out *, const char *, size_t);
static void	 put_quoted(struct out *, const char *, size_t);
static void	 put_pair(struct out *, const char *, const char *);
static void	 put_reason(struct out *, const char *);
static void	 put_sender(struct out *, const struct verdict *);
static void	 put_spf(struct out *, const struct verdict *);
static void	 put_dkim(struct out *, const struct verdict *);
static void	 put_dmarc(struct out *, const struct verdict *);
static void	 put_arc(struct out *, const struct verdict *);
static size_t	 sender_print(const struct verdict *, char *);
static int	 is_token(const char *, size_t);
static int	 is_dot_atom(const char *, size_t);
static size_t	 skip_cfws(struct slice, size_t);
static size_t	 read_id(struct slice, size_t, char *, size_t);

/* Inline: the length of a literal is known. */
static inline void
put(struct out *o, const char *s)
{
	put_octets(o, s, strlen(s));
}

ssize_t
authres_print(const struct verdict *v, const char *more, char *p, size_t size)
{
	struct out o = { p, 0, size, 0 };

	put(&o, "Authentication-Results: ");
	put_value(&o, v->receiver, strlen(v->receiver));
	if (!(v->flags & VERDICT_NOSPF))
		put_spf(&o, v);
	put_dkim(&o, v);
	if (!(v->flags & VERDICT_NODMARC))
		put_dmarc(&o, v);
	if (!(v->flags & VERDICT_NOARC) && v->arc.out.result != ARC_NONE)
		put_arc(&o, v);
	if (more != NULL) {
		put(&o, ";\r\n\t");
		put(&o, more);
	}
	put(&o, "\r\n");
	return o.cut ? -1 : (ssize_t)o.n;
}

ssize_t
spf_received_print(const struct verdict *v, char *p, size_t size)
{
	struct out o = { p, 0, size, 0 };
	char ip[IPADDR_TEXT_MAX], sender[ADDR_TEXT_MAX];

	if (ipaddr_print(&v->ip, ip, sizeof(ip)) == -1)
		return -1;
	put(&o, "Received-SPF: ");
	put(&o, spf_name(v->spf.result));
	put(&o, "\r\n\treceiver=");
	put_word(&o, v->receiver, strlen(v->receiver));
	put(&o, "; client-ip=");
	put_word(&o, ip, strlen(ip));
	put(&o, ";\r\n\tenvelope-from=");
	put_quoted(&o, sender, sender_print(v, sender));
	put(&o, ";\r\n\thelo=");
	put_word(&o, v->helo, strlen(v->helo));
	put(&o, v->domainn == 0 ? "; identity=helo" : "; identity=mailfrom");
	if (v->spf.term[0] != '\0') {
		put(&o, ";\r\n\tmechanism=");
		put_word(&o, v->spf.term, strlen(v->spf.term));
	}
	if (v->spf.why != NULL) {
		put(&o, ";\r\n\tproblem=");
		put_word(&o, v->spf.why, strlen(v->spf.why));
	}
	put(&o, "\r\n");
	return o.cut ? -1 : (ssize_t)o.n;
}

/*
 * The authserv-id is compared as a domain too, so that another writing of the
 * same name does not slip through; what cannot be read is not let in.
 */
int
authres_forged(const struct header_field *f, const char *authserv)
{
	char id[DOMAIN_TEXT * 2], theirs[DOMAIN_TEXT], ours[DOMAIN_TEXT];
	size_t i, n;

	if (!slice_caseis(f->name, "Authentication-Results"))
		return 0;
	i = skip_cfws(f->value, 0);
	if ((n = read_id(f->value, i, id, sizeof(id))) == 0)
		return 1;
	if (slice_caseis(slice_str(id), authserv))
		return 1;
	i = skip_cfws(f->value, i + n);
	if (i < f->value.n && f->value.p[i] != ';' &&
	    (f->value.p[i] < '0' || f->value.p[i] > '9'))
		return 1;	/* neither ";" nor a version follows */
	return domain_ascii(slice_str(id), theirs) == 0 &&
	    domain_ascii(slice_str(authserv), ours) == 0 &&
	    strcmp(theirs, ours) == 0;
}

static void
put_octets(struct out *o, const char *p, size_t n)
{
	if (o->cut || n > o->size - o->n) {
		o->cut = 1;
		return;
	}
	memcpy(o->p + o->n, p, n);
	o->n += n;
}

/* A token, or a quoted string (RFC 2045 5.1, RFC 5322 3.2.4). */
static void
put_value(struct out *o, const char *p, size_t n)
{
	if (is_token(p, n))
		put_octets(o, p, n);
	else
		put_quoted(o, p, n);
}

/* A dot-atom, or a quoted string (RFC 7208 9.1). */
static void
put_word(struct out *o, const char *p, size_t n)
{
	if (is_dot_atom(p, n))
		put_octets(o, p, n);
	else
		put_quoted(o, p, n);
}

static void
put_quoted(struct out *o, const char *p, size_t n)
{
	size_t i;
	char c;

	put(o, "\"");
	for (i = 0; i < n; i++) {
		c = p[i] < ' ' || p[i] > '~' ? '?' : p[i];
		if (c == '"' || c == '\\')
			put(o, "\\");
		put_octets(o, &c, 1);
	}
	put(o, "\"");
}

static void
put_pair(struct out *o, const char *name, const char *value)
{
	put(o, " ");
	put(o, name);
	put(o, "=");
	put_value(o, value, strlen(value));
}

/* Our own words: no quotes in them. */
static void
put_reason(struct out *o, const char *why)
{
	if (why == NULL)
		return;
	put(o, " reason=\"");
	put(o, why);
	put(o, "\"");
}

/* The mailbox of MAIL FROM, "" the null sender; what has no room, its domain.
 * out has ADDR_TEXT_MAX octets.  Its length. */
static size_t
sender_print(const struct verdict *v, char *out)
{
	struct address a = { .localn = v->localn, .domainn = v->domainn };
	ssize_t n;

	if (v->domainn == 0)
		return 0;
	memcpy(a.local, v->local, v->localn);
	memcpy(a.domain, v->domain, v->domainn);
	n = v->localn > 0 ? address_print(&a, out, ADDR_TEXT_MAX) : -1;
	if (n > 0)
		return (size_t)n;
	memcpy(out, v->domain, v->domainn);
	return v->domainn;
}

/* The sender as far as it can stand there without quotes, which not all read
 * that go by these results; else its domain. */
static void
put_sender(struct out *o, const struct verdict *v)
{
	if (is_dot_atom(v->local, v->localn)) {
		put_octets(o, v->local, v->localn);
		put(o, "@");
	}
	put(o, v->spf.domain);
}

static void
put_spf(struct out *o, const struct verdict *v)
{
	int null = v->domainn == 0;

	put(o, ";\r\n\tspf=");
	put(o, spf_name(v->spf.result));
	put_reason(o, v->spf.why);
	if (v->spf.domain[0] != '\0' && !null) {
		put(o, " smtp.mailfrom=");
		put_sender(o, v);
	} else if (null && v->helo[0] != '\0')
		put_pair(o, "smtp.helo", v->helo);
	if (!(v->flags & VERDICT_HELO) || null ||
	    v->spf_helo.result == SPF_NONE)
		return;
	put(o, ";\r\n\tspf=");
	put(o, spf_name(v->spf_helo.result));
	put_reason(o, v->spf_helo.why);
	put_pair(o, "smtp.helo", v->helo);
}

static void
put_dkim(struct out *o, const struct verdict *v)
{
	const struct dkim *d;
	char bits[48];
	size_t i;

	if (v->nsig == 0)
		put(o, ";\r\n\tdkim=none");
	for (i = 0; i < v->nsig; i++) {
		d = &v->sig[i].out;
		put(o, ";\r\n\tdkim=");
		put(o, dkim_name(d->result));
		if (d->bits > 0) {
			snprintf(bits, sizeof(bits), " (%d-bit key%s)",
			    d->bits, d->testing ? ", testing" : "");
			put(o, bits);
		}
		put_reason(o, d->why);
		if (d->domain[0] != '\0')
			put_pair(o, "header.d", d->domain);
		if (d->identity[0] != '\0')
			put_pair(o, "header.i", d->identity);
		if (d->selector[0] != '\0')
			put_pair(o, "header.s", d->selector);
		if (d->algorithm[0] != '\0')
			put_pair(o, "header.a", d->algorithm);
		if (d->b[0] != '\0')
			put_pair(o, "header.b", d->b);
	}
}

/* polrec: RFC 9989 9.1 */
static void
put_dmarc(struct out *o, const struct verdict *v)
{
	const struct dmarc *d = &v->dmarc;

	put(o, ";\r\n\tdmarc=");
	put(o, dmarc_name(d->result));
	if (d->result != DMARC_PASS)
		put_reason(o, d->why);
	if (d->author[0] != '\0')
		put_pair(o, "header.from", d->author);
	if (d->tag == '\0')
		return;
	put_pair(o, "polrec.p", dmarc_policy_name(d->published));
	if (strcmp(d->at, d->author) != 0)
		put_pair(o, "polrec.domain", d->at);
}

static void
put_arc(struct out *o, const struct verdict *v)
{
	const struct arc *a = &v->arc.out;
	char n[32];

	put(o, ";\r\n\tarc=");
	put(o, arc_name(a->result));
	snprintf(n, sizeof(n), " (i=%d", a->n);
	put(o, n);
	if (a->domain[0] != '\0') {
		put(o, " d=");
		put(o, a->domain);
	}
	put(o, ")");
	put_reason(o, a->why);
}

/* What needs no quotes in a value, "@" and "/" and "=" and ":" apart as
 * readers are used to see them. */
static int
is_token(const char *p, size_t n)
{
	static const char special[128] = { ['('] = 1, [')'] = 1, ['<'] = 1,
	    ['>'] = 1, [','] = 1, [';'] = 1, ['\\'] = 1, ['"'] = 1,
	    ['['] = 1, [']'] = 1, ['?'] = 1, ['='] = 1, [':'] = 1 };
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] <= ' ' || p[i] > '~' || special[(int)p[i]])
			return 0;
	return n > 0;
}

/* Text without "@" and "=" and with its dots between letters. */
static int
is_dot_atom(const char *p, size_t n)
{
	char last = '.';
	size_t i;

	for (i = 0; i < n && p[i] != '@' && (p[i] != '.' || last != '.'); i++)
		last = p[i];
	return i == n && last != '.' && is_token(p, n);
}

/* Blanks, folding and comments from i on; nested comments count. */
static size_t
skip_cfws(struct slice s, size_t i)
{
	size_t depth = 0;

	for (; i < s.n; i++) {
		if (s.p[i] == '(')
			depth++;
		else if (s.p[i] == ')' && depth > 0)
			depth--;
		else if (s.p[i] == '\\' && depth > 0)
			i++;
		else if (depth == 0 && s.p[i] != ' ' && s.p[i] != '\t' &&
		    s.p[i] != '\r' && s.p[i] != '\n')
			break;
	}
	return i < s.n ? i : s.n;
}

/* A token or quoted string at i: the octets it takes, 0 if there is none. */
static size_t
read_id(struct slice s, size_t i, char *out, size_t size)
{
	size_t start = i, k = 0;
	int quoted = i < s.n && s.p[i] == '"';

	for (i += (size_t)quoted; i < s.n && k + 1 < size; i++) {
		if (quoted && s.p[i] == '"')
			break;
		if (!quoted && (s.p[i] <= ' ' || s.p[i] == ';' ||
		    s.p[i] == '(' || s.p[i] == '"'))
			break;
		if (s.p[i] == '\\' && i + 1 < s.n)
			i++;
		if (s.p[i] != '\r' && s.p[i] != '\n')
			out[k++] = s.p[i];
	}
	out[k] = '\0';
	if (k + 1 == size || (quoted && (i == s.n || s.p[i] != '"')))
		return 0;
	return k == 0 ? 0 : i + (size_t)quoted - start;
}
