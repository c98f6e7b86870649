/* SPDX-License-Identifier: Apache-2.0
 * When a mail is sent, and what stands in it: events are gathered for a while into one mail, and no more than
 * so many are sent an hour; what happens meanwhile waits for the next. Pure.
 */
#pragma once

#include "common/net/coordconf.h"
#include "zone.h"

enum { MAIL_MOST_PER_HOUR = 60, MAIL_LINES = 200 };

typedef struct MailRules {
    int64_t batch_ms; /* gathered for so long after the first */
    int64_t per_hour;
} MailRules;

typedef struct MailTimes {
    int64_t first_ms;                    /* when the oldest unsent event came; 0: there is none */
    int64_t not_before_ms;               /* after a failure */
    int64_t sent_ms[MAIL_MOST_PER_HOUR]; /* of the last mails, ring */
    size_t next;
} MailTimes;

/* When the next mail is due, monotonic; 0: never as things are. */
int64_t mail_due_ms(const MailTimes *t, const MailRules *r, int64_t now_ms);
void mail_note_sent(MailTimes *t, int64_t now_ms);

/* A line of a mail; no newline whatever the text holds. Owned. */
char *mail_line(const char *time, const char *level, const char *run, const char *text);
/* ERR_CONFIG: a window that cannot be read. `path` is the configuration's. */
MUST_CHECK bool mail_check(const char *path, const ConfList *emergency, Err *err);
/* Who gets a mail with these lines at this time: those of `always`, and with an error in it those whose
 * window is open by the clocks of the zone (NULL: UTC). Each once. */
void mail_recipients(const StrList *always, const ConfList *emergency, const StrList *lines, const Zone *z,
                     int64_t wall_ms, StrList *ret);
/* All header lines of a message and the empty one behind them; texts cannot break out of theirs. */
void mail_headers(const StrList *to, const char *from, const char *cluster, const char *subject, Str *out);
/* The message with its headers. `left_out`: further events that have no line. */
void mail_compose(const StrList *to, const char *from, const char *cluster, const StrList *lines,
                  int64_t left_out, Str *out);
