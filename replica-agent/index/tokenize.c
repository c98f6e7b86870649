/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/tokenize.h"

#include <libstemmer.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unicode/ubrk.h>
#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/utext.h>

#include "common/base/bytes.h"
#include "common/file/crc.h"
#include "replica-agent/index/normalize.h"

/* A longer word is cut before it is folded: 64 characters remain in any script, marks and what is left out of
 * a term beside them. One that unfolds to more than there is room for is cut at LIGATURES characters. */
enum { WORD_MAX_BYTES = 400, MARKED_MAX_CHARS = 1024, LIGATURES = 100 };

/* Goes up with every change here or in fold.c that gives some text other terms. */
enum { RULES_VERSION = 2 };

struct Tokenizer {
    UBreakIterator *words;
    UText utext;
    Normalizer normalizer;
    struct sb_stemmer *stemmer; /* NULL: none */
    bool romanian;              /* its stemmer knows the older of two spellings, see stem_of */
    size_t min_length;
    StrList stop_words; /* folded, sorted */
    bool icu_only;
    TokenSink sink; /* of the text being read */
    void *arg;
    uint32_t word;
};

/* ---- one word ---------------------------------------------------------------------------------- */

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static bool is_stop_word(const Tokenizer *t, const char *word)
{
    return t->stop_words.n && bsearch(&word, t->stop_words.v, t->stop_words.n, sizeof(char *), compare_words);
}

static size_t count_chars(const char *p, size_t n)
{
    size_t chars = 0;
    for (size_t i = 0; i < n; i++)
        chars += ((unsigned char)p[i] & 0xC0) != 0x80;
    return chars;
}

static size_t cut_at_chars(const char *p, size_t n, size_t max)
{
    size_t i = 0;
    for (size_t chars = 0; i < n; i++)
        if (((unsigned char)p[i] & 0xC0) != 0x80 && chars++ == max)
            break;
    return i;
}

static void emit(Tokenizer *t, const char *term, size_t n)
{
    if (n > TERM_MAX_CHARS)
        n = cut_at_chars(term, n, TERM_MAX_CHARS);
    if (n)
        t->sink(t->arg, term, n, t->word);
}

static void ascii_word(Tokenizer *t, const char *p, size_t n)
{
    char word[WORD_MAX_BYTES + 1];
    if (n > WORD_MAX_BYTES)
        n = WORD_MAX_BYTES;
    for (size_t i = 0; i < n; i++)
        word[i] = (char)(p[i] >= 'A' && p[i] <= 'Z' ? p[i] + 32 : p[i]);
    word[n] = '\0';
    t->word++;
    if (n < t->min_length || is_stop_word(t, word))
        return;
    if (!t->stemmer) {
        emit(t, word, n);
        return;
    }
    const sb_symbol *stem = sb_stemmer_stem(t->stemmer, (const sb_symbol *)word, (int)n);
    emit(t, (const char *)stem, (size_t)sb_stemmer_length(t->stemmer));
}

/* Stemmers know accents: they see the word before these are folded. Snowball's Romanian one of 2.2 knows s
 * and t with a cedilla only, where today a comma is written; later ones take both. */
static bool stem_of(Tokenizer *t, Normalized *io)
{
    for (size_t i = 0; t->romanian && i + 1 < io->n; i++)
        if (io->text[i] == '\xC8' && (io->text[i + 1] == '\x99' || io->text[i + 1] == '\x9B'))
            memcpy(io->text + i, io->text[i + 1] == '\x99' ? "\u015F" : "\u0163", 2);
    const sb_symbol *stem = sb_stemmer_stem(t->stemmer, (const sb_symbol *)io->text, (int)io->n);
    if (!stem)
        return false;
    normalized_set(io, (const char *)stem, (size_t)sb_stemmer_length(t->stemmer));
    return true;
}

static bool normalize_cut(const Normalizer *f, const char *p, size_t n, Normalized *ret)
{
    if (n <= WORD_MAX_BYTES)
        return normalize_case(f, p, n, ret);
    return normalize_case(f, p, cut_at_chars(p, n, MARKED_MAX_CHARS), ret) ||
           normalize_case(f, p, cut_at_chars(p, n, LIGATURES), ret);
}

static void unicode_word(Tokenizer *t, const char *p, size_t n)
{
    t->word++;
    Normalized folded;
    if (!normalize_cut(&t->normalizer, p, n, &folded) || !normalize_accents(&t->normalizer, &folded))
        return;
    if (count_chars(folded.text, folded.n) < t->min_length || is_stop_word(t, folded.text))
        return;
    if (t->stemmer && (!normalize_cut(&t->normalizer, p, n, &folded) || !stem_of(t, &folded) ||
                       !normalize_accents(&t->normalizer, &folded)))
        return;
    emit(t, folded.text, folded.n);
}

