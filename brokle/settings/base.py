"""Django's settings, all from the declared environment. Rooms are named as strings; nothing here imports one."""

from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import brokle
from brokle.kernel.secrets import derive
from brokle.settings.env import env
from brokle.settings.plans import plan_limits

BASE_DIR = brokle.HOUSE
DATA_DIR = Path(env.text("BROKLE_DATA_DIR")).resolve()
DEV = env.flag("BROKLE_DEV")
DEBUG = False

ROOMS = ["users", "orgs", "audiences", "routing", "observability", "billing", "hosting", "marketplace"]
EE_ROOMS = ["license", "sso", "scim", "rbac", "compliance", "insights"]


def _present(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


EE_APPS = [f"ee.{room}" for room in EE_ROOMS if _present(f"ee.{room}.apps")]

_secret = env.text("BROKLE_SECRET_KEY")
SECRET_KEY = derive(_secret, "django").hex()
SECRET_KEY_FALLBACKS = [derive(s, "django").hex() for s in env.items("BROKLE_SECRET_KEY_FALLBACKS")]

ROOT_SECRETS = [_secret, *env.items("BROKLE_SECRET_KEY_FALLBACKS")]
PEPPERS = [derive(secret, "pepper") for secret in ROOT_SECRETS]
PEPPER = PEPPERS[0]
PASS_KEY = derive(_secret, "pass")
ADMIN_EMAIL = env.text("BROKLE_ADMIN_EMAIL")
ADMIN_PASSWORD = env.text("BROKLE_ADMIN_PASSWORD")
CONFIG = env.text("BROKLE_CONFIG")
PLAN_LIMITS = plan_limits(env.text("BROKLE_PLAN_LIMITS"))
BOOTSTRAP_KEY = env.text("BROKLE_BOOTSTRAP_KEY")

ACCOUNT_APPS = [
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.github",
    "allauth.socialaccount.providers.google",
]
INSTALLED_APPS = [
    "brokle.ground",
    *(f"apps.{room}" for room in ROOMS),
    *EE_APPS,
    "brokle.web",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "channels",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    *ACCOUNT_APPS,
]
MIGRATION_MODULES = {label: f"migrations.postgres.{label}" for label in ["ground", *ROOMS]}
AUTH_USER_MODEL = "users.User"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "brokle.urls"
ASGI_APPLICATION = "brokle.asgi.application"

MIDDLEWARE = [
    "brokle.web.middleware.request_context",
    "brokle.web.middleware.security_headers",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.gzip.GZipMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "brokle.web.preferences.preferences",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "brokle.web.middleware.DomainErrors",
    "allauth.account.middleware.AccountMiddleware",
    "brokle.web.last_seen.last_seen",
]


def database(url: str) -> dict[str, object]:
    parts = urlsplit(url)
    query = dict(pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")) or "brokle",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(query.pop("host", "")) or parts.hostname or "",
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**{k: unquote(v) for k, v in query.items()}, "connect_timeout": 5},
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }


DATABASES = {"default": database(env.text("DATABASE_URL") or "postgresql:///brokle")}
if env.given("DATABASE_REPLICA_URL"):
    DATABASES["replica"] = database(env.text("DATABASE_REPLICA_URL"))

REDIS_URL = env.text("REDIS_URL")
REDIS_CACHE_URL = env.text("REDIS_CACHE_URL") or REDIS_URL
CLICKHOUSE_URL = env.text("CLICKHOUSE_URL")

CACHES = {
    alias: {
        "BACKEND": f"brokle.engines.traced_cache.{backend}",
        "LOCATION": REDIS_CACHE_URL or "unix:///nonexistent",
        "KEY_PREFIX": "dj",
    }
    for alias, backend in (("default", "TracedRedisCache"), ("sessions", "SessionCache"))
}
SESSION_CACHE_ALIAS = "sessions"
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

