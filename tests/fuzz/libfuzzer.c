/* SPDX-License-Identifier: Apache-2.0
 * The target that SIDING_FUZZ_TARGET names, for libFuzzer. With SIDING_FUZZ_SEEDS its examples are written
 * into that folder instead. Started by scripts/fuzz.
 */
#include <stdint.h>
#include <string.h>

#include "common/base/str.h"
#include "fuzz.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n);

static const FuzzTarget *target;

static void write_seed(void *arg, const char *bytes, size_t n)
{
    static int number;
    AUTOFREE char *path = xasprintf("%s/seed-%d", (const char *)arg, number++);
    FILE *f = fopen(path, "wb");
    MUST(f && fwrite(bytes, 1, n, f) == n && fclose(f) == 0);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    const char *name = getenv("SIDING_FUZZ_TARGET"), *seeds = getenv("SIDING_FUZZ_SEEDS");
    for (size_t i = 0; (target = fuzz_target(i)) && !str_eq(target->name, name); i++)
        if (!name)
            puts(target->name);
    if (!target)
        exit(name != NULL);
    if (!seeds)
        return 0;
    fuzz_examples(target, write_seed, (char *)(uintptr_t)seeds);
    exit(0);
}

/* A copy of just that size, so that a byte read behind it is seen. */
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    AUTOFREE char *text = xcalloc(n + 1, 1);
    memcpy(text, bytes, n);
    target->feed(text, n);
    return 0;
}
