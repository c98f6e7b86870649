/* SPDX-License-Identifier: Apache-2.0 */
#include "password.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void random_password(char *ret, size_t n)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    if (getrandom(ret, n, 0) != (ssize_t)n)
        abort();
    for (size_t i = 0; i < n; i++)
        ret[i] = letters[(unsigned char)ret[i] % 64];
    ret[n] = 0;
}

bool secret_equal(const char *a, const char *b)
{
    size_t n = strlen(a);
    volatile unsigned char differs = 0;
    if (strlen(b) != n)
        return false;
    for (size_t i = 0; i < n; i++)
        differs |= (unsigned char)(a[i] ^ b[i]);
    return differs == 0;
}
