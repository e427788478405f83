#include "common/kafka/key_partition.h"

uint32_t key_murmur2(const void *key, size_t n)
{
    const uint32_t m = 0x5bd1e995, seed = 0x9747b28c;
    const unsigned char *p = key;
    uint32_t h = seed ^ (uint32_t)n;
    for (; n >= 4; n -= 4, p += 4) {
        uint32_t k = (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
        k *= m;
        k ^= k >> 24;
        h = (h * m) ^ (k * m);
    }
    if (n == 3)
        h ^= (uint32_t)p[2] << 16;
    if (n >= 2)
        h ^= (uint32_t)p[1] << 8;
    if (n >= 1)
        h = (h ^ p[0]) * m;
    h = (h ^ (h >> 13)) * m;
    return h ^ (h >> 15);
}

int32_t key_partition(const void *key, size_t n, int32_t partitions)
{
    return (int32_t)((key_murmur2(key, n) & 0x7fffffff) % (uint32_t)partitions);
}
