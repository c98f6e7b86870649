# SPDX-License-Identifier: Apache-2.0
"""Statements over a server's socket by the C client library itself: a test that polls starts no client program for
each look, which costs more than the look."""
import ctypes
import os
import pwd
import re

CLIENT_MULTI_STATEMENTS, CLIENT_MULTI_RESULTS = 1 << 16, 1 << 17
CONNECT_TIMEOUT, CHARSET_NAME, LOCAL_INFILE, READ_TIMEOUT = 0, 7, 8, 11  # enum mysql_option

_lib = ctypes.CDLL("libmariadb.so.3")
_pointer, _text = ctypes.c_void_p, ctypes.c_char_p
for _name, _result, _arguments in (
        ("mysql_init", _pointer, [_pointer]), ("mysql_close", None, [_pointer]),
        ("mysql_options", ctypes.c_int, [_pointer, ctypes.c_int, _pointer]),
        ("mysql_real_connect", _pointer, [_pointer, _text, _text, _text, _text, ctypes.c_uint, _text, ctypes.c_ulong]),
        ("mysql_real_query", ctypes.c_int, [_pointer, _text, ctypes.c_ulong]),
        ("mysql_store_result", _pointer, [_pointer]), ("mysql_free_result", None, [_pointer]),
        ("mysql_field_count", ctypes.c_uint, [_pointer]), ("mysql_num_fields", ctypes.c_uint, [_pointer]),
        ("mysql_fetch_row", ctypes.POINTER(_pointer), [_pointer]),
        ("mysql_fetch_lengths", ctypes.POINTER(ctypes.c_ulong), [_pointer]),
        ("mysql_fetch_field_direct", ctypes.POINTER(_text), [_pointer, ctypes.c_uint]),
        ("mysql_next_result", ctypes.c_int, [_pointer]), ("mysql_errno", ctypes.c_uint, [_pointer]),
        ("mysql_error", _text, [_pointer]), ("mysql_sqlstate", _text, [_pointer])):
    getattr(_lib, _name).restype, getattr(_lib, _name).argtypes = _result, _arguments


class SqlError(Exception):
    pass


def pieces(statements):
    """What the server takes at once: DELIMITER is a word of client programs."""
    found = [[";", ""]]
    for line in statements.splitlines(keepends=True):
        word = re.match(r"DELIMITER\s+(\S+)\s*$", line)
        if word:
            found.append([word[1], ""])
        else:
            found[-1][1] += line
    for delimiter, text in found:
        yield from (p for p in ([text] if delimiter == ";" else text.split(delimiter)) if p.strip())


class Connection:
    """As root of the server behind a socket, or who runs the tests where that is not root; or as `user`, without a password."""

    def __init__(self, socket, database=None, timeout_s=60, user=None):
        self.my = _lib.mysql_init(None)
        seconds = max(1, int(timeout_s))
        for option, value in ((CONNECT_TIMEOUT, min(10, seconds)), (READ_TIMEOUT, seconds), (LOCAL_INFILE, 1)):
            _lib.mysql_options(self.my, option, ctypes.byref(ctypes.c_uint(value)))
        _lib.mysql_options(self.my, CHARSET_NAME, b"utf8mb4")
        name = user or pwd.getpwuid(os.geteuid()).pw_name
        if not _lib.mysql_real_connect(self.my, None, name.encode(), b"" if user else None, database and database.encode(), 0, os.fsencode(socket),
                                       CLIENT_MULTI_STATEMENTS | CLIENT_MULTI_RESULTS):
            error = self.error()
            self.close()
            raise error

    def error(self):
        return SqlError("ERROR %d (%s): %s" % (_lib.mysql_errno(self.my), _lib.mysql_sqlstate(self.my).decode(),
                                               _lib.mysql_error(self.my).decode("utf-8", "replace")))

    def query(self, statements):
        """(names, rows) of the last result that has columns, the rows of earlier ones before its; None for NULL."""
        names, rows = [], []
        for piece in pieces(statements):
            found, more = self.send(piece)
            names, rows = found or names, rows + more
        return names, rows

    def send(self, statements):
        names, rows, text, status = [], [], statements.encode(), 0
        if _lib.mysql_real_query(self.my, text, len(text)) != 0:  # -1 where the server is gone
            raise self.error()
        while status == 0:
            result = _lib.mysql_store_result(self.my)
            if result:
                names = self.names(result)
                rows += self.rows(result)
                _lib.mysql_free_result(result)
            elif _lib.mysql_field_count(self.my):
                raise self.error()
            status = _lib.mysql_next_result(self.my)  # -1: there is no other
        if status > 0:
            raise self.error()
        return names, rows

    @staticmethod
    def names(result):
        return [_lib.mysql_fetch_field_direct(result, i)[0].decode() for i in range(_lib.mysql_num_fields(result))]

    @staticmethod
    def rows(result):
        width, rows = _lib.mysql_num_fields(result), []
        while row := _lib.mysql_fetch_row(result):
            lengths = _lib.mysql_fetch_lengths(result)
            rows.append(tuple(None if not row[i] else ctypes.string_at(row[i], lengths[i]).decode("utf-8", "replace")
                              for i in range(width)))
        return rows

    def close(self):
        if self.my:
            _lib.mysql_close(self.my)
            self.my = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
