"""Names of Postgres's built-in types as format_type writes them, from what a Relation message says: OID and modifier.

For columns that appear while streaming, when the catalog cannot be asked what the table was like at that point of the log.
Source: src/include/catalog/pg_type.dat (OIDs are fixed) and format_type_extended in src/backend/utils/adt/format_type.c.
"""

from __future__ import annotations

BUILTIN_NAMES: dict[int, str] = {
    16: "boolean", 17: "bytea", 18: '"char"', 19: "name", 20: "bigint", 21: "smallint", 22: "int2vector", 23: "integer",
    24: "regproc", 25: "text", 26: "oid", 27: "tid", 28: "xid", 29: "cid", 30: "oidvector", 1033: "aclitem",
    1790: "refcursor", 2202: "regprocedure", 2203: "regoper", 2204: "regoperator", 2205: "regclass", 2206: "regtype",
    2970: "txid_snapshot", 3734: "regconfig", 3769: "regdictionary", 4089: "regnamespace", 4096: "regrole",
    4191: "regcollation", 5038: "pg_snapshot", 5069: "xid8",
    114: "json", 142: "xml", 600: "point", 601: "lseg", 602: "path", 603: "box", 604: "polygon", 628: "line", 650: "cidr",
    700: "real", 701: "double precision", 718: "circle", 774: "macaddr8", 790: "money", 829: "macaddr", 869: "inet",
    1042: "character", 1043: "character varying", 1082: "date", 1083: "time", 1114: "timestamp", 1184: "timestamp",
    1186: "interval", 1266: "time", 1560: "bit", 1562: "bit varying", 1700: "numeric", 2950: "uuid", 3220: "pg_lsn",
    3614: "tsvector", 3615: "tsquery", 3802: "jsonb", 3904: "int4range", 3906: "numrange", 3908: "tsrange",
    3910: "tstzrange", 3912: "daterange", 3926: "int8range", 4072: "jsonpath", 4451: "int4multirange",
    4532: "nummultirange", 4533: "tsmultirange", 4534: "tstzmultirange", 4535: "datemultirange", 4536: "int8multirange",
}  # fmt: skip
ARRAY_ELEMENTS: dict[int, int] = {
    143: 142, 199: 114, 271: 5069, 629: 628, 651: 650, 719: 718, 775: 774, 791: 790, 1000: 16, 1001: 17, 1002: 18,
    1003: 19, 1005: 21, 1006: 22, 1007: 23, 1008: 24, 1009: 25, 1010: 27, 1011: 28, 1012: 29, 1013: 30, 1014: 1042,
    1015: 1043, 1016: 20, 1017: 600, 1018: 601, 1019: 602, 1020: 603, 1021: 700, 1022: 701, 1027: 604, 1028: 26,
    1034: 1033, 1040: 829, 1041: 869, 1115: 1114, 1182: 1082, 1183: 1083, 1185: 1184, 1187: 1186, 1231: 1700,
    1270: 1266, 1561: 1560, 1563: 1562, 2201: 1790, 2207: 2202, 2208: 2203, 2209: 2204, 2210: 2205, 2211: 2206,
    2949: 2970, 2951: 2950, 3221: 3220, 3643: 3614, 3645: 3615, 3735: 3734, 3770: 3769, 3807: 3802, 3905: 3904,
    3907: 3906, 3909: 3908, 3911: 3910, 3913: 3912, 3927: 3926, 4073: 4072, 4090: 4089, 4097: 4096, 4192: 4191,
    5039: 5038, 6150: 4451, 6151: 4532, 6152: 4533, 6153: 4534, 6155: 4535, 6157: 4536,
}  # fmt: skip
_LENGTH_WITH_HEADER = frozenset({1042, 1043})  # the modifier counts four bytes of header too
_LENGTH = frozenset({1560, 1562})
_ZONE = {1083: " without time zone", 1114: " without time zone", 1184: " with time zone", 1266: " with time zone"}
_NUMERIC = 1700
_INTERVAL = 1186


def builtin_type_name(oid: int, typmod: int) -> str:
    """Return format_type's text for a built-in type; empty for another one, or for an interval with fields."""
    if oid in ARRAY_ELEMENTS:
        element = builtin_type_name(ARRAY_ELEMENTS[oid], typmod)
        return f"{element}[]" if element else ""
    name = BUILTIN_NAMES.get(oid, "")
    if oid == _INTERVAL and typmod >= 0:
        return ""
    if oid == 1042 and typmod < 0:
        return "bpchar"
    return name + _modifier(oid, typmod) + _ZONE.get(oid, "") if name else ""


def _modifier(oid: int, typmod: int) -> str:
    if typmod < 0:
        return ""
    if oid == _NUMERIC:
        # numerictypmodin: precision in the high half, scale as 11 bits with a sign.
        return f"({(typmod - 4) >> 16 & 0xFFFF},{((typmod - 4) & 0x7FF ^ 1024) - 1024})"
    if oid in _LENGTH_WITH_HEADER:
        return f"({typmod - 4})"
    return f"({typmod})" if oid in _LENGTH or oid in _ZONE else ""
