"""Scripts that the Redis server runs at one go.

A script that writes about a run gives nothing, or, having written nothing, the name of the owner
who has its lease now.
"""

from __future__ import annotations

from typing import Final

from cascade_nb.state.redis.link import Script
from cascade_nb.state.redis.replies import anything, claim, maybe_each, records, some_pairs

# `touch` never shortens a time: the lease of a run may be longer than what was not used is kept.
_SHARED: Final = """
local function touch(keys, keep)
    if keep == '' then return end
    for _, key in ipairs(keys) do
        if redis.call('PTTL', key) < tonumber(keep) then redis.call('PEXPIRE', key, keep) end
    end
end

local function wall()
    local time = redis.call('TIME')
    return time[1] * 1000000 + time[2]
end

local function whole(number)
    return string.format('%.0f', number)
end

local function lost(run, fence)
    local newest = redis.call('HMGET', run, 'fence', 'owner')
    if newest[1] == fence then return false end
    if not newest[1] then
        -- Flushed, evicted or expired, and nobody else has it: it is taken again.
        redis.call('HSET', run, 'fence', fence, 'owner', '', 'until', whole(wall() + 15e6))
        return false
    end
    return newest[2] or ''
end
"""

OPEN: Final = Script("return redis.call('SET', KEYS[1], '1', 'PX', 1000)", reply=anything)
"""See that writing is possible. KEYS: any that is free."""

# The first thing written is one that a full server refuses: after a DEL it would let the rest pass.
KEEP: Final = Script(
    _SHARED
    + """
local fence, keep = ARGV[1], ARGV[2]
if fence ~= '' then
    local owner = lost(KEYS[1], fence)
    if owner then return owner end
end
for i = 3, #KEYS do
    local key, head, bytes = KEYS[i], ARGV[2 * i - 3], ARGV[2 * i - 2]
    local answer = redis.pcall('HSET', key, 'h', head, '0', bytes)
    local foreign = type(answer) == 'table' and string.find(answer.err, 'WRONGTYPE', 1, true)
    if type(answer) == 'table' and not foreign then return answer end
    if foreign or redis.call('HLEN', key) > 2 then
        redis.call('DEL', key)
        redis.call('HSET', key, 'h', head, '0', bytes)
    end
    if keep ~= '' then redis.call('PEXPIRE', key, keep) else redis.call('PERSIST', key) end
    redis.call('ZADD', KEYS[2], wall(), key)
end
return false
"""
)
"""Keep small results. KEYS: run, list of uses, results. ARGV: fence or '', keep, then of each its
head and bytes.
"""

CHUNK: Final = Script(
    """
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
"""
)
"""Put down a chunk of a large result. KEYS: its place on the way. ARGV: number, bytes, keep."""

PUBLISH: Final = Script(
    _SHARED
    + """
local fence, keep, head = ARGV[1], ARGV[2], ARGV[3]
if fence ~= '' then
    local owner = lost(KEYS[1], fence)
    if owner then
        redis.call('DEL', KEYS[2])
        return owner
    end
end
if redis.pcall('HGET', KEYS[3], 'h') == head then return false end
if redis.call('HLEN', KEYS[2]) ~= tonumber(ARGV[4]) then
    return redis.error_reply('ERR chunks of this result were evicted or have expired')
end
redis.call('HSET', KEYS[2], 'h', head)
redis.call('RENAME', KEYS[2], KEYS[3])
redis.call('ZADD', KEYS[4], wall(), KEYS[3])
if keep ~= '' then redis.call('PEXPIRE', KEYS[3], keep) else redis.call('PERSIST', KEYS[3]) end
return false
"""
)
"""Put a large result in its place. KEYS: run, place on the way, result, list of uses. ARGV: fence
or '', keep, head, number of chunks.
"""

HEADS: Final = Script(
    """
local heads = {}
for i, key in ipairs(KEYS) do
    local head = redis.pcall('HGET', key, 'h')
    heads[i] = type(head) == 'string' and head
end
return heads
""",
    reply=maybe_each,
)
"""The heads of results, nothing for those that are none. KEYS: results."""

READ: Final = Script(
    _SHARED
    + """
local found, size = {}, 0
for i, key in ipairs(KEYS) do
    local pair = redis.pcall('HMGET', key, 'h', '0')
    local sound = not pair.err and pair[1] and pair[2]
    found[2 * i - 1] = sound and pair[1]
    found[2 * i] = sound and pair[2]
    if sound then
        if ARGV[2] ~= '' then redis.call('PEXPIRE', key, ARGV[2]) end
        redis.pcall('ZADD', ARGV[3], wall(), key)  -- a replica can only be read
        size = size + #pair[2]
        if size >= tonumber(ARGV[1]) then break end
    end
end
return found
""",
    reply=some_pairs,
)
"""Head and first chunk of results, of as many as come to so many bytes. KEYS: results. ARGV: bytes,
keep, list of uses.
"""

