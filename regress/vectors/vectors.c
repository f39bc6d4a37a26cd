/*
 * The verdict engine at the end of a pipe: regress/vectors/run writes a
 * command a line, this answers questions about the DNS with "ask" lines and
 * ends with a "done" line.  Words are hexadecimal octets, "-" for none.
 * Without network and without files.
 */
#include "base/compat.h"

#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/slice.h"
#include "parse/address.h"
#include "parse/addrlist.h"
#include "parse/base64.h"
#include "parse/header.h"
#include "parse/ipaddr.h"
#include "verify/verify.h"

#define WORDS_IN	32
#define RRS_MAX		256

static char	*line;
static size_t	 line_size;
static struct slice word[WORDS_IN];
static size_t	 nword;
static int	 answered;	/* "done" was written */

static int	 nibble(int);
static int	 read_words(void);
static struct slice arg(size_t);
static const char *text(size_t);
static int64_t	 number(size_t);
static void	 put(const char *, const char *, size_t);
static void	 put_text(const char *, const char *);
static void	 put_int(const char *, long long);
static void	 put_slice(const char *, struct slice);
static void	 resolve(struct answers *);
static struct slice keep(size_t);
static void	 drop(struct slice *, size_t);
static void	 put_dkim(const struct verdict *);
static void	 put_verdict(const struct verdict *);
static size_t	 tag(struct slice, const char *, char *);
static void	 cmd_spf(void);
static void	 cmd_verdict(void);
static void	 cmd_dmarc(void);
static void	 cmd_record(void);
static void	 cmd_from(void);
static void	 cmd_address(void);
static void	 cmd_sign(void);
static EVP_PKEY	*key_of(struct slice);
static size_t	 sign_hash(EVP_PKEY *, const uint8_t *, uint8_t *, size_t);
static void	 cmd_seal(void);

static const struct {
	const char	*name;
	void		(*run)(void);
} commands[] = {
	{ "spf", cmd_spf }, { "verdict", cmd_verdict },
	{ "dmarc", cmd_dmarc }, { "record", cmd_record },
	{ "from", cmd_from }, { "address", cmd_address },
	{ "sign", cmd_sign }, { "seal", cmd_seal },
};
#define COMMANDS	(sizeof(commands) / sizeof(commands[0]))

int
main(void)
{
	size_t i;

	while (read_words()) {
		for (i = 0; i < COMMANDS; i++)
			if (slice_is(word[0], commands[i].name))
				break;
		if (i == COMMANDS)
			errx(1, "unknown command");
		answered = 0;
		commands[i].run();
		printf("\n");
		fflush(stdout);
	}
	free(line);
	return 0;
}

static int
nibble(int c)
{
	return c <= '9' ? c - '0' : c - 'a' + 10;
}

/* The words of a line; all but the first are turned into octets in place,
 * each with a NUL behind it. */
static int
read_words(void)
{
	char *p, *q;
	size_t n;

	if (getline(&line, &line_size, stdin) == -1)
		return 0;
	nword = 0;
	for (p = line; (q = strtok(p, " \n")) != NULL; p = NULL) {
		if (nword == WORDS_IN)
			errx(1, "too many words");
		n = strlen(q);
		if (nword > 0 && strcmp(q, "-") == 0)
			n = 0;
		for (size_t i = 0; nword > 0 && i + 1 < n; i += 2)
			q[i / 2] = (char)(nibble(q[i]) << 4 |
			    nibble(q[i + 1]));
		if (nword > 0)
			q[n /= 2] = '\0';
		word[nword++] = slice_of(q, n);
	}
	return nword > 0;
}

static struct slice
arg(size_t i)
{
	if (i >= nword)
		errx(1, "word %zu is missing", i);
	return word[i];
}

static const char *
text(size_t i)
{
	return arg(i).p;
}

static int64_t
number(size_t i)
{
	return strtoll(text(i), NULL, 10);
}

static void
put(const char *name, const char *p, size_t n)
{
	size_t i;

	if (!answered++)
		printf("done");
	printf(" %s=", name);
	for (i = 0; i < n; i++)
		printf("%02x", (unsigned char)p[i]);
}

static void
put_text(const char *name, const char *s)
{
	put(name, s == NULL ? "" : s, s == NULL ? 0 : strlen(s));
}

static void
put_int(const char *name, long long v)
{
	char buf[32];

	put(name, buf, (size_t)snprintf(buf, sizeof(buf), "%lld", v));
}

static void
put_slice(const char *name, struct slice s)
{
	put(name, s.p, s.n);
}

