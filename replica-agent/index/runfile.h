/* SPDX-License-Identifier: Apache-2.0
 * A sorted run on disk: per term its length + 1, its bytes, and its postings (field, record as the difference
 * to the one before, number) up to a zero in place of a field; a zero in place of a term ends the file.
 * Numbers are in base 128, low digits first, so that a file cut off by a full disk is seen. Marks kept in
 * memory tell where some of the terms begin, so that reading may begin there.
 */
#pragma once

#include "replica-agent/index/terms.h"
#include "replica-agent/index/tokenize.h"

enum { RUNFILE_MAX_MARKS = 256, RUNFILE_MIN_BUFFER = 16 * 1024, RUNFILE_MAX_BUFFER = 256 * 1024 };

typedef struct RunMark {
    char *term;
    size_t n;
    int64_t offset;   /* in the file, where the term begins */
    int64_t postings; /* before it */
} RunMark;

typedef struct RunFile {
    char *path;
    int64_t postings;
    RunMark *marks; /* ascending, the first term among them, at most RUNFILE_MAX_MARKS */
    size_t n_marks;
} RunFile;

void runfile_done(RunFile *f);

typedef struct RunWriter RunWriter;
MUST_CHECK bool runwriter_open(const char *path, RunWriter **ret, Err *err);
/* In sorted order: terms, and postings of each. ERR_IO etc. */
MUST_CHECK bool runwriter_term(RunWriter *w, const char *term, size_t n, Err *err);
MUST_CHECK bool runwriter_posting(RunWriter *w, const Posting *p, Err *err);
/* Frees; a file that failed is left for the folder's owner to remove. */
MUST_CHECK bool runwriter_close(RunWriter *w, RunFile *ret, Err *err);
void runwriter_abandon(RunWriter *w);

typedef struct RunReader {
    char term[TERM_MAX_BYTES];
    size_t n;
    Posting posting;
    bool has_posting; /* `posting` is the next one of `term` */
    bool ended;
    /* its own */
    const char *path;
    int fd;
    unsigned char *buffer;
    size_t at, end, size;
    uint64_t record;
} RunReader;

/* Stands at the first term that is not less than `from` (NULL: at the first). runreader_close also after an
 * error. */
MUST_CHECK bool runreader_open(RunReader *r, const RunFile *f, const char *from, size_t n, size_t buffer,
                               Err *err);
MUST_CHECK bool runreader_posting(RunReader *r, Err *err); /* the next one */
MUST_CHECK bool runreader_term(RunReader *r, Err *err); /* the next one, once this one's postings are read */
void runreader_close(RunReader *r);
