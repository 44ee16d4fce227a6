// An OpenID provider for the tests: node-oidc-provider with its own sign-in page, configured by one JSON on stdin.
import { readFileSync } from 'node:fs';
import Provider from 'oidc-provider';

const { issuer, port, jwks, clients, people, idTokenClaims } = JSON.parse(readFileSync(0, 'utf8'));

const provider = new Provider(issuer, {
  jwks,
  clients,
  claims: {
    openid: ['sub'],
    profile: ['name', 'preferred_username'],
    email: ['email'],
    groups: ['groups', 'realm_access', 'hasgroups', '_claim_names', '_claim_sources'],
  },
  scopes: ['openid', 'profile', 'email', 'groups'],
  conformIdTokenClaims: !idTokenClaims,
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: true }, // its sign-in page: any password of a person it knows
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true },
  },
  cookies: { keys: ['only for tests'] },
  // By default it calls no address of this machine, and gives up after 2.5 s.
  fetch: (url, { dispatcher, ...options }) => fetch(url, { ...options, signal: AbortSignal.timeout(20_000) }),
  findAccount: (_ctx, id) => people[id] && { accountId: people[id].sub, claims: () => people[id] },
});
provider.on('backchannel.error', (_ctx, error) => console.log('backchannel.error', error.message));
provider.on('backchannel.success', () => console.log('backchannel.success'));
provider.on('server_error', (_ctx, error) => console.log('server_error', error.stack));
provider.on('grant.error', (_ctx, error) => console.log('grant.error', error.error, error.error_detail));
provider.listen(port, '127.0.0.1', () => console.log('listening'));
