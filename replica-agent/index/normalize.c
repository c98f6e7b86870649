/* SPDX-License-Identifier: Apache-2.0 */
#include "replica-agent/index/normalize.h"

#include <string.h>
#include <unicode/uscript.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>

void normalize_open(Normalizer *f, UErrorCode *status)
{
    f->casefold = unorm2_getNFKCCasefoldInstance(status);
    f->nfd = unorm2_getNFDInstance(status);
    f->nfc = unorm2_getNFCInstance(status);
}

void normalized_set(Normalized *f, const char *p, size_t n)
{
    if (n > sizeof f->text - 1)
        n = sizeof f->text - 1;
    memmove(f->text, p, n);
    f->text[n] = '\0';
    f->n = n;
}

static bool to_utf16(const char *p, size_t n, UChar *ret, int32_t *ret_n)
{
    UErrorCode status = U_ZERO_ERROR;
    u_strFromUTF8(ret, NORMALIZE_MAX_UNITS, ret_n, p, (int32_t)n, &status);
    return U_SUCCESS(status);
}

static bool to_utf8(const UChar *p, int32_t n, Normalized *ret)
{
    UErrorCode status = U_ZERO_ERROR;
    int32_t length = 0;
    u_strToUTF8(ret->text, sizeof ret->text - 1, &length, p, n, &status);
    if (U_FAILURE(status))
        return false;
    ret->text[length] = '\0';
    ret->n = (size_t)length;
    return true;
}

/* Before the case is folded: the two letters whose lower case is the language's own. */
static int32_t fold_turkic(UChar *io, int32_t n)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < n; i++) {
        bool dotted = io[i] == 0x0130 || (io[i] == 'I' && i + 1 < n && io[i + 1] == 0x0307);
        i += dotted && io[i] == 'I';
        io[kept++] = dotted ? 'i' : io[i] == 'I' ? 0x0131 : io[i];
    }
    return kept;
}

/* One sign for what is written as an apostrophe, and the one of Hebrew acronyms that keyboards have. */
static UChar plain_apostrophe(UChar c)
{
    switch (c) {
    case 0x02BB:
    case 0x02BC:
    case 0x055A:
    case 0x05F3:
    case 0x2018:
    case 0x2019:
    case 0x201B:
        return '\'';
    case 0x05F4:
        return '"';
    default:
        return c;
    }
}

/* Some apostrophes are letters and belong to a word at its ends too, where the plain one does not: there they
 * go, so that one word has one term. After a Hebrew letter the plain one belongs to the word as well. */
static void fold_apostrophes(UChar *io, int32_t *n)
{
    int32_t from = 0, to = *n;
    for (int32_t i = 0; i < to; i++)
        io[i] = plain_apostrophe(io[i]);
    while (from < to && io[from] == '\'')
        from++;
    UErrorCode status = U_ZERO_ERROR;
    while (to > from && io[to - 1] == '\'' &&
           !(to - 1 > from && uscript_getScript(io[to - 2], &status) == USCRIPT_HEBREW))
        to--;
    *n = to - from;
    memmove(io, io + from, (size_t)*n * sizeof *io);
}

bool normalize_case(const Normalizer *f, const char *p, size_t n, Normalized *ret)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar word[NORMALIZE_MAX_UNITS], folded[NORMALIZE_MAX_UNITS];
    int32_t length = 0;
    if (!to_utf16(p, n, word, &length))
        return false;
    if (f->turkic)
        length = fold_turkic(word, length);
    length = unorm2_normalize(f->casefold, word, length, folded, NORMALIZE_MAX_UNITS, &status);
    if (U_FAILURE(status))
        return false;
    fold_apostrophes(folded, &length);
    return to_utf8(folded, length, ret);
}

/* Marks that a reader may leave out: accents, Hebrew points, Arabic vowels and the tatweel. Marks of other
 * scripts are letters to their readers (the vowels of Devanagari, the voicing of kana) and stay. */
static bool is_accent(UChar32 c)
{
    static const UChar32 ranges[][2] = {
        {0x0300, 0x036F}, {0x0483, 0x0487}, {0x0591, 0x05BD}, {0x05BF, 0x05BF}, {0x05C1, 0x05C2},
        {0x05C4, 0x05C5}, {0x05C7, 0x05C7}, {0x0610, 0x061A}, {0x0640, 0x0640}, {0x064B, 0x065F},
        {0x0670, 0x0670}, {0x06D6, 0x06DC}, {0x06DF, 0x06E4}, {0x06E7, 0x06E8}, {0x06EA, 0x06ED},
        {0x1AB0, 0x1AFF}, {0x1DC0, 0x1DFF}, {0x20D0, 0x20FF}, {0xFE20, 0xFE2F}};
    for (size_t i = 0; i < sizeof ranges / sizeof *ranges && c >= ranges[i][0]; i++)
        if (c <= ranges[i][1])
            return true;
    return false;
}

/* Letters that carry their accent inside; in lower case. */
static const char *plain_letters(UChar32 c)
{
    switch (c) {
    case 0x00E6:
        return "ae";
    case 0x00F0:
    case 0x0111:
        return "d";
    case 0x00F8:
        return "o";
    case 0x00FE:
        return "th";
    case 0x0127:
        return "h";
    case 0x0131:
        return "i";
    case 0x0142:
        return "l";
    case 0x0153:
        return "oe";
    case 0x0167:
        return "t";
    default:
        return NULL;
    }
}

/* What a term must not hold: blanks (some ligatures unfold to several words), controls, the backslash. */
static bool is_unfit(UChar32 c)
{
    return c <= 0x20 || c == 0x7F || c == '\\';
}

bool normalize_accents(const Normalizer *f, Normalized *io)
{
    UErrorCode status = U_ZERO_ERROR;
    UChar word[NORMALIZE_MAX_UNITS], plain[NORMALIZE_MAX_UNITS + 2];
    int32_t length = 0, kept = 0;
    if (!to_utf16(io->text, io->n, plain, &length))
        return false;
    length = unorm2_normalize(f->nfd, plain, length, word, NORMALIZE_MAX_UNITS, &status);
    if (U_FAILURE(status))
        return false;
    for (int32_t i = 0; i < length && kept < NORMALIZE_MAX_UNITS;) {
        UChar32 c;
        U16_NEXT(word, i, length, c);
        const char *letters = plain_letters(c);
        if (letters)
            for (; *letters; letters++)
                plain[kept++] = (UChar)*letters;
        else if (!is_accent(c) && !is_unfit(c))
            U16_APPEND_UNSAFE(plain, kept, c);
    }
    length = unorm2_normalize(f->nfc, plain, kept, word, NORMALIZE_MAX_UNITS, &status);
    return U_SUCCESS(status) && to_utf8(word, length, io);
}
