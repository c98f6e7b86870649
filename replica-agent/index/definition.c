/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/definition.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/db/db.h"
#include "common/db/sqltext.h"
#include "common/file/gz.h"
#include "common/file/json.h"
#include "common/file/sha256.h"
#include "common/wire/bounds.h"

enum { MAX_FIELDS = 255, LONGEST_COMMENT = 2000, LONGEST_QUERY = 65536, LONGEST_NAME = 128 };

static const ConfOption field_options[] = {
    {"name", CONF_STR, offsetof(IndexField, name), .required = true, .min = 1, .max = 256,
     .doc = "What the field holds, for people."},
    {"query", CONF_STR, offsetof(IndexField, query), .required = true, .min = 1, .max = LONGEST_QUERY,
     .lines = true, .doc = "A SELECT of an integer key and a text, in this order."},
    {"weight", CONF_INT, offsetof(IndexField, weight), .fallback = "1", .min = 0, .max = 1000000,
     .doc = "How much a word in this field counts for those who search: stands in the table's comment."},
    {NULL},
};

static const ConfOption index_options[] = {
    {"target", CONF_STR, offsetof(IndexDefinition, target), .required = true,
     .doc = "The table that holds the index, as \"database.table\"."},
    {"key", CONF_STR, offsetof(IndexDefinition, key), .fallback = "record",
     .doc = "Name of the target's key column."},
    {"layout", CONF_STR, offsetof(IndexDefinition, layout), .fallback = "postings",
     .choices = "postings|hitlist",
     .doc = "A row for each word, record and field, or a row for each word with a compressed list."},
    {"positions", CONF_BOOL, offsetof(IndexDefinition, positions), .fallback = "false",
     .doc = "Keep at which words of a field a word stands too."},
    {"fields", CONF_LIST, offsetof(IndexDefinition, fields), .required = true,
     .doc = "What is indexed; the fields are numbered from 1 in this order.", .group = field_options,
     .size = sizeof(IndexField)},
    {"changed_since", CONF_STR, offsetof(IndexDefinition, changed_since), .max = LONGEST_QUERY, .lines = true,
     .doc = "A SELECT of the keys changed or deleted at or after :frozen_at (UTC)."},
    {"changed_margin", CONF_DURATION, offsetof(IndexDefinition, changed_margin_ms), .fallback = "60s",
     .max = 86400000,
     .doc =
         "How much further back :frozen_at reaches: the longest writing transaction plus the difference of "
         "clocks."},
    {"on_change", CONF_STR, offsetof(IndexDefinition, on_change), .fallback = "refuse",
     .choices = "refuse|delta|discard", .doc = "What a swap does about changes made since the freeze."},
    {"language", CONF_STR, offsetof(IndexDefinition, language), .fallback = "none",
     .doc = "Language of the stemmer, or \"none\"."},
    {"min_length", CONF_INT, offsetof(IndexDefinition, min_length), .fallback = "1", .min = 1, .max = 64,
     .doc = "Shorter words are left out."},
    {"stop_words", CONF_STRS, offsetof(IndexDefinition, stop_words), .doc = "Words left out."},
    {NULL},
};

const ConfOption encryption_options[] = {
    {"program", CONF_PATH, offsetof(Encryption, program), .required = true,
     .doc = "Encrypts its standard input to its standard output, run without a shell."},
    {"args", CONF_STRS, offsetof(Encryption, args), .lines = true, .doc = "Its arguments."},
    {"suffix", CONF_STR, offsetof(Encryption, suffix), .fallback = ".enc",
     .doc = "What the names of encrypted files end with."},
    {NULL},
};

