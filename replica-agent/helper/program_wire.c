/* SPDX-License-Identifier: Apache-2.0
 * Field tables of the files in a supervised program's folder.
 */
#include "supervise.h"

const WireField program_spec_fields[] = WIRE_FIELDS(ProgramSpec, PROGRAM_SPEC_LIST);
const WireField program_supervisor_fields[] = WIRE_FIELDS(ProgramSupervisor, PROGRAM_SUPERVISOR_LIST);
const WireField program_progress_fields[] = WIRE_FIELDS(ProgramProgress, PROGRAM_PROGRESS_LIST);
const WireField program_exit_fields[] = WIRE_FIELDS(ProgramExit, PROGRAM_EXIT_LIST);