LIVE_HEARTBEAT_S = env.integer("BROKLE_LIVE_HEARTBEAT_SECONDS")
BASE_URL = env.text("BROKLE_BASE_URL").rstrip("/")
_base = urlsplit(BASE_URL)
ALLOWED_HOSTS = env.items("BROKLE_ALLOWED_HOSTS") or [
    *filter(None, [_base.hostname]),
    "localhost",
    "127.0.0.1",
    "[::1]",
]
CSRF_TRUSTED_ORIGINS = [f"{_base.scheme}://{_base.netloc}"] if _base.netloc else []
SECURE = _base.scheme == "https"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE
SESSION_COOKIE_NAME = "brokle_session"
CSRF_COOKIE_NAME = "brokle_csrf"
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 14
CSRF_FAILURE_VIEW = "brokle.web.errors.csrf_failure"
TRUSTED_PROXIES = env.items("BROKLE_TRUSTED_PROXIES")

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "brokle.web.context.shell",
            ],
            "builtins": [
                "django.templatetags.i18n",
                "django.templatetags.static",
                "brokle.web.templatetags.brokle",
            ],
        },
    },
]

MESSAGE_TAGS = {10: "info", 20: "info", 25: "ok", 30: "warn", 40: "bad"}  # the tones of the toast component

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("ar", "العربية")]
LOCALE_PATHS = [BASE_DIR / "locale"]
LANGUAGE_COOKIE_NAME = "brokle_language"
USE_I18N = USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = env.text("BROKLE_STATIC_URL")
STATICFILES_DIRS = [BASE_DIR / "static"]
WHITENOISE_USE_FINDERS = True  # no collectstatic step: the build's names carry their content's hash
WHITENOISE_AUTOREFRESH = DEV
WHITENOISE_IMMUTABLE_FILE_TEST = r"/dist/.+-[A-Z0-9]{8}\.\w+$"

# ── Accounts: the engine is django-allauth, what it asks of us stands in apps/users ──
MAIL_URL = env.text("BROKLE_SMTP_URL") or env.text("EMAIL_URL")
_mail = urlsplit(MAIL_URL)
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if _mail.scheme.startswith("smtp")
    else "brokle.web.mail.backend.ConsoleBackend"
)
EMAIL_HOST = _mail.hostname or "localhost"
EMAIL_USE_SSL = _mail.scheme == "smtps"
EMAIL_USE_TLS = _mail.scheme == "smtp+starttls"
EMAIL_PORT = _mail.port or (465 if EMAIL_USE_SSL else 587 if EMAIL_USE_TLS else 25)
EMAIL_HOST_USER = unquote(_mail.username or "")
EMAIL_HOST_PASSWORD = unquote(_mail.password or "")
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("BROKLE_EMAIL_FROM")
SIGNUP = env.text("BROKLE_SIGNUP").strip().lower()
_verification = env.text("BROKLE_EMAIL_VERIFICATION").strip().lower()

AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_ADAPTER = "apps.users.services.engine.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
if _verification not in {"mandatory", "optional"}:  # brokle.web.checks says what is wrong with another word
    _verification = "mandatory" if _mail.scheme.startswith("smtp") else "optional"
ACCOUNT_EMAIL_VERIFICATION = _verification
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_LOGIN_ON_EMAIL_CONFIRMATION = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_REDIRECT_URL = "/auth/login"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_FORMS = {
    "login": "apps.users.forms.SignInForm",
    "signup": "apps.users.forms.SignUpForm",
    "reset_password": "apps.users.forms.ResetForm",
    "reset_password_from_key": "apps.users.forms.NewPasswordForm",
    "change_password": "apps.users.forms.ChangePasswordForm",
    "set_password": "apps.users.forms.FirstPasswordForm",
    "reauthenticate": "apps.users.forms.PasswordAgainForm",
}
MFA_ADAPTER = "apps.users.services.engine.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # where verification is mandatory, nobody signs in without it
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_ISSUER = "Brokle"
MFA_TOTP_TOLERANCE = 2  # a phone's clock may be a minute off
MFA_FORMS = {
    "authenticate": "apps.users.forms.CodeForm",
    "authenticate_webauthn": "apps.users.forms.PasskeyCodeForm",
    "reauthenticate": "apps.users.forms.CodeAgainForm",
    "activate_totp": "apps.users.forms.ActivateCodesForm",
    "add_webauthn": "apps.users.forms.AddPasskeyForm",
    "edit_webauthn": "apps.users.forms.RenamePasskeyForm",
    "login_webauthn": "apps.users.forms.PasskeySignInForm",
    "reauthenticate_webauthn": "apps.users.forms.PasskeyAgainForm",
}
SOCIALACCOUNT_ADAPTER = "apps.users.services.social.SocialAdapter"
SOCIALACCOUNT_LOGIN_ON_GET = True  # a page's form may not lead abroad (CSP); the start checks where it was asked from
SOCIALACCOUNT_STORE_TOKENS = False
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True


