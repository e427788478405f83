/* Why a broker is not to be had, in words that name the setting to look at: librdkafka's own say "certificate verify failed" of an authority that nobody knows, of a
 * certificate that has expired and of another host's. Pure. */
#ifndef BRIDGE_KAFKA_BROKER_TROUBLE_H
#define BRIDGE_KAFKA_BROKER_TROUBLE_H

struct broker_trouble {
    const char *why;   /* before librdkafka's words; "" when those say enough */
    const char *doing; /* what the program does, and what the user can do */
};

/* words: librdkafka's. x509_error: what OpenSSL found wrong with the broker's certificate (X509_V_ERR_*), 0: nothing. */
struct broker_trouble broker_trouble_find(const char *words, int x509_error);

#endif
