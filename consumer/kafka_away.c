#include "consumer/kafka_away.h"

#include <string.h>

#define FROZEN "it is frozen, overloaded or cut off on the way", "see whether the broker still works, and whether its port answers from here"

/* By what librdkafka says; the first that fits. */
static const struct cause {
    const char *said, *means, *hint;
} causes[] = {
    {"refused", "nothing listens there", "start the broker, or correct kafka.bootstrap.servers"},
    {"resolve", "there is no such host", "correct kafka.bootstrap.servers, or mend the name service"},
    {"nknown topic", "the topic is not there", "correct topics.prefix, or start the programs once, which make the topics"},
    {"uthenti", "it refuses the login", "correct the login in [kafka]"},
    {"uthoriz", "the account may not do this", "give it the right, see access.md"},
    {"ertificate", "no TLS comes about", "correct the ssl settings in [kafka]"},
    {"SSL", "no TLS comes about", "correct the ssl settings in [kafka]"},
    {"transport failure", FROZEN},
    {"imed out", FROZEN},
    {"brokers are down", FROZEN},
    {"not answered for", FROZEN},
    {"", NULL, NULL}, /* something else; its own words say it */
};

void kafka_away_words(const char *servers, const char *words, const char *why, struct err *out)
{
    const struct cause *c = causes;
    while (strstr(why, c->said) == NULL && strstr(words, c->said) == NULL)
        c++;
    if (c->means == NULL)
        err_set(out, "%s", words);
    else
        err_set(out, "no answer from Kafka at %.100s: %s. Nothing more was done: %s, then try again (%.150s%s%.150s)", servers, c->means, c->hint, words, why[0] != '\0' ? "; " : "", why);
}
