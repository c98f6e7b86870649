/* SPDX-License-Identifier: Apache-2.0
 * `siding-agent rescue`: applies what the relay files of a stopped replica hold, below a supervisor. It may
 * be killed and started again any number of times: it always goes on from the server's own positions. It
 * ends well only when the last whole transaction of the files is applied.
 */
#pragma once

int rescue_main(int argc, char **argv);
