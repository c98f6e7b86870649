/* SPDX-License-Identifier: Apache-2.0
 * What a server says of its replication, for people, logs and other hosts: without what it quotes of rows, a
 * duplicate key's value or a statement with its values. Names stay. Pure.
 */
#pragma once

char *repl_text_without_rows(const char *text); /* owned; NULL is empty */
