-- Asks identityd before Apache lets a request through (LuaHookAccessChecker). Needs lua-socket.
--
-- Leaves in the environment, for the Header directives:
--   IDENTITY_COOKIE1 … IDENTITY_COOKIE4   for the answer, whatever it is
--   IDENTITY_NO                           set if the request was refused
--   IDENTITY_YES                          set if it was let through

require "apache2"
local socket = require "socket"

local HOST, PORT = "127.0.0.1", 8888
local TIMEOUT_S = 3
-- The page for browsers while identityd is away.
local AWAY = ""
do
  local file = io.open("/etc/apache2/away.html", "r")
  if file then AWAY = file:read("*a"); file:close() end
end
-- What identityd needs of the browser's request. The body stays here.
local PASSED = {
  "Cookie", "User-Agent", "Accept", "Authorization", "Origin",
  "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-Site", "Sec-Purpose", "Sec-WebSocket-Version",
  "X-Requested-With", "X-User-Activity",
}

-- What the application is told, under whichever names its `tell` and `headers` say.
local TOLD = {
  "X-Identity-User",
  "X-Identity-Id",
  "X-Identity-Session",
  "X-Identity-Name",
  "X-Identity-Email",
  "X-Identity-Email-Verified",
  "X-Identity-Groups",
  "Remote-User",
  "Remote-Name",
  "Remote-Email",
  "Remote-Groups",
  "X-Auth-Request-User",
  "X-Auth-Request-Email",
  "X-Auth-Request-Groups",
  "X-Forwarded-User",
  "X-Forwarded-Email",
  "X-Forwarded-Groups",
}
-- What only identityd may say, the names of other applications (`headers` in identityd.ini) too, whether this
-- one reads them or not.
local OURS = {
  "^x%-?identity", "^remote%-user", "^remote%-name", "^remote%-email", "^remote%-groups", "^x%-auth%-request",
  "^x%-forwarded%-user", "^x%-forwarded%-email", "^x%-forwarded%-groups", "^x%-forwarded%-preferred",
}

-- Each worker thread has a state of its own, and so a connection of its own.
local connection = nil

local function lost(reason)
  if connection then connection:close() end
  connection = nil
  return nil, reason
end

local function connected()
  if connection then return true end
  local made, reason = socket.connect(HOST, PORT)
  if not made then return nil, reason end
  made:settimeout(TIMEOUT_S)
  made:setoption("tcp-nodelay", true)
  connection = made
  return true
end

local function exchange(request)
  local ready, reason = connected()
  if not ready then return nil, reason end
  local sent
  sent, reason = connection:send(request)
  if not sent then return lost(reason) end

  local line
  line, reason = connection:receive("*l")
  if not line then return lost(reason) end
  local status, headers = tonumber(line:match("^HTTP/1%.%d (%d%d%d)")) or 0, {}
  repeat
    line, reason = connection:receive("*l")
    if not line then return lost(reason) end
    local name, value = line:match("^([^:]+):%s*(.-)%s*$")
    if name then headers[name:lower()] = value end
  until line == ""

  local length = tonumber(headers["content-length"] or 0)
  if length > 0 and not connection:receive(length) then return lost("body") end
  if (headers["connection"] or ""):lower() == "close" then lost() end
  return status, headers
end

local function ask(request)
  local reused = connection ~= nil
  local status, headers = exchange(request)
  -- A connection kept from before may have been closed meanwhile, by a restart for example.
  if not status and reused and headers ~= "timeout" then
    status, headers = exchange(request)
  end
  return status, headers
end

local function question(r)
  local host = r.headers_in["Host"] or ""
  local lines = {
    "GET /auth HTTP/1.1",
    "Host: " .. host,
    "X-Forwarded-Host: " .. host,
    "X-Forwarded-Proto: " .. (r.is_https and "https" or "http"),
    "X-Forwarded-For: " .. r.useragent_ip,
    "X-Forwarded-Method: " .. r.method,
    "X-Forwarded-Uri: " .. r.unparsed_uri,
  }
  for _, name in ipairs(PASSED) do
    if r.headers_in[name] then
      lines[#lines + 1] = name .. ": " .. r.headers_in[name]
    end
  end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

-- Programs read X_Identity_User and X.Identity.User as X-Identity-User.
local function ours(name)
  local read = name:lower():gsub("[^a-z0-9]", "-")
  for _, each in ipairs(OURS) do
    if read:match(each) then return true end
  end
  return false
end

function identity(r)
  if not r.is_initial_req then return apache2.DECLINED end

  for name in pairs(r:headers_in_table()) do
    if ours(name) then r.headers_in[name] = nil end
  end
  -- A client must not have our headers removed on the way (RFC 9110 section 7.6.1).
  for name in (r.headers_in["Connection"] or ""):gmatch("[^,%s]+") do
    if ours(name) then return 400 end
  end

  local env = r.subprocess_env
  local status, headers = ask(question(r))
  if not status then
    r:err("identityd: " .. tostring(headers))
    status, headers = 503, {}
  end
  for n = 1, 4 do
    local cookie = headers["x-identity-cookie-" .. n]
    if cookie then env["IDENTITY_COOKIE" .. n] = cookie end
  end

  if status == 200 then
    for _, name in ipairs(TOLD) do
      r.headers_in[name] = headers[name:lower()]
    end
    env["IDENTITY_YES"] = "1"
    return apache2.OK
  end

  env["IDENTITY_NO"] = "1"
  local location = headers["x-identity-location"]
  if status == 403 and not location then return 403 end
  -- Whatever is not a verdict is an outage: nobody is logged out.
  if status ~= 401 and status ~= 403 then
    r.err_headers_out["Retry-After"] = headers["retry-after"] or "5"
    -- A browser that opens a page gets one, and whatever else asks a bare 503.
    if (r.headers_in["Accept"] or ""):find("text/html", 1, true) and AWAY ~= "" then
      r.status, r.content_type = 503, "text/html; charset=utf-8"
      r.err_headers_out["Cache-Control"] = "no-store"
      r:write(AWAY)
      return apache2.DONE
    end
    return 503
  end
  if not location then return 401 end
  r.headers_out["Location"] = location
  return headers["x-identity-verdict"] == "bounce" and 307 or 302
end