USES: Final = Script(
    """
local found = {}
for i, name in ipairs(ARGV) do found[i] = redis.call('ZSCORE', KEYS[1], name) end
return found
""",
    reply=maybe_each,
)
"""When results were used last, in microseconds. KEYS: list of uses. ARGV: keys of results."""

# The fence is the server's time in microseconds: it grows even if the run was forgotten
# or evicted before it is claimed anew.
CLAIM: Final = Script(
    _SHARED
    + """
local owner, lease, keep = ARGV[1], tonumber(ARGV[2]), ARGV[3]
local now = wall()
local run = redis.call('HMGET', KEYS[1], 'fence', 'owner', 'until')
local left = (tonumber(run[3]) or 0) - now
if left > 0 and run[2] ~= owner and run[3] ~= ARGV[4] then
    return {run[2] or '', whole(math.min(left, 1e15)), run[3]}
end
local fence = whole(math.max((tonumber(run[1]) or 0) + 1, now))
redis.call('HSET', KEYS[1], 'fence', fence, 'owner', owner, 'until', whole(now + lease))
touch(KEYS, keep)
return {fence}
""",
    reply=claim,
)
"""Take a lease. KEYS: of the run. ARGV: owner, microseconds, keep, an end of which it is known that
it does not count. Gives the fence, or who has it, for how many microseconds, and its end.
"""

RENEW: Final = Script(
    _SHARED
    + """
local owner = lost(KEYS[1], ARGV[1])
if owner then return owner end
redis.call('HSET', KEYS[1], 'until', whole(wall() + tonumber(ARGV[2])), 'owner', ARGV[4])
touch(KEYS, ARGV[3])
return false
"""
)
"""Have a lease for longer. KEYS: of the run. ARGV: fence, microseconds, keep, owner."""

RELEASE: Final = Script(
    """
if redis.call('HGET', KEYS[1], 'fence') == ARGV[1] then
    redis.call('HSET', KEYS[1], 'until', '0')
end
return false
"""
)
"""Let a lease go. KEYS: of the run. ARGV: fence."""

DESCRIBE: Final = Script(
    _SHARED
    + """
local owner = lost(KEYS[1], ARGV[1])
if owner then return owner end
redis.call('HSET', KEYS[1],
    'status', 'running', 'title', ARGV[3], 'started', ARGV[4], 'total', ARGV[5])
redis.call('ZADD', KEYS[4], ARGV[4], ARGV[6])
touch({KEYS[1], KEYS[2], KEYS[3]}, ARGV[2])
return false
"""
)
"""Enter a run among the runs. KEYS: of the run, the runs. ARGV: fence, keep, title, started, total,
run id.
"""

FINISH: Final = Script(
    _SHARED
    + """
local owner = lost(KEYS[1], ARGV[1])
if owner then return owner end
redis.call('HSET', KEYS[1], 'status', ARGV[3])
touch(KEYS, ARGV[2])
return false
"""
)
"""Say how a run ended. KEYS: of the run. ARGV: fence, keep, status."""

WRITE: Final = Script(
    _SHARED
    + """
local owner = lost(KEYS[1], ARGV[1])
if owner then return owner end
redis.call('HSET', KEYS[3], ARGV[3], ARGV[4])
touch(KEYS, ARGV[2])
return false
"""
)
"""Keep a part of a run. KEYS: of the run. ARGV: fence, keep, name, bytes."""

APPEND: Final = Script(
    _SHARED
    + """
local owner = lost(KEYS[1], ARGV[1])
if owner then return owner end
local last = redis.call('HGET', KEYS[1], 'last')
if last ~= ARGV[3] then
    local lines = ARGV[4]
    for i = 5, #ARGV, 2 do
        if last == ARGV[i] then lines = ARGV[i + 1] end
    end
    if lines ~= '' then redis.call('RPUSH', KEYS[2], lines) end
    redis.call('HSET', KEYS[1], 'last', ARGV[3])
end
touch(KEYS, ARGV[2])
return false
"""
)
"""Add lines to a run. KEYS: of the run. ARGV: fence, keep, stamp of this attempt, lines, then the
stamps of earlier attempts, each with the lines that are missing if that one was the last.
"""

FORGET: Final = Script(
    """
redis.call('DEL', KEYS[1], KEYS[2], KEYS[3])
redis.call('ZREM', KEYS[4], ARGV[1])
"""
)
"""Drop a run. KEYS: of the run, the runs. ARGV: run id."""

RECORDS: Final = Script(
    _SHARED
    + """
local found = {whole(wall())}
for i, key in ipairs(KEYS) do
    local fields = redis.pcall('HMGET', key, unpack(ARGV))
    found[i + 1] = fields.err and {} or fields
end
return found
""",
    reply=records,
)
"""The server's time in microseconds, then some fields of runs. KEYS: runs. ARGV: their names."""