def _social_app(name: str, **options: object) -> dict[str, object]:
    client_id, secret = env.text(f"BROKLE_{name}_CLIENT_ID"), env.text(f"BROKLE_{name}_CLIENT_SECRET")
    apps = [{"client_id": client_id, "secret": secret}] if client_id and secret else []
    return {"APPS": apps, "OAUTH_PKCE_ENABLED": True, **options}


_github_url = env.text("BROKLE_GITHUB_URL").rstrip("/")
SOCIALACCOUNT_PROVIDERS = {
    "github": _social_app("GITHUB", SCOPE=["user:email"], **({"GITHUB_URL": _github_url} if _github_url else {})),
    "google": _social_app("GOOGLE", SCOPE=["email", "profile"], AUTH_PARAMS={"prompt": "select_account"}),
}

PASSWORD_HASHERS = [
    "brokle.web.passwords.Argon2",
    "django.contrib.auth.hashers.BCryptSHA256PasswordHasher",
    "django.contrib.auth.hashers.BCryptPasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
]
LOGIN_URL = "/auth/login"
LOGIN_REDIRECT_URL = "/dashboard"

REST_FRAMEWORK = {
    "URL_FORMAT_OVERRIDE": None,
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["brokle.web.parsing.StrictJsonParser"],
    "EXCEPTION_HANDLER": "brokle.web.problems.drf_exception_handler",
    "DEFAULT_PAGINATION_CLASS": "brokle.web.pagination.CursorPages",
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "brokle.web.authentication.BearerPersonAuthentication",
        "brokle.web.authentication.ApiKeyAuthentication",
        "brokle.web.authentication.PersonAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Brokle management API",
    "DESCRIPTION": "Everything the console does, for programs. Errors are RFC 9457 problems, lists are cursor pages.",
    "VERSION": brokle.__version__,
    "OAS_VERSION": "3.1.0",
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "PREPROCESSING_HOOKS": ["brokle.web.schema.only_management"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "brokle.web.schema.add_problems",
    ],
    "SERVE_INCLUDE_SCHEMA": False,
    # Fields of one name with other choices: without these the schema's names would change with what else there is.
    "ENUM_NAME_OVERRIDES": {
        "StatusEnum": "apps.orgs.models.DeliveryStatus",
        "RecostingStatusEnum": "apps.routing.models.RecostingStatus",
        "ModelModeEnum": "apps.routing.selectors.catalogue.MODES",
    },
}

LOGGING_CONFIG = None
ACCESS_LOG = env.flag("BROKLE_ACCESS_LOG")
WEB_THREADS = max(1, env.integer("BROKLE_WEB_THREADS"))
LIMITS_WITHOUT_REDIS = env.text("BROKLE_LIMITS_WITHOUT_REDIS").strip().lower()
SLOW_QUERY_MS = env.integer("BROKLE_SLOW_QUERY_MS")
X_FRAME_OPTIONS = "DENY"
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024
SILENCED_SYSTEM_CHECKS = [
    "security.W004",
    "security.W008",
]  # TLS ends at the proxy; brokle.web.checks says what matters
