// An application that says what reached it, for what cannot be seen from outside of examples/node/app.mjs.

import http from "node:http";
import { identityd } from "../../examples/node/identityd.mjs";

const { IDENTITYD, IDENTITYD_SECRET, PORT } = process.env;
const guard = identityd({ url: IDENTITYD, id: "wiki", secret: IDENTITYD_SECRET, timeout: 500 });

function echo(request, response) {
  const status = Number(request.headers["x-status"] ?? 200);
  const headers = { "Content-Type": "application/json", "Cache-Control": "max-age=60", "Set-Cookie": "own1=1" };
  if (request.headers["x-unsaid"]) delete headers["Cache-Control"];
  if (request.headers["x-implicit"]) Object.entries(headers).forEach(([name, value]) => response.setHeader(name, value));
  else if (request.headers["x-flat"]) response.writeHead(status, "Fine", Object.entries(headers).flat());
  else response.writeHead(status, headers);
  response.end(JSON.stringify({ user: request.identityd, headers: request.headers, raw: request.rawHeaders }));
}

http
  .createServer((request, response) => guard(request, response, () => echo(request, response)))
  .listen(Number(PORT), "127.0.0.1");