/* Each open question to the other side; its lines are "rr N DATA" and at the
 * end "end STATUS".  The command's words are saved by the caller. */
static void
resolve(struct answers *a)
{
	struct rr rr[RRS_MAX];
	enum dns_type type;
	const char *name;
	size_t i, n;

	while (answers_ask(a, &name, &type)) {
		printf("ask %d ", (int)type);
		for (i = 0; name[i] != '\0'; i++)
			printf("%02x", (unsigned char)name[i]);
		printf("\n");
		fflush(stdout);
		for (n = 0; read_words() && slice_is(word[0], "rr"); n++) {
			if (n == RRS_MAX)
				errx(1, "too many records");
			rr[n].n = (uint16_t)number(1);
			rr[n].data = slice_of(malloc(arg(2).n + 1), arg(2).n);
			memcpy((char *)(uintptr_t)rr[n].data.p, arg(2).p,
			    arg(2).n + 1);
		}
		answers_put(a, name, type, (enum dns_status)number(1), rr,
		    n);
		for (i = 0; i < n; i++)
			free((char *)(uintptr_t)rr[i].data.p);
	}
}

/* A copy that stays while resolve reads lines. */
static struct slice
keep(size_t i)
{
	struct slice s = arg(i);
	char *p = malloc(s.n + 1);

	if (p == NULL)
		errx(1, "out of memory");
	memcpy(p, s.p, s.n + 1);
	return slice_of(p, s.n);
}

static void
drop(struct slice *v, size_t n)
{
	while (n-- > 0)
		free((char *)(uintptr_t)v[n].p);
}

/* ip helo local domain receiver now */
static void
cmd_spf(void)
{
	struct slice v[5];
	struct answers *a = answers_new();
	struct spf_query q = { .now = number(6) };
	struct spf out;
	size_t i;

	for (i = 0; i < 5; i++)
		v[i] = keep(i + 1);
	if (ipaddr_parse(v[0], &q.ip) == -1)
		errx(1, "bad address %s", v[0].p);
	q.helo = v[1].p;
	q.local = v[2];
	q.domain = v[3];
	q.receiver = v[4].p;
	while (!spf_run(&q, a, &out))
		resolve(a);
	put_text("result", spf_name(out.result));
	put_text("why", out.why);
	put_text("explanation", out.exp);
	put_text("term", out.term);
	answers_free(a);
	drop(v, 5);
}

static void
put_dkim(const struct verdict *v)
{
	const struct dkim *d;
	size_t i;

	for (i = 0; i < verdict_ndkim(v); i++) {
		d = verdict_dkim(v, i);
		put_text("dkim", dkim_name(d->result));
		put_text("dkim_why", d->why);
		put_text("dkim_domain", d->domain);
	}
}

static void
put_verdict(const struct verdict *v)
{
	const struct dmarc *d = verdict_dmarc(v);
	char field[AUTHRES_MAX];
	ssize_t n;

	put_text("spf", spf_name(verdict_spf(v)->result));
	put_text("spf_why", verdict_spf(v)->why);
	put_dkim(v);
	put_text("dmarc", dmarc_name(d->result));
	put_text("dmarc_why", d->why);
	put_text("dmarc_policy", dmarc_policy_name(d->policy));
	put_text("author", d->author);
	if (verdict_arc(v) != NULL) {
		put_text("arc", arc_name(verdict_arc(v)->result));
		put_text("arc_why", verdict_arc(v)->why);
	}
	if ((n = authres_print(v, NULL, field, sizeof(field))) == -1)
		errx(1, "the field is too long");
	put("field", field, (size_t)n);
}

/* flags now ip helo local domain message */
static void
cmd_verdict(void)
{
	struct verdict *v = verdict_new();
	struct slice message = keep(7);
	struct ipaddr ip;
	size_t n = header_len(message.p, message.n), i, run;

	verdict_start(v, (int)number(1), "receiver.example", number(2), 0);
	if (ipaddr_parse(arg(3), &ip) == -1)
		errx(1, "bad address %s", text(3));
	verdict_client(v, &ip, text(4));
	verdict_sender(v, arg(5), arg(6));
	if (verdict_header(v, slice_of(message.p, n)) == -1)
		errx(1, "out of memory");
	verdict_run(v);		/* questions go out before the body is here */
	resolve(verdict_answers(v));
	for (i = n; i < message.n; i += run) {
		run = message.n - i < 57 ? message.n - i : 57;
		verdict_body(v, message.p + i, run);
	}
	verdict_end(v);
	while (!verdict_run(v)) {
		if (answers_open(verdict_answers(v)) == 0)
			errx(1, "no verdict and no question");
		resolve(verdict_answers(v));
	}
	put_verdict(v);
	verdict_free(v);
	drop(&message, 1);
}

