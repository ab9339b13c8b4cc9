"""An application that connects with Authlib, used as its documentation says.

    oauth_client.py BASE CLIENT_ID CLIENT_SECRET AUTH_METHOD REDIRECT_URI

AUTH_METHOD is client_secret_basic, client_secret_post or none. Says lines of JSON: first the address
to send the user to, and once it was told on a line where the user came back to, what it saw.
"""

import json
import os
import sys

# Authlib refuses anything but TLS; this is loopback.
os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import get_well_known_url

BASE, CLIENT_ID, CLIENT_SECRET, METHOD, REDIRECT = sys.argv[1:6]
SECRET = CLIENT_SECRET if METHOD != "none" else None


def say(**what):
    print(json.dumps(what), flush=True)


def refused(call):
    """The error that a call ends with."""
    try:
        call()
    except OAuthError as error:
        return error.error
    return None


def session(**more):
    return OAuth2Session(CLIENT_ID, SECRET, token_endpoint_auth_method=METHOD, **more)


def status(client):
    return client.get(f"{BASE}/v1/connection").status_code


metadata = requests.get(get_well_known_url(BASE, external=True), timeout=60).json()
token_endpoint = metadata["token_endpoint"]
verifier = generate_token(48)
kept = []
client = session(
    redirect_uri=REDIRECT,
    code_challenge_method="S256",
    token_endpoint=token_endpoint,
    update_token=lambda token, **_: kept.append(dict(token)),
)
url, state = client.create_authorization_url(
    metadata["authorization_endpoint"], code_verifier=verifier
)
say(authorize=url)
back = sys.stdin.readline().strip()

# A code does not work with another verifier, and is not spent by the attempt.
wrong = session(redirect_uri=REDIRECT, state=state)
wrong_verifier = refused(
    lambda: wrong.fetch_token(
        token_endpoint, authorization_response=back, code_verifier=generate_token(48)
    )
)
token = client.fetch_token(
    token_endpoint, authorization_response=back, state=state, code_verifier=verifier
)
first = dict(token)
first_status = status(client)

# The library refreshes by itself once the token is too old.
client.token["expires_at"] = 1
refreshed_status = status(client)
second = kept[-1]

revoked = client.revoke_token(
    metadata["revocation_endpoint"], token=second["refresh_token"], token_type_hint="refresh_token"
).status_code
client.token["expires_at"] = 2**40
dead_status = status(client)
dead_refresh = refused(
    lambda: session().refresh_token(token_endpoint, refresh_token=second["refresh_token"])
)

workspace_status = workspace_expires = None
if METHOD != "none":
    own = session()
    given = own.fetch_token(token_endpoint, grant_type="client_credentials")
    workspace_status = own.get(f"{BASE}/v1/connections").status_code
    workspace_expires = given["expires_in"]
nobody = OAuth2Session(CLIENT_ID, "mw_cs_wrong", token_endpoint_auth_method="client_secret_basic")
wrong_secret = refused(lambda: nobody.fetch_token(token_endpoint, grant_type="client_credentials"))

say(
    wrong_verifier=wrong_verifier,
    token_type=first["token_type"],
    expires_in=first["expires_in"],
    connection_id=first["connection_id"],
    first_status=first_status,
    refreshed_status=refreshed_status,
    another=second["access_token"] != first["access_token"]
    and second["refresh_token"] != first["refresh_token"],
    revoked=revoked,
    dead_status=dead_status,
    dead_refresh=dead_refresh,
    workspace_status=workspace_status,
    workspace_expires=workspace_expires,
    wrong_secret=wrong_secret,
)
