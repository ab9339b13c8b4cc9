// An application that connects with openid-client or simple-oauth2, used as their documentation says.
//
//     oauth_client.mjs LIBRARY BASE CLIENT_ID CLIENT_SECRET AUTH_METHOD REDIRECT_URI
//
// Says lines of JSON: first the address to send the user to, and once it was told on a line where the
// user came back to, what it saw.

import { createInterface } from "node:readline";

const [library, base, id, secret, method, redirect] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const say = (what) => console.log(JSON.stringify(what));

async function comesBackFrom(url) {
  say({ authorize: url });
  return (await lines.next()).value.trim();
}

async function status(path, token) {
  const answer = await fetch(base + path, { headers: { authorization: `Bearer ${token}` } });
  return answer.status;
}

/** The error that a promise ends with, as `told` reads it. */
const refused = (promise, told) => promise.then(() => null, told);

async function openidClient() {
  const { Issuer, generators } = await import("openid-client");
  const issuer = await Issuer.discover(`${base}/.well-known/oauth-authorization-server`);
  const client = new issuer.Client({
    client_id: id,
    client_secret: method === "none" ? undefined : secret,
    redirect_uris: [redirect],
    response_types: ["code"],
    token_endpoint_auth_method: method,
  });
  const verifier = generators.codeVerifier();
  const state = generators.state();
  const url = client.authorizationUrl({
    code_challenge: generators.codeChallenge(verifier),
    code_challenge_method: "S256",
    state,
  });
  const params = client.callbackParams(await comesBackFrom(url));
  const first = await client.oauthCallback(redirect, params, { state, code_verifier: verifier });
  const firstStatus = await status("/v1/connection", first.access_token);
  const second = await client.refresh(first);
  const seen = {
    token_type: first.token_type,
    expires_in: first.expires_in,
    connection_id: first.connection_id,
    first_status: firstStatus,
    refreshed_status: await status("/v1/connection", second.access_token),
    another:
      second.access_token !== first.access_token && second.refresh_token !== first.refresh_token,
  };
  await client.revoke(second.refresh_token, "refresh_token");
  seen.dead_status = await status("/v1/connection", second.access_token);
  seen.dead_refresh = await refused(client.refresh(second.refresh_token), (error) => error.error);
  if (method !== "none") {
    const own = await client.grant({ grant_type: "client_credentials" });
    seen.workspace_status = await status("/v1/connections", own.access_token);
    seen.workspace_expires = own.expires_in;
  }
  return seen;
}

async function simpleOauth2() {
  const { AuthorizationCode, ClientCredentials } = await import("simple-oauth2");
  const { createHash, randomBytes } = await import("node:crypto");
  const config = {
    client: { id, secret },
    auth: {
      tokenHost: base,
      tokenPath: "/oauth/token",
      revokePath: "/oauth/revoke",
    },
    options: { authorizationMethod: method === "client_secret_post" ? "body" : "header" },
  };
  const authorizePath = "/link/authorize";
  const client = new AuthorizationCode({ ...config, auth: { ...config.auth, authorizePath } });
  const verifier = randomBytes(48).toString("base64url");
  const url = client.authorizeURL({
    redirect_uri: redirect,
    state: "st",
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  });
  const back = new URL(await comesBackFrom(url));
  if (back.searchParams.get("state") !== "st") throw new Error("another state");
  const first = await client.getToken({
    code: back.searchParams.get("code"),
    redirect_uri: redirect,
    code_verifier: verifier,
  });
  const firstStatus = await status("/v1/connection", first.token.access_token);
  const second = await first.refresh();
  const seen = {
    token_type: first.token.token_type,
    expires_in: first.token.expires_in,
    connection_id: first.token.connection_id,
    first_status: firstStatus,
    refreshed_status: await status("/v1/connection", second.token.access_token),
    another: second.token.refresh_token !== first.token.refresh_token,
  };
  await second.revokeAll();
  seen.dead_status = await status("/v1/connection", second.token.access_token);
  seen.dead_refresh = await refused(second.refresh(), (error) => error.data?.payload?.error);
  const own = await new ClientCredentials(config).getToken({});
  seen.workspace_status = await status("/v1/connections", own.token.access_token);
  seen.workspace_expires = own.token.expires_in;
  return seen;
}

say(await (library === "openid-client" ? openidClient() : simpleOauth2()));
process.exit(0);