/* author, then "spf" or "dkim", domain, result as often as there are */
static void
cmd_dmarc(void)
{
	struct answers *a = answers_new();
	struct dmarc_authors au = { .from = DMARC_FROM_OK };
	struct dmarc_id spf = { .domain = NULL }, id[DMARC_IDS], *to;
	static char domain[DMARC_IDS + 1][DOMAIN_TEXT];
	struct dmarc d;
	size_t i, n = 0;

	if (domain_ascii(arg(1), au.domain[0]) == 0)
		au.n = 1;
	else
		au.from = DMARC_FROM_EMPTY;
	for (i = 2; i + 2 < nword && n < DMARC_IDS; i += 3) {
		to = slice_is(arg(i), "spf") ? &spf : &id[n];
		if (domain_ascii(arg(i + 1), domain[n + (to == &spf ?
		    DMARC_IDS - n : 0)]) == -1)
			continue;
		*to = (struct dmarc_id){ to == &spf ? domain[DMARC_IDS] :
		    domain[n], slice_is(arg(i + 2), "pass"),
		    slice_is(arg(i + 2), "temperror") };
		n += to != &spf;
	}
	while (!dmarc_run(&au, &spf, id, n, a, &d))
		resolve(a);
	put_text("result", dmarc_name(d.result));
	put_text("why", d.why);
	put_text("policy", d.tag != '\0' ? dmarc_policy_name(d.policy) : "");
	put_int("spf_aligned", d.spf_aligned);
	put_int("dkim_aligned", d.dkim_aligned);
	put_text("org", d.org);
	put_text("at", d.at);
	put_text("author", d.author);
	put_text("adkim", d.adkim == 's' ? "s" : "r");
	put_text("aspf", d.aspf == 's' ? "s" : "r");
	answers_free(a);
}

static void
cmd_record(void)
{
	struct dmarc_record r;
	const char *why;
	int bad = dmarc_record_parse(arg(1), &r, &why) == -1;

	put_int("usable", !bad && r.usable);
	put_text("why", why != NULL ? why : bad ? "no record" : "");
	if (bad)
		return;
	put_text("p", dmarc_policy_name(r.p));
	put_text("sp", dmarc_policy_name(r.sp));
	put_text("np", dmarc_policy_name(r.np));
	put_slice("rua", r.rua);
	put_slice("ruf", r.ruf);
}

static void
cmd_from(void)
{
	struct dmarc_authors au;
	size_t i;

	dmarc_authors_value(arg(1), &au);
	put_int("from", au.from);
	for (i = 0; i < au.n; i++)
		put_text("domain", au.domain[i]);
}

static void
cmd_address(void)
{
	struct address a;
	struct addrlist list;
	struct addritem item;
	struct slice in = arg(1);
	int header;

	put_text("smtp", address_parse(in, PATH_UTF8, &a, NULL) == 0 ?
	    "valid" : "invalid");
	addrlist_start(&list, in);
	header = addrlist_next(&list, &item) == 1 &&
	    item.kind == ADDRITEM_MAILBOX && item.domain.p != NULL;
	put_text("header", header ? "valid" : "invalid");
}

/* The value of a tag without blanks. */
static size_t
tag(struct slice field, const char *name, char *out)
{
	size_t n = 0, i;
	struct slice rest = field, spec;

	while (rest.n > 0) {
		spec = slice_of(rest.p, slice_find(rest, ';'));
		rest = spec.n == rest.n ? slice_of(rest.p + rest.n, 0) :
		    slice_of(rest.p + spec.n + 1, rest.n - spec.n - 1);
		spec = slice_trim(spec);
		i = slice_find(spec, '=');
		if (!slice_is(slice_trim(slice_of(spec.p, i)), name))
			continue;
		for (i++; i < spec.n; i++)
			if (spec.p[i] > ' ')
				out[n++] = spec.p[i];
	}
	out[n] = '\0';
	return n;
}

/* key message field canonicalization: the body hash and b= for the field as
 * it stands, whose own b= does not matter */
