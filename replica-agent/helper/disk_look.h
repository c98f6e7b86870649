/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent disk-look FOLDER`: does its file system still take writes? Each round writes and syncs a
 * small file without a name, and is told on standard output: a line with its errno, 0 where all went well. It
 * ends when standard input does.
 *
 * A process of its own, because one that waits for a hung disk cannot be ended, and would keep the agent's
 * port and its folder's lock as long.
 */
#pragma once

enum { DISK_LOOK_EVERY_MS = 500 };

int disk_look_main(int argc, char **argv);
