/* SPDX-License-Identifier: Apache-2.0
 *
 * db.h: the shared SQLite face under its former name.
 */
#include "common/db/db.h"
