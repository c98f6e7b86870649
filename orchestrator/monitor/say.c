/* SPDX-License-Identifier: Apache-2.0
 * What is told on the last line, and who may do what: used by all parts.
 */
#include "common/file/json.h"
#include "monitor_impl.h"

enum { SAY_MS = 8000 };

void monitor_say(Monitor *m, CellLook look, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    free(m->message);
    m->message = xvasprintf(fmt, ap);
    va_end(ap);
    m->message_look = look;
    m->message_until = m->now_ms + SAY_MS;
}

bool monitor_may_change(Monitor *m)
{
    if (!m->read_only && m->by_hand_only && !monitor_is_manual(m)) {
        monitor_say(m, LOOK_PLAIN,
                    "in automatic mode this monitor looks only (--only-in-manual): a is for manual mode");
        return false;
    }
    if (!m->read_only)
        return true;
    monitor_say(m, LOOK_PLAIN,
                m->asked_read_only ? "this monitor was started to look only (--read-only)"
                                   : "you may look only: \"operators\" in sidingd.conf names who may more");
    return false;
}

bool monitor_is_manual(const Monitor *m)
{
    return str_eq(json_str(json_object_get(m->status, "queue"), "mode"), "manual");
}

const json_t *monitor_queue(const Monitor *m)
{
    return json_object_get(m->status, "queue");
}

const json_t *monitor_brake(const Monitor *m, const char *kind, const char *name)
{
    size_t i;
    const json_t *b;
    json_array_foreach(json_object_get(monitor_queue(m), "brakes"), i, b)
    {
        if (str_eq(json_str(b, "kind"), kind) && (!name || str_eq(json_str(b, "name"), name)))
            return b;
    }
    return NULL;
}
