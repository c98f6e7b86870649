/* SPDX-License-Identifier: Apache-2.0
 * cmocka with the headers it wants before it. One group a program, no skip(): a test that cannot run fails.
 */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base/err.h"
#include "common/base/str.h"

/* A call that must succeed; prints its error otherwise. */
#define assert_ok(call, err)                                                                                 \
    do {                                                                                                     \
        if (!(call))                                                                                         \
            fail_msg("%s: %s", #call, (err).text);                                                           \
    } while (0)
