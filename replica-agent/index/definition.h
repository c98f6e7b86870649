/* SPDX-License-Identifier: Apache-2.0
 * Job files: what stands in jobs_dir, and the index definition within. Read alike by the agent,
 * siding-index and siding-load. Errors are ERR_CONFIG with file:line and option.
 */
#pragma once

#include "common/file/conf.h"

typedef struct IndexField {
    char *name, *query; /* query: key, text */
    int64_t weight;     /* for those who search */
} IndexField;

typedef struct IndexDefinition {
    char *target, *key; /* "db.table", and the name of its key column */
    char *layout;       /* postings, hitlist */
    bool positions;
    ConfList fields; /* IndexField; their numbers in the table count from 1 */
    char *changed_since;
    int64_t changed_margin_ms;
    char *on_change; /* refuse, delta, discard */
    char *language;
    int64_t min_length;
    StrList stop_words;
} IndexDefinition;

typedef struct Encryption {
    char *program, *suffix; /* program NULL: none */
    StrList args;
} Encryption;
extern const ConfOption encryption_options[];

typedef struct JobFile {
    char *name, *kind, *on; /* kind: index, command */
    char *program;
    char *stdout_file; /* in the result; NULL: the log */
    char *compress;    /* codec of the result's files */
    StrList args, allow_args;
    char *upload, *target;
    char *upload_program; /* of upload "program" */
    StrList columns, upload_args;
    bool allow_nontransactional;
    int64_t nice, time_limit_ms, pause_limit_ms, memory_limit_bytes; /* limits: 0 none */
    int64_t relay_limit_bytes, catchup_limit_ms, min_free_bytes;     /* 0: the agent's */
    int64_t snooze_ms, snooze_most; /* after status 75; 0: that is a failure */
    int64_t keep, keep_for_ms;      /* 0: the agent's */
    StrList destinations;           /* of copies; empty: the agent's */
    char *at_limit;
    char *user;
    char *separation; /* NULL: the agent's */
    StrList show;
    int64_t tasks_limit; /* 0: none */
    Encryption encryption;
    IndexDefinition index; /* kind index only; fields.n is 0 otherwise */
} JobFile;

extern const ConfOption job_file_options[];

enum {
    DEFINITION_TABLE_MAX = 64 -
                           sizeof "_"
                                  "_siding_new" +
                           1
}; /* so that the shadow's name fits */

/* Fills the zeroed `ret`; free with job_file_done. */
MUST_CHECK bool job_file_load(const char *path, JobFile *ret, Err *err);
void job_file_done(JobFile *f);

/* The same for a job that must be an index. */
MUST_CHECK bool definition_load(const char *path, JobFile *ret, Err *err);

static inline const IndexField *definition_field(const IndexDefinition *d, size_t i)
{
    return (const IndexField *)d->fields.v + i;
}

bool definition_is_hitlist(const IndexDefinition *d);
/* In place of what the file says. ERR_USAGE. */
MUST_CHECK bool definition_set_layout(IndexDefinition *d, const char *layout, Err *err);
/* SHA-256 over all that decides what the rows are: two definitions of one fingerprint make the same rows.
 * Owned. */
char *definition_fingerprint(const IndexDefinition *d);
/* The keys query with each :frozen_at outside quotes replaced by the UTC time. */
void definition_changed_since(const IndexDefinition *d, int64_t since_wall_ms, Str *out);
/* The standard definition of the target, with the name quoted. */
void definition_create_table(const IndexDefinition *d, Str *out);
/* The comment of a table that is an index: {"fields":[{"name":"title","weight":3},…]}. Owned. */
char *definition_comment(const IndexDefinition *d);
/* term, key, field, frequency[, positions]; or term, first, records, hits. */
void definition_columns(const IndexDefinition *d, StrList *ret);
