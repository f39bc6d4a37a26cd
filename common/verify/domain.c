/*
 * Domains in the one form in which the verdict engine compares and asks for
 * them: lower case A-labels without a final dot (RFC 5890, 5891 4.4, 3492).
 * What is not a domain never reaches the DNS or a header we write.
 *
 * BUGS: U-labels are case folded as common/parse can, not normalised; a
 * domain written in another normal form than NFC gives another name.
 */
#include "base/compat.h"

#include <string.h>

#include "base/slice.h"
#include "parse/charset.h"
#include "parse/fold.h"
#include "verify/verify.h"

#define LABEL_MAX	63	/* RFC 1035 2.3.4 */
#define LABEL_OCTETS	252	/* of a U-label that is read */

/* RFC 3492 5 */
#define BASE		36
#define TMIN		1
#define TMAX		26
#define SKEW		38
#define DAMP		700
#define FIRST_BIAS	72
#define FIRST_N		128

static ssize_t	 label_ascii(struct slice, char *, size_t);
static ssize_t	 label_encode(struct slice, char *, size_t);
static uint32_t	 fold(const char *, size_t, uint32_t);
static ssize_t	 punycode(const uint32_t *, size_t, char *, size_t);
static ssize_t	 put_delta(uint32_t, uint32_t, char *, size_t);
static uint32_t	 adapt(uint32_t, uint32_t, int);

int
domain_ascii(struct slice in, char out[DOMAIN_TEXT])
{
	struct slice label;
	size_t k = 0, room = DOMAIN_TEXT - 1;
	ssize_t n;

	out[0] = '\0';
	if (in.n > 0 && in.p[in.n - 1] == '.')
		in.n--;
	if (in.n == 0 || in.n > 4 * DOMAIN_TEXT)
		return -1;
	for (;;) {
		label = slice_of(in.p, slice_find(in, '.'));
		if ((n = label_ascii(label, out + k, room - k)) == -1) {
			out[0] = '\0';
			return -1;
		}
		k += (size_t)n;
		if (label.n == in.n)
			break;
		if (k == room)
			return -1;
		out[k++] = '.';
		in = slice_of(in.p + label.n + 1, in.n - label.n - 1);
	}
	out[k] = '\0';
	return 0;
}

int
domain_within(const char *sub, const char *domain)
{
	size_t n = strlen(sub), d = strlen(domain);

	if (d == 0 || n < d || memcmp(sub + n - d, domain, d) != 0)
		return 0;
	return n == d || sub[n - d - 1] == '.';
}

static ssize_t
label_ascii(struct slice label, char *out, size_t room)
{
	size_t i;
	int c;

	if (label.n == 0 || label.n > LABEL_OCTETS)
		return -1;
	if (has_8bit(label.p, label.n))
		return label_encode(label, out, room);
	if (label.n > LABEL_MAX || label.n > room)
		return -1;
	for (i = 0; i < label.n; i++) {
		c = ascii_lower((unsigned char)label.p[i]);
		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		    c == '_' || (c == '-' && i > 0 && i + 1 < label.n)))
			return -1;
		out[i] = (char)c;
	}
	return (ssize_t)label.n;
}

/* "xn--" and the label in punycode. */
static ssize_t
label_encode(struct slice label, char *out, size_t room)
{
	char ace[LABEL_MAX - 4];
	uint32_t cp[LABEL_OCTETS];
	size_t i, n;
	ssize_t k;

	for (i = n = 0; i < label.n; i += (size_t)k, n++) {
		k = utf8_get(label.p + i, label.n - i, &cp[n]);
		if (k <= 0)
			return -1;
		cp[n] = fold(label.p + i, (size_t)k, cp[n]);
		/* Controls, blanks and ASCII that no label has; C1; U+3002. */
		if (cp[n] < '-' || cp[n] == '/' || cp[n] == 127 ||
		    (cp[n] > '9' && cp[n] < 'a' && cp[n] != '_') ||
		    (cp[n] > 'z' && cp[n] < 0xa1) || cp[n] == 0x3002)
			return -1;
	}
	k = punycode(cp, n, ace, sizeof(ace));
	if (k == -1 || (size_t)k + 4 > room)
		return -1;
	memcpy(out, "xn--", 4);
	memcpy(out + 4, ace, (size_t)k);
	return k + 4;
}

/* One character in lower case.  A final sigma is a letter of its own in
 * names (RFC 5894 7.2). */
static uint32_t
fold(const char *p, size_t n, uint32_t c)
{
	char out[FOLD_MAX(4)];
	uint32_t low;
	size_t k;

	if (c == 0x3c2)
		return c;
	k = utf8_fold(p, n, out, sizeof(out));
	return utf8_get(out, k, &low) == (int)k ? low : c;
}

/* RFC 3492 6.3; n is small, so that nothing overflows. */
static ssize_t
punycode(const uint32_t *cp, size_t n, char *out, size_t size)
{
	uint32_t next, code = FIRST_N, delta = 0, bias = FIRST_BIAS;
	size_t i, k = 0, done, basic;
	ssize_t len;

	for (i = 0; i < n; i++)
		if (cp[i] < FIRST_N) {
			if (k == size)
				return -1;
			out[k++] = (char)cp[i];
		}
	basic = done = k;
	if (k > 0 && k < size)
		out[k++] = '-';
	while (done < n) {
		for (next = UINT32_MAX, i = 0; i < n; i++)
			if (cp[i] >= code && cp[i] < next)
				next = cp[i];
		delta += (next - code) * (uint32_t)(done + 1);
		code = next;
		for (i = 0; i < n; i++) {
			if (cp[i] < code)
				delta++;
			if (cp[i] != code)
				continue;
			len = put_delta(delta, bias, out + k, size - k);
			if (len == -1)
				return -1;
			k += (size_t)len;
			bias = adapt(delta, (uint32_t)done + 1, done == basic);
			done++;
			delta = 0;
		}
		delta++;
		code++;
	}
	return (ssize_t)k;
}

static ssize_t
put_delta(uint32_t q, uint32_t bias, char *out, size_t size)
{
	static const char digit[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	uint32_t k, t;
	size_t n = 0;

	for (k = BASE;; k += BASE) {
		if (n == size)
			return -1;
		t = k <= bias ? TMIN : k >= bias + TMAX ? TMAX : k - bias;
		if (q < t)
			break;
		out[n++] = digit[t + (q - t) % (BASE - t)];
		q = (q - t) / (BASE - t);
	}
	out[n++] = digit[q];
	return (ssize_t)n;
}

static uint32_t
adapt(uint32_t delta, uint32_t count, int first)
{
	uint32_t k = 0;

	delta = first ? delta / DAMP : delta / 2;
	delta += delta / count;
	for (; delta > (BASE - TMIN) * TMAX / 2; k += BASE)
		delta /= BASE - TMIN;
	return k + (BASE - TMIN + 1) * delta / (delta + SKEW);
}
