/* SPDX-License-Identifier: Apache-2.0
 * Events by mail: a program such as sendmail gets the message on its input; no shell. What waits to be sent
 * stands in state_dir/mail.queue and is sent by the next coordinator if this one is killed.
 */
#pragma once

#include "events.h"

typedef struct MailCounts {
    int64_t sent, failed, waiting;
} MailCounts;

void mail_open(Coord *c);
void mail_close(Coord *c);
void mail_step(Coord *c); /* takes the new events that the configuration asks for */
MailCounts mail_counts(const Coord *c);
