"""Recordings as a test needs them (src/collect/recording.h)."""
import struct
import time
import zlib

from harness import check

HEADER, RECORD = struct.Struct("<8sIIII"), struct.Struct("<IHHII")
META, CLOCK = 1, 4
META_TIME, META_OFFSET = 14, 15  # fields of META
AGO = 30  # s


def fields(payload):
    """{tag: (where its value begins, size)}"""
    found, at = {}, 0
    while at + 8 <= len(payload):
        tag, size = struct.unpack_from("<II", payload, at)
        found[tag] = (at + 8, size)
        at += 8 + size
    return found


def moved(payload, at, by):
    return payload[:at] + struct.pack("<q", struct.unpack_from("<q", payload, at)[0] + by) + payload[at + 8:]


def make_recent(path, to):
    """The same run, half a minute ago: for those that do not take what is hours old."""
    with open(path, "rb") as f:
        data = f.read()
    check(data[:8] == b"TTRECORD", "a recording", path)
    at = HEADER.unpack_from(data)[2]
    out, by = [data[:at]], 0
    while at + RECORD.size <= len(data):
        size, kind, pad, number, _ = RECORD.unpack_from(data, at)
        payload = data[at + RECORD.size:at + RECORD.size + size]
        padding = -size % 8
        if kind == META:
            of = fields(payload)
            began, = struct.unpack_from("<q", payload, of[META_TIME][0])
            offset, = struct.unpack_from("<q", payload, of[META_OFFSET][0])
            by = int((time.time() - AGO) * 1e9) - began - offset
            payload = moved(payload, of[META_OFFSET][0], by)
        elif kind == CLOCK:
            payload = moved(payload, 8, by)
        crc = zlib.crc32(payload, zlib.crc32(struct.pack("<IHHI", size, kind, pad, number)))
        out.append(RECORD.pack(size, kind, pad, number, crc) + payload + data[at + RECORD.size + size:][:padding])
        at += RECORD.size + size + padding
    with open(to, "wb") as f:
        f.write(b"".join(out) + data[at:])
    return to
