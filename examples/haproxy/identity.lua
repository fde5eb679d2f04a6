-- Asks identityd before HAProxy lets a request through. Needs nothing but Debian's haproxy.
--
--   http-request lua.identity <host:port>   asks, and leaves the verdict in txn.identity_…:
--       no            the status to refuse with; not set if the request may pass
--       location, retry_after               for a refusal
--       cookie1 … cookie4                   for the answer, whatever it is
--   and, if it may pass, puts into the request what the application is told, and takes identityd's
--   cookies out of it
--   http-request use-service lua.identity_no   refuses

-- The page for browsers while identityd is away.
local AWAY = ""
do
  local file = io.open("/etc/haproxy/away.html", "r")
  if file then AWAY = file:read("*a"); file:close() end
end

-- What identityd needs of the browser's request. The body stays here.
local PASSED = {
  "cookie", "user-agent", "accept", "authorization", "origin",
  "sec-fetch-mode", "sec-fetch-dest", "sec-fetch-site", "sec-purpose", "sec-websocket-version",
  "x-requested-with", "x-user-activity",
}
-- More is not read before a refusal; identityd itself stops there for other proxies.
local LONGEST_BODY = 64 * 1024 * 1024

-- What the application is told, under whichever names its `tell` and `headers` say.
local TOLD = {
  "x-identity-user",
  "x-identity-id",
  "x-identity-session",
  "x-identity-name",
  "x-identity-email",
  "x-identity-email-verified",
  "x-identity-groups",
  "remote-user",
  "remote-name",
  "remote-email",
  "remote-groups",
  "x-auth-request-user",
  "x-auth-request-email",
  "x-auth-request-groups",
  "x-forwarded-user",
  "x-forwarded-email",
  "x-forwarded-groups",
}

local function first(lines)
  if type(lines) == "table" then return lines[0] end
  return lines
end

local function question(txn)
  local headers, asked = txn.http:req_get_headers(), {}
  for _, name in ipairs(PASSED) do
    if headers[name] then
      asked[name] = {}
      for n = 0, #headers[name] do
        table.insert(asked[name], headers[name][n])
      end
    end
  end
  local host = first(headers["host"]) or ""
  asked["host"] = {host}
  asked["x-forwarded-host"] = {host}
  asked["x-forwarded-proto"] = {txn.f:ssl_fc() == 1 and "https" or "http"}
  asked["x-forwarded-for"] = {txn.f:src()}
  asked["x-forwarded-method"] = {txn.f:method()}
  asked["x-forwarded-uri"] = {txn.f:pathq()}
  return asked
end

-- The application needs none of identityd's cookies. A cookie ends at a `;` and nowhere else, and only
-- spaces and tabs stand before its name: whatever stands behind a comma belongs to another one.
local function strip(txn)
  local lines, kept = txn.http:req_get_headers()["cookie"], {}
  for n = 0, lines and #lines or -1 do
    for pair in lines[n]:gmatch("[^;]+") do
      if not pair:match("^[ \t]*__Host%-idd[^=]*=") then
        table.insert(kept, pair:match("^[ \t]*(.*)$"))
      end
    end
  end
  txn.http:req_del_header("cookie")
  if #kept > 0 then txn.http:req_add_header("cookie", table.concat(kept, "; ")) end
end

core.register_action("identity", {"http-req"}, function(txn, address)
  local function keep(name, value)
    if value then txn:set_var("txn.identity_" .. name, first(value)) end
  end

  local asked, answer = pcall(function()
    return core.httpclient():get{
      url = "http://" .. address .. "/auth?redirect=1",
      headers = question(txn),
      timeout = 10000,
    }
  end)
  local status = asked and answer and answer.status or 0
  local headers = asked and answer and answer.headers or {}

  if status >= 200 and status < 300 then
    for _, name in ipairs(TOLD) do
      if headers[name] then txn.http:req_set_header(name, first(headers[name])) end
    end
    for n = 1, 4 do
      keep("cookie" .. n, headers["x-identity-cookie-" .. n])
    end
    strip(txn)
    return
  end

  -- Whatever is not a verdict is an outage: nobody is logged out.
  local verdict = status == 307 or status == 302 or status == 401 or status == 403
  -- Of a person who may not enter: the page that says so, because the one in the body is not handed on.
  local place = headers["location"] or headers["x-identity-location"]
  if status == 403 and place then status = 302 end
  keep("no", verdict and tostring(status) or "503")
  keep("location", place)
  if not verdict then
    keep("retry_after", headers["retry-after"] or "5")
  end
  local cookies = headers["set-cookie"] or {}
  for n = 0, 3 do
    keep("cookie" .. n + 1, cookies[n])
  end
end, 1)

core.register_service("identity_no", "http", function(applet)
  local function kept(name)
    return applet:get_var("txn.identity_" .. name)
  end

  -- An answer in the middle of an upload is a broken connection to a browser. A handshake has no
  -- body, and waiting for one would hang.
  local left = applet.headers["sec-websocket-version"] and 0 or LONGEST_BODY
  while left > 0 do
    local chunk = applet:receive(65536)
    if not chunk or #chunk == 0 then break end
    left = left - #chunk
  end

  -- A browser that opens a page gets one, and whatever else asks a bare 503.
  local accept = first(applet.headers["accept"]) or ""
  local page = kept("no") == "503" and accept:find("text/html", 1, true) and AWAY or ""
  applet:set_status(tonumber(kept("no")))
  applet:add_header("cache-control", "no-store")
  applet:add_header("content-length", tostring(#page))
  if page ~= "" then applet:add_header("content-type", "text/html; charset=utf-8") end
  if kept("location") then applet:add_header("location", kept("location")) end
  if kept("retry_after") then applet:add_header("retry-after", kept("retry_after")) end
  applet:start_response()
  if page ~= "" and applet.method ~= "HEAD" then applet:send(page) end
end)
