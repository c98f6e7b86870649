/* SPDX-License-Identifier: Apache-2.0
 * Whether the disks of the server take writes: one look a folder (helper/disk_look), the server's data folder
 * and that of its binary log where it lies on another file system. What the looks say is judged by
 * core/disk_fault.
 */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "common/base/retry.h"
#include "common/wire/wire_node.h"

struct Agent;

/* A process that looks; or one whose pipes are closed, which ends. */
typedef struct DiskLook {
    char *folder;     /* NULL: none is wanted */
    pid_t pid;        /* 0: none, or reaped */
    int in, out;      /* our ends of its pipes; -1: closed */
    int64_t round_ms; /* monotonic: when its last round ended, or it was started */
    int error;        /* of that round; 0: none */
    DiskFault fault;
    Retry retry; /* of a start */
} DiskLook;

enum { DISK_LOOKS = 2 };

typedef struct DiskWatch {
    DiskLook looks[DISK_LOOKS]; /* data, binary log */
    char *binlog_index;
    DiskFault fault;    /* the worst of them */
    const char *folder; /* that has it, of a look; NULL: none has one */
    int64_t since_ms;   /* monotonic */
} DiskWatch;

void disk_watch_open(struct Agent *a);
void disk_watch_tick(struct Agent *a);
void disk_watch_close(struct Agent *a);
