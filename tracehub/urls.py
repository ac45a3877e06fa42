"""Every route of TraceHub that Django serves. Ingestion is mounted ahead of it in `asgi`."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from tracehub.web import (
    accounts,
    breakdown,
    comparison,
    connect,
    contracts,
    coverage,
    dashboards,
    evals,
    exporter,
    failures,
    health,
    matrix,
    metrics,
    panel,
    prompts,
    queues,
    review_routes,
    rollouts,
    runs,
    saved_views,
    settings_pages,
    settings_routes,
    shell,
    trace,
    trace_bulk,
    trace_export,
    trace_jobs,
    traces,
)

handler500 = "tracehub.web.problems.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", shell.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", exporter.page, name="exporter"),
    path("accounts/theme", shell.set_theme, name="set_theme"),
    path("accounts/quick", queues.set_quick, name="set_quick"),
    path("accounts/link/<str:token>", accounts.sign_in_link, name="sign_in_link"),
    path("accounts/invite/<str:token>", accounts.invitation, name="invitation"),
    path("accounts/", include(accounts.urlpatterns)),
    path("api/v1/", include("tracehub.api.urls")),
    path("<slug:slug>/traces", traces.trace_list, name="traces"),
    path("<slug:slug>/traces/suggestions", traces.suggestions, name="trace_suggestions"),
    path("<slug:slug>/traces/newer", traces.newer, name="traces_newer"),
    path("<slug:slug>/traces/verdict", trace_bulk.verdict, name="traces_verdict"),
    path("<slug:slug>/traces/bulk", trace_bulk.bulk, name="traces_bulk"),
    path("<slug:slug>/traces/export", trace_export.export, name="traces_export"),
    path("<slug:slug>/traces/jobs", trace_jobs.page, name="traces_jobs"),
    path("<slug:slug>/traces/jobs/<int:job_id>", trace_jobs.act, name="traces_job"),
    path("<slug:slug>/traces/jobs/<int:job_id>/file", trace_jobs.download, name="traces_file"),
    path("<slug:slug>/traces/views", saved_views.create, name="saved_views"),
    path("<slug:slug>/traces/views/<int:view_id>", saved_views.change, name="saved_view"),
    path(
        "<slug:slug>/traces/views/<int:view_id>/restore",
        saved_views.restore,
        name="saved_view_restore",
    ),
    path("<slug:slug>/traces/undo/<str:token>", trace_bulk.undo, name="traces_undo"),
    path("<slug:slug>/contracts", contracts.contract_list, name="contracts"),
    path("<slug:slug>/contracts/<str:name>", contracts.contract_page, name="contract"),
    path("<slug:slug>/failures", failures.group_list, name="failures"),
    path("<slug:slug>/failures/act", failures.act, name="failures_act"),
    path("<slug:slug>/failures/undo/<str:token>", failures.undo, name="failures_undo"),
    path("<slug:slug>/failures/matrix", matrix.page, name="failures_matrix"),
    path("<slug:slug>/failures/<str:key>", failures.group_page, name="failure"),
    path("<slug:slug>/metrics", metrics.page, name="metrics"),
    path("<slug:slug>/metrics/dashboards", dashboards.create, name="dashboards"),
    path("<slug:slug>/metrics/dashboards/<int:board_id>", dashboards.change, name="dashboard"),
    path(
        "<slug:slug>/metrics/dashboards/<int:board_id>/restore",
        dashboards.restore,
        name="dashboard_restore",
    ),
    path("<slug:slug>/metrics/breakdown", breakdown.page, name="metrics_breakdown"),
    path("<slug:slug>/metrics/compare", comparison.page, name="metrics_compare"),
    path("<slug:slug>/prompts", prompts.prompt_list, name="prompts"),
    path("<slug:slug>/prompts/<path:prompt>", prompts.prompt_page, name="prompt"),
    path("<slug:slug>/connect", connect.page, name="connect"),
    path("<slug:slug>/connect/key", connect.new_key, name="connect_key"),
    path("<slug:slug>/connect/status", connect.status, name="connect_status"),
    path("<slug:slug>/settings", settings_pages.page, name="settings"),
    path("<slug:slug>/settings/", include(settings_routes.urlpatterns)),
    path("<slug:slug>/traces/<str:trace_id>", trace.trace_page, name="trace"),
    path("<slug:slug>/traces/<str:trace_id>/json", trace.trace_json, name="trace_json"),
    path("<slug:slug>/traces/<str:trace_id>/reveal", trace.reveal, name="trace_reveal"),
    path("<slug:slug>/traces/<str:trace_id>/review", panel.submit, name="trace_review"),
    path("<slug:slug>/reviews/<int:review_id>/withdraw", panel.withdraw, name="review_withdraw"),
    path("<slug:slug>/review", queues.queue_list, name="review"),
    path("<slug:slug>/review/", include(review_routes.urlpatterns)),
    path("<slug:slug>/rollout", rollouts.page, name="rollout"),
    path("<slug:slug>/rollout/flags.json", rollouts.flag_file, name="rollout_flags"),
    path(
        "<slug:slug>/rollout/<int:rollout_number>/move", rollouts.move, name="rollout_move"
    ),
    path(
        "<slug:slug>/rollout/<int:rollout_number>/undo", rollouts.undo, name="rollout_undo"
    ),
    path("<slug:slug>/evals", evals.set_list, name="evals"),
    path("<slug:slug>/evals/<slug:set_slug>", evals.set_page, name="evals_set"),
    path("<slug:slug>/evals/<slug:set_slug>/fix", evals.fix, name="evals_fix"),
    path("<slug:slug>/evals/<slug:set_slug>/export", evals.export, name="evals_export"),
    path(
        "<slug:slug>/evals/<slug:set_slug>/coverage", coverage.page, name="evals_coverage"
    ),
    path("<slug:slug>/evals/<slug:set_slug>/gate", runs.rules_page, name="evals_gate"),
    path("<slug:slug>/evals/<slug:set_slug>/runs/<int:number>", runs.run_page, name="evals_run"),
    path(
        "<slug:slug>/evals/<slug:set_slug>/runs/<int:number>/junit",
        runs.junit_file,
        name="evals_run_junit",
    ),
    path(
        "<slug:slug>/evals/<slug:set_slug>/runs/<int:number>/override",
        runs.override,
        name="evals_override",
    ),
    path(
        "<slug:slug>/evals/<slug:set_slug>/runs/<int:number>/override/undo",
        runs.override_undo,
        name="evals_override_undo",
    ),
    path(
        "<slug:slug>/evals/<slug:set_slug>/cases/<str:case_id>", evals.case_page, name="evals_case"
    ),
    path(
        "<slug:slug>/evals/<slug:set_slug>/cases/<str:case_id>/remove",
        evals.remove,
        name="evals_remove",
    ),
    path(
        "<slug:slug>/evals/<slug:set_slug>/cases/<str:case_id>/restore",
        evals.restore,
        name="evals_restore",
    ),
]
