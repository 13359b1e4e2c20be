-- Wireshark dissector of the dosebench protocol: COBS frames, header, bodies.
-- @@MARK@@
--
-- Each packet of link type USER0 (DLT 147) holds frames with their delimiters; over TCP use "Decode As... dosebench".
--   tshark -X lua_script:dosebench.lua -r capture.pcap

local SCHEMA_HASH = "@@SCHEMA_HASH@@"
local HEADER_BYTES, TAG_BYTES, CRC_BYTES, BODY_BYTES_MAX = @@SIZES@@
local REJECTED, RECORD_BYTES = @@REJECTED@@, @@RECORD_BYTES@@
local unpack_all = table.unpack or unpack

@@TABLES@@
-- Lua 5.2 has bit32, LuaJIT and older Wireshark have bit, Lua 5.3 and later have operators.
local xor
if bit32 then
  xor = bit32.bxor
elseif bit then
  xor = function(a, b) return bit.bxor(a, b) % 4294967296 end
else
  xor = load("return function(a, b) return a ~ b end")()
end

local CRC_TABLE = {}
for i = 0, 255 do
  local crc = i
  for _ = 1, 8 do
    local odd = crc % 2 == 1
    crc = math.floor(crc / 2)
    if odd then crc = xor(crc, 0xEDB88320) end
  end
  CRC_TABLE[i] = crc
end

local function crc32(bytes, length)
  local crc = 0xFFFFFFFF
  for i = 1, length do
    crc = xor(math.floor(crc / 256), CRC_TABLE[xor(crc, bytes[i]) % 256])
  end
  return xor(crc, 0xFFFFFFFF)
end

