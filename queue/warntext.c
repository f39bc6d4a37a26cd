/*
 * The text of the letter to an account that has little room left.  Pure: all
 * it says is given.  7-bit with CRLF.
 */
#include "base/compat.h"

#include <stdio.h>
#include <string.h>

#include "base/slice.h"
#include "base/text.h"
#include "base/util.h"
#include "parse/dates.h"
#include "msg/chan.h"
#include "msg/msg.h"
#include "queue/queue.h"

/* Good within one expression. */
#define CLEAN(s)	text_ascii_in(slice_str(s), (char [520]){ 0 }, 520)

/* Sent by nobody (RFC 3834 5): no machine answers it, and From is somebody
 * who can help. */
char *
warning_text(const struct warning_letter *w, size_t *n)
{
	struct text t = { 0 };
	char date[DATE_TEXT_MAX], unique[40];
	size_t len = date_print((int64_t)w->now, date, sizeof(date));
	bool full = w->percent >= 100;

	hex_encode(unique, w->unique.b, sizeof(w->unique.b));
	text_say(&t, "From: Mail system <postmaster@%s>\r\n",
	    CLEAN(w->domain));
	text_say(&t, "To: <%s>\r\n", CLEAN(w->address));
	if (full)
		text_say(&t, "Subject: Your mailbox is full\r\n");
	else
		text_say(&t, "Subject: Your mailbox is %u percent full\r\n",
		    w->percent);
	text_say(&t, "Date: %.*s\r\n", (int)len, date);
	text_say(&t, "Message-ID: <%s@%s>\r\n", unique, CLEAN(w->hostname));
	text_say(&t, "Auto-Submitted: auto-generated\r\n"
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n");
	text_say(&t, "The mailbox of <%s> is ", CLEAN(w->address));
	if (full)
		text_say(&t, "full.\r\n\r\n");
	else
		text_say(&t, "%u percent full, or more.\r\n\r\n",
		    w->percent);
	text_say(&t, "When it is full, new mail to you waits outside for some "
	    "days and then goes\r\nback to its sender, and nothing can be "
	    "saved in your folders.\r\n\r\n"
	    "To make room, delete messages that you no longer need, large ones "
	    "and old\r\nones first, also in the folders Sent, Junk and "
	    "Trash.  Where your mail\r\nprogram only marks what you delete, "
	    "have it remove that, too (\"expunge\",\r\n\"compact\", \"empty "
	    "trash\").\r\n\r\n"
	    "This is told once, and again only after there was more room "
	    "meanwhile.\r\nIf you need more room, answer this letter: it "
	    "reaches who keeps this mail\r\nsystem.\r\n");
	*n = t.n;
	return t.p;
}
