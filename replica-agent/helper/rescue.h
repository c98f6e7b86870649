/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent rescue`: has a stopped replica apply what its relay files hold, below a supervisor. It may
 * be killed and started again any number of times: it always goes on from the server's own positions. It
 * ends well only when the last whole transaction of the files is applied.
 */
#pragma once

enum { RESCUE_NEEDS_PERSON = 3 }; /* exit status: it fails again until a person has mended something */

int rescue_main(int argc, char **argv);
