/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata.h"

#include <time.h>

static void add_time(Str *out, const char *label, int64_t wall_ms)
{
    time_t t = (time_t)(wall_ms / 1000);
    struct tm tm;
    char text[32];
    gmtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &tm);
    str_addf(out, "%s: %s\n", label, text);
}

void metadata_write(Str *out, const Snapshot *s, int64_t finished_at)
{
    add_time(out, "Started dump at", s->started_at);
    if (s->binlog_file)
        str_addf(out, "SHOW MASTER STATUS:\n\tLog: %s\n\tPos: %lld\n\tGTID:%s\n\n", s->binlog_file,
                 (long long)s->binlog_pos, s->binlog_gtid ? s->binlog_gtid : "");
    if (s->source_host)
        str_addf(out, "SHOW SLAVE STATUS:\n\tHost: %s\n\tLog: %s\n\tPos: %lld\n\tGTID:%s\n\n", s->source_host,
                 s->source_file, (long long)s->source_pos, s->applied ? s->applied : "");
    add_time(out, "Finished dump at", finished_at);
}
