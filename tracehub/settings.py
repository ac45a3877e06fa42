"""Django settings. Every value that an operator may change comes from the environment.

A wrong value stops the start with one line: the name, the rule, what came.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import NONCE, NONE, SELF

from tracehub.cli import config
from tracehub.cli.environment import (
    SettingError,
    broker,
    database,
    env_choice,
    env_hosts,
    env_int,
    env_list,
    env_networks,
    env_str,
    env_url,
    mail,
    payload_storage,
)

PACKAGE = Path(__file__).resolve().parent
CHECKOUT = PACKAGE.parent


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


DATA_DIR = config.data_dir()
BASE_URL = env_str("TRACEHUB_BASE_URL", "http://127.0.0.1:8000").rstrip("/")
_base = urlsplit(BASE_URL)
if _base.scheme not in {"http", "https"} or not _base.hostname:
    raise SettingError(f"TRACEHUB_BASE_URL must be an http or https address. Got {BASE_URL!r}.")
SECURE = _base.scheme == "https"
LOOPBACK = _base.hostname in {"127.0.0.1", "localhost", "::1"}

SECRET_KEY = config.secret_key()
SECRET_KEY_FALLBACKS = env_list("TRACEHUB_SECRET_KEY_FALLBACKS")
DEBUG = False
ALLOWED_HOSTS = [
    *env_hosts("TRACEHUB_ALLOWED_HOSTS"),
    _base.hostname,
    # Loopback names only: any other Host header is refused (DNS rebinding).
    "127.0.0.1",
    "localhost",
    "[::1]",
]
CSRF_TRUSTED_ORIGINS = [BASE_URL]
ROOT_URLCONF = "tracehub.urls"
ASGI_APPLICATION = "tracehub.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False

# Bounds on what arrives. Bodies in MB as sent; four times that after decompression.
MAX_BODY_MB = env_int("TRACEHUB_MAX_BODY_MB", 16, minimum=1, maximum=256)
# Days that traces are kept, by the day they first arrived.
RETENTION_DAYS = env_int("TRACEHUB_RETENTION_DAYS", 30, minimum=1, maximum=3650)
# Free disk space in MB below which ingestion answers 503, so that reads and recovery go on.
MIN_FREE_MB = env_int("TRACEHUB_MIN_FREE_MB", 512, minimum=0, maximum=1_000_000)
WEB_WORKERS = env_int("TRACEHUB_WEB_WORKERS", 1, minimum=1, maximum=64)
# Where `tracehub up` takes OTLP over gRPC as well; 0 is off.
OTLP_GRPC_PORT = env_int("TRACEHUB_OTLP_GRPC_PORT", 0, minimum=0, maximum=65535)
# Calls that run at once; more are told to come again.
OTLP_GRPC_CALLS = env_int("TRACEHUB_OTLP_GRPC_CALLS", 256, minimum=1, maximum=10_000)
# The built-in judge of traces, and the judge of rubrics in eval sets: OpenAI's chat API.
JUDGE_URL = env_url("TRACEHUB_JUDGE_URL").rstrip("/")
JUDGE_KEY = env_str("TRACEHUB_JUDGE_KEY")
JUDGE_MODEL = env_str("TRACEHUB_JUDGE_MODEL")
# Networks inside that webhooks and sign-in providers may lie in; all else inside is refused.
OUTBOUND_INSIDE = env_networks("TRACEHUB_OUTBOUND_INSIDE")
# Proxies in front, each of which adds the address it was called from to X-Forwarded-For.
ALLAUTH_TRUSTED_PROXY_COUNT = env_int("TRACEHUB_TRUSTED_PROXIES", 0, maximum=10)
# Calls of the API a second that each key may make; 0 sets no limit. Ingestion has none.
API_RATE = env_int("TRACEHUB_API_RATE", 100, maximum=100_000)
LOG_FORMAT = env_choice("TRACEHUB_LOG", "console", ("json", "console"))
# What TraceHub tells of itself, and to whom (`projects.telemetry`); off by default.
SENTRY_DSN = env_url("SENTRY_DSN")
OTEL = bool(env_url("OTEL_EXPORTER_OTLP_ENDPOINT"))
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

# Where payloads go that are larger than so many bytes, compressed; without an address they stay.
PAYLOADS_URL = env_str("TRACEHUB_PAYLOADS_URL")
PAYLOAD_BYTES = 1024 * env_int("TRACEHUB_PAYLOAD_MIN_KB", 64, minimum=1, maximum=65_536)

DATABASES = {"default": database("DATABASE_URL", config.database_url())}
if _replica := env_str("DATABASE_REPLICA_URL"):
    # Nobody migrates or tests it apart: it is the same data.
    DATABASES["replica"] = database("DATABASE_REPLICA_URL", _replica) | {
        "TEST": {"MIRROR": "default"}
    }

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.sessions",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.usersessions",
    "csp",
    "django_htmx",
    "template_partials",
    "tracehub.projects",
    "tracehub.traces",
    "tracehub.failures",
    "tracehub.review",
    "tracehub.evals",
    "tracehub.notify",
    "tracehub.metrics",
    "tracehub.digest",
    "tracehub.web",
]

MIDDLEWARE = [
    *(["tracehub.projects.telemetry.RequestSpans"] if OTEL else []),
    "django.middleware.security.SecurityMiddleware",
    "tracehub.web.middleware.response_headers",
    "servestatic.middleware.ServeStaticMiddleware",
    "django.middleware.gzip.GZipMiddleware",  # pads at random, against BREACH
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "tracehub.web.middleware.reveal_hidden",
    "tracehub.web.middleware.remember_writes",
    "tracehub.web.middleware.SignIn",
    "tracehub.web.middleware.BeginAgain",
]


def _folder(name: str) -> Path:
    """Where templates or static files lie: in a checkout beside the package, in a wheel in it."""
    beside = CHECKOUT / name
    return beside if (CHECKOUT / "manage.py").exists() and beside.is_dir() else PACKAGE / f"_{name}"


TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [_folder("templates")],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tracehub.web.context.shell",
            ],
        },
    }
]

STATIC_URL = "/static/"
STATICFILES_DIRS = [_folder("static")]
STATIC_ROOT = DATA_DIR / "static"
# `tracehub up` collects the files under hashed names; without that step they are served in place.
_collected = (STATIC_ROOT / "staticfiles.json").exists()
SERVESTATIC_USE_FINDERS = not _collected
SERVESTATIC_KEEP_ONLY_HASHED_FILES = True
SERVESTATIC_ALLOW_ALL_ORIGINS = False  # no page of another origin needs our files
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "payloads": payload_storage(PAYLOADS_URL, DATA_DIR / "payloads"),
    "staticfiles": {
        "BACKEND": "servestatic.storage.CompressedManifestStaticFilesStorage"
        if _collected or "collectstatic" in sys.argv
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# People
AUTH_USER_MODEL = "projects.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 12},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "tracehub.web.passwords.EasilyGuessed"},
    {"NAME": "tracehub.web.passwords.NotOfThisPlace"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "tracehub.web.accounts.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_PASSWORD_CHANGE = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "5/5m/key",
    "reset_password": "20/m/ip",
}

# Second factors, and who must have one. Codes work once; secrets are sealed with the secret key.
SECOND_FACTOR = env_choice("TRACEHUB_SECOND_FACTOR", "nobody", ("nobody", "admins", "all"))
MFA_ADAPTER = "tracehub.web.second_factor.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "TraceHub"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # addresses come by invitation, and are proven by it
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300

# One provider of OpenID Connect. People are known by issuer and subject; by their address only
# when the provider says that it checked it and OIDC_TRUST_EMAIL says that we believe it.
OIDC_URL = env_str("TRACEHUB_OIDC_URL").rstrip("/")
OIDC_CLIENT_ID = env_str("TRACEHUB_OIDC_CLIENT_ID")
OIDC_NAME = env_str("TRACEHUB_OIDC_NAME", "single sign-on")
OIDC_TRUST_EMAIL = env_choice("TRACEHUB_OIDC_TRUST_EMAIL", "no", ("yes", "no")) == "yes"
OIDC_ONLY = env_choice("TRACEHUB_OIDC_ONLY", "no", ("yes", "no")) == "yes"
OIDC_ID = "oidc-" + hashlib.sha256(OIDC_URL.encode()).hexdigest()[:12] if OIDC_URL else ""
if OIDC_URL and (urlsplit(OIDC_URL).scheme not in {"http", "https"} or not OIDC_CLIENT_ID):
    raise SettingError(
        "TRACEHUB_OIDC_URL must be the http or https address of an issuer, with "
        f"TRACEHUB_OIDC_CLIENT_ID set. Got {OIDC_URL!r}."
    )
if OIDC_ONLY and not OIDC_URL:
    raise SettingError("TRACEHUB_OIDC_ONLY=yes needs TRACEHUB_OIDC_URL. Got none.")
SOCIALACCOUNT_ADAPTER = "tracehub.web.accounts.ProviderAdapter"
SOCIALACCOUNT_OPENID_CONNECT_URL_PREFIX = "oidc"
SOCIALACCOUNT_PROVIDERS: dict[str, Any] = {
    "openid_connect": {
        "APPS": [
            {
                "provider_id": OIDC_ID,
                "name": OIDC_NAME,
                "client_id": OIDC_CLIENT_ID,
                "secret": env_str("TRACEHUB_OIDC_CLIENT_SECRET"),
                "settings": {"server_url": OIDC_URL, "oauth_pkce_enabled": True},
            }
        ]
        if OIDC_URL
        else []
    }
}

SESSION_COOKIE_AGE = 14 * 86400
COOKIE_PREFIX = "__Host-" if SECURE else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}tracehub"
SESSION_COOKIE_SECURE = SECURE
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrf"
MESSAGE_STORAGE = "tracehub.web.notes.Notes"
CSRF_COOKIE_SECURE = SECURE
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = "Lax"
SECURE_HSTS_SECONDS = 31536000 if SECURE else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [NONCE],
        "style-src": [SELF, NONCE],
        "img-src": [SELF, "data:", "blob:"],
        "media-src": [SELF],
        "font-src": [SELF],
        "connect-src": [SELF],
        "worker-src": [SELF, "blob:"],
        "manifest-src": [SELF],
        "frame-src": [NONE],
        "object-src": [NONE],
        "base-uri": [NONE],
        # Chromium holds the redirect after a form to it as well.
        "form-action": [SELF, *([_origin(OIDC_URL)] if OIDC_URL else [])],
        "frame-ancestors": [NONE],
        "report-uri": "/csp-report",
    }
}

CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
    }
}
_mail = mail(env_str("TRACEHUB_EMAIL_URL"))
EMAIL_BACKEND = f"django.core.mail.backends.{_mail.pop('backend')}.EmailBackend"
globals().update(_mail)

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

# Celery: a message only wakes a worker, so it holds ids at most and results are not kept.
CELERY_BROKER_URL, CELERY_BROKER_TRANSPORT_OPTIONS = broker(
    env_str("TRACEHUB_BROKER_URL"), DATA_DIR / "broker"
)
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_SOFT_TIME_LIMIT = 240
CELERY_TASK_TIME_LIMIT = 300
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # for as long as the broker is away
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BEAT_SCHEDULER = "tracehub.beat:Scheduler"
# A message outlives the digests that it may wait behind: under traffic that never ends there is
# always one of those before it. Digests themselves are many, and only the newest count.
CELERY_BEAT_SCHEDULE = {
    # Replaces messages that were lost: every 5 s is the promise of docs/design/ingestion.md.
    "sweep": {"task": "tracehub.digest", "schedule": 5.0, "options": {"expires": 5}},
    "judge": {"task": "tracehub.judge", "schedule": 5.0, "options": {"expires": 60}},
    "queues": {"task": "tracehub.queues", "schedule": 600.0, "options": {"expires": 600}},
    "prune": {"task": "tracehub.prune", "schedule": 3600.0, "options": {"expires": 3600}},
    "bulk": {"task": "tracehub.bulk", "schedule": 2.0, "options": {"expires": 20}},
    "notify": {"task": "tracehub.notify", "schedule": 5.0, "options": {"expires": 60}},
    "prune_events": {
        "task": "tracehub.prune_events",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "weekly": {"task": "tracehub.weekly", "schedule": 600.0, "options": {"expires": 600}},
    "usual": {"task": "tracehub.usual", "schedule": 60.0, "options": {"expires": 60}},
    "views": {"task": "tracehub.views", "schedule": 60.0, "options": {"expires": 60}},
    "payloads": {"task": "tracehub.payloads", "schedule": 10.0, "options": {"expires": 60}},
    "reprice": {"task": "tracehub.reprice", "schedule": 10.0, "options": {"expires": 60}},
    "erase": {"task": "tracehub.erase", "schedule": 10.0, "options": {"expires": 60}},
    "budgets": {"task": "tracehub.budgets", "schedule": 600.0, "options": {"expires": 600}},
    "prune_rollups": {
        "task": "tracehub.prune_rollups",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
}

LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "console": {
            "()": "tracehub.projects.logs.PlainFormatter",
            "fmt": "%(levelname)s %(name)s: %(message)s",
        },
        "json": {"()": "tracehub.projects.logs.JsonFormatter"},
    },
    "filters": {
        "redact": {"()": "tracehub.projects.logs.Redact"},
        "seldom": {"()": "tracehub.projects.logs.Seldom"},
    },
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": LOG_FORMAT,
            "filters": ["seldom", "redact"],
        }
    },
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "celery.beat": {"level": "WARNING"},
        # Says the same several times a second while the database is away; the error says it too.
        "psycopg.pool": {"level": "ERROR"},
    },
}
