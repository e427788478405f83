#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/kafka/key_partition.h"

/* The vectors of Kafka's own UtilsTest.testMurmur2. */
static void keys_hash_as_in_kafkas_own_client(void **state)
{
    static const struct {
        const char *key;
        int32_t hash;
    } known[] = {{"21", -973932308},
                 {"foobar", -790332482},
                 {"a-little-bit-long-string", -985981536},
                 {"a-little-bit-longer-string", -1486304829},
                 {"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971},
                 {"abc", 479470107}};
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        uint32_t h = key_murmur2(known[i].key, strlen(known[i].key));
        assert_int_equal((int32_t)h, known[i].hash);
        assert_int_equal(key_partition(known[i].key, strlen(known[i].key), 7), (int32_t)((h & 0x7fffffff) % 7));
    }
    assert_int_equal(key_partition("abc", 3, 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_hash_as_in_kafkas_own_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
