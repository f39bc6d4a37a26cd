/*
 * One aggregate report as a letter (RFC 9990 3.5.2): rows to XML to gzip to
 * base64 into the letter, nothing of it ever whole in memory.  The same rows
 * give the same octets, Date aside, so that what is sent again after a crash
 * carries the same Report-ID and file name.  What would be too large when
 * packed goes in several reports.  Part of report-out.
 */
#include "base/compat.h"

#include <sys/queue.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sodium.h>
#include <zlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/slice.h"
#include "base/text.h"
#include "base/util.h"
#include "parse/base64.h"
#include "verify/verify.h"
#include "msg/msg.h"
#include "conf/conf.h"
#include "proc/proc.h"
#include "report/out/agg.h"
#include "report/out/out.h"

#define FLUSH		16384	/* octets of XML packed in one go */
#define LINE		57	/* octets of a line of base64 */
#define MARGIN		32768	/* octets of a row and the end, escaped */
#define ID_OCTETS	16

struct pack {
	struct letter	*letter;
	z_stream	 z;
	bool		 bad;
	size_t		 inn;
	char		 in[FLUSH];
	size_t		 linen;
	uint8_t		 line[LINE];
	uint64_t	 packed;	/* octets that came out so far */
};

static uint8_t report_key[JOURNAL_KEY];

static void	 report_id(const struct domain *, const struct target *,
		    uint8_t *, size_t);
static void	 head(struct letter *, const struct domain *, const char *,
		    const char *);
static uint32_t	 body(struct pack *, const struct domain *,
		    const struct target *, const char *);
static void	 pack_xml(void *, const char *, size_t);
static void	 pack_flush(struct pack *, int);
static void	 pack_line(struct pack *, const uint8_t *, size_t);

void
report_secret(const uint8_t key[JOURNAL_KEY])
{
	memcpy(report_key, key, sizeof(report_key));
}

struct letter *
report_letter(const struct domain *d, const struct target *t,
    const char *to, uint32_t *end, struct msg_id *commit, char sid[33])
{
	static struct pack p;
	struct letter *l = letter_new();
	uint8_t id[ID_OCTETS];
	char hex[2 * ID_OCTETS + 1];

	if (l == NULL)
		return NULL;
	report_id(d, NULL, id, t->part);
	hex_encode(hex, id, sizeof(id));
	report_id(d, t, commit->b, t->part);
	snprintf(sid, 33, "agg-%.16s", hex);
	memset(&p, 0, sizeof(p));
	p.letter = l;
	if (deflateInit2(&p.z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8,
	    Z_DEFAULT_STRATEGY) != Z_OK) {
		letter_free(l);
		return NULL;
	}
	head(l, d, to, hex);
	*end = body(&p, d, t, hex);
	deflateEnd(&p.z);
	letter_say(l, "\r\n--=_%s--\r\n", hex);
	if (p.bad || letter_end(l) == -1) {
		letter_free(l);
		return NULL;
	}
	return l;
}

/* What tells this report, or with t this report to this address, from all
 * others; it says nothing to who does not know the key. */
static void
report_id(const struct domain *d, const struct target *t, uint8_t *id,
    size_t part)
{
	const struct rec_file *f = &d->period->file;
	uint64_t n[4] = { f->begin, f->end, d->no, part };
	crypto_generichash_state st;

	crypto_generichash_init(&st, report_key, sizeof(report_key),
	    ID_OCTETS);
	crypto_generichash_update(&st, (const uint8_t *)n, sizeof(n));
	crypto_generichash_update(&st, (const uint8_t *)d->at,
	    strlen(d->at) + 1);
	if (t != NULL)
		crypto_generichash_update(&st,
		    (const uint8_t *)t->address, strlen(t->address) + 1);
	crypto_generichash_final(&st, id, ID_OCTETS);
}

