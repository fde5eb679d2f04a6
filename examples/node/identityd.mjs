// identityd in front of a Node application: one file to copy, no dependencies, Node 18 or later.
//
//   const guard = identityd({ url: "http://127.0.0.1:8888", id: "wiki", secret, publicUrl: "http://127.0.0.1:8887" });
//   http.createServer({ maxHeaderSize: 65536 }, (request, response) => guard(request, response, () => answer(…)));
//
// `maxHeaderSize` because a browser's jar can hold 22 KB of cookies and Node refuses more than 16 KB.
// Express: app.use(guard), before anything that reads bodies. A WebSocket handshake: guard.upgrade(request).
//
// Invariants: no question is asked twice; whatever is not exactly a verdict is 503, never a login page and
// never an open door; the application sees no cookie of ours, and nothing a client says about itself; a
// body is read to its end before it is refused, because a browser sends it again only then.

import http from "node:http";

const OURS = "/.identityd/";
const ANSWER_BYTES = 1 << 20;
const FORM_BYTES = 1 << 16;
const DRAINED_BYTES = 1 << 30;
const LINE = /^[\x20-\x7e]+$/;
const WEB = /^https?:\/\/[\x21-\x7e]+$/;
const CLAIM = /^(x_?identity|remote_(user|name|email|groups)|x_auth_request|x_forwarded_(user|email|groups|preferred))/;
const TEXT = /^[^\x00-\x1f\x7f]+$/;
const OUR_COOKIE = /^[ \t]*(__Host-idd[a-z]?|idd[a-z]?[0-9]+m?)(-[^=]*|[ \t]*)=/;
const NOT_FORWARDED =
  /^(host|connection|keep-alive|te|trailer|transfer-encoding|upgrade|content-length|expect|date|server|proxy-.*|forwarded|x-forwarded-.*|x-original-.*|x.identity.*)$/;
const DOCUMENTS = ["document", "iframe", "frame", "embed", "object"];
const PAGES = ["text/html", "application/xhtml+xml"];
const STATUS = { ok: 200, login: 200, bounce: 200, forbidden: 403, retry: 503 };
const SAID = {
  400: "This request cannot be read. Go back and try again.",
  401: "You are not logged in.",
  403: "You may not use this address.",
  404: "There is nothing at this address.",
  413: "More was sent than this address takes.",
  503: "The login service does not answer. You are still logged in. Try again in a few seconds.",
};
const RETRY = { verdict: "retry", reason: "unreachable", set_cookie: [], location: null, after: 5 };

/**
 * Return middleware `(request, response, next)`; `request.identityd` is then who it is: `id`, `name`, `session` …
 *
 * - `url`, `id`, `secret`: identityd's internal listener, and the application's section in identityd.ini.
 * - `publicUrl`: identityd's public listener, to which `/.identityd/` of this host is led; left out, 404.
 * - `origin`: `https://wiki.example.com` if that is what browsers always ask for; left out, http and `Host`.
 * - `behindProxy`: whether `X-Forwarded-Proto` and the last of `X-Forwarded-For` are the work of a proxy of yours.
 * - `timeout`: milliseconds for the whole answer.
 */
