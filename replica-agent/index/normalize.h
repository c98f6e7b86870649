/* SPDX-License-Identifier: Apache-2.0
 * Case folding (NFKC_Casefold, one sign for every apostrophe) and accent folding (combining marks dropped,
 * letters such as ø and ł replaced, recomposed). Words are bounded, see Normalized; one that does not fit or
 * is no text gives false.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <unicode/unorm2.h>

enum { NORMALIZE_MAX_UNITS = 4096 };

typedef struct Normalizer {
    const UNormalizer2 *casefold, *nfd, *nfc;
    bool turkic; /* the lower case of I is the dotless one */
} Normalizer;

typedef struct Normalized {
    char text[3 * NORMALIZE_MAX_UNITS + 1]; /* UTF-8 with a NUL behind */
    size_t n;
} Normalized;

void normalize_open(Normalizer *f, UErrorCode *status);
bool normalize_case(const Normalizer *f, const char *p, size_t n, Normalized *ret);
bool normalize_accents(const Normalizer *f, Normalized *io);
void normalized_set(Normalized *f, const char *p, size_t n);
