"""44: OpenID Connect with a provider of the test: who is let in, who is linked, and who is not."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from allauth.socialaccount.models import SocialAccount
from django.core.management import call_command
from django.test import Client

from tests.web import stories
from tracehub.projects import actions
from tracehub.projects.models import AuditEntry, User

pytestmark = pytest.mark.django_db
SECRET = "client secret of the test, long enough for a signature"


class Issuer(BaseHTTPRequestHandler):
    """A provider whose word about a person, and whose mistakes, the test sets in `about`."""

    about: ClassVar[dict] = {}
    verifiers: ClassVar[list[str]] = []

    def do_GET(self):
        here = self._here()
        if self.path.startswith("/.well-known/"):
            self._say({
                "issuer": self.about.get("issuer", here),
                "authorization_endpoint": f"{here}/authorize",
                "token_endpoint": f"{here}/token", "userinfo_endpoint": f"{here}/userinfo",
                "jwks_uri": f"{here}/jwks",
                "token_endpoint_auth_methods_supported": ["client_secret_post"],
            })  # fmt: skip
        else:
            self._say(self.about["person"])

    def do_POST(self):
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.verifiers.append(body.get("code_verifier", [""])[0])
        claims = {
            "iss": self.about.get("issuer", self._here()), "aud": "tracehub",
            "exp": time.time() + 60, "iat": time.time(),
            **self.about["person"], **self.about.get("claims", {}),
        }  # fmt: skip
        token = jwt.encode(claims, SECRET, algorithm="HS256")
        self._say({"access_token": "a", "token_type": "Bearer", "id_token": token})

    def _here(self):
        return f"http://{self.headers['Host']}"

    def _say(self, value):
        text = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_):
        pass


@pytest.fixture
def issuer(settings):
    call_command("createcachetable")
    server = HTTPServer(("127.0.0.1", 0), Issuer)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    Issuer.about = {"person": {"sub": "s-1", "email": "maja@skylane.example",
                               "email_verified": True}}  # fmt: skip
    Issuer.verifiers = []
    settings.OUTBOUND_INSIDE = ["127.0.0.1/32"]
    believe(settings, f"http://127.0.0.1:{server.server_port}")
    yield Issuer
    server.shutdown()
    thread.join()
    server.server_close()


def believe(settings, url, trust=True):
    settings.OIDC_URL, settings.OIDC_TRUST_EMAIL = url, trust
    settings.OIDC_ID = "oidc-" + hashlib.sha256(url.encode()).hexdigest()[:12]
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [{
        "provider_id": settings.OIDC_ID, "name": "Skylane", "client_id": "tracehub",
        "secret": SECRET, "settings": {"server_url": url, "oauth_pkce_enabled": True},
    }]}}  # fmt: skip


@pytest.fixture
def maja():
    return stories.member(stories.project(), "admin", "maja@skylane.example")


def begin(client, settings, process=""):
    sent = client.post(f"/accounts/oidc/{settings.OIDC_ID}/login/{process}")
    assert sent.status_code == 302, sent.text
    return {k: v[0] for k, v in parse_qs(urlsplit(sent["Location"]).query).items()}


def come_back(client, settings, **query):
    return client.get(f"/accounts/oidc/{settings.OIDC_ID}/login/callback/", query)


def through(settings, client=None, process=""):
    client = client or Client()
    asked = begin(client, settings, process)
    return client, come_back(client, settings, code="c", state=asked["state"])


def signed_in(client):
    return client.session.get("_auth_user_id")


def test_44_a_checked_address_of_a_trusted_provider_signs_in_and_is_linked_by_subject(
    issuer, settings, maja
):
    client, _ = through(settings)
    assert signed_in(client) == str(maja.pk)
    linked = SocialAccount.objects.get()
    assert (linked.provider, linked.uid, linked.user) == (settings.OIDC_ID, "s-1", maja)
    issuer.about["person"] |= {"email": "other@skylane.example", "email_verified": False}
    again, _ = through(settings)
    assert signed_in(again) == str(maja.pk)  # the subject counts from then on
    ways = AuditEntry.objects.filter(action="person.signed_in").values_list("detail", flat=True)
    assert {detail["way"] for detail in ways} == {"provider"}


@pytest.mark.parametrize("person", [
    {"sub": "s-2", "email": "maja@skylane.example", "email_verified": False},
    {"sub": "s-2", "email": "maja@skylane.example"},
    {"sub": "s-2", "email": "maja@skylane.example", "email_verified": "false"},
    {"sub": "s-2", "email": "new@evil.example", "email_verified": True},
    {"sub": "s-2"},
])  # fmt: skip
def test_44_an_unchecked_or_unknown_address_is_nobody(issuer, settings, maja, person):
    issuer.about["person"] = person
    client, answer = through(settings)
    assert signed_in(client) is None
    assert "maja" not in answer.text
    assert (User.objects.count(), SocialAccount.objects.count()) == (1, 0)


def test_44_an_address_counts_only_of_a_provider_that_is_trusted(issuer, settings, maja):
    believe(settings, settings.OIDC_URL, trust=False)
    client, _ = through(settings)
    assert signed_in(client) is None
    client.force_login(maja)
    through(settings, client, "?process=connect")  # signed in, a person links it themselves
    assert SocialAccount.objects.get().user == maja
    assert signed_in(through(settings)[0]) == str(maja.pk)


def test_44_a_second_issuer_with_the_same_subject_is_another_person(issuer, settings, maja):
    through(settings)
    believe(settings, settings.OIDC_URL.replace("127.0.0.1", "localhost"), trust=False)
    settings.OUTBOUND_INSIDE = ["127.0.0.0/8", "::1/128"]
    client, _ = through(settings)
    assert signed_in(client) is None


def test_44_state_and_pkce_are_of_this_browser(issuer, settings, maja):
    mine, other = Client(), Client()
    asked = begin(mine, settings)
    assert asked["code_challenge_method"] == "S256"
    for client, state in ((other, asked["state"]), (mine, "x"), (mine, "")):
        assert come_back(client, settings, code="c", state=state).status_code in (200, 403)
        assert signed_in(client) is None
    assert issuer.verifiers == []
    come_back(mine, settings, code="c", state=asked["state"])
    digest = hashlib.sha256(issuer.verifiers[0].encode()).digest()
    assert asked["code_challenge"] == base64.urlsafe_b64encode(digest).decode().rstrip("=")
    assert signed_in(mine) == str(maja.pk)
    late = Client()
    assert come_back(late, settings, code="c", state=asked["state"]).status_code in (200, 403)
    assert signed_in(late) is None


@pytest.mark.parametrize("claims", [{"aud": "another"}, {"iss": "https://evil.example"},
                                    {"exp": 1}])  # fmt: skip
def test_44_a_token_for_or_of_another_is_refused(issuer, settings, maja, claims):
    issuer.about["claims"] = claims
    client, answer = through(settings)
    assert answer.status_code == 403
    assert signed_in(client) is None


def test_44_a_provider_that_calls_itself_otherwise_is_refused(issuer, settings, maja, caplog):
    here = settings.OIDC_URL
    issuer.about["issuer"] = f"{here}/other"
    client, answer = through(settings)
    assert (answer.status_code, signed_in(client)) == (403, None)
    assert f"'{here}/other'" in caplog.text
    issuer.about["issuer"] = f"{here}/"  # as some write it
    assert signed_in(through(settings)[0]) == str(maja.pk)


def test_44_a_token_and_user_info_of_two_people_are_of_nobody(issuer, settings, maja):
    issuer.about["claims"] = {"sub": "s-2"}
    client, answer = through(settings)
    assert (answer.status_code, signed_in(client)) == (403, None)
    assert not SocialAccount.objects.exists()


def test_53_a_provider_inside_is_refused_unless_its_network_is_opened(issuer, settings, maja):
    settings.OUTBOUND_INSIDE = []
    answer = Client().post(f"/accounts/oidc/{settings.OIDC_ID}/login/")
    assert answer.status_code == 403
    assert "127.0.0.1" not in answer.text.replace("testserver", "")


def test_where_the_provider_is_the_only_way_each_other_is_closed(issuer, settings, maja):
    settings.OIDC_ONLY = True
    maja.set_password("correct horse battery")
    maja.save()
    client = Client()
    assert "Password" not in client.get("/accounts/login/").text
    form = {"login": maja.email, "password": "correct horse battery"}
    assert client.post("/accounts/login/", form).status_code == 403
    link = actions.make_sign_in_link(maja)
    assert client.post(f"/accounts/link/{link}").status_code == 403
    project = stories.project("borealis")
    token = actions.invite(project, "new@skylane.example", "viewer")
    join = {"name": "New", "password": "correct horse battery"}
    client.post(f"/accounts/invite/{token}", join)
    assert signed_in(client) is None
    assert signed_in(through(settings)[0]) == str(maja.pk)


def test_who_was_invited_comes_by_the_provider(issuer, settings, maja):
    project = stories.project("borealis")
    actions.invite(project, "new@skylane.example", "reviewer")
    issuer.about["person"] = {"sub": "s-9", "email": "New@skylane.example", "email_verified": True}
    client, _ = through(settings)
    new = User.objects.get(email="new@skylane.example")
    assert signed_in(client) == str(new.pk)
    assert new.memberships.get().role == "reviewer"