export function identityd({ url, id, secret, publicUrl = "", origin = "", behindProxy = false, timeout = 5000 }) {
  const agent = new http.Agent({ keepAlive: true, maxFreeSockets: 32, timeout: 30_000 });
  const proof = "Basic " + Buffer.from(`${id}:${secret}`).toString("base64");

  const here = (request) => {
    const told = behindProxy ? request.headers["x-forwarded-proto"] : "";
    const scheme = told === "https" || told === "http" ? told : request.socket.encrypted ? "https" : "http";
    return origin || `${scheme}://${request.headers.host ?? ""}`;
  };
  const address = (request) => {
    const last = String(request.headers["x-forwarded-for"] ?? "").split(",").at(-1).trim();
    return (behindProxy && last) || request.socket.remoteAddress || "";
  };

  async function check(request) {
    // Express takes a prefix that it was mounted at out of `url`.
    const sent = request.originalUrl ?? request.url;
    const websocket = "sec-websocket-version" in request.headers;
    const asked = {
      url: here(request) + sent,
      cookie: request.headers.cookie ? [request.headers.cookie] : [],
      method: request.method,
      ...({ yes: { background: false }, no: { background: true } }[request.headers["x-user-activity"]] ?? {}),
      prefetch: String(request.headers["sec-purpose"] ?? "").includes("prefetch"),
      address: address(request).slice(0, 64),
      agent: String(request.headers["user-agent"] ?? "").slice(0, 256),
      ...(websocket ? { mode: "websocket" } : { navigation: isPage(request) }),
    };
    const headers = { Authorization: proof, "Content-Type": "application/json" };
    try {
      const answer = await ask(new URL("/session/check", url), "POST", headers, JSON.stringify(asked), { agent, timeout });
      return understood(answer);
    } catch (error) {
      console.error("identityd does not answer at", url, error.code ?? error.name);
      return RETRY;
    }
  }

  async function forward(request, response) {
    if (!publicUrl) return refuse(request, response, 404, "not-found");
    const body = await read(request, FORM_BYTES);
    if (body === null) return refuse(request, response, 413, "too-large");
    const hops = String(request.headers.connection ?? "").toLowerCase().split(",").map((hop) => hop.trim());
    const kept = Object.entries(request.headers).filter(([name]) => !NOT_FORWARDED.test(name) && !hops.includes(name));
    const headers = Object.fromEntries([...kept, ["Host", new URL(here(request)).host], ["X-Forwarded-For", address(request)]]);
    try {
      const there = new URL(publicUrl);
      const answer = await ask(there, request.method, headers, body, { agent, timeout, path: request.url });
      const lines = Object.entries(answer.headers).filter(([name]) => !NOT_FORWARDED.test(name));
      response.writeHead(answer.status, Object.fromEntries(lines));
      response.end(request.method === "HEAD" ? undefined : answer.body);
    } catch {
      await refuse(request, response, 503, "unreachable", { "Retry-After": "5" });
    }
    return false;
  }

  /** Answer, or return true: the application may. */
  async function judge(request, response) {
    if (request.url.startsWith(OURS)) return forward(request, response);
    // Nothing of the body is lost meanwhile: a request that nobody listens to waits.
    const verdict = await check(request);
    if (verdict.verdict !== "ok") return refusal(request, response, verdict);
    request.identityd = verdict.user;
    clean(request);
    dress(request, response, verdict.set_cookie);
    return true;
  }

  async function guard(request, response, next) {
    let passes;
    try {
      passes = await judge(request, response);
    } catch {
      response.destroy(); // the browser left during its upload
    }
    return passes ? next() : undefined;
  }

  /** Return who opens a WebSocket, or null: answer 401 then, or 503 if `retry` is true. No cookies either way. */
  guard.upgrade = async (request) => {
    const verdict = await check(request);
    clean(request);
    return { user: verdict.verdict === "ok" ? verdict.user : null, retry: verdict.verdict === "retry" };
  };
  return guard;
}

/**
 * Tell whether a page is being loaded: only then can a person be led to a login.
 * The table is at `is_navigation` in identityd's `verdicts.py`.
 */
function isPage({ method, headers }) {
  if ("sec-websocket-version" in headers) return false;
  if ("sec-fetch-mode" in headers) return headers["sec-fetch-mode"] === "navigate";
  if (!DOCUMENTS.includes(headers["sec-fetch-dest"] ?? "document") || !["GET", "HEAD"].includes(method)) return false;
  if ("x-requested-with" in headers && !headers["x-requested-with"].includes(".")) return false;
  const accept = (headers.accept ?? "").toLowerCase().replace(/[ \t]/g, "");
  if (!accept) return true;
  const ranges = accept.split(",").map((range) => range.split(";"));
  const kinds = ranges.filter((range) => !range.slice(1).some((each) => /^q=0(\.0*)?$/.test(each))).map(([kind]) => kind);
  return kinds.some((kind) => PAGES.includes(kind)) && !kinds.includes("text/event-stream");
}

