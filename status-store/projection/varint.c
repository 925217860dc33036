/* SPDX-License-Identifier: Apache-2.0
 *
 * varint.c: as is usual for such numbers: the top bit says that more bytes follow.
 */
#include "status-store/projection/varint.h"

size_t varint_put(unsigned char *out, uint64_t value)
{
        size_t n = 0;
        for (; value >= 0x80; value >>= 7)
                out[n++] = (unsigned char)(value | 0x80);
        out[n++] = (unsigned char)value;
        return n;
}

bool varint_get(struct bytes *in, uint64_t *value)
{
        *value = 0;
        for (unsigned shift = 0; in->length > 0 && shift < 64; shift += 7) {
                unsigned char byte = (unsigned char)in->data[0];
                in->data++;
                in->length--;
                *value |= (uint64_t)(byte & 0x7f) << shift;
                if ((byte & 0x80) == 0)
                        return true;
        }
        return false;
}
