/*
 * Fuzz entry: dates of header fields, of IMAP and of operators; what is read prints and
 * reads back.
 */
#include "base/compat.h"

#include <stdlib.h>
#include <string.h>

#include "base/slice.h"
#include "parse/dates.h"

int	 LLVMFuzzerTestOneInput(const uint8_t *, size_t);

int
LLVMFuzzerTestOneInput(const uint8_t *in, size_t n)
{
	struct slice s = slice_of((const char *)in, n);
	char buf[DATE_TEXT_MAX];
	int64_t t, u;
	int zone;

	if (date_parse(s, &t, &zone) == 0) {
		date_print(t, buf, sizeof(buf));
		if (t > INT64_C(-2208988800) && t < INT64_C(253402300000) &&
		    (date_parse(slice_str(buf), &u, NULL) == -1 || u != t))
			abort();
	}
	if (imapdate_parse(s, &t, &zone) == 0)
		imapdate_print(t, buf, sizeof(buf));
	imapday_parse(s, &t);
	if (when_parse(s, 0, &t) == 0 && t > 0) {
		isodate_print(t, buf, sizeof(buf));
		if (when_parse(slice_str(buf), 0, &u) == -1 || u != t)
			abort();
	}
	return 0;
}
