#include "common/kafka/broker_trouble.h"

#include <stddef.h>
#include <string.h>

struct verdict {
    int x509_error; /* openssl/x509_vfy.h; part of its ABI */
    struct broker_trouble trouble;
};

#define SERVER "connects again; the broker needs a new certificate"
#define NAME "connects again; ask for the broker by a name that its certificate carries (bootstrap.servers, advertised.listeners)"
#define AUTHORITY "connects again; put the certificate of the broker's authority into the file of ssl.ca.location, and restart"
#define CLIENT "connects again; see ssl.certificate.location and ssl.key.location: a new file needs a restart"
#define PROTOCOL "connects again; see security.protocol: is this the broker's port for it?"

static const struct verdict verdicts[] = {
    {9, {"the broker's certificate is not valid yet: ", "connects again; compare the clocks"}},
    {10, {"the broker's certificate has expired: ", SERVER}},
    {23, {"the broker's certificate was revoked: ", SERVER}},
    {62, {"the broker's certificate carries another name: ", NAME}},
    {64, {"the broker's certificate carries another address: ", NAME}},
};

static const struct broker_trouble unknown_authority = {"nobody that is trusted vouches for the broker's certificate: ", AUTHORITY};

struct sign {
    const char *part; /* of librdkafka's words; the first that fits counts */
    struct broker_trouble trouble;
};

static const struct sign signs[] = {
    {"SASL mechanism SCRAM", {"the broker refuses the name or the password: ", "reads the file of sasl.password again and tries; see sasl.username and sasl.password; Kafka 4 refuses "
                              "SCRAM of librdkafka before 2.6.1, however right: use a newer one, PLAIN or client certificates"}},
    {"SASL authentication error", {"the broker refuses the name or the password: ", "reads the file of sasl.password again and tries; see sasl.username, sasl.password and sasl.mechanism"}},
    {"certificate required", {"the broker wants a client certificate: ", CLIENT}},
    {"alert certificate expired", {"the broker says that the client certificate has expired: ", CLIENT}},
    {"alert unknown ca", {"the broker does not know the client certificate's authority: ", CLIENT}},
    {"alert certificate unknown", {"the broker refuses the client certificate (expired, or of an authority that it does not know): ", CLIENT}},
    {"alert bad certificate", {"the broker refuses the client certificate, or gets none: ", CLIENT}},
    {"alert handshake failure", {"the broker refuses the connection's encryption, or the client certificate: ", CLIENT}},
    {"SSL handshake failed", {"no TLS with this port: ", PROTOCOL}},
    {"Invalid response size", {"not Kafka's protocol, perhaps TLS: ", PROTOCOL}}, /* a TLS alert, taken for a length */
    {"security.protocol", {"", PROTOCOL}},
    {"ApiVersionRequest failed: Local: Timed out", {"the broker takes connections and answers nothing: it is frozen or overloaded, or it wants TLS: ",
                                                    "connects again; see whether it still works, and security.protocol"}},
    {"in state APIVERSION_QUERY", {"the broker hangs up before it has said anything, perhaps it wants TLS: ", PROTOCOL}},
};

struct broker_trouble broker_trouble_find(const char *words, int x509_error)
{
    for (size_t i = 0; x509_error != 0 && i < sizeof verdicts / sizeof verdicts[0]; i++)
        if (verdicts[i].x509_error == x509_error)
            return verdicts[i].trouble;
    if (x509_error != 0 || strstr(words, "certificate verify failed") != NULL)
        return unknown_authority;
    for (size_t i = 0; i < sizeof signs / sizeof signs[0]; i++)
        if (strstr(words, signs[i].part) != NULL)
            return signs[i].trouble;
    return (struct broker_trouble){"", "connects again"};
}
