"""Who may do what, route by route: written by hand, as the rule that the code is held to.

A route of Django or of ingestion that has no row here fails `test_28_access_matrix.py`. A row names
each method with the least that it takes:

- pages: `open` (without signing in), `person` (anyone signed in), `viewer`, `reviewer`, `admin`
  (the role in the project of the path). A key opens no page.
- calls of the API and ingestion: `open`, `ingest`, `read`, `review`, `admin` (the scopes of keys
  below). Being signed in opens no call.

`World` in `world.py` says which object each `<parameter>` stands for; add a new one there.
"""

from __future__ import annotations

ORDER = {"viewer": 0, "reviewer": 1, "admin": 2}
SCOPES = {
    "ingest": {"ingest"},
    "viewer": {"read"},
    "reviewer": {"read", "review"},
    "admin": {"read", "review", "admin", "ingest"},
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")

# Pages below no project.
OUTSIDE: dict[str, dict[str, str]] = {
    "": {"GET": "person"},
    "healthz": {"GET": "open"},
    "readyz": {"GET": "open"},
    "csp-report": {"POST": "open"},
    "metrics": {"GET": "open"},  # from this machine, as tests ask; see test_28_prometheus
    "accounts/theme": {"POST": "person"},
    "accounts/quick": {"POST": "person"},
    "accounts/link/<str:token>": {"GET": "open", "POST": "open"},
    "accounts/invite/<str:token>": {"GET": "open", "POST": "open"},
}
# Pages of allauth: of these only the way in is ours to test (40 to 43), so each is listed alone.
ALLAUTH = {
    "accounts/2fa/",
    "accounts/2fa/authenticate/",
    "accounts/2fa/reauthenticate/",
    "accounts/2fa/totp/activate/",
    "accounts/2fa/totp/deactivate/",
    "accounts/2fa/webauthn/",
    "accounts/2fa/webauthn/add/",
    "accounts/2fa/webauthn/login/",
    "accounts/2fa/webauthn/reauthenticate/",
    "accounts/2fa/webauthn/keys/<int:pk>/edit/",
    "accounts/2fa/webauthn/keys/<int:pk>/remove/",
    "accounts/2fa/recovery-codes/",
    "accounts/2fa/recovery-codes/generate/",
    "accounts/2fa/recovery-codes/download/",
    "accounts/sessions/",
    "accounts/oidc/^(?P<provider_id>[^/]+)/login/",
    "accounts/oidc/^(?P<provider_id>[^/]+)/login/callback/",
    "accounts/login/",
    "accounts/logout/",
    "accounts/inactive/",
    "accounts/signup/",
    "accounts/reauthenticate/",
    "accounts/password/change/",
    "accounts/password/set/",
    "accounts/password/reset/",
    "accounts/password/reset/key/done/",
    "accounts/^password/reset/key/(?P<uidb36>[0-9A-Za-z]+)-(?P<key>.+)/$",
    "accounts/password/reset/done/",
}

# Django's admin, for superusers who may look and change nothing: test_admin.py.
OPERATORS = {
    "admin/",
    "admin/jsi18n/",
    "admin/^(?P<app_label>projects)/$",
    *(
        f"admin/projects/{table}/{rest}"
        for table in ("user", "project", "membership", "apikey", "auditentry")
        for rest in ("", "<path:object_id>/change/")
    ),
}

# Pages of a project, without the leading `<slug:slug>/`.
READ = {"GET": "viewer"}
PAGES: dict[str, dict[str, str]] = {
    "traces": READ,
    "traces/suggestions": READ,
    "traces/newer": READ,
    "traces/verdict": {"POST": "reviewer"},
    "traces/bulk": {"POST": "reviewer"},
    "traces/export": {"POST": "viewer"},
    "traces/jobs": READ,
    "traces/jobs/<int:job_id>": {"POST": "reviewer"},  # a viewer on own exports
    "traces/search": {"POST": "viewer"},
    "traces/jobs/<int:job_id>/file": READ,  # who asked for it, and admins: see test_trace_jobs
    "traces/columns": {"POST": "viewer"},
    "traces/views": {"POST": "viewer"},
    "traces/views/<int:view_id>": {"POST": "viewer"},  # an own one
    "traces/views/<int:view_id>/restore": {"POST": "viewer"},
    "traces/undo/<str:token>": {"POST": "reviewer"},
    "media/<str:sha256>": READ,
    "traces/<str:trace_id>": READ,
    "traces/<str:trace_id>/alike": READ,
    "traces/<str:trace_id>/json": READ,
    "traces/<str:trace_id>/say": {"POST": "reviewer"},
    "traces/<str:trace_id>/diff": READ,
    "traces/<str:trace_id>/reveal": {"POST": "reviewer"},
    "traces/<str:trace_id>/case": {"GET": "reviewer", "POST": "reviewer"},
    "traces/<str:trace_id>/place": READ,
    "traces/<str:trace_id>/corrected": {"POST": "reviewer"},
    "traces/<str:trace_id>/review": {"POST": "reviewer"},
    "sessions": READ,
    "sessions/<any:session>": READ,
    "users": READ,
    "users/<any:user>": READ,
    "reviews": {"GET": "reviewer"},
    "reviews/<int:review_id>/withdraw": {"POST": "reviewer"},
    "metrics": READ,
    "metrics/breakdown": READ,
    "metrics/dashboards": {"POST": "viewer"},
    "metrics/dashboards/<int:board_id>": {"POST": "viewer"},  # an own one
    "metrics/dashboards/<int:board_id>/restore": {"POST": "viewer"},
    "metrics/compare": READ,
    "contracts": READ,
    "contracts/<str:name>": {"GET": "viewer", "POST": "admin"},
    "prompts": READ,
    "prompts/<path:prompt>": READ,
    "connect": READ,
    "connect/key": {"POST": "admin"},
    "connect/status": READ,
    "settings": READ,
    "settings/audit": {"GET": "admin"},
    "settings/audit.csv": {"GET": "admin"},
    "settings/audit.jsonl": {"GET": "admin"},
    "settings/erasure": {"GET": "admin", "POST": "admin"},
    "settings/erasure/<int:erasure_id>.json": {"GET": "admin"},
    "settings/alerts": READ,
    "settings/alerts/new": {"POST": "admin"},
    "settings/alerts/<int:alert_id>": {"POST": "admin"},
    "settings/weekly": {"GET": "viewer", "POST": "viewer"},
    "settings/owners/new": {"POST": "admin"},
    "settings/owners/<int:owner_rule_id>/remove": {"POST": "admin"},
    "settings/tracker": {"POST": "admin"},
    "settings/destinations/new": {"POST": "admin"},
    "settings/destinations/<int:destination_id>": {"GET": "admin"},
    "settings/destinations/<int:destination_id>/change": {"POST": "admin"},
    "settings/deliveries/<int:delivery_id>/replay": {"POST": "admin"},
    "settings/general": {"POST": "admin"},
    "settings/hide-content": {"POST": "admin"},
    "settings/profile": {"POST": "viewer"},
    "settings/members/invite": {"POST": "admin"},
    "settings/invitations/<int:invitation_id>/withdraw": {"POST": "admin"},
    "settings/members/<int:user_id>/role": {"POST": "admin"},
    "settings/members/<int:user_id>/remove": {"POST": "admin"},
    "settings/members/<int:user_id>/restore/<str:role>": {"POST": "admin"},
    "settings/keys/new": {"POST": "admin"},
    "settings/keys/<int:key_id>/revoke": {"POST": "admin"},
    "settings/keys/<int:key_id>/restore": {"POST": "admin"},
    "settings/masking/new": {"POST": "admin"},
    "settings/masking/stored": {"POST": "admin"},
    "settings/masking/<int:rule_id>/turn": {"POST": "admin"},
    "settings/masking/<int:rule_id>/remove": {"POST": "admin"},
    "settings/sampling": {"POST": "admin"},
    "settings/signals": {"GET": "viewer"},
    "settings/signals/again": {"POST": "admin"},
    "settings/signals/kind": {"POST": "admin"},
    "settings/signals/scores/new": {"POST": "admin"},
    "settings/signals/scores/<int:score_id>/remove": {"POST": "admin"},
    "settings/signals/own/new": {"POST": "admin"},
    "settings/signals/own/<int:own_id>/turn": {"POST": "admin"},
    "settings/signals/own/<int:own_id>/remove": {"POST": "admin"},
    "settings/budgets": {"GET": "viewer"},
    "settings/budgets/new": {"POST": "admin"},
    "settings/budgets/<int:budget_id>/remove": {"POST": "admin"},
    "settings/prices": {"GET": "viewer"},
    "settings/prices/new": {"POST": "admin"},
    "settings/prices/<int:price_id>/remove": {"POST": "admin"},
    "settings/modes/new": {"POST": "admin"},
    "settings/modes/<slug:mode_slug>/edit": {"POST": "admin"},
    "settings/modes/<slug:mode_slug>/move": {"POST": "admin"},
    "settings/modes/<slug:mode_slug>/archive": {"POST": "admin"},
    "settings/modes/<slug:mode_slug>/restore": {"POST": "admin"},
    "review": {"GET": "viewer", "POST": "reviewer"},
    "review/modes/<slug:mode_slug>/recheck": {"GET": "reviewer", "POST": "reviewer"},
    "review/modes/<slug:mode_slug>/recheck/undo/<int:recoding_id>": {"POST": "reviewer"},
    "review/modes/<slug:mode_slug>/judge": {"GET": "reviewer"},
    "review/modes/<slug:mode_slug>/judge/rubric": {"POST": "admin"},
    "review/modes/<slug:mode_slug>/judge/run": {"POST": "admin"},
    "review/modes/<slug:mode_slug>/judge/stop/<int:run_id>": {"POST": "admin"},
    "review/<slug:queue_slug>": READ,
    "review/<slug:queue_slug>/rules": {"GET": "reviewer", "POST": "reviewer"},
    "review/<slug:queue_slug>/next": {"GET": "reviewer"},
    "review/<slug:queue_slug>/change": {"POST": "reviewer"},  # closing an item: admin
    "review/<slug:queue_slug>/labels.csv": READ,
    "review/<slug:queue_slug>/skip/<str:trace_id>": {"POST": "reviewer"},
    "review/<slug:queue_slug>/unskip/<int:seat_id>": {"POST": "reviewer"},
    "review/<slug:queue_slug>/coding": READ,
    "review/<slug:queue_slug>/coding/change": {"POST": "reviewer"},
    "review/<slug:queue_slug>/coding/undo/<int:recoding_id>": {"POST": "reviewer"},
    "review/<slug:queue_slug>/coding/rename/<slug:mode_slug>": {"POST": "reviewer"},
    "review/<slug:queue_slug>/disagreements": READ,
    "review/<slug:queue_slug>/disagreements/<int:item_id>": {"POST": "reviewer"},
    "failures": READ,
    "failures/matrix": READ,
    "failures/suggestions": READ,
    "failures/act": {"POST": "reviewer"},
    "failures/undo/<str:token>": {"POST": "reviewer"},
    "failures/fixes": READ,
    "failures/<str:key>": READ,
    "failures/<str:key>/say": {"POST": "reviewer"},
    "rollout": {"GET": "viewer", "POST": "reviewer"},
    "rollout/flags.json": READ,
    "rollout/<int:rollout_number>/move": {"POST": "reviewer"},  # against the gate: admin
    "rollout/<int:rollout_number>/undo": {"POST": "reviewer"},
    "evals": {"GET": "viewer", "POST": "reviewer"},
    "evals/<slug:set_slug>": READ,
    "evals/<slug:set_slug>/fix": {"POST": "reviewer"},
    "evals/<slug:set_slug>/export": READ,
    "evals/<slug:set_slug>/diff": READ,
    "evals/<slug:set_slug>/coverage": READ,
    "evals/<slug:set_slug>/import": {"GET": "reviewer", "POST": "reviewer"},
    "evals/<slug:set_slug>/import/<int:import_id>": {"GET": "reviewer", "POST": "reviewer"},
    "evals/<slug:set_slug>/import/<int:import_id>/undo": {"POST": "reviewer"},
    "evals/<slug:set_slug>/gate": {"GET": "viewer", "POST": "reviewer"},
    "evals/<slug:set_slug>/runs/<int:number>": READ,
    "evals/<slug:set_slug>/runs/<int:number>/junit": READ,
    "evals/<slug:set_slug>/runs/<int:number>/accept/<str:case_id>": {"POST": "reviewer"},
    "evals/<slug:set_slug>/runs/<int:number>/accept/<str:case_id>/undo": {"POST": "reviewer"},
    "evals/<slug:set_slug>/runs/<int:number>/override": {"POST": "admin"},
    "evals/<slug:set_slug>/runs/<int:number>/override/undo": {"POST": "admin"},
    "evals/<slug:set_slug>/cases/<str:case_id>": READ,
    "evals/<slug:set_slug>/cases/<str:case_id>/remove": {"POST": "reviewer"},
    "evals/<slug:set_slug>/cases/<str:case_id>/restore": {"POST": "reviewer"},
}

# Calls below `api/v1/`. `POST traces` and `POST feedback` are ingestion's (INGESTION).
CALLS: dict[str, dict[str, str]] = {
    "openapi.json": {"GET": "open"},
    "docs": {"GET": "open"},
    "traces": {"GET": "read"},
    "traces/<str:trace_id>": {"GET": "read"},
    "traces/<str:trace_id>/raw": {"GET": "read"},
    "traces/<str:trace_id>/reviews": {"POST": "review"},
    "facets": {"GET": "read"},
    "feedback": {},
    "failure-modes": {"GET": "read", "POST": "admin"},
    "failures": {"GET": "read"},
    "failures/<str:key>": {"GET": "read", "PATCH": "review"},
    "contracts": {"GET": "read", "POST": "admin"},
    "queues": {"GET": "read", "POST": "review"},
    "queues/<str:id>/next": {"GET": "read"},
    "queues/<str:id>/stats": {"GET": "read"},
    "prompts": {"POST": "ingest"},
    "metrics": {"GET": "read"},
    "eval-sets": {"GET": "read", "POST": "review"},
    "eval-sets/<str:slug>": {"GET": "read", "PATCH": "review"},
    "eval-sets/<str:slug>/cases": {"GET": "read", "POST": "review"},
    "eval-sets/<str:slug>/fix": {"POST": "review"},
    "eval-sets/<str:slug>/versions/<str:version>/export": {"GET": "read"},
    "eval-sets/<str:slug>/runs": {"GET": "read", "POST": "review"},
    "rollouts": {"GET": "read"},
    "rollouts/flags": {"GET": "read"},
    "setup": {"GET": "admin", "POST": "admin"},
    "keys/<str:id>": {"DELETE": "admin"},
    "members/<str:email>": {"DELETE": "admin"},
    "runs/<str:id>": {"GET": "read"},
    "runs/<str:id>/gate": {"GET": "read"},
}

# Paths that ingestion answers ahead of Django.
_OTLP = {f"{base}/v1/{kind}": {"POST": "ingest"}
         for base in ("", "/otlp", "/otel", "/api/public/otel")
         for kind in ("traces", "logs", "metrics")}  # fmt: skip
INGESTION: dict[str, dict[str, str]] = {
    **_OTLP,
    "/api/v1/traces": {"POST": "ingest"},
    "/api/v1/feedback": {"POST": "ingest"},
    "/runs/batch": {"POST": "ingest"},
    "/runs/multipart": {"POST": "ingest"},
    "/feedback": {"POST": "ingest"},
    "/info": {"GET": "ingest"},
    "/langsmith/runs/batch": {"POST": "ingest"},
    "/langsmith/runs/multipart": {"POST": "ingest"},
    "/langsmith/feedback": {"POST": "ingest"},
    "/langsmith/info": {"GET": "ingest"},
}
