/*
 * The base subject, by which messages are sorted and threaded (RFC 5256 2.1).
 */
#ifndef PARSE_SUBJECT_H
#define PARSE_SUBJECT_H

#include "base/slice.h"

/*
 * Of a subject that is decoded, with single blanks: the part of it that is
 * the base.  *reply, if not NULL: something was taken off by which it is a
 * reply or a forward.  Linear in the subject.
 */
struct slice subject_base(struct slice, int *reply);

#endif
