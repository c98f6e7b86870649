/* SPDX-License-Identifier: Apache-2.0
 * Case folding (NFKC_Casefold, one sign for every apostrophe) and accent folding (combining marks dropped,
 * letters such as ø and ł replaced, recomposed). Words are bounded, see Folded; one that does not fit or is
 * no text gives false.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <unicode/unorm2.h>

enum { FOLD_MAX_UNITS = 4096 };

typedef struct Folder {
    const UNormalizer2 *casefold, *nfd, *nfc;
    bool turkic; /* the lower case of I is the dotless one */
} Folder;

typedef struct Folded {
    char text[3 * FOLD_MAX_UNITS + 1]; /* UTF-8 with a NUL behind */
    size_t n;
} Folded;

void fold_open(Folder *f, UErrorCode *status);
bool fold_case(const Folder *f, const char *p, size_t n, Folded *ret);
bool fold_accents(const Folder *f, Folded *io);
void folded_set(Folded *f, const char *p, size_t n);