const ConfOption job_file_options[] = {
    {"name", CONF_STR, offsetof(JobFile, name), .required = true, .min = 1, .max = LONGEST_NAME,
     .doc = "What `siding submit` calls the job."},
    {"kind", CONF_STR, offsetof(JobFile, kind), .required = true, .choices = "index|command",
     .doc = "An index by siding-index, or a program."},
    {"on", CONF_STR, offsetof(JobFile, on), .fallback = "replica", .choices = "replica|primary",
     .doc = "Where it runs."},
    {"program", CONF_PATH, offsetof(JobFile, program),
     .doc = "The program of a command, run without a shell."},
    {"args", CONF_STRS, offsetof(JobFile, args), .lines = true, .doc = "Its arguments."},
    {"stdout", CONF_STR, offsetof(JobFile, stdout_file),
     .doc = "A file of the result that a command's standard output goes to, compressed (.gz is added); left "
            "out: the task's log."},
    {"allow_args", CONF_STRS, offsetof(JobFile, allow_args),
     .doc = "Regular expressions: each argument added by a submitter must match one."},
    {"upload", CONF_STR, offsetof(JobFile, upload), .fallback = "none",
     .choices = "none|swap|append|replace|program",
     .doc = "How the result is loaded into the primary, or that a program there takes it."},
    {"upload_program", CONF_PATH, offsetof(JobFile, upload_program),
     .doc =
         "What takes a command's result on the primary's host, run without a shell. It finds the result in "
         "SIDING_RESULT_DIR, and may be run again after a crash."},
    {"upload_args", CONF_STRS, offsetof(JobFile, upload_args),
     .doc = "Its arguments; for the other uploads more options of siding-load, like \"--max-txn-ms\", "
            "\"50\"."},
    {"target", CONF_STR, offsetof(JobFile, target), .doc = "The table a command's result is loaded into."},
    {"allow_nontransactional", CONF_BOOL, offsetof(JobFile, allow_nontransactional), .fallback = "false",
     .doc = "Lets append and replace load into MyISAM, Aria and their kind: after a crash rows may be there "
            "twice."},
    {"columns", CONF_STRS, offsetof(JobFile, columns),
     .doc = "Columns of the result's rows; left out: those of the table."},
    {"compress", CONF_STR, offsetof(JobFile, compress), .fallback = "gzip",
     .doc = "How files of a command's result are compressed that are not yet: gzip, igzip:0 to igzip:3, "
            "zlib:1 to "
            "zlib:9, zstd:1 to zstd:19, or none."},
    {"nice", CONF_INT, offsetof(JobFile, nice), .fallback = "10", .min = -20, .max = 19,
     .doc = "Nice value."},
    {"time_limit", CONF_DURATION, offsetof(JobFile, time_limit_ms), .max = BOUND_LONGEST_SLEEP,
     .doc = "Longest run; left out: no limit."},
    {"snooze", CONF_DURATION, offsetof(JobFile, snooze_ms), .min = 1000,
     .doc = "A job that ends with status 75 is run again so much later, and that is no attempt. Left out: it "
            "is a "
            "failure."},
    {"snooze_most", CONF_INT, offsetof(JobFile, snooze_most), .fallback = "100", .min = 1, .max = 100000,
     .doc = "How often in a row; the next one is a failure."},
    {"pause_limit", CONF_DURATION, offsetof(JobFile, pause_limit_ms), .max = BOUND_LONGEST_PAUSE,
     .doc = "Longest pause of the replica; left out: the agent's."},
    {"relay_limit_bytes", CONF_INT, offsetof(JobFile, relay_limit_bytes), .min = 0, .max = BOUND_MOST_BYTES,
     .doc = "Most that may arrive in the relay logs during the pause; left out: the agent's."},
    {"catchup_limit", CONF_DURATION, offsetof(JobFile, catchup_limit_ms), .min = 0,
     .max = BOUND_LONGEST_PAUSE,
     .doc = "Most that catching up may be estimated to take; left out: the agent's."},
    {"min_free_bytes", CONF_INT, offsetof(JobFile, min_free_bytes), .min = 0, .max = BOUND_MOST_BYTES,
     .doc = "Least free space of result, state and relay log disk; never less than the agent's."},
    {"at_limit", CONF_STR, offsetof(JobFile, at_limit), .choices = "stop|kill|let-finish",
     .doc = "What happens at a limit; left out: as the agent's at_limit says."},
    {"keep", CONF_INT, offsetof(JobFile, keep), .min = 1, .max = 100000,
     .doc = "Results kept: the newest so many of the job with the same arguments. Left out: the agent's."},
    {"keep_for", CONF_DURATION, offsetof(JobFile, keep_for_ms), .min = 60000,
     .doc = "Age at which a result goes, unless it is the last; left out: the agent's."},
    {"destinations", CONF_STRS, offsetof(JobFile, destinations),
     .doc = "Nodes, and folders on the agent's host such as a mounted one, that get a copy of each result; "
            "left out: "
            "the agent's result.destinations."},
    {"memory_limit_bytes", CONF_INT, offsetof(JobFile, memory_limit_bytes), .max = INT64_MAX,
     .doc = "Most address space of a command's process; left out: no limit."},
    {"tasks_limit", CONF_INT, offsetof(JobFile, tasks_limit), .min = 0, .max = 1000000,
     .doc = "Most processes and threads of the job's user; left out: no limit but siding-jobd's."},
    {"user", CONF_STR, offsetof(JobFile, user),
     .doc = "Operating system user of the job; left out: the first of siding-jobd's users, without "
            "siding-jobd the "
            "agent's. Needs siding-jobd."},
    {"separation", CONF_STR, offsetof(JobFile, separation), .choices = "best|helper|namespace|process",
     .doc = "How the job is kept apart from the agent; it is not run where the host does not give that. Left "
            "out: "
            "the agent's separation."},
    {"show", CONF_STRS, offsetof(JobFile, show),
     .doc = "Files and folders that the job sees, read-only, although they stand where jobs see nothing. "
            "siding-jobd has a list of its own."},
    {"encryption", CONF_GROUP, offsetof(JobFile, encryption),
     .doc = "A program that encrypts each file of the result, for upload none and program.",
     .group = encryption_options},
    {"index", CONF_GROUP, offsetof(JobFile, index), .doc = "The index, for kind index.",
     .group = index_options},
    {NULL},
};

