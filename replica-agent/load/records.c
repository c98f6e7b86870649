/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/load/records.h"

#include "replica-agent/index/layout.h"

enum { KEYS_OF_A_STATEMENT = 500 };

bool records_open(Db *db, const IndexDefinition *d, CurrentRecords *ret, Err *err)
{
    CurrentRecords r = {.db = db};
    if (!source_open(db, d, &r.source, err))
        return false;
    if (!tokenizer_new(d->language, d->min_length, &d->stop_words, &r.tokenizer, err)) {
        source_close(&r.source);
        return false;
    }
    r.terms = terms_new(definition_kind(d), SIZE_MAX);
    *ret = r;
    return true;
}

void records_close(CurrentRecords *r)
{
    if (!r->terms)
        return;
    terms_free(r->terms);
    tokenizer_free(r->tokenizer);
    source_close(&r->source);
    *r = (CurrentRecords){0};
}

static void add_term(void *arg, const char *term, size_t n, uint32_t word)
{
    CurrentRecords *r = arg;
    terms_add(r->terms, term, n, r->position.record, r->position.field, word_position_of(&r->position, word));
}

static bool add_text(void *arg, int64_t record, unsigned field, const char *text, size_t n, Err *err)
{
    (void)err;
    CurrentRecords *r = arg;
    word_position_begin(&r->position, record, field);
    word_position_end(&r->position, tokenizer_run(r->tokenizer, text, n, add_term, r));
    return true;
}

bool records_read(CurrentRecords *r, const int64_t *keys, size_t n, Err *err)
{
    terms_clear(r->terms);
    for (size_t i = 0; i < n; i += KEYS_OF_A_STATEMENT) {
        size_t some = n - i < KEYS_OF_A_STATEMENT ? n - i : KEYS_OF_A_STATEMENT;
        r->position = (WordPosition){0};
        if (!source_read_keys(r->db, &r->source, keys + i, some, add_text, r, err))
            return false;
    }
    terms_sort(r->terms);
    return true;
}
