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
// Who logs out here is asked, then each client that has a `backchannel_logout_uri` hears of it; what became
// of that is a line of the log. For clients with a `frontchannel_logout_uri` there is the page of frames that
// Front-Channel Logout 1.0 describes, which oidc-provider does not have: made here of the sessions it knows.
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

function logoutPage(ctx, form) {
  ctx.body = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Test provider</title>
<h1>Log out of the test provider?</h1>${form}
<button form="op.logoutForm" name="logout" value="yes">Log me out</button>
<button form="op.logoutForm">Stay</button></html>`;
}

// A client's metadata name which of its addresses want frames; `sid` is in its ID tokens then, too.
const FRAMED = ["frontchannel_logout_uri", "frontchannel_logout_session_required"];

async function framesOf(session) {
  const clients = await Promise.all(Object.keys(session?.authorizations ?? {}).map((id) => provider.Client.find(id)));
  return clients
    .filter((client) => client?.frontchannel_logout_uri)
    .map((client) => {
      const url = new URL(client.frontchannel_logout_uri);
      url.searchParams.set("iss", provider.issuer);
      url.searchParams.set("sid", session.sidFor(client.clientId));
      return `<iframe src="${escape(url.href)}" title="${escape(client.clientId)}"></iframe>`;
    });
}

async function loadFrames(ctx, next) {
  await next();
  const frames = ctx.path === "/session/end/confirm" && ctx.status === 303 ? await framesOf(ctx.oidc.session) : [];
  if (frames.length === 0) return;
  const onward = ctx.response.get("Location");
  ctx.remove("Location");
  ctx.status = 200;
  ctx.type = "html";
  ctx.body = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Test provider</title>
<h1>You are logged out of the test provider</h1>${frames.join("")}<p><a href="${escape(onward)}">Go on</a></html>`;
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
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true, logoutSource: logoutPage },
  },
  extraClientMetadata: { properties: FRAMED },
  // Its dispatcher closes every connection to a private or loopback address, where all clients of a test are.
  fetch: (url, { dispatcher, ...given }) => globalThis.fetch(url, given),
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

function signingWith(keys) {
  const jwks = { keys: Object.entries(keys).map(signingKey) };
  const made = new Provider(`https://127.0.0.1:${port}`, { ...settings, jwks });
  const includeSid = made.Client.prototype.includeSid;
  made.Client.prototype.includeSid = function includes() {
    return includeSid.call(this) || this.frontchannel_logout_session_required === true;
  };
  made.use(loadFrames);
  made.on("backchannel.success", (_ctx, client) => console.error(`told ${client.clientId} of a logout`));
  made.on("backchannel.error", (_ctx, error, client) => console.error(`could not tell ${client.clientId}: ${error}`));
  return made;
}

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
      : { login: { accountId: login }, consent: {} };
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