-- The bytes that a COBS block stands for, as a table of numbers; nil when it is none.
local function cobs_decode(tvb, first, last)
  local out, at = {}, first
  while at < last do
    local code = tvb(at, 1):uint()
    if at + code > last then return nil end
    for i = at + 1, at + code - 1 do out[#out + 1] = tvb(i, 1):uint() end
    at = at + code
    if code < 255 and at < last then out[#out + 1] = 0 end
  end
  return out
end

local function to_tvb(bytes)
  local hex = {}
  for i, byte in ipairs(bytes) do hex[i] = string.format("%02x", byte) end
  return ByteArray.new(table.concat(hex)):tvb("Decoded COBS")
end

local proto = Proto("dosebench", "dosebench drug pump testbed")
local fields, proto_fields = {}, {}

local function add_field(key, make)
  local field = make("dosebench." .. key)
  fields[key] = field
  proto_fields[#proto_fields + 1] = field
end

local function make_field(spec)
  return function(abbreviation)
    if spec.kind ~= "int" then return ProtoField.bytes(abbreviation, spec.name) end
    local make = ({ [1] = ProtoField.uint8, [2] = ProtoField.uint16, [4] = ProtoField.uint32 })[spec.width]
    return make(abbreviation, spec.name, base.DEC, spec.enum)
  end
end

for body, specs in pairs(BODIES) do
  for _, spec in ipairs(specs) do
    add_field(body .. "." .. spec.name, make_field(spec))
    for _, row in ipairs(spec.rows or {}) do
      add_field(body .. "." .. spec.name .. "." .. row.name, make_field(row))
    end
  end
end
add_field("tag", function(abbreviation) return ProtoField.bytes(abbreviation, "tag") end)
add_field("crc", function(abbreviation) return ProtoField.uint32(abbreviation, "crc32", base.HEX) end)
proto.fields = proto_fields

local bad_frame = ProtoExpert.new("dosebench.bad_frame", "Bad frame", expert.group.MALFORMED, expert.severity.ERROR)
local short_body = ProtoExpert.new("dosebench.short_body", "Body too short", expert.group.MALFORMED, expert.severity.WARN)
proto.experts = { bad_frame, short_body }

-- Names of the numbers in a list of one byte each.
local function list_names(names, range)
  local found = {}
  for i = 0, range:len() - 1 do
    local number = range(i, 1):uint()
    found[#found + 1] = names[number] or tostring(number)
  end
  return table.concat(found, ", ")
end

-- A number of a record by the place of its field: 0 is the code, and words follow.
local function record_number(tvb, offset, at, shift, bits)
  local value
  if at == 0 then value = tvb(offset + 11, 1):uint() else value = tvb(offset + 8 + 4 * at, 4):le_uint() end
  return math.floor(value / 2 ^ shift) % 2 ^ bits
end

-- The fields of a record by the names of its kind.
local function add_record_fields(tvb, offset, tree)
  for _, field in ipairs(RECORD_KINDS[tvb(offset + 10, 1):uint()] or {}) do
    local name, at, shift, bits, count, names = unpack_all(field)
    local texts = {}
    for i = 0, count - 1 do
      local is_entry = count > 1 and bits == ENTRY_BITS
      local value
      if is_entry then
        value = record_number(tvb, offset, at + math.floor(i / 3), i % 3 * ENTRY_BITS, bits)
      else
        value = record_number(tvb, offset, at + i, shift, bits)
      end
      local escalated = is_entry and value >= 256
      if is_entry then names, value = Alarm, value % 256 end
      local text = names and names[value] or string.format("%d", value)
      if name == "command" and MESSAGES[COMMAND_BASE + value] then text = MESSAGES[COMMAND_BASE + value].name end
      if not is_entry or value ~= 0 then texts[#texts + 1] = text .. (escalated and " (escalated)" or "") end
    end
    tree:add(tvb(offset, RECORD_BYTES), name .. ": " .. table.concat(texts, ", "))
  end
end

local dissect_rows

-- Dissect one field; returns the offset after it, nil when the bytes end before.
local function dissect_field(tvb, offset, last, tree, key, spec)
  local size, skip = spec.width or spec.length, 0
  if offset + size > last then return nil end
  if spec.kind == "blob" then
    skip, size = size, tvb(offset, size):le_uint()
    if offset + skip + size > last then return nil end
  end
  if spec.rows then return dissect_rows(tvb, offset, last, tree, key, spec) end
  local range = size > 0 and tvb(offset + skip, size) or tvb(offset, skip)
  if size == 0 then
    tree:add(range, spec.name .. ": empty")
  elseif spec.kind == "int" then
    tree:add_le(fields[key], range)
  else
    local item = tree:add(fields[key], range)
    if spec.list then item:append_text(" (" .. list_names(spec.list, range) .. ")") end
    if spec.text then item:append_text(' "' .. range:string() .. '"') end
  end
  return offset + skip + size
end

local function dissect_body(tvb, offset, last, tree, body)
  for _, spec in ipairs(BODIES[body]) do
    offset = dissect_field(tvb, offset, last, tree, body .. "." .. spec.name, spec)
    if not offset then
      tree:add_proto_expert_info(short_body)
      return nil
    end
  end
  return offset
end

-- An array with a count of rows, or a blob that is known to hold records.
dissect_rows = function(tvb, offset, last, tree, key, spec)
  local total = tvb(offset, spec.width):le_uint()
  offset = offset + spec.width
  if spec.kind == "blob" then
    local stop = offset + total
    while offset < stop do
      local branch = tree:add(tvb(offset, math.min(spec.row_bytes, stop - offset)), "Record")
      if not dissect_body(tvb, offset, stop, branch, "record") then return nil end
      add_record_fields(tvb, offset, branch)
      offset = offset + spec.row_bytes
    end
    return stop
  end
  for i = 1, total do
    local branch = tree:add(spec.name .. "[" .. (i - 1) .. "]")
    for _, row in ipairs(spec.rows) do
      offset = dissect_field(tvb, offset, last, branch, key .. "." .. row.name, row)
      if not offset then return nil end
    end
  end
  return offset
end

local function body_of(kind)
  if kind == REJECTED then return "rejected", "REJECTED" end
  local message = MESSAGES[kind % 128]
  if not message then return nil, string.format("unknown type 0x%02x", kind) end
  if kind >= 128 then return message.reply, message.name .. " reply" end
  return message.request, message.name
end

local function dissect_plain(tvb, tree)
  local length = tvb(HEADER_BYTES - 2, 2):le_uint()
  local body_end = HEADER_BYTES + length
  dissect_body(tvb, 0, HEADER_BYTES, tree, "header")
  local body, title = body_of(tvb(1, 1):uint())
  if body and length > 0 then
    dissect_body(tvb, HEADER_BYTES, body_end, tree:add(tvb(HEADER_BYTES, length), "Body: " .. title), body)
  end
  local crc_at = tvb:len() - CRC_BYTES
  if crc_at > body_end then tree:add(fields.tag, tvb(body_end, crc_at - body_end)) end
  tree:add_le(fields.crc, tvb(crc_at, CRC_BYTES))
  tree:append_text(", " .. title)
  return title
end

-- What is wrong with decoded bytes, or nil.
local function fault(bytes)
  if not bytes then return "no COBS encoding" end
  local count = #bytes
  if count < HEADER_BYTES + CRC_BYTES then return "too short" end
  local given = 0
  for i = 0, CRC_BYTES - 1 do given = given * 256 + bytes[count - i] end
  if crc32(bytes, count - CRC_BYTES) ~= given then return "wrong CRC-32" end
  local length = bytes[HEADER_BYTES - 1] + 256 * bytes[HEADER_BYTES]
  local rest = count - CRC_BYTES - HEADER_BYTES - length
  if length > BODY_BYTES_MAX or (rest ~= 0 and rest ~= TAG_BYTES) then return "wrong length" end
  return nil
end

local function dissect_frame(tvb, first, last, root)
  local tree = root:add(proto, tvb(first, last - first + 1))
  local bytes = cobs_decode(tvb, first, last)
  local wrong = fault(bytes)
  if wrong then
    tree:add_proto_expert_info(bad_frame, "Bad frame: " .. wrong)
    tree:append_text(", bad frame: " .. wrong)
    return "bad frame (" .. wrong .. ")"
  end
  return dissect_plain(to_tvb(bytes), tree)
end

function proto.dissector(tvb, pinfo, root)
  local titles, first = {}, 0
  for at = 0, tvb:len() - 1 do
    if tvb(at, 1):uint() == 0 then
      if at > first then titles[#titles + 1] = dissect_frame(tvb, first, at, root) end
      first = at + 1
    end
  end
  pinfo.cols.protocol = "dosebench"
  pinfo.cols.info = table.concat(titles, "; ")
  if first < tvb:len() and pinfo.can_desegment > 0 then
    pinfo.desegment_offset = first
    pinfo.desegment_len = DESEGMENT_ONE_MORE_SEGMENT
  end
end

DissectorTable.get("wtap_encap"):add(wtap.USER0, proto)
DissectorTable.get("tcp.port"):add_for_decode_as(proto)
