/* SPDX-License-Identifier: Apache-2.0
 * Parsers of what comes from elsewhere, each as a function of any bytes, which aborts where the parser breaks
 * what its header promises. tests/unit/test_fuzz.c feeds them at random, libfuzzer.c by coverage.
 */
#pragma once

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

typedef void FuzzAdd(void *arg, const char *bytes, size_t n);

typedef struct FuzzTarget {
    const char *name;
    void (*feed)(const char *bytes, size_t n); /* behind them is a NUL that n does not count */
    const char *const *examples;               /* ended by NULL; NULL: none */
    void (*make)(FuzzAdd add, void *arg);      /* examples that have to be made; NULL: none */
    int slow;                                  /* one call costs as much as so many of others; 0: no more */
} FuzzTarget;

/* Each ended by one without a name. */
extern const FuzzTarget fuzz_lines[], fuzz_json[], fuzz_files[], fuzz_bytes[], fuzz_doors[], fuzz_handlers[],
    fuzz_agent[];

const FuzzTarget *fuzz_target(size_t i); /* of all; NULL behind the last */
void fuzz_examples(const FuzzTarget *t, FuzzAdd add, void *arg);

/* A file of this process's own, with this content. Its path is valid until the next call. */
const char *fuzz_file(const char *name, const char *bytes, size_t n);
const char *fuzz_folder(void);

#define MUST(x)                                                                                              \
    do {                                                                                                     \
        if (!(x)) {                                                                                          \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #x);                           \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)
