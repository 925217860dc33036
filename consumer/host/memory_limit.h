/* SPDX-License-Identifier: Apache-2.0
 *
 * memory_limit.h: the address space a plugin may use, and the note that an allocation was refused:
 * the only way its consumer can tell a crash for want of memory from another.
 */
#ifndef WARREN_HOST_MEMORY_LIMIT_H
#define WARREN_HOST_MEMORY_LIMIT_H

#include <stdint.h>

#include "common/base/err.h"
#include "consumer/runner/plugin_wire.h"

/* From here on the process gets `bytes` more than it has. page is kept and must stay mapped. */
int memory_limit_set(int64_t bytes, struct wire_page *page, struct err *e) MUST_CHECK;
/* The job that allocations are now made for. */
void memory_limit_job(uint32_t sequence);

#endif
