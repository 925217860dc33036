/* SPDX-License-Identifier: Apache-2.0
 *
 * canceller.h: ends jobs that were to be cancelled while they ran, and that wait again: an attempt
 * failed, or was given back, at that very moment. Their mark stops them when their message comes,
 * which may be in hours.
 */
#pragma once

#include "status-store/sweeper.h"

extern const struct sweep canceller;
