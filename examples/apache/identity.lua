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
-- What identityd needs of the browser's request. The body stays here.
local PASSED = {
  "Cookie", "User-Agent", "Accept", "Authorization", "Origin",
  "Sec-Fetch-Mode", "Sec-Fetch-Dest", "Sec-Fetch-Site", "Sec-Purpose", "Sec-WebSocket-Version",
  "X-Requested-With", "X-User-Activity",
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

function identity(r)
  if not r.is_initial_req then return apache2.DECLINED end

  -- Programs read X_Identity_User and X.Identity.User as X-Identity-User.
  for name in pairs(r:headers_in_table()) do
    if name:lower():match("^x[^a-z0-9]?identity") then r.headers_in[name] = nil end
  end
  -- A client must not have our headers removed on the way (RFC 9110 section 7.6.1).
  if (r.headers_in["Connection"] or ""):lower():find("identity", 1, true) then return 400 end

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
    r.headers_in["X-Identity-User"] = headers["x-identity-user"]
    r.headers_in["X-Identity-Id"] = headers["x-identity-id"]
    r.headers_in["X-Identity-Session"] = headers["x-identity-session"]
    env["IDENTITY_YES"] = "1"
    return apache2.OK
  end

  env["IDENTITY_NO"] = "1"
  local location = headers["x-identity-location"]
  if status == 403 and not location then return 403 end
  -- Whatever is not a verdict is an outage: nobody is logged out.
  if status ~= 401 and status ~= 403 then
    r.err_headers_out["Retry-After"] = headers["retry-after"] or "5"
    return 503
  end
  if not location then return 401 end
  r.headers_out["Location"] = location
  return headers["x-identity-verdict"] == "bounce" and 307 or 302
end
