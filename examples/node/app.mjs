// An application without dependencies behind identityd: a page, a form, a call.
//
//   IDENTITYD_SECRET=… node app.mjs          then open http://wiki.localhost:8000/
//
// identityd.ini needs: [app:wiki] with the same secret, and hosts = wiki.localhost:8000

import http from "node:http";
import { identityd } from "./identityd.mjs";

const { IDENTITYD = "http://127.0.0.1:8888", IDENTITYD_PUBLIC = "http://127.0.0.1:8887", PORT = "8000" } = process.env;
const guard = identityd({ url: IDENTITYD, id: "wiki", secret: process.env.IDENTITYD_SECRET, publicUrl: IDENTITYD_PUBLIC });
const html = (text) => text.replace(/[&<>"']/g, (sign) => `&#${sign.charCodeAt(0)};`);

/** Answer somebody who is logged in; it knows nothing else of identityd. */
async function wiki(request, response) {
  const user = request.identityd;
  response.setHeader("Set-Cookie", ["own1=1; Path=/", "own2=2; Path=/"]);
  if (request.url.split("?")[0] === "/api/me") {
    response.writeHead(200, { "Content-Type": "application/json" });
    return response.end(JSON.stringify({ id: user.id, name: user.name }));
  }
  response.writeHead(200, { "Content-Type": "text/html; charset=utf-8" });
  if (request.method === "POST") {
    let body = "";
    for await (const chunk of request) body += chunk;
    const note = new URLSearchParams(body).get("note") ?? "";
    return response.end(`<p>${html(user.name)} saved: <b id=note>${html(note)}</b></p>`);
  }
  return response.end(`<!doctype html><title>wiki</title><h1>Hello <b id=user>${html(user.name)}</b></h1>
<form method=post><input name=note value="a note"><button>Save</button></form>
<p><a href="/.identityd/logout">Log out</a></p>`);
}

const answer = (request, response) => wiki(request, response).catch(() => response.destroy());
http
  .createServer({ maxHeaderSize: 65_536 }, (request, response) => guard(request, response, () => answer(request, response)))
  .listen(Number(PORT), "127.0.0.1");