/* ---- rules beyond types -------------------------------------------------------------------------- */

/* Without its comments from here on: it becomes a derived table. */
static bool check_query(const char *path, const char *option, char **query, Err *err)
{
    Err why;
    char *plain;
    if (!sqltext_select(*query, &plain, &why))
        return conf_error(err, path, option, "%s", why.text);
    free(*query);
    *query = plain;
    return true;
}

static bool check_fields(const char *path, IndexDefinition *d, Err *err)
{
    if (d->fields.n == 0 || d->fields.n > MAX_FIELDS)
        return conf_error(err, path, "index.fields", "wants 1 to %d fields, has %zu", MAX_FIELDS,
                          d->fields.n);
    for (size_t i = 0; i < d->fields.n; i++) {
        AUTOFREE char *query = xasprintf("index.fields.[%zu].query", i);
        if (!check_query(path, query, &((IndexField *)d->fields.v)[i].query, err))
            return false;
        for (size_t k = 0; k < i; k++)
            if (str_eq(definition_field(d, k)->name, definition_field(d, i)->name)) {
                AUTOFREE char *name = xasprintf("index.fields.[%zu].name", i);
                return conf_error(err, path, name, "\"%s\" is the name of field %zu too",
                                  definition_field(d, i)->name, k + 1);
            }
    }
    return true;
}

static bool check_target(const char *path, const IndexDefinition *d, Err *err)
{
    AUTOFREE char *db = NULL;
    AUTOFREE char *table = NULL;
    if (!db_split_table(d->target, &db, &table))
        return conf_error(err, path, "index.target", "\"%s\" is not \"database.table\"", d->target);
    if (strlen(table) > DEFINITION_TABLE_MAX)
        return conf_error(err, path, "index.target",
                          "the table's name has more than %d bytes: the name of "
                          "the new table beside it would not fit",
                          DEFINITION_TABLE_MAX);
    static const char *const taken[] = {"term", "field", "frequency", "positions"};
    for (size_t i = 0; i < COUNT(taken); i++)
        if (strcasecmp(d->key, taken[i]) == 0)
            return conf_error(err, path, "index.key", "\"%s\" is another column of the index", d->key);
    return true;
}

static bool check_comment(const char *path, const IndexDefinition *d, Err *err)
{
    AUTOFREE char *comment = definition_comment(d);
    if (strlen(comment) <= LONGEST_COMMENT)
        return true;
    return conf_error(err, path, "index.fields",
                      "their names are too long: with their weights they stand in the comment of the table, "
                      "which takes %d bytes, not %zu",
                      LONGEST_COMMENT, strlen(comment));
}

static bool check_changes(const char *path, IndexDefinition *d, Err *err)
{
    AUTO(str_done) Str ignored = STR_INIT;
    size_t n;
    bool given = d->changed_since && *d->changed_since;
    if (str_eq(d->on_change, "delta") && !given)
        return conf_error(err, path, "index.on_change", "\"delta\" needs changed_since");
    if (!given)
        return true;
    if (!check_query(path, "index.changed_since", &d->changed_since, err))
        return false;
    sqltext_replace(d->changed_since, ":frozen_at", "", &ignored, &n);
    if (!n)
        return conf_error(err, path, "index.changed_since",
                          "does not use :frozen_at outside quotes and comments");
    return true;
}

