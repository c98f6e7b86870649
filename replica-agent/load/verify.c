/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file/fs.h"
#include "common/file/resultname.h"
#include "common/file/sha256.h"
#include "common/wire/progress.h"
#include "replica-agent/index/jobctl.h"
#include "replica-agent/load/bundle.h"
#include "replica-agent/load/tsv.h"

/* What the folder of siding-index by hand has beside its files, too. */
static bool is_paper(const char *name)
{
    return resultname_is_paper(name) || str_eq(name, RESULTNAME_TOLD) || str_eq(name, RESULTNAME_MARK);
}

enum { TOLD_PROBLEMS = 8 };

typedef struct Problems {
    Str text;
    int n;
} Problems;

static void problem(Problems *p, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void problem(Problems *p, const char *fmt, ...)
{
    if (p->n++ >= TOLD_PROBLEMS)
        return;
    char text[500];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    str_addf(&p->text, "%s%s", p->text.len ? "; " : "", text);
}

static const BundleFile *find_file(const Bundle *b, const char *name)
{
    for (size_t i = 0; i < b->file_count; i++)
        if (str_eq(b->files[i].name, name))
            return &b->files[i];
    return NULL;
}

static bool check_surplus(const Bundle *b, const char *below, Problems *p, Err *err)
{
    AUTOFREE char *dir = xasprintf("%s/%s", b->folder, below);
    StrList names = STRLIST_INIT;
    bool ok = fs_list(dir, &names, err);
    for (size_t i = 0; ok && i < names.n; i++) {
        AUTOFREE char *name = xasprintf("%s%s%s", below, *below ? "/" : "", names.v[i]);
        AUTOFREE char *path = xasprintf("%s/%s", b->folder, name);
        struct stat st;
        if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
            ok = check_surplus(b, name, p, err);
        else if (!is_paper(name) && !find_file(b, name))
            problem(p, "%s is surplus, the manifest does not list it", name);
    }
    strlist_done(&names);
    return ok;
}

static void check_sum_line(const Bundle *b, char *line, StrList *seen, Problems *p)
{
    char *name = line + 66;
    if (strlen(line) < 67 || line[64] != ' ') {
        problem(p, "SHA256SUMS is damaged");
        return;
    }
    line[64] = '\0';
    const BundleFile *f = find_file(b, name);
    strlist_add(seen, name);
    if (f && !str_eq(f->sha256, line))
        problem(p, "%s has another checksum in SHA256SUMS than in the manifest", name);
    else if (!f && !is_paper(name))
        problem(p, "SHA256SUMS names %s, which the manifest does not list", name);
}

/* The manifest has the same sums: a folder fetched by it needs no second list. */
static void check_sums(const Bundle *b, Problems *p)
{
    Str text = STR_INIT;
    Err err;
    StrList seen = STRLIST_INIT, lines = STRLIST_INIT;
    AUTOFREE char *path = xasprintf("%s/SHA256SUMS", b->folder);
    if (!fs_exists(path))
        return;
    if (!fs_read(path, 64 << 20, &text, &err)) {
        problem(p, "%s", err.text);
        return;
    }
    strlist_split(&lines, str_z(&text), '\n');
    for (size_t i = 0; i < lines.n; i++)
        check_sum_line(b, lines.v[i], &seen, p);
    for (size_t i = 0; i < b->file_count; i++)
        if (!strlist_has(&seen, b->files[i].name))
            problem(p, "SHA256SUMS does not name %s", b->files[i].name);
    strlist_done(&seen);
    strlist_done(&lines);
    str_done(&text);
}

/* One file's; told in the order of the files, whichever thread looked first. */
typedef struct FileProof {
    Problems problems;
    RowSum sum;
} FileProof;

static bool check_bytes(const BundleFile *f, const char *path, Problems *p)
{
    int64_t size = fs_size(path);
    char sum[65];
    Err err;
    if (size < 0)
        problem(p, "%s is missing", f->name);
    else if (size < f->compressed_bytes)
        problem(p, "%s is truncated: %lld of %lld bytes", f->name, (long long)size,
                (long long)f->compressed_bytes);
    else if (size > f->compressed_bytes)
        problem(p, "%s is too long: %lld bytes instead of %lld", f->name, (long long)size,
                (long long)f->compressed_bytes);
    else if (!sha256_file(path, sum, &err))
        problem(p, "%s: %s", f->name, err.text);
    else if (!str_eq(sum, f->sha256))
        problem(p, "%s is corrupted: its SHA-256 is not that of the manifest", f->name);
    else
        return true;
    return false;
}

static void check_rows(const BundleFile *f, const char *path, RowSum *sum, Problems *p)
{
    int64_t rows = 0, bytes = 0;
    Err err;
    if (!tsv_check(path, sum, &rows, &bytes, &err))
        problem(p, "%s: %s", f->name, err.text);
    else if (rows != f->rows || bytes != f->bytes)
        problem(p, "%s holds %lld rows in %lld bytes, the manifest says %lld in %lld", f->name,
                (long long)rows, (long long)bytes, (long long)f->rows, (long long)f->bytes);
}

typedef struct Verify {
    const Bundle *b;
    FileProof *findings; /* one a file */
    atomic_size_t next;
} Verify;

static void *check_files(void *arg)
{
    Verify *v = arg;
    for (size_t i; (i = atomic_fetch_add(&v->next, 1)) < v->b->file_count;) {
        const BundleFile *f = &v->b->files[i];
        FileProof *found = &v->findings[i];
        AUTOFREE char *path = xasprintf("%s/%s", v->b->folder, f->name);
        progress_set(0, v->b->rows, "verifying the files");
        if (check_bytes(f, path, &found->problems) && f->data)
            check_rows(f, path, &found->sum, &found->problems);
    }
    return NULL;
}

/* Nothing else runs yet: as many threads as there are processors. */
static void check_all_files(Verify *v)
{
    enum { MOST = 8 };
    pthread_t threads[MOST];
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int wanted = processors < MOST ? (int)processors : MOST, n = 0;
    jobctl_block();
    while (n + 1 < wanted && (size_t)n + 1 < v->b->file_count &&
           pthread_create(&threads[n], NULL, check_files, v) == 0)
        n++;
    jobctl_unblock();
    check_files(v);
    while (n)
        pthread_join(threads[--n], NULL);
}

bool bundle_verify(const Bundle *b, Err *err)
{
    Problems p = {STR_INIT, 0};
    RowSum sum = {0, 0};
    if (!check_surplus(b, "", &p, err))
        return false;
    check_sums(b, &p);
    Verify v = {.b = b, .findings = xcalloc(b->file_count + 1, sizeof *v.findings)};
    check_all_files(&v);
    for (size_t i = 0; i < b->file_count; i++) {
        FileProof *found = &v.findings[i];
        rowsum_join(&sum, &found->sum);
        if (found->problems.n)
            problem(&p, "%s", str_z(&found->problems.text));
        str_done(&found->problems.text);
    }
    free(v.findings);
    AUTOFREE char *checksum = rowsum_text(&sum);
    if (!p.n && *b->checksum && !str_eq(checksum, b->checksum))
        problem(&p, "the rows have the checksum %s, the manifest says %s", checksum, b->checksum);
    if (p.n)
        err_set(err, ERR_CORRUPT, 0, "nothing is loaded from %s: %s%s", b->folder, str_z(&p.text),
                p.n > TOLD_PROBLEMS ? "; and more" : "");
    str_done(&p.text);
    return p.n == 0;
}