static size_t ascii_length(const char *p, size_t n)
{
    size_t i = 0;
    while (n - i >= 8 && !(bytes_u64(p + i) & 0x8080808080808080))
        i += 8;
    while (i < n && !((unsigned char)p[i] & 0x80))
        i++;
    return i;
}

static bool is_ascii(const char *p, size_t n)
{
    return ascii_length(p, n) == n;
}

static void plain_word(Tokenizer *t, const char *p, size_t n)
{
    if (t->normalizer.turkic && memchr(p, 'I', n))
        unicode_word(t, p, n);
    else
        ascii_word(t, p, n);
}

static void any_word(Tokenizer *t, const char *p, size_t n)
{
    if (is_ascii(p, n))
        plain_word(t, p, n);
    else
        unicode_word(t, p, n);
}

/* ---- boundaries -------------------------------------------------------------------------------- */

static void icu_words(Tokenizer *t, const char *p, size_t n)
{
    UErrorCode status = U_ZERO_ERROR;
    utext_openUTF8(&t->utext, p, (int64_t)n, &status);
    ubrk_setUText(t->words, &t->utext, &status);
    if (U_FAILURE(status))
        return;
    int32_t start = ubrk_first(t->words);
    for (int32_t end = ubrk_next(t->words); end != UBRK_DONE; start = end, end = ubrk_next(t->words)) {
        if (ubrk_getRuleStatus(t->words) >= UBRK_WORD_NONE_LIMIT)
            any_word(t, p + start, (size_t)(end - start));
    }
}

/* UAX #29 classes of ASCII as ICU has them (its root rules leave the colon out of MidLetter). */
enum { OTHER, LETTER, DIGIT, EXTEND, MID_BOTH, MID_NUMBER };

static const unsigned char classes[256] = {
    ['A' ... 'Z'] = LETTER, ['a' ... 'z'] = LETTER, ['0' ... '9'] = DIGIT, ['_'] = EXTEND,
    ['.'] = MID_BOTH,       ['\''] = MID_BOTH,      [','] = MID_NUMBER,    [';'] = MID_NUMBER,
};

static inline int ascii_class(char c)
{
    return classes[(unsigned char)c];
}

static bool is_joined(const char *p, size_t n, size_t i)
{
    int mid = ascii_class(p[i]);
    if (mid < MID_BOTH || i + 1 >= n)
        return false;
    int before = ascii_class(p[i - 1]), after = ascii_class(p[i + 1]);
    return before == after && ((before == LETTER && mid == MID_BOTH) || before == DIGIT);
}

static void ascii_words(Tokenizer *t, const char *p, size_t n)
{
    for (size_t i = 0; i < n;) {
        int class = ascii_class(p[i]);
        if (class == OTHER || class >= MID_BOTH) {
            i++;
            continue;
        }
        size_t start = i;
        bool lone = class == EXTEND; /* one alone is no word to ICU, two are */
        for (; i < n; i++) {
            class = ascii_class(p[i]);
            if (class == OTHER || (class >= MID_BOTH && !is_joined(p, n, i)))
                break;
        }
        if (!lone || i - start > 1)
            plain_word(t, p + start, i - start);
    }
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\n' || c == '\t' || c == '\r';
}

static size_t chunk_end(const char *p, size_t n, size_t i)
{
    while (i < n && is_blank(p[i]))
        i++;
    while (i < n && !is_blank(p[i]))
        i++;
    return i;
}

/* The end of what begins at `i`, of blank-separated chunks that are all ASCII, or none of them. No word
 * reaches over an ASCII blank, so each such run may be cut on its own. */
static size_t run_end(const char *p, size_t n, size_t i, bool *ret_ascii)
{
    size_t end = i + ascii_length(p + i, n - i);
    while (end < n && end > i && !is_blank(p[end - 1]))
        end--;
    *ret_ascii = end > i;
    if (*ret_ascii)
        return end;
    for (size_t next; i < n; i = next) {
        next = chunk_end(p, n, i);
        if (is_ascii(p + i, next - i))
            break;
    }
    return i;
}

static void piece_words(Tokenizer *t, const char *text, size_t n)
{
    if (t->icu_only) {
        icu_words(t, text, n);
        return;
    }
    for (size_t i = 0; i < n;) {
        bool ascii = true;
        size_t end = run_end(text, n, i, &ascii);
        if (ascii)
            ascii_words(t, text + i, end - i);
        else
            icu_words(t, text + i, end - i);
        i = end;
    }
}

/* ICU 72, alone of all versions, takes @ for a letter: it is kept from seeing one. */
uint32_t tokenizer_run(Tokenizer *t, const char *text, size_t n, TokenSink sink, void *arg)
{
    t->sink = sink;
    t->arg = arg;
    t->word = 0;
    for (const char *end = text + n; text < end;) {
        const char *at = memchr(text, '@', (size_t)(end - text));
        const char *stop = at ? at : end;
        piece_words(t, text, (size_t)(stop - text));
        text = at ? at + 1 : end;
    }
    return t->word;
}

