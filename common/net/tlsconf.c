/* SPDX-License-Identifier: Apache-2.0 */
#include "tls.h"

const ConfOption tls_options[] = {
    {"certificate_file", CONF_PATH, offsetof(Tls, certificate_file),
     .doc = "Certificate (PEM, with its chain)."},
    {"key_file", CONF_PATH, offsetof(Tls, key_file), .doc = "Its key (PEM, mode 0600)."},
    {"ca_file", CONF_PATH, offsetof(Tls, ca_file), .doc = "Certificates of the CA that signs every peer."},
    {0},
};