/** Make one request; never again, whatever happens. */
function ask(url, method, headers, body, { agent, timeout, path }) {
  return new Promise((resolve, reject) => {
    const signal = AbortSignal.timeout(timeout);
    const length = { "Content-Length": Buffer.byteLength(body) };
    const options = { agent, method, signal, headers: { ...headers, ...length }, ...(path ? { path } : {}) };
    const request = http.request(url, options, (answer) => {
      const chunks = [];
      let size = 0;
      answer.on("data", (chunk) => {
        size += chunk.length;
        if (size > ANSWER_BYTES) request.destroy(new Error("too long"));
        else chunks.push(chunk);
      });
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(chunks) }));
      answer.on("error", reject);
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** Return the verdict only if all of it is as documented; what is not may be anybody's. */
function understood({ status, headers, body }) {
  const said = JSON.parse(body.toString());
  if ((status === 400 || status === 413) && typeof said.error === "string") return { ...RETRY, verdict: "unreadable" };
  if (typeof said.verdict !== "string" || STATUS[said.verdict] !== status || typeof said.reason !== "string") {
    if (status !== 503) console.error("identityd does not answer this application:", status, said.error);
    return RETRY;
  }
  const cookies = said.set_cookie;
  const texts = said.verdict === "ok" ? [said.user?.id, said.user?.name, said.user?.session] : [];
  const times = said.verdict === "ok" ? [said.user?.auth_time, said.user?.idle_ends_at, said.user?.absolute_ends_at] : [];
  const sound =
    Array.isArray(cookies) &&
    cookies.length <= 4 &&
    cookies.every((line) => typeof line === "string" && LINE.test(line)) &&
    times.every(Number.isInteger) &&
    texts.every((text) => typeof text === "string" && TEXT.test(text)) &&
    (said.location === null ? said.verdict !== "bounce" : typeof said.location === "string" && WEB.test(said.location));
  const after = /^[0-9]{1,4}$/.test(headers["retry-after"] ?? "") ? headers["retry-after"] : "5";
  return sound ? { ...said, after } : RETRY;
}

async function refusal(request, response, { verdict, reason, set_cookie, location, after }) {
  const cookies = set_cookie.length ? { "Set-Cookie": set_cookie } : {};
  if (verdict === "unreadable") return refuse(request, response, 400, "bad-request");
  if (verdict === "retry") return refuse(request, response, 503, reason, { "Retry-After": String(after) });
  if (!location) return refuse(request, response, verdict === "forbidden" ? 403 : 401, reason, cookies);
  await read(request, DRAINED_BYTES, { keep: false });
  const login = ["GET", "HEAD"].includes(request.method) ? 302 : 303;
  const headers = { Location: location, "Cache-Control": "no-store", ...cookies };
  response.writeHead(verdict === "bounce" ? 307 : login, { ...headers, "Content-Length": "0" });
  response.end();
}

async function refuse(request, response, status, reason, headers = {}) {
  await read(request, DRAINED_BYTES, { keep: false });
  const page = isPage(request);
  const kind = page ? "text/plain; charset=utf-8" : "application/json";
  const text = page ? SAID[status] + "\n" : JSON.stringify({ error: reason, message: SAID[status] });
  response.writeHead(status, { "Content-Type": kind, "Cache-Control": "no-store", ...headers });
  response.end(request.method === "HEAD" ? undefined : text);
}

/** Read the body to its end; null if it is longer than `most`. */
async function read(request, most, { keep = true } = {}) {
  const chunks = [];
  let size = 0;
  if (request.readableEnded || request.destroyed) return Buffer.alloc(0);
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    size += chunk.length;
    if (size > most) return null;
    if (keep) chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Take our cookies, and what a client says about who it is in any spelling, out of what the application sees. */
function clean(request) {
  // As browsers mean it: a `;` ends a cookie and nothing else does, a comma belongs to its value, and `trim`
  // would take characters away that belong to a name.
  const own = (line) => line.split(";").filter((pair) => !OUR_COOKIE.test(pair)).join(";").replace(/^[ \t]+/, "");
  const isClaim = (name) => CLAIM.test(name.toLowerCase().replace(/[^a-z0-9]/g, "_"));
  for (const name of Object.keys(request.headers)) if (isClaim(name)) delete request.headers[name];
  if (request.headers.cookie) request.headers.cookie = own(request.headers.cookie);
  if (!request.headers.cookie) delete request.headers.cookie;
  for (let at = request.rawHeaders.length - 2; at >= 0; at -= 2) {
    const name = request.rawHeaders[at].toLowerCase();
    if (isClaim(name)) request.rawHeaders.splice(at, 2);
    else if (name === "cookie") request.rawHeaders[at + 1] = own(request.rawHeaders[at + 1]);
  }
}

/**
 * Add the cookies beside the application's own when it begins to answer; such an answer is not stored. One of
 * which the application does not say how long it may be kept would be shown from the browser's cache after a logout.
 */
function dress(request, response, cookies) {
  const writeHead = response.writeHead;
  response.writeHead = function (status, ...rest) {
    response.writeHead = writeHead;
    const phrase = typeof rest[0] === "string" ? [rest.shift()] : [];
    const given = Array.isArray(rest[0]) ? pairs(rest[0]) : Object.entries(rest[0] ?? {});
    const collected = new Map();
    for (const [name, value] of given) {
      const known = collected.get(name.toLowerCase())?.[1] ?? [];
      collected.set(name.toLowerCase(), [name, [...known, ...[value].flat()]]);
    }
    for (const [name, values] of collected.values()) this.setHeader(name, values.length > 1 ? values : values[0]);
    const told = [this.getHeader("Cache-Control") ?? ""].flat().join(",");
    if (cookies.length) {
      this.setHeader("Set-Cookie", [...[this.getHeader("Set-Cookie") ?? []].flat(), ...cookies]);
      // A page with no-store would leave the browser's back and forward cache whenever a token changes.
      this.setHeader("Cache-Control", isPage(request) && !told.includes("no-store") ? "no-cache, private" : "no-store");
    } else if (!told.trim()) {
      this.setHeader("Cache-Control", "no-cache, private");
    }
    return writeHead.call(this, status, ...phrase);
  };
}

function pairs(flat) {
  return flat.length && Array.isArray(flat[0]) ? flat : flat.flatMap((_, at) => (at % 2 ? [] : [[flat[at], flat[at + 1]]]));
}