/* ---- life -------------------------------------------------------------------------------------- */

static void add_stop_word(void *arg, const char *term, size_t n, uint32_t number)
{
    (void)number;
    AUTOFREE char *word = xstrndup(term, n);
    strlist_add(arg, word);
}

/* Stop words go through the tokenizer itself, without stems: they are compared before stemming. */
static void normalize_stop_words(Tokenizer *t, const StrList *words)
{
    StrList folded = STRLIST_INIT;
    struct sb_stemmer *stemmer = t->stemmer;
    t->stemmer = NULL;
    for (size_t i = 0; words && i < words->n; i++)
        tokenizer_run(t, words->v[i], strlen(words->v[i]), add_stop_word, &folded);
    t->stemmer = stemmer;
    if (folded.n)
        qsort(folded.v, folded.n, sizeof(char *), compare_words);
    t->stop_words = folded;
}

static bool open_stemmer(const char *language, struct sb_stemmer **ret, Err *err)
{
    *ret = NULL;
    if (str_eq(language, "none"))
        return true;
    *ret = sb_stemmer_new(language, "UTF_8");
    if (*ret)
        return true;
    const char *nearest = str_nearest(language, (const char *const *)sb_stemmer_list());
    return err_set(err, ERR_CONFIG, 0, "language \"%s\" is not known%s%s%s", language,
                   nearest ? ", did you mean \"" : ": \"none\" or a Snowball language such as \"english",
                   nearest ? nearest : "", "\"");
}

/* By any of the names that Snowball has for it. */
static bool is_language(const char *language, const char *name, const char *two, const char *three)
{
    return str_eq(language, name) || str_eq(language, two) || str_eq(language, three);
}

bool tokenizer_new(const char *language, int64_t min_length, const StrList *stop_words, Tokenizer **ret,
                   Err *err)
{
    struct sb_stemmer *stemmer;
    if (!open_stemmer(language, &stemmer, err))
        return false;
    UErrorCode status = U_ZERO_ERROR;
    Tokenizer *t = NEW(Tokenizer);
    UText empty = UTEXT_INITIALIZER;
    t->utext = empty;
    t->stemmer = stemmer;
    t->normalizer.turkic = is_language(language, "turkish", "tr", "tur");
    t->romanian = is_language(language, "romanian", "ro", "ron") || str_eq(language, "rum");
    t->words = ubrk_open(UBRK_WORD, "", NULL, 0, &status);
    normalize_open(&t->normalizer, &status);
    if (U_FAILURE(status)) {
        tokenizer_free(t);
        return err_set(err, ERR_IO, 0, "cannot open ICU's word rules: %s", u_errorName(status));
    }
    t->min_length = 1;
    normalize_stop_words(t, stop_words);
    t->min_length = min_length > 0 ? (size_t)min_length : 1;
    *ret = t;
    return true;
}

void tokenizer_free(Tokenizer *t)
{
    if (!t)
        return;
    if (t->words)
        ubrk_close(t->words);
    utext_close(&t->utext);
    if (t->stemmer)
        sb_stemmer_delete(t->stemmer);
    strlist_done(&t->stop_words);
    free(t);
}

void tokenizer_icu_only(Tokenizer *t)
{
    t->icu_only = true;
}

/* ---- version ----------------------------------------------------------------------------------- */

static char version_text[100];

/* ICU's word rules as they are loaded, which a packager may change without a new version. */
static uint32_t word_rules_crc(void)
{
    UErrorCode status = U_ZERO_ERROR;
    UBreakIterator *words = ubrk_open(UBRK_WORD, "", NULL, 0, &status);
    int32_t n = U_SUCCESS(status) ? ubrk_getBinaryRules(words, NULL, 0, &status) : 0;
    AUTOFREE uint8_t *rules = xcalloc(1, n > 0 ? (size_t)n : 1);
    n = n > 0 ? ubrk_getBinaryRules(words, rules, n, &status) : 0;
    ubrk_close(words);
    return crc_of(0, rules, n > 0 ? (size_t)n : 0);
}

static void write_version(void)
{
    UVersionInfo icu, unicode;
    char icu_text[U_MAX_VERSION_STRING_LENGTH], unicode_text[U_MAX_VERSION_STRING_LENGTH];
    u_getVersion(icu);
    u_getUnicodeVersion(unicode);
    u_versionToString(icu, icu_text);
    u_versionToString(unicode, unicode_text);
    snprintf(version_text, sizeof version_text, "icu %s, unicode %s, word rules %08x, folding %d", icu_text,
             unicode_text, (unsigned)word_rules_crc(), RULES_VERSION);
}

const char *tokenizer_version(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, write_version);
    return version_text;
}
