/* SPDX-License-Identifier: Apache-2.0
 *
 * releaser.h: makes the jobs of a lost worker pending again: `released` with `lost`, once for each
 * attempt that counts as running there. If the worker is alive after all, its later events of the
 * job win.
 */
#pragma once

#include "status-store/sweeper.h"

extern const struct sweep releaser;
