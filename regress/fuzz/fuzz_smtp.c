/*
 * Fuzz entry: an SMTP command line as a server reads it.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/err.h"
#include "parse/smtp.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct slice line = slice_of((const char *)in, n);
	struct smtp_cmd c;
	struct smtp_path path;
	struct parse_err e;
	char buf[256];
	uint64_t size;
	ssize_t k;
	int last;

	if ((k = xtext_encode(line, buf, sizeof(buf))) >= 0 &&
	    ((k = xtext_decode(slice_of(buf, (size_t)k), buf, sizeof(buf))) ==
	    -1 || !slice_eq(slice_of(buf, (size_t)k), line)))
		abort();
	if (smtp_cmd_parse(line, &c, &e) == -1)
		return 0;
	smtp_mail_parse(c.arg, &path, &e);
	smtp_rcpt_parse(c.arg, 1, &path, &e);
	smtp_helo_valid(c.arg);
	smtp_bdat_parse(c.arg, &size, &last);
	return 0;
}
