/* SPDX-License-Identifier: Apache-2.0
 * What a program's certificate is good for, read from its files, and a pure judgement of it: is it signed by
 * the cluster's CA, does it name this host, how long does it last. And the making of both, for `siding cert`.
 * Keys are written with mode 0600; nothing is replaced that is not asked to be.
 */
#pragma once

#include "common/wire/wire.h"
#include "tls.h"

enum { CERT_WARN_DAYS = 30 };

typedef struct CertFacts {
    char *file, *name;          /* name: the common name, by which others know this program */
    StrList hosts;              /* names and addresses that it is for */
    StrList uncovered;          /* of those asked about: it does not name them */
    int64_t begins_at, ends_at; /* milliseconds since the epoch; ends_at: of the whole chain */
    char *ending;               /* what ends first: "" the certificate, else the name of its CA */
    char *chain_error;          /* NULL: signed by a CA of ca_file (times apart) */
    bool for_server, for_client;
} CertFacts;
void cert_facts_done(CertFacts *f);

/* `hosts`: under which others reach this program; may be NULL. `ret` is zeroed. ERR_CONFIG. */
MUST_CHECK bool cert_read(const Tls *tls, const StrList *hosts, CertFacts *ret, Err *err);
/* One Finding named "certificate" for each thing that is wrong, or one that all is well; pure. `program`:
 * which must read a new one. */
void cert_judge(const CertFacts *f, const char *program, int64_t now_ms, WireList *findings);
/* Both; what cannot be read is a finding too. Nothing without TLS. */
void cert_check(const Tls *tls, const StrList *hosts, const char *program, WireList *findings);
/* For a daemon's own watch over its certificate: looked at when it is due. */
typedef enum CertAge { CERT_FINE, CERT_SOON, CERT_EXPIRED } CertAge;
typedef struct CertWatch {
    CertAge age;
    int64_t due_ms; /* monotonic; 0: at once */
    char *warning;  /* a sentence unless CERT_FINE; owned */
} CertWatch;
/* True when it has become worse since the last look: somebody is to be told `warning`. */
bool cert_watch(CertWatch *w, const Tls *tls);

/* SHA-256 of the public key of the first certificate of a file, as base64; it is the same for every
 * certificate of that key. */
enum { CERT_PIN_CHARS = 44 };
MUST_CHECK bool cert_pin(const char *certificate_file, char ret[CERT_PIN_CHARS + 1], Err *err);

/* The host in "https://host:port" and "host:port"; NULL where there is none that a certificate names. Owned.
 */
char *cert_host_of(const char *address);

typedef struct CertOrder {
    const char *name;     /* common name: letters, digits, '-', '_', '.' */
    const StrList *hosts; /* names and addresses; of a CA: none */
    int64_t days;
} CertOrder;
/* A CA: `certificate` and `key` must not exist. */
MUST_CHECK bool cert_make_ca(const CertOrder *o, const char *certificate, const char *key, Err *err);
/* Signed by the CA of these two files; replaces what is there. */
MUST_CHECK bool cert_issue(const CertOrder *o, const Tls *ca, const char *certificate, const char *key,
                           Err *err);
/* NAME.pem and NAME.key in `dir`, for `name` and `host`, by the ca.pem and ca.key of `ca_dir`. */
MUST_CHECK bool cert_issue_host(const char *ca_dir, const char *dir, const char *name, const char *host,
                                int64_t days, Err *err);