static bool check_output(const char *path, const JobFile *f, Err *err)
{
    if (!gz_codec_known(f->compress))
        return conf_error(err, path, "compress", "\"%s\" is not a codec: gzip, zlib:6, zstd:3, none …",
                          f->compress);
    static const char *const taken[] = {"manifest.json", "SHA256SUMS", "files.json"};
    const char *name = f->stdout_file;
    if (!name)
        return true;
    bool ok = *name && *name != '.' && !strchr(name, '/') && strlen(name) < 200;
    for (size_t i = 0; i < COUNT(taken); i++)
        ok = ok && !str_eq(name, taken[i]);
    return ok || conf_error(err, path, "stdout", "\"%s\" is not a name for a file of the result", name);
}

static bool check_encryption(const char *path, const JobFile *f, Err *err)
{
    if (!f->encryption.program)
        return true;
    if (!*f->encryption.suffix || strchr(f->encryption.suffix, '/'))
        return conf_error(err, path, "encryption.suffix", "\"%s\" cannot end a file's name",
                          f->encryption.suffix);
    return str_eq(f->upload, "none") || str_eq(f->upload, "program") ||
           conf_error(err, path, "encryption", "upload \"%s\" cannot load an encrypted result", f->upload);
}

static json_t *value_of(const ConfOption *o, const JobFile *f)
{
    const void *at = (const char *)f + o->offset;
    if (o->type == CONF_INT || o->type == CONF_DURATION)
        return json_integer(*(const int64_t *)at);
    if (o->type == CONF_STR)
        return *(char *const *)at ? json_string(*(char *const *)at) : json_null();
    const StrList *list = at;
    json_t *a = json_array();
    for (size_t i = 0; i < list->n; i++)
        json_array_append_new(a, json_string(list->v[i]));
    return a;
}

/* What may be said of a task too has the same bounds here, whoever says it. */
static bool check_bounds(const char *path, const JobFile *f, Err *err)
{
    Err why;
    for (const ConfOption *o = job_file_options; o->name; o++) {
        const Bound *row = bounds_of_option(task_bounds, o->name);
        AUTOJSON json_t *value = row ? value_of(o, f) : NULL;
        if (row && !bounds_check_option(row, value, &why))
            return conf_error(err, path, o->name, "%s", why.text);
    }
    return true;
}

static bool check_job(const char *path, JobFile *f, Err *err)
{
    if (!check_bounds(path, f, err) || !check_encryption(path, f, err))
        return false;
    if (str_eq(f->kind, "command")) {
        if (!f->program)
            return conf_error(err, path, "program", "missing; a command needs one");
        if (f->index.fields.n)
            return conf_error(err, path, "index", "is for kind \"index\" only");
        if (str_eq(f->upload, "swap"))
            return conf_error(err, path, "upload", "\"swap\" is for kind \"index\" only");
        if (str_eq(f->upload, "program") && !f->upload_program)
            return conf_error(err, path, "upload_program", "missing; upload \"program\" needs one");
        if (!str_eq(f->upload, "none") && !str_eq(f->upload, "program") && !f->target)
            return conf_error(err, path, "target", "missing; upload \"%s\" needs one", f->upload);
        return check_output(path, f, err);
    }
    if (!f->index.fields.n && !f->index.target)
        return conf_error(err, path, "index", "missing; kind \"index\" needs one");
    if (f->program)
        return conf_error(err, path, "program", "is for kind \"command\" only");
    if (f->stdout_file)
        return conf_error(err, path, "stdout", "is for kind \"command\" only");
    if (str_eq(f->upload, "program"))
        return conf_error(err, path, "upload", "\"program\" is for kind \"command\" only");
    return check_target(path, &f->index, err) && check_fields(path, &f->index, err) &&
           check_comment(path, &f->index, err) && check_changes(path, &f->index, err);
}

bool job_file_load(const char *path, JobFile *ret, Err *err)
{
    if (!conf_load(path, job_file_options, ret, err))
        return false;
    if (check_job(path, ret, err))
        return true;
    job_file_done(ret);
    return false;
}

void job_file_done(JobFile *f)
{
    conf_free(job_file_options, f);
}

