/* SPDX-License-Identifier: Apache-2.0
 * Passwords that nobody chooses.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>

/* `n` characters of 64, at most 256, and a NUL: ret holds n + 1. Aborts where the kernel gives no random
 * bytes.
 */
void random_password(char *ret, size_t n);
/* Takes as long wherever they differ. */
bool secret_equal(const char *a, const char *b);
