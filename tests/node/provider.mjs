// An authorization server that others wrote (oidc-provider), and beside it the system that it guards.
//
//     node provider.mjs PORT REDIRECT_URI
//
// GET /api/me and /api/orders want its access tokens. /control tells what it has seen (GET) and changes
// how it behaves (POST):
//   access_ttl        seconds that an access token lives
//   rotate            whether each renewal gives a new token to renew with
//   omit_refresh      whether the answer to a renewal leaves that token out
//   token_status      a status that the token endpoint answers with instead (0: none); "reset" cuts it off
//   token_delay_ms    how long the token endpoint takes
//   api_refuses       whether the system refuses every token
//   revoke            "all": every consent and its tokens are withdrawn; "access": access tokens alone
import http from 'node:http';
import Provider from 'oidc-provider';

const [, , port, redirectUri] = process.argv;
const issuer = `http://127.0.0.1:${port}`;
const how = { access_ttl: 3600, rotate: true, omit_refresh: false, token_status: 0, token_delay_ms: 0, api_refuses: false };
const seen = { asked: {}, given: {}, refused: {}, most_at_once: 0, api_calls: 0, api_refused: 0, token_requests: 0 };
const grants = new Set();
const accessTokens = new Set();
const issued = new Set();
const count = (what, name) => { what[name] = (what[name] ?? 0) + 1; };

const client = (id, more) => ({
  client_id: id,
  client_secret: `${id}-secret/+&=`,
  redirect_uris: [redirectUri],
  grant_types: ['authorization_code', 'refresh_token'],
  ...more,
});

const provider = new Provider(issuer, {
  clients: [
    client('basic-client', { token_endpoint_auth_method: 'client_secret_basic' }),
    client('post-client', { token_endpoint_auth_method: 'client_secret_post' }),
    client('dashboard', { redirect_uris: ['http://127.0.0.1:1/auth/callback'], grant_types: ['authorization_code'] }),
    client('public-client', { token_endpoint_auth_method: 'none', client_secret: undefined }),
    client('machine', { grant_types: ['client_credentials'], redirect_uris: [], response_types: [], scope: 'read' }),
  ],
  scopes: ['openid', 'offline_access', 'read'],
  pkce: { required: () => true, methods: ['S256'] },
  features: { clientCredentials: { enabled: true }, revocation: { enabled: true }, introspection: { enabled: true } },
  ttl: {
    AccessToken: () => how.access_ttl,
    ClientCredentials: () => how.access_ttl,
    RefreshToken: () => 14 * 24 * 3600,
    Grant: () => 14 * 24 * 3600,
    Interaction: () => 3600,
    Session: () => 3600,
    IdToken: () => 3600,
  },
  rotateRefreshToken: () => how.rotate,
  issueRefreshToken: async (ctx, who) => who.grantTypeAllowed('refresh_token'),
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
});

// Its tokens are opaque: their name is all of them.
provider.on('access_token.saved', (token) => { grants.add(token.grantId); accessTokens.add(token.jti); issued.add(token.jti); });
provider.on('client_credentials.saved', (token) => { accessTokens.add(token.jti); issued.add(token.jti); });
provider.on('refresh_token.saved', (token) => { grants.add(token.grantId); issued.add(token.jti); });
provider.on('authorization_code.saved', (token) => issued.add(token.jti));
provider.on('grant.success', (ctx) => count(seen.given, ctx.oidc.params.grant_type));
provider.on('grant.error', (ctx, error) => count(seen.refused, `${ctx.oidc.params?.grant_type}: ${error.error}`));

let inside = 0;
provider.use(async (ctx, next) => {
  if (ctx.path !== '/token') return next();
  seen.token_requests += 1;
  inside += 1;
  seen.most_at_once = Math.max(seen.most_at_once, inside);
  try {
    if (how.token_delay_ms) await new Promise((done) => { setTimeout(done, how.token_delay_ms); });
    if (how.token_status === 'reset') { ctx.req.socket.destroy(); return; }
    if (how.token_status) { ctx.status = how.token_status; ctx.body = { error: 'temporarily_unavailable' }; return; }
    await next();
    count(seen.asked, ctx.oidc?.params?.grant_type);
    if (how.omit_refresh && ctx.oidc?.params?.grant_type === 'refresh_token' && ctx.body?.access_token) {
      delete ctx.body.refresh_token;
    }
  } finally {
    inside -= 1;
  }
});

async function withdraw(what) {
  for (const id of what === 'all' ? grants : []) {
    await provider.RefreshToken.revokeByGrantId(id);
    await provider.AccessToken.revokeByGrantId(id);
    await (await provider.Grant.find(id))?.destroy();
  }
  for (const id of accessTokens) {
    await (await provider.AccessToken.find(id))?.destroy();
    await (await provider.ClientCredentials.find(id))?.destroy();
  }
}

async function holder(request) {
  const [kind, token] = (request.headers.authorization ?? '').split(' ');
  if (kind !== 'Bearer' || how.api_refuses) return undefined;
  const found = (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
  return found?.isValid ? found : undefined;
}

const answer = (response, status, body) => {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
};

async function api(request, response) {
  seen.api_calls += 1;
  const token = await holder(request);
  if (!token) {
    seen.api_refused += 1;
    return answer(response, 401, { error: 'invalid_token' });
  }
  const path = new URL(request.url, issuer).pathname;
  if (path === '/api/me') return answer(response, 200, { id: 'plant-1', name: 'Plant One', as: token.accountId ?? token.clientId });
  return answer(response, 200, { orders: [{ id: 1 }] });
}

async function control(request, response) {
  if (request.method === 'POST') {
    let text = '';
    for await (const part of request) text += part;
    const { revoke, ...changes } = JSON.parse(text);
    Object.assign(how, changes);
    if (revoke) await withdraw(revoke);
  }
  answer(response, 200, { ...seen, issued: [...issued], how });
}

const oidc = provider.callback();
http.createServer((request, response) => {
  const failed = (error) => { console.error(error); response.destroy(); };
  if (request.url.startsWith('/api/')) api(request, response).catch(failed);
  else if (request.url === '/control') control(request, response).catch(failed);
  else oidc(request, response);
}).listen(Number(port), '127.0.0.1', () => console.log('ready'));
