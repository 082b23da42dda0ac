#include "store/valkey_script.h"

/* Fields begin at these bytes, from 1: generation 2, first_seen 6, last_seen 11,
 * passed_at 16, expires 21, blocked 26, passed 32, held_until 38, held_for 43,
 * strikes 44; those of version 1 end before held_until. Lua's numbers are doubles:
 * exact up to 2^53, and no field or sum of two has more than 49 bits.
 *
 * life() gives the server a span of time instead of a date, so that its clock
 * need not be right. It is at least an hour: a record that is merged into after
 * its end is being used as the base of a new generation. GRACE is STORE_GRACE_S. */
#define FUNCTIONS \
	"local GRACE, LEAST = 86400, 3600\n" \
	"local function take(s, at, n)\n" \
	"  local v = 0\n" \
	"  for i = at + n - 1, at, -1 do v = v * 256 + string.byte(s, i) end\n" \
	"  return v\n" \
	"end\n" \
	"local function put(v, n)\n" \
	"  local t = {}\n" \
	"  for i = 1, n do\n" \
	"    local b = v % 256\n" \
	"    t[i] = string.char(b)\n" \
	"    v = (v - b) / 256\n" \
	"  end\n" \
	"  return table.concat(t)\n" \
	"end\n" \
	"local function sound(s)\n" \
	"  if not s then return false end\n" \
	"  local version = string.byte(s, 1)\n" \
	"  return (version == 1 and #s == 37) or (version == 2 and #s == 45)\n" \
	"end\n" \
	"local function current(s)\n" \
	"  if #s == 45 then return s end\n" \
	"  return string.char(2) .. string.sub(s, 2) .. string.rep(string.char(0), 8)\n" \
	"end\n" \
	"local function life(s, now)\n" \
	"  return math.max(take(s, 21, 5) + GRACE - now, LEAST) * 1000\n" \
	"end\n"

static const char merge[] = FUNCTIONS
	"local function earliest(a, b)\n"
	"  if a == 0 then return b end\n"
	"  if b == 0 then return a end\n"
	"  return math.min(a, b)\n"
	"end\n"
	"local function sum(a, b) return math.min(a + b, 281474976710655) end\n"
	"local function hold(old, delta)\n"
	"  local a, b = take(old, 38, 5), take(delta, 38, 5)\n"
	"  local c, d = string.byte(old, 43), string.byte(delta, 43)\n"
	"  local later = b > a or (b == a and d > c)\n"
	"  return (later and string.sub(delta, 38, 43) or string.sub(old, 38, 43))\n"
	"    .. put(math.min(take(old, 44, 2) + take(delta, 44, 2), 65535), 2)\n"
	"end\n"
	"local function merged(old, delta)\n"
	"  old, delta = current(old), current(delta)\n"
	"  local g, h = take(old, 2, 4), take(delta, 2, 4)\n"
	"  if h < g then return old end\n"
	"  if h > g then return delta end\n"
	"  return string.sub(old, 1, 5) .. put(earliest(take(old, 6, 5), take(delta, 6, 5)), 5)\n"
	"    .. put(math.max(take(old, 11, 5), take(delta, 11, 5)), 5)\n"
	"    .. put(earliest(take(old, 16, 5), take(delta, 16, 5)), 5)\n"
	"    .. put(math.max(take(old, 21, 5), take(delta, 21, 5)), 5)\n"
	"    .. put(sum(take(old, 26, 6), take(delta, 26, 6)), 6)\n"
	"    .. put(sum(take(old, 32, 6), take(delta, 32, 6)), 6) .. hold(old, delta)\n"
	"end\n"
	"local now, new, odd = tonumber(ARGV[1]), 0, 0\n"
	"for i = 1, #KEYS do\n"
	"  local old, s = redis.call('GET', KEYS[i]), ARGV[i + 1]\n"
	"  if sound(old) then s = merged(old, s)\n"
	"  elseif old then odd = odd + 1\n"
	"  else new = new + 1 end\n"
	"  if now then redis.call('SET', KEYS[i], s, 'PX', string.format('%.0f', life(s, now)))\n"
	"  else redis.call('SET', KEYS[i], s) end\n"
	"end\n"
	"return {new, odd}\n";

static const char thin[] = FUNCTIONS
	"local n = 0\n"
	"for i = 1, #KEYS do\n"
	"  local s = redis.call('GET', KEYS[i])\n"
	"  if sound(s) and take(s, 16, 5) == 0 then n = n + redis.call('DEL', KEYS[i]) end\n"
	"end\n"
	"return n\n";

static const char sweep[] = FUNCTIONS
	"local now, n = tonumber(ARGV[1]), 0\n"
	"for i = 1, #KEYS do\n"
	"  local s = redis.call('GET', KEYS[i])\n"
	"  if sound(s) then\n"
	"    if take(s, 21, 5) + GRACE <= now then n = n + redis.call('DEL', KEYS[i])\n"
	"    elseif redis.call('PTTL', KEYS[i]) == -1 then\n"
	"      redis.call('PEXPIRE', KEYS[i], string.format('%.0f', life(s, now)))\n"
	"    end\n"
	"  end\n"
	"end\n"
	"return n\n";

const char *const valkey_script_text[VALKEY_SCRIPTS] = {
	[VALKEY_SCRIPT_MERGE] = merge,
	[VALKEY_SCRIPT_THIN] = thin,
	[VALKEY_SCRIPT_SWEEP] = sweep,
};