static void
cmd_sign(void)
{
	struct slice message = arg(2), field = arg(3);
	size_t n = header_len(message.p, message.n), hn, len;
	enum dkim_canon hc, bc;
	struct dkim_body *body;
	uint8_t hash[DKIM_HASH], raw[1024];
	char *h = malloc(field.n + 1), b64[BASE64_LEN(1024)];
	EVP_PKEY *key = key_of(arg(1));

	hc = slice_casestarts(arg(4), "relaxed/") ? DKIM_RELAXED : DKIM_SIMPLE;
	bc = strstr(text(4), "/relaxed") != NULL ? DKIM_RELAXED : DKIM_SIMPLE;
	body = dkim_body_new(bc, UINT64_MAX);
	dkim_body_feed(body, message.p + n, message.n - n);
	dkim_body_end(body, hash, NULL);
	put("bh", b64, (size_t)base64_encode(hash, DKIM_HASH, b64,
	    sizeof(b64)));
	hn = tag(slice_of(field.p + 15, field.n - 15), "h", h);
	if (dkim_header_hash(slice_of(message.p, n), slice_of(h, hn), field,
	    hc, hash) == -1)
		errx(1, "bad header");
	len = sign_hash(key, hash, raw, sizeof(raw));
	put("b", b64, (size_t)base64_encode(raw, len, b64, sizeof(b64)));
	EVP_PKEY_free(key);
	dkim_body_free(body);
	free(h);
}

static EVP_PKEY *
key_of(struct slice pem)
{
	BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);

	BIO_free(bio);
	if (key == NULL)
		errx(1, "bad key");
	return key;
}

/* What RFC 6376 and RFC 8463 sign is the hash of the header. */
static size_t
sign_hash(EVP_PKEY *key, const uint8_t *hash, uint8_t *sig, size_t size)
{
	EVP_PKEY_CTX *ctx = NULL;
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	size_t n = size;
	int ok;

	if (EVP_PKEY_base_id(key) == EVP_PKEY_ED25519)
		ok = EVP_DigestSignInit(md, NULL, NULL, NULL, key) == 1 &&
		    EVP_DigestSign(md, sig, &n, hash, DKIM_HASH) == 1;
	else
		ok = (ctx = EVP_PKEY_CTX_new(key, NULL)) != NULL &&
		    EVP_PKEY_sign_init(ctx) == 1 &&
		    EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1 &&
		    EVP_PKEY_sign(ctx, sig, &n, hash, DKIM_HASH) == 1;
	if (!ok)
		errx(1, "no signature");
	EVP_PKEY_CTX_free(ctx);
	EVP_MD_CTX_free(md);
	return n;
}

/* The whole DKIM-Signature field as signd and relay make it together.
 * key message domain selector canonicalization identity time expire; the
 * last three may be empty */
static void
cmd_seal(void)
{
	struct slice message = arg(2), canon = arg(5);
	size_t n = header_len(message.p, message.n), sign;
	EVP_PKEY *key = key_of(arg(1));
	struct dkim_sign s = { .domain = text(3), .selector = text(4) };
	struct dkim_body *body;
	static char h[DKIM_FIELD_MAX], field[DKIM_FIELD_MAX];
	uint8_t bodyhash[DKIM_HASH], hash[DKIM_HASH], sig[1024];
	ssize_t hn, fn;

	s.algorithm = EVP_PKEY_base_id(key) == EVP_PKEY_ED25519 ?
	    "ed25519-sha256" : "rsa-sha256";
	s.header = slice_casestarts(canon, "relaxed/") ? DKIM_RELAXED :
	    DKIM_SIMPLE;
	s.body = strstr(canon.p, "/relaxed") ? DKIM_RELAXED : DKIM_SIMPLE;
	s.identity = arg(6).n > 0 ? text(6) : NULL;
	s.time = arg(7).n > 0 ? number(7) : -1;
	s.expire = arg(8).n > 0 ? number(8) : -1;
	s.bodyhash = bodyhash;
	body = dkim_body_new(s.body, UINT64_MAX);
	dkim_body_feed(body, message.p + n, message.n - n);
	dkim_body_end(body, bodyhash, NULL);
	dkim_body_free(body);
	if ((hn = dkim_sign_fields(slice_of(message.p, n), h, sizeof(h))) ==
	    -1 || (fn = dkim_sign_start(&s, slice_of(h, (size_t)hn), field,
	    sizeof(field))) == -1 || dkim_header_hash(slice_of(message.p, n),
	    slice_of(h, (size_t)hn), slice_of(field, (size_t)fn), s.header,
	    hash) == -1)
		errx(1, "nothing to sign");
	sign = sign_hash(key, hash, sig, sizeof(sig));
	if ((fn = dkim_sign_finish(field, (size_t)fn, sizeof(field), sig,
	    sign)) == -1)
		errx(1, "no room");
	put("field", field, (size_t)fn);
	EVP_PKEY_free(key);
}
