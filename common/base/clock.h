/* SPDX-License-Identifier: Apache-2.0
 * Clocks and time texts. Deadlines use clock_mono_ms (CLOCK_BOOTTIME: runs on through suspend, never
 * steps), shown times use clock_wall_ms. Both in milliseconds.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_TEXT 32

int64_t clock_mono_ms(void);
int64_t clock_wall_ms(void);
void clock_sleep_ms(int64_t ms); /* only in worker threads and programs without a loop */

/* RFC 3339 UTC with milliseconds: "2026-11-23T20:37:00.123Z", of the years 1970 to 9999. */
void clock_format(int64_t wall_ms, char ret[CLOCK_TEXT]);
bool clock_parse(const char *text, int64_t *ret_wall_ms);

/* "90" (seconds), "15s", "5m", "2h", "1d", "1h30m", "250ms". */
bool clock_parse_duration(const char *text, int64_t *ret_ms);
/* "850 ms", "12.3 s", "4 min 05 s", "2 h 07 min". */
void clock_format_duration(int64_t ms, char ret[CLOCK_TEXT]);

/* This boot's id (/proc/sys/kernel/random/boot_id), "" where unknown. */
const char *clock_boot_id(void);