static void
head(struct letter *l, const struct domain *d, const char *to,
    const char *id)
{
	const struct rec_file *f = &d->period->file;
	char subject[900], at[DOMAIN_TEXT], host[DOMAIN_TEXT];
	unsigned long long begin = f->begin, end = f->end - 1;

	text_ascii_in(slice_str(d->at), at, sizeof(at));
	text_ascii_in(slice_str(proc_conf()->hostname), host, sizeof(host));
	snprintf(subject, sizeof(subject), "Report Domain: %s\r\n"
	    " Submitter: %s\r\n Report-ID: <%s>", at, host, id);
	letter_head(l, to, subject, id, now_sec());
	letter_say(l, "Content-Type: multipart/mixed;\r\n"
	    " boundary=\"=_%s\"\r\n\r\n--=_%s\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n", id, id);
	letter_say(l, "This is an aggregate report (DMARC, RFC 9990) about "
	    "mail that claimed\r\nto be from\r\n    %s\r\n"
	    "and was received by\r\n    %s\r\n\r\n--=_%s\r\n", at, host, id);
	letter_say(l, "Content-Type: application/gzip\r\n"
	    "Content-Transfer-Encoding: base64\r\n"
	    "Content-Disposition: attachment;\r\n"
	    " filename=\"%s!%s!%llu!%llu!%s.xml.gz\"\r\n\r\n", host, at,
	    begin, end, id);
}

/* As many rows as there is room for, at least one. */
static uint32_t
body(struct pack *p, const struct domain *d, const struct target *t,
    const char *id)
{
	const struct conf *conf = proc_conf();
	const struct counted *c = d->first;
	uint64_t max = conf->reports.max_size < REPORT_PART_MAX ?
	    conf->reports.max_size : REPORT_PART_MAX;
	struct report_row row;
	struct xml_head h = {
	    .organization = conf->reports.organization != NULL ?
	    conf->reports.organization : conf->hostname,
	    .contact = conf->reports.contact, .generator = "maild",
	    .id = id, .domain = d->at, .record = d->record,
	    .begin = d->period->file.begin, .end = d->period->file.end - 1,
	    .lost = t->part == 0 ? d->lost : 0 };
	uint32_t i;

	xml_head(pack_xml, p, &h);
	for (i = 0; c != NULL && i < t->row; i++)
		c = c->next;
	for (; c != NULL && !p->bad; i++, c = c->next) {
		if (i > t->row && p->packed + p->inn + MARGIN > max)
			break;
		if (row_get(c->key, c->n, &row) == 0)
			xml_row(pack_xml, p, &row, c->count);
	}
	xml_tail(pack_xml, p);
	pack_flush(p, Z_FINISH);
	if (p->linen > 0)
		pack_line(p, p->line, p->linen);
	return i;
}

/* ---- packing ------------------------------------------------------------ */

static void
pack_xml(void *arg, const char *s, size_t n)
{
	struct pack *p = arg;
	size_t k;

	while (n > 0) {
		k = sizeof(p->in) - p->inn;
		if (k > n)
			k = n;
		memcpy(p->in + p->inn, s, k);
		p->inn += k;
		s += k;
		n -= k;
		if (p->inn == sizeof(p->in))
			pack_flush(p, Z_SYNC_FLUSH);
	}
}

/* A sync each time: then it is known how much came out of what went in. */
static void
pack_flush(struct pack *p, int how)
{
	uint8_t out[8192];
	size_t n, k, off;
	int r;

	p->z.next_in = (uint8_t *)p->in;
	p->z.avail_in = (unsigned int)p->inn;
	do {
		p->z.next_out = out;
		p->z.avail_out = sizeof(out);
		r = deflate(&p->z, how);
		if (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR) {
			p->bad = true;
			break;
		}
		n = sizeof(out) - p->z.avail_out;
		p->packed += n;
		for (off = 0; off < n; off += k) {
			k = LINE - p->linen;
			if (k > n - off)
				k = n - off;
			memcpy(p->line + p->linen, out + off, k);
			p->linen += k;
			if (p->linen == LINE)
				pack_line(p, p->line, LINE);
		}
	} while (p->z.avail_out == 0);
	p->inn = 0;
}

static void
pack_line(struct pack *p, const uint8_t *b, size_t n)
{
	char text[BASE64_LEN(LINE) + 2];
	ssize_t k = base64_encode(b, n, text, sizeof(text) - 2);

	if (k == -1) {
		p->bad = true;
		return;
	}
	memcpy(text + k, "\r\n", 2);
	letter_add(p->letter, text, (size_t)k + 2);
	p->linen = 0;
}
