/* SPDX-License-Identifier: Apache-2.0
 *
 * registry_compare.h: the primary compares each record of stream `control` with its registry.
 */
#pragma once

#include "common/clients/control.h"

/* Owner: struct api. When all of control is read, provisioning begins. Loop thread. */
extern const struct control_events registry_compares;
