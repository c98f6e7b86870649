/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent rescue`: has a stopped replica apply what its relay files hold, below a supervisor. It may
 * be killed and started again any number of times: it always goes on from the server's own positions. It
 * ends well only when the last whole transaction of the files is applied.
 */
#pragma once

enum {                          /* exit status */
       RESCUE_NEEDS_PERSON = 3, /* it fails again until a person has mended something */
       RESCUE_LOOK_AGAIN = 4,   /* whether it can be done must be judged anew */
};

int rescue_main(int argc, char **argv);
