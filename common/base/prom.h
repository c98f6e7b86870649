/* SPDX-License-Identifier: Apache-2.0
 * Metrics in Prometheus' text format, version 0.0.4: families with one HELP and one TYPE line each, label
 * values and texts escaped as the format wants it. A name given twice in a row goes on with its family.
 */
#pragma once

#include "str.h"

#define PROM_CONTENT_TYPE "text/plain; version=0.0.4"
/* Names and values in turns: PROM_LABELS("node", name, "level", "warn"). */
#define PROM_LABELS(...) ((const char *const[]){__VA_ARGS__, NULL})

typedef enum PromType { PROM_GAUGE, PROM_COUNTER } PromType;

typedef struct Prom {
    Str text;
    const char *family; /* the one begun last */
} Prom;

/* `name` and `help` are borrowed until the next family. */
void prom_family(Prom *m, const char *name, PromType type, const char *help);
/* One sample of the family begun last; labels may be NULL, and so may a label's value: "". */
void prom_add(Prom *m, double value, const char *const *labels);
/* A family of one sample. */
void prom_one(Prom *m, const char *name, PromType type, const char *help, double value,
              const char *const *labels);
void prom_done(Prom *m);
