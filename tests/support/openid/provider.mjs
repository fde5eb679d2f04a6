// A real OpenID provider (the npm package oidc-provider) with the smallest possible login page.
//
// node provider.mjs MODULES: MODULES is the folder `npm ci` ran in. The configuration comes as one line
// of JSON on standard input; the line "ready" on standard output says that it listens.
//
//   { "port": 1, "certificate": "PEM", "key": "PEM", "keys": { "id": "RS256", … }, "options": { … } }
//
// `options` are passed to oidc-provider. Each further line, `{ "keys": … }`, replaces all signing keys by
// new ones, and is answered by "ready" too; sessions and clients stay. PKCE is required of every client.
//
// Whatever name a person types at the login page is the subject. A name that starts with
// "unverified" has an e-mail address that the provider has not verified. Clients register
// themselves (POST /reg). Nothing is kept: a restart forgets all.

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:https";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const modules = createRequire(join(process.argv[2], "package.json"));
const load = (name) => import(pathToFileURL(modules.resolve(name)));
const { default: Provider } = await load("oidc-provider");
const { createMemoryAdapter } = await load("oidc-provider/lib/adapters/memory_adapter.js");
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const { port, certificate, key, keys, options } = JSON.parse((await lines.next()).value);

function signingKey([kid, alg]) {
  const [type, settings] = /^[RP]S/.test(alg)
    ? ["rsa", { modulusLength: 2048 }]
    : alg === "ES256"
      ? ["ec", { namedCurve: "P-256" }]
      : ["ed25519", {}];
  return { ...generateKeyPairSync(type, settings).privateKey.export({ format: "jwk" }), kid, alg, use: "sig" };
}

function claimsOf(sub) {
  return {
    sub,
    name: `${sub} Example`,
    preferred_username: sub,
    email: `${sub}@example.test`,
    email_verified: !sub.startsWith("unverified"),
  };
}

function escape(value) {
  return String(value).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
}

function loginPage({ uid, params }) {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Test provider</title>
<h1>Sign in at the test provider</h1><p>${escape(params.client_id)} asks who you are.</p>
<form method="post" action="/interaction/${escape(uid)}">
<label>Name <input name="login" autofocus></label>
<button name="choice" value="allow">Sign in</button>
<button name="choice" value="deny">Refuse</button>
</form></html>`;
}

const settings = {
  adapter: createMemoryAdapter(), // Not its default, which an exchange of keys would empty.
  cookies: { keys: [randomBytes(32).toString("hex")] },
  claims: { openid: ["sub"], profile: ["name", "preferred_username"], email: ["email", "email_verified"] },
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    jwtUserinfo: { enabled: true },
  },
  findAccount: (_ctx, sub) => ({ accountId: sub, claims: () => claimsOf(sub) }),
  interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
  // Consent is given together with the login: one page, one click.
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({
      clientId: ctx.oidc.client.clientId,
      accountId: ctx.oidc.session.accountId,
    });
    grant.addOIDCScope(ctx.oidc.params.scope ?? "openid");
    await grant.save();
    return grant;
  },
  pkce: { required: () => true },
  ttl: { AccessToken: 600, Grant: 600, IdToken: 600, Interaction: 600, Session: 3600 },
  ...options,
};

const signingWith = (keys) =>
  new Provider(`https://127.0.0.1:${port}`, { ...settings, jwks: { keys: Object.entries(keys).map(signingKey) } });
let provider = signingWith(keys);

async function answer(request, response) {
  const details = await provider.interactionDetails(request, response);
  if (request.method !== "POST") {
    response.setHeader("Content-Type", "text/html; charset=utf-8");
    response.end(loginPage(details));
    return;
  }
  const form = new URLSearchParams(await text(request));
  const login = form.get("login");
  const result =
    form.get("choice") === "deny" || !login
      ? { error: "access_denied", error_description: "refused at the login page" }
      : { login: { accountId: login } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

createServer({ cert: certificate, key }, (request, response) => {
  if (!request.url.startsWith("/interaction/")) {
    provider.callback()(request, response);
    return;
  }
  answer(request, response).catch((error) => {
    response.statusCode = 400;
    response.end(`${error.name}: ${error.message}\n`);
  });
}).listen(port, "127.0.0.1", async () => {
  console.log("ready");
  for await (const line of lines) {
    provider = signingWith(JSON.parse(line).keys);
    console.log("ready");
  }
});