bool definition_load(const char *path, JobFile *ret, Err *err)
{
    if (!job_file_load(path, ret, err))
        return false;
    if (ret->index.fields.n)
        return true;
    conf_error(err, path, "kind", "\"%s\" where an index is wanted", ret->kind);
    job_file_done(ret);
    return false;
}

/* ---- what follows from it ------------------------------------------------------------------------ */

bool definition_is_hitlist(const IndexDefinition *d)
{
    return str_eq(d->layout, "hitlist");
}

bool definition_set_layout(IndexDefinition *d, const char *layout, Err *err)
{
    if (!str_eq(layout, "postings") && !str_eq(layout, "hitlist"))
        return err_set(err, ERR_USAGE, 0, "layout \"%s\" is not known: postings or hitlist", layout);
    free(d->layout);
    d->layout = xstrdup(layout);
    return true;
}

char *definition_fingerprint(const IndexDefinition *d)
{
    AUTO(str_done) Str all = STR_INIT;
    str_addf(&all, "%s\n%s\n%s\n%lld\n%s\n%d\n", d->target, d->key, d->language, (long long)d->min_length,
             d->layout, d->positions);
    for (size_t i = 0; i < d->fields.n; i++)
        str_addf(&all, "%zu %s\n", i + 1, definition_field(d, i)->query);
    for (size_t i = 0; i < d->stop_words.n; i++)
        str_addf(&all, "- %s\n", d->stop_words.v[i]);
    char hex[65];
    Sha256 *s = sha256_new();
    sha256_add(s, str_z(&all), all.len);
    sha256_finish(s, hex);
    return xstrdup(hex);
}

void definition_changed_since(const IndexDefinition *d, int64_t since_wall_ms, Str *out)
{
    char text[CLOCK_TEXT];
    size_t n;
    clock_format(since_wall_ms, text);
    text[10] = ' '; /* as the servers write it */
    AUTOFREE char *literal = xasprintf("'%.23s'", text);
    sqltext_replace(d->changed_since, ":frozen_at", literal, out, &n);
}

char *definition_comment(const IndexDefinition *d)
{
    AUTOJSON json_t *comment = json_object();
    json_t *fields = json_array();
    for (size_t i = 0; i < d->fields.n; i++) {
        json_t *field = json_object();
        json_set_str(field, "name", definition_field(d, i)->name);
        json_set_int(field, "weight", definition_field(d, i)->weight);
        json_array_append_new(fields, field);
    }
    json_object_set_new(comment, "fields", fields);
    return json_text(comment);
}

static void postings_body(const IndexDefinition *d, Str *out)
{
    AUTO(str_done) Str key = STR_INIT;
    db_quote_id(&key, d->key);
    str_addf(out,
             "  %s BIGINT NOT NULL,\n  `field` TINYINT UNSIGNED NOT NULL,\n"
             "  `frequency` INT UNSIGNED NOT NULL,\n%s  PRIMARY KEY (`term`, %s, `field`),\n"
             "  KEY %s (%s)\n",
             str_z(&key), d->positions ? "  `positions` MEDIUMTEXT CHARACTER SET ascii NOT NULL,\n" : "",
             str_z(&key), str_z(&key), str_z(&key));
}

void definition_create_table(const IndexDefinition *d, Str *out)
{
    AUTOFREE char *db = NULL;
    AUTOFREE char *table = NULL;
    AUTOFREE char *comment = definition_comment(d);
    if (!db_split_table(d->target, &db, &table))
        return;
    str_adds(out, "CREATE TABLE ");
    db_quote_table(out, db, table);
    str_adds(out, " (\n  `term` VARCHAR(64) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,\n");
    if (definition_is_hitlist(d))
        str_adds(out, "  `first` BIGINT NOT NULL,\n  `records` INT UNSIGNED NOT NULL,\n"
                      "  `hits` LONGBLOB NOT NULL,\n  PRIMARY KEY (`term`, `first`)\n");
    else
        postings_body(d, out);
    str_adds(out, ") ENGINE=InnoDB COMMENT=");
    db_quote_str(out, comment, strlen(comment));
}

void definition_columns(const IndexDefinition *d, StrList *ret)
{
    strlist_add(ret, "term");
    if (definition_is_hitlist(d)) {
        strlist_add(ret, "first");
        strlist_add(ret, "records");
        strlist_add(ret, "hits");
        return;
    }
    strlist_add(ret, d->key);
    strlist_add(ret, "field");
    strlist_add(ret, "frequency");
    if (d->positions)
        strlist_add(ret, "positions");
}
